"""The minutes that a run on longer bars was told are handed over once, in their order, with those that came too late to be seen."""

import numpy as np

from core.model.instants import DAY_NS, MINUTE_NS
from core.model.market import BarSeries, Timeframe
from core.runs.live_bars import MINUTE, LiveBars
from core.runs.recorded_bars import are_all_there, minutes_of, recorded

ZERO_NS = 20_000 * DAY_NS
SYMBOL = "A/USD"


def minutes(*numbers: int) -> BarSeries:
    starts = ZERO_NS + np.array(numbers, np.int64) * MINUTE_NS
    return BarSeries.from_columns(SYMBOL, MINUTE, starts, *(np.full(len(starts), 10.0) for _ in range(5)))


def numbers(bars: LiveBars, first: int, until: int) -> list[int]:
    """The minutes that are handed over, as they were numbered."""
    told = bars.told(ZERO_NS + first * MINUTE_NS, ZERO_NS + until * MINUTE_NS)
    return [(start_ns - ZERO_NS) // MINUTE_NS for start_ns in told[SYMBOL].start_ns.tolist()] if told else []


def test_each_is_handed_over_once_when_it_is_over() -> None:
    bars = LiveBars((SYMBOL,), Timeframe.parse("5m"))
    bars.add(minutes(-2, -1, 0, 1))
    bars.add(minutes(1, 2))  # one that comes twice
    assert numbers(bars, 0, 2) == [0, 1]
    assert numbers(bars, 0, 2) == []
    assert numbers(bars, 0, 3) == [2]


def test_one_out_of_turn_and_one_too_late_are_there_in_their_order() -> None:
    bars = LiveBars((SYMBOL,), Timeframe.parse("5m"))
    bars.add(minutes(0, 1, 2, 4), is_live=True)
    assert bars.add(minutes(3), is_live=True) == []
    bars.ended(ZERO_NS + 10 * MINUTE_NS)
    assert len(bars.add(minutes(8), is_live=True)) == 1
    assert len(bars.add(minutes(7), is_live=True)) == 1
    assert numbers(bars, 0, 10) == [0, 1, 2, 3, 4, 7, 8]


def test_where_a_minute_is_an_own_bar_none_is_kept() -> None:
    bars = LiveBars((SYMBOL,), MINUTE)
    bars.add(minutes(0, 1))
    assert numbers(bars, 0, 9) == []
    key = recorded("run", SYMBOL, "1m")
    assert minutes_of(key) == key
    assert minutes_of(recorded("run", SYMBOL, "1h")) == key


def test_they_are_all_there_where_each_bar_has_one() -> None:
    starts = ZERO_NS + np.array([0, 5, 15], np.int64) * MINUTE_NS
    ends = starts + 5 * MINUTE_NS
    assert are_all_there(minutes(4, 5, 19), starts, ends)
    assert not are_all_there(minutes(4, 5, 14), starts, ends)
    assert not are_all_there(minutes(0, 4, 10, 15), starts, ends)
    assert not are_all_there(minutes(), starts, ends)
