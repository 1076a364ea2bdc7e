"""Moving averages."""

from core.model.market import Floats
from core.strategy.indicators.carried import smoothed
from core.strategy.indicators.columns import checked_column, checked_period
from core.strategy.indicators.memory import quietly
from core.strategy.indicators.windows import over_windows, total, weighted_total


@quietly
def sma(values: Floats, period: int) -> Floats:
    """Return the simple moving average of the last `period` values."""
    return over_windows(total, values, period) / period


@quietly
def wma(values: Floats, period: int) -> Floats:
    """Return the moving average with weights 1, 2 … `period`, the newest value weighing most."""
    return over_windows(weighted_total, values, period) / (period * (period + 1) / 2)


@quietly
def ema(values: Floats, period: int) -> Floats:
    """Return the exponential average with weight 2 / (period + 1), started at the mean of the first `period` values."""
    return smoothed(checked_column(values), checked_period(period), 2.0 / (period + 1))


@quietly
def wilder(values: Floats, period: int) -> Floats:
    """Return Wilder's average: exponential with weight 1 / period, started at the mean of the first `period` values."""
    return smoothed(checked_column(values), checked_period(period), 1.0 / period)
