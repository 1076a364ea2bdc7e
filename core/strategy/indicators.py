"""Indicators as functions of arrays: float64 in, float64 of the same length out, nan until there is enough.

Value i depends on inputs 0 … i only, to the last bit: on a shorter history the values are identical, not just close.
Time and memory grow with the number of values, not with the period. Formulas: docs/indicators.md.

A window that holds a nan gives nan; later windows are not touched by it. An average that remembers all its past (`ema`,
`wilder`, `rsi`, `atr`, `macd`) skips nans at the start and is nan from a later nan on.
"""

from typing import Final

import numpy as np

from core.errors import InvalidValue
from core.model.market import Floats

_CHUNK: Final = 8_192
"""Values smoothed at a time; the chunks start at fixed places, so that a shorter history gives the same bits."""


def sma(values: Floats, period: int) -> Floats:
    """Return the simple moving average of the last `period` values."""
    return _over_windows(np.add, values, period) / period


def wma(values: Floats, period: int) -> Floats:
    """Return the moving average with weights 1, 2 … `period`, the newest value weighing most."""
    column = _column(values, period)
    result = np.full(len(column), np.nan)
    if len(column) < period:
        return result
    with np.errstate(invalid="ignore", over="ignore"):
        blocks = _blocks(column, period)
        count = len(column) - period + 1
        heads = np.add.accumulate(blocks, axis=1).ravel()[period - 1 :][:count]
        weighted_heads = np.add.accumulate(blocks * np.arange(1.0, period + 1), axis=1)
        weighted_tails = np.add.accumulate(np.add.accumulate(blocks[:, ::-1], axis=1), axis=1)[:, ::-1].ravel()[:count]
        # A window that starts k values into a block is the block's tail with weights 1 … period − k, and the next
        # block's head, whose weights go on from there.
        before = np.resize(period - np.arange(period, dtype=np.float64), count)
        total = weighted_tails + (weighted_heads.ravel()[period - 1 :][:count] + before * heads)
        total[::period] = weighted_heads[: len(total[::period]), -1]
        result[period - 1 :] = total / (period * (period + 1) / 2)
    return result


def ema(values: Floats, period: int) -> Floats:
    """Return the exponential average with weight 2 / (period + 1), started at the mean of the first `period` values."""
    return _smoothed(_column(values, period), period, 2.0 / (period + 1))


def wilder(values: Floats, period: int) -> Floats:
    """Return Wilder's average: exponential with weight 1 / period, started at the mean of the first `period` values."""
    return _smoothed(_column(values, period), period, 1.0 / period)


def rolling_high(values: Floats, period: int) -> Floats:
    """Return the highest of the last `period` values."""
    return _over_windows(np.maximum, values, period)


def rolling_low(values: Floats, period: int) -> Floats:
    """Return the lowest of the last `period` values."""
    return _over_windows(np.minimum, values, period)


def rolling_std(values: Floats, period: int) -> Floats:
    """Return the population standard deviation of the last `period` values (divided by `period`, not `period` − 1)."""
    column = _column(values, period)
    result = np.full(len(column), np.nan)
    if len(column) < period:
        return result
    with np.errstate(invalid="ignore", over="ignore"):
        blocks = _blocks(column, period)
        count = len(column) - period + 1
        # Deviations are taken from a value inside the window, the last one of the block it starts in: nothing cancels.
        anchors = blocks[:, -1:]
        tail = blocks - anchors
        head = np.empty_like(blocks)
        head[0] = 0.0
        head[1:] = blocks[1:] - anchors[:-1]
        sums = _joined(np.add, head, tail, period, count)
        squares = _joined(np.add, head * head, tail * tail, period, count)
        variance = (squares - sums * sums / period) / period
        result[period - 1 :] = np.sqrt(np.maximum(variance, 0.0))
    return result


def bollinger_upper(values: Floats, period: int, width: float = 2.0) -> Floats:
    """Return the upper Bollinger band: simple average + `width` population standard deviations."""
    return sma(values, period) + width * rolling_std(values, period)


def bollinger_lower(values: Floats, period: int, width: float = 2.0) -> Floats:
    """Return the lower Bollinger band: simple average − `width` population standard deviations."""
    return sma(values, period) - width * rolling_std(values, period)


def zscore(values: Floats, period: int) -> Floats:
    """Return the distance from the simple average in population standard deviations; nan where nothing moves."""
    spread = rolling_std(values, period)
    with np.errstate(invalid="ignore"):
        return (np.asarray(values, np.float64) - sma(values, period)) / np.where(spread > 0.0, spread, np.nan)


