"""A run manager on the simulated market, and strategies for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from core.brokers.sim import ID, SimBroker, SimSource
from core.clock.realtime import SystemClock
from core.events.envelope import envelope
from core.events.live_payloads import SwitchThrown
from core.model.instants import DAY_NS, MINUTE_NS
from core.model.risk import SwitchLevel
from core.model.run import Run, RunConfig, RunMode
from core.ports import Broker
from core.runs.manager import RunManager
from core.store.database import DatabaseStore
from core.strategy.loader import StrategyLoader
from tests.unit.runs.waiting import Waiting
from tests.virtual_time import VirtualClock, virtual_time

BEGINS_NS = 20_000 * DAY_NS + 10 * 60 * MINUTE_NS - MINUTE_NS // 2

PLAIN = '''
from core.strategy.api import Bar, BarStrategy


class Plain(BarStrategy):
    """Buys one and sells it at every other bar, and leaves an order working."""

    id = "plain"
    warmup = 3

    def on_bar(self, bar: Bar) -> None:
        {more}
        if self.held():
            self.sell(1)
        else:
            self.buy(1)
        if not self.account.working():
            self.buy(1, limit=1, time_in_force="gtc")
'''


class KeptSource(SimSource):
    """Keeps the broker that it opened, for a test to look at."""

    broker: SimBroker | None = None

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Broker]:
        async with super()._open() as broker:
            assert isinstance(broker, SimBroker)
            self.broker = broker
            yield broker


class LiveScene(Waiting):
    """What a test holds in its hands."""

    def __init__(
        self,
        folder: Path,
        *,
        speed: float = 1_200.0,
        callback_limit_s: float = 5.0,
        store: DatabaseStore | None = None,
        begins_ns: int = BEGINS_NS,
    ) -> None:
        clock = SystemClock()
        self.folder = folder
        self.source = KeptSource(begins_ns, speed=speed)
        self.source._clock = VirtualClock(begins_ns, speed)
        self.clock = self.source.clock(ID)
        self.store = store or DatabaseStore(folder / "desk.db", clock)
        self.bugs: list[str] = []
        self.runs = RunManager(
            store=self.store,
            strategies=StrategyLoader([folder]),
            brokers=self.source,
            clock=clock,
            callback_limit_s=callback_limit_s,
            on_bug=lambda error, where: self.bugs.append(f"{where}: {error!r}"),
        )

    def strategy(self, more: str = "pass") -> None:
        (self.folder / "plain.py").write_text(PLAIN.replace("{more}", more))

    async def start(self, strategy: str = "plain", minutes: int | None = None, **changes: Any) -> Run:
        end_ns = None if minutes is None else (self.clock.now_ns() // MINUTE_NS + 1 + minutes) * MINUTE_NS
        terms: dict[str, Any] = {"symbols": ("DEMO/USD",), "timeframe": "1m", "mode": RunMode.PAPER, "broker": ID, "end_ns": end_ns}
        run = await self.runs.create(RunConfig(strategy_id=strategy, **(terms | changes)))
        return await self.runs.start(run.id)

    async def throw(self, level: SwitchLevel) -> None:
        """Throw the kill switch of all."""
        now = SystemClock().now_ns()
        payload = SwitchThrown(level=level, reason="A person threw it.")
        await self.store.log.append([envelope(payload, id=f"switch-{level}-{now}", ts=now, producer="engine")])

    @property
    def broker(self) -> SimBroker:
        assert self.source.broker is not None
        return self.source.broker

    async def assert_at_the_broker(self, run: Run) -> None:
        """The run's rows are what the broker has, and nothing of it works on."""
        orders = {order.id: order for order in await self.store.runs.orders(run.id)}
        theirs = {order.client_order_id: order for order in self.broker.exchange.orders()}
        assert set(theirs) <= set(orders)
        assert all((order.status, order.filled_qty) == (orders[own].status, orders[own].filled_qty) for own, order in theirs.items())
        assert all(order.status.is_final for order in orders.values())
        fills = await self.store.runs.fills(run.id)
        assert len(fills) == len(self.broker.exchange.executions())


@asynccontextmanager
async def live(folder: Path, *, in_real_time: bool = False, **options: Any) -> AsyncIterator[LiveScene]:
    """On a market in virtual time. `in_real_time`: for a strategy that takes its time."""
    with nullcontext() if in_real_time else virtual_time():
        scene = LiveScene(folder, **options)
        await scene.store.open()
        try:
            yield scene
        finally:
            await scene.runs.close()
            await scene.store.close()
    assert not scene.bugs, scene.bugs
