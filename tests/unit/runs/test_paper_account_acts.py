"""A run on the paper account while companies do something: it goes on, with its part of it, over an interruption too."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from core.brokers.paper.floor import PaperTerms
from core.brokers.paper.hours import RoundTheClock
from core.brokers.paper.source import PaperFeed, PaperSource
from core.brokers.sim import ID as SIM
from core.brokers.sim import SimSource
from core.clock.calendar import exchange_day
from core.clock.realtime import SystemClock
from core.events.payloads import SplitApplied
from core.matching.costs import NoFee
from core.model.broker import AccountName
from core.model.corporate_action import Dividend, Split
from core.model.findings import Findings
from core.model.instants import MINUTE_NS, parse_instant
from core.model.run import AccountTerms, Run, RunConfig, RunMode, RunStatus
from core.runs.checking import check_store
from core.runs.conservation import check_run
from core.runs.manager import RunManager
from core.store.database import DatabaseStore
from core.strategy.loader import StrategyLoader
from tests.virtual_time import VirtualClock, virtual_time

D = Decimal
BEGINS = "2024-10-04T03:54:30Z"
"""Five and a half minutes before midnight in New York."""
DAY = exchange_day(parse_instant("2024-10-04T12:00:00Z"))
HOLDER = '''
from core.strategy.api import Bar, BarStrategy


class Holder(BarStrategy):
    """Buys ten, keeps an order working far below, and sells all once there are forty."""

    id = "holder"
    warmup = 2

    def on_bar(self, bar: Bar) -> None:
        if not self.held() and not self.account.working():
            self.buy(10)
            self.buy(2, limit=8, time_in_force="gtc")
        if self.held() == 40:
            self.sell(40)
'''


class Scene:
    """A run manager on the paper account, on a simulated market that goes fast, in virtual time."""

    def __init__(self, folder: Path, begins: str) -> None:
        market = SimSource(parse_instant(begins), speed=1_200)
        market._clock = VirtualClock(parse_instant(begins), 1_200)
        self.clock = market.clock(SIM)
        self.store = DatabaseStore(folder / "desk.db", SystemClock())
        feed = PaperFeed(id=SIM, open=lambda: market.open(SIM, AccountName.PAPER), clock=self.clock, hours=RoundTheClock())
        terms = PaperTerms(account=AccountTerms(), fees=NoFee())
        self.bugs: list[str] = []
        self.runs = RunManager(
            store=self.store,
            strategies=StrategyLoader([folder]),
            brokers=PaperSource(feed, self.store.paper, self.store.actions, lambda: terms, D(100_000)),
            clock=SystemClock(),
            callback_limit_s=5.0,
            on_bug=lambda error, where: self.bugs.append(f"{where}: {error!r}"),
        )

    async def run(self, minutes: int) -> Run:
        end_ns = (self.clock.now_ns() // MINUTE_NS + minutes) * MINUTE_NS
        config = RunConfig(strategy_id="holder", symbols=("DEMO",), timeframe="1m", mode=RunMode.PAPER, broker="paper", end_ns=end_ns)
        created = await self.runs.create(config)
        return await self.runs.wait((await self.runs.start(created.id)).id)


@asynccontextmanager
async def scene(folder: Path, begins: str = BEGINS) -> AsyncIterator[Scene]:
    (folder / "holder.py").write_text(HOLDER)
    with virtual_time():
        opened = Scene(folder, begins)
        await opened.store.open()
        try:
            yield opened
        finally:
            await opened.runs.close()
            await opened.store.close()
    assert opened.bugs == []


async def test_a_run_goes_on_over_a_split_and_a_dividend(tmp_path: Path) -> None:
    async with scene(tmp_path) as desk:
        await desk.store.actions.put([Split(symbol="DEMO", day=DAY, ratio=D(4)), Dividend(symbol="DEMO", day=DAY, amount=D("0.25"))])
        over = await desk.run(12)
        assert (over.status, over.error) == (RunStatus.COMPLETED, None)
        orders = await desk.store.runs.orders(over.id)
        assert [(order.request.side.value, order.request.qty, order.status.value) for order in orders] == [
            ("buy", D(10), "filled"),
            ("buy", D(8), "cancelled"),  # its working order went through the split as well
            ("sell", D(40), "filled"),
        ]
        assert orders[1].request.limit_price == 2
        bought, sold = await desk.store.runs.fills(over.id)
        result = await desk.store.runs.result(over.id)
        assert result is not None
        (trade,) = result.trades
        assert (trade.qty, trade.entry_price, trade.pnl) == (D(40), bought.price / 4, 40 * sold.price - 10 * bought.price)
        dividend = 40 * D("0.25")
        assert result.equity[-1] == float(over.config.cash - 10 * bought.price + 40 * sold.price + dividend)
        assert [one for one in result.open_positions if one.qty] == []
        types = [event.type for event in await desk.store.log.read(run_id=over.id, pattern="account.*")]
        assert types == ["account.SplitApplied", "account.DividendPaid"]
        assert [one.type for one in await desk.store.log.read(pattern="live.Differed")] == []
        found = Findings()
        await check_run(over, desk.store, found)
        assert found.report().findings == ()
        checked = await check_store(desk.store, lambda _: None)
        assert checked.findings == ()


async def test_a_run_that_is_over_keeps_its_part_and_what_is_stored_of_it_agrees_with_itself(tmp_path: Path) -> None:
    async with scene(tmp_path, "2024-10-04T03:48:30Z") as desk:
        await desk.store.actions.put([Split(symbol="DEMO", day=DAY, ratio=D(2))])
        first = await desk.run(6)
        await desk.run(14)  # the account is open for it when the day begins
        (told,) = [event.payload for event in await desk.store.log.read(run_id=first.id, pattern=SplitApplied.wire)]
        assert isinstance(told, SplitApplied)
        assert (told.qty_before, told.qty) == (D(10), D(20))
        result = await desk.store.runs.result(first.id)
        assert result is not None
        assert [one.qty for one in result.open_positions] == [D(10)]  # as it was at its end
        checked = await check_store(desk.store, lambda _: None)
        assert checked.findings == ()
