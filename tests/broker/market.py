"""A market behind the fake broker: a bar of each symbol a minute, by a clock that a test can move."""

import asyncio
import contextlib
from collections.abc import Iterator

from core.brokers.alpaca.fields import text_of_instant
from core.clock import calendar
from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from core.model.market import asset_class_of
from tests.broker.book import Document
from tests.broker.server import FakeBroker
from tests.broker.shared_clock import LOOK_S, SharedClock


class Market:
    """Lets the market of a fake broker go on. Prices rise and fall in turn; outside the sessions equities trade as well."""

    def __init__(self, server: FakeBroker, clock: SharedClock, prices: dict[str, float], *, days: int = 8) -> None:
        self._server = server
        self._clock = clock
        self._prices = prices
        self._days = days
        self.told_ns = 0
        self.hidden: set[int] = set()
        """Starts of minutes that the stream does not bring; the history has them."""

    @contextlib.contextmanager
    def running(self) -> Iterator["Market"]:
        """Make the history up to now, and go on for the length of the block."""
        self._server.do(self._begin)
        task = asyncio.run_coroutine_threadsafe(self._go_on(), self._loop)
        try:
            yield self
        finally:
            task.cancel()

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        assert self._server._loop is not None
        return self._server._loop

    def _begin(self) -> None:
        self._server.book.clock = self._clock.now_ns
        calendar.sessions()
        self.told_ns = self._clock.now_ns() // MINUTE_NS * MINUTE_NS
        for symbol in self._prices:
            first = self.told_ns - self._days * DAY_NS
            self._server.bars[symbol, "1Min"] = [self.bar(symbol, at) for at in range(first, self.told_ns, MINUTE_NS) if trades(symbol, at)]
        self._quote(self.told_ns)

    async def _go_on(self) -> None:
        while True:
            now_ns = self._clock.now_ns()
            if now_ns // MINUTE_NS * MINUTE_NS - self.told_ns > HOUR_NS:  # it was moved: what lies between is history
                for symbol in self._prices:
                    late = range(self.told_ns, now_ns // MINUTE_NS * MINUTE_NS, MINUTE_NS)
                    self._server.bars[symbol, "1Min"] += [self.bar(symbol, at) for at in late if trades(symbol, at)]
                self.told_ns = now_ns // MINUTE_NS * MINUTE_NS
            await self._clock.sleep_until(min(self.told_ns + MINUTE_NS, now_ns + int(LOOK_S * SECOND_NS * self._clock.speed)))
            if self._clock.now_ns() < self.told_ns + MINUTE_NS:
                continue
            at, self.told_ns = self.told_ns, self.told_ns + MINUTE_NS
            self._quote(self.told_ns)
            bars = [(symbol, self.bar(symbol, at)) for symbol in self._prices if trades(symbol, at)]
            for symbol, bar in bars:
                self._server.bars[symbol, "1Min"].append(bar)
                if at not in self.hidden:
                    self._server.tick({"T": "b", "S": symbol, **bar})

    def _quote(self, at: int) -> None:
        from decimal import Decimal

        for symbol in self._prices:
            price = Decimal(str(self.price(symbol, at)))
            self._server.book.quotes[symbol] = (price - Decimal("0.01"), price + Decimal("0.01"))

    def price(self, symbol: str, at: int) -> float:
        """Eight minutes up, eight minutes down."""
        phase = at // MINUTE_NS % 16
        return round(self._prices[symbol] * (1 + 0.001 * (phase if phase < 8 else 16 - phase)), 2)

    def bar(self, symbol: str, at: int) -> Document:
        """The minute that begins then."""
        first, last = self.price(symbol, at), self.price(symbol, at + MINUTE_NS)
        row = {"o": first, "h": max(first, last), "l": min(first, last), "c": last, "v": 100}
        return {"t": text_of_instant(at), **row, "n": 3, "vw": first}


def trades(symbol: str, at: int) -> bool:
    """Whether a symbol has a bar of that minute: equities also half an hour before and after a session."""
    if not asset_class_of(symbol).has_sessions:
        return True
    table = calendar.sessions()
    index = int(table.closes.searchsorted(at - HOUR_NS // 2, side="right"))
    return int(table.opens[index]) - HOUR_NS // 2 <= at
