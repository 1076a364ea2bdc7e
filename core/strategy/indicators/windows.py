"""Figures over the last `period` values, in time that does not depend on the period.

The values are cut into blocks of `period`, counted from the first value. A window is the tail of one block and the head
of the next, so no value outside it takes part, and nothing is ever subtracted: the error is that of adding up the
window's own values. The method is van Herk's (1992) and Gil and Werman's (1993).
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from core.model.market import Floats
from core.strategy.indicators.columns import ROUNDING, checked_column, checked_period, followed
from core.strategy.indicators.memory import remembered

Kernel = Callable[[Floats, int], Floats]
"""Takes at least `period` values whose blocks start at the first; returns a figure for each window, oldest first."""

_AT_A_TIME: Final = 16_384
"""Windows whose deviations are summed together: few enough for the processor's cache."""


def over_windows(kernel: Kernel, values: Floats, period: int, least: int = 1) -> Floats:
    """Return the kernel's figure for the window that ends at each value; nan for the first `period` − 1."""
    column = checked_column(values)
    return remembered(Windows, kernel, checked_period(period, least)).extend(column)


class Windows:
    """A kernel over a history that grows. It keeps the block in which the next window begins, and what follows."""

    def __init__(self, kernel: Kernel, period: int) -> None:
        self._kernel = kernel
        self._period = period
        self._kept: Floats = np.empty(0)

    def extend(self, values: Floats) -> Floats:
        """Return the figures at the new values."""
        known, period = len(self._kept), self._period
        column = followed(self._kept, values)
        figures = np.full(len(column), np.nan)
        if len(column) >= period:
            figures[period - 1 :] = self._kernel(column, period)
        block = max(0, len(column) - period + 1) // period * period
        self._kept = column[block:].copy()
        return figures[known:]


def total(column: Floats, period: int) -> Floats:
    """Kernel: the sum."""
    blocks = _blocks(column, period)
    return _joined(np.add, blocks, blocks, len(column) - period + 1)


def highest(column: Floats, period: int) -> Floats:
    """Kernel: the highest value."""
    blocks = _blocks(column, period)
    # Which of −0 and 0 is the higher one would depend on the processor.
    return _joined(np.maximum, blocks, blocks, len(column) - period + 1) + 0.0


def lowest(column: Floats, period: int) -> Floats:
    """Kernel: the lowest value."""
    blocks = _blocks(column, period)
    return _joined(np.minimum, blocks, blocks, len(column) - period + 1) + 0.0


def weighted_total(column: Floats, period: int) -> Floats:
    """Kernel: the sum with weights 1 for the oldest value … `period` for the newest."""
    blocks = _blocks(column, period)
    return _weighted(blocks, blocks, len(column) - period + 1)


def deviation(column: Floats, period: int) -> Floats:
    """Kernel: the population standard deviation."""
    around = _anchored(column, period)
    sums = _joined(np.add, around.heads, around.tails, around.windows)
    squares = _joined(np.add, around.heads * around.heads, around.tails * around.tails, around.windows)
    variance = (squares - sums * sums / period) / period
    deviations: Floats = np.sqrt(np.maximum(variance, 0.0))
    return deviations


def distance_in_mean_deviations(column: Floats, period: int) -> Floats:
    """Kernel: how far the newest value is from the mean, in mean absolute deviations; 0 where nothing moved.

    Its time grows with the period: there is no way to add up absolute deviations from a mean that moves.
    """
    around = _anchored(column, period)
    # Taken from the anchor first: equal values deviate by exactly nothing.
    means = _joined(np.add, around.heads, around.tails, around.windows) / period
    distances = np.empty(around.windows)
    for first in range(0, around.windows, _AT_A_TIME):
        cut = slice(first, first + _AT_A_TIME)
        anchors, middle = around.anchors[cut], means[cut]
        spread = np.zeros(len(middle))
        for place in range(first, first + period):
            newest = column[place : place + len(middle)] - anchors - middle
            spread += np.abs(newest)
        still = spread <= period * ROUNDING * np.abs(anchors)
        distances[cut] = np.where(still, 0.0, newest / np.where(still, 1.0, spread / period))
    return distances


class Lines(NamedTuple):
    """Straight lines of least squares, one per window: at the newest value, their rise per bar, and r²."""

    ends: Floats
    slopes: Floats
    fits: Floats


def lines(column: Floats, period: int) -> Lines:
    """Return the line through each window; `period` must be at least 2. Source: any text on least squares."""
    around = _anchored(column, period)
    sums = _joined(np.add, around.heads, around.tails, around.windows)
    squares = _joined(np.add, around.heads * around.heads, around.tails * around.tails, around.windows)
    together = _weighted(around.heads, around.tails, around.windows) - sums * ((period + 1) / 2)
    along = period * (period * period - 1) / 12
    slopes = together / along
    across = np.maximum(squares - sums * sums / period, 0.0)
    # Where nothing moved there is nothing to explain.
    fits = np.minimum(together * slopes / np.where(across > 0.0, across, np.nan), 1.0)
    return Lines(around.anchors + sums / period + slopes * ((period - 1) / 2), slopes, fits)


class _Anchored(NamedTuple):
    """Blocks as deviations from a value inside the window, the last one of the block it starts in: nothing cancels."""

    heads: Floats
    tails: Floats
    anchors: Floats
    windows: int


def _anchored(column: Floats, period: int) -> _Anchored:
    blocks = _blocks(column, period)
    count = len(column) - period + 1
    anchors = blocks[:, -1:]
    tails = blocks - anchors
    heads = np.empty_like(blocks)
    heads[0] = 0.0
    heads[1:] = blocks[1:] - anchors[:-1]
    return _Anchored(heads, tails, np.repeat(anchors, period)[:count], count)


def _blocks(column: Floats, period: int) -> Floats:
    """Return the values in rows of `period`, the last row filled up with its last value."""
    rows = -(-len(column) // period)
    blocks = np.full(rows * period, column[-1])
    blocks[: len(column)] = column
    return blocks.reshape(rows, period)


def _joined(combine: np.ufunc, heads: Floats, tails: Floats, count: int) -> Floats:
    """Return `combine` over each window, from the tail of its first block and the head of its second; shape (count,)."""
    period = heads.shape[1]
    before: Floats = combine.accumulate(tails[:, ::-1], axis=1)[:, ::-1].ravel()
    after = combine.accumulate(heads, axis=1).ravel()
    joined = np.empty(count)
    combine(before[:count], after[period - 1 : period - 1 + count], out=joined)
    # A window that is a block has all of itself in the tail.
    joined[::period] = before[:count:period]
    return joined


def _weighted(heads: Floats, tails: Floats, count: int) -> Floats:
    """Return the sum with weights 1 … `period` over each window; shape (count,)."""
    period = heads.shape[1]
    weights = np.arange(1.0, period + 1)
    sums: Floats = np.add.accumulate(heads, axis=1).ravel()[period - 1 :][:count]
    weighted_heads = np.add.accumulate(heads * weights, axis=1).ravel()[period - 1 :][:count]
    weighted_tails = np.add.accumulate(np.add.accumulate(tails[:, ::-1], axis=1), axis=1)[:, ::-1].ravel()[:count]
    # A window that starts k values into a block is the block's tail with weights 1 … period − k, and the next
    # block's head, whose weights go on from there.
    before = np.resize(period - np.arange(period, dtype=np.float64), count)
    weighted: Floats = weighted_tails + (weighted_heads + before * sums)
    whole = np.arange(0, count, period) // period
    weighted[::period] = np.add.accumulate(tails[whole] * weights, axis=1)[:, -1]
    return weighted