def rsi(values: Floats, period: int = 14) -> Floats:
    """Return Wilder's relative strength index, 0 … 100; 50 where nothing moved. The first value is at index `period`."""
    column = _column(values, period)
    if not len(column):
        return np.full(0, np.nan)
    changes = np.full(len(column), np.nan)
    with np.errstate(invalid="ignore"):
        changes[1:] = np.diff(column)
        gain = _smoothed(np.maximum(changes, 0.0), period, 1.0 / period)
        loss = _smoothed(np.maximum(-changes, 0.0), period, 1.0 / period)
        moved = gain + loss
        return np.where(moved == 0.0, 50.0, 100.0 * (gain / np.where(moved == 0.0, 1.0, moved)))


def true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    """Return the true range: the bar's range extended to the close before it; the first bar's is high − low."""
    high, low, close = (np.asarray(column, np.float64) for column in (high, low, close))
    with np.errstate(invalid="ignore"):
        ranges = high - low
        before = close[:-1]
        ranges[1:] = np.maximum(ranges[1:], np.maximum(np.abs(high[1:] - before), np.abs(low[1:] - before)))
    return ranges


def atr(high: Floats, low: Floats, close: Floats, period: int = 14) -> Floats:
    """Return Wilder's average of the true range, in price units."""
    return wilder(true_range(high, low, close), period)


def macd(values: Floats, fast: int = 12, slow: int = 26) -> Floats:
    """Return the fast exponential average − the slow one."""
    return ema(values, fast) - ema(values, slow)


def _column(values: Floats, period: int) -> Floats:
    if isinstance(period, bool) or not isinstance(period, (int, np.integer)):
        raise InvalidValue("period", repr(period), "it must be a whole number.")
    if period < 1:
        raise InvalidValue("period", period, "it must be at least 1.")
    return np.ascontiguousarray(values, np.float64)


def _blocks(column: Floats, period: int) -> Floats:
    """Return the values in rows of `period`, the last row filled up with its last value."""
    rows = -(-len(column) // period)
    blocks = np.full(rows * period, column[-1])
    blocks[: len(column)] = column
    return blocks.reshape(rows, period)


def _joined(combine: np.ufunc, heads: Floats, tails: Floats, period: int, count: int) -> Floats:
    """Return `combine` over each window of `period`, from deviations of its two blocks; shape (count,).

    A window is the tail of one block and the head of the next, so no value outside it takes part, and nothing is ever
    subtracted: the error is that of adding up the window's own values. The method is van Herk's and Gil and Werman's.
    """
    before = combine.accumulate(tails[:, ::-1], axis=1)[:, ::-1].ravel()
    after = combine.accumulate(heads, axis=1).ravel()
    joined = np.empty(count)
    combine(before[:count], after[period - 1 : period - 1 + count], out=joined)
    # A window that is a block has all of itself in the tail.
    joined[::period] = before[:count:period]
    return joined


def _over_windows(combine: np.ufunc, values: Floats, period: int) -> Floats:
    column = _column(values, period)
    result = np.full(len(column), np.nan)
    if len(column) >= period:
        with np.errstate(invalid="ignore", over="ignore"):
            blocks = _blocks(column, period)
            result[period - 1 :] = _joined(combine, blocks, blocks, period, len(column) - period + 1)
    return result


def _smoothed(column: Floats, period: int, weight: float) -> Floats:
    """Return level = level + weight × (value − level), started at the mean of the first `period` values that are no nan."""
    result = np.full(len(column), np.nan)
    missing = np.isnan(column)
    begin = int(np.argmin(missing)) if len(column) else 0
    start = begin + period - 1
    if start >= len(column) or missing[begin]:
        return result
    keep = 1.0 - weight
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        result[start] = level = float(np.add.accumulate(column[begin : start + 1])[-1]) / period
        for first in range(start + 1, len(column), _CHUNK):
            chunk = weight * column[first : first + _CHUNK]
            chunk[0] += keep * level
            # Each pass doubles how far back the sum reaches, until what is left has no weight.
            reach, factor = 1, keep
            while reach < len(chunk) and factor > 1e-30:
                chunk[reach:] += factor * chunk[:-reach]
                reach, factor = 2 * reach, factor * factor
            result[first : first + _CHUNK] = chunk
            level = float(chunk[-1])
    missing[:begin] = False
    if missing.any():
        result[int(np.argmax(missing)) :] = np.nan
    return result
