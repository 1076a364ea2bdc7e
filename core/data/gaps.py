"""Holes in stored bars against the calendar of their symbol."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.clock.calendar import session_days, sessions
from core.model.instants import DAY_NS, HOUR_NS
from core.model.market import AssetClass, Gap, Instants

# 1970-01-01 was a Thursday: counted from here, a week begins on a Monday at 00:00 UTC.
_WEEK_OFFSET_NS: Final = 3 * DAY_NS
_WEEK_NS: Final = 7 * DAY_NS
# Currencies rest from Friday 17:00 to Sunday 17:00 in New York; the hour between summer and winter is left out.
_REST_FROM_NS: Final = 4 * DAY_NS + 21 * HOUR_NS
_REST_TO_NS: Final = 6 * DAY_NS + 22 * HOUR_NS


def find_gaps(start_ns: Instants, timeframe_ns: int, asset_class: AssetClass) -> list[Gap]:
    """Return the holes between the first and the last bar, oldest first. `start_ns` must be ascending.

    Equities miss bars only inside sessions, currencies not at weekends, crypto around the clock.
    """
    if len(start_ns) < 2:
        return []
    if timeframe_ns >= DAY_NS:
        return _daily_gaps(start_ns, timeframe_ns, asset_class)
    if asset_class.has_sessions:
        expected = _session_grid(start_ns, timeframe_ns)
    else:
        expected = _grid(start_ns, timeframe_ns)
        if asset_class is AssetClass.CURRENCY:
            expected = expected[~_at_weekend(expected)]
    return _holes(expected, _present(expected, start_ns, timeframe_ns), start_ns)


def _grid(start_ns: Instants, timeframe_ns: int) -> Instants:
    """Return every start from the first to the last bar, around the clock."""
    return np.arange(int(start_ns[0]), int(start_ns[-1]) + 1, timeframe_ns, dtype=np.int64)


def _session_grid(start_ns: Instants, timeframe_ns: int) -> Instants:
    """Return every start inside a session from the first to the last bar.

    Hourly bars may begin with the session (09:30, 10:30 …) or with the hour: the usual offset of the bars decides.
    """
    table = sessions()
    first = max(0, int(np.searchsorted(table.closes, start_ns[0], side="right")))
    last = int(np.searchsorted(table.opens, start_ns[-1], side="right"))
    opens, closes = table.opens[first:last], table.closes[first:last]
    if len(opens) == 0:
        return np.empty(0, np.int64)
    index = np.searchsorted(opens, start_ns, side="right") - 1
    inside = (index >= 0) & (start_ns < closes[index])
    offsets, counts = np.unique((start_ns[inside] - opens[index[inside]]) % timeframe_ns, return_counts=True)
    offset = int(offsets[np.argmax(counts)]) if len(offsets) else 0
    slots = np.maximum(0, -(-(closes - opens - offset) // timeframe_ns))
    begin = np.repeat(opens + offset, slots)
    place = np.arange(int(slots.sum()), dtype=np.int64) - np.repeat(np.cumsum(slots) - slots, slots)
    expected: Instants = begin + place * timeframe_ns
    first_row, last_row = np.searchsorted(expected, start_ns[0], side="left"), np.searchsorted(expected, start_ns[-1], side="right")
    return expected[first_row:last_row]


def _at_weekend(start_ns: Instants) -> NDArray[np.bool_]:
    in_week = (start_ns + _WEEK_OFFSET_NS) % _WEEK_NS
    return (in_week >= _REST_FROM_NS) & (in_week < _REST_TO_NS)


def _daily_gaps(start_ns: Instants, timeframe_ns: int, asset_class: AssetClass) -> list[Gap]:
    """Return the missing days; of longer bars, the steps that are too long."""
    if timeframe_ns > DAY_NS:
        steps = np.diff(start_ns)
        missing = (steps + timeframe_ns // 2) // timeframe_ns - 1
        return [
            Gap(start_ns=int(start_ns[row]) + timeframe_ns, end_ns=int(start_ns[row + 1]), missing=int(missing[row]))
            for row in np.flatnonzero(missing > 0)
        ]
    days = session_days(start_ns) if asset_class.has_sessions else start_ns // DAY_NS
    if asset_class.has_sessions:
        table = sessions().days
        expected = table[(table >= days[0]) & (table <= days[-1])]
    else:
        expected = np.arange(int(days[0]), int(days[-1]) + 1, dtype=np.int64)
        if asset_class is AssetClass.CURRENCY:
            expected = expected[(expected + 3) % 7 < 5]
    stamp = int(start_ns[0]) - int(days[0]) * DAY_NS
    return _holes(expected * DAY_NS + stamp, np.isin(expected, days), start_ns)


def _present(expected: Instants, start_ns: Instants, timeframe_ns: int) -> NDArray[np.bool_]:
    """Tell which expected bars are there: a bar that starts anywhere in the slot counts."""
    present = np.zeros(len(expected), np.bool_)
    if len(expected) == 0:
        return present
    index = np.searchsorted(expected, start_ns, side="right") - 1
    fits = (index >= 0) & (start_ns < expected[index] + timeframe_ns)
    present[index[fits]] = True
    return present


def _holes(expected: Instants, present: NDArray[np.bool_], start_ns: Instants) -> list[Gap]:
    absent = np.concatenate(([False], ~present, [False]))
    first = np.flatnonzero(absent[1:] & ~absent[:-1])
    last = np.flatnonzero(~absent[1:] & absent[:-1])
    after = np.searchsorted(start_ns, expected[last - 1], side="right") if len(last) else last
    after = np.minimum(after, len(start_ns) - 1)
    return [
        Gap(start_ns=start, end_ns=end, missing=missing)
        for start, end, missing in zip(expected[first].tolist(), start_ns[after].tolist(), (last - first).tolist(), strict=True)
    ]
