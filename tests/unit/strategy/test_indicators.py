"""Indicators against direct computations and figures worked out by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from core.errors import InvalidValue
from core.model.market import Floats
from core.strategy.indicators import (
    atr,
    bollinger_lower,
    bollinger_upper,
    cci,
    ema,
    macd,
    mfi,
    obv,
    regression_r2,
    regression_slope,
    regression_value,
    roc,
    rolling_high,
    rolling_low,
    rolling_std,
    rolling_vwap,
    rsi,
    sma,
    stochastic_d,
    stochastic_k,
    supertrend,
    true_range,
    vwap,
    wilder,
    williams_r,
    wma,
    zscore,
)
from tests.unit.strategy.indicator_cases import NAMES, call
from tests.unit.strategy.indicator_cases import walk as walk_of_bars

NAN = float("nan")
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


def still(count: int = 60, price: float = 745.1) -> dict[str, Floats]:
    """Bars that do not move; price 745.10 is no sum of powers of two."""
    bars = walk_of_bars(count)
    return {**bars, **{name: np.full(count, price) for name in ("values", "high", "low", "close")}}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("adx", 0.0), ("plus_di", 0.0), ("minus_di", 0.0), ("atr", 0.0), ("true_range", 0.0), ("cci", 0.0), ("rsi", 50.0), ("mfi", 50.0),
        ("stochastic_k", 50.0), ("stochastic_d", 50.0), ("williams_r", -50.0), ("zscore", NAN), ("bollinger_percent_b", NAN),
        ("bollinger_bandwidth", 0.0), ("rolling_std", 0.0), ("regression_slope", 0.0), ("regression_r2", NAN), ("regression_value", 745.1),
        ("momentum", 0.0), ("roc", 0.0), ("macd", 0.0), ("macd_signal", 0.0), ("macd_histogram", 0.0),
        ("obv", 0.0), ("donchian_middle", 745.1),
    ],
)  # fmt: skip
def test_where_nothing_moves(name: str, expected: float) -> None:
    found = call(name, still(), {"zscore": [20], "rolling_std": [20]}.get(name, []))[-10:]
    np.testing.assert_allclose(found, np.full(10, expected), rtol=1e-13, atol=1e-12)


def test_bands_and_stops_lie_on_a_price_that_does_not_move() -> None:
    for name in ("keltner_upper", "keltner_lower", "bollinger_upper", "bollinger_lower", "supertrend", "vwap", "rolling_vwap"):
        np.testing.assert_allclose(call(name, still())[-10:], np.full(10, 745.1), rtol=1e-14)


def test_prices_that_only_rounding_tells_apart_are_equal() -> None:
    # 25.10 + 25.09 + 25.10 and 25.11 + 25.09 + 25.09 are equal, and differ in binary.
    high, low, close = np.array([25.10, 25.11] * 5), np.full(10, 25.09), np.array([25.10, 25.09] * 5)
    assert (high + low + close)[0] != (high + low + close)[1]
    assert mfi(high, low, close, np.ones(10), 3)[3:].tolist() == [50.0] * 7
    assert cci(high, low, close, 4)[3:].tolist() == [0.0] * 7


def test_vwap_begins_anew_with_each_session_and_waits_for_volume() -> None:
    price = np.array([10.0, 20.0, 40.0, 7.0, 9.0, 11.0])
    volume = np.array([1.0, 3.0, 0.0, 0.0, 2.0, 2.0])
    session = np.array([3.0, 3.0, 3.0, 4.0, 4.0, 6.0])
    np.testing.assert_array_equal(vwap(price, price, price, volume, session), [10.0, 17.5, 17.5, NAN, 9.0, 11.0])
    np.testing.assert_array_equal(rolling_vwap(price, price, price, volume, 2), [NAN, 17.5, 20.0, NAN, 9.0, 10.0])


def test_a_nan_spoils_the_average_of_its_session_alone() -> None:
    bars = walk_of_bars(120)
    whole = call("vwap", bars)
    bars["close"][45] = NAN
    found = call("vwap", bars)
    assert np.isnan(found[45:78]).all()
    found[45:78] = whole[45:78]
    np.testing.assert_array_equal(found, whole)


def test_volume_worked_out_by_hand() -> None:
    close, volume = np.array([10.0, 11.0, 11.0, 9.0, 9.5]), np.array([5.0, 2.0, 7.0, 4.0, 1.0])
    assert obv(close, volume).tolist() == [0.0, 2.0, 2.0, -2.0, -1.0]
    # Flows 22, none, 36, 9.5 with signs + 0 − +.
    np.testing.assert_allclose(mfi(close, close, close, volume, 2), [NAN, NAN, 100.0, 0.0, 100 * 9.5 / 45.5])


def test_oscillators_worked_out_by_hand() -> None:
    high, low, close = np.array([3.0, 5.0, 6.0, 6.0]), np.array([1.0, 2.0, 4.0, 2.0]), np.array([2.0, 4.0, 6.0, 3.0])
    np.testing.assert_allclose(stochastic_k(high, low, close, 2, 1), [NAN, 75.0, 100.0, 25.0])
    np.testing.assert_allclose(stochastic_k(high, low, close, 2, 2), [NAN, NAN, 87.5, 62.5])
    np.testing.assert_allclose(stochastic_d(high, low, close, 2, 1, 3), [NAN, NAN, NAN, 200 / 3])
    np.testing.assert_allclose(williams_r(high, low, close, 2), [NAN, -25.0, 0.0, -75.0])
    np.testing.assert_allclose(roc(close, 1), [NAN, 100.0, 50.0, -50.0])
    assert np.isnan(roc(np.array([0.0, 1.0]), 1)[1])


def test_a_straight_line_is_found() -> None:
    values = 100.0 + 0.25 * np.arange(50.0)
    np.testing.assert_allclose(regression_value(values, 10)[9:], values[9:], rtol=1e-15)
    np.testing.assert_allclose(regression_slope(values, 10)[9:], np.full(41, 0.25), rtol=1e-13)
    np.testing.assert_allclose(regression_r2(values, 10)[9:], np.ones(41), rtol=1e-13)


@pytest.mark.parametrize("level", [1.0, 1e4, 1e8])
def test_a_line_keeps_its_digits_far_from_zero(level: float) -> None:
    wave = np.sin(np.arange(300.0))
    found = regression_slope(wave + level, 14)
    lost = np.finfo(float).eps * level
    np.testing.assert_allclose(found, regression_slope(wave, 14), rtol=1e-9, atol=2 * lost)


def test_supertrend_follows_a_rise_and_changes_sides_when_a_close_is_beyond_it() -> None:
    close = np.concatenate((np.arange(100.0, 140.0), np.arange(139.0, 99.0, -1.0)))
    found = supertrend(close + 0.5, close - 0.5, close, 5, 2.0)
    rising, falling = found[4:40], found[50:]
    assert (np.diff(rising) >= 0).all()
    assert (rising < close[4:40]).all()
    assert (np.diff(falling) <= 0).all()
    assert (falling > close[50:]).all()


@pytest.mark.parametrize("name", NAMES)
def test_odd_values_are_no_reason_to_warn(name: str) -> None:
    for odd in (1e308, -1e308, 5e-324, float("inf")):
        bars = walk_of_bars(30)
        for column in bars.values():
            column[10] = odd
        assert call(name, bars).shape == (30,)
