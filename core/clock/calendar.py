"""Sessions: when an exchange is open, when a bar is known, and when a `day` order dies.

Equities keep the sessions of the New York Stock Exchange, half days and daylight saving included. Crypto and
currencies have none: their days end at 00:00 UTC. The table of sessions is made when it is first needed, which
takes a second or two; in the loop, `await load(...)` first.
"""

import asyncio
import threading
import warnings
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from core.model.instants import DAY_NS, SECOND_NS
from core.model.market import AssetClass, Instants

EXCHANGE_ZONE: Final = "America/New_York"
_EXCHANGE: Final = "XNYS"
_FIRST: Final = date(1970, 1, 1)
_LAST: Final = date(2049, 12, 31)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Sessions of an exchange, oldest first. All int64, shape (n,): `days` since 1970, `opens` and `closes` UTC ns."""

    days: Instants
    opens: Instants
    closes: Instants


_lock = threading.Lock()
_table: list[Sessions] = []


def sessions() -> Sessions:
    """Return the table of equity sessions, 1970 to 2049. The first call takes a second or two; safe in any thread."""
    with _lock:
        if not _table:
            _table.append(_build())
        return _table[0]


async def load(asset_class: AssetClass) -> None:
    """Make the table in a worker thread, where `asset_class` needs one; afterwards no function here is slow."""
    if asset_class.has_sessions and not _table:
        await asyncio.to_thread(sessions)


def session_now(now_ns: int) -> tuple[bool, int]:
    """Return whether the regular session goes on, and when that changes next, UTC ns. `load` comes first."""
    table = sessions()
    at = int(table.closes.searchsorted(now_ns, side="right"))  # the first session that is not over
    is_open = bool(table.opens[at] <= now_ns)
    return is_open, int(table.closes[at] if is_open else table.opens[at])


def bar_ends(start_ns: Instants, timeframe_ns: int, asset_class: AssetClass) -> Instants:
    """Return when each bar is known, UTC ns. `start_ns` must be ascending.

    A bar that starts inside a session ends with it at the latest. A bar of a day or more ends with the last
    session whose date lies in it; one of a day belongs to the date it is stamped with (the UTC date of a stamp at
    exactly 00:00Z, else the exchange's date). Where there is no session, a bar ends at its start + timeframe.
    """
    ends: Instants = start_ns + timeframe_ns
    if not asset_class.has_sessions or len(start_ns) == 0:
        return ends
    table = sessions()
    if timeframe_ns >= DAY_NS:
        return _daily_ends(start_ns, ends, timeframe_ns, table)
    first, last = _inside(start_ns, table)
    inside = _covered(first, last, len(start_ns))
    ends[inside] = np.minimum(ends[inside], np.repeat(table.closes, last - first))
    return ends


def regular_bars(start_ns: Instants, timeframe_ns: int, asset_class: AssetClass) -> NDArray[np.bool_]:
    """Tell for each bar whether it belongs to regular hours. `start_ns` must be ascending.

    A bar of a day or more does; a shorter one when it starts inside a session. Without sessions every bar does.
    """
    if not asset_class.has_sessions or timeframe_ns >= DAY_NS:
        return np.ones(len(start_ns), np.bool_)
    first, last = _inside(start_ns, sessions())
    return _covered(first, last, len(start_ns))


def session_end(decision_ns: int, asset_class: AssetClass) -> int:
    """Return when a `day` order decided at this instant dies, UTC ns; see `session_ends`."""
    if asset_class.has_sessions:
        closes = sessions().closes
        index = int(np.searchsorted(closes, decision_ns, side="right"))
        if closes[0] <= decision_ns < closes[-1]:
            return int(closes[index])
    return (decision_ns // DAY_NS + 1) * DAY_NS


def trading_day(now_ns: int, asset_class: AssetClass) -> int:
    """Return the day, since 1970, whose gains and losses an instant belongs to: that of the session that goes on or comes next.

    So the evening after a close belongs to the next session, and a weekend to Monday. Without sessions it is the UTC day.
    """
    if asset_class.has_sessions:
        table = sessions()
        if table.closes[0] <= now_ns < table.closes[-1]:
            return int(table.days[int(np.searchsorted(table.closes, now_ns, side="right"))])
    return now_ns // DAY_NS


def session_ends(decision_ns: Instants, asset_class: AssetClass) -> Instants:
    """Return the end of the session of each decision, or of the next one when it is closed.

    A decision exactly at a close belongs to the next session. Without sessions, and outside the years that the
    calendar knows: the next 00:00 UTC after the decision.
    """
    midnights: Instants = (decision_ns // DAY_NS + 1) * DAY_NS
    if not asset_class.has_sessions:
        return midnights
    closes = sessions().closes
    index = np.minimum(np.searchsorted(closes, decision_ns, side="right"), len(closes) - 1)
    known = (decision_ns >= closes[0]) & (decision_ns < closes[-1])
    return np.where(known, closes[index], midnights)


def session_numbers(start_ns: Instants, timeframe_ns: int, asset_class: AssetClass) -> Instants:
    """Return the number of the session each bar belongs to; it rises at the bar in which a session opens.

    What trades after a close, or before an open, belongs to the session before. `start_ns` must be ascending. Without
    sessions it is the number of the UTC day; outside the years that the calendar knows every UTC day is a session.
    """
    days: Instants = start_ns // DAY_NS
    if not asset_class.has_sessions or len(start_ns) == 0:
        return days
    table = sessions()
    first = np.searchsorted(bar_ends(start_ns, timeframe_ns, asset_class), table.opens, side="right")
    opened = np.cumsum(np.bincount(first, minlength=len(start_ns) + 1)[:-1])
    before, after = days - table.opens[0] // DAY_NS, days - table.closes[-1] // DAY_NS
    numbers: Instants = opened + np.minimum(before, 0) + np.maximum(after, 0)
    return numbers


def session_days(start_ns: Instants) -> Instants:
    """Return the date each daily bar is stamped with, in days since 1970.

    A stamp at exactly 00:00Z is that UTC date; any other instant is the date in the exchange's zone.
    """
    days: Instants = start_ns // DAY_NS
    zone = ZoneInfo(EXCHANGE_ZONE)
    for row in np.flatnonzero(start_ns % DAY_NS):
        local = datetime.fromtimestamp(int(start_ns[row]) // SECOND_NS, UTC).astimezone(zone)
        days[row] = local.date().toordinal() - _EPOCH_ORDINAL
    return days


def day_start(day: int, asset_class: AssetClass) -> int:
    """Return when a day (days since 1970) begins, UTC ns: midnight of the exchange for equities, else 00:00 UTC."""
    if not asset_class.has_sessions:
        return day * DAY_NS
    local = datetime.combine(date.fromordinal(day + _EPOCH_ORDINAL), datetime.min.time(), ZoneInfo(EXCHANGE_ZONE))
    return int(local.timestamp()) * SECOND_NS


def exchange_day(instant_ns: int) -> int:
    """Return the exchange's date at an instant, in days since 1970."""
    local = datetime.fromtimestamp(instant_ns // SECOND_NS, UTC).astimezone(ZoneInfo(EXCHANGE_ZONE))
    return local.date().toordinal() - _EPOCH_ORDINAL


def _daily_ends(start_ns: Instants, ends: Instants, timeframe_ns: int, table: Sessions) -> Instants:
    days = session_days(start_ns)
    # The last session before the bar's last date is over: a week's bar is not known before its Friday.
    index = np.searchsorted(table.days, days + timeframe_ns // DAY_NS, side="left") - 1
    known = (index >= 0) & (days <= table.days[-1])
    known &= table.days[index] >= days
    return np.where(known, np.minimum(ends, table.closes[index]), ends)


def _inside(start_ns: Instants, table: Sessions) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return for each session the first row that starts in it and the row after the last."""
    # Looking ten thousand sessions up among the bars is far cheaper than a million bars among the sessions.
    return np.searchsorted(start_ns, table.opens, side="left"), np.searchsorted(start_ns, table.closes, side="left")


def _covered(first: NDArray[np.intp], last: NDArray[np.intp], rows: int) -> NDArray[np.bool_]:
    steps = np.zeros(rows + 1, np.int8)
    used = first < last
    np.add.at(steps, first[used], 1)
    np.add.at(steps, last[used], -1)
    return np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_)


def _build() -> Sessions:
    # A second to import and as long to compute: neither belongs in the program's start.
    import exchange_calendars

    with warnings.catch_warnings():
        # The library uses what pandas 3 is about to change; the columns read below do not depend on it.
        warnings.simplefilter("ignore", DeprecationWarning)
        schedule = exchange_calendars.get_calendar(_EXCHANGE, start=_FIRST.isoformat(), end=_LAST.isoformat()).schedule
    return Sessions(
        days=_nanoseconds(schedule.index) // DAY_NS,
        opens=_nanoseconds(schedule["open"]),
        closes=_nanoseconds(schedule["close"]),
    )


def _nanoseconds(column: Any) -> Instants:
    return np.asarray(column.to_numpy("datetime64[ns]")).astype(np.int64)
