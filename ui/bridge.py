"""From events to the screen: envelopes are folded in slices of time, and models told at most thirty times a second."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import ExitStack
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer, Signal

from core.events.payloads import BarsDeleted, BarsImported, BarsSealed, BarsUnsealed, RunDeleted
from core.views.desk import DESK_PATTERNS, RUN_PATTERNS, DeskViews
from ui.models.table_model import TableModel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.engine import Engine
    from core.events.envelope import Envelope

FLUSH_MS: Final = 34
"""Between two flushes: at most thirty a second."""

SLOWEST_MS: Final = 250
"""Between two flushes when the loop is so busy that it comes late to them: what is painted less often costs less."""

_LATE_S: Final = 0.025

MOST_WAITING: Final = 8_000
"""Order events of a run that may wait. A backtest at full speed makes more than a person can read: then its tables are
filled once it is over, and the run is not slowed down by being looked at."""

FOLD_S: Final = 0.005
"""How long one flush folds; the rest of a burst waits for the next."""

PUBLISH_S: Final = 0.004
"""From when on the other tables wait for the next flush: each that is published is laid out and painted in the same turn."""


class EventBridge(QObject):
    """Folds what the engine tells into the views of one window, and publishes it to Qt.

    `open` subscribes for the whole desk; `look_at` subscribes besides to one run's orders. Both end with `close`.
    """

    run_changed = Signal(str)
    """A run's row changed; at most once a flush."""
    run_ended = Signal(str)
    run_deleted = Signal(str)
    bars_changed = Signal()
    equity_changed = Signal()
    switches_changed = Signal()
    """The kill switch was set, for all or for one run."""

    def __init__(self, engine: Engine, views: DeskViews, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._views = views
        self._models: list[TableModel] = []
        self._desk: deque[Envelope] = deque()
        self._run: deque[Envelope] = deque()
        self._held = False
        self._desk_subscriptions = ExitStack()
        self._run_subscriptions = ExitStack()
        self._hand_subscription = ExitStack()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(FLUSH_MS)
        self._timer.timeout.connect(self._on_time)
        self._due = 0.0
        self._closed = False

    def add_model(self, model: TableModel) -> None:
        """Flush this model too."""
        self._models.append(model)

    # --- subscriptions ---

    def open(self) -> None:
        """Listen to what concerns the whole desk."""
        for pattern in DESK_PATTERNS:
            self._desk_subscriptions.enter_context(self._engine.subscribe(pattern, self._take, owner="window"))

    def look_at(self, run_id: str | None) -> None:
        """Listen to the orders of another run, and hold them back until `release`: its stored rows come first."""
        self._stop_looking()
        self._held = True
        if run_id is None:
            return
        for pattern in RUN_PATTERNS:
            subscription = self._engine.subscribe(pattern, self._take_run, owner=f"window: run {run_id}", run_id=run_id)
            self._run_subscriptions.enter_context(subscription)

    def _stop_looking(self) -> None:
        self._run_subscriptions.close()
        self._run.clear()

    def watch_by_hand(self, run_id: str | None) -> None:
        """Listen to the orders that a person places at an account, those of the run `run_id`; None to none."""
        self._hand_subscription.close()
        if run_id is not None and not self._closed:
            subscription = self._engine.subscribe("orders.*", self._take, owner="window: by hand", run_id=run_id)
            self._hand_subscription.enter_context(subscription)

    def hold(self) -> None:
        """Hold back the events of the run that is looked at while its rows are loaded."""
        self._held = True

    def release(self) -> None:
        """Let the held events through."""
        self._held = False
        self.schedule()

    def close(self) -> None:
        """End every subscription and the timer; what is queued is dropped."""
        self._closed = True
        self._desk_subscriptions.close()
        self._run_subscriptions.close()
        self._hand_subscription.close()
        self._timer.stop()
        self._desk.clear()
        self._run.clear()

    @property
    def backlog(self) -> int:
        """How many events wait to be folded."""
        return len(self._desk) + len(self._run)

    # --- folding ---

    def _take(self, event: Envelope) -> None:
        self._desk.append(event)
        self.schedule()

    def _take_run(self, event: Envelope) -> None:
        if len(self._run) >= MOST_WAITING and not self._held:
            self._fall_behind()
            return
        self._run.append(event)
        if not self._held:
            self.schedule()

    def _fall_behind(self) -> None:
        self._stop_looking()
        self._views.select(self._views.selected, keep_equity=True)
        self.schedule()

    def schedule(self) -> None:
        """Flush soon, if nothing is scheduled yet."""
        if not self._timer.isActive() and not self._closed:
            self._due = perf_counter() + self._timer.interval() / 1000
            self._timer.start()

    def _pace(self) -> None:
        late = perf_counter() - self._due > _LATE_S
        pace_ms = self._timer.interval() * (1.5 if late else 0.75)
        self._timer.setInterval(round(min(SLOWEST_MS, max(FLUSH_MS, pace_ms))))

    def _on_time(self) -> None:
        self._pace()
        self.flush(at_most_s=PUBLISH_S)

    def flush(self, *, at_most_s: float = inf) -> None:
        """Fold for one slice of time and publish what changed; after `at_most_s`, further tables wait for the next flush."""
        until = perf_counter() + FOLD_S
        folded: list[Envelope] = []
        self._fold(self._desk, until, folded)
        if not self._held:
            self._fold(self._run, until, folded)
        self._publish(perf_counter() + at_most_s)
        self._announce(folded)
        if self._desk or (self._run and not self._held) or any(model.is_dirty for model in self._models):
            self.schedule()

    def _publish(self, until: float) -> None:
        for model in [model for model in self._models if model.is_dirty]:
            model.flush()
            # Whoever was served goes to the end of the queue: none waits for ever.
            self._models.remove(model)
            self._models.append(model)
            if perf_counter() > until:
                return

    async def publish(self) -> None:
        """Publish what changed, one model in each turn of the loop: many rows in many tables at once would hold it up."""
        for model in tuple(self._models):
            if model.is_dirty:
                model.flush()
                await asyncio.sleep(0)

    def _fold(self, queue: deque[Envelope], until: float, folded: list[Envelope]) -> None:
        fold = self._views.fold
        while queue:
            event = queue.popleft()
            fold(event)
            if queue is self._desk:
                folded.append(event)
            if perf_counter() > until:
                return

    def _announce(self, folded: Iterable[Envelope]) -> None:
        changed: dict[str, None] = {}
        bars = False
        for event in folded:
            if isinstance(event.payload, (BarsImported, BarsDeleted, BarsSealed, BarsUnsealed)):
                bars = True
            elif event.run_id is not None and event.type.startswith("run."):
                if isinstance(event.payload, RunDeleted):
                    self.run_deleted.emit(event.run_id)
                    changed.pop(event.run_id, None)
                else:
                    changed[event.run_id] = None
        for run_id in changed:
            self.run_changed.emit(run_id)
            row = self._views.runs.get(run_id)
            if row is not None and row.run.status.is_final:
                self.run_ended.emit(run_id)
        if bars:
            self.bars_changed.emit()
        if self._views.switches.changed:
            self._views.switches.changed = False
            self.switches_changed.emit()
        if self._views.equity.changed:
            self._views.equity.changed = False
            self.equity_changed.emit()
