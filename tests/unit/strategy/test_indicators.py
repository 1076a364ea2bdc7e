"""Indicators against direct computations and figures worked out by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidValue
from core.model.market import Floats
from core.strategy import indicators
from core.strategy.indicators import (
    atr,
    bollinger_lower,
    bollinger_upper,
    ema,
    macd,
    rolling_high,
    rolling_low,
    rolling_std,
    rsi,
    sma,
    true_range,
    wilder,
    wma,
    zscore,
)

NAN = float("nan")
DOCS = Path(__file__).parents[3] / "docs"
WINDOWED = [sma, wma, rolling_high, rolling_low, rolling_std, bollinger_upper, bollinger_lower, zscore]
REMEMBERING = [ema, wilder, rsi]
ONE_COLUMN: list[Callable[[Floats, int], Floats]] = [*WINDOWED, *REMEMBERING]


def walk(count: int, *, seed: int = 1, level: float = 1_000.0) -> Floats:
    return level + np.cumsum(np.random.default_rng(seed).normal(0.0, 0.5, count))


def by_window(values: Floats, period: int, function: Callable[[Floats], float]) -> Floats:
    return np.array([NAN if i + 1 < period else function(values[i + 1 - period : i + 1]) for i in range(len(values))])


DIRECT: list[tuple[Callable[[Floats, int], Floats], Callable[[Floats], float]]] = [
    (sma, lambda window: float(window.mean())),
    (wma, lambda window: float(np.average(window, weights=np.arange(1, len(window) + 1)))),
    (rolling_high, lambda window: float(window.max())),
    (rolling_low, lambda window: float(window.min())),
    (rolling_std, lambda window: float(window.std())),
]


@pytest.mark.parametrize("period", [1, 2, 3, 7, 30, 64, 199, 200, 201, 399, 400])
@pytest.mark.parametrize(("function", "direct"), DIRECT, ids=lambda item: getattr(item, "__name__", ""))
def test_a_window_is_what_a_direct_computation_gives(function: Callable[..., Floats], direct: Callable[..., float], period: int) -> None:
    values = walk(400)
    np.testing.assert_allclose(function(values, period), by_window(values, period, direct), rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("period", [1, 2, 10, 200])
@pytest.mark.parametrize(("function", "weight"), [(ema, lambda n: 2 / (n + 1)), (wilder, lambda n: 1 / n)], ids=["ema", "wilder"])
def test_an_exponential_average_is_its_recursion(function: Callable[..., Floats], weight: Callable[[int], float], period: int) -> None:
    values = walk(20_000)
    level = float(values[:period].mean())
    expected = [level]
    for value in values[period:].tolist():
        level += weight(period) * (value - level)
        expected.append(level)
    found = function(values, period)
    assert np.isnan(found[: period - 1]).all()
    np.testing.assert_allclose(found[period - 1 :], expected, rtol=1e-12)


def test_the_average_of_a_long_history_stays_exact_to_twelve_digits() -> None:
    values = walk(1_000_000, level=30_000.0)
    found = sma(values, 200)
    for i in (199, 200, 65_535, 500_000, 999_999):
        assert found[i] == pytest.approx(np.sum(values[i - 199 : i + 1].astype(np.longdouble)) / 200, rel=1e-13)


def test_a_spike_leaves_no_trace_once_it_is_out_of_the_window() -> None:
    values = np.full(100, 0.1)
    values[20] = 1e18
    clean = np.full(100, 0.1)
    assert (sma(values, 7)[27:] == sma(clean, 7)[27:]).all()
    assert (rolling_std(values, 7)[27:] == 0.0).all()


def test_equal_values_have_no_deviation_and_no_zscore() -> None:
    values = np.full(50, 745.1)
    assert (rolling_std(values, 20)[19:] == 0.0).all()
    assert np.isnan(zscore(values, 20)).all()


def test_worked_examples() -> None:
    values = np.array([1.0, 2.0, 3.0, 5.0, 4.0])
    np.testing.assert_array_equal(sma(values, 2), [NAN, 1.5, 2.5, 4.0, 4.5])
    np.testing.assert_allclose(wma(values, 3), [NAN, NAN, 14 / 6, 23 / 6, 25 / 6])
    np.testing.assert_array_equal(ema(values, 3), [NAN, NAN, 2.0, 3.5, 3.75])
    np.testing.assert_array_equal(wilder(values, 2), [NAN, 1.5, 2.25, 3.625, 3.8125])
    np.testing.assert_allclose(bollinger_upper(values, 2, 2.0), [NAN, 2.5, 3.5, 6.0, 5.5])
    np.testing.assert_allclose(bollinger_lower(values, 2, 1.0), [NAN, 1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(zscore(values, 2), [NAN, 1.0, 1.0, 1.0, -1.0])
    np.testing.assert_allclose(macd(values, 1, 2), [NAN, 0.5, 0.5, 5.0 - 25 / 6, 4.0 - (25 / 6 + 2 / 3 * (4.0 - 25 / 6))])


def test_rsi_of_changes_worked_out_by_hand() -> None:
    # Changes +2, −1, +3, 0: averages over 2 start at gain 1, loss 0.5; then 2, 0.25; then 1, 0.125.
    np.testing.assert_allclose(rsi(np.array([10.0, 12.0, 11.0, 14.0, 14.0]), 2), [NAN, NAN, 100 / 1.5, 200 / 2.25, 100 / 1.125])


def test_rsi_where_all_rises_all_falls_and_nothing_moves() -> None:
    assert rsi(np.arange(1.0, 9.0), 3)[3:].tolist() == [100.0] * 5
    assert rsi(np.arange(9.0, 1.0, -1.0), 3)[3:].tolist() == [0.0] * 5
    assert rsi(np.full(8, 5.0), 3)[3:].tolist() == [50.0] * 5


def test_true_range_counts_the_gap_from_the_close_before() -> None:
    high, low, close = np.array([10.0, 15.0, 9.0]), np.array([8.0, 13.0, 8.0]), np.array([9.0, 14.0, 8.5])
    assert true_range(high, low, close).tolist() == [2.0, 6.0, 6.0]
    np.testing.assert_array_equal(atr(high, low, close, 2), [NAN, 4.0, 5.0])
    assert high.tolist() == [10.0, 15.0, 9.0]


@pytest.mark.parametrize("function", ONE_COLUMN)
def test_too_few_values_give_nan_throughout(function: Callable[[Floats, int], Floats]) -> None:
    for count in (0, 1, 4):
        found = function(np.arange(float(count)), 5)
        assert found.shape == (count,)
        assert found.dtype == np.float64
        assert np.isnan(found).all()


@pytest.mark.parametrize("function", WINDOWED)
def test_a_nan_spoils_the_windows_that_hold_it_and_no_other(function: Callable[[Floats, int], Floats]) -> None:
    values = walk(40)
    whole = function(values, 5)
    for place in range(len(values)):
        holed = values.copy()
        holed[place] = NAN
        found = function(holed, 5)
        assert np.isnan(found[place : place + 5]).all()
        found[place : place + 5] = whole[place : place + 5]
        # A fixed order of adding up: what does not hold the nan is the same to the last bit.
        np.testing.assert_array_equal(found, whole)


@pytest.mark.parametrize("function", [ema, wilder])
def test_an_average_that_remembers_starts_after_leading_nans_and_ends_at_a_later_one(function: Callable[..., Floats]) -> None:
    values = walk(30)
    late = np.concatenate((np.full(4, NAN), values))
    np.testing.assert_array_equal(function(late, 5)[4:], function(values, 5))
    holed = values.copy()
    holed[20] = NAN
    found = function(holed, 5)
    np.testing.assert_array_equal(found[:20], function(values, 5)[:20])
    assert np.isnan(found[20:]).all()
    assert np.isnan(function(np.full(9, NAN), 2)).all()


@pytest.mark.parametrize("function", ONE_COLUMN)
@pytest.mark.parametrize("period", [0, -1, 2.0, True, "3"])
def test_a_period_that_is_no_whole_number_above_zero_is_refused(function: Callable[..., Floats], period: object) -> None:
    with pytest.raises(InvalidValue, match="period"):
        function(walk(10), period)


def test_the_input_is_never_written_to() -> None:
    values = walk(500)
    values.flags.writeable = False
    for function in ONE_COLUMN:
        function(values, 9)
    macd(values)
    atr(values, values, values)


def test_integers_and_views_are_taken_as_floats() -> None:
    assert sma(np.arange(10)[::2], 2).tolist()[1:] == [1.0, 3.0, 5.0, 7.0]  # type: ignore[arg-type]


def test_every_public_indicator_is_documented() -> None:
    public = [name for name, item in vars(indicators).items() if callable(item) and getattr(item, "__module__", "") == indicators.__name__]
    names = [name for name in public if not name.startswith("_")]
    text = (DOCS / "indicators.md").read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}(" not in text] == []
