"""A log full of orders: what an account traded over a hundred runs that are over and two that go on, beside one of ten thousand events."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

from benchmarks.long_log import engine_at, open_run, start, timed
from benchmarks.measuring import Row, Table
from core.brokers.exchange import TIMES_IN_FORCE
from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.engine import Engine
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
from core.store.database import DatabaseStore
from core.trading.service import AccountDesk
from core.trading.state import AccountState

KEY = "fake:FAKE"
EVENTS_OF_AN_ORDER = 5
SHORT, LONG = 10_000, 10_000_000
RUNS = 100
SAME = "the-same"
SAME_ORDERS = 200
"""Orders of a run that is in both logs."""
REPEATS = 9
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
    yield SAME, SAME_ORDERS, RunStatus.STOPPED
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


Times = dict[str, list[float]]


async def desk_lists(engine: Engine) -> None:
    """What the list of runs shows."""
    await engine.runs()
    await engine.switches()


async def asked(path: Path, times: Times) -> None:
    """Start the program and ask what its panels ask; then open the account."""
    times["start of the program"].append(await timed(lambda: start(path)))
    engine = engine_at(path)
    await engine.open(recover=False)
    for again in range(2):  # the second time it is the database that is asked, not the imports
        for name, work in (
            ("list of runs, how the kill switch stands", partial(desk_lists, engine)),
            (f"opening of a run of {SAME_ORDERS} orders", partial(open_run, engine, SAME)),
        ):
            seconds = await timed(work)
            if again:
                times[name].append(seconds)
    await engine.close()
    store = DatabaseStore(path, SystemClock())
    await store.open()
    began = process_time()
    times["opening of the account"].append(await opening(store))
    times["the same in processor time"].append(process_time() - began)
    await store.close()


async def measured(folder: Path, sizes: tuple[int, int]) -> tuple[list[Times], list[float]]:
    """For each size what was asked, in turns; and the seconds of the opening that finds no snapshot."""
    paths, times, firsts = [folder / str(events) / "weaver.db" for events in sizes], list[Times](), list[float]()
    for path, events in zip(paths, sizes, strict=True):
        path.parent.mkdir(exist_ok=True)
        is_new = not path.exists()
        store = DatabaseStore(path, SystemClock())
        await store.open()
        if is_new:
            await fill_account(store, events // EVENTS_OF_AN_ORDER, RUNS)
        firsts.append(await opening(store))
        await store.close()
        times.append(defaultdict(list))
    for _ in range(REPEATS):
        for path, found in zip(paths, times, strict=True):
            await asked(path, found)
    return times, firsts


def measure(quick: bool) -> Table:
    """A short log and a long one, on files of their own. The long one takes a quarter of an hour and 6 GB of disk."""
    sizes = (SHORT, LONG // 50 if quick else LONG)
    with TemporaryDirectory(prefix="weaver-benchmark-") as folder:
        times, firsts = asyncio.run(measured(Path(folder), sizes))
    return table(sizes, times, firsts)


def table(sizes: tuple[int, int], times: list[Times], firsts: list[float]) -> Table:
    """The least of what was measured: the machine is not always alone."""
    least = {name: [min(found[name]) for found in times] for name in times[0]}
    rows = [
        Row(name=name, figures=(f"{short * 1e3:.0f} ms", f"{long * 1e3:.0f} ms"), goal="no slower", met=long < 1.5 * short)
        for name, (short, long) in least.items()
    ]
    once = tuple(f"{seconds:.2f} s" for seconds in firsts)
    rows.append(Row(name="opening of the account once, where no snapshot of it is there", figures=once))
    note = f"SQLite, {RUNS + 3} runs in each, {EVENTS_OF_AN_ORDER} events an order; the least of {REPEATS}, taken in turns."
    return Table(title="A log full of orders", columns=tuple(f"{events:,} events" for events in sizes), rows=tuple(rows), notes=(note,))
