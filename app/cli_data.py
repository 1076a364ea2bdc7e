"""`weaver data`: import, list, gaps, export and delete."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.call import Call, absolute
from app.console import print_json, progress, show, table
from app.options import EVERYWHERE, AsJson
from core.errors import BadRows, InputError, NoBars, UnknownName, UnreadableFile

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.market import BarSet, BarSetKey
    from core.model.price_file import FileFormat, FileGuess, ImportReport

Symbol = Annotated[str | None, typer.Option(help="Symbol, like SPY or BTC/USD.", metavar="S")]
TimeframeText = Annotated[str | None, typer.Option(help="Length of a bar, like 1m, 1h, 1d.", metavar="T")]
Source = Annotated[str | None, typer.Option(help="Source of the bars.", metavar="NAME")]
AdjustmentText = Annotated[str | None, typer.Option(help="raw, split or all.", metavar="A")]


def add_to(group: typer.Typer) -> None:
    """Add the verbs to their group."""
    for name, verb in (("import", import_), ("list", list_), ("gaps", gaps), ("export", export), ("delete", delete)):
        group.command(name, epilog=EVERYWHERE)(verb)


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV (also .gz, .zip, .zst) or Parquet.")],
    symbol: Symbol = None,
    timeframe: TimeframeText = None,
    tz: Annotated[str | None, typer.Option(help="Zone of times that carry none, like America/New_York.", metavar="ZONE")] = None,
    columns: Annotated[
        str | None,
        typer.Option(help="Meaning of each column in file order: time,open,high,low,close,volume; - is not read.", metavar="LIST"),
    ] = None,
    no_header: Annotated[bool, typer.Option("--no-header", help="The first row is data.")] = False,
    delimiter: Annotated[str | None, typer.Option(help="Sign between the columns.", metavar="SIGN")] = None,
    time_unit: Annotated[str | None, typer.Option(help="Times are numbers since 1970: s, ms, us or ns.", metavar="UNIT")] = None,
    time_format: Annotated[str | None, typer.Option(help="Times are text, as in strptime: %m/%d/%Y %H:%M.", metavar="FORMAT")] = None,
    adjustment: Annotated[str, typer.Option(help="What was taken out of the prices: raw, split or all.", metavar="A")] = "raw",
    source: Annotated[str, typer.Option(help="Name of where the bars come from.", metavar="NAME")] = "file",
    on_bad: Annotated[str, typer.Option(help="Rows that contradict themselves: fail or skip.", metavar="WAY")] = "fail",
    as_json: AsJson = False,
) -> None:
    """Import a price file, all of it or nothing; guesses what is not said, and says what it guessed."""
    from core.model.market import Adjustment, parse_symbol
    from core.model.price_file import FileFormat, ImportPlan, OnBad

    call: Call = context.obj
    path = absolute(file)
    wanted_symbol = parse_symbol(symbol) if symbol is not None else None
    wanted_timeframe = parse_timeframe(timeframe) if timeframe is not None else None
    wanted_adjustment = Adjustment(one_of("adjustment", adjustment, Adjustment))
    wanted_on_bad = OnBad(one_of("way with bad rows", on_bad, OnBad))
    if not source.strip():
        raise InputError("--source is empty.", "Give the source a name, or leave the option out.")

    async def work(engine: "Engine") -> tuple["FileGuess", "ImportReport"]:
        said = (columns, no_header, delimiter, time_unit, time_format, tz, wanted_timeframe)
        try:
            guess = await engine.inspect_file(path, None, wanted_symbol)
        except UnreadableFile:
            if columns is None:
                raise
            # What cannot be guessed may still be said.
            guess = await engine.inspect_file(path, _corrected(FileFormat(kind="csv", columns=()), 0, *said), wanted_symbol)
        settled = _corrected(guess.format, len(guess.headers), *said)
        if settled != guess.format:
            guess = await engine.inspect_file(path, settled, wanted_symbol)
        final_symbol, final_timeframe = wanted_symbol or guess.symbol, wanted_timeframe or guess.format.timeframe
        if final_symbol is None:
            raise InputError("The file's name does not tell its symbol.", "Say it with --symbol, like --symbol BTC/USD.")
        if final_timeframe is None:
            raise InputError("The file does not tell how long its bars are.", "Say it with --timeframe, like --timeframe 1m.")
        plan = ImportPlan(
            path=str(path),
            symbol=final_symbol,
            timeframe=final_timeframe,
            format=guess.format,
            source=source.strip(),
            adjustment=wanted_adjustment,
            on_bad=wanted_on_bad,
        )
        with progress(call.shows_progress) as on_progress:
            return guess, await engine.import_file(plan, on_progress)

    try:
        guess, report = call.run(work)
    except BadRows as error:
        raise BadRows(error.what, "Correct the file, or add --on-bad skip to leave such rows out.") from error
    if as_json:
        print_json(_import_document(guess, report))
    else:
        _show_import(guess, report)


def _corrected(
    guessed: "FileFormat",
    width: int,
    columns: str | None,
    no_header: bool,
    delimiter: str | None,
    time_unit: str | None,
    time_format: str | None,
    tz: str | None,
    timeframe: str | None,
) -> "FileFormat":
    """Return the guessed format with what the call said. `width`: how many columns the file has, 0 where nobody knows."""
    import msgspec

    from core.model.price_file import BAR_COLUMNS

    changes: dict[str, Any] = {}
    if columns is not None:
        names = tuple(name.strip().lower() or "-" for name in columns.split(","))
        for name in names:
            if name not in {*BAR_COLUMNS, "-"}:
                raise UnknownName("column", name, (*BAR_COLUMNS, "-"))
        if width and delimiter is None and len(names) != width:
            raise InputError(
                f"--columns names {len(names)} columns and the file has {width}.",
                "Name them all; - is a column that is not read.",
            )
        changes["columns"] = names
    if no_header:
        changes["has_header"] = False
    if delimiter is not None:
        changes["delimiter"] = {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
    if time_unit is not None and time_format is not None:
        raise InputError("--time-unit and --time-format exclude each other.", "Times are numbers or text: give one of the two.")
    if time_unit is not None:
        changes |= {"time_unit": one_of("time unit", time_unit, ("s", "ms", "us", "ns")), "time_format": None}
    if time_format is not None:
        changes |= {"time_format": time_format, "time_unit": None}
    if tz is not None:
        changes["tz"] = _zone(tz)
    if timeframe is not None:
        changes["timeframe"] = timeframe
    return msgspec.structs.replace(guessed, **changes)


def _zone(name: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownName("time zone", name, available_timezones(), "Write it like America/New_York.") from error


def one_of(kind: str, given: str, choices: Any) -> str:
    """Return `given` in lower case when it is one of `choices`. Raises UnknownName."""
    names = [str(choice) for choice in choices]
    if given.strip().lower() not in names:
        raise UnknownName(kind, given, names)
    return given.strip().lower()


def parse_timeframe(text: str) -> str:
    """Return the timeframe as it is stored: 60m is 1h. Raises UnknownName with the near usual one."""
    from core.errors import InvalidValue
    from core.model.market import USUAL_TIMEFRAMES, Timeframe

    try:
        return str(Timeframe.parse(text))
    except InvalidValue as error:
        raise UnknownName("timeframe", text, USUAL_TIMEFRAMES) from error


def _key_document(key: "BarSetKey") -> dict[str, Any]:
    return {"symbol": key.symbol, "timeframe": key.timeframe, "source": key.source, "adjustment": str(key.adjustment)}


def _moment(instant_ns: int | None) -> str | None:
    from core.model.instants import iso

    return None if instant_ns is None else iso(instant_ns)


def _import_document(guess: "FileGuess", report: "ImportReport") -> dict[str, Any]:
    return {
        **_key_document(report.key),
        "rows": report.rows,
        "taken": report.taken,
        "refused": report.refused,
        "refused_by_reason": dict(report.refused_by_reason),
        "bad_rows": [{"line": row.line, "reason": row.reason, "detail": row.detail} for row in report.bad_rows],
        "added": report.merge.added,
        "identical": report.merge.identical,
        "changed": report.merge.changed,
        "changed_examples": [_moment(start_ns) for start_ns in report.merge.changed_examples],
        "first": _moment(report.first_ns),
        "last": _moment(report.last_ns),
        "guessed": list(guess.said),
        "doubts": list(guess.doubts),
        "said": list(report.said),
    }


def _show_import(guess: "FileGuess", report: "ImportReport") -> None:
    from rich.text import Text

    lines = list(dict.fromkeys([*guess.said, *(f"Doubtful: {doubt}" for doubt in guess.doubts), *report.said]))
    key = report.key
    lines.append(f"{key.symbol} {key.timeframe} from {key.source}, {key.adjustment}: {report.taken:,} of {report.rows:,} rows taken.")
    lines.append(f"{report.merge.added:,} bars are new, {report.merge.identical:,} were there before, {report.merge.changed:,} changed.")
    if report.first_ns is not None:
        lines.append(f"They go from {_moment(report.first_ns)} to {_moment(report.last_ns)}.")
    show(*(Text(line) for line in lines))
    if report.refused:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in report.refused_by_reason.items())
        show(Text(f"{report.refused:,} rows refused: {reasons}."))
        show(
            table(
                ("line", "reason", "detail"),
                [(str(row.line), row.reason, row.detail) for row in report.bad_rows[:20]],
                right=("line",),
                fold=("detail",),
            )
        )
        if len(report.bad_rows) > 20:
            show(Text(f"… and {report.refused - 20:,} more; --json lists the first 1,000."))


def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List what bars are stored."""
    from rich.text import Text

    call: Call = context.obj
    sets = call.run(lambda engine: engine.bar_sets())
    if as_json:
        print_json({"sets": [_set_document(item) for item in sets]})
    elif not sets:
        show(Text("No bars are stored yet. Import a file with `weaver data import FILE --symbol S --timeframe 1m`."))
    else:
        rows = [
            (
                item.key.symbol,
                item.key.timeframe,
                item.key.source + (" (simulated)" if item.simulated else ""),
                str(item.key.adjustment),
                f"{item.bars:,}",
                (_moment(item.first_ns) or "")[:16],
                (_moment(item.last_ns) or "")[:16],
            )
            for item in sets
        ]
        columns = ("symbol", "tf", "source", "adj.", "bars", "first UTC", "last UTC")
        show(table(columns, rows, right=("bars",), fold=("symbol", "source")))


