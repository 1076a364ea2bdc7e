"""`weaver data import`: a price file, as it is guessed and as the call corrects the guess."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.call import Call, absolute
from app.console import print_json, progress, show, table
from app.options import AsJson, OnBadWay, Symbol, TimeframeText
from app.words import key_document, moment, one_of, parse_timeframe
from core.errors import BadRows, InputError, UnknownName, UnreadableFile

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.price_file import BadRow, FileFormat, FileGuess, ImportReport

ROWS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatWords:
    """What the call says of how the file is written; None leaves it to the guess."""

    columns: str | None
    no_header: bool
    delimiter: str | None
    time_unit: str | None
    time_format: str | None
    tz: str | None
    timeframe: str | None

    def applied_to(self, guessed: "FileFormat", width: int) -> "FileFormat":
        """Return `guessed` with these words. `width`: how many columns the file has, 0 where nobody knows. Raises InputError."""
        import msgspec

        changes: dict[str, Any] = {}
        if self.columns is not None:
            changes["columns"] = self._columns(width)
        if self.no_header:
            changes["has_header"] = False
        if self.delimiter is not None:
            changes["delimiter"] = {"\\t": "\t", "tab": "\t"}.get(self.delimiter, self.delimiter)
        if self.time_unit is not None and self.time_format is not None:
            raise InputError("--time-unit and --time-format exclude each other.", "Times are numbers or text: give one of the two.")
        if self.time_unit is not None:
            changes |= {"time_unit": one_of("time unit", self.time_unit, ("s", "ms", "us", "ns")), "time_format": None}
        if self.time_format is not None:
            changes |= {"time_format": self.time_format, "time_unit": None}
        if self.tz is not None:
            changes["tz"] = _zone(self.tz)
        if self.timeframe is not None:
            changes["timeframe"] = self.timeframe
        return msgspec.structs.replace(guessed, **changes)

    def _columns(self, width: int) -> tuple[str, ...]:
        from core.model.price_file import BAR_COLUMNS

        names = tuple(name.strip().lower() or "-" for name in (self.columns or "").split(","))
        for name in names:
            if name not in {*BAR_COLUMNS, "-"}:
                raise UnknownName("column", name, (*BAR_COLUMNS, "-"))
        if width and self.delimiter is None and len(names) != width:
            what = f"--columns names {len(names)} columns and the file has {width}."
            raise InputError(what, "Name them all; - is a column that is not read.")
        return names


def _zone(name: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownName("time zone", name, available_timezones(), "Write it like America/New_York.") from error


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(readable=False, help="CSV (also .gz, .zip, .zst) or Parquet.")],
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
    on_bad: OnBadWay = "fail",
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
    words = FormatWords(
        columns=columns,
        no_header=no_header,
        delimiter=delimiter,
        time_unit=time_unit,
        time_format=time_format,
        tz=tz,
        timeframe=wanted_timeframe,
    )
    if not source.strip():
        raise InputError("--source is empty.", "Give the source a name, or leave the option out.")

    async def work(engine: "Engine") -> tuple["FileGuess", "ImportReport"]:
        try:
            guess = await engine.inspect_file(path, None, wanted_symbol)
        except UnreadableFile:
            if columns is None:
                raise
            # What cannot be guessed may still be said.
            guess = await engine.inspect_file(path, words.applied_to(FileFormat(kind="csv", columns=()), 0), wanted_symbol)
        settled = words.applied_to(guess.format, len(guess.headers))
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


def _import_document(guess: "FileGuess", report: "ImportReport") -> dict[str, Any]:
    return {
        **key_document(report.key),
        "rows": report.rows,
        "taken": report.taken,
        "refused": report.refused,
        "refused_by_reason": dict(report.refused_by_reason),
        "bad_rows": [{"line": row.line, "reason": row.reason, "detail": row.detail} for row in report.bad_rows],
        "added": report.merge.added,
        "identical": report.merge.identical,
        "changed": report.merge.changed,
        "changed_examples": [moment(start_ns) for start_ns in report.merge.changed_examples],
        "first": moment(report.first_ns),
        "last": moment(report.last_ns),
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
        lines.append(f"They go from {moment(report.first_ns)} to {moment(report.last_ns)}.")
    show(*(Text(line) for line in lines))
    if report.refused:
        show_bad_rows(report.refused_by_reason, report.bad_rows)


def show_bad_rows(refused_by_reason: Mapping[str, int], bad_rows: Sequence["BadRow"]) -> None:
    """Print how many rows were refused and why, and the first of them."""
    from rich.text import Text

    refused = sum(refused_by_reason.values())
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in refused_by_reason.items())
    show(Text(f"{refused:,} rows refused: {reasons}."))
    rows = [(str(row.line), row.reason, row.detail) for row in bad_rows[:ROWS_SHOWN]]
    show(table(("line", "reason", "detail"), rows, right=("line",), fold=("detail",)))
    if len(bad_rows) > ROWS_SHOWN:
        show(Text(f"… and {refused - ROWS_SHOWN:,} more; --json lists the first 1,000."))
