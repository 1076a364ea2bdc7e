"""Operations that carry something along the whole history: averages that never forget, sums, values of earlier bars."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.model.market import Floats
from core.strategy.indicators.columns import followed
from core.strategy.indicators.memory import remembered

CHUNK: Final = 8_192
"""Values smoothed at a time; the chunks start at fixed places, so that a shorter history gives the same bits."""

_NO_WEIGHT: Final = 1e-30
"""What is multiplied by less does not count."""


def smoothed(values: Floats, period: int, weight: float) -> Floats:
    """Return level = level + weight × (value − level), started at the mean of the first `period` values.

    It begins at the first value that is no nan, and is nan from a later nan on.
    """
    return remembered(Smoothing, period, weight).extend(values)


def earlier(values: Floats, bars: int = 1) -> Floats:
    """Return the value of `bars` bars before; nan where there is none."""
    return remembered(Earlier, bars).extend(values)


def first_bar(values: Floats) -> NDArray[np.bool_]:
    """Tell for each value whether it is the first of the history."""
    return remembered(FirstBar).extend(values)


def running_total(values: Floats, begins: NDArray[np.bool_]) -> Floats:
    """Return the sum since the last bar that begins a new one. A nan lasts until then."""
    return remembered(RunningTotal).extend(values, begins)


class Smoothing:
    """An exponential average over a history that grows. It keeps the level before the chunk and the chunk's values."""

    def __init__(self, period: int, weight: float) -> None:
        self._period = period
        self._weight = weight
        self._level: float | None = None
        self._kept: Floats = np.empty(0)
        self._begun = self._ended = False

    def extend(self, values: Floats) -> Floats:
        """Return the levels at the new values."""
        levels = np.full(len(values), np.nan)
        missing = np.isnan(values)
        if self._ended or (not self._begun and missing.all()):
            return levels
        first = 0 if self._begun else int(np.argmin(missing))
        self._begun = True
        last = len(values)
        if missing[first:].any():
            last = first + int(np.argmax(missing[first:]))
            self._ended = True
        levels[first:last] = self._on(values[first:last])
        return levels

    def _on(self, values: Floats) -> Floats:
        known, begin = len(self._kept), 0
        column = followed(self._kept, values)
        levels = np.full(len(column), np.nan)
        if self._level is None and len(column) >= self._period:
            begin = self._period
            self._level = float(np.add.accumulate(column[:begin])[-1]) / begin
            levels[begin - 1] = self._level
        if self._level is not None:
            while begin < len(column):
                chunk = self._chunk(column[begin : begin + CHUNK], self._level)
                levels[begin : begin + CHUNK] = chunk
                if len(chunk) < CHUNK:
                    break
                begin += CHUNK
                self._level = float(chunk[-1])
        self._kept = column[begin:].copy()
        return levels[known:]

    def _chunk(self, values: Floats, level: float) -> Floats:
        keep = 1.0 - self._weight
        chunk = self._weight * values
        chunk[0] += keep * level
        # Each pass doubles how far back the sum reaches, until what is left has no weight.
        reach, factor = 1, keep
        while reach < len(chunk) and factor > _NO_WEIGHT:
            chunk[reach:] += factor * chunk[:-reach]
            reach, factor = 2 * reach, factor * factor
        return chunk


class Earlier:
    """The values of some bars before."""

    def __init__(self, bars: int) -> None:
        self._bars = bars
        self._kept: Floats = np.empty(0)

    def extend(self, values: Floats) -> Floats:
        """Return what was `bars` bars before each new value."""
        column = followed(self._kept, values)
        found = np.full(len(values), np.nan)
        there = min(max(0, len(column) - self._bars), len(values))
        begin = max(0, len(column) - self._bars - len(values))
        found[len(values) - there :] = column[begin : begin + there]
        self._kept = column[-self._bars :].copy()
        return found


class FirstBar:
    """Which value is the first of all."""

    def __init__(self) -> None:
        self._seen = False

    def extend(self, values: Floats) -> NDArray[np.bool_]:
        """Tell it of the new values."""
        first = np.zeros(len(values), np.bool_)
        first[:1] = not self._seen
        self._seen = self._seen or len(values) > 0
        return first


class RunningTotal:
    """A sum that begins anew where it is told to."""

    def __init__(self) -> None:
        self._sum = 0.0

    def extend(self, values: Floats, begins: NDArray[np.bool_]) -> Floats:
        """Return the sums at the new values."""
        sums = values.copy()
        if not len(sums):
            return sums
        if not begins[0]:
            sums[0] += self._sum
        edges = np.concatenate(([0], np.flatnonzero(begins[1:]) + 1, [len(sums)]))
        longer = np.flatnonzero(np.diff(edges) > 1)
        for first, last in zip(edges[longer].tolist(), edges[longer + 1].tolist(), strict=True):
            sums[first:last] = np.add.accumulate(sums[first:last])
        self._sum = float(sums[-1])
        return sums
