"""A broker to try an adapter on: its connection, and the hands that move its market."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any, Protocol

from core.brokers.alpaca.addresses import Addresses
from core.brokers.alpaca.connection import AlpacaBroker
from core.brokers.credentials import Credentials
from core.brokers.patience import Patience
from core.brokers.stream import StreamPatience
from core.clock.realtime import SystemClock
from core.model.broker import AccountName, StreamState, StreamStatus
from core.ports import Broker
from tests.broker.server import KEY, SECRET, FakeBroker

QUICK = Patience(first_pause_s=0.001, longest_pause_s=0.002, longest_advice_s=0.05, per_minute=100_000)
"""As patient as the program, with pauses that no test notices."""
HASTY = replace(QUICK, read_s=0.8, answer_s=1.2)
"""For what never comes. An answer on this machine takes a hundredth of that."""
QUICK_STREAM = StreamPatience(connect_s=2, enter_s=2, ping_s=5, silence_s=5, answer_s=5, first_pause_s=0.001, longest_pause_s=0.002)


class Bench(Protocol):
    """What a case of the contract needs of a broker beside its connection."""

    broker: Broker

    def hold(self) -> None:
        """Let no order fill by itself from here on."""
        ...

    def fill(self, broker_order_id: str, qty: str, price: str) -> None:
        """Fill a part of an order, or all of it."""
        ...

    def end(self, broker_order_id: str, status: str) -> None:
        """End an order by the broker: rejected or expired."""
        ...

    def quote(self, symbol: str, bid: str, ask: str) -> None:
        """Move the market."""
        ...


class Served(Protocol):
    """Where a broker is."""

    url: str


def environment_of(server: Served, **more: str) -> Mapping[str, str]:
    """The variables that point the program at the fake broker, keys included."""
    return {
        "ALPACA_PAPER_API_KEY": KEY,
        "ALPACA_PAPER_API_SECRET": SECRET,
        "ALPACA_PAPER_BASE_URL": server.url,
        "ALPACA_DATA_BASE_URL": server.url,
        "ALPACA_DATA_STREAM_URL": server.url.replace("http", "ws"),
        **more,
    }


class AlpacaBench:
    """The adapter for Alpaca, on the fake broker."""

    def __init__(self, server: FakeBroker, patience: Patience = QUICK, stream_patience: StreamPatience = QUICK_STREAM) -> None:
        self.server = server
        addresses = Addresses.of(AccountName.PAPER, environment_of(server))
        self.broker: Broker = AlpacaBroker(addresses, Credentials(KEY, SECRET), SystemClock(), patience, stream_patience)

    def hold(self) -> None:
        self.server.do(lambda: setattr(self.server.book, "hold", True))

    def fill(self, broker_order_id: str, qty: str, price: str) -> None:
        self.server.do(lambda: self.server.book.fill(broker_order_id, qty, price))

    def end(self, broker_order_id: str, status: str) -> None:
        self.server.do(lambda: self.server.book.end(broker_order_id, status))

    def quote(self, symbol: str, bid: str, ask: str) -> None:
        self.server.do(lambda: self.server.book.quotes.update({symbol: (Decimal(bid), Decimal(ask))}))


@contextmanager
def fake_broker(clock: Callable[[], int] | None = None) -> Iterator[FakeBroker]:
    """A fake broker that serves for the length of the block. `clock`: the time of day of its book."""
    with FakeBroker(clock).running() as server:
        yield server


class Ear:
    """What a stream said, in the order it came."""

    def __init__(self) -> None:
        self.items: asyncio.Queue[Any] = asyncio.Queue()
        self.states: asyncio.Queue[StreamStatus] = asyncio.Queue()

    async def until(self, state: StreamState) -> StreamStatus:
        """The next status of this state."""
        async with asyncio.timeout(10):
            while (status := await self.states.get()).state is not state:
                pass
            return status

    async def next(self) -> Any:
        """The next item."""
        async with asyncio.timeout(10):
            return await self.items.get()


Listen = Callable[[Callable[[Any], None], Callable[[StreamStatus], None]], Coroutine[Any, Any, None]]


@asynccontextmanager
async def listening(run: Listen) -> AsyncIterator[Ear]:
    """Listen to a stream for the length of the block, which begins when it listens."""
    ear = Ear()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(run(ear.items.put_nowait, ear.states.put_nowait))
        await ear.until(StreamState.LISTENING)
        yield ear
        task.cancel()
