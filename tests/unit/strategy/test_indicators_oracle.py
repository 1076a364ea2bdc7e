"""Every indicator against TA-Lib, and against pandas where TA-Lib has none.

TA-Lib starts some averages elsewhere than Wilder's book and this program do. An average that remembers all its past
forgets its start only slowly: such figures are compared from bar 600 on, where nothing of it is left, or are
given the same start. What has no such memory is compared at every bar.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import talib
from backtesting.test import GOOG

from core.model.market import Floats
from core.strategy import indicators as ours
from tests.unit.strategy.indicator_cases import NAMES, walk

Bars = dict[str, Floats]
FORGOTTEN = 600
"""Bars after which the start of an average over 14 bars has no weight: (1 − 1/14)⁶⁰⁰ < 10⁻¹⁹."""


def real() -> Bars:
    """2,148 days of a share, from the package of the backtesting oracle."""
    columns = {name.lower(): GOOG[name].to_numpy(np.float64).copy() for name in ("Open", "High", "Low", "Close", "Volume")}
    session = np.floor(np.arange(len(GOOG)) / 21.0)
    return {**columns, "values": columns["close"], "session": session}


@pytest.fixture(params=["real", "walk", "cheap"])
def bars(request: pytest.FixtureRequest) -> Bars:
    """Random prices have many digits: whether 25.10 + 25.09 rises over 25.11 + 25.08 is not for an oracle to say."""
    if request.param == "real":
        return real()
    return walk(3_000, seed=5, digits=9) if request.param == "walk" else walk(1_500, seed=6, level=25.0, digits=9)


def price(bars: Bars) -> Floats:
    return np.asarray(talib.TYPPRICE(bars["high"], bars["low"], bars["close"]))


def hlc(bars: Bars) -> tuple[Floats, Floats, Floats]:
    return bars["high"], bars["low"], bars["close"]


def hlcv(bars: Bars) -> tuple[Floats, Floats, Floats, Floats]:
    return *hlc(bars), bars["volume"]


def spread(bars: Bars, period: int) -> Floats:
    # One window after the other: the running sums of TA-Lib and pandas lose their digits where a window hardly moves.
    return np.asarray(pd.Series(bars["close"]).rolling(period).apply(np.std, raw=True))


def correlation_squared(bars: Bars, period: int) -> Floats:
    # TA-Lib's own correlation loses its digits where the numbers of the bars are large against the period.
    return np.asarray(pd.Series(bars["close"]).rolling(period).corr(pd.Series(np.arange(float(len(bars["close"]))))) ** 2)


def session_average(bars: Bars) -> Floats:
    frame = pd.DataFrame({"paid": price(bars) * bars["volume"], "volume": bars["volume"], "session": bars["session"]})
    sums = frame.groupby("session").cumsum()
    return np.asarray((sums["paid"] / sums["volume"].where(sums["volume"] > 0)).to_numpy())


def rolling_average(bars: Bars, period: int) -> Floats:
    traded = pd.Series(bars["volume"]).rolling(period).sum()
    return np.asarray((pd.Series(price(bars) * bars["volume"]).rolling(period).sum() / traded.where(traded > 0.5)).to_numpy())


AT_EVERY_BAR: dict[str, tuple[Callable[[Bars, int], Floats], Callable[[Bars, int], Floats]]] = {
    "sma": (lambda b, n: ours.sma(b["close"], n), lambda b, n: talib.SMA(b["close"], n)),
    "wma": (lambda b, n: ours.wma(b["close"], n), lambda b, n: talib.WMA(b["close"], n)),
    "ema": (lambda b, n: ours.ema(b["close"], n), lambda b, n: talib.EMA(b["close"], n)),
    "rolling_high": (lambda b, n: ours.rolling_high(b["close"], n), lambda b, n: talib.MAX(b["close"], n)),
    "rolling_low": (lambda b, n: ours.rolling_low(b["close"], n), lambda b, n: talib.MIN(b["close"], n)),
    "rolling_std": (lambda b, n: ours.rolling_std(b["close"], n), spread),
    "zscore": (
        lambda b, n: ours.zscore(b["close"], n),
        lambda b, n: (b["close"] - talib.SMA(b["close"], n)) / np.where(spread(b, n) > 0.0, spread(b, n), np.nan),
    ),
    "momentum": (lambda b, n: ours.momentum(b["close"], n), lambda b, n: talib.MOM(b["close"], n)),
    "roc": (lambda b, n: ours.roc(b["close"], n), lambda b, n: talib.ROC(b["close"], n)),
    "bollinger_upper": (lambda b, n: ours.bollinger_upper(b["close"], n, 1.5), lambda b, n: talib.BBANDS(b["close"], n, 1.5, 1.5)[0]),
    "bollinger_middle": (lambda b, n: ours.bollinger_middle(b["close"], n), lambda b, n: talib.BBANDS(b["close"], n)[1]),
    "bollinger_lower": (lambda b, n: ours.bollinger_lower(b["close"], n, 1.5), lambda b, n: talib.BBANDS(b["close"], n, 1.5, 1.5)[2]),
    "donchian_upper": (lambda b, n: ours.donchian_upper(b["high"], n), lambda b, n: talib.MAX(b["high"], n)),
    "donchian_lower": (lambda b, n: ours.donchian_lower(b["low"], n), lambda b, n: talib.MIN(b["low"], n)),
    "donchian_middle": (lambda b, n: ours.donchian_middle(b["high"], b["low"], n), lambda b, n: talib.MIDPRICE(b["high"], b["low"], n)),
    "keltner_middle": (lambda b, n: ours.keltner_middle(b["close"], n), lambda b, n: talib.EMA(b["close"], n)),
    "rsi": (lambda b, n: ours.rsi(b["close"], n), lambda b, n: talib.RSI(b["close"], n)),
    "stochastic_k": (lambda b, n: ours.stochastic_k(*hlc(b), n, 1), lambda b, n: talib.STOCHF(*hlc(b), n, 1)[0]),
    "stochastic_d": (lambda b, n: ours.stochastic_d(*hlc(b), n, 3, 4), lambda b, n: talib.STOCH(*hlc(b), n, 3, slowd_period=4)[1]),
    "williams_r": (lambda b, n: ours.williams_r(*hlc(b), n), lambda b, n: talib.WILLR(*hlc(b), n)),
    "cci": (lambda b, n: ours.cci(*hlc(b), n), lambda b, n: talib.CCI(*hlc(b), n)),
    "mfi": (lambda b, n: ours.mfi(*hlcv(b), n), lambda b, n: talib.MFI(*hlcv(b), n)),
    "regression_value": (lambda b, n: ours.regression_value(b["close"], n), lambda b, n: talib.LINEARREG(b["close"], n)),
    "regression_slope": (lambda b, n: ours.regression_slope(b["close"], n), lambda b, n: talib.LINEARREG_SLOPE(b["close"], n)),
    "regression_r2": (lambda b, n: ours.regression_r2(b["close"], n), correlation_squared),
    "rolling_vwap": (lambda b, n: ours.rolling_vwap(*hlcv(b), n), rolling_average),
    "vwap": (lambda b, n: ours.vwap(*hlcv(b), b["session"]), lambda b, n: session_average(b)),
}


@pytest.mark.parametrize("period", [3, 5, 14, 50])
@pytest.mark.parametrize("name", AT_EVERY_BAR)
def test_the_same_at_every_bar(name: str, period: int, bars: Bars) -> None:
    mine, theirs = (function(bars, period) for function in AT_EVERY_BAR[name])
    # Also nan at the same bars.
    np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-7)


def test_macd(bars: Bars) -> None:
    """TA-Lib lets the fast average start with the slow one, on the bars just before; ours starts as early as it can."""
    line, signal, histogram = talib.MACD(bars["close"], 12, 26, 9)
    for mine, theirs in zip((ours.macd, ours.macd_signal, ours.macd_histogram), (line, signal, histogram), strict=True):
        found = mine(bars["close"])
        assert first(found) == (25 if mine is ours.macd else 33)
        np.testing.assert_allclose(found[FORGOTTEN:], theirs[FORGOTTEN:], rtol=1e-9, atol=1e-9)
    # The line from its own averages, at every bar.
    np.testing.assert_allclose(ours.macd(bars["close"], 5, 30), talib.EMA(bars["close"], 5) - talib.EMA(bars["close"], 30), atol=1e-9)
    # The signal from its own line, at every bar.
    own = ours.macd(bars["close"], 5, 30)
    np.testing.assert_allclose(ours.macd_signal(bars["close"], 5, 30, 4)[29:], talib.EMA(own[29:].copy(), 4), atol=1e-9)


@pytest.mark.parametrize("period", [1, 5, 14])
def test_true_range_and_its_average(period: int, bars: Bars) -> None:
    """TA-Lib leaves the first bar out, which has no close before it; Wilder, and ours, take its high − low."""
    mine = ours.true_range(*hlc(bars))
    assert mine[0] == bars["high"][0] - bars["low"][0]
    np.testing.assert_allclose(mine[1:], talib.TRANGE(*hlc(bars))[1:], rtol=1e-12)
    np.testing.assert_allclose(ours.wilder(mine[1:], period), talib.ATR(*hlc(bars), period)[1:], rtol=1e-9)
    np.testing.assert_allclose(ours.atr(*hlc(bars), period)[FORGOTTEN:], talib.ATR(*hlc(bars), period)[FORGOTTEN:], rtol=1e-9)
    assert first(ours.atr(*hlc(bars), period)) == period - 1


@pytest.mark.parametrize("period", [5, 14])
def test_directional_movement(period: int, bars: Bars) -> None:
    """TA-Lib starts from sums over one bar fewer than Wilder."""
    for mine, theirs in ((ours.plus_di, talib.PLUS_DI), (ours.minus_di, talib.MINUS_DI), (ours.adx, talib.ADX)):
        found = mine(*hlc(bars), period)
        assert first(found) == (2 * period - 1 if mine is ours.adx else period)
        np.testing.assert_allclose(found[FORGOTTEN:], theirs(*hlc(bars), period)[FORGOTTEN:], rtol=1e-9, atol=1e-9)


def test_directional_movement_from_the_start(bars: Bars) -> None:
    """Wilder's worksheet: the first averages are means of the first 14 movements; from there on his recursion."""
    period, (high, low, close) = 14, hlc(bars)
    moved = pd.DataFrame({"up": np.diff(high), "down": -np.diff(low), "range": talib.TRANGE(high, low, close)[1:]})
    moved["plus"] = moved["up"].where((moved["up"] > moved["down"]) & (moved["up"] > 0), 0.0)
    moved["minus"] = moved["down"].where((moved["down"] > moved["up"]) & (moved["down"] > 0), 0.0)
    plus, minus, spans = (started_at_the_mean(moved[name], period) for name in ("plus", "minus", "range"))
    np.testing.assert_allclose(ours.plus_di(high, low, close)[1:], 100 * plus / spans, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours.minus_di(high, low, close)[1:], 100 * minus / spans, rtol=1e-9, atol=1e-9)
    strength = (100 * (plus - minus).abs() / (plus + minus))[period - 1 :].reset_index(drop=True)
    np.testing.assert_allclose(ours.adx(high, low, close)[period:], started_at_the_mean(strength, period), rtol=1e-9, atol=1e-9)


