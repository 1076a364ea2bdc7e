"""A run manager at the fake Alpaca, over real HTTP and websockets, in a quick time: paper and live accounts side by side."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.brokers.accounts import Accounts
from core.brokers.keys import KeyVault
from core.brokers.loader import AdapterLoader
from core.brokers.source import AdapterSource, Brokers
from core.clock.realtime import SystemClock
from core.model.broker import AccountName
from core.model.desk import Desk
from core.model.instants import DAY_NS, MINUTE_NS, to_ns
from core.model.run import Run, RunConfig, RunMode
from core.ports import Store
from core.runs.manager import RunManager
from core.store.database import DatabaseStore
from core.strategy.loader import StrategyLoader
from tests.broker.bench import environment_of, fake_broker
from tests.broker.market import Market
from tests.broker.server import KEY, SECRET, FakeBroker
from tests.broker.shared_clock import SharedClock
from tests.unit.runs.waiting import Waiting

NOON = to_ns(datetime(2026, 11, 30, 17, 0, tzinfo=UTC))
"""Of a Monday in New York."""
START_NS = 20_790 * DAY_NS + 3 * 60 * MINUTE_NS
LIVE = "987654321"
TURN = '''
from core.strategy.api import Bar, BarStrategy


class Turn(BarStrategy):
    """Buys and sells all of it in turn."""

    id = "turn"
    warmup = 2

    def on_bar(self, bar: Bar) -> None:
        if self.held():
            self.sell(self.held())
        else:
            self.buy(0.5)
'''


class BrokerDesk(Waiting):
    """A workstation with accounts at the broker."""

    def __init__(self, store: Store, runs: RunManager, server: FakeBroker, clock: SharedClock) -> None:
        self.store, self.runs, self.server, self.clock = store, runs, server, clock
        self.bugs: list[str] = []

    async def create(self, mode: RunMode = RunMode.PAPER, minutes: int | None = None, strategy_id: str = "turn", **changes: Any) -> Run:
        end_ns = None if minutes is None else (self.clock.now_ns() // MINUTE_NS + 1 + minutes) * MINUTE_NS
        terms: dict[str, Any] = {"symbols": ("BTC/USD",), "timeframe": "1m", "mode": mode, "broker": "alpaca", "end_ns": end_ns}
        return await self.runs.create(RunConfig(strategy_id=strategy_id, **(terms | changes)))

    def sent(self) -> list[dict[str, Any]]:
        """The broker's orders, oldest first."""
        return self.server.do(lambda: [dict(order) for order in self.server.book.orders.values()])

    def fill(self, broker_id: str, qty: str, price: str) -> None:
        """Let the market take a part of an order."""
        self.server.do(lambda: self.server.book.fill(broker_id, qty, price))


@asynccontextmanager
async def broker_desk(
    url: str, folder: Path, server: FakeBroker, clock: SharedClock, *, name: str = "Ann", **adapters: str
) -> AsyncIterator[BrokerDesk]:
    """A desk of that name at a broker that is there."""
    (folder / "turn.py").write_text(TURN)
    live = {"ALPACA_LIVE_API_KEY": KEY, "ALPACA_LIVE_API_SECRET": SECRET, "ALPACA_LIVE_BASE_URL": server.url}
    environment = environment_of(server, **live)
    chosen = {account: adapters.get(account.value, "alpaca") for account in AccountName}
    accounts = Accounts(AdapterLoader((folder / "adapters",)), KeyVault(environment, "nobody"), environment, chosen, SystemClock())
    store = DatabaseStore(url, SystemClock(), locks=folder / name, desk=Desk(id=f"id-{name}", name=name))
    await store.open()
    bugs: list[str] = []
    runs = RunManager(
        store=store,
        strategies=StrategyLoader([folder]),
        brokers=Brokers({}, AdapterSource(accounts, clock)),
        clock=clock,
        callback_limit_s=5.0,
        on_bug=lambda error, where: bugs.append(f"{where}: {error!r}"),
    )
    try:
        yield BrokerDesk(store, runs, server, clock)
    finally:
        await runs.close()
        await store.close()
    assert not bugs, bugs


@asynccontextmanager
async def at_broker(
    folder: Path, *, speed: int = 120, number: str | None = None, start_ns: int = START_NS, **options: Any
) -> AsyncIterator[BrokerDesk]:
    """A desk at a broker of its own, whose market goes on from `start_ns`. `number`: of the account there."""
    with fake_broker() as server:
        if number is not None:
            server.number = number
        clock = SharedClock.begin(folder / "clock", start_ns, speed)
        with Market(server, clock, {"BTC/USD": 42_000.0, "ETH/USD": 2_500.0, "SPY": 400.0}, days=7).running():
            async with broker_desk(str(folder / "desk.db"), folder, server, clock, **options) as desk:
                yield desk


@asynccontextmanager
async def bracket(folder: Path, strategy: str) -> AsyncIterator[tuple[BrokerDesk, Run]]:
    """A run of `strategy`, whose id is bracket, over SPY by day, once the broker has three orders of it."""
    (folder / "bracket.py").write_text(strategy)
    async with at_broker(folder, start_ns=NOON) as desk:
        run = await desk.create(strategy_id="bracket", symbols=("SPY",))
        await desk.runs.start(run.id)
        await desk.until("orders.Accepted", 3)
        yield desk, run
