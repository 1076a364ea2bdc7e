"""Times as files write them: patterns, units since 1970, zones and clock changes."""

import re
import zoneinfo
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.errors import InvalidValue, UnknownName
from core.model.instants import HOUR_NS, SECOND_NS
from core.model.market import Instants

NO_TIME: Final = np.iinfo(np.int64).min
UNITS: Final = {"s": SECOND_NS, "ms": 1_000_000, "us": 1_000, "ns": 1}

_DIRECTIVES: Final = "YymbBdHIMSfpzaAT"

_MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DATES: Final = (
    (re.compile(r"\d{4}([-/.])\d{1,2}\1\d{1,2}"), "%Y{0}%m{0}%d"),
    (re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{4}"), "%m{0}%d{0}%Y"),
    (re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{2}(?!\d)"), "%m{0}%d{0}%y"),
    (re.compile(r"\d{1,2}([-/ ])" + _MONTH + r"\1\d{4}", re.IGNORECASE), "%d{0}%b{0}%Y"),
    (re.compile(r"\d{1,2}([-/ ])" + _MONTH + r"\1\d{2}(?!\d)", re.IGNORECASE), "%d{0}%b{0}%y"),
    (re.compile(_MONTH + r"( )\d{1,2}, \d{4}", re.IGNORECASE), "%b %d, %Y"),
    (re.compile(r"(?:19|20)\d{2}(?:0\d|1[012])(?:[012]\d|3[01])()"), "%Y%m%d"),
)
_CLOCKS: Final = (
    (re.compile(r"\d{1,2}:\d{2}:\d{2}\.\d{1,9}"), "%H:%M:%S.%f"),
    (re.compile(r"\d{1,2}:\d{2}:\d{2}"), "%H:%M:%S"),
    (re.compile(r"\d{1,2}:\d{2}"), "%H:%M"),
    (re.compile(r"\d{6}"), "%H%M%S"),
    (re.compile(r"\d{4}"), "%H%M"),
)
_SEPARATOR: Final = re.compile(r"T|, | +|")
_HALF_DAY: Final = re.compile(r"( ?)[AP]M", re.IGNORECASE)
_ZONE: Final = re.compile(r"( ?)(Z|((?:UTC|GMT)?)[+-]\d{2}:?\d{2}|UTC|GMT)$")
_EPOCH: Final = re.compile(r"\d{9,19}(\.\d*)?")
_LEADING_DATE: Final = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.]")
_TIME_OF_DAY: Final = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AP]M)?|\d{4}|\d{6}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TimeGuess:
    """How a column writes its times: `pattern` for strptime, or `unit` since 1970. `fit` is the share of cells that it reads."""

    pattern: str | None
    unit: str | None
    fit: float
    said: str = ""
    doubt: str = ""


def is_time_of_day(cells: Sequence[str]) -> bool:
    """Tell whether the cells are times of day without a date."""
    return bool(cells) and all(_TIME_OF_DAY.fullmatch(cell) for cell in cells[:50])


def is_absolute(pattern: str | None) -> bool:
    """Tell whether the times name their own zone: numbers since 1970, or an offset beside each."""
    return pattern is None or pattern.endswith(("%z", "UTC", "GMT"))


def has_clock(pattern: str | None) -> bool:
    """Tell whether the times have a time of day."""
    return pattern is None or "%H" in pattern or "%I" in pattern


def check_zone(name: str) -> str:
    """Return the zone's name as the zone database writes it. Raises UnknownName, which suggests the near one."""
    known = zoneinfo.available_timezones()
    if name in known:
        return name
    folded = {zone.casefold(): zone for zone in known}
    if name.casefold() in folded:
        return folded[name.casefold()]
    by_city = {zone.rpartition("/")[2]: zone for zone in sorted(known)}
    near = by_city.get(name.replace(" ", "_").title())
    raise UnknownName("time zone", name, [near] if near else known, "Write it like America/New_York or UTC.")


