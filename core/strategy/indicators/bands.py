"""Bands and channels around the price, in price units unless said otherwise."""

import numpy as np

from core.model.market import Floats
from core.strategy.indicators.averages import ema, sma
from core.strategy.indicators.columns import checked_column, checked_columns, checked_period
from core.strategy.indicators.memory import quietly
from core.strategy.indicators.ranges import atr
from core.strategy.indicators.rolling import rolling_high, rolling_low, rolling_std


@quietly
def bollinger_upper(values: Floats, period: int = 20, width: float = 2.0) -> Floats:
    """Return the upper Bollinger band: simple average + `width` population standard deviations."""
    return sma(values, period) + width * rolling_std(values, period)


@quietly
def bollinger_middle(values: Floats, period: int = 20) -> Floats:
    """Return the middle Bollinger band: the simple average."""
    return sma(values, period)


@quietly
def bollinger_lower(values: Floats, period: int = 20, width: float = 2.0) -> Floats:
    """Return the lower Bollinger band: simple average − `width` population standard deviations."""
    return sma(values, period) - width * rolling_std(values, period)


@quietly
def bollinger_percent_b(values: Floats, period: int = 20, width: float = 2.0) -> Floats:
    """Return where the value is between the bands: 0 at the lower, 1 at the upper one; nan where they meet."""
    reach = width * rolling_std(values, period)
    return 0.5 + (checked_column(values) - sma(values, period)) / (2.0 * np.where(reach == 0.0, np.nan, reach))


@quietly
def bollinger_bandwidth(values: Floats, period: int = 20, width: float = 2.0) -> Floats:
    """Return the distance between the bands as a fraction of the middle one; nan where that is 0."""
    middle = sma(values, period)
    return 2.0 * width * rolling_std(values, period) / np.where(middle == 0.0, np.nan, middle)


@quietly
def donchian_upper(high: Floats, period: int = 20) -> Floats:
    """Return the highest high of the last `period` bars, this one included; read `[-2]` for a breakout."""
    return rolling_high(high, period)


@quietly
def donchian_lower(low: Floats, period: int = 20) -> Floats:
    """Return the lowest low of the last `period` bars, this one included; read `[-2]` for a breakout."""
    return rolling_low(low, period)


@quietly
def donchian_middle(high: Floats, low: Floats, period: int = 20) -> Floats:
    """Return the middle between the highest high and the lowest low of the last `period` bars."""
    high, low = checked_columns(high, low)
    top, bottom = rolling_high(high, period), rolling_low(low, period)
    return bottom + (top - bottom) / 2.0


@quietly
def keltner_upper(high: Floats, low: Floats, close: Floats, period: int = 20, width: float = 2.0, atr_period: int = 10) -> Floats:
    """Return the upper Keltner band: exponential average of the closes + `width` average true ranges."""
    middle = keltner_middle(close, period)
    return middle + width * atr(high, low, close, checked_period(atr_period, name="atr_period"))


@quietly
def keltner_middle(close: Floats, period: int = 20) -> Floats:
    """Return the middle of the Keltner bands: the exponential average of the closes."""
    return ema(close, period)


@quietly
def keltner_lower(high: Floats, low: Floats, close: Floats, period: int = 20, width: float = 2.0, atr_period: int = 10) -> Floats:
    """Return the lower Keltner band: exponential average of the closes − `width` average true ranges."""
    middle = keltner_middle(close, period)
    return middle - width * atr(high, low, close, checked_period(atr_period, name="atr_period"))