def test_keltner_bands(bars: Bars) -> None:
    """TA-Lib has none; it has the two averages. Its true range lacks the first bar, see above."""
    middle, reach = talib.EMA(bars["close"], 20), talib.ATR(*hlc(bars), 10)
    for mine, sign in ((ours.keltner_upper, 1), (ours.keltner_lower, -1)):
        found = mine(*hlc(bars), 20, 1.5, 10)
        assert first(found) == 19
        np.testing.assert_allclose(found[FORGOTTEN:], (middle + sign * 1.5 * reach)[FORGOTTEN:], rtol=1e-9)


def test_bollinger_figures(bars: Bars) -> None:
    upper, middle, lower = talib.BBANDS(bars["close"], 20, 2.0, 2.0)
    np.testing.assert_allclose(ours.bollinger_percent_b(bars["close"]), (bars["close"] - lower) / (upper - lower), atol=1e-8)
    np.testing.assert_allclose(ours.bollinger_bandwidth(bars["close"]), (upper - lower) / middle, atol=1e-9)


def test_on_balance_volume(bars: Bars) -> None:
    """TA-Lib begins with the volume of the first bar, ours with 0: where it begins is nobody's rule."""
    theirs = talib.OBV(bars["close"], bars["volume"])
    np.testing.assert_array_equal(ours.obv(bars["close"], bars["volume"]), theirs - theirs[0])


