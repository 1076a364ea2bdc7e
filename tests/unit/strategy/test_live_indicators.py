"""Indicators on bars as they come, over histories as long as real ones."""

from itertools import pairwise

import numpy as np
import pytest

from core.errors import BugError, InvalidValue, NonsenseAction, StrategyFailed
from core.model.market import BarSeries, Floats, Timeframe
from core.strategy import indicators
from core.strategy.indicators.memory import Memory, remembered
from core.strategy.live_indicators import LiveIndicator, LiveIndicators
from core.strategy.windows import Column, Indicator
from tests.unit.strategy.indicator_cases import FORMULAS, NAMES, bits, call, columns_of, cut, periods_of, settings_of, walk


def small(name: str) -> list[float]:
    return [7 if setting in periods_of(name) else 2.0 for setting in settings_of(name)]


@pytest.mark.parametrize("name", NAMES)
def test_a_long_warm_up_and_then_bar_by_bar(name: str) -> None:
    bars = walk(25_000)
    live = LiveIndicator(FORMULAS[name], *small(name))
    # Bars one by one around the ends of the chunks in which exponential averages are made, 8,192 after the first level.
    sizes = [16_380, *[1] * 40, 8_140, *[1] * 60, 380]
    edges = np.cumsum([0, *sizes]).tolist()
    pieces = [live.extend(*(bars[column][first:last] for column in columns_of(name))) for first, last in pairwise(edges)]
    assert bits(np.concatenate(pieces)) == bits(call(name, bars, small(name)))


def kept(value: object, seen: set[int] | None = None) -> int:
    """Return how many array elements an indicator holds on to."""
    seen = set() if seen is None else seen
    if id(value) in seen or isinstance(value, type):
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        return value.size if value.base is None else kept(value.base, seen)
    parts = value if isinstance(value, (list, tuple)) else vars(value).values() if hasattr(value, "__dict__") else ()
    return sum(kept(part, seen) for part in parts)


@pytest.mark.parametrize("name", NAMES)
def test_what_it_keeps_does_not_grow(name: str) -> None:
    bars = walk(60_000)
    live = LiveIndicator(FORMULAS[name], *small(name))
    for first in range(0, 60_000, 1_000):
        live.extend(*(cut(bars, first, first + 1_000)[column] for column in columns_of(name)))
    # Five exponential averages at most, of 8,192 values each, and windows of 7.
    assert kept(live) <= 5 * 8_192 + 100


def last_ten(values: Floats) -> Floats:
    return np.array([values[max(0, at - 9) : at + 1].sum() for at in range(len(values))])


def test_a_function_of_ones_own_gets_the_history_each_time() -> None:
    asked: list[int] = []

    def counted(values: Floats, scale: float) -> Floats:
        asked.append(len(values))
        assert not values.flags.writeable
        return last_ten(values) * scale

    live = LiveIndicator(counted, 0.5)
    close = walk(60)["close"]
    found = np.concatenate((live.extend(close[:50]), [live.next(float(value)) for value in close[50:]]))
    assert bits(found) == bits(last_ten(close) * 0.5)
    assert asked == [50, *range(51, 61)]


def test_no_bars_give_no_values_and_change_nothing() -> None:
    live = LiveIndicator(indicators.ema, 3)
    assert live.extend(np.empty(0)).shape == (0,)
    assert [live.next(value) for value in (1.0, 2.0, 3.0, 4.0)][2:] == [2.0, 3.0]


def test_two_of_a_kind_do_not_share_their_memory() -> None:
    one, other = LiveIndicator(indicators.sma, 2), LiveIndicator(indicators.sma, 2)
    assert [one.next(1.0), other.next(5.0), one.next(3.0), other.next(7.0)][2:] == [2.0, 6.0]
    # Nor does a call over a whole history touch it.
    indicators.sma(np.arange(10.0), 2)
    assert one.next(5.0) == 4.0


def test_columns_that_do_not_fit_are_refused_and_change_nothing() -> None:
    live = LiveIndicator(indicators.atr, 2)
    bars = walk(6)
    for at in range(3):
        live.next(*(float(bars[name][at]) for name in ("high", "low", "close")))
    with pytest.raises(InvalidValue, match="equally long"):
        live.extend(bars["high"][3:], bars["low"][3:], bars["close"][4:])
    found = live.extend(*(bars[name][3:] for name in ("high", "low", "close")))
    assert bits(found) == bits(call("atr", bars, [2])[3:])


