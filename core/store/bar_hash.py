"""The content hash of a bar set, from the hashes of its chunks: a merge hashes only what it touches.

The same bars of the same symbol and timeframe have the same hash in every store; source and adjustment do not count.
"""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np

from core.model.market import BarSeries, bars_sha256

CHUNK_SPAN = 65_536
"""How many bars without a gap fit in a chunk. Large chunks need fewer steps to read; a merge rewrites the chunks it touches."""


def chunks_of(bars: BarSeries) -> Iterator[tuple[int, BarSeries]]:
    """Yield the bars by chunk, oldest first, each with its period: which span of equal length since 1970 it lies in."""
    periods = bars.start_ns // (CHUNK_SPAN * bars.timeframe.ns)
    for first, last in pairwise([0, *(np.flatnonzero(np.diff(periods)) + 1).tolist(), len(bars)]):
        if last > first:
            yield int(periods[first]), bars.slice(first, last)


def set_sha256(symbol: str, timeframe: str, chunks: Iterable[tuple[int, str]]) -> str:
    """Return the hash of a set from the period and `bars_sha256` of each of its chunks, oldest first."""
    lines = [f"{period} {sha256}\n" for period, sha256 in chunks]
    return hashlib.sha256(f"bar set/1\n{symbol}\n{timeframe}\n{''.join(lines)}".encode()).hexdigest()


def content_sha256(bars: BarSeries) -> str:
    """Return the hash of a whole series, as its set has it."""
    return set_sha256(bars.symbol, str(bars.timeframe), ((period, bars_sha256(chunk)) for period, chunk in chunks_of(bars)))