def check_pattern(pattern: str | None, unit: str | None) -> None:
    """Raise InvalidValue unless the pattern names a date, and the unit is one of those known."""
    if unit is not None and unit not in UNITS:
        raise InvalidValue("time unit", repr(unit), f"it must be one of {', '.join(UNITS)}.")
    if pattern is None:
        return
    directives = re.findall(r"%(.)", pattern)
    unknown = [each for each in directives if each not in _DIRECTIVES]
    if unknown:
        raise InvalidValue("time format", repr(pattern), f"%{unknown[0]} is not known; write it like %Y-%m-%d %H:%M:%S.")
    if not all(any(each in directives for each in part) for part in ("Yy", "mbB", "d")):
        raise InvalidValue("time format", repr(pattern), "it must have a year, a month and a day, like %Y-%m-%d %H:%M:%S.")


def pattern_of(cell: str) -> str | None:
    """Return the strptime pattern of one cell; month before day where both are possible. None when it is no time."""
    for date_shape, date_pattern in _DATES:
        found = date_shape.match(cell)
        if found is None:
            continue
        pattern, rest = date_pattern.format(found[1]), cell[found.end() :]
        zone = _ZONE.search(rest)
        suffix = ""
        if zone:
            rest = rest[: zone.start()]
            suffix = zone[1] + (zone[2] if zone[2] in {"UTC", "GMT"} else f"{zone[3] or ''}%z")
        if not rest:
            return pattern + suffix
        separator = _SEPARATOR.match(rest)
        clock = rest[separator.end() :] if separator else rest
        between = separator[0] if separator else ""
        for clock_shape, clock_pattern in _CLOCKS:
            hit = clock_shape.match(clock)
            if hit and hit.end() == len(clock):
                return pattern + between + clock_pattern + suffix
            half = _HALF_DAY.fullmatch(clock, hit.end()) if hit else None
            if half:
                return pattern + between + clock_pattern.replace("%H", "%I") + half[1] + "%p" + suffix
    return None


def guess_time(cells: Sequence[str]) -> TimeGuess | None:
    """Return how these cells write their times, or None when they are not times."""
    filled = [cell for cell in cells if cell]
    if not filled:
        return None
    patterns = Counter(pattern_of(cell) for cell in filled)
    patterns.pop(None, None)
    if patterns:
        # A fraction of a second that some rows have reads in all of them; the other way round it does not.
        pattern = max(patterns, key=lambda each: (patterns[each] + len(filled) * (".%f" in str(each)), str(each)))
        found = _resolve_order(str(pattern), filled) if str(pattern).startswith("%m") else TimeGuess(pattern, None, 0.0)
        fit = float((read_times(pl.Series(filled), found.pattern, None)[0] != NO_TIME).mean())
        if fit > 0.5:
            return TimeGuess(found.pattern, None, fit, found.said, found.doubt)
    return _guess_unit(filled)


