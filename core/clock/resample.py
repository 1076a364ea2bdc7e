"""Larger bars built from smaller ones, known when their interval is over and never before.

A larger bar shorter than a day begins at its day's beginning plus a multiple of its length, and the day's last one ends
with the day: days are sessions for equities, UTC days for the others. A bar of a day is a day, one of a week begins on
Monday; both are stamped with 00:00 UTC of their (first) date. Equities leave bars outside regular hours out.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.clock import calendar
from core.errors import InvalidValue
from core.model.instants import DAY_NS
from core.model.market import AssetClass, BarSeries, Instants, Timeframe

WEEK_NS: Final = 7 * DAY_NS
_MONDAY_NS: Final = 4 * DAY_NS
"""The first Monday: 1970 began on a Thursday."""


def larger_timeframe(text: str, own: Timeframe) -> Timeframe:
    """Return the timeframe that `text` names; it may be `own`. Raises InvalidValue when it cannot be built from `own` bars."""
    timeframe = Timeframe.parse(text)
    if timeframe.ns < own.ns:
        raise InvalidValue("timeframe", text, f"it is smaller than the run's own, {own}; run the strategy on {timeframe} bars.")
    if timeframe.ns % own.ns:
        raise InvalidValue("timeframe", text, f"it is not a multiple of the run's own, {own}.")
    if timeframe.ns > DAY_NS and timeframe.ns not in {own.ns, WEEK_NS}:
        raise InvalidValue("timeframe", text, "above a day there is 1w only.")
    return timeframe


def resampled(series: BarSeries, timeframe: Timeframe, asset_class: AssetClass, until_ns: int | None = None) -> tuple[BarSeries, Instants]:
    """Return the larger bars and when each is known, UTC ns, strictly increasing.

    Open is the first, high the highest, low the lowest, close the last, volume the sum. An interval without a bar has
    none. A larger bar that is not over when the data end does not appear; the first one may begin before the data.
    The bars of a shorter history are the first ones of a longer history. `until_ns`: where the data end, when that is not
    at their last bar's end. Raises InvalidValue, see `larger_timeframe`.
    """
    larger_timeframe(str(timeframe), series.timeframe)
    own_ends = calendar.bar_ends(series.start_ns, series.timeframe.ns, asset_class)
    if not len(series):
        return BarSeries.empty(series.symbol, timeframe), own_ends
    regular = calendar.regular_bars(series.start_ns, series.timeframe.ns, asset_class)
    data_end_ns = int(own_ends.max()) if until_ns is None else until_ns
    starts, ends = series.start_ns[regular], own_ends[regular]
    stamps, known = _intervals(starts, series.timeframe, timeframe, asset_class)
    first = _begins(stamps)
    last = np.append(first[1:], len(stamps))[: len(first)] - 1
    # A bar that reaches beyond its interval is not known before it ends itself.
    known = np.maximum(known[first], np.maximum.reduceat(ends, first)) if len(first) else known
    columns = [column[regular] for column in series.columns()]
    larger = BarSeries.from_columns(
        series.symbol,
        timeframe,
        stamps[first],
        columns[0][first],
        np.maximum.reduceat(columns[1], first) if len(first) else columns[1],
        np.minimum.reduceat(columns[2], first) if len(first) else columns[2],
        columns[3][last],
        np.add.reduceat(columns[4], first) if len(first) else columns[4],
    )
    complete = int(np.searchsorted(known, data_end_ns, side="right"))
    return larger.slice(0, complete), known[:complete]


def _intervals(starts: Instants, own: Timeframe, larger: Timeframe, asset_class: AssetClass) -> tuple[Instants, Instants]:
    """Return for each bar where its larger bar begins and when that interval is over."""
    if larger.ns >= DAY_NS:
        days_ns = _dates(starts, own, asset_class) * DAY_NS
        stamps = days_ns if larger.ns == DAY_NS else (days_ns - _MONDAY_NS) // WEEK_NS * WEEK_NS + _MONDAY_NS
        return stamps, calendar.bar_ends(stamps, larger.ns, asset_class)
    opens, closes = _days(starts, asset_class)
    stamps = opens + (starts - opens) // larger.ns * larger.ns
    return stamps, np.minimum(stamps + larger.ns, closes)


def _dates(starts: Instants, own: Timeframe, asset_class: AssetClass) -> Instants:
    """Return each bar's date, in days since 1970: the session's for equities."""
    if not asset_class.has_sessions:
        return starts // DAY_NS
    if own.is_daily:
        return calendar.session_days(starts)
    return calendar.sessions().days[_session(starts)]


def _days(starts: Instants, asset_class: AssetClass) -> tuple[Instants, Instants]:
    """Return where the day of each bar begins and ends."""
    if asset_class.has_sessions:
        table, row = calendar.sessions(), _session(starts)
        return table.opens[row], table.closes[row]
    midnights = starts // DAY_NS * DAY_NS
    return midnights, midnights + DAY_NS


def _session(starts: Instants) -> NDArray[np.intp]:
    """Return the row of the session that each regular bar starts in."""
    return np.searchsorted(calendar.sessions().opens, starts, side="right") - 1


def _begins(stamps: Instants) -> NDArray[np.intp]:
    """Return the rows at which a new larger bar begins."""
    is_new = np.ones(len(stamps), np.bool_)
    np.not_equal(stamps[1:], stamps[:-1], out=is_new[1:])
    return np.flatnonzero(is_new)
