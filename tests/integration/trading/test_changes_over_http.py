"""Working orders changed at the fake broker, over real HTTP and websockets: one order of ours, whatever goes wrong on the way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.brokers.loader import AdapterLoader
from core.clock.realtime import ScaledClock, SystemClock
from core.model.hand import OrderTerms
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce
from core.model.risk import RiskLimits
from core.model.run import Run, RunConfig, RunMode, RunStatus
from core.store.database import DatabaseStore
from core.trading.books import RunBook
from core.trading.seat import Seat
from core.trading.service import AccountDesk, Intent
from core.trading.state import AccountState
from tests.broker.bench import HASTY, AlpacaBench, fake_broker
from tests.broker.book import START_NS
from tests.broker.faults import Fault, Mischief, Way
from tests.broker.server import FakeBroker
from tests.unit.trading.desk import bug

S = OrderStatus
D = Decimal


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker() as server:
        server.do(lambda: setattr(server.book, "hold", True))
        yield server


class HttpScene:
    """A desk at the fake broker, and short ways to both."""

    def __init__(self, server: FakeBroker, store: DatabaseStore, desk: AccountDesk) -> None:
        self.server, self.store, self.desk = server, store, desk

    async def place(self) -> str:
        now = self.desk.state.clock.now_ns()
        request = OrderRequest(symbol="SPY", side=OrderSide.BUY, qty=D(10), type=OrderType.LIMIT, limit_price=D(390))
        order = Order(
            id="run-1", run_id="run", request=request, time_in_force=TimeInForce.GTC, status=S.CREATED, created_ns=now, updated_ns=now
        )
        await self.desk.place([Intent(order=order)])
        await self.until(lambda: self.order.status is S.ACCEPTED)
        return order.id

    @property
    def order(self) -> Order:
        return self.desk.state.lives["run-1"].order

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            await self.desk.state.until(is_so)

    async def settled(self) -> Order:
        await self.until(lambda: self.desk.state.lives["run-1"].changing is None)
        return self.order

    async def fill(self, client_order_id: str, qty: str, price: str = "390") -> None:
        book = self.server.book
        broker_id = next(one["id"] for one in book.orders.values() if one["client_order_id"] == client_order_id)
        await asyncio.to_thread(self.server.do, lambda: book.fill(broker_id, qty, price))

    def theirs(self) -> list[tuple[str, str, str, str]]:
        return [(one["client_order_id"], one["status"], one["qty"], one["limit_price"]) for one in self.server.book.orders.values()]

    async def assert_books_equal(self) -> None:
        fills = await self.store.runs.fills("run")
        assert sorted(fill.id.rpartition("/")[2] for fill in fills) == sorted(one["id"] for one in self.server.book.executions)
        held = {symbol: holding.qty for symbol, holding in self.server.book.holdings.items()}
        assert self.desk.state.positions() == held
        assert await self.store.runs.orders("run") == [self.order]


@asynccontextmanager
async def opened(folder: Path, server: FakeBroker, **options: Any) -> AsyncIterator[HttpScene]:
    clock = ScaledClock(START_NS, 1.0)  # the time of the fake broker
    clock.begin()
    store = DatabaseStore(folder / "desk.db", SystemClock())
    await store.open()
    broker = AlpacaBench(server, HASTY).broker
    state = AccountState("alpaca:PA1", AdapterLoader(()).find_all()["alpaca"].features, RiskLimits(), runs=store.runs, clock=clock)
    settings: dict[str, Any] = {"look_ups_s": (0.0, 0.05, 0.05), "missing_s": 0.05, "is_open": lambda _symbol, _now: True}
    desk = AccountDesk(state, broker, runs=store.runs, log=store.log, is_armed=True, on_bug=bug, **(settings | options))
    try:
        async with desk.open():
            config = RunConfig(strategy_id="hand", symbols=("SPY",), timeframe="1m", mode=RunMode.PAPER, broker="alpaca")
            if await store.runs.run("run") is None:
                async with store.runs.begin() as work:
                    work.put_run(Run(id="run", config=config, status=RunStatus.RUNNING, created_ns=1))
            desk.sit("run", state.books.get("run") or RunBook(config.cash, RiskLimits()), Seat(lambda: None, lambda _: None))
            yield HttpScene(server, store, desk)
    finally:
        await broker.close()
        await store.close()


async def test_a_change_makes_a_new_order_there_and_none_here(tmp_path: Path, server: FakeBroker) -> None:
    async with opened(tmp_path, server) as scene:
        order_id = await scene.place()
        await scene.fill("run-1", "4")
        await scene.until(lambda: scene.order.filled_qty == D(4))
        await scene.desk.change(order_id, OrderTerms(limit_price=D(391)))
        order = await scene.settled()
        assert (order.request.limit_price, order.request.qty) == (D(391), D(10))
        assert scene.theirs() == [("run-1", "replaced", "10", "390"), ("run-1.r1", "new", "6", "391")]
        await scene.fill("run-1.r1", "6", "391")
        await scene.until(lambda: scene.order.status is S.FILLED)
        await scene.assert_books_equal()


WAYS = [
    (Way.DONE_THEN_STATUS, 391),
    (Way.DONE_THEN_SILENT, 391),
    (Way.RESET_DURING, 391),
    (Way.RESET_AFTER, 391),
    (Way.NONSENSE, 391),
    (Way.RESET_BEFORE, 390),
    (Way.SILENT, 390),
    (Way.STATUS, 390),
]


@pytest.mark.parametrize(("way", "limit"), WAYS, ids=lambda value: getattr(value, "value", value))
async def test_whatever_becomes_of_the_answer_the_change_is_asked_for_once(
    tmp_path: Path, server: FakeBroker, way: Way, limit: int
) -> None:
    async with opened(tmp_path, server) as scene:
        order_id = await scene.place()
        server.fail(Fault("PATCH /v2/orders", way))
        await scene.desk.change(order_id, OrderTerms(limit_price=D(391)))
        order = await scene.settled()
        assert (order.status, order.request.limit_price) == (S.ACCEPTED, D(limit))
        assert len(scene.theirs()) == (2 if limit == 391 else 1)
        now = scene.theirs()[-1][0]
        await scene.fill(now, "10", str(limit))
        await scene.until(lambda: scene.order.status is S.FILLED)
        await scene.assert_books_equal()


@pytest.mark.parametrize("mischief", [Mischief.DOUBLED, Mischief.MISSING, Mischief.REVERSED], ids=lambda value: value.value)
async def test_updates_of_a_changed_order_may_come_as_they_like(tmp_path: Path, server: FakeBroker, mischief: Mischief) -> None:
    async with opened(tmp_path, server) as scene:
        order_id = await scene.place()
        server.mischief = mischief
        await scene.fill("run-1", "4")
        await scene.desk.change(order_id, OrderTerms(limit_price=D(391), qty=D(12)))
        await scene.desk.reconcile()
        await scene.settled()
        await scene.desk.reconcile()
        await scene.until(lambda: scene.order.request.qty == D(12))
        now = next(one for one in scene.theirs() if one[1] not in {"replaced", "filled"})
        await scene.fill(now[0], now[2], "391")
        await scene.desk.reconcile()
        await scene.until(lambda: scene.order.status is S.FILLED)
        assert scene.order.filled_qty == D(12)
        await scene.assert_books_equal()


async def test_a_fill_is_faster_and_the_change_is_refused_in_the_broker_s_words(tmp_path: Path, server: FakeBroker) -> None:
    async with opened(tmp_path, server) as scene:
        order_id = await scene.place()
        server.mischief = Mischief.MISSING
        await scene.fill("run-1", "10")
        await scene.desk.change(order_id, OrderTerms(limit_price=D(391)))
        await scene.until(lambda: scene.order.status is S.FILLED)
        await scene.settled()
        (refused,) = await scene.store.log.read(pattern="orders.ReplaceRefused")
        assert 'already in "filled" state' in refused.payload.reason  # type: ignore[attr-defined]  # of this type it has one
        await scene.assert_books_equal()


@pytest.mark.parametrize("way", [Way.DONE_THEN_SILENT, Way.SILENT], ids=lambda value: value.value)
async def test_the_program_ends_before_the_answer_and_the_change_is_found_at_the_next_start(
    tmp_path: Path, server: FakeBroker, way: Way
) -> None:
    async with opened(tmp_path, server, look_ups_s=(60.0,)) as scene:
        order_id = await scene.place()
        server.fail(Fault("PATCH /v2/orders", way))
        server.mischief = Mischief.MISSING
        told = asyncio.Event()
        with scene.store.log.subscribe("orders.OutcomeUnknown", lambda _: told.set(), owner="test"):
            await scene.desk.change(order_id, OrderTerms(limit_price=D(391)))
            async with asyncio.timeout(20):
                await told.wait()
    server.mischief = Mischief.NONE
    async with opened(tmp_path, server) as scene:
        order = await scene.settled()
        is_made = way is Way.DONE_THEN_SILENT
        assert (order.status, order.request.limit_price) == (S.ACCEPTED, D(391 if is_made else 390))
        await scene.fill("run-1.r1" if is_made else "run-1", "10")
        await scene.until(lambda: scene.order.status is S.FILLED)
        await scene.assert_books_equal()
