"""Figures that swing: around 0, or between fixed bounds."""

import numpy as np

from core.model.market import Floats
from core.strategy.indicators.averages import ema, sma, wilder
from core.strategy.indicators.carried import earlier
from core.strategy.indicators.columns import checked_column, checked_columns, checked_period
from core.strategy.indicators.memory import quietly
from core.strategy.indicators.rolling import rolling_high, rolling_low
from core.strategy.indicators.windows import distance_in_mean_deviations, over_windows


@quietly
def rsi(values: Floats, period: int = 14) -> Floats:
    """Return Wilder's relative strength index, 0 … 100; 50 where nothing moved. The first value is at index `period`."""
    column = checked_column(values)
    changes = column - earlier(column)
    gain = wilder(np.maximum(changes, 0.0), period)
    loss = wilder(np.maximum(-changes, 0.0), period)
    moved = gain + loss
    return np.where(moved == 0.0, 50.0, 100.0 * (gain / np.where(moved == 0.0, 1.0, moved)))


@quietly
def macd(values: Floats, fast: int = 12, slow: int = 26) -> Floats:
    """Return the fast exponential average − the slow one."""
    return ema(values, checked_period(fast, name="fast")) - ema(values, checked_period(slow, name="slow"))


@quietly
def macd_signal(values: Floats, fast: int = 12, slow: int = 26, signal: int = 9) -> Floats:
    """Return the exponential average of `macd` over `signal` bars."""
    return ema(macd(values, fast, slow), checked_period(signal, name="signal"))


@quietly
def macd_histogram(values: Floats, fast: int = 12, slow: int = 26, signal: int = 9) -> Floats:
    """Return `macd` − `macd_signal`."""
    line = macd(values, fast, slow)
    return line - ema(line, checked_period(signal, name="signal"))


@quietly
def stochastic_k(high: Floats, low: Floats, close: Floats, period: int = 14, smoothing: int = 3) -> Floats:
    """Return Lane's %K: where the close is in the range of the last `period` bars, 0 … 100, averaged over `smoothing`.

    50 where the range is nothing. With `smoothing` 1 it is the fast %K, with 3 the slow one.
    """
    high, low, close = checked_columns(high, low, close)
    bottom = rolling_low(low, period)
    reach = rolling_high(high, period) - bottom
    raw = np.where(reach == 0.0, 50.0, 100.0 * ((close - bottom) / np.where(reach == 0.0, 1.0, reach)))
    return sma(raw, checked_period(smoothing, name="smoothing"))


@quietly
def stochastic_d(high: Floats, low: Floats, close: Floats, period: int = 14, smoothing: int = 3, signal: int = 3) -> Floats:
    """Return Lane's %D: the simple average of `stochastic_k` over `signal` bars."""
    return sma(stochastic_k(high, low, close, period, smoothing), checked_period(signal, name="signal"))


@quietly
def williams_r(high: Floats, low: Floats, close: Floats, period: int = 14) -> Floats:
    """Return Williams' %R: how far the close is under the highest high, −100 … 0; −50 where the range is nothing."""
    high, low, close = checked_columns(high, low, close)
    top = rolling_high(high, period)
    reach = top - rolling_low(low, period)
    return np.where(reach == 0.0, -50.0, 100.0 * ((close - top) / np.where(reach == 0.0, 1.0, reach)))


@quietly
def cci(high: Floats, low: Floats, close: Floats, period: int = 20) -> Floats:
    """Return Lambert's commodity channel index of the typical price; 0 where nothing moved.

    The one indicator here whose time grows with the period.
    """
    high, low, close = checked_columns(high, low, close)
    return over_windows(distance_in_mean_deviations, (high + low + close) / 3.0, period) / 0.015
