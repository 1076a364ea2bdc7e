"""What a price file looks like: guessed from its first rows, each guess with the sentence that says why."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import polars as pl

from core.data import rows as text_rows
from core.data import times
from core.data.columns import ColumnGuess, by_arithmetic, by_name, check_columns
from core.data.file_name import symbol_in
from core.data.parquet import is_clock, sample_rows
from core.data.rows import COMMA_NUMBER, NUMBER, THOUSANDS, Block
from core.data.source import Source, open_source
from core.errors import InvalidValue, UnreadableFile
from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS
from core.model.market import AssetClass, Floats, Timeframe, asset_class_of
from core.model.price_file import DATE_COLUMN, NOT_READ, FileFormat, FileGuess

SAMPLE_CHARACTERS: Final = 400_000
SAMPLE_ROWS: Final = 5_000
PREVIEW_ROWS: Final = 10
_DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


@dataclass(slots=True)
class Sample:
    """The first rows of a file as text, headers apart, and what was said of them so far."""

    headers: tuple[str, ...]
    cells: list[list[str]]
    said: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def column(self, index: int) -> list[str]:
        """Return one column's cells."""
        return [row[index] for row in self.cells]


def inspect(path: Path, settled: FileFormat | None = None, symbol: str | None = None) -> FileGuess:
    """Return what the file looks like; with `settled`, as that format reads it. Raises UnreadableFile, UnknownName, InvalidValue."""
    symbol = symbol or symbol_in(path.name)
    with open_source(path) as source:
        if source.kind == "parquet":
            found, sample = _inspect_parquet(path, settled, symbol)
        else:
            found, sample = _inspect_csv(source, settled, symbol)
        source.check_unchanged()
    return FileGuess(
        path=str(path),
        size_bytes=source.size_bytes,
        format=found,
        headers=sample.headers,
        preview=tuple(tuple(row) for row in sample.cells[:PREVIEW_ROWS]),
        symbol=symbol,
        said=tuple(sample.said),
        doubts=tuple(sample.doubts),
    )


# --- CSV --------------------------------------------------------------------------------------------------


def _inspect_csv(source: Source, settled: FileFormat | None, symbol: str | None) -> tuple[FileFormat, Sample]:
    text = text_rows.read_text(source, SAMPLE_CHARACTERS)
    delimiter = settled.delimiter if settled else _delimiter(source.path, text)
    block = text_rows.split(text, 1, delimiter)
    width = text_rows.usual_width(block)
    if width == 0:
        raise UnreadableFile(f"{source.path.name} has no rows.", "Choose a file with prices in it.")
    comment = _commented_header(text, delimiter, width)
    start = text_rows.header_row(block, width)
    has_header = settled.has_header if settled else _is_header(_row(block, start))
    sample = _sample(block, width, start, has_header, comment)
    if not sample.cells:
        raise UnreadableFile(f"{source.path.name} has a header and no rows below it.", "Choose a file with prices in it.")
    if has_header and start and not settled:
        sample.said.append(f"The first {start} lines are a title and are not read.")
    sample.said.append(f"Cells are separated by {_DELIMITERS.get(delimiter, repr(delimiter))}.")
    decimal = settled.decimal if settled else _decimal(source.path, sample, int(block.lines[0]), delimiter)
    guessed = _columns(sample, has_header or comment is not None, decimal)
    columns = (settled.columns if settled else ()) or guessed.columns
    if settled:
        check_columns(columns)
        if len(columns) != width:
            raise InvalidValue("columns", f"{len(columns)} names", f"the file has {width} columns: {', '.join(sample.headers)}.")
    if settled is None or not settled.columns:
        sample.said.extend(guessed.said)
        sample.doubts.extend(guessed.doubts)
    _check_sense(source.path, sample, columns, decimal, settled is not None)
    base = FileFormat(kind="csv", columns=columns, delimiter=delimiter, has_header=has_header, decimal=decimal)
    return _with_times(source.path, sample, base, settled, symbol), sample


