"""Indicators as functions of arrays: float64 in, float64 of the same length out, nan until there is enough.

Value i depends on inputs 0 … i only.
"""

import numpy as np

from core.errors import InvalidValue
from core.model.market import Floats


def sma(values: Floats, period: int) -> Floats:
    """Return the simple moving average of the last `period` values."""
    _check_period(period)
    means = np.full(len(values), np.nan)
    if len(values) >= period:
        windows = np.lib.stride_tricks.sliding_window_view(values, period)
        means[period - 1 :] = windows.mean(axis=1)
    return means


def ema(values: Floats, period: int) -> Floats:
    """Return the exponential average with weight 2 / (period + 1), started at the mean of the first `period` values."""
    _check_period(period)
    averages = np.full(len(values), np.nan)
    if len(values) < period:
        return averages
    weight = 2.0 / (period + 1)
    level = float(values[:period].mean())
    smoothed = [level]
    for value in values[period:].tolist():
        level += weight * (value - level)
        smoothed.append(level)
    averages[period - 1 :] = smoothed
    return averages


def rolling_high(values: Floats, period: int) -> Floats:
    """Return the highest of the last `period` values."""
    _check_period(period)
    highs = np.full(len(values), np.nan)
    if len(values) >= period:
        highs[period - 1 :] = np.lib.stride_tricks.sliding_window_view(values, period).max(axis=1)
    return highs


def rolling_low(values: Floats, period: int) -> Floats:
    """Return the lowest of the last `period` values."""
    return -rolling_high(-values, period)


def _check_period(period: int) -> None:
    if period < 1:
        raise InvalidValue("period", period, "it must be at least 1.")
