"""A whole price file into bars: read in blocks, checked as a whole, nothing kept that contradicts itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.data import parquet, rows, times
from core.data.checks import CODE, Table, check_order, check_prices, is_descending, join, refused
from core.data.columns import PRICES, check_columns
from core.data.guess import inspect
from core.data.source import Source, open_source
from core.data.work import Job
from core.errors import BadRows, InvalidValue, UnreadableFile
from core.model.instants import DAY_NS, HOUR_NS
from core.model.market import BarSeries, Instants, Timeframe, parse_symbol
from core.model.price_file import DATE_COLUMN, BadRow, FileFormat, ImportPlan, OnBad

_VALUES: Final = (*PRICES, "volume")
_SHOWN: Final = 5
_DETAILED: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a file held: the sound bars, and which rows were refused."""

    bars: BarSeries
    rows: int
    refused_by_reason: dict[str, int]
    bad_rows: tuple[BadRow, ...]
    said: tuple[str, ...]


def read_bars(plan: ImportPlan, job: Job) -> Reading:
    """Return the file's bars as `plan` says. Raises DataError or InputError; then nothing of the file is of use.

    BadRows when rows were refused and the plan is to fail. Row order is the file's: a row that is not later than
    the one before is refused, except that a file which goes back in time throughout is read from its end.
    """
    path, symbol, timeframe = Path(plan.path), parse_symbol(plan.symbol), Timeframe.parse(plan.timeframe)
    settled = _settled(path, plan.format)
    said: list[str] = []
    with open_source(path) as source:
        if source.kind != settled.kind:
            raise InvalidValue("kind of file", settled.kind, f"{path.name} is {source.kind}.")
        tables = list(_tables(source, settled, job))
        source.check_unchanged()
    if not sum(len(table) for table, _ in tables):
        raise UnreadableFile(f"{path.name} has no rows below its header.", "Choose a file with prices in it.")
    table, absolute = join([table for table, _ in tables]), tables[0][1]
    _settle_times(table, "UTC" if absolute else settled.tz, said)
    job.check()
    check_prices(table)
    check_order(table)
    job.check()
    by_reason, bad_rows = refused(table)
    if by_reason and plan.on_bad is OnBad.FAIL:
        raise _bad_rows(path, by_reason, bad_rows)
    sound = table.reason == 0
    if not sound.any():
        raise UnreadableFile(
            f"None of the {len(table):,} rows of {path.name} could be taken: {_counted(by_reason)}.",
            "Look at the columns and the time format.",
        )
    bars = BarSeries.from_columns(symbol, timeframe, table.time_ns[sound], *(getattr(table, name)[sound] for name in _VALUES))
    said.extend(_check_spacing(bars))
    if "volume" not in settled.columns:
        said.append("There is no volume: it is stored as 0.")
    return Reading(bars=bars, rows=len(table), refused_by_reason=by_reason, bad_rows=bad_rows, said=tuple(said))


def _settled(path: Path, given: FileFormat) -> FileFormat:
    """Check the format, and fill in what it leaves open."""
    check_columns(given.columns)
    zone = times.check_zone(given.tz)
    times.check_pattern(given.time_format, given.time_unit)
    if given.time_format is None and given.time_unit is None:
        return inspect(path, given).format
    return msgspec.structs.replace(given, tz=zone)


def _tables(source: Source, settled: FileFormat, job: Job) -> Iterator[tuple[Table, bool]]:
    """Yield the rows of the file with their cells read, times still local when the second value is false."""
    if source.kind == "parquet":
        job.progress(0, 1, "Reading")
        frame = parquet.all_rows(source.path)
        if frame.width != len(settled.columns):
            raise InvalidValue(
                "columns", f"{len(settled.columns)} names", f"the file has {frame.width} columns: {', '.join(frame.columns)}."
            )
        job.progress(1, 1, "Reading")
        yield _read_cells(frame.get_columns(), np.arange(1, frame.height + 1, dtype=np.int64), settled)
        return
    width = len(settled.columns)
    for block in rows.blocks(source, settled.delimiter, width, settled.has_header, job):
        widths = block.widths()
        table, absolute = _read_cells([block.column(index) for index in range(width)], block.lines, settled)
        # A delimiter after the last cell is only a habit of some writers.
        spare = widths == width + 1
        if spare.any():
            spare &= (block.cells.list.get(width, null_on_oob=True).str.strip_chars() == "").fill_null(False).to_numpy()
        _overrule(table, (widths < width), "missing_column", widths, width)
        _overrule(table, (widths > width) & ~spare, "extra_column", widths, width)
        yield table, absolute


