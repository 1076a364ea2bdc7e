"""A broker to try an adapter on: its connection, and the hands that move its market."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any, Protocol

from core.brokers.alpaca.addresses import Addresses
from core.brokers.alpaca.connection import AlpacaBroker
from core.brokers.alpaca.fields import text_of_instant
from core.brokers.credentials import Credentials
from core.brokers.loader import AdapterLoader
from core.brokers.patience import Patience
from core.brokers.stream import StreamPatience
from core.clock.realtime import SystemClock
from core.model.broker import (
    AccountName,
    BrokerOrderRequest,
    Features,
    LiveBar,
    Quote,
    RefusalReason,
    StreamState,
    StreamStatus,
    Tick,
)
from core.model.instants import iso
from core.model.order import OrderSide, OrderType, TimeInForce
from core.ports import Broker
from tests.broker.server import KEY, SECRET, FakeBroker

QUICK = Patience(first_pause_s=0.001, longest_pause_s=0.002, longest_advice_s=0.05, per_minute=100_000)
"""As patient as the program, with pauses that no test notices."""
HASTY = replace(QUICK, read_s=0.8, answer_s=1.2)
"""For what never comes. An answer on this machine takes a hundredth of that."""
QUICK_STREAM = StreamPatience(connect_s=2, enter_s=2, ping_s=5, silence_s=5, answer_s=5, first_pause_s=0.001, longest_pause_s=0.002)


Grid = tuple[Decimal | None, Decimal | None, Decimal | None]
Refused = tuple[BrokerOrderRequest, RefusalReason, int, int, str]
"""An order, and why it is refused: our reason, the broker's status, code and words."""


def buy(id: str, symbol: str = "SPY", qty: str | None = "10", **more: Any) -> BrokerOrderRequest:
    """A buy."""
    return BrokerOrderRequest(client_order_id=id, symbol=symbol, side=OrderSide.BUY, qty=None if qty is None else Decimal(qty), **more)


class Bench(Protocol):
    """What a case of the contract needs of a broker beside its connection: hands that move its market, and what it is like."""

    broker: Broker
    features: Features
    buying_power: Decimal
    coin_fee: Decimal
    """The share of a bought coin that it keeps."""
    cancels_slowly: bool
    """Whether a cancel may be asked for and not granted yet."""
    refuses_own_opposite: bool
    judges_at_once: bool
    """Whether an order that the account cannot bear is refused, rather than taken and rejected."""
    has_sessions: bool
    has_spread: bool
    coin_grid: Grid
    """Lot, tick and smallest quantity of BTC/USD."""
    last_trade: Decimal
    """Of SPY."""
    clock_says: tuple[str, str] | None
    """What its clock says, and when it closes next, where a test can know."""
    refused: Sequence[Refused]

    def hold(self) -> None:
        """Let no order fill by itself from here on."""
        ...

    def fill(self, broker_order_id: str, qty: str, price: str) -> None:
        """Fill a part of an order for SPY, or all of it."""
        ...

    def end(self, broker_order_id: str, status: str) -> None:
        """End an order by the broker: rejected or expired."""
        ...

    def quote(self, symbol: str, bid: str, ask: str) -> None:
        """Move the market."""
        ...

    def one_instant(self) -> None:
        """Let everything happen in one instant from here on."""
        ...

    def grant_cancels(self, *, slowly: bool) -> None:
        """Let a cancel be granted at once, or not by itself."""
        ...

    async def place_many(self, count: int, step_ns: int) -> None:
        """Place orders that do not fill, `o0` and on, four hundred at a time so far apart."""
        ...

    def tell(self, *ticks: Tick) -> None:
        """Let the market's stream tell of something."""
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

    features = AdapterLoader(()).find_all()["alpaca"].features
    buying_power = Decimal(200_000)
    coin_fee = Decimal("0.0025")
    cancels_slowly = refuses_own_opposite = judges_at_once = has_sessions = has_spread = True
    coin_grid: Grid = (Decimal("0.000000001"), Decimal("0.5"), Decimal("0.0001"))
    last_trade = Decimal("400.25")
    clock_says: tuple[str, str] | None = ("2023-11-14T22:23:20Z", "2023-11-14T21:00:00Z")
    refused: Sequence[Refused] = (
        (buy("a", qty="10000"), RefusalReason.BUYING_POWER, 403, 40310000, "insufficient buying power"),
        (buy("a", "NOPE"), RefusalReason.ASSET_UNKNOWN, 422, 42210000, 'asset "NOPE" not found'),
        (buy("a", type=OrderType.LIMIT, limit_price=Decimal("390.123")), RefusalReason.PRICE_INCREMENT, 422, 42210000, "sub-penny"),
        (buy("a", "BTC/USD", "0.1"), RefusalReason.TIME_IN_FORCE, 422, 42210000, "invalid crypto time_in_force"),
        (buy("a", qty="0.5", time_in_force=TimeInForce.GTC), RefusalReason.FRACTION, 422, 42210000, "fractional orders must be DAY"),
        (
            buy("a", type=OrderType.LIMIT, limit_price=Decimal(390), extended_hours=True, time_in_force=TimeInForce.GTC),
            RefusalReason.EXTENDED_HOURS,
            422,
            42210000,
            "extended hours",
        ),
    )

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
        self.server.do(lambda: self.server.book.quote(symbol, bid, ask))

    def one_instant(self) -> None:
        self.server.do(lambda: setattr(self.server.book, "step_ns", 0))

    def grant_cancels(self, *, slowly: bool) -> None:
        self.server.do(lambda: setattr(self.server.book, "cancel_slowly", slowly))

    async def place_many(self, count: int, step_ns: int) -> None:
        book = self.server.book

        def place() -> None:
            for number in range(count):
                book.step_ns = step_ns if number % 400 else 1_000_001
                book.place({"client_order_id": f"o{number}", "symbol": "SPY", "side": "buy", "type": "limit", "qty": "1",
                            "limit_price": "1", "time_in_force": "gtc"})  # fmt: skip

        self.server.do(place)

    def tell(self, *ticks: Tick) -> None:
        self.server.send_ticks({"T": "from the future", "S": "SPY"}, *(_message(tick) for tick in ticks))


def _message(tick: Tick) -> dict[str, Any]:
    """A tick in Alpaca's words."""
    if isinstance(tick, LiveBar):
        bar, kind = tick.bar, {"final": "b", "corrected": "u"}[tick.kind]
        prices = {"o": bar.open, "h": bar.high, "l": bar.low, "c": bar.close, "v": bar.volume}
        return {"T": kind, "S": bar.symbol, "t": iso(bar.start_ns), **prices, "n": 3, "vw": 1.5}
    if isinstance(tick, Quote):
        sizes = {"bp": float(tick.bid), "bs": float(tick.bid_size), "ap": float(tick.ask), "as": float(tick.ask_size)}
        return {"T": "q", "S": tick.symbol, "t": text_of_instant(tick.time_ns), **sizes, "c": ["R"]}
    return {"T": "t", "S": tick.symbol, "t": text_of_instant(tick.time_ns), "p": float(tick.price), "s": float(tick.size)}


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