def _row(block: Block, index: int) -> list[str]:
    return [str(cell).strip() for cell in block.cells[index].to_list()]


def _sample(block: Block, width: int, start: int, has_header: bool, comment: list[str] | None) -> Sample:
    first = start + 1 if has_header else 0
    head = Block(block.lines[first:], block.text[first:], block.cells[first:])
    head = Block(head.lines[:SAMPLE_ROWS], head.text[:SAMPLE_ROWS], head.cells[:SAMPLE_ROWS])
    cells = [row for row in head.rows() if len(row) == width]
    names = _row(block, start) if has_header else comment
    headers = tuple(f"column {index + 1}" for index in range(width)) if names is None else tuple([*names, ""][:width])
    return Sample(headers, cells)


def _delimiter(path: Path, text: str) -> str:
    """Return the delimiter that makes most cells numbers or times."""
    head = "\n".join(text.split("\n", 202)[:200])
    best = (0.0, ",")
    for delimiter in _DELIMITERS:
        block = text_rows.split(head, 1, delimiter)
        width = text_rows.usual_width(block)
        cells = [cell for row in block.rows() if len(row) == width for cell in row]
        if width < 4 or not cells:
            continue
        useful = sum(1 for cell in cells if _is_number(cell) or times.pattern_of(cell) is not None)
        best = max(best, (useful / max(1, sum(len(row) for row in block.rows())), delimiter))
    if best[0] == 0.0:
        raise UnreadableFile(
            f"{path.name} does not look like prices: no rows of a time and prices.", "Choose a CSV or Parquet file with prices."
        )
    return best[1]


def _is_number(cell: str) -> bool:
    return bool(NUMBER.fullmatch(cell) or COMMA_NUMBER.fullmatch(cell) or THOUSANDS.fullmatch(cell))


def _is_header(row: Sequence[str]) -> bool:
    """A row is a header when none of its cells is a number or a time."""
    return not any(_is_number(cell) or times.pattern_of(cell) is not None for cell in row)


def _commented_header(text: str, delimiter: str, width: int) -> list[str] | None:
    """Return the cells of the last comment above the rows when it names the columns."""
    names: list[str] | None = None
    for line in text.split("\n", 60)[:50]:
        if line.strip() and not line.lstrip().startswith(text_rows.COMMENT):
            break
        cells = [cell.strip() for cell in line.strip().lstrip(text_rows.COMMENT).split(delimiter)]
        if len(cells) == width and _is_header(cells):
            names = cells
    return names


