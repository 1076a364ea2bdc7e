"""A market behind the fake Harbour: a minute after the other, by a clock that a test can move."""

import asyncio
import contextlib
from collections.abc import Iterator

from core.model.instants import DAY_NS, MINUTE_NS, SECOND_NS
from tests.broker.harbour.server import FakeHarbour
from tests.broker.market import trades
from tests.broker.shared_clock import LOOK_S, SharedClock

SYMBOL = "SPY"


class HarbourMarket:
    """Lets SPY trade: prices rise for eight minutes and fall for eight. What lies between two looks is told minute by minute."""

    def __init__(self, server: FakeHarbour, clock: SharedClock) -> None:
        self._server, self._clock = server, clock
        self._told_ns = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Have a day of history, and go on for the length of the block."""
        self._server.do(self._begin)
        assert self._server._loop is not None
        going = asyncio.run_coroutine_threadsafe(self._go_on(), self._server._loop)
        try:
            yield
        finally:
            going.cancel()

    def _begin(self) -> None:
        self._server.book.clock = self._clock.now_ns
        self._told_ns = self._clock.now_ns() // MINUTE_NS * MINUTE_NS
        self._server.bars[SYMBOL] = [_bar(at) for at in range(self._told_ns - 4 * DAY_NS, self._told_ns, MINUTE_NS) if trades(SYMBOL, at)]
        self._quote()

    async def _go_on(self) -> None:
        while True:
            while self._told_ns + MINUTE_NS <= self._clock.now_ns():
                at, self._told_ns = self._told_ns, self._told_ns + MINUTE_NS
                if trades(SYMBOL, at):
                    self._server.bars[SYMBOL].append(_bar(at))
                    self._quote()
                    self._server.send({"k": "minute", "sym": SYMBOL, "bar": _bar(at), "again": False})
            # A test may have moved the clock.
            left_ns = self._told_ns + MINUTE_NS - self._clock.now_ns()
            await asyncio.sleep(min(LOOK_S, left_ns / SECOND_NS / self._clock.speed))

    def _quote(self) -> None:
        points = _price(self._told_ns)
        self._server.book.trades[SYMBOL] = points
        self._server.book.quote(SYMBOL, points - 100, points + 100)


def _price(at: int) -> int:
    phase = at // MINUTE_NS % 16
    return 4_000_000 + 4_000 * min(phase, 16 - phase)


def _bar(at: int) -> list[int]:
    """The minute that begins then."""
    first, last = _price(at), _price(at + MINUTE_NS)
    return [at // 1_000, first, max(first, last), min(first, last), last, 100]
