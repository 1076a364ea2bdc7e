"""A run on the paper account goes to a desk whose simulated market lives a day earlier: what was not sent is known not to be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from core.brokers.paper.floor import PaperTerms
from core.brokers.paper.hours import RoundTheClock
from core.brokers.paper.source import PaperFeed, PaperSource
from core.brokers.sim import ID as SIM
from core.brokers.sim import SimSource
from core.clock.realtime import SystemClock
from core.matching.costs import NoFee
from core.model.broker import AccountName
from core.model.desk import Desk
from core.model.instants import DAY_NS
from core.model.order import OrderStatus, RejectCode
from core.model.run import AccountTerms, RunConfig, RunMode, RunStatus
from core.runs.manager import RunManager
from core.store.database import DatabaseStore
from core.strategy.loader import StrategyLoader
from tests.strictness.log_guard import AllowLog
from tests.unit.runs.live_desk import BEGINS_NS

D = Decimal
S = OrderStatus
RESTS = '''
from core.strategy.api import Bar, BarStrategy


class Rests(BarStrategy):
    """Buys one, and leaves an order far below the market for ever."""

    id = "rests"

    def on_bar(self, bar: Bar) -> None:
        if not self.held() and not self.account.working():
            self.buy(1)
            self.buy(1, limit=1, time_in_force="gtc")
'''


class PaperDesk:
    """A workstation with the paper account, on a simulated market of its own that begins when the test says."""

    def __init__(self, url: str, folder: Path, name: str, begins_ns: int) -> None:
        market = SimSource(begins_ns, speed=600)
        self.store = DatabaseStore(url, SystemClock(), locks=folder / name, desk=Desk(id=f"id-{name}", name=name))
        feed = PaperFeed(id=SIM, open=lambda: market.open(SIM, AccountName.PAPER), clock=market.clock(SIM), hours=RoundTheClock())
        terms = PaperTerms(account=AccountTerms(), fees=NoFee())
        self.bugs: list[str] = []
        self.runs = RunManager(
            store=self.store,
            strategies=StrategyLoader([folder]),
            brokers=PaperSource(feed, self.store.paper, self.store.actions, lambda: terms, D(1_000_000)),
            clock=SystemClock(),
            callback_limit_s=5.0,
            on_bug=lambda error, where: self.bugs.append(f"{where}: {error!r}"),
        )

    async def until(self, wire: str, count: int) -> None:
        """Return once there are so many such events."""
        told = asyncio.Event()
        with self.store.log.subscribe(wire, lambda _: told.set(), owner="test"):
            async with asyncio.timeout(60):
                while len(await self.store.log.read(pattern=wire)) < count:
                    await told.wait()
                    told.clear()


@asynccontextmanager
async def paper_desk(url: str, folder: Path, name: str, begins_ns: int) -> AsyncIterator[PaperDesk]:
    desk = PaperDesk(url, folder, name, begins_ns)
    await desk.store.open()
    try:
        yield desk
    finally:
        await desk.runs.close()
        await desk.store.close()
    assert desk.bugs == []


@pytest.mark.parametrize("behind_ns", [DAY_NS, -DAY_NS], ids=["a day earlier", "a day later"])
async def test_what_was_committed_and_not_sent_is_settled_where_the_run_is_taken_over(
    tmp_path: Path, postgres_url: str, allow_log: AllowLog, behind_ns: int
) -> None:
    allow_log("Another desk has taken over run")
    (tmp_path / "rests.py").write_text(RESTS)
    async with (
        paper_desk(postgres_url, tmp_path, "Ann", BEGINS_NS) as ann,
        paper_desk(postgres_url, tmp_path, "Ben", BEGINS_NS - behind_ns) as ben,
    ):
        for desk in (ann, ben):
            await desk.runs._leases.renew()
        config = RunConfig(strategy_id="rests", symbols=("DEMO/USD",), timeframe="1m", mode=RunMode.PAPER, broker="paper", cash=D(500_000))
        run = await ann.runs.start((await ann.runs.create(config)).id)
        await ann.until("orders.Filled", 1)
        await ann.until("orders.Accepted", 2)
        # Ann commits one more in the moment before she lets go, and it never leaves.
        working = next(one for one in await ann.store.runs.orders(run.id) if one.status is S.ACCEPTED)
        unsent = msgspec.structs.replace(working, id=f"{run.id}-99", status=S.SUBMITTING, broker_id=None)
        async with ann.store.runs.begin() as work:
            work.put_orders([unsent])
        await ann.runs.offer(run.id, "Ben")
        taken = await ben.runs.take_over(run.id)
        assert taken.status is RunStatus.INTERRUPTED
        assert taken.error is not None
        assert "1 of its orders works on" in taken.error
        orders = {order.id: order for order in await ben.store.runs.orders(run.id)}
        assert (orders[unsent.id].status, orders[unsent.id].reject_code) == (S.REJECTED, RejectCode.NEVER_SENT)
        assert orders[working.id].status is S.ACCEPTED
        assert len(await ben.store.runs.fills(run.id)) == 1