def test_a_period_that_makes_no_sense_is_refused_at_the_first_bar() -> None:
    with pytest.raises(InvalidValue, match="at least 1"):
        LiveIndicator(indicators.sma, 0).next(1.0)


def test_a_function_that_returns_something_else_is_refused() -> None:
    with pytest.raises(InvalidValue, match="one value per bar"):
        LiveIndicator(lambda values: values[1:]).extend(np.ones(3))


def test_a_formula_that_takes_another_way_is_found() -> None:
    class Whatever:
        """An operation."""

    class Other(Whatever):
        """Another one."""

    memory = Memory()
    with memory.resumed():
        kept_one = remembered(Whatever)
    with memory.resumed():
        assert remembered(Whatever) is kept_one
    with memory.resumed(), pytest.raises(BugError, match="must not branch"):
        remembered(Other)
    assert remembered(Whatever) is not kept_one


def minutes(bars: dict[str, Floats], start: str = "2024-01-02T14:30") -> BarSeries:
    minute = Timeframe.parse("1m")
    begin = np.datetime64(start, "ns").astype(np.int64) + np.arange(len(bars["close"])) * minute.ns
    return BarSeries.from_columns("SPY", minute, begin, *(bars[name] for name in ("close", "high", "low", "close", "volume")))


def test_declared_ones_with_the_session_column() -> None:
    columns = [Column("SPY", name) for name in ("high", "low", "close", "volume", "session")]
    fair = Indicator(indicators.vwap, tuple(columns), "SPY", "fair", "price")
    smooth = Indicator(indicators.ema, (fair, 4), "SPY", "smooth", "price")
    bars = walk(2_000)
    series = minutes(bars)
    # From the open of one session past that of the next, 24 hours later.
    session = columns[-1].read(series)
    assert np.flatnonzero(np.diff(session)).tolist() == [1_439]
    expected = indicators.vwap(bars["high"], bars["low"], bars["close"], bars["volume"], session)
    live = LiveIndicators([fair, smooth])
    pieces = [live.extend(series.slice(at, at + 1)) for at in range(2_000)]
    assert bits(np.concatenate([piece[fair] for piece in pieces])) == bits(expected)
    assert bits(np.concatenate([piece[smooth] for piece in pieces])) == bits(indicators.ema(expected, 4))


def test_bars_of_another_timeframe_are_for_others() -> None:
    fast, slow, either = (
        Indicator(indicators.sma, (Column("SPY", "close", timeframe), 2), "SPY", "average", "price", timeframe)
        for timeframe in ("1m", "1h", None)
    )
    live = LiveIndicators([fast, slow, either])
    assert list(live.extend(minutes(walk(3)))) == [fast, either]


def test_nobody_writes_into_an_indicator_that_others_are_made_from() -> None:
    def careless(values: Floats) -> Floats:
        values[np.isnan(values)] = 0.0
        return values

    first = Indicator(indicators.sma, (Column("SPY", "close"), 2), "SPY", "average", "price")
    second = Indicator(careless, (first,), "SPY", "careless one", "price")
    series = minutes(walk(5))
    with pytest.raises(StrategyFailed, match="careless one raised ValueError: assignment destination is read-only"):
        LiveIndicators([first, second]).extend(series)
    with pytest.raises(StrategyFailed, match="careless one raised ValueError: assignment destination is read-only"):
        second.compute(first.compute(series.close))


def test_what_goes_wrong_in_a_declared_one_has_its_name() -> None:
    series = minutes(walk(5))
    wrong = Indicator(indicators.sma, (Column("SPY", "close"), 0), "SPY", "my average", "price")
    with pytest.raises(NonsenseAction, match="my average: period cannot be 0"):
        LiveIndicators([wrong]).extend(series)
    broken = Indicator(lambda values: values / [], (Column("SPY", "close"),), "SPY", "broken one", "price")
    with pytest.raises(StrategyFailed, match="broken one raised"):
        LiveIndicators([broken]).extend(series)
    short = Indicator(lambda values: values[1:], (Column("SPY", "close"),), "SPY", "short one", "price")
    with pytest.raises(StrategyFailed, match=r"short one returned shape \(4,\) for 5 bars"):
        LiveIndicators([short]).extend(series)
