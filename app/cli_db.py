"""`weaver db`: look after the database."""

from typing import TYPE_CHECKING

import typer

from app.call import Call
from app.cli_runs import RunId
from app.console import fail, print_json, progress, show
from app.options import EVERYWHERE, AsJson
from core.errors import DamagedStore, EventsChanged

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.care import ChainReport, CheckReport


def add_to(group: typer.Typer) -> None:
    """Add the verbs to their group."""
    for name, verb in (("upgrade", upgrade), ("check", check), ("verify-chain", verify_chain)):
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
