"""The bars of several symbols and timeframes, a block at a time, in the order in which they end."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from core.backtest.feeds import Feed, bars_of
from core.backtest.timeline import Timeline
from core.model.market import Bar, Instants
from core.strategy.windows import Cursor, Indicator

LAST: Final = 1
"""No other bar ends at the same time after this one."""
LATE: Final = 2
"""Outside regular hours."""
UNSEEN: Final = 4
"""Not a bar for `on_bar`: of a larger timeframe, or before the strategy is warm."""
LARGER: Final = 8
"""A bar of a larger timeframe that the strategy may see."""

Rows = Iterator[tuple[Bar, Feed, Cursor, int]]
"""Bar, its feed, the feed's cursor, and what kind of bar it is, as flags."""


def rows_of(feeds: Sequence[Feed], timeline: Timeline, block: range, indicators: Sequence[Sequence[Indicator]]) -> Rows:
    """Return the rows of a block of the timeline one by one; with `indicators` by feed.

    Makes the block the one that cursors and indicators read from; each feed's cursor stands before its first bar of it.
    """
    symbols, numbers = timeline.symbol[block.start : block.stop], timeline.bar[block.start : block.stop]
    starts, ends = np.empty(len(block), np.int64), timeline.end_ns[block.start : block.stop]
    prices = [np.empty(len(block)) for _ in range(5)]
    kinds = np.where(np.append(ends[1:] != ends[:-1], True), LAST, 0)
    for at, feed in enumerate(feeds):
        places = np.flatnonzero(symbols == at)
        if not len(places):
            continue
        market = feed.market
        begin = int(numbers[places[0]]) + market.first
        end = begin + len(places)
        _enter(feed, begin, end, indicators[at])
        starts[places] = market.bars.start_ns[begin:end]
        for column, own in zip(prices, market.bars.columns(), strict=True):
            column[places] = own[begin:end]
        is_warm = np.arange(begin, end) >= market.ready
        kinds[places] |= np.where(is_warm, 0 if feed.is_own else UNSEEN | LARGER, UNSEEN)
        if market.regular is not None:
            kinds[places] |= np.where(market.regular[begin:end], 0, LATE)
    order = [feeds[at] for at in symbols.tolist()]
    bars = map(Bar, [feed.symbol for feed in order], starts.tolist(), ends.tolist(), *[column.tolist() for column in prices])
    return zip(bars, order, [feed.cursor for feed in order], kinds.tolist(), strict=True)


def are_together(feeds: Sequence[Feed], timeline: Timeline, block: range) -> bool:
    """Tell whether at each time of a block one bar of every feed ends that the strategy sees: then they can be taken row by row."""
    count = len(feeds)
    if len(block) % count or not all(feed.is_own for feed in feeds):
        return False
    symbols = timeline.symbol[block.start : block.stop].reshape(-1, count)
    ends = timeline.end_ns[block.start : block.stop].reshape(-1, count)
    if not (symbols == np.arange(count)).all() or not (ends == ends[:, :1]).all():
        return False
    begins = [bar + feed.market.first for bar, feed in zip(timeline.bar[block.start : block.start + count].tolist(), feeds, strict=True)]
    if any(begin < feed.market.ready for begin, feed in zip(begins, feeds, strict=True)):
        return False
    # Cursors count alike within the block, also where it is the first.
    return len({begin > 0 for begin in begins}) == 1


def rows_together(
    feeds: Sequence[Feed], timeline: Timeline, block: range, indicators: Sequence[Sequence[Indicator]]
) -> Iterator[tuple[Bar, ...]]:
    """Return a block of which `are_together` is true as rows of one bar of each feed; see `rows_of`."""
    columns = []
    # Bars of a row end together, and mostly begin together: each instant is made once, and all of them hold the same.
    ends = timeline.end_ns[block.start : block.stop : len(feeds)].tolist()
    starts: list[tuple[Instants, list[int]]] = []
    for at, feed in enumerate(feeds):
        begin = int(timeline.bar[block.start + at]) + feed.market.first
        end = begin + len(block) // len(feeds)
        _enter(feed, begin, end, indicators[at])
        own = feed.market.bars.start_ns[begin:end]
        known = next((instants for array, instants in starts if np.array_equal(array, own)), None)
        if known is None:
            known = own.tolist()
            starts.append((own, known))
        columns.append(bars_of(feed.symbol, known, ends, [column[begin:end] for column in feed.market.bars.columns()]))
    return zip(*columns, strict=True)


def _enter(feed: Feed, begin: int, end: int, indicators: Sequence[Indicator]) -> None:
    # The newest bar may lie before this block: one value more keeps it readable.
    before = max(0, begin - 1)
    for indicator in indicators:
        indicator.load_block(before, end)
    feed.cursor.block = before
    feed.cursor.in_block = begin - 1 - before
