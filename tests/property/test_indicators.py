"""What holds for indicators on any history."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.model.market import Floats
from core.strategy.indicators import (
    atr,
    bollinger_lower,
    bollinger_upper,
    carried,
    ema,
    macd,
    rolling_high,
    rolling_low,
    rolling_std,
    rsi,
    sma,
    wilder,
    wma,
    zscore,
)

ONE_COLUMN: list[Callable[[Floats, int], Floats]] = [
    sma, wma, ema, wilder, rolling_high, rolling_low, rolling_std, bollinger_upper, bollinger_lower, zscore, rsi,
]  # fmt: skip
prices = arrays(np.float64, st.integers(0, 120), elements=st.floats(0.01, 1e6))
holed = arrays(np.float64, st.integers(0, 60), elements=st.floats(0.01, 1e6) | st.just(float("nan")))
periods = st.integers(1, 40)


def same_bits(left: Floats, right: Floats) -> bool:
    return left.tobytes() == right.tobytes()


@pytest.mark.parametrize("function", ONE_COLUMN)
@given(values=prices | holed, period=periods, cut=st.integers(0, 120))
def test_a_shorter_history_gives_the_same_bits(function: Callable[[Floats, int], Floats], values: Floats, period: int, cut: int) -> None:
    assert same_bits(function(values[:cut], period), function(values, period)[:cut])


@given(values=prices, period=periods, cut=st.integers(0, 120))
def test_a_shorter_history_gives_the_same_bits_for_several_columns(values: Floats, period: int, cut: int) -> None:
    high, low = values * 1.01, values * 0.99
    assert same_bits(atr(high[:cut], low[:cut], values[:cut], period), atr(high, low, values, period)[:cut])
    assert same_bits(macd(values[:cut], period, period + 3), macd(values, period, period + 3)[:cut])


@pytest.mark.parametrize("function", ONE_COLUMN)
@given(cut=st.integers(0, 300), period=st.integers(1, 70), seed=st.integers(0, 9))
def test_a_shorter_history_gives_the_same_bits_over_many_chunks(
    function: Callable[[Floats, int], Floats], cut: int, period: int, seed: int, short_chunks: None
) -> None:
    values = 100.0 + np.random.default_rng(seed).normal(0, 1, 300)
    assert same_bits(function(values[:cut], period), function(values, period)[:cut])


@pytest.fixture(scope="module")
def short_chunks() -> Iterator[None]:
    """Make the chunks of exponential averages so short that a short history has many."""
    patch = pytest.MonkeyPatch()
    patch.setattr(carried, "CHUNK", 16)
    yield
    patch.undo()


@given(values=prices, period=periods)
def test_averages_lie_between_the_lowest_and_the_highest(values: Floats, period: int) -> None:
    for average in (sma(values, period), wma(values, period)):
        known = ~np.isnan(average)
        assert known.sum() == max(0, len(values) - period + 1)
        slack = 1e-12 * rolling_high(values, period)[known]
        assert (average[known] <= rolling_high(values, period)[known] + slack).all()
        assert (average[known] >= rolling_low(values, period)[known] - slack).all()


@given(values=prices, period=periods)
def test_relative_error_of_the_average_is_below_a_trillionth(values: Floats, period: int) -> None:
    found = sma(values, period)
    for i in range(period - 1, len(values)):
        exact = float(np.sum(values[i - period + 1 : i + 1].astype(np.longdouble)) / period)
        assert abs(found[i] - exact) <= 1e-12 * exact


@given(values=prices, period=periods)
def test_deviation_is_never_negative_and_rsi_stays_in_its_range(values: Floats, period: int) -> None:
    spread, strength = rolling_std(values, period), rsi(values, period)
    assert (spread[~np.isnan(spread)] >= 0).all()
    assert ((strength[~np.isnan(strength)] >= 0) & (strength[~np.isnan(strength)] <= 100)).all()
