"""A log full of orders: what an account traded over many runs that are over and two that go on, and how fast it is opened again."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from time import perf_counter

from core.brokers.exchange import TIMES_IN_FORCE
from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.events.envelope import Envelope, Payload, envelope
from core.events.live_payloads import AccountAdopted, Reconciled, RiskApproved
from core.events.payloads import OrderAccepted, OrderCreated, OrderFilled, OrderSubmitted, PlaceRequest, RunCreated
from core.model.broker import AccountName, Features
from core.model.instants import MINUTE_NS
from core.model.market import AssetClass
from core.model.order import Fill, Order, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce
from core.model.risk import RiskLimits
from core.model.run import Run, RunConfig, RunMode, RunStatus
from core.ports import Store
from core.trading.service import AccountDesk
from core.trading.state import AccountState

KEY = "fake:FAKE"
EVENTS_OF_AN_ORDER = 5
PAGE = 2_000
CONFIG = RunConfig(strategy_id="hand", symbols=("DEMO",), timeframe="1m", mode=RunMode.PAPER, cash=Decimal(1_000_000), broker="fake")
FEATURES = Features(
    accounts=(AccountName.PAPER,),
    assets=(AssetClass.EQUITY,),
    order_types=tuple(OrderType),
    times_in_force=TIMES_IN_FORCE,
    fractional=True,
    streaming=True,
)


def run_of(run_id: str, status: RunStatus) -> Run:
    """A run at the account."""
    return Run(id=run_id, config=CONFIG, status=status, created_ns=0)


def traded(run_id: str, number: int, time_ns: int) -> tuple[Order, Fill, list[Envelope]]:
    """One order of a run that buys and sells in turn, filled, with the events that told of it."""
    order_id, side = f"{run_id}-{number}", OrderSide.SELL if number % 2 else OrderSide.BUY
    request = OrderRequest(symbol="DEMO", side=side, qty=Decimal(10))
    created = Order(
        id=order_id, run_id=run_id, request=request, time_in_force=TimeInForce.DAY, status=OrderStatus.CREATED,
        created_ns=time_ns, updated_ns=time_ns, account=KEY,
    )  # fmt: skip
    price, fee, fill_id = Decimal(100) + Decimal(number % 97) / 100, Decimal("0.25"), f"{KEY}/e-{order_id}"
    fill = Fill(fill_id, run_id, order_id, "DEMO", side, Decimal(10), price, fee, Decimal(0), time_ns)
    made: list[Payload] = [
        PlaceRequest(order_id=order_id, request=request, bar_start_ns=time_ns, close=100.1),
        OrderCreated(order=created),
        RiskApproved(order_id=order_id),
        OrderSubmitted(order_id=order_id, account=KEY),
        OrderAccepted(order_id=order_id),
        OrderFilled(
            order_id=order_id, fill_id=fill_id, qty=fill.qty, price=price, fee=fee, filled_qty=fill.qty, time_ns=time_ns
        ),
    ][6 - EVENTS_OF_AN_ORDER :]  # fmt: skip
    events = [
        envelope(payload, id=f"{order_id}.{at}", ts=time_ns, producer="trading", run_id=run_id, corr_id=run_id)
        for at, payload in enumerate(made)
    ]
    order = Order(
        id=order_id, run_id=run_id, request=request, time_in_force=TimeInForce.DAY, status=OrderStatus.FILLED,
        created_ns=time_ns, updated_ns=time_ns, filled_qty=Decimal(10), avg_fill_price=price, account=KEY, broker_id=f"b-{order_id}",
    )  # fmt: skip
    return order, fill, events


def shares(orders: int, runs: int) -> Iterator[tuple[str, int, RunStatus]]:
    """The runs, with how many orders each placed: two go on and have a twentieth of all between them."""
    live = orders // 40
    for number in range(runs):
        yield f"over{number:03}", (orders - 2 * live) // runs, RunStatus.STOPPED
    for name in ("live-a", "live-b"):
        yield name, live, RunStatus.INTERRUPTED


async def fill_account(store: Store, orders: int, runs: int) -> None:
    """Store what an account traded: even numbers of orders leave it flat. It was compared with its broker after that."""
    now_ns = SystemClock().now_ns()
    time_ns = now_ns - 400 * 24 * 60 * MINUTE_NS
    async with store.runs.begin() as work:
        work.append([envelope(AccountAdopted(account=KEY, positions=()), id="adopted", ts=time_ns, producer="trading")])
    for run_id, count, status in shares(orders, runs):
        async with store.runs.begin() as work:
            work.put_run(run_of(run_id, status))
            work.append([envelope(RunCreated(config=CONFIG), id=f"{run_id}.0", ts=time_ns, producer="runs", run_id=run_id, corr_id=run_id)])
        for first in range(0, count - count % 2, PAGE):
            rows = [traded(run_id, number, time_ns + number) for number in range(first, min(first + PAGE, count - count % 2))]
            async with store.runs.begin() as work:
                work.put_orders([order for order, _, _ in rows])
                work.add_fills([fill for _, fill, _ in rows])
                work.append([event for _, _, events in rows for event in events])
        time_ns += count + 1
    async with store.runs.begin() as work:
        work.append([envelope(Reconciled(account=KEY, until_ns=now_ns), id="compared", ts=now_ns, producer="trading")])


@asynccontextmanager
async def desk_at(store: Store) -> AsyncIterator[AccountDesk]:
    """The account's desk, open and compared with a broker that holds nothing, as the account does."""
    clock = SystemClock()

    def on_bug(error: BaseException, doing: str) -> None:
        raise RuntimeError(f"a bug while {doing}") from error

    state = AccountState(KEY, FEATURES, RiskLimits(), runs=store.runs, clock=clock)
    desk = AccountDesk(
        state, FakeBroker(clock.now_ns), runs=store.runs, log=store.log, is_open=lambda _symbol, _now: True, is_armed=True, on_bug=on_bug
    )
    async with desk.open():
        yield desk


async def opening(store: Store) -> float:
    """Seconds until the account's desk is open."""
    began = perf_counter()
    async with desk_at(store):
        return perf_counter() - began


if __name__ == "__main__":
    import cProfile
    import pstats
    import sys
    import tempfile
    from pathlib import Path

    from core.store.database import DatabaseStore

    async def main(orders: int, runs: int, url: str) -> None:
        store = DatabaseStore(url or Path(tempfile.mkdtemp()) / "weaver.db", SystemClock())
        await store.open()
        began = perf_counter()
        await fill_account(store, orders, runs)
        print("fill", perf_counter() - began)
        for _ in range(3):
            print("open", await opening(store))
        profile = cProfile.Profile()
        profile.enable()
        print("open", await opening(store))
        profile.disable()
        pstats.Stats(profile).sort_stats("cumtime").print_stats(25)
        await store.close()

    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else ""))