def _guess_unit(cells: Sequence[str]) -> TimeGuess | None:
    numbers = [float(cell) for cell in cells if _EPOCH.fullmatch(cell)]
    if len(numbers) <= len(cells) / 2:
        return None
    middle = sorted(numbers)[len(numbers) // 2]
    for unit, limit in (("s", 1e11), ("ms", 1e14), ("us", 1e17), ("ns", 1e19)):
        if middle < limit:
            names = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
            return TimeGuess(None, unit, len(numbers) / len(cells), f"Times are {names[unit]} since 1970, in UTC.")
    return None


def _resolve_order(pattern: str, cells: Sequence[str]) -> TimeGuess:
    """Decide between month first and day first."""
    day_first = pattern.replace("%m", "%_", 1).replace("%d", "%m", 1).replace("%_", "%d", 1)
    pairs = [(int(found[1]), int(found[2])) for cell in cells if (found := _LEADING_DATE.match(cell))]
    first, second = max((pair[0] for pair in pairs), default=0), max((pair[1] for pair in pairs), default=0)
    if first > 12 >= second:
        return TimeGuess(day_first, None, 0.0, f"Dates have the day first: a first number is {first}.")
    if second > 12:
        return TimeGuess(pattern, None, 0.0, f"Dates have the month first: a second number is {second}.")
    doubt = "Dates like {} could have the month or the day first: {} first was taken."
    month_gap, day_gap = (_widest_gap(cells, each) for each in (pattern, day_first))
    # Where neither order follows closer: nobody writes points between numbers with the month first.
    day_wins = day_gap < month_gap or (day_gap == month_gap and "%m." in pattern)
    name = "day" if day_wins else "month"
    why = "" if day_gap == month_gap else ": so the rows follow one another closest"
    return TimeGuess(
        day_first if day_wins else pattern, None, 0.0, f"Dates have the {name} first{why}.", doubt.format(cells[0], f"the {name}")
    )


def _widest_gap(cells: Sequence[str], pattern: str) -> float:
    times = read_times(pl.Series(cells), pattern, None)[0]
    steps = np.diff(times[times != NO_TIME])
    if len(steps) == 0:
        return 0.0
    steps = steps if steps.sum() >= 0 else -steps
    return float(steps.max()) if steps.min() >= 0 else float("inf")


def read_times(cells: pl.Series, pattern: str | None, unit: str | None) -> tuple[Instants, bool]:
    """Return nanoseconds since 1970 (NO_TIME where a cell is no time), and whether they are UTC already or local to some zone.

    `cells` are text, numbers, dates or datetimes; `pattern` has passed `check_pattern`.
    """
    if isinstance(cells.dtype, pl.Datetime):
        return _nanoseconds(cells), cells.dtype.time_zone is not None
    if cells.dtype == pl.Date:
        return _nanoseconds(cells.cast(pl.Datetime("ns"))), False
    if pattern is None:
        return _since_epoch(cells, unit or "s"), True
    text = cells if cells.dtype == pl.String else cells.cast(pl.String)
    rust = pattern.replace("%S.%f", "%S%.f").replace("%f", "%6f").replace("%z", "%#z")
    parsed = text.str.to_datetime(rust, time_unit="ns", time_zone="UTC" if "%#z" in rust else None, strict=False)
    return _nanoseconds(parsed), is_absolute(pattern)


def _nanoseconds(times: pl.Series) -> Instants:
    """Return the instants; a year whose nanoseconds do not fit is no time."""
    years = times.dt.year()
    fitting = pl.select(pl.when((years >= 1800) & (years <= 2200)).then(times)).to_series()
    return fitting.dt.cast_time_unit("ns").cast(pl.Int64).fill_null(NO_TIME).to_numpy().astype(np.int64)


def _since_epoch(cells: pl.Series, unit: str) -> Instants:
    scale = UNITS[unit]
    limit = 7_000_000_000 * SECOND_NS // scale
    whole = cells.cast(pl.Int64, strict=False)
    whole = pl.select(pl.when(whole.abs() <= limit).then(whole * scale)).to_series()
    if whole.null_count():
        parts = cells.cast(pl.Float64, strict=False)
        usable = parts.is_finite() & (parts.abs() <= limit)
        fractional = pl.select(pl.when(usable).then(parts * scale).round()).to_series().cast(pl.Int64, strict=False)
        whole = whole.fill_null(fractional) if cells.dtype != pl.Int64 else whole
    return whole.fill_null(NO_TIME).to_numpy().astype(np.int64)


def to_utc(local_ns: Instants, zone: str) -> tuple[Instants, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return UTC for local times in file order, which of them do not exist, and which the clocks repeat.

    An hour that the clocks repeat is read in file order: its times are the first pass until they step back or
    repeat, then the second.
    """
    known = local_ns != NO_TIME
    if zone == "UTC":
        return local_ns, np.zeros(len(local_ns), np.bool_), np.zeros(len(local_ns), np.bool_)
    naive = pl.Series(np.where(known, local_ns, 0)).cast(pl.Datetime("ns"))
    early, late = (
        naive.dt.replace_time_zone(zone, ambiguous=choice, non_existent="null").cast(pl.Int64) for choice in ("earliest", "latest")
    )
    missing = early.is_null().to_numpy() & known
    utc, second = (column.fill_null(NO_TIME).to_numpy().astype(np.int64) for column in (early, late))
    utc[~known] = NO_TIME
    repeated = (utc != second) & known
    late_from: int | None = None
    previous: int | None = None
    for row in np.flatnonzero(repeated).tolist():
        if previous is not None and local_ns[row] - local_ns[previous] > 6 * HOUR_NS:
            late_from = previous = None
        if previous is not None and local_ns[row] <= local_ns[previous]:
            late_from = row
        if late_from is not None:
            utc[row] = second[row]
        previous = row
    return utc, missing, repeated
