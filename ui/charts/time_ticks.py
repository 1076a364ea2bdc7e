"""Round instants for the time axis, in a zone: where they stand and what they say. Pure."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

import numpy as np

from core.model.instants import DAY_NS, SECOND_NS, from_ns, to_ns
from ui.charts.timeline import Timeline

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SECONDS: Final = (1, 5, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
_DAYS: Final = (1, 2, 7, 14)
_MONTHS: Final = (1, 3, 6)
_YEARS: Final = (1, 2, 5, 10, 20, 50)
_DAY_S: Final = 86_400
_MOST: Final = 2_000
"""More candidates than this are never looked at, however sparse the bars."""

_TIME, _DAY, _MONTH, _YEAR = range(4)


@dataclass(frozen=True, slots=True)
class TimeTick:
    """A label at a place of the axis. `weight`: 0 a time of day, 1 a day, 2 a month, 3 a year."""

    slot: float
    text: str
    weight: int


def date_text(day: date) -> str:
    """Return `8 Nov 2019`."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def instant_text(time_ns: int, zone: tzinfo, *, daily: bool, seconds: bool = False) -> str:
    """Return the whole instant as the crosshair's tag says it; day bars have a date only, in UTC as they are stamped."""
    moment = from_ns(time_ns)
    if daily:
        return f"{moment:%a} {date_text(moment)}"
    local = moment.astimezone(zone)
    return f"{local:%a} {date_text(local)}  {local:%H:%M:%S}" if seconds else f"{local:%a} {date_text(local)}  {local:%H:%M}"


def time_ticks(timeline: Timeline, left: float, right: float, width: float, *, spacing: float, zone: tzinfo) -> list[TimeTick]:
    """Return the labels for the slots `[left, right]` over `width` pixels, none nearer than `spacing` to another; ascending.

    Where labels compete, the longer period wins: a year over a month, a month over a day, a day over a time.
    """
    if not len(timeline) or right <= left:
        return []
    daily = timeline.is_daily
    first_ns, last_ns = timeline.time_at(left), timeline.time_at(right)
    calendar_s = (last_ns - first_ns) / SECOND_NS
    # Closed hours take no room on a compressed axis, so steps within the day count the time that bars fill.
    filled_s = min(calendar_s, (right - left) * timeline.timeframe_ns / SECOND_NS)
    step = _choose_step(filled_s, calendar_s, width / (spacing * 1.25), daily=daily)
    seen: dict[float, TimeTick] = {}
    for boundary_ns, text, weight in _boundaries(step, first_ns, last_ns, UTC if daily else zone):
        slot = _place(timeline, boundary_ns)
        known = seen.get(slot)
        if left <= slot <= right and (known is None or weight >= known.weight):
            seen[slot] = TimeTick(slot, text, weight)
    return _apart(list(seen.values()), spacing * (right - left) / width)


def _place(timeline: Timeline, boundary_ns: int) -> float:
    if not timeline.compress_gaps:
        slot = timeline.slot_of(boundary_ns)
        return (round(slot) if timeline.is_daily else slot) + 0.5
    bar = int(np.searchsorted(timeline.start_ns, boundary_ns, side="left"))
    if bar == 0 and boundary_ns < int(timeline.start_ns[0]):
        # Labels go on before the first bar; the one of its own period stands at the bar.
        return max(timeline.slot_of(boundary_ns), -1e18) + 0.5 if int(timeline.start_ns[0]) - boundary_ns >= DAY_NS else 0.5
    return bar + 0.5 if bar < len(timeline) else float(np.ceil(timeline.slot_of(boundary_ns))) + 0.5


def _choose_step(filled_s: float, calendar_s: float, most: float, *, daily: bool) -> tuple[str, int]:
    if not daily:
        for seconds in _SECONDS:
            if filled_s / seconds <= most and calendar_s / seconds <= _MOST:
                return "seconds", seconds
    for days in _DAYS:
        if calendar_s / (days * _DAY_S) <= most:
            return "days", days
    for months in _MONTHS:
        if calendar_s / (months * 30.4 * _DAY_S) <= most:
            return "months", months
    for years in _YEARS:
        if calendar_s / (years * 365.25 * _DAY_S) <= most:
            return "months", years * 12
    return "months", 1200


def _boundaries(step: tuple[str, int], first_ns: int, last_ns: int, zone: tzinfo) -> Iterator[tuple[int, str, int]]:
    unit, size = step
    start, end = from_ns(max(first_ns, 0)).astimezone(zone), from_ns(max(last_ns, 0)).astimezone(zone)
    if unit == "months":
        yield from _months(start.date(), end.date(), size, zone)
        return
    day = start.date()
    while day <= end.date():
        yield from _of_day(day, unit, size, zone)
        day += timedelta(days=1)


def _months(start: date, end: date, size: int, zone: tzinfo) -> Iterator[tuple[int, str, int]]:
    number = (start.year * 12 + start.month - 1) // size * size
    while number <= end.year * 12 + end.month - 1:
        year, month = divmod(number, 12)
        if year >= 1:
            instant = to_ns(datetime(year, month + 1, 1, tzinfo=zone))
            yield (instant, str(year), _YEAR) if month == 0 else (instant, f"{MONTHS[month]} {year}", _MONTH)
        number += size


@lru_cache(maxsize=4096)
def _of_day(day: date, unit: str, size: int, zone: tzinfo) -> tuple[tuple[int, str, int], ...]:
    return tuple(_boundaries_of_day(day, unit, size, zone))


def _boundaries_of_day(day: date, unit: str, size: int, zone: tzinfo) -> Iterator[tuple[int, str, int]]:
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    weight = _YEAR if day.month == day.day == 1 else _MONTH if day.day == 1 else _DAY
    text = date_text(day) if weight == _YEAR else f"{day.day} {MONTHS[day.month - 1]}"
    if unit == "days":
        ordinal = day.toordinal()
        if weight > _DAY or (ordinal % size == 0 if size < 7 else ordinal % size == 1):
            yield to_ns(midnight), text, weight
        return
    yield to_ns(midnight), text, weight
    for second in range(size, _DAY_S, size):
        local = midnight + timedelta(seconds=second)
        yield to_ns(local), f"{local:%H:%M:%S}" if size < 60 else f"{local:%H:%M}", _TIME


def _apart(ticks: list[TimeTick], distance: float) -> list[TimeTick]:
    taken: list[float] = []
    kept: list[TimeTick] = []
    for tick in sorted(ticks, key=lambda tick: (-tick.weight, tick.slot)):
        at = bisect_left(taken, tick.slot)
        near = taken[max(0, at - 1) : at + 1]
        if all(abs(tick.slot - other) >= distance for other in near):
            insort(taken, tick.slot)
            kept.append(tick)
    return sorted(kept, key=lambda tick: tick.slot)