def _decimal(path: Path, sample: Sample, first_line: int, delimiter: str) -> str:
    """Return the decimal sign; a thousands separator is refused, because a wrong guess would move the point."""
    cells = [cell for row in sample.cells[:500] for cell in row]
    apart = next((cell for cell in cells if THOUSANDS.fullmatch(cell) and times.pattern_of(cell) is None), None)
    if apart is None and delimiter == ",":
        apart = next((cell for cell in cells if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+", cell)), None)
    if apart is not None:
        raise UnreadableFile(
            f"{path.name} writes numbers with thousands separators, like {apart} (below line {first_line}).",
            "Save it with plain numbers, like 1234.5, and import that.",
        )
    commas = sum(1 for cell in cells if COMMA_NUMBER.fullmatch(cell))
    points = sum(1 for cell in cells if NUMBER.fullmatch(cell) and "." in cell)
    if commas > points:
        sample.said.append("Numbers have a decimal comma.")
        return ","
    return "."


def _columns(sample: Sample, named: bool, decimal: str) -> ColumnGuess:
    width = len(sample.headers)
    if named:
        clocks = [times.is_time_of_day(sample.column(index)) for index in range(width)]
        guess = by_name(sample.headers, clocks)
        if guess.has("open", "high", "low", "close") and (guess.has("time") or guess.has(DATE_COLUMN)):
            return guess
        known = guess.columns if guess.has("time") else _time_columns(sample)
        if not guess.has("open", "high", "low", "close"):
            found = by_arithmetic(
                _numbers(sample, decimal), [meaning if meaning in {"time", DATE_COLUMN} else NOT_READ for meaning in known]
            )
            return ColumnGuess(
                found.columns, (), ("The header does not name all of open, high, low and close: the numbers told them.", *found.doubts)
            )
        merged = tuple(meaning if meaning != NOT_READ else known[index] for index, meaning in enumerate(guess.columns))
        return ColumnGuess(merged, guess.said, guess.doubts)
    return by_arithmetic(_numbers(sample, decimal), _time_columns(sample))


def _time_columns(sample: Sample) -> list[str]:
    """Return where the times are, found by their form."""
    columns = [NOT_READ] * len(sample.headers)
    for index in range(len(columns)):
        found = times.guess_time(sample.column(index)[:200])
        if found is None:
            continue
        columns[index] = "time"
        after = index + 1
        if found.pattern and not times.has_clock(found.pattern) and after < len(columns) and times.is_time_of_day(sample.column(after)):
            columns[index], columns[after] = DATE_COLUMN, "time"
        break
    return columns


def _numbers(sample: Sample, decimal: str) -> Floats:
    columns = [text_rows.floats(pl.Series(sample.column(index), dtype=pl.String), decimal)[0] for index in range(len(sample.headers))]
    return np.column_stack(columns)


def _check_sense(path: Path, sample: Sample, columns: Sequence[str], decimal: str, settled: bool) -> None:
    """Doubt columns whose numbers contradict their names; refuse a file that has no times or no prices."""
    missing = [meaning for meaning in ("time", "open", "high", "low", "close") if meaning not in columns]
    if missing == ["time"] and DATE_COLUMN in columns:
        missing = []
    if missing and not settled:
        what = " and ".join(missing)
        raise UnreadableFile(
            f"{path.name} has no column for {what} that could be recognised.",
            "Name the columns in file order, like time,open,high,low,close,volume.",
        )
    numbers = _numbers(sample, decimal)
    o, h, low, c = (numbers[:, list(columns).index(name)] for name in ("open", "high", "low", "close"))
    wrong = (h < np.fmax(o, c)) | (low > np.fmin(o, c))
    if wrong.mean() > 0.2:
        sample.doubts.append(
            f"In {wrong.mean():.0%} of the first rows the high is not the highest or the low not the lowest: look at the columns."
        )


# --- Parquet ----------------------------------------------------------------------------------------------


def _inspect_parquet(path: Path, settled: FileFormat | None, symbol: str | None) -> tuple[FileFormat, Sample]:
    frame = sample_rows(path, SAMPLE_ROWS)
    if frame.width == 0 or frame.height == 0:
        raise UnreadableFile(f"{path.name} has no rows.", "Choose a file with prices in it.")
    cells = [["" if cell is None else str(cell) for cell in row] for row in frame.iter_rows()]
    sample = Sample(tuple(frame.columns), cells)
    guessed = by_name(frame.columns, [is_clock(dtype) for dtype in frame.dtypes])
    columns = guessed.columns
    if "time" not in columns:
        dated = next((index for index, dtype in enumerate(frame.dtypes) if dtype.is_temporal()), None)
        if dated is not None:
            columns = tuple("time" if index == dated else meaning for index, meaning in enumerate(columns))
    if settled:
        columns = settled.columns
        check_columns(columns)
        if len(columns) != frame.width:
            raise InvalidValue("columns", f"{len(columns)} names", f"the file has {frame.width} columns: {', '.join(frame.columns)}.")
    else:
        sample.said.extend(guessed.said)
        sample.doubts.extend(guessed.doubts)
    _check_sense(path, sample, columns, ".", settled is not None)
    time = frame.to_series(list(columns).index("time" if "time" in columns else DATE_COLUMN))
    base = FileFormat(kind="parquet", columns=columns)
    if isinstance(time.dtype, pl.Datetime) or time.dtype == pl.Date:
        instants, absolute = times.read_times(time, None, None)
        zone = _zone(sample, instants, absolute, time.dtype == pl.Date, settled, symbol)
        return msgspec.structs.replace(base, time_unit="ns", tz=zone, timeframe=_timeframe(sample, instants)), sample
    return _with_times(path, sample, base, settled, symbol), sample


# --- times ------------------------------------------------------------------------------------------------


def _with_times(path: Path, sample: Sample, base: FileFormat, settled: FileFormat | None, symbol: str | None) -> FileFormat:
    """Return `base` with pattern or unit, zone and timeframe."""
    cells = time_cells(sample.cells, base.columns)
    pattern, unit = (settled.time_format, settled.time_unit) if settled else (None, None)
    times.check_pattern(pattern, unit)
    if pattern is None and unit is None:
        found = times.guess_time(cells)
        if found is None:
            raise UnreadableFile(f"{path.name}: times like {cells[0]!r} cannot be read.", "Give their format, like %d.%m.%Y %H:%M.")
        pattern, unit = found.pattern, found.unit
        sample.said.extend([found.said] if found.said else [])
        if pattern and times.is_absolute(pattern):
            sample.said.append("The times say their own zone.")
        sample.doubts.extend([found.doubt] if found.doubt else [])
    instants, absolute = times.read_times(pl.Series(cells, dtype=pl.String), pattern, unit)
    zone = _zone(sample, instants, absolute, not times.has_clock(pattern), settled, symbol)
    return msgspec.structs.replace(base, time_format=pattern, time_unit=unit, tz=zone, timeframe=_timeframe(sample, instants))


def time_cells(cells: Sequence[Sequence[str]], columns: Sequence[str]) -> list[str]:
    """Return each row's time as text, date and time of day joined."""
    places = [list(columns).index(meaning) for meaning in (DATE_COLUMN, "time") if meaning in columns]
    return [" ".join(row[place] for place in places) for row in cells]


def _zone(
    sample: Sample,
    instants: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    absolute: bool,
    dates: bool,
    settled: FileFormat | None,
    symbol: str | None,
) -> str:
    if settled:
        return times.check_zone(settled.tz)
    if absolute:
        return "UTC"
    if dates:
        sample.said.append("The times are dates: each stands for its trading day (00:00 UTC).")
        return "UTC"
    clock = instants[instants != times.NO_TIME] % DAY_NS
    asset_class = asset_class_of(symbol) if symbol else AssetClass.EQUITY
    inside = len(clock) > 0 and clock.min() >= 9 * HOUR_NS + 30 * MINUTE_NS and clock.max() <= 16 * HOUR_NS
    if inside and asset_class.has_sessions:
        sample.said.append("The times name no zone and lie between 09:30 and 16:00: New York time was taken.")
        return "America/New_York"
    sample.said.append("The times name no zone: UTC was taken.")
    if len(clock) and clock.any():
        sample.doubts.append("The times name no zone. If they are not UTC, choose theirs.")
    return "UTC"


def _timeframe(sample: Sample, instants: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> str | None:
    """Return the most common distance of two rows as a timeframe."""
    steps = np.abs(np.diff(instants[instants != times.NO_TIME]))
    steps = steps[steps > 0]
    if len(steps) == 0:
        sample.doubts.append("There are too few rows to tell the timeframe: choose it.")
        return None
    counts = Counter(steps.tolist())
    usual = int(max(counts, key=lambda step: (counts[step], -step)))
    if 23 * HOUR_NS <= usual <= 25 * HOUR_NS:
        usual = DAY_NS
    if usual < 10**9 or usual % 10**9:
        sample.doubts.append("The rows are less than a second apart, or not whole seconds: they may be ticks, not bars.")
        return None
    timeframe = str(Timeframe(usual))
    if len(timeframe) > 5:
        sample.doubts.append("The rows have no usual distance: choose the timeframe.")
        return None
    sample.said.append(f"Most rows are {timeframe} apart.")
    if counts[usual] < len(steps) / 2:
        sample.doubts.append(f"Only {counts[usual] / len(steps):.0%} of the first rows are {timeframe} apart: look at the timeframe.")
    return timeframe
