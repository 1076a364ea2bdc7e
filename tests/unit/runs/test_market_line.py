"""One connection to the market, however many runs listen."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import pytest

from core.errors import KeysRefused
from core.model.broker import BarKind, LiveBar, Print, StreamState, StreamStatus, Tick, Watch
from core.model.market import Bar
from core.runs.market_line import MarketLines


class Streams:
    """Streams that say what a test lets them say, and fail when two connections are open at once."""

    def __init__(self) -> None:
        self.watches: list[Watch] = []
        self.open = 0
        self.tell: Callable[[Tick], None] = lambda _: None
        self.changed = asyncio.Event()
        self.refuses = False

    async def order_updates(self, on_update: object, on_status: object) -> None:
        raise AssertionError("nobody asks for it here")

    async def market(self, watch: Watch, on_tick: Callable[[Tick], None], on_status: Callable[[StreamStatus], None]) -> None:
        if self.refuses:
            raise KeysRefused("No.")
        self.open += 1
        assert self.open == 1
        self.watches.append(watch)
        self.tell = on_tick
        on_status(StreamStatus(state=StreamState.LISTENING))
        self.changed.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.open -= 1

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.watches) < count:
                self.changed.clear()
                await self.changed.wait()


class Ear:
    def __init__(self) -> None:
        self.ticks: list[str] = []
        self.states: list[StreamState] = []
        self.told = asyncio.Event()

    def hear(self, tick: Tick) -> None:
        self.ticks.append(tick.bar.symbol if isinstance(tick, LiveBar) else tick.symbol)

    def status(self, status: StreamStatus) -> None:
        self.states.append(status.state)
        self.told.set()


def minute(symbol: str) -> LiveBar:
    return LiveBar(bar=Bar(symbol, 0, 60, 1.0, 1.0, 1.0, 1.0, 1.0), kind=BarKind.FINAL)


async def ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_several_share_a_connection_and_each_hears_its_own() -> None:
    streams, ann, ben = Streams(), Ear(), Ear()
    lines = MarketLines(streams)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(lines.listen(Watch(bars=("SPY",)), ann.hear, ann.status))
        await streams.until(1)
        second = group.create_task(lines.listen(Watch(bars=("AAPL",), trades=("SPY",)), ben.hear, ben.status))
        await streams.until(2)
        assert streams.watches[-1] == Watch(bars=("SPY", "AAPL"), trades=("SPY",))
        streams.tell(minute("SPY"))
        streams.tell(minute("AAPL"))
        streams.tell(Print(symbol="SPY", time_ns=1, price=Decimal(1), size=Decimal(1)))
        assert (ann.ticks, ben.ticks) == (["SPY"], ["AAPL", "SPY"])
        # The one who was there is told that it was made anew: what it missed is asked for.
        assert ann.states == [StreamState.LISTENING, StreamState.CONNECTING, StreamState.LISTENING]
        await ended(first)
        await streams.until(3)
        streams.tell(minute("AAPL"))
        assert ben.ticks == ["AAPL", "SPY", "AAPL"]
        await ended(second)
    assert streams.open == 0


async def test_who_wants_no_more_than_is_heard_costs_no_connection() -> None:
    streams, ann, ben = Streams(), Ear(), Ear()
    lines = MarketLines(streams)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(lines.listen(Watch(bars=("SPY", "AAPL")), ann.hear, ann.status))
        await streams.until(1)
        second = group.create_task(lines.listen(Watch(bars=("AAPL",)), ben.hear, ben.status))
        async with asyncio.timeout(10):
            await ben.told.wait()
        assert ben.states == [StreamState.LISTENING]
        assert len(streams.watches) == 1
        await ended(second)
        await ended(first)


async def test_refused_keys_end_it_for_all_who_listen() -> None:
    streams = Streams()
    streams.refuses = True
    lines = MarketLines(streams)
    for _ in range(2):
        with pytest.raises(KeysRefused):
            await lines.listen(Watch(bars=("SPY",)), lambda _: None, lambda _: None)
