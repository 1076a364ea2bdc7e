"""A desk at a fake broker with a real SQLite file, and short ways to look at both."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.brokers.exchange import TIMES_IN_FORCE
from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.events.envelope import envelope
from core.events.live_payloads import SwitchThrown
from core.events.payloads import PlaceRequest
from core.model.broker import AccountName, Features
from core.model.market import AssetClass
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce
from core.model.risk import RiskLimits, SwitchLevel
from core.model.run import Run, RunConfig, RunMode, RunStatus
from core.store.database import DatabaseStore
from core.trading.books import RunBook
from core.trading.seat import Seat
from core.trading.service import AccountDesk, Intent
from core.trading.state import AccountState
from tests.losing import LosingRows, Outcome
from tests.virtual_time import VirtualClock, virtual_time

KEY = "fake:FAKE"
FEATURES = Features(
    accounts=(AccountName.PAPER,),
    assets=(AssetClass.EQUITY, AssetClass.CRYPTO),
    order_types=tuple(OrderType),
    times_in_force=TIMES_IN_FORCE,
    fractional=True,
    streaming=True,
)
CASH = Decimal(1_000_000)


def bug(error: BaseException, where: str) -> None:
    raise AssertionError(where) from error


class Scene:
    """What a test holds in its hands."""

    symbol = "DEMO"
    broker_name = "fake"

    def __init__(self, store: DatabaseStore, broker: FakeBroker, desk: AccountDesk) -> None:
        self.store, self.broker, self.desk = store, broker, desk
        self.stopped: list[str] = []
        self.count = 0

    async def run(self, run_id: str = "run", limits: RiskLimits | None = None) -> None:
        """Let a run trade here."""
        config = RunConfig(
            strategy_id="hand", symbols=(self.symbol,), timeframe="1m", mode=RunMode.PAPER, cash=CASH, broker=self.broker_name
        )
        if await self.store.runs.run(run_id) is None:
            async with self.store.runs.begin() as work:
                work.put_run(Run(id=run_id, config=config, status=RunStatus.RUNNING, created_ns=1))
        book = self.desk.state.books.get(run_id) or RunBook(CASH, limits or RiskLimits())
        self.desk.sit(run_id, book, Seat(lambda: None, lambda error: self.stopped.append(error.args[0])))

    async def place(
        self,
        side: str = "buy",
        qty: int | str = 10,
        *,
        run_id: str = "run",
        limit: str | None = None,
        id: str | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
    ) -> str:
        """Place an order as a strategy would, and return its id once it is committed."""
        self.count += 1
        order_id = id or f"{run_id}-{self.count}"
        request = OrderRequest(
            symbol=self.symbol,
            side=OrderSide(side),
            qty=Decimal(qty),
            type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            limit_price=None if limit is None else Decimal(limit),
        )
        now = self.desk.state.clock.now_ns()
        wish = envelope(
            PlaceRequest(order_id=order_id, request=request), id=f"{order_id}-wish", ts=now, producer="runs", run_id=run_id, corr_id=run_id
        )
        order = Order(
            id=order_id,
            run_id=run_id,
            request=request,
            time_in_force=time_in_force,
            status=OrderStatus.CREATED,
            created_ns=now,
            updated_ns=now,
        )
        await self.desk.place([Intent(order=order, caused_by=wish.id, trace_id="tick")], [wish])
        return order_id

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            await self.desk.state.until(is_so)

    async def until_status(self, order_id: str, status: OrderStatus) -> Order:
        await self.until(lambda: self.status(order_id) is status)
        return self.desk.state.lives[order_id].order

    def status(self, order_id: str) -> OrderStatus:
        return self.desk.state.lives[order_id].order.status

    def broker_id(self, order_id: str) -> str:
        found = self.broker.exchange.by_client_id(order_id)
        assert found is not None
        return found.id

    async def types(self, pattern: str = "orders.*") -> list[str]:
        return [event.type for event in await self.store.log.read(pattern=pattern, limit=10_000)]

    async def until_told(self, wire: str) -> Any:
        """Return the payload of the first such event once it is there."""
        told = asyncio.Event()
        with self.store.log.subscribe(wire, lambda _: told.set(), owner="test"):
            while not (found := await self.store.log.read(pattern=wire)):
                async with asyncio.timeout(20):
                    await told.wait()
        return found[0].payload

    async def throw(self, level: SwitchLevel, run_id: str | None = None) -> None:
        now = self.desk.state.clock.now_ns()
        payload = SwitchThrown(level=level, reason="A person threw it.")
        await self.store.log.append([envelope(payload, id=f"switch-{level}-{now}", ts=now, producer="engine", run_id=run_id)])

    async def assert_books_equal(self) -> None:
        """One order at the broker for one intent, every fill booked once, in rows as in memory, and positions equal."""
        orders = self.broker.exchange.orders()
        assert len({one.client_order_id for one in orders}) == len(orders)
        executions = self.broker.exchange.executions()
        rows: list[Any] = []
        for run in await self.store.runs.runs():
            rows += await self.store.runs.fills(run.id)
        assert sorted(one.id for one in rows) == sorted(f"{KEY}/{one.id}" for one in executions)
        held = {one.symbol: one.qty for one in self.broker.exchange.positions()}
        assert {symbol: qty for symbol, qty in self.desk.state.positions().items() if qty} == held


@asynccontextmanager
async def opened(
    folder: Path,
    broker: FakeBroker | None = None,
    limits: RiskLimits | None = None,
    loses: Iterable[Outcome] = (),
    clock: SystemClock | None = None,
    **options: Any,
) -> AsyncIterator[Scene]:
    """A desk on the folder's database, in virtual time; `broker`: one that was there before; `loses`: what becomes of its first commits."""
    with virtual_time():
        async with _opened(folder, broker, limits, loses, clock, options) as scene:
            yield scene


def virtual_clock() -> VirtualClock:
    """Return a clock that has begun, and that goes as the loop does."""
    clock = VirtualClock(SystemClock().now_ns(), 1.0)
    clock.begin()
    return clock


@asynccontextmanager
async def _opened(
    folder: Path,
    broker: FakeBroker | None,
    limits: RiskLimits | None,
    loses: Iterable[Outcome],
    given: SystemClock | None,
    options: dict[str, Any],
) -> AsyncIterator[Scene]:
    clock = given or virtual_clock()
    store = DatabaseStore(folder / "desk.db", clock)
    await store.open()
    broker = broker or FakeBroker(clock.now_ns)
    state = AccountState(KEY, FEATURES, limits or RiskLimits(), runs=LosingRows(store.runs, loses), clock=clock)
    settings: dict[str, Any] = {
        "look_ups_s": (0.0, 0.01, 0.01),
        "missing_s": 0.01,
        "is_open": lambda _symbol, _now: True,
        "is_armed": True,
        "on_bug": bug,
    }
    desk = AccountDesk(state, broker, runs=store.runs, log=store.log, **(settings | options))
    try:
        async with desk.open():
            yield Scene(store, broker, desk)
    finally:
        await store.close()