def _overrule(table: Table, wrong: NDArray[np.bool_], reason: str, widths: Instants, width: int) -> None:
    """Give the reason to rows of another width, whatever their cells look like: they may be shifted."""
    table.reason[wrong] = CODE[reason]
    for row in np.flatnonzero(wrong)[:_DETAILED]:
        table.details[int(table.lines[row])] = f"The row has {widths[row]} cells, the file has {width} columns."


def _read_cells(cells: list[pl.Series], lines: Instants, settled: FileFormat) -> tuple[Table, bool]:
    places = {meaning: index for index, meaning in enumerate(settled.columns)}
    text = _time_text(cells, places)
    time_ns, absolute = times.read_times(text, settled.time_format, settled.time_unit)
    values = {}
    unread = {}
    for name in _VALUES:
        if name in places:
            values[name], unread[name] = rows.floats(cells[places[name]], settled.decimal)
        else:
            values[name] = np.zeros(len(lines))
    table = Table(lines=lines, time_ns=time_ns, **values, reason=np.zeros(len(lines), np.uint8), details={})
    no_time = time_ns == times.NO_TIME
    table.mark(no_time, "bad_time")
    _explain(table, no_time, "The time, {!r}, cannot be read.", text)
    for name, wrong in unread.items():
        fresh = wrong & (table.reason == 0)
        table.mark(fresh, "not_a_number")
        _explain(table, fresh, f"The {name}, {{!r}}, is not a number.", cells[places[name]])
    return table, absolute


def _time_text(cells: list[pl.Series], places: dict[str, int]) -> pl.Series:
    if DATE_COLUMN not in places:
        return cells[places["time"]]
    date = cells[places[DATE_COLUMN]]
    if "time" not in places:
        return date
    clock = cells[places["time"]]
    if date.dtype != pl.String or clock.dtype != pl.String:
        date, clock = date.cast(pl.String), clock.cast(pl.String)
    return pl.select(date + " " + clock).to_series()


def _explain(table: Table, wrong: NDArray[np.bool_], sentence: str, cells: pl.Series) -> None:
    for row in np.flatnonzero(wrong)[: max(0, _DETAILED - len(table.details))].tolist():
        cell = cells[row]
        table.details[int(table.lines[row])] = sentence.format("" if cell is None else str(cell)[:40])


def _settle_times(table: Table, zone: str, said: list[str]) -> None:
    """Turn local times into UTC, and the rows around when the file goes back in time."""
    early = table.time_ns
    repeated = np.zeros(len(table), np.bool_)
    if zone != "UTC":
        _, _, twice = times.to_utc(early, zone)
        repeated = twice
    if is_descending(early, repeated):
        table.reverse()
        said.append("The file goes back in time: it was read from its end.")
    table.time_ns, missing, twice = times.to_utc(table.time_ns, zone)
    for row in np.flatnonzero(missing & (table.reason == 0))[:_DETAILED].tolist():
        table.details[int(table.lines[row])] = f"The time does not exist in {zone}: the clocks were put forward over it."
    table.mark(missing, "bad_time")
    if twice.any():
        said.append(f"{int(twice.sum()):,} times are in an hour that the clocks of {zone} repeat: the order of the rows decided which.")


def _check_spacing(bars: BarSeries) -> list[str]:
    """Refuse a timeframe longer than the distance of the bars; say when it is shorter."""
    if len(bars) < 2:
        return []
    steps, counts = np.unique(np.diff(bars.start_ns), return_counts=True)
    usual = int(steps[np.argmax(counts)])
    wanted = bars.timeframe.ns
    slack = 2 * HOUR_NS if wanted >= DAY_NS else 0  # a day of local time may have 23 hours
    near = str(Timeframe(usual)) if usual % 10**9 == 0 else f"{usual / 1e9:g}s"
    if usual < wanted - slack:
        raise InvalidValue("timeframe", bars.timeframe, f"the rows of the file are {near} apart.")
    if usual > wanted + slack:
        return [f"Most rows are {near} apart, which is more than the timeframe {bars.timeframe}."]
    return []


def _counted(by_reason: dict[str, int]) -> str:
    return ", ".join(f"{count:,} × {reason}" for reason, count in by_reason.items())


def _bad_rows(path: Path, by_reason: dict[str, int], bad_rows: tuple[BadRow, ...]) -> BadRows:
    total = sum(by_reason.values())
    lines = " ".join(f"Line {row.line:,}: {row.detail}" for row in bad_rows[:_SHOWN])
    more = f" … and {total - _SHOWN:,} more." if total > _SHOWN else ""
    rows_found = f"{total:,} row" if total == 1 else f"{total:,} rows"
    what = f"{rows_found} of {path.name} cannot be right ({_counted(by_reason)}); nothing was imported. {lines}{more}"
    todo = "Correct the file, or import again and skip such rows."
    return BadRows(what, todo, refused_by_reason=by_reason, bad_rows=bad_rows)
