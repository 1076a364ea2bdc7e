"""A broker for trying things out: driven by hand, with every fault as a switch, and kept in a file if it is to outlive us."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from core.brokers.exchange import Books, Exchange
from core.brokers.faults import Faults
from core.brokers.inside import InsideBroker, OnTick
from core.model.broker import BarKind, LiveBar, OrderUpdate, Quote, Tick, Watch
from core.model.instants import MINUTE_NS
from core.model.market import Bar, BarSeries, Timeframe
from core.model.money import exact
from core.model.run import AccountTerms


class HandFeed:
    """Prices and minutes as they are given by hand."""

    source: Final = "fake"

    def __init__(self) -> None:
        self._bars: dict[str, list[Bar]] = {}
        self._listeners: list[tuple[Watch, OnTick]] = []

    def symbols(self) -> tuple[str, ...]:
        """See `core.brokers.inside.Feed`."""
        return tuple(self._bars)

    def last(self, symbol: str) -> tuple[int, Decimal] | None:
        """See `core.brokers.inside.Feed`."""
        bars = self._bars.get(symbol)
        return (bars[-1].end_ns, exact(bars[-1].close)) if bars else None

    def bars(self, symbol: str, start_ns: int, end_ns: int) -> BarSeries:
        """See `core.brokers.inside.Feed`."""
        found = [bar for bar in self._bars.get(symbol, ()) if start_ns <= bar.start_ns < end_ns]
        columns = np.array([(bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in found], np.float64).reshape(-1, 5)
        starts = np.array([bar.start_ns for bar in found], np.int64)
        return BarSeries.from_columns(symbol, Timeframe(MINUTE_NS), starts, *(columns[:, at].copy() for at in range(5)))

    def listen(self, watch: Watch, on_tick: OnTick) -> Callable[[], None]:
        """See `core.brokers.inside.Feed`."""
        entry = (watch, on_tick)
        self._listeners.append(entry)
        return lambda: self._listeners.remove(entry)

    def add(self, bar: Bar, *, silently: bool = False) -> None:
        """Let a minute be over; `silently`: only the history knows of it."""
        self._bars.setdefault(bar.symbol, []).append(bar)
        if not silently:
            self.tell(LiveBar(bar=bar, kind=BarKind.FINAL))

    def tell(self, tick: Tick) -> None:
        """Tell whoever watches for it."""
        for watch, on_tick in tuple(self._listeners):
            if isinstance(tick, LiveBar):
                wanted = tick.bar.symbol in watch.bars
            else:
                wanted = tick.symbol in (watch.quotes if isinstance(tick, Quote) else watch.trades)
            if wanted:
                on_tick(tick)


class FakeBroker(InsideBroker):
    """An account whose market moves by `exchange.show` and `exchange.execute`, and whose minutes come from `feed.add`.

    With a `path` its books are in that file after each change, and a later one on the same path goes on with them.
    """

    def __init__(
        self, now_ns: Callable[[], int], *, cash: Decimal = Decimal(1_000_000), path: Path | None = None, terms: AccountTerms | None = None
    ) -> None:
        books = Books(number="FAKE", cash=cash)
        if path is not None and path.exists():
            books = msgspec.json.decode(path.read_bytes(), type=Books)
        self.feed: Final = HandFeed()
        exchange = Exchange(books, now_ns, terms)
        super().__init__(exchange, self.feed, Faults(), now_ns)
        if path is not None:
            kept = path

            def keep(_: OrderUpdate) -> None:
                kept.write_bytes(msgspec.json.encode(exchange.books()))

            exchange.listeners.insert(0, keep)
