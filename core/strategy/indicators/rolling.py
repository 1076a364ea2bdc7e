"""The highest, the lowest and the spread of the last values, and how a value stands to them."""

import numpy as np

from core.model.market import Floats
from core.strategy.indicators.averages import sma
from core.strategy.indicators.carried import earlier
from core.strategy.indicators.columns import checked_column, checked_period
from core.strategy.indicators.memory import quietly
from core.strategy.indicators.windows import deviation, highest, lowest, over_windows


@quietly
def rolling_high(values: Floats, period: int) -> Floats:
    """Return the highest of the last `period` values."""
    return over_windows(highest, values, period)


@quietly
def rolling_low(values: Floats, period: int) -> Floats:
    """Return the lowest of the last `period` values."""
    return over_windows(lowest, values, period)


@quietly
def rolling_std(values: Floats, period: int) -> Floats:
    """Return the population standard deviation of the last `period` values (divided by `period`, not `period` − 1)."""
    return over_windows(deviation, values, period)


@quietly
def zscore(values: Floats, period: int) -> Floats:
    """Return the distance from the simple average in population standard deviations; nan where nothing moves."""
    spread = rolling_std(values, period)
    return (checked_column(values) - sma(values, period)) / np.where(spread > 0.0, spread, np.nan)


@quietly
def momentum(values: Floats, period: int = 10) -> Floats:
    """Return the value − the one `period` bars before."""
    column = checked_column(values)
    return column - earlier(column, checked_period(period))


@quietly
def roc(values: Floats, period: int = 10) -> Floats:
    """Return the rate of change from `period` bars before, in percent; nan where that value was 0."""
    column = checked_column(values)
    before = earlier(column, checked_period(period))
    return 100.0 * ((column - before) / np.where(before == 0.0, np.nan, before))
