"""A desk at the fake broker over HTTP and websockets, with a real SQLite file: the order path as it is at a real one."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from core.brokers.alpaca.addresses import Addresses
from core.brokers.alpaca.connection import AlpacaBroker
from core.brokers.alpaca.fields import symbol_of_position
from core.brokers.alpaca.orders import status_of
from core.brokers.credentials import Credentials
from core.brokers.loader import AdapterLoader
from core.brokers.patience import Patience
from core.brokers.stream import StreamPatience
from core.clock.realtime import SystemClock
from core.events.envelope import Envelope
from core.model.broker import AccountName, StreamState, StreamStatus, Watch
from core.model.market import AssetClass
from core.model.order import Order, OrderLeg, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce
from core.model.risk import RiskLimits
from core.ports import Broker, Store
from core.runs.exits import exits_of
from core.store.database import DatabaseStore
from core.trading.changes import number_of, own_id
from core.trading.feed import Feed
from core.trading.service import AccountDesk, Intent
from core.trading.state import AccountState
from core.views.words import words
from tests.broker.bench import HASTY, QUICK_STREAM, environment_of
from tests.broker.book import Document
from tests.broker.faults import Mischief
from tests.broker.server import KEY, SECRET, FakeBroker
from tests.unit.trading.desk import Scene, bug

T = TypeVar("T")

ACCOUNT: Final = "alpaca:PA3FAKE00001"
POST: Final = "POST /v2/orders"


class At:
    """Where a broker of another process is."""

    def __init__(self, url: str) -> None:
        self.url = url


class WireScene(Scene):
    """What a test holds in its hands. Everything of the `server` is reached by `do`."""

    symbol = "SPY"
    broker_name = "alpaca"

    def __init__(self, store: Store, server: FakeBroker | At, broker: Broker, desk: AccountDesk) -> None:
        super().__init__(cast(DatabaseStore, store), cast(Any, None), desk)
        self.server = cast(FakeBroker, server)
        self.link = broker

    def do(self, work: Callable[[], T]) -> T:
        """Do something in the server's thread."""
        return self.server.do(work)

    def at_broker(self, order_id: str) -> Document | None:
        """The order as the broker has it, or None."""
        found = self.do(lambda: [dict(order) for order in self.server.book.orders.values() if order["client_order_id"] == order_id])
        assert len(found) < 2
        return found[0] if found else None

    def broker_id(self, order_id: str) -> str:
        found = self.at_broker(order_id)
        assert found is not None
        return str(found["id"])

    def fill(self, order_id: str, qty: str | int, price: str | int = 390) -> None:
        """Let the market take a part of an order."""
        broker_id = self.broker_id(order_id)
        self.do(lambda: self.server.book.fill(broker_id, str(qty), str(price)))

    async def working(self, qty: int = 10, **terms: Any) -> str:
        """Place an order that waits at the broker, and return its id once the broker has acknowledged it."""
        order_id = await self.place(qty=qty, **{"limit": "390", **terms})
        await self.until_status(order_id, OrderStatus.ACCEPTED)
        return order_id

    async def place_with_exits(self, qty: int = 10, limit: int = 390, target: int | None = 420, stop: int | None = 380) -> str:
        """Place a buy that leaves with its exits as one order, and return its id once all of them are committed."""
        self.count += 1
        now_ns = SystemClock().now_ns()
        request = OrderRequest(
            symbol=self.symbol,
            side=OrderSide.BUY,
            qty=Decimal(qty),
            type=OrderType.LIMIT,
            limit_price=Decimal(limit),
            target=None if target is None else OrderLeg(type=OrderType.LIMIT, limit_price=Decimal(target)),
            stop_loss=None if stop is None else OrderLeg(type=OrderType.STOP, stop_price=Decimal(stop)),
        )
        entry = Order(
            id=f"run-{self.count}",
            run_id="run",
            request=request,
            time_in_force=TimeInForce.DAY,
            status=OrderStatus.CREATED,
            created_ns=now_ns,
            updated_ns=now_ns,
        )
        exits = exits_of(entry, now_ns)
        self.count += len(exits)
        await self.desk.place([Intent(order=entry, exits=tuple(Intent(order=one) for one in exits))])
        return entry.id

    def our_ids(self, theirs: Sequence[Document]) -> dict[str, str]:
        """Return our ids of the broker's orders, by the broker's.

        An exit that left with its entry has one of the broker's, and is known by the entry, or by what it was changed to.
        """
        lives, by_id = self.desk.state.lives, {one["id"]: one for one in theirs}
        found = {one["id"]: own_id(one["client_order_id"]) for one in theirs if own_id(one["client_order_id"]) in lives}
        for one in theirs:
            for other in self.desk.state.groups.together.get(own_id(one["client_order_id"]), ()):
                kind = lives[other].order.request.type.value
                found |= {leg["id"]: other for leg in one["legs"] or () if leg["type"] == kind}
        for one in theirs:
            own, before = found.get(one["id"]), one["replaces"]
            while own is not None and before is not None:
                assert found.setdefault(before, own) == own
                before = by_id[before]["replaces"]
        return found

    async def until_filled(self, order_id: str, qty: int) -> None:
        await self.until(lambda: self.desk.state.lives[order_id].order.filled_qty == qty)

    async def until_there(self, order_id: str) -> None:
        """Wait until the broker has an order, whatever it says of it."""
        await self.until_looked(lambda: self.at_broker(order_id) is not None)

    async def until_landed(self) -> None:
        """Wait until no answer to an order is awaited any more."""
        await self.until(lambda: not self.desk.state.in_flight)

    async def until_silent(self, seconds: float) -> None:
        """Wait until the broker was not heard of for so long."""
        async with asyncio.timeout(20):
            while self.desk.state.lines.silent_s <= seconds:  # noqa: ASYNC110 - what is waited for is the time itself
                await asyncio.sleep(seconds / 5)

    async def until_looked(self, is_so: Callable[[], bool]) -> None:
        """Wait for something that nobody tells of."""
        async with asyncio.timeout(20):
            while not is_so():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)

    async def until_quiet(self) -> None:
        """Wait until a while has passed without news of an order."""
        newest = -1
        while (latest := max((life.order.updated_ns for life in self.desk.state.lives.values()), default=0)) != newest:
            newest = latest
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def market(self, feed: Feed) -> AsyncIterator["MarketEar"]:
        """Listen to the market for the length of the block, as a run does."""
        ear = MarketEar(feed)
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self.link.streams.market(Watch(quotes=feed.symbols), ear.on_tick, ear.on_status))
            yield ear
            listening.cancel()

    async def until_said(self, text: str) -> None:
        """Wait until a panel says something."""
        told = asyncio.Event()
        with self.store.log.subscribe("*", lambda _: told.set(), owner="test"):
            async with asyncio.timeout(20):
                while text not in await self.told():
                    await told.wait()
                    told.clear()

    async def until_asked(self, request: str, count: int = 1) -> None:
        """Wait until the broker was asked so often."""
        await asyncio.to_thread(self.server.wait_for, lambda: self.server.requests[request] >= count)

    async def until_asked_to_cancel(self, order_id: str) -> None:
        await self.until_asked(f"DELETE /v2/orders/{self.broker_id(order_id)}")

    def lose_updates(self, mischief: Mischief = Mischief.MISSING) -> None:
        """Let no update of an order come through from here on, or let something else happen to them."""
        self.do(lambda: setattr(self.server, "mischief", mischief))

    async def events(self, pattern: str = "*") -> list[Envelope]:
        return list(await self.store.log.read(pattern=pattern, limit=100_000))

    async def told(self) -> str:
        """All that a panel says of what happened, a line for each event."""

        def find(order_id: str) -> Any:
            life = self.desk.state.lives.get(order_id)
            return None if life is None else life.order

        return "\n".join(words(event, find) for event in await self.events())

    async def assert_books_equal(self) -> None:
        """One order at the broker for one intent, in the same state; every fill booked once, in rows as in memory; positions equal."""
        book, state = self.server.book, self.desk.state
        theirs, executions, held = self.do(lambda: ([dict(one) for one in book.orders.values()], list(book.executions), book.positions()))
        ours = self.our_ids(theirs)
        sent = Counter(one["client_order_id"] for one in theirs)
        assert set(sent.values()) <= {1}
        # Of a change the broker made another order: all of them are parts of ours.
        parts: dict[str, list[Document]] = {}
        for one in theirs:
            if one["id"] in ours:
                parts.setdefault(ours[one["id"]], []).append(one)
        for own, found in parts.items():
            life, newest = state.lives[own], max(found, key=lambda one: number_of(one["client_order_id"]))
            filled = sum((Decimal(one["filled_qty"]) for one in found), Decimal(0))
            theirs_now = status_of(newest["status"], filled)
            if theirs_now is OrderStatus.FILLED and filled < life.order.request.qty:
                theirs_now = OrderStatus.CANCELLED  # the broker had made it smaller
            # What we gave up as refused, and the broker had all the same, is over on both sides.
            given_up = life.order.status is OrderStatus.REJECTED and theirs_now.is_final and theirs_now is not OrderStatus.FILLED
            assert life.order.filled_qty == filled, found
            assert given_up or life.order.status is theirs_now, (life.order, found)
        never = {life.order.id for life in state.lives.values() if life.order.id not in parts}
        assert all(state.lives[each].order.status is OrderStatus.REJECTED for each in never)
        # What left with another was not sent by itself.
        assert self.do(lambda: self.server.requests[POST]) <= len(state.lives) - len(state.groups.leads) + len(theirs) - len(ours)
        rows: list[Any] = []
        for run in await self.store.runs.runs():
            assert {order.id: order for order in await self.store.runs.orders(run.id)} == {
                life.order.id: life.order for life in state.lives.values() if life.order.run_id == run.id
            }
            rows += await self.store.runs.fills(run.id)
        booked = sorted((row.id, row.order_id, row.qty, row.price) for row in rows)
        assert booked == sorted(
            (f"{ACCOUNT}/{one['id']}", ours[one["order_id"]], Decimal(one["qty"]), Decimal(one["price"]))
            for one in executions
            if one["order_id"] in ours
        )
        told = Counter(event.payload.fill_id for event in await self.events("orders.*") if hasattr(event.payload, "fill_id"))
        assert told == Counter(row.id for row in rows)
        total = state.positions()
        for symbol, qty in state.outside.items():
            total[symbol] = total.get(symbol, Decimal(0)) + qty
        assert {symbol: qty for symbol, qty in total.items() if qty} == {
            symbol_of_position(one["symbol"], AssetClass.EQUITY): Decimal(one["qty"]) for one in held
        }