def test_wilder_average(bars: Bars) -> None:
    """TA-Lib has it inside others only; pandas has it without the start."""
    np.testing.assert_allclose(ours.wilder(bars["close"], 14), started_at_the_mean(pd.Series(bars["close"]), 14), rtol=1e-9)


@pytest.mark.parametrize(("period", "width"), [(10, 3.0), (7, 1.0)])
def test_supertrend(period: int, width: float, bars: Bars) -> None:
    """No oracle has it: the rule as it is told, a bar at a time, on TA-Lib's true range."""
    high, low, close = hlc(bars)
    ranges = talib.TRANGE(high, low, close)
    ranges[0] = high[0] - low[0]
    reach = width * started_at_the_mean(pd.Series(ranges), period).to_numpy()
    upper, lower = talib.MEDPRICE(high, low) + reach, talib.MEDPRICE(high, low) - reach
    expected = np.full(len(close), np.nan)
    ceiling, floor = upper[period - 1], lower[period - 1]
    up = close[period - 1] >= (ceiling + floor) / 2
    for i in range(period - 1, len(close)):
        if i >= period:
            ceiling = upper[i] if close[i - 1] > ceiling else min(upper[i], ceiling)
            floor = lower[i] if close[i - 1] < floor else max(lower[i], floor)
        if up and close[i] < floor:
            up = False
        elif not up and close[i] > ceiling:
            up = True
        expected[i] = floor if up else ceiling
    found = ours.supertrend(high, low, close, period, width)
    assert len(np.unique(found < close)) == 2
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_no_indicator_is_left_out() -> None:
    apart = {
        "macd", "macd_signal", "macd_histogram", "true_range", "atr", "plus_di", "minus_di", "adx", "keltner_upper", "keltner_lower",
        "bollinger_percent_b", "bollinger_bandwidth", "obv", "wilder", "supertrend",
    }  # fmt: skip
    assert sorted(apart | set(AT_EVERY_BAR)) == NAMES


def first(values: Floats) -> int:
    """Return the index of the first value."""
    return int(np.argmax(~np.isnan(values)))


def started_at_the_mean(values: "pd.Series[float]", period: int) -> "pd.Series[float]":
    """Return Wilder's average by pandas: exponential with weight 1 / period, from the mean of the first `period` values."""
    column = values.copy()
    column.iloc[period - 1] = column.iloc[:period].mean()
    column.iloc[: period - 1] = np.nan
    return column.ewm(alpha=1 / period, adjust=False).mean()
