"""The order in which the bars of several symbols end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.model.market import Instants


@dataclass(frozen=True, slots=True)
class Timeline:
    """All bars of a run by end, then by symbol in the run's order.

    `symbol` and `bar`: int32/int64, shape (all bars,): which symbol's which bar comes next. `end_ns`: when it ends.
    `times_ns`: int64, shape (decision times,): each end once, ascending.
    """

    symbol: NDArray[np.int32]
    bar: NDArray[np.int64]
    end_ns: Instants
    times_ns: Instants

    def blocks(self, size: int) -> Iterator[range]:
        """Return spans of about `size` bars that together are all of them; none ends between bars that end at the same time."""
        first, total = 0, len(self.end_ns)
        while first < total:
            last = min(first + size, total)
            last = int(np.searchsorted(self.end_ns, self.end_ns[last - 1], side="right"))
            yield range(first, last)
            first = last


def merge(ends: Sequence[Instants]) -> Timeline:
    """Merge the ends of each symbol's bars, each ascending."""
    all_ends = np.concatenate(ends)
    symbols = np.concatenate([np.full(len(own), at, np.int32) for at, own in enumerate(ends)])
    bars = np.concatenate([np.arange(len(own), dtype=np.int64) for own in ends])
    order = np.lexsort((symbols, all_ends))
    sorted_ends = all_ends[order]
    return Timeline(symbols[order], bars[order], sorted_ends, distinct(sorted_ends))


def distinct(ascending: Instants) -> Instants:
    """Return each value once. `np.unique` would hash them, holding the interpreter for seconds where instants are round numbers."""
    is_new = np.ones(len(ascending), np.bool_)
    np.not_equal(ascending[1:], ascending[:-1], out=is_new[1:])
    return ascending[is_new]
