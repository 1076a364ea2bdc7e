"""Price and volume together. The typical price is (high + low + close) / 3."""

import numpy as np

from core.model.market import Floats
from core.strategy.indicators.carried import earlier, first_bar, running_total
from core.strategy.indicators.columns import ROUNDING, checked_columns, checked_period
from core.strategy.indicators.memory import quietly
from core.strategy.indicators.windows import over_windows, total


@quietly
def vwap(high: Floats, low: Floats, close: Floats, volume: Floats, session: Floats) -> Floats:
    """Return the volume-weighted average of the typical price since the session began; nan before its first volume.

    `session` is the column of that name: a number per bar that changes where a session begins.
    """
    high, low, close, volume, session = checked_columns(high, low, close, volume, session)
    begins = session != earlier(session)
    traded = running_total(volume, begins)
    paid = running_total((high + low + close) / 3.0 * volume, begins)
    return paid / np.where(traded == 0.0, np.nan, traded)


@quietly
def rolling_vwap(high: Floats, low: Floats, close: Floats, volume: Floats, period: int = 20) -> Floats:
    """Return the volume-weighted average of the typical price over the last `period` bars; nan where nothing traded."""
    high, low, close, volume = checked_columns(high, low, close, volume)
    traded = over_windows(total, volume, period)
    return over_windows(total, (high + low + close) / 3.0 * volume, period) / np.where(traded == 0.0, np.nan, traded)


@quietly
def obv(close: Floats, volume: Floats) -> Floats:
    """Return Granville's on-balance volume: the volume of rising bars − that of falling ones, from 0 at the first bar."""
    close, volume = checked_columns(close, volume)
    first = first_bar(close)
    steps = np.sign(close - np.where(first, close, earlier(close))) * volume
    return running_total(steps, first)


@quietly
def mfi(high: Floats, low: Floats, close: Floats, volume: Floats, period: int = 14) -> Floats:
    """Return the money flow index, 0 … 100: like `rsi`, of typical price × volume; 50 where nothing flowed."""
    high, low, close, volume = checked_columns(high, low, close, volume)
    checked_period(period)
    price = (high + low + close) / 3.0
    change = price - earlier(price)
    flow = price * volume
    unknown = np.isnan(change + flow)
    least = ROUNDING * np.abs(price)
    gained = over_windows(total, np.where(unknown, np.nan, np.where(change > least, flow, 0.0)), period)
    moved = gained + over_windows(total, np.where(unknown, np.nan, np.where(change < -least, flow, 0.0)), period)
    return np.where(moved == 0.0, 50.0, 100.0 * (gained / np.where(moved == 0.0, 1.0, moved)))