class MarketEar:
    """Tells a run's feed what its stream says."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._heard = asyncio.Event()
        self._listening = asyncio.Event()

    def on_tick(self, _: object) -> None:
        self._feed.heard(SystemClock().monotonic_ns())
        self._heard.set()

    def on_status(self, status: StreamStatus) -> None:
        is_so = status.state is StreamState.LISTENING
        self._feed.listens("equity", SystemClock().monotonic_ns(), is_so=is_so)
        if is_so:
            self._listening.set()

    async def until_heard(self) -> None:
        """Wait for the next tick."""
        self._heard.clear()
        async with asyncio.timeout(20):
            await self._heard.wait()

    async def until_listening(self) -> None:
        """Wait until it listens, once more."""
        async with asyncio.timeout(20):
            await self._listening.wait()
        self._listening.clear()


@asynccontextmanager
async def wired(
    folder: Path, server: FakeBroker | At, limits: RiskLimits | None = None, *, patience: Patience = HASTY, **options: Any
) -> AsyncIterator[WireScene]:
    """A desk on the folder's database, connected to the server; the rest as in `wired_to`."""
    store = DatabaseStore(folder / "desk.db", SystemClock())
    await store.open()
    try:
        async with wired_to(store, server, limits, patience=patience, **options) as scene:
            yield scene
    finally:
        await store.close()


@asynccontextmanager
async def wired_to(
    store: Store,
    server: FakeBroker | At,
    limits: RiskLimits | None = None,
    *,
    patience: Patience = HASTY,
    stream_patience: StreamPatience = QUICK_STREAM,
    **options: Any,
) -> AsyncIterator[WireScene]:
    """A desk on an open store, connected to the server. `options`: as `AccountDesk` takes them."""
    clock = SystemClock()
    addresses = Addresses.of(AccountName.PAPER, environment_of(server))
    broker = AlpacaBroker(addresses, Credentials(KEY, SECRET), clock, patience, stream_patience)
    features = AdapterLoader(()).find_all()["alpaca"].features
    state = AccountState(ACCOUNT, features, limits or RiskLimits(), runs=store.runs, clock=clock)
    settings: dict[str, Any] = {
        "look_ups_s": (0.0, 0.02, 0.05),
        "missing_s": 0.05,
        "is_open": lambda _symbol, _now: True,
        "is_armed": True,
        "on_bug": bug,
    }
    desk = AccountDesk(state, broker, runs=store.runs, log=store.log, **(settings | options))
    try:
        async with desk.open():
            yield WireScene(store, server, broker, desk)
    finally:
        await broker.close()
