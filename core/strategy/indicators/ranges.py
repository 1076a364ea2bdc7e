"""How far a bar reaches: the true range and its average."""

import numpy as np

from core.model.market import Floats
from core.strategy.indicators.averages import wilder
from core.strategy.indicators.carried import earlier, first_bar
from core.strategy.indicators.columns import checked_columns, checked_period
from core.strategy.indicators.memory import quietly


@quietly
def true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    """Return the true range: the bar's range extended to the close before it; the first bar's is high − low."""
    high, low, close = checked_columns(high, low, close)
    before = earlier(close)
    inside = high - low
    return np.where(first_bar(close), inside, np.maximum(inside, np.maximum(np.abs(high - before), np.abs(low - before))))


@quietly
def atr(high: Floats, low: Floats, close: Floats, period: int = 14) -> Floats:
    """Return Wilder's average of the true range, in price units."""
    checked_period(period)
    return wilder(true_range(high, low, close), period)