def _set_document(item: "BarSet") -> dict[str, Any]:
    return {
        **_key_document(item.key),
        "bars": item.bars,
        "first": _moment(item.first_ns),
        "last": _moment(item.last_ns),
        "updated": _moment(item.updated_ns),
        "simulated": item.simulated,
    }


def gaps(
    context: typer.Context,
    symbol: Symbol = None,
    timeframe: TimeframeText = None,
    source: Source = None,
    adjustment: AdjustmentText = None,
    as_json: AsJson = False,
) -> None:
    """List the holes of the stored bars against their calendar."""
    from rich.text import Text

    call: Call = context.obj

    async def work(engine: "Engine") -> list[tuple["BarSet", Any]]:
        chosen = await _matching(engine, symbol, timeframe, source, adjustment)
        return [(item, await engine.gaps(item.key)) for item in chosen]

    found = call.run(work)
    if as_json:
        documents = [
            {
                **_key_document(item.key),
                "missing": sum(gap.missing for gap in holes),
                "gaps": [{"start": _moment(gap.start_ns), "end": _moment(gap.end_ns), "missing": gap.missing} for gap in holes],
            }
            for item, holes in found
        ]
        print_json({"sets": documents})
        return
    for item, holes in found:
        missing = sum(gap.missing for gap in holes)
        name = f"{item.key.symbol} {item.key.timeframe} from {item.key.source}, {item.key.adjustment}"
        if not holes:
            show(Text(f"{name}: no gaps in {item.bars:,} bars."))
            continue
        show(Text(f"{name}: {len(holes):,} gaps, {missing:,} bars missing beside {item.bars:,} stored. The longest:"))
        longest = sorted(holes, key=lambda gap: -gap.missing)[:20]
        rows = [(_moment(gap.start_ns) or "", _moment(gap.end_ns) or "", f"{gap.missing:,}") for gap in longest]
        show(table(("from", "to", "missing"), rows, right=("missing",)))


