"""Levels of merged bars: each level holds a quarter of the slots of the one below. numpy only, no Qt.

A *slot* is a place on the time axis, one bar wide. A group of level `k` covers the slots `[key·4ᵏ, (key+1)·4ᵏ)`, so that
groups stand on the axis, not on the count of bars: a hole in the data never moves a bar into another group's place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FACTOR: Final = 4
_SMALLEST_LEVEL: Final = 64
"""A level with fewer groups than this saves nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A cut through the pyramid: `group` slots to a column; column `i` merges `level`'s entries from `starts[i]` to `starts[i+1]`.

    `slot`: int64, the first slot of each column. `starts`, `ends`: int64, counted from `first` in the level.
    Columns without any entry are absent.
    """

    level: int
    group: int
    first: int
    last: int
    slot: Ints
    starts: Ints
    ends: Ints

    def __len__(self) -> int:
        return len(self.slot)

    def highest(self, levels: Sequence[Floats]) -> Floats:
        """Return the largest value of each column, nan only where all are."""
        cut = levels[self.level][self.first : self.last]
        return cut if len(cut) == len(self.starts) else np.fmax.reduceat(cut, self.starts)

    def lowest(self, levels: Sequence[Floats]) -> Floats:
        """Return the smallest value of each column, nan only where all are."""
        cut = levels[self.level][self.first : self.last]
        return cut if len(cut) == len(self.starts) else np.fmin.reduceat(cut, self.starts)

    def total(self, levels: Sequence[Floats]) -> Floats:
        """Return the sum of each column."""
        cut = levels[self.level][self.first : self.last]
        return cut if len(cut) == len(self.starts) else np.add.reduceat(cut, self.starts)

    def opening(self, levels: Sequence[Floats]) -> Floats:
        """Return the first value of each column."""
        return levels[self.level][self.first + self.starts]

    def closing(self, levels: Sequence[Floats]) -> Floats:
        """Return the last value of each column."""
        return levels[self.level][self.first + self.ends - 1]


class Grid:
    """Which entries each group of each level merges, for entries at ascending `slots` (int64; equal ones share a slot)."""

    def __init__(self, slots: Ints) -> None:
        self.keys: list[Ints] = [slots]
        self.starts: list[Ints] = []
        """`starts[k]`: where each group of level `k + 1` begins in level `k`."""
        n = len(slots)
        # Without holes a level is a plain stride, many times faster than a scan for borders.
        self.contiguous = n > 0 and int(slots[0]) == 0 and int(slots[-1]) == n - 1
        while len(self.keys[-1]) > _SMALLEST_LEVEL:
            below = self.keys[-1]
            if self.contiguous:
                starts = np.arange(0, len(below), FACTOR, dtype=np.int64)
                keys = np.arange(len(starts), dtype=np.int64)
            else:
                quarter = below // FACTOR
                starts = np.flatnonzero(np.concatenate(([True], quarter[1:] != quarter[:-1]))).astype(np.int64)
                keys = quarter[starts]
            self.starts.append(starts)
            self.keys.append(keys)

    def maxima(self, values: Floats) -> list[Floats]:
        """Return `values` and its largest by group, level by level."""
        return self._reduced(values, np.fmax)

    def minima(self, values: Floats) -> list[Floats]:
        """Return `values` and its smallest by group, level by level."""
        return self._reduced(values, np.fmin)

    def sums(self, values: Floats) -> list[Floats]:
        """Return `values` and its sum by group, level by level."""
        return self._reduced(values, np.add)

    def firsts(self, values: Floats) -> list[Floats]:
        """Return `values` and its first by group, level by level."""
        levels = [values]
        for starts in self.starts:
            levels.append(np.ascontiguousarray(levels[-1][::FACTOR]) if self.contiguous else levels[-1][starts])
        return levels

    def lasts(self, values: Floats) -> list[Floats]:
        """Return `values` and its last by group, level by level."""
        levels = [values]
        for starts in self.starts:
            ends = np.append(starts[1:], len(levels[-1])) - 1
            levels.append(levels[-1][ends])
        return levels

    def _reduced(self, values: Floats, ufunc: np.ufunc) -> list[Floats]:
        levels = [values]
        for starts in self.starts:
            below = levels[-1]
            if not self.contiguous:
                levels.append(ufunc.reduceat(below, starts))
                continue
            whole = len(below) // FACTOR * FACTOR
            merged = ufunc(ufunc(below[0:whole:4], below[1:whole:4]), ufunc(below[2:whole:4], below[3:whole:4]))
            if whole < len(below):
                merged = np.append(merged, ufunc.reduce(below[whole:]))
            levels.append(merged)
        return levels

    def columns(self, left: float, right: float, group: int) -> Columns:
        """Return the columns that touch the slots `[left, right)`, `group` slots or slightly more to a column.

        The group is rounded up to what a level can give without splitting one of its groups; columns stand on multiples of it,
        so that they stay the same while a reader pans.
        """
        group, level = round_group(group)
        level = min(level, len(self.starts))
        per_column = group // FACTOR**level
        keys = self.keys[level]
        first_key = int(np.floor(left / group)) * per_column
        last_key = int(np.ceil(right / group)) * per_column
        first, last = (int(edge) for edge in np.searchsorted(keys, (first_key, last_key)))
        column = keys[first:last] // per_column
        if len(column) == 0:
            starts = np.empty(0, np.int64)
        elif per_column == 1 and self.contiguous:
            starts = np.arange(len(column), dtype=np.int64)
        else:
            starts = np.flatnonzero(np.concatenate(([True], column[1:] != column[:-1]))).astype(np.int64)
        return Columns(
            level=level,
            group=group,
            first=first,
            last=last,
            slot=column[starts] * group,
            starts=starts,
            ends=np.append(starts[1:], len(column)).astype(np.int64) if len(starts) else starts,
        )


def round_group(group: int) -> tuple[int, int]:
    """Return the least number of slots, not below `group`, that a level can merge from 4 to 16 of its groups, and that level.

    Depends on nothing but `group`: curves of any length stand in the same columns.
    """
    level, per_column = 0, max(1, group)
    while per_column > FACTOR * FACTOR:
        level += 1
        per_column = -(-per_column // FACTOR)
    return per_column * FACTOR**level, level


class Envelope:
    """The lowest and the highest of a curve, level by level, on a grid. nan is a hole."""

    def __init__(self, grid: Grid, values: Floats) -> None:
        self.grid = grid
        self.values = values
        self.low = grid.minima(values)
        self.high = grid.maxima(values)


def finite_range(parts: Iterable[Floats]) -> tuple[float, float] | None:
    """Return the smallest and the largest finite value of all parts, or None without any."""
    low, high = np.inf, -np.inf
    for part in parts:
        finite = part[np.isfinite(part)]
        if len(finite):
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return (low, high) if low <= high else None
