"""A run at any of its events, from what the log holds: as folded from the start, and at its end as its rows say."""

import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest

from core.brokers.sim import SimSource
from core.clock.realtime import SystemClock
from core.errors import RunError
from core.events.envelope import Envelope
from core.events.payloads import RunCompleted
from core.model.corporate_action import Dividend, Split
from core.model.instants import DAY_NS, MINUTE_NS
from core.model.market import BarSeries, BarSetKey, Timeframe
from core.model.run import AccountKind, AccountTerms, Run, RunConfig, RunStatus
from core.ports import Store
from core.runs.history import KEPT_RUNS, RunHistories
from core.runs.manager import RunManager
from core.store.database import DatabaseStore
from core.store.memory import MemoryStore
from core.strategy.loader import StrategyLoader
from core.views.run_at import SNAPSHOT_EVENTS, RunFold, RunView

SOURCE = '''
from core.strategy.api import BarStrategy


class Busy(BarStrategy):
    """Trades both ways, with brackets, changes and cancels."""

    id = "busy"

    def setup(self):
        self.limits = []

    def on_bar(self, bar):
        chance = self.random.random()
        if chance < 0.3:
            self.buy(2, target=round(bar.close + 1, 2), stop_loss=round(bar.close - 1, 2))
        elif chance < 0.45:
            self.sell(1)
        elif chance < 0.6:
            self.limits.append(self.buy(3, limit=round(bar.close - 0.5, 2), time_in_force="gtc"))
        working = self.account.working()
        if len(working) > 6:
            self.cancel(working[0])
        elif chance > 0.8 and self.limits and self.limits[-1] in working:
            self.replace(self.limits[-1], limit=round(bar.close - 2, 2))
'''
PATIENT = '''
from core.strategy.api import BarStrategy


class Patient(BarStrategy):
    """Buys much, a little a bar."""

    id = "busy"

    def on_bar(self, bar):
        if not self.account.working() and not self.held():
            self.buy(5_000, limit=500, time_in_force="gtc")
'''
FIRST_NS = 1_572_877_800_000_000_000
"""The opening of the session of 2019-11-04."""


def bars() -> BarSeries:
    """Three sessions of minutes."""
    close = (100 + 5 * np.sin(np.arange(1_170) / 9) + np.random.default_rng(3).normal(0, 0.3, 1_170)).round(2)
    starts = np.concatenate([FIRST_NS + day * DAY_NS + np.arange(390, dtype=np.int64) * MINUTE_NS for day in range(3)])
    return BarSeries.from_columns("SPY", Timeframe.parse("1m"), starts, close, close + 0.5, close - 0.5, close, np.full(1_170, 1e6))


@dataclass
class Desk:
    store: Store
    histories: RunHistories
    manager: RunManager

    async def ran(self, **changes: object) -> Run:
        config = RunConfig(strategy_id="busy", symbols=("SPY",), timeframe="1m", cash=Decimal(10_000_000), **changes)  # type: ignore[arg-type]
        run = await self.manager.create(config)
        await self.manager.start(run.id)
        run = await self.manager.wait(run.id)
        assert run.status is RunStatus.COMPLETED, run.error
        return run

    async def events(self, run: Run) -> list[Envelope]:
        return await self.store.log.read(run_id=run.id, limit=10_000_000)