def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to write: .csv, .csv.gz or .parquet.")],
    symbol: Symbol = None,
    timeframe: TimeframeText = None,
    source: Source = None,
    adjustment: AdjustmentText = None,
    as_json: AsJson = False,
) -> None:
    """Write stored bars to a file; its ending says how."""
    from rich.text import Text

    call: Call = context.obj
    path = absolute(file)

    async def work(engine: "Engine") -> tuple["BarSet", int]:
        item = await _only(engine, symbol, timeframe, source, adjustment)
        return item, await engine.export_bars(item.key, path)

    item, bars = call.run(work)
    if as_json:
        print_json({**_key_document(item.key), "file": str(path), "bars": bars})
    else:
        show(Text(f"{bars:,} bars of {item.key.symbol} {item.key.timeframe} are written to {path}."))


def delete(
    context: typer.Context,
    symbol: Symbol = None,
    timeframe: TimeframeText = None,
    source: Source = None,
    adjustment: AdjustmentText = None,
    as_json: AsJson = False,
) -> None:
    """Remove one set of stored bars; the runs made with it stay."""
    from rich.text import Text

    call: Call = context.obj
    if symbol is None:
        raise InputError(
            "data delete does not know what to remove.", "Name it with --symbol, and with --timeframe where there are several."
        )

    async def work(engine: "Engine") -> "BarSet":
        item = await _only(engine, symbol, timeframe, source, adjustment)
        await engine.delete_bars(item.key)
        return item

    item = call.run(work)
    if as_json:
        print_json({"deleted": _set_document(item)})
    else:
        key = item.key
        show(Text(f"{item.bars:,} bars of {key.symbol} {key.timeframe} from {key.source}, {key.adjustment}, are removed."))


