"""Which way a market goes, and how decidedly."""

import math
from typing import Final

import numpy as np

from core.model.market import Floats
from core.strategy.indicators.averages import wilder
from core.strategy.indicators.carried import earlier, first_bar
from core.strategy.indicators.columns import checked_columns
from core.strategy.indicators.memory import quietly, remembered
from core.strategy.indicators.ranges import atr, true_range

_AT_A_TIME: Final = 4_096
"""Bars followed together: lists of them stay in the processor's cache."""


@quietly
def plus_di(high: Floats, low: Floats, close: Floats, period: int = 14) -> Floats:
    """Return Wilder's +DI: upward movement in percent of the true range; 0 where the range is nothing."""
    high, low, close = checked_columns(high, low, close)
    up, down = high - earlier(high), earlier(low) - low
    return _share_of_range(_movement(up, down), _range(high, low, close, period), period)


@quietly
def minus_di(high: Floats, low: Floats, close: Floats, period: int = 14) -> Floats:
    """Return Wilder's −DI: downward movement in percent of the true range; 0 where the range is nothing."""
    high, low, close = checked_columns(high, low, close)
    up, down = high - earlier(high), earlier(low) - low
    return _share_of_range(_movement(down, up), _range(high, low, close, period), period)


@quietly
def adx(high: Floats, low: Floats, close: Floats, period: int = 14) -> Floats:
    """Return Wilder's average directional index, 0 … 100: how decidedly the market goes, whichever way."""
    high, low, close = checked_columns(high, low, close)
    up, down = high - earlier(high), earlier(low) - low
    ranges = _range(high, low, close, period)
    rising = _share_of_range(_movement(up, down), ranges, period)
    falling = _share_of_range(_movement(down, up), ranges, period)
    both = rising + falling
    return wilder(np.where(both == 0.0, 0.0, 100.0 * (np.abs(rising - falling) / np.where(both == 0.0, 1.0, both))), period)


def _movement(one_way: Floats, other_way: Floats) -> Floats:
    moved = np.where((one_way > other_way) & (one_way > 0.0), one_way, 0.0)
    return np.where(np.isnan(one_way + other_way), np.nan, moved)


def _range(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    # The first bar moves from nowhere: its range takes no part either.
    return wilder(np.where(first_bar(close), np.nan, true_range(high, low, close)), period)


def _share_of_range(movement: Floats, ranges: Floats, period: int) -> Floats:
    return np.where(ranges == 0.0, 0.0, 100.0 * (wilder(movement, period) / np.where(ranges == 0.0, 1.0, ranges)))


@quietly
def supertrend(high: Floats, low: Floats, close: Floats, period: int = 10, width: float = 3.0) -> Floats:
    """Return Seban's Supertrend: a stop under the price while it rises, above it while it falls.

    It follows the middle of the bar at `width` average true ranges, never backs away, and changes sides when a close
    is beyond it. It starts on the side away from the first close.
    """
    high, low, close = checked_columns(high, low, close)
    reach = width * atr(high, low, close, period)
    middle = low + (high - low) / 2.0
    return remembered(Stops).extend(middle + reach, middle - reach, close)


class Stops:
    """A stop that follows the price over a history that grows."""

    def __init__(self) -> None:
        self._above = self._below = self._close = math.nan
        self._rises: bool | None = None
        self._ended = False

    def extend(self, upper: Floats, lower: Floats, close: Floats) -> Floats:
        """Return the stops at the new bars; nan from a nan on, once it has begun."""
        stops = np.full(len(close), np.nan)
        missing = np.isnan(upper + lower + close)
        first = 0
        if self._rises is None:
            if missing.all():
                return stops
            first = int(np.argmin(missing))
        last = len(close)
        if missing[first:].any():
            last = first + int(np.argmax(missing[first:]))
        if not self._ended:
            for begin in range(first, last, _AT_A_TIME):
                cut = slice(begin, min(begin + _AT_A_TIME, last))
                stops[cut] = self._follow(upper[cut].tolist(), lower[cut].tolist(), close[cut].tolist())
        self._ended = self._ended or last < len(close)
        return stops

    def _follow(self, uppers: list[float], lowers: list[float], closes: list[float]) -> list[float]:
        above, below, before, rises = self._above, self._below, self._close, self._rises
        if rises is None:
            above, below, before = uppers[0], lowers[0], closes[0]
            rises = before >= below + (above - below) / 2.0
        stops = []
        for upper, lower, close in zip(uppers, lowers, closes, strict=True):
            if upper < above or before > above:
                above = upper
            if lower > below or before < below:
                below = lower
            rises = close >= below if rises else close > above
            stops.append(below if rises else above)
            before = close
        self._above, self._below, self._close, self._rises = above, below, before, rises
        return stops
