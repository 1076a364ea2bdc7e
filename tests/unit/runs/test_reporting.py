"""The report of a stored run: what happened to its account is read from the event log, all of it."""

from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from core.brokers.sim import SimSource
from core.clock.realtime import SystemClock
from core.events.payloads import InterestCharged
from core.model.instants import DAY_NS
from core.model.market import BarSeries, BarSetKey, Timeframe
from core.model.run import AccountKind, AccountTerms, RunConfig
from core.ports import Store
from core.runs.manager import RunManager
from core.runs.reporting import report_of
from core.store.database import DatabaseStore
from core.store.memory import MemoryStore
from core.strategy.loader import StrategyLoader

NIGHTS = 2_600
KEY = BarSetKey(symbol="X/Y", timeframe="1d", source="test")


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Store]:
    clock = SystemClock()
    made: Store = MemoryStore(clock) if request.param == "memory" else DatabaseStore(f"sqlite:///{tmp_path / 'weaver.db'}", clock)
    await made.open()
    close = (100 + 5 * np.sin(np.arange(NIGHTS) / 9)).round(2)
    starts = np.arange(NIGHTS, dtype=np.int64) * DAY_NS
    await made.bars.merge(
        KEY, BarSeries.from_columns("X/Y", Timeframe(DAY_NS), starts, close, close + 0.5, close - 0.5, close, np.ones(NIGHTS))
    )
    yield made
    await made.close()


async def test_the_report_has_every_night_of_a_long_run(store: Store, tmp_path: Path) -> None:
    def bug(error: BaseException, what: str) -> None:
        raise error

    manager = RunManager(
        brokers=SimSource(0), store=store, strategies=StrategyLoader((tmp_path,)), clock=SystemClock(), callback_limit_s=10.0, on_bug=bug
    )
    terms = AccountTerms(kind=AccountKind.MARGIN, credit_rate=Decimal("0.05"))
    run = await manager.create(RunConfig(strategy_id="sma-cross", symbols=("X/Y",), timeframe="1d", account=terms))
    await manager.start(run.id)
    run = await manager.wait(run.id)
    charged = await store.log.read(run_id=run.id, pattern="account.InterestCharged", limit=10_000)
    assert len(charged) > 2_000
    report = await report_of(run.id, runs=manager, store=store)
    assert [(entry.time_ns, entry.amount) for entry in report.account] == [
        (event.ts, -event.payload.amount) for event in charged if isinstance(event.payload, InterestCharged)
    ]
    (total,) = report.account_totals
    assert (total.symbol, total.kind, total.count) == (None, "interest_earned", len(charged))
    assert [period.name for period in report.account_periods] == [str(year) for year in range(1970, 1978)]
    await manager.close()
