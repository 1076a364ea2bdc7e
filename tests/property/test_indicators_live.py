"""Whatever the bars, an indicator gives the same bits over all of them, over fewer of them, and as they come."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.model.market import BarSeries, Floats, Timeframe
from core.strategy.indicators import carried, ema, rsi, sma, trend, windows
from core.strategy.live_indicators import LiveIndicator, LiveIndicators
from core.strategy.windows import Column, Indicator
from tests.examples import examples
from tests.unit.strategy.indicator_cases import COLUMN_NAMES, FORMULAS, LEAST, NAMES, bits, call, columns_of, cut, settings_of

odd = st.sampled_from([1.0, 1.0, 2.0, 0.0, -0.0, -3.5, float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 5e-324])
few = st.sampled_from([99.5, 100.0, 100.5])
usual = st.floats(0.01, 1e6)


@st.composite
def any_bars(draw: st.DrawFn, most: int = 90) -> dict[str, Floats]:
    """Bars of any kind: as they are, of few different prices, or with odd values; sessions of any length."""
    count = draw(st.integers(0, most))
    elements = draw(st.sampled_from([usual, few, usual | st.just(float("nan")), odd]))
    bars = {name: draw(arrays(np.float64, count, elements=elements)) for name in COLUMN_NAMES[1:-1]}
    begins = draw(arrays(np.bool_, count))
    return {**bars, "values": bars["close"], "session": np.cumsum(begins).astype(np.float64)}


def any_settings(name: str) -> st.SearchStrategy[list[float]]:
    whole: st.SearchStrategy[float] = st.integers(LEAST.get(name, 1), 12) | st.integers(LEAST.get(name, 1), 100)
    return st.tuples(*(whole if kind is int else st.floats(-4, 4) for kind in settings_of(name).values())).map(list)


@pytest.fixture(scope="module", params=["long chunks", "short chunks"])
def chunks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Once as the program runs, once with chunks so short that a short history has many."""
    patch = pytest.MonkeyPatch()
    if request.param == "short chunks":
        patch.setattr(carried, "CHUNK", 8)
        patch.setattr(windows, "_AT_A_TIME", 8)
        patch.setattr(trend, "_AT_A_TIME", 8)
    yield
    patch.undo()


@pytest.mark.parametrize("name", NAMES)
@examples(16)
@given(data=st.data(), bars=any_bars(), known=st.integers(0, 90), cuts=st.lists(st.integers(0, 90), max_size=6))
def test_a_shorter_history_and_bars_in_pieces_give_the_same_bits(
    name: str, data: st.DataObject, bars: dict[str, Floats], known: int, cuts: list[int], chunks: None
) -> None:
    given_settings = data.draw(any_settings(name))
    whole = call(name, bars, given_settings)
    assert whole.shape == bars["close"].shape
    assert bits(call(name, cut(bars, None, known), given_settings)) == bits(whole[:known])
    live = LiveIndicator(FORMULAS[name], *given_settings)
    edges = [0, *sorted(cuts), 90]
    pieces = [live.extend(*inputs(name, cut(bars, first, last))) for first, last in pairwise(edges)]
    assert bits(np.concatenate(pieces)) == bits(whole)


@pytest.mark.parametrize("name", NAMES)
@examples(8)
@given(data=st.data(), bars=any_bars(40))
def test_bars_one_at_a_time_give_the_same_bits(name: str, data: st.DataObject, bars: dict[str, Floats], chunks: None) -> None:
    given_settings = data.draw(any_settings(name))
    live = LiveIndicator(FORMULAS[name], *given_settings)
    found = [live.next(*(float(column[at]) for column in inputs(name, bars))) for at in range(len(bars["close"]))]
    assert bits(np.array(found)) == bits(call(name, bars, given_settings))


@given(bars=any_bars(40), period=st.integers(1, 9), cuts=st.lists(st.integers(0, 40), max_size=6))
def test_a_function_of_ones_own_and_indicators_of_indicators_give_the_same_bits(
    bars: dict[str, Floats], period: int, cuts: list[int]
) -> None:
    declared = declare(period)
    whole = LiveIndicators(declared).extend(series(bars))
    by_hand = own(period, bars["close"], bars["volume"])
    assert bits(whole[declared[0]]) == bits(by_hand)
    assert bits(whole[declared[1]]) == bits(sma(by_hand, period))
    assert bits(whole[declared[3]]) == bits(own(2, ema(bars["high"], period), sma(by_hand, period)))
    live = LiveIndicators(declared)
    edges = [0, *sorted(cuts), 40]
    pieces = [live.extend(series(cut(bars, first, last), first)) for first, last in pairwise(edges)]
    for indicator in declared:
        assert bits(np.concatenate([piece[indicator] for piece in pieces])) == bits(whole[indicator])


@given(bars=any_bars(40), period=st.integers(1, 9))
def test_symbols_do_not_touch_each_other(bars: dict[str, Floats], period: int) -> None:
    first, second = (
        Indicator(rsi, (Column("A", "close"), period), "A", "a", "p"),
        Indicator(rsi, (Column("B", "close"), period), "B", "b", "p"),
    )
    both, live = LiveIndicators([first, second]), LiveIndicators([first])
    for at in range(len(bars["close"])):
        piece = series(cut(bars, at, at + 1), at, "A")
        other = series({name: -column for name, column in cut(bars, at, at + 1).items()}, at, "B")
        assert list(both.extend(other)) == [second]
        assert bits(both.extend(piece)[first]) == bits(live.extend(piece)[first])


def inputs(name: str, bars: Mapping[str, Floats]) -> list[Floats]:
    return [bars[column] for column in columns_of(name)]


def own(bars: int, left: Floats, right: Floats) -> Floats:
    """As a strategy's author would write one: values of any bars before, and the mean of all so far."""
    with np.errstate(all="ignore"):
        changed = np.full(len(left), np.nan)
        changed[bars:] = left[bars:] - right[:-bars]
        return changed + np.cumsum(right) / np.arange(1, len(right) + 1)


def declare(period: int) -> list[Indicator]:
    close, high, volume = (Column("X/USD", name) for name in ("close", "high", "volume"))
    first = Indicator(own, (period, close, volume), "X/USD", "own", "own")
    averaged = Indicator(sma, (first, period), "X/USD", "averaged", "own")
    smooth = Indicator(ema, (high, period), "X/USD", "smooth", "price")
    return [first, averaged, smooth, Indicator(own, (2, smooth, averaged), "X/USD", "both", "own")]


def series(bars: Mapping[str, Floats], first: int = 0, symbol: str = "X/USD") -> BarSeries:
    minute = Timeframe.parse("1m")
    start = (first + np.arange(len(bars["close"]))) * minute.ns
    return BarSeries.from_columns(symbol, minute, start, bars["close"], bars["high"], bars["low"], bars["close"], bars["volume"])
