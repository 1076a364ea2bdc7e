"""Loads what the engine keeps of a run into the views, in slices, so that the window answers meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Signal

from core.model.run import RunMode, RunStatus
from core.views.activity import KEEP
from core.views.runs import SPARK_POINTS
from ui.slices import in_slices, letting_go

if TYPE_CHECKING:
    from core.engine import Engine
    from core.events.envelope import Envelope
    from core.model.market import BarSetKey
    from core.model.result import RunResult
    from core.model.run import Run
    from core.views.desk import DeskViews
    from ui.bridge import EventBridge

_JOURNAL_PATTERNS: Final = (
    "run.*",
    "data.*",
    "risk.SwitchThrown",
    "risk.SwitchCarriedOut",
    "risk.SwitchUnreached",
    "risk.LossesUnjudged",
    "live.ComparisonFailed",
    "live.EntryTaken",
    "strategy.Noted",
    "system.*",
    "account.*",
)
"""What the journal starts with; orders of old runs are in their tables."""
_WITH_EQUITY: Final = 50
"""How many runs at most are shown with their equity before they are looked at; of each its whole result is read for that."""
_JOURNAL_PAGE: Final = 500
_JOURNAL_SHARE: Final = KEEP // 2
"""Events of one pattern at most: a margin account has one each night, and they must not push out what runs did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRun:
    """A run with what it left; `result` None while it goes on or when it failed before its first bar."""

    run: Run
    result: RunResult | None
    bar_sets: tuple[BarSetKey, ...]


class RunLoader(QObject):
    """Fills the views of one window. Each method is a coroutine for the window's scope."""

    run_found = Signal(object)
    """LoadedRun: the result and the bar sets are known; orders and fills follow."""
    tables_loaded = Signal(str)

    def __init__(self, engine: Engine, views: DeskViews, bridge: EventBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._views = views
        self._bridge = bridge

    async def load_desk(self) -> None:
        """Load all runs and the journal of the desk."""
        self._views.runs.load_runs(await self._engine.runs())
        self._views.switches.load(await self._engine.switches())
        self._bridge.flush()
        await in_slices(self._views.folding(await self._newest()))
        self._bridge.flush()

    async def load_equity(self) -> None:
        """Show the equity of the newest runs that are over: a list that is read from the store knows nothing of what it was on the way."""
        over = [row.run.id for row in self._views.runs.rows if row.run.status.is_final and not row.spark]
        for run_id in over[: -_WITH_EQUITY - 1 : -1]:
            result = await self._engine.result(run_id)
            if result is not None:
                self._show_equity(result)
                self._bridge.schedule()

    def _show_equity(self, result: RunResult) -> None:
        if len(result.equity):
            points = tuple(result.equity[:: max(1, len(result.equity) // SPARK_POINTS)].tolist())
            self._views.runs.set_spark(result.run_id, points, float(result.equity[-1]))

    async def load_run(self, run_id: str) -> None:
        """Look at a run: everything of it is loaded anew, then its live events follow."""
        self._views.select(run_id)
        self._bridge.look_at(run_id)
        await self._bridge.publish()
        await in_slices(letting_go(*self._views.take_left()))
        await self._load(run_id)
        self._bridge.release()

    async def finish_run(self, run_id: str) -> None:
        """Load the result of the run that is looked at, now that it is over; its rows as stored replace those folded."""
        if run_id == self._views.selected:
            self._bridge.hold()
            await self._load(run_id)
            self._bridge.release()

    async def _load(self, run_id: str) -> None:
        engine, views = self._engine, self._views
        run = await engine.run(run_id)
        views.runs.put_run(run)
        result = await engine.result(run_id) if run.status.is_final else None
        if result is not None:
            self._show_equity(result)
        bar_sets = tuple(await engine.run_bar_sets(run_id))
        self._bridge.flush()
        self.run_found.emit(LoadedRun(run=run, result=result, bar_sets=bar_sets))
        orders = await engine.orders(run_id)
        fills = await engine.fills(run_id)
        changes = await self._changes(run_id, "account.SplitApplied") + await self._changes(run_id, "account.CoinFee")
        changes.sort(key=lambda event: event.seq)
        if run.status is RunStatus.RUNNING and run.config.mode is not RunMode.BACKTEST:
            so_far = await engine.equity_so_far(run_id)
            if run_id == views.selected:
                views.equity.precede(*so_far)
        await in_slices(views.loading(orders, fills, None if result is None else result.trades, changes))
        await self._bridge.publish()
        self.tables_loaded.emit(run_id)
        await in_slices(letting_go(*views.take_left()))

    async def _changes(self, run_id: str, pattern: str) -> list[Envelope]:
        """Return what changed positions of a run without a fill."""
        found: list[Envelope] = []
        while True:
            after_seq = found[-1].seq if found else 0
            page = await self._engine.events(after_seq=after_seq, run_id=run_id, pattern=pattern, limit=_JOURNAL_PAGE)
            found += page
            if len(page) < _JOURNAL_PAGE:
                return found

    async def _newest(self) -> list[Envelope]:
        """Return the newest events of the journal, as many as it keeps, oldest first."""
        found: list[Envelope] = []
        counts = dict.fromkeys(_JOURNAL_PATTERNS, 0)
        reached: dict[str, float] = dict.fromkeys(_JOURNAL_PATTERNS, inf)
        while reached:
            # The pattern that was read least far back: between there and what the others hold, it may have newer ones.
            pattern, seq = max(reached.items(), key=lambda item: item[1])
            if sum(event.seq >= seq for event in found) >= KEEP:
                break
            before_seq = None if seq == inf else int(seq)
            page = await self._engine.events_back(before_seq=before_seq, pattern=pattern, limit=_JOURNAL_PAGE)
            found += page
            counts[pattern] += len(page)
            if len(page) < _JOURNAL_PAGE or counts[pattern] >= _JOURNAL_SHARE:
                del reached[pattern]
            else:
                reached[pattern] = page[0].seq
        return sorted(found, key=lambda event: event.seq)[-KEEP:]