@pytest.fixture(params=["memory", "sqlite"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Desk]:
    clock = SystemClock()
    store: Store = MemoryStore(clock) if request.param == "memory" else DatabaseStore(tmp_path / "weaver.db", clock)
    await store.open()
    (tmp_path / "busy.py").write_text(SOURCE)
    await store.bars.merge(BarSetKey(symbol="SPY", timeframe="1m", source="test"), bars())
    manager = RunManager(
        brokers=SimSource(0),
        store=store,
        strategies=StrategyLoader([tmp_path]),
        clock=clock,
        callback_limit_s=5.0,
        on_bug=lambda error, _where: None,
    )
    yield Desk(store, RunHistories(store.log, clock), manager)
    await manager.close()
    await store.close()


def folded(events: list[Envelope], seq: int) -> RunView:
    fold = RunFold()
    for event in events:
        if event.seq <= seq:
            fold.fold(event)
    return fold.view()


async def test_a_backtest_at_any_event_is_what_folding_from_the_start_gives(desk: Desk) -> None:
    await desk.store.actions.put([Split(symbol="SPY", day=18_205, ratio=Decimal(2)), Dividend(symbol="SPY", day=18_206, amount=Decimal(1))])
    run = await desk.ran(account=AccountTerms(kind=AccountKind.MARGIN, borrow_rate=Decimal("0.1")), fees="bps:1")
    events = await desk.events(run)
    assert len(events) > 3 * SNAPSHOT_EVENTS
    assert {"orders.Replaced", "orders.Cancelled", "account.SplitApplied", "account.DividendPaid"} <= {event.type for event in events}
    chance = random.Random(1)
    seqs = [events[0].seq, events[-1].seq, *chance.sample([event.seq for event in events], 40)]
    seqs += [event.seq for event in events[SNAPSHOT_EVENTS - 2 : SNAPSHOT_EVENTS + 2]]
    for seq in seqs:
        assert await desk.histories.view_at(run.id, seq) == folded(events, seq), seq


async def test_at_its_end_a_run_is_what_its_rows_say(desk: Desk) -> None:
    run = await desk.ran(fees="bps:10", slippage="bps:5", close_at_end=True)
    events = await desk.events(run)
    view = await desk.histories.view_at(run.id, events[-1].seq)
    # That a path was assumed is noted in the row without an event.
    stored = [msgspec.structs.replace(order, path_dependent=False) for order in await desk.store.runs.orders(run.id)]
    assert list(view.orders) == stored
    assert list(view.fills) == await desk.store.runs.fills(run.id)
    kept = await desk.store.runs.result(run.id)
    assert kept is not None
    # How far a trade went meanwhile is known from the bars, which are no events.
    assert list(view.trades) == [msgspec.structs.replace(trade, mae=None, mfe=None) for trade in kept.trades]
    assert len(view.trades) > 100
    assert [row.qty for row in view.positions] == [0]
    completed = events[-1].payload
    assert isinstance(completed, RunCompleted)
    assert view.account.cash == completed.end_equity
    assert view.equity == float(completed.end_equity)
    assert (view.run.status, view.run.bars, view.events) == (RunStatus.COMPLETED, 1_170, len(events))
    assert view.run.manifest == run.manifest


async def test_an_order_that_works_through_a_split_is_what_its_row_says(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "busy.py").write_text(PATIENT)
    await desk.store.actions.put([Split(symbol="SPY", day=18_205, ratio=Decimal(2))])
    run = await desk.ran(volume_cap=Decimal("0.000001"))
    events = await desk.events(run)
    view = await desk.histories.view_at(run.id, events[-1].seq)
    (told,), (stored,) = view.orders, await desk.store.runs.orders(run.id)
    assert (told.request, told.filled_qty, told.status) == (stored.request, stored.filled_qty, stored.status)
    assert told.filled_qty > sum(fill.qty for fill in view.fills)
    assert told.avg_fill_price is not None
    assert stored.avg_fill_price is not None
    assert abs(told.avg_fill_price - stored.avg_fill_price) < Decimal("1e-20")
    split = next(event for event in events if event.type == "account.SplitApplied")
    before, after = [(await desk.histories.view_at(run.id, seq)).orders[0].filled_qty for seq in (split.seq - 2, split.seq)]
    assert after == 2 * before


async def test_before_its_first_event_and_after_its_last(desk: Desk) -> None:
    first, second = await desk.ran(), await desk.ran()
    events = await desk.events(second)
    with pytest.raises(RunError, match=f"did not exist at event 1. Its first event is {events[0].seq}"):
        await desk.histories.view_at(second.id, 1)
    assert (await desk.histories.view_at(second.id, 10**9)) == folded(events, 10**9)
    # An event of another run: the run as it was then.
    assert (await desk.histories.view_at(first.id, events[5].seq)).events == len(await desk.events(first))
    with pytest.raises(RunError, match="holds no events"):
        await desk.histories.view_at("nobody", 5)


async def test_what_came_since_is_seen(desk: Desk) -> None:
    run = await desk.ran()
    events = await desk.events(run)
    middle, end = events[len(events) // 2].seq, events[-1].seq
    assert (await desk.histories.view_at(run.id, middle)) == folded(events, middle)
    assert (await desk.histories.view_at(run.id, end)) == folded(events, end)
    for _ in range(KEPT_RUNS + 1):
        other = await desk.ran()
        await desk.histories.view_at(other.id, 10**9)
    assert (await desk.histories.view_at(run.id, middle)) == folded(events, middle)
