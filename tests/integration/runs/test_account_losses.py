"""What an account has lost is not forgotten: the program starts anew, at another desk, and still refuses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
import pytest

from core.brokers.inside import InsideAccount
from core.brokers.sim import ID
from core.clock.realtime import SystemClock
from core.data.desk import DataDesk
from core.engine import Engine
from core.model.broker import Account, AccountName, AdapterInfo
from core.model.desk import Desk
from core.model.hand import HandOrder
from core.model.instants import HOUR_NS, MINUTE_NS
from core.model.order import Order, OrderSide, OrderType, RejectCode
from core.model.retention import EventClass
from core.model.risk import RiskLimits
from core.ports import Broker
from core.runs.equity_marks import EquityMarks
from core.runs.hand_account import HandAccount
from core.runs.history import RunHistories
from core.runs.manager import RunManager
from core.store.database import DatabaseStore
from core.strategy.loader import StrategyLoader
from tests.unit.runs.lasting import LastingSource
from tests.unit.runs.live_desk import BEGINS_NS

D = Decimal
KEY: Final = f"{ID}:LASTING"


class Counted(InsideAccount):
    """An account whose worth a test decides. `began_with`: what the broker says the day began with; zero: nothing."""

    equity = D(100_000)
    began_with = D(0)

    async def account(self) -> Account:
        return msgspec.structs.replace(await super().account(), equity=self.equity, last_equity=self.began_with)


class CountedSource(LastingSource):
    """Opens it."""

    account: Counted

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Broker]:
        async with super()._open() as broker:
            assert self.broker is not None
            self.account = Counted(self.broker.exchange, self.broker.faults)
            self.broker.account = self.account  # type: ignore[misc]  # it is final there
            self.account.equity, self.account.began_with = self.equity, self.began_with
            yield broker

    equity = D(100_000)
    began_with = D(0)


class WithSessions(CountedSource):
    """At a market that closes."""

    def info(self, broker_id: str) -> AdapterInfo:
        found = super().info(broker_id)
        return msgspec.structs.replace(found, features=msgspec.structs.replace(found.features, always_open=False))


class Opened:
    """An account that is open for a person, and what it is worth."""

    def __init__(self, account: HandAccount, source: CountedSource, engine: Engine, store: DatabaseStore) -> None:
        self.account, self.source, self.engine, self.store = account, source, engine, store

    async def worth(self, equity: int) -> None:
        """Let the account be worth so much, and be looked at."""
        self.source.account.equity = D(equity)
        await self.account.desk.reconcile()

    async def day(self) -> int:
        """Return the day that losses are counted in, as it is stored."""
        mark = await EquityMarks(self.store.log, self.store.runs).newest(KEY)
        assert mark is not None
        return mark.day

    async def order(self) -> Order:
        """Place an order that would wait at the broker."""
        wanted = HandOrder(symbol="DEMO/USD", side=OrderSide.BUY, qty=D(1), type=OrderType.LIMIT, limit_price=D(1))
        return await self.account.place(wanted)


@asynccontextmanager
async def opened(
    url: str,
    folder: Path,
    limits: RiskLimits,
    *,
    source: type[CountedSource] = CountedSource,
    desk: str = "Ann",
    equity: int = 100_000,
    began_with: int = 0,
    hours: int = 0,
) -> AsyncIterator[Opened]:
    """The program on a database, from its start to its end. `hours`: how much later it is."""
    clock = SystemClock()
    store = DatabaseStore(url, clock, locks=folder / desk, desk=Desk(id=f"id-{desk}", name=desk))
    broker = source(folder / "broker.json", begins_ns=BEGINS_NS + hours * HOUR_NS, speed=1.0)
    broker.equity, broker.began_with = D(equity), D(began_with)
    bugs: list[str] = []
    runs = RunManager(
        store=store,
        strategies=StrategyLoader([folder]),
        brokers=broker,
        clock=clock,
        callback_limit_s=5.0,
        on_bug=lambda error, where: bugs.append(f"{where}: {error!r}"),
        account_limits=lambda _: limits,
    )
    await store.open()
    engine = Engine(
        clock=clock,
        store=store,
        strategies=StrategyLoader([folder]),
        runs=runs,
        data=DataDesk(store, clock),
        histories=RunHistories(store.log, clock),
    )
    try:
        yield Opened(await runs.connect_by_hand(ID, AccountName.PAPER, ""), broker, engine, store)
    finally:
        await runs.close()
        await store.close()
    assert bugs == []


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "desk.db") if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


async def test_a_drawdown_is_counted_from_the_highest_equity_there_ever_was(url: str, tmp_path: Path) -> None:
    limits = RiskLimits(max_drawdown=D("0.1"))
    async with opened(url, tmp_path, limits) as here:
        await here.worth(120_000)
        await here.worth(109_000)
        assert (await here.order()).reject_code is None
        await here.worth(107_000)
        assert (await here.order()).reject_code is RejectCode.RISK_DRAWDOWN
    async with opened(url, tmp_path, limits, desk="Ben", equity=107_000, hours=720) as there:
        refused = await there.order()
        assert refused.reject_code is RejectCode.RISK_DRAWDOWN
        assert "13000 below the peak of 120000" in (refused.reason or "")
        await there.worth(125_000)
    async with opened(url, tmp_path, limits, equity=113_000) as again:
        assert (await again.order()).reject_code is None
        await again.worth(112_500)
        assert (await again.order()).reject_code is RejectCode.RISK_DRAWDOWN


async def test_who_lost_the_limit_of_a_day_is_refused_for_the_rest_of_it(url: str, tmp_path: Path) -> None:
    limits = RiskLimits(max_daily_loss=D(5_000))
    async with opened(url, tmp_path, limits) as here:
        await here.worth(95_000)
        assert (await here.order()).reject_code is RejectCode.RISK_DAILY_LOSS
    async with opened(url, tmp_path, limits, desk="Ben", equity=95_000) as there:
        refused = await there.order()
        assert refused.reject_code is RejectCode.RISK_DAILY_LOSS
        assert "5000 lost already" in (refused.reason or "")
    async with opened(url, tmp_path, limits, equity=95_000, hours=24) as tomorrow:
        assert (await tomorrow.order()).reject_code is None
        await tomorrow.worth(90_000)
        assert (await tomorrow.order()).reject_code is RejectCode.RISK_DAILY_LOSS


async def test_what_the_broker_says_the_day_began_with_counts(url: str, tmp_path: Path) -> None:
    limits = RiskLimits(max_daily_loss=D(5_000))
    async with opened(url, tmp_path, limits, equity=95_000, began_with=100_000) as here:
        assert (await here.order()).reject_code is RejectCode.RISK_DAILY_LOSS
    async with opened(url, tmp_path, limits, equity=95_000, began_with=99_000) as here:
        assert (await here.order()).reject_code is None


async def test_money_that_was_paid_out_is_no_loss_once_a_person_says_so(url: str, tmp_path: Path) -> None:
    limits = RiskLimits(max_drawdown=D("0.1"), max_daily_loss=D(5_000))
    async with opened(url, tmp_path, limits) as here:
        await here.worth(60_000)
        assert (await here.order()).reject_code is RejectCode.RISK_DAILY_LOSS
        money = await here.engine.count_losses_anew(ID, AccountName.PAPER)
        assert money.equity == 60_000
        assert (await here.order()).reject_code is None
    async with opened(url, tmp_path, limits, equity=56_000) as again:
        assert (await again.order()).reject_code is None
        await again.worth(55_000)
        assert (await again.order()).reject_code is RejectCode.RISK_DAILY_LOSS


async def test_what_leaves_the_log_is_in_the_table_by_then(url: str, tmp_path: Path) -> None:
    async with opened(url, tmp_path, RiskLimits()) as here:
        await here.worth(130_000)
        archive = await here.engine.archive(EventClass.DESK, -MINUTE_NS, tmp_path / "archives", lambda _: None)
        assert archive is not None
        assert await here.store.log.read(pattern="risk.EquityMarked") == []
        mark = await EquityMarks(here.store.log, here.store.runs).newest(KEY)
        assert mark is not None
        assert mark.peak == 130_000


async def test_an_account_that_holds_shares_has_the_days_of_the_exchange(url: str, tmp_path: Path) -> None:
    limits = RiskLimits(max_daily_loss=D(5_000))
    friday = 20_000  # its session closes at 20:00 UTC
    async with opened(url, tmp_path, limits, source=WithSessions) as here:
        assert await here.day() == friday
        await here.worth(96_000)
    async with opened(url, tmp_path, limits, source=WithSessions, equity=96_000, hours=11) as evening:
        assert await evening.day() == friday + 3
        assert (await evening.order()).reject_code is None
    async with opened(url, tmp_path, limits, source=WithSessions, equity=91_000, hours=50) as sunday:
        assert await sunday.day() == friday + 3
        assert (await sunday.order()).reject_code is RejectCode.RISK_DAILY_LOSS
