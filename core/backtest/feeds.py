"""The bars of a run, symbol by symbol and timeframe by timeframe, as the loop goes through them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.backtest.order_book import OrderBook
from core.matching.orders import WorkingOrder
from core.model.market import Bar, BarSeries, Floats, Instants, Instrument
from core.strategy.windows import Cursor, Indicator


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One symbol of a run: its instrument, its bars, when each is known, and which are of regular hours (None: all).

    `first`: the run's first bar; those before it are known from the start, for warming up. `ready`: the first bar at whose
    end the strategy may be called. `whole`: the market that these bars were cut from, when they are cut: which bars the
    venue will hold an auction on is in its calendar, not in the prices. `finer`: the smaller bars that these were made of,
    where orders meet those: the strategy never sees them.
    """

    instrument: Instrument
    bars: BarSeries
    end_ns: Instants
    regular: NDArray[np.bool_] | None = None
    first: int = 0
    ready: int = 0
    whole: "Market | None" = None
    finer: "Market | None" = None

    def bar(self, at: int) -> Bar:
        """Return one bar."""
        bars = self.bars
        return Bar(bars.symbol, int(bars.start_ns[at]), int(self.end_ns[at]), *(float(column[at]) for column in bars.columns()))


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
        "meets",
        "newest",
        "symbol",
        "timeframe",
    )

    def __init__(self, at: int, market: Market, *, is_own: bool = True, is_finer: bool = False) -> None:
        self.at = at
        self.market = market
        self.symbol = market.bars.symbol
        self.timeframe = str(market.bars.timeframe)
        self.is_own = is_own
        """Whether these are bars of the run's own timeframe: the strategy's `on_bar` gets them."""
        self.meets = is_finer or (is_own and market.finer is None)
        """Whether orders meet these bars: those of the run's own timeframe, or the finer ones that they were made of."""
        self.cursor = Cursor(len(market.bars))
        self.cursor.block = market.first
        self.book = OrderBook()
        self.newest: Bar | None = None
        """The newest bar known, while a decision is carried out."""
        self.has_grid = market.instrument.tick is not None or market.instrument.lot is not None

    @property
    def is_regular(self) -> bool:
        """Whether its newest bar is of regular hours."""
        regular = self.market.regular
        return regular is None or bool(regular[self.cursor.now])

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


def bars_of(symbol: str, starts: list[int], ends: list[int], columns: Sequence[Floats]) -> Iterator[Bar]:
    """Return a symbol's bars one by one, made when they are reached. `columns`: open, high, low, close, volume, as long as the times."""
    return map(Bar, repeat(symbol), starts, ends, *[column.tolist() for column in columns])
