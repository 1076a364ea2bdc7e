"""The bars of a run, symbol by symbol and timeframe by timeframe, as the loop goes through them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.backtest.order_book import OrderBook
from core.backtest.timeline import Timeline
from core.matching.orders import WorkingOrder
from core.model.market import Bar, BarSeries, Instants, Instrument
from core.strategy.windows import Cursor, Indicator


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One symbol of a run: its instrument, its bars, when each is known, and which are of regular hours (None: all).

    `first`: the run's first bar; those before it are known from the start, for warming up. `ready`: the first bar at whose
    end the strategy may be called. `whole`: the market that these bars were cut from, when they are cut: which bars the
    venue will hold an auction on is in its calendar, not in the prices.
    """

    instrument: Instrument
    bars: BarSeries
    end_ns: Instants
    regular: NDArray[np.bool_] | None = None
    first: int = 0
    ready: int = 0
    whole: "Market | None" = None


NEVER: Final = 2**63 - 1


class Feed:
    """A symbol's bars of one timeframe while the run goes on, and the orders that work on them."""

    __slots__ = (
        "at",
        "book",
        "cursor",
        "has_grid",
        "is_own",
        "market",
        "newest",
        "symbol",
        "timeframe",
    )

    def __init__(self, at: int, market: Market, *, is_own: bool = True) -> None:
        self.at = at
        self.market = market
        self.symbol = market.bars.symbol
        self.timeframe = str(market.bars.timeframe)
        self.is_own = is_own
        """Whether these are bars of the run's own timeframe: orders meet them, and the strategy's `on_bar` gets them."""
        self.cursor = Cursor(len(market.bars))
        self.cursor.block = market.first
        self.book = OrderBook()
        self.newest: Bar | None = None
        """The newest bar known, while a decision is carried out."""
        self.has_grid = market.instrument.tick is not None or market.instrument.lot is not None

    def last_bar_to_meet(self, order: WorkingOrder) -> int | None:
        """Return when the next bar ends, if it started before the order's end and the order can fill in it; else None.

        Bars of another symbol may tell of an instant that lies inside this one's.
        """
        market, at = self.market, self.cursor.now + 1
        if at >= len(market.bars) or not order.can_meet(int(market.bars.start_ns[at])):
            return None
        if market.regular is not None and not market.regular[at] and not order.is_extended:
            return None
        return int(market.end_ns[at])

    def carries(self, indicator: Indicator) -> bool:
        """Tell whether an indicator is computed over these bars."""
        if indicator.symbol != self.symbol:
            return False
        return self.is_own if indicator.timeframe is None else indicator.timeframe == self.timeframe

    def last_bar_of_session(self, now_ns: int, close_ns: int) -> int:
        """Return the start of the last regular bar that starts now or later and ends by `close_ns`; `NEVER` when there is none.

        The last bar of the data counts only if it reaches the close: what came after it is not known.
        """
        market = self.market.whole or self.market
        at = int(np.searchsorted(market.end_ns, close_ns, side="right")) - 1
        while at >= 0 and market.regular is not None and not market.regular[at]:
            at -= 1
        if at < 0 or market.bars.start_ns[at] < now_ns:
            return NEVER
        if at == len(market.bars) - 1 and market.end_ns[at] < close_ns:
            return NEVER
        return int(market.bars.start_ns[at])


def bars_of(symbol: str, market: Market, first: int, last: int) -> Iterator[Bar]:
    """Return bars `first` to `last` (exclusive) one by one, made when they are reached."""
    columns = [column[first:last].tolist() for column in market.bars.columns()]
    return map(Bar, repeat(symbol), market.bars.start_ns[first:last].tolist(), market.end_ns[first:last].tolist(), *columns)


LAST: Final = 1
"""No other bar ends at the same time after this one."""
LATE: Final = 2
"""Outside regular hours."""
UNSEEN: Final = 4
"""Not a bar for `on_bar`: of a larger timeframe, or before the strategy is warm."""
LARGER: Final = 8
"""A bar of a larger timeframe that the strategy may see."""


def rows_of(
    feeds: Sequence[Feed], timeline: Timeline, first: int, last: int, next_end_ns: int, indicators: Sequence[Sequence[Indicator]]
) -> Iterator[tuple[Bar, Feed, Cursor, int]]:
    """Return rows `first` to `last` (exclusive) of the timeline: bar, feed, its cursor, and what kind of bar it is, as flags.

    Makes the block the one that cursors and indicators read from; each feed's cursor stands before its first bar of it.
    `next_end_ns`: when the bar after the block ends.
    """
    symbols, numbers = timeline.symbol[first:last], timeline.bar[first:last]
    n = last - first
    starts, ends = np.empty(n, np.int64), timeline.end_ns[first:last]
    prices = [np.empty(n) for _ in range(5)]
    kinds = np.where(np.append(ends[1:], next_end_ns) != ends, LAST, 0)
    for at, feed in enumerate(feeds):
        places = np.flatnonzero(symbols == at)
        if not len(places):
            continue
        market = feed.market
        begin = int(numbers[places[0]]) + market.first
        end = begin + len(places)
        # The newest bar may lie before this block: one value more keeps it readable.
        before = max(0, begin - 1)
        for indicator in indicators[at]:
            indicator.load_block(before, end)
        feed.cursor.block = before
        feed.cursor.in_block = begin - 1 - before
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
