"""One connection to the market, however many runs listen."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import pytest

from core.errors import BrokerRefused, KeysRefused
from core.model.broker import BarKind, LiveBar, Print, RefusalReason, StreamState, StreamStatus, Tick, Watch
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
        self.too_much: str | None = None

    async def order_updates(self, on_update: object, on_status: object) -> None:
        raise AssertionError("nobody asks for it here")

    async def market(self, watch: Watch, on_tick: Callable[[Tick], None], on_status: Callable[[StreamStatus], None]) -> None:
        if self.refuses:
            raise KeysRefused("No.")
        if self.too_much is not None and self.too_much in watch.bars:
            raise BrokerRefused("The market stream refused: symbol limit exceeded (405).", reason=RefusalReason.INVALID_ORDER)
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


@pytest.mark.parametrize("guilty_keeps", [False, True])
async def test_a_refused_subscription_ends_the_one_that_asked_for_it(guilty_keeps: bool) -> None:
    streams = Streams()
    lines, refused = MarketLines(streams), list[str]()

    async def listen(symbol: str) -> None:
        try:
            await lines.listen(Watch(bars=(symbol,)), lambda _: None, lambda _: None)
        except BrokerRefused:
            refused.append(symbol)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        good = [group.create_task(listen("SPY"))]
        await streams.changed.wait()
        streams.changed.clear()
        good.append(group.create_task(listen("QQQ")))
        await streams.changed.wait()
        streams.changed.clear()
        streams.too_much = "BAD"
        bad = group.create_task(listen("BAD"))
        if guilty_keeps:  # the one that kept the line goes at the same moment
            good.pop(0).cancel()
        await asyncio.wait({bad})
        await streams.changed.wait()
        assert refused == ["BAD"]
        assert set(streams.watches[-1].bars) == ({"QQQ"} if guilty_keeps else {"SPY", "QQQ"})
        assert not any(task.done() for task in good)
        for task in good:
            task.cancel()
