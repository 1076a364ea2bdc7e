"""`weaver db`: look after the database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.call import Call, absolute
from app.console import fail, print_json, progress, show, table
from app.options import EVERYWHERE, AsJson, RunId
from app.words import one_of
from core.errors import DamagedStore, EventsChanged, InputError

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.care import Archive, ChainReport, CheckReport, Transfer
    from core.model.retention import EventClass


def add_to(group: typer.Typer) -> None:
    """Add the verbs to their group."""
    for name, verb in (
        ("upgrade", upgrade),
        ("check", check),
        ("verify-chain", verify_chain),
        ("export", export),
        ("import", import_),
        ("copy", copy),
        ("archive", archive),
        ("archives", archives),
        ("restore-archive", restore_archive),
        ("vacuum", vacuum),
    ):
        group.command(name, epilog=EVERYWHERE)(verb)


def upgrade(context: typer.Context, as_json: AsJson = False) -> None:
    """Create the database, or bring it to the tables of this version; every start does the same."""
    from rich.text import Text

    call: Call = context.obj

    async def work(engine: "Engine") -> str:
        return engine.where

    where = call.run(work, recover=False)
    if as_json:
        print_json({"database": where})
    else:
        show(Text(f"{where} has the tables of this version."))


def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Look at everything that is stored: sequences, references, what must add up, hashes; exit code 1 when something is found."""
    from rich.text import Text

    call: Call = context.obj

    async def work(engine: "Engine") -> "CheckReport":
        with progress(call.shows_progress) as on_progress:
            return await engine.check(on_progress)

    report = call.run(work, recover=False)
    if as_json:
        findings = [{"kind": finding.kind, "sentence": finding.sentence} for finding in report.findings]
        print_json({"clean": not findings, "looked_at": report.counts, "findings": findings})
    else:
        show(*(Text(finding.sentence) for finding in report.findings))
        looked = ", ".join(f"{number:,} {kind.replace('_', ' ')}" for kind, number in report.counts.items() if number) or "nothing"
        show(Text(f"Looked at {looked}." + ("" if report.findings else " All of it is as it must be.")))
    if report.findings:
        number = len(report.findings)
        fail(DamagedStore.code, "One thing is not as it must be." if number == 1 else f"{number:,} things are not as they must be.")


def verify_chain(context: typer.Context, run: RunId, as_json: AsJson = False) -> None:
    """Compare the events of a run with the chain of their hashes; names the first that was changed, with exit code 1."""
    import msgspec
    from rich.text import Text

    call: Call = context.obj

    async def work(engine: "Engine") -> "ChainReport":
        with progress(call.shows_progress) as on_progress:
            return await engine.verify_chain(run, on_progress)

    report = call.run(work, recover=False)
    if as_json:
        print_json({"same": report.first_changed is None, **msgspec.to_builtins(report)})
    elif report.first_changed is None:
        show(Text(report.sentence))
    if report.first_changed is not None:
        fail(EventsChanged.code, report.sentence)


def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(readable=False, help="Where to write everything.")],
    as_json: AsJson = False,
) -> None:
    """Write everything to one portable file, which any database of this program can import."""
    from rich.text import Text

    call: Call = context.obj
    path = absolute(file)

    async def work(engine: "Engine") -> "Transfer":
        with progress(call.shows_progress) as on_progress:
            return await engine.export_everything(path, on_progress)

    written = call.run(work, recover=False)
    if as_json:
        print_json({"file": written.file, "rows": written.rows})
    else:
        show(Text(f"{_rows_words(written)} are written to {written.file}."))


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(readable=False, help="A file that `weaver db export` wrote.")],
    as_json: AsJson = False,
) -> None:
    """Read everything from such a file into an empty database, all of it or nothing."""
    from rich.text import Text

    call: Call = context.obj
    path = absolute(file)

    async def work(engine: "Engine") -> tuple[str, "Transfer"]:
        with progress(call.shows_progress) as on_progress:
            return engine.where, await engine.import_everything(path, on_progress)

    where, read = call.run(work, recover=False)
    if as_json:
        print_json({"database": where, "file": read.file, "rows": read.rows})
    else:
        show(Text(f"{_rows_words(read)} are in {where} now."))


def copy(
    context: typer.Context,
    to: Annotated[str, typer.Argument(help="Path or URL of an empty database, like postgresql://HOST/NAME.", metavar="URL")],
    as_json: AsJson = False,
) -> None:
    """Copy everything to another database, which must be empty; this one stays as it is."""
    from rich.text import Text

    call: Call = context.obj

    async def work(engine: "Engine") -> "Transfer":
        from app.copying import copy_everything

        with progress(call.shows_progress) as on_progress:
            return await copy_everything(engine, to, on_progress)

    copied = call.run(work, recover=False)
    if as_json:
        print_json({"rows": copied.rows})
    else:
        show(Text(f"{_rows_words(copied)} are copied. Use --db or the settings to open the other database."))


