"""A database with runs, bars and actions in it, made by the program itself, for tests that look after it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import numpy as np

from core.brokers.sim import SimSource
from core.clock.realtime import SystemClock
from core.model.corporate_action import Dividend, Split
from core.model.instants import DAY_NS, MINUTE_NS
from core.model.market import BarSeries, BarSetKey, Timeframe
from core.model.run import AccountKind, AccountTerms, Run, RunConfig, RunStatus
from core.ports import Store
from core.runs.manager import RunManager
from core.store.bar_hash import CHUNK_SPAN
from core.strategy.loader import StrategyLoader

FIRST_NS = 1_572_877_800_000_000_000
"""The opening of the session of 2019-11-04."""

SOURCE = '''
from core.strategy.api import BarStrategy


class Busy(BarStrategy):
    """Trades both ways, with brackets and changes."""

    id = "busy"

    def on_bar(self, bar):
        chance = self.random.random()
        if chance < 0.2:
            self.buy(3, target=round(bar.close + 1, 2), stop_loss=round(bar.close - 1, 2))
        elif chance < 0.3:
            self.sell(1)
        elif chance < 0.4:
            self.buy(1, limit=round(bar.close - 0.5, 2), time_in_force="gtc")
        working = self.account.working()
        if len(working) > 6:
            self.cancel(working[0])
'''


PATIENT = '''
from core.strategy.api import BarStrategy


class Patient(BarStrategy):
    """Buys much, a little a bar: its order works through a split."""

    id = "patient"

    def on_bar(self, bar):
        if not self.account.working() and not self.held():
            self.buy(2_000, limit=500, time_in_force="gtc")
'''

SESSION = 130
"""Minutes of each session that have bars."""


def bars(count: int = 3 * SESSION) -> BarSeries:
    """The first minutes of sessions."""
    close = (100 + 5 * np.sin(np.arange(count) / 9) + np.random.default_rng(3).normal(0, 0.3, count)).round(2)
    starts = np.array([FIRST_NS + at // SESSION * DAY_NS + at % SESSION * MINUTE_NS for at in range(count)], np.int64)
    return BarSeries.from_columns("SPY", Timeframe.parse("1m"), starts, close, close + 0.5, close - 0.5, close, np.full(count, 9.0))


def manager_of(store: Store, folder: Path) -> RunManager:
    """Return a manager whose strategies lie in `folder`."""
    (folder / "busy.py").write_text(SOURCE)
    (folder / "patient.py").write_text(PATIENT)
    return RunManager(
        brokers=SimSource(0),
        store=store,
        strategies=StrategyLoader([folder]),
        clock=SystemClock(),
        callback_limit_s=5.0,
        on_bug=lambda _error, _where: None,
    )


async def ran(manager: RunManager, strategy: str = "busy", **changes: object) -> Run:
    """Run to the end."""
    config = RunConfig(strategy_id=strategy, symbols=("SPY",), timeframe="1m", cash=Decimal(10_000_000), **changes)  # type: ignore[arg-type]
    run = await manager.create(config)
    await manager.start(run.id)
    run = await manager.wait(run.id)
    assert run.status is RunStatus.COMPLETED, run.error
    return run


async def fill_desk(store: Store, folder: Path) -> list[Run]:
    """Put into an open store: two bar sets, actions, and three runs, with a split, partial fills and a trace among them."""
    await store.bars.merge(BarSetKey(symbol="SPY", timeframe="1m", source="file"), bars())
    starts = np.array([0, 1, CHUNK_SPAN, 2 * CHUNK_SPAN + 5], np.int64) * MINUTE_NS
    flat = np.full(4, 7.25)
    await store.bars.merge(
        BarSetKey(symbol="X/Y", timeframe="1m", source="feed"),
        BarSeries.from_columns("X/Y", Timeframe.parse("1m"), starts, flat, flat, flat, flat, np.array([1.0, np.nan, -0.0, 5e-324])),
    )
    await store.actions.put([Split(symbol="SPY", day=18_205, ratio=Decimal(2)), Dividend(symbol="SPY", day=18_206, amount=Decimal("0.5"))])
    manager = manager_of(store, folder)
    try:
        margin = AccountTerms(kind=AccountKind.MARGIN, borrow_rate=Decimal("0.05"))
        return [
            await ran(manager, fees="bps:10", volume_cap=Decimal("0.3")),
            await ran(manager, account=margin, seed=4, slippage="bps:2"),
            await ran(manager, trace=True, end_ns=FIRST_NS + 60 * MINUTE_NS),
        ]
    finally:
        await manager.close()


@asynccontextmanager
async def opened(store: Store) -> AsyncIterator[Store]:
    """Open a store and close it."""
    await store.open()
    try:
        yield store
    finally:
        await store.close()
