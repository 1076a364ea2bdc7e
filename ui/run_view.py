"""Looking at a run: which one it is, loading it into every panel, and going from its rows to the chart and back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence

from core.model.instants import DAY_NS
from core.model.order import Fill, Order
from core.model.position import Trade
from core.model.run import RunStatus
from core.views.activity import ActivityRow
from core.views.positions import PositionRow
from core.views.runs import RunRow
from ui.format import percent, status_word
from ui.slices import in_slices, letting_go

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.market import BarSet, BarSetKey
    from core.views.desk import DeskViews
    from ui.actions import Actions
    from ui.bridge import EventBridge
    from ui.chart_feed import ChartFeed
    from ui.panels.report import ReportPanel
    from ui.panels.table_panel import TablePanel
    from ui.run_loader import LoadedRun, RunLoader
    from ui.tasks import TaskScope

_GROW_S: Final = 0.4
"""Between two looks at what a run in real time has seen."""
_LOOK_BACK_NS: Final = 10 * DAY_NS
"""How far before a run's last bar the newest close of a symbol is looked for."""


class RunView(QObject):
    """Connects the table of runs with everything that shows the selected one."""

    said = Signal(str)
    """A sentence for the status line."""
    failed = Signal(str)
    """A run that went on has failed: the sentence why."""
    offered = Signal()
    """What can be done with the selected run may have changed."""
    why_asked = Signal(object)
    """A person asks what led to a fill, an order or a trade: the row."""
    trade_shown = Signal()
    """A row of the table of trades was selected from the chart."""

    def __init__(
        self,
        *,
        engine: Engine,
        views: DeskViews,
        bridge: EventBridge,
        loader: RunLoader,
        feed: ChartFeed,
        report: ReportPanel,
        tables: Mapping[str, TablePanel],
        acts: Actions,
        tasks: TaskScope,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._engine, self._views, self._bridge, self._loader = engine, views, bridge, loader
        self._feed, self._report, self._tables, self._tasks = feed, report, tables, tasks
        self._loaded: LoadedRun | None = None
        self._showing: asyncio.Task[None] | None = None
        self._is_growing = False
        self._connect_tables(acts)
        bridge.run_changed.connect(self._on_run_changed)
        bridge.run_ended.connect(self._on_run_ended)
        bridge.run_deleted.connect(self._on_run_deleted)
        bridge.bars_changed.connect(self._on_bars_changed)
        bridge.equity_changed.connect(feed.add_equity)
        loader.run_found.connect(self._show_loaded)
        loader.tables_loaded.connect(self._on_tables_loaded)
        feed.trade_clicked.connect(self._select_trade)

    def _connect_tables(self, acts: Actions) -> None:
        runs = self._tables["runs"]
        runs.table.current_row_changed.connect(self._on_row)
        runs.row_chosen.connect(self._on_row_chosen)
        left = [acts[name] for name in ("resume-run", "close-run", "close-run-flatten")]
        runs.set_menu(
            lambda: (
                acts["start-run"],
                acts["stop-run"],
                acts["run-again"],
                acts["verify-run"],
                None,
                *left,
                None,
                acts["offer-run"],
                acts["take-over-run"],
                None,
                acts["delete-run"],
                None,
            )
        )
        delete = acts["delete-run"]
        delete.setShortcut(Qt.Key.Key_Delete)
        delete.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        runs.table.addAction(delete)
        for name in ("orders", "fills", "positions", "trades", "activity"):
            panel = self._tables[name]
            panel.row_chosen.connect(self.go_to)
            go = QAction("Show on the chart", panel)
            go.setObjectName(f"action-show-on-chart-{name}")
            go.triggered.connect(lambda _checked=False, table=panel.table: self._go_to_first(table.selected_rows()))
            why = self._why(panel) if name in {"orders", "fills", "trades"} else None
            own = (go, None) if why is None else (go, why, None)
            panel.set_menu(lambda own=own: own)  # type: ignore[misc]

    def _why(self, panel: TablePanel) -> QAction:
        """Return the act that asks what led to the first selected row of a table."""
        why = QAction("Why?", panel)
        why.setObjectName(f"action-why-{panel.name}")
        why.setToolTip("Show what led to it, step by step (Ctrl+Return)")
        why.setShortcut(QKeySequence("Ctrl+Return"))
        why.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        panel.table.addAction(why)

        def ask() -> None:
            rows = panel.table.selected_rows()
            if rows:
                self.why_asked.emit(rows[0])

        why.triggered.connect(lambda _checked=False: ask())
        return why

    # --- which run ---

    @property
    def loaded(self) -> LoadedRun | None:
        """The run that chart and report show."""
        return self._loaded

    def show_run(self, run_id: str) -> None:
        """Look at a run: its row is selected, its orders, chart and report are loaded."""
        self._tables["runs"].model.flush()
        self._tables["runs"].table.select_key(run_id)
        if self._views.selected != run_id:
            self._select(run_id)

    def show_set(self, bar_set: BarSet) -> None:
        """Show stored bars as they are; the tables stay with their run."""
        self._tasks.start(self._feed.load_alone(bar_set.key), what=f"loading {bar_set.key.symbol}", latest="chart")

    def choose_set(self, key: BarSetKey) -> None:
        """Show another of the sets that the chart offers."""
        self._tasks.start(self._feed.load_set(key), what=f"loading {key.symbol}", latest="chart")

    def reload_chart(self) -> None:
        """Draw the bars anew, as the settings now say."""
        if self._feed.key is not None:
            self.choose_set(self._feed.key)

    def _on_row(self, row: RunRow | None) -> None:
        if row is not None and row.run.id != self._views.selected:
            self._select(row.run.id)

    def _on_row_chosen(self, row: RunRow) -> None:
        """A click on the run whose rows are shown brings its chart back when something else was looked at."""
        if row.run.id != self._views.selected:
            self._select(row.run.id)
        elif self._loaded is not None and self._loaded.run.id == row.run.id and not self._feed.shows_run:
            self._load_chart(self._loaded)

    def _select(self, run_id: str) -> None:
        self._views.selected = run_id
        self._tasks.start(self._load(run_id), what="loading the run", latest="run")

    async def _load(self, run_id: str) -> None:
        await self._loader.load_run(run_id)
        self._tables["runs"].table.select_key(run_id)
        await self._mark_positions()

    async def _finish(self, run_id: str) -> None:
        await self._loader.finish_run(run_id)
        await self._mark_positions()

    def _show_loaded(self, loaded: LoadedRun) -> None:
        self._loaded = loaded
        self.offered.emit()
        self._load_chart(loaded)
        self._start_report(loaded)

    def _on_tables_loaded(self, run_id: str) -> None:
        # Not before: two threads that each read tens of thousands of rows leave the loop too little of the interpreter.
        if self._loaded is not None and self._loaded.run.id == run_id and self._loaded.result is not None:
            self._tasks.start(self._load_details(self._loaded, self._showing), what="making the report", latest="details")

    def _load_chart(self, loaded: LoadedRun) -> None:
        self._tasks.start(self._feed.load_run(loaded), what="loading the chart", latest="chart")

    def _start_report(self, loaded: LoadedRun) -> None:
        """Show what is known of the run at once."""
        self._tasks.cancel("details")
        showing = in_slices(self._report.showing_result(loaded.run, loaded.result), 0)
        self._showing = self._tasks.start(showing, what="showing the result", latest="report")

    async def _load_details(self, loaded: LoadedRun, showing: asyncio.Task[None] | None) -> None:
        """Show what takes a moment to compute, after what is known: it is done in a thread, and only the newest run's is shown."""
        if showing is not None:
            await asyncio.wait({showing})
        report = await self._engine.report(loaded.run.id)
        rows = [*report.trades, *report.fills, *report.account]
        report = replace(report, trades=(), fills=(), account=())  # the panel shows none of them one by one, and would keep them
        if loaded.run.id == self._views.selected:
            await in_slices(self._report.showing_report(report), 0)
        await in_slices(letting_go(rows))

    async def _mark_positions(self) -> None:
        """Give the positions the newest closes that the run saw."""
        loaded = self._loaded
        if loaded is None or loaded.run.last_bar_ns is None or loaded.run.id != self._views.selected:
            return
        last_ns = loaded.run.last_bar_ns
        for key in loaded.bar_sets:
            series = await self._engine.bars(key, last_ns - _LOOK_BACK_NS, last_ns + 1)
            if len(series) and loaded.run.id == self._views.selected:
                self._views.positions.mark({key.symbol: float(series.close[-1])})
        self._bridge.schedule()

    # --- what happens to it ---

    def _on_run_changed(self, run_id: str) -> None:
        if run_id != self._views.selected:
            return
        self.offered.emit()
        row, loaded = self._views.runs.get(run_id), self._loaded
        if row is None or loaded is None or loaded.run.id != run_id:
            return
        if row.mode is not None and row.run.status is RunStatus.RUNNING:
            self._grow()
        if row.run.status is RunStatus.RUNNING and loaded.run.status is RunStatus.PENDING:
            self._loaded = replace(loaded, run=row.run)
            self._start_report(self._loaded)

    def _grow(self) -> None:
        """Show on the chart what a run in real time has seen since, a few times a second at most."""
        if not self._is_growing and not self._tasks.is_closed and self._feed.shows_run:
            self._is_growing = True
            self._tasks.start(self._let_grow(), what="following the run", latest="chart-grows")

    async def _let_grow(self) -> None:
        try:
            await self._feed.grow()
            self._views.positions.mark(self._feed.last_close())
            self._bridge.schedule()
            await asyncio.sleep(_GROW_S)
        finally:
            self._is_growing = False

    def _on_run_ended(self, run_id: str) -> None:
        row = self._views.runs.get(run_id)
        if row is not None:
            # Only a completed run has told its last equity; of others the latest progress is known, which is older than the report.
            told = row.run.status is RunStatus.COMPLETED and row.total_return is not None
            verdict = f", {percent(row.total_return, 2, signed=True)}" if told else ""
            self.said.emit(f"{row.title}: {status_word(row.run.status.value).lower()}{verdict}")
            if row.run.status is RunStatus.ERROR:
                self.failed.emit(f"{row.title} failed. {row.run.error or ''}".strip())
        if run_id == self._views.selected and not self._tasks.is_closed:
            self._tasks.start(self._finish(run_id), what="loading the result", latest="run")

    def _on_run_deleted(self, run_id: str) -> None:
        if run_id != self._views.selected:
            return
        self._tasks.cancel("report")
        self._tasks.cancel("details")
        current = self._tables["runs"].table.selected_rows()
        row = current[0] if current else None
        if isinstance(row, RunRow) and row.run.id != run_id:
            self._select(row.run.id)
            return
        self._tasks.cancel("run")
        self._bridge.look_at(None)
        self._views.select(None)
        self._loaded = None
        self._report.clear()
        self._feed.forget_run()
        self.offered.emit()
        self._on_bars_changed()

    def _on_bars_changed(self) -> None:
        if not self._tasks.is_closed:
            self._tasks.start(self._feed.load_newest(), what="reading what bars are stored", latest="chart-newest")

    # --- going places ---

    def go_to(self, row: object) -> None:
        """Bring what a row stands for to the middle of the chart; a line of the journal goes to its order or its run."""
        if isinstance(row, ActivityRow):
            order = self._views.orders.get(row.order_id) if row.order_id else None
            if order is None:
                if row.run_id is not None and row.run_id in self._views.runs:
                    self.show_run(row.run_id)
                return
            row = order
        symbol = _symbol_of(row)
        if symbol is not None:
            self._tasks.start(self._show_on_chart(row, symbol), what="showing it on the chart", latest="go")

    def _go_to_first(self, rows: Sequence[object]) -> None:
        if rows:
            self.go_to(rows[0])

    async def _show_on_chart(self, row: object, symbol: str) -> None:
        key = self._feed.key_for(symbol)
        if key is not None:
            await self._feed.load_set(key)
        if isinstance(row, Trade):
            self._feed.show_trade(row)
        elif isinstance(row, Fill):
            self._feed.go_to(row.time_ns)
        elif isinstance(row, Order):
            self._feed.go_to(row.created_ns)
        elif isinstance(row, PositionRow) and row.updated_ns is not None:
            self._feed.go_to(row.updated_ns)

    def _select_trade(self, trade: Trade) -> None:
        place = next((place for place, row in enumerate(self._views.trades.rows) if row == trade), None)
        if place is not None:
            self._tables["trades"].table.select_place(place)
            self.trade_shown.emit()


def _symbol_of(row: object) -> str | None:
    if isinstance(row, (Trade, Fill, PositionRow)):
        return row.symbol
    return row.request.symbol if isinstance(row, Order) else None