def _rows_words(transfer: "Transfer") -> str:
    from app.copying import copied_words

    return copied_words(transfer)


def archive(
    context: typer.Context,
    to: Annotated[Path | None, typer.Option("--to", help="Folder of the archives.", metavar="DIR")] = None,
    older_than: Annotated[str | None, typer.Option(help="Age, like 90d, 12w or 2y; else what the settings say.", metavar="AGE")] = None,
    kind: Annotated[str | None, typer.Option("--class", help="Which events: backtest-events and others.", metavar="CLASS")] = None,
    as_json: AsJson = False,
) -> None:
    """Move old events to files, and delete them once their file is complete and was read again."""
    import msgspec
    from rich.text import Text

    call: Call = context.obj
    if to is None:
        raise InputError("db archive does not know where to write.", "Name a folder with --to.")
    folder, ages = absolute(to), _ages(call, older_than, kind)

    async def work(engine: "Engine") -> list["Archive"]:
        with progress(call.shows_progress) as on_progress:
            made = [await engine.archive(each, age_ns, folder, on_progress) for each, age_ns in ages.items()]
            return [item for item in made if item is not None]

    made = call.run(work)
    if as_json:
        print_json({"archives": [msgspec.to_builtins(item) for item in made]})
    elif not made:
        show(Text("No events are that old; nothing was archived."))
    else:
        show(*(Text(f"{item.events:,} events ({item.kind}) are in {item.file} now, and no longer in the database.") for item in made))
        show(Text("`weaver db vacuum` gives the space back."))


def _ages(call: Call, older_than: str | None, kind: str | None) -> dict["EventClass", int]:
    """Return which classes to archive from which age on, ns. Records of dealings with a broker only when they are named."""
    from core.model.instants import DAY_NS
    from core.model.retention import EventClass, parse_age

    named = None if kind is None else EventClass(one_of("class of events", kind, EventClass))
    if older_than is not None:
        return {named or EventClass.BACKTEST: parse_age(older_than)}
    settings = call.settings()
    keys = {
        EventClass.BACKTEST: "retention.backtest_days",
        EventClass.TRACE: "retention.trace_days",
        EventClass.DESK: "retention.desk_days",
    }
    days = {each: int(settings.number(key)) for each, key in keys.items() if named in {None, each}}
    chosen = {each: number * DAY_NS for each, number in days.items() if number}
    if not chosen:
        raise InputError("Nothing says from which age on events are archived.", "Say it with --older-than 90d, or in the settings.")
    return chosen


def archives(context: typer.Context, as_json: AsJson = False) -> None:
    """List the files that events were moved to."""
    import msgspec
    from rich.text import Text

    call: Call = context.obj
    found = call.run(lambda engine: engine.archives(), recover=False)
    if as_json:
        print_json({"archives": [msgspec.to_builtins(item) for item in found]})
    elif not found:
        show(Text("No events were archived."))
    else:
        rows = [(item.kind, f"{item.events:,}", f"{item.first_seq:,}", f"{item.last_seq:,}", item.file) for item in found]
        show(table(("class", "events", "first", "last", "file"), rows, right=("events", "first", "last"), fold=("file",)))


def restore_archive(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(readable=False, help="A file of `weaver db archives`, wherever it lies now.")],
    as_json: AsJson = False,
) -> None:
    """Put the events of an archive back into the database, at their numbers, all of them or nothing; the file stays."""
    import msgspec
    from rich.text import Text

    call: Call = context.obj
    path = absolute(file)

    async def work(engine: "Engine") -> "Archive":
        with progress(call.shows_progress) as on_progress:
            return await engine.restore_archive(path, on_progress)

    restored = call.run(work, recover=False)
    if as_json:
        print_json(msgspec.to_builtins(restored))
    else:
        show(Text(f"{restored.events:,} events ({restored.kind}) are in the database again."))


def vacuum(context: typer.Context, as_json: AsJson = False) -> None:
    """Give the space that nothing uses any more back to the disk."""
    from rich.text import Text

    call: Call = context.obj
    done = call.run(lambda engine: engine.vacuum(), recover=False)
    if as_json:
        print_json({"before": done.before, "after": done.after})
    elif done.before is None or done.after is None:
        show(Text("There is nothing to give back."))
    else:
        show(Text(f"The database takes {done.after / 1e6:,.1f} MB; before it took {done.before / 1e6:,.1f} MB."))