async def _matching(
    engine: "Engine", symbol: str | None, timeframe: str | None, source: str | None, adjustment: str | None
) -> list["BarSet"]:
    """Return the stored sets that fit what was said. Raises NoBars when nothing is stored, UnknownName for what does not exist."""
    from core.model.market import Adjustment, parse_symbol

    sets = await engine.bar_sets()
    if not sets:
        raise NoBars("No bars are stored yet.", "Import a file with `weaver data import FILE`.")
    wanted = {
        "symbol": parse_symbol(symbol) if symbol else None,
        "timeframe": parse_timeframe(timeframe) if timeframe else None,
        "source": source,
        "adjustment": one_of("adjustment", adjustment, Adjustment) if adjustment else None,
    }
    for field, value in wanted.items():
        if value is not None:
            known = {str(getattr(item.key, field)) for item in sets}
            if value not in known:
                raise UnknownName(f"stored {field}", value, known)
            sets = [item for item in sets if str(getattr(item.key, field)) == value]
    return sets


async def _only(engine: "Engine", symbol: str | None, timeframe: str | None, source: str | None, adjustment: str | None) -> "BarSet":
    """Return the one stored set that fits. Raises InputError when several do."""
    sets = await _matching(engine, symbol, timeframe, source, adjustment)
    if len(sets) > 1:
        listed = "; ".join(f"{item.key.symbol} {item.key.timeframe} {item.key.source} {item.key.adjustment}" for item in sets[:6])
        raise InputError(f"{len(sets)} stored sets fit: {listed}.", "Say which with --symbol, --timeframe, --source and --adjustment.")
    return sets[0]
