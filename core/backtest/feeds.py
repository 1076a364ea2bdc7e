"""The bars of a run, symbol by symbol and timeframe by timeframe, as the loop goes through them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

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
_NEVER_BELOW, _NEVER_ABOVE, _ALWAYS = float("-inf"), float("inf"), float("inf")


class Feed:
    """A symbol's bars of one timeframe while the run goes on, and the orders that work on them.

    `acts_below`, `acts_above`: a bar that does not go down to the one or up to the other moves no order.
    """

    __slots__ = (
        "acts_above",
        "acts_below",
        "at",
        "cursor",
        "has_grid",
        "is_own",
        "market",
        "newest",
        "symbol",
        "timeframe",
        "working",
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
        self.working: dict[str, WorkingOrder] = {}
        """By id, in the order of their submission."""
        self.acts_below = _NEVER_BELOW
        self.acts_above = _NEVER_ABOVE
        self.newest: Bar | None = None
        """The newest bar known, while a decision is carried out."""
        self.has_grid = market.instrument.tick is not None or market.instrument.lot is not None

    def add(self, order: WorkingOrder) -> None:
        """Take in a working order."""
        self.working[order.id] = order
        self._mind(order)

    def watch(self) -> None:
        """Work out again which bars can move an order: those that are gone no longer count."""
        self.acts_below, self.acts_above = _NEVER_BELOW, _NEVER_ABOVE
        for order in self.working.values():
            self._mind(order)

    def _mind(self, order: WorkingOrder) -> None:
        if not order.is_resting:
            self.acts_below = _ALWAYS
        elif order.waits_below:
            self.acts_below = max(self.acts_below, order.rests_at)
        else:
            self.acts_above = min(self.acts_above, order.rests_at)

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


class Rows:
    """A block of the timeline: bar, feed, whether it is of regular hours and whether the strategy may see it, in their order.

    Makes the block the one that cursors and indicators read from; each feed's cursor stands before its first bar of it.
    """

    __slots__ = ("_own", "_rows")

    def __init__(
        self,
        feeds: Sequence[Feed],
        symbols: NDArray[np.int32],
        numbers: NDArray[np.int64],
        indicators: Sequence[Sequence[Indicator]],
    ) -> None:
        self._own = np.asarray([feed.is_own for feed in feeds], bool)[symbols]
        n = len(symbols)
        starts, ends = np.empty(n, np.int64), np.empty(n, np.int64)
        prices = [np.empty(n) for _ in range(5)]
        regular, is_warm = np.ones(n, bool), np.empty(n, bool)
        for at, feed in enumerate(feeds):
            places = np.flatnonzero(symbols == at)
            if not len(places):
                continue
            market = feed.market
            first = int(numbers[places[0]]) + market.first
            last = first + len(places)
            # The newest bar may lie before this block: one value more keeps it readable.
            before = max(0, first - 1)
            for indicator in indicators[at]:
                indicator.load_block(before, last)
            feed.cursor.block = before
            feed.cursor.in_block = first - 1 - before
            starts[places], ends[places] = market.bars.start_ns[first:last], market.end_ns[first:last]
            for column, own in zip(prices, market.bars.columns(), strict=True):
                column[places] = own[first:last]
            if market.regular is not None:
                regular[places] = market.regular[first:last]
            is_warm[places] = np.arange(first, last) >= market.ready
        order = [feeds[at] for at in symbols.tolist()]
        bars = map(Bar, [feed.symbol for feed in order], starts.tolist(), ends.tolist(), *[column.tolist() for column in prices])
        self._rows = zip(bars, order, regular.tolist(), is_warm.tolist(), strict=True)

    def __iter__(self) -> Iterator[tuple[Bar, Feed, bool, bool]]:
        return self._rows

    def own_until(self, count: int) -> int:
        """Return how many of the first `count` rows are bars of the run's own timeframe."""
        return int(np.count_nonzero(self._own[:count]))
