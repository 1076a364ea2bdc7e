"""The data panel: what bars are stored, the holes in them, and the ways in and out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import nlargest
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFileDialog, QLabel, QSplitter, QToolBar, QToolButton, QVBoxLayout, QWidget

from core.errors import KnownError
from core.model.market import BarSet, Gap
from core.model.result import Progress
from ui.dialogs.look import Banner, role_sheet
from ui.format import number
from ui.models.look import Look
from ui.models.table_model import TableModel
from ui.panels.data_tables import BarSetTable, GapTable, key_text
from ui.panels.table_panel import TablePanel
from ui.services import LayoutMemory
from ui.tasks import TaskScope

if TYPE_CHECKING:
    from core.engine import Engine

Confirm = Callable[[str, str, str, Callable[[], object]], object]
"""Asks before something is destroyed: heading, consequence, verb, and what to do when the person says so."""

_DELETE_TIP = "Remove the selected bars from the store"
_SEAL_TIP = "Let nothing change or delete the selected bars"
_UNSEAL_TIP = "Let the selected bars be changed again"
_EXPORT_FILES = "CSV (*.csv);;CSV, gzip (*.csv.gz);;CSV, zstd (*.csv.zst);;Parquet (*.parquet)"
_GAPS = "data: gaps"
_LISTED = 5_000


class DataPanel(QWidget):
    """Content of the data dock. `refresh` reads what is stored; the window calls it after `data.*` events."""

    import_requested = Signal()
    download_requested = Signal()
    demo_requested = Signal()
    actions_requested = Signal()
    """The person wants to see or change splits and dividends."""
    set_chosen = Signal(object)
    """The BarSet whose row was clicked or entered."""

    def __init__(
        self, *, engine: Engine, tasks: TaskScope, look: Look, memory: LayoutMemory, confirm: Confirm, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("panel-data")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._engine, self._tasks, self._confirm = engine, tasks, confirm
        self._gaps_of: BarSet | None = None
        self._set_table, self._gap_table = BarSetTable(), GapTable()
        self.sets = TablePanel(
            TableModel(self._set_table, look, natural="symbol", parent=self),
            name="sets",
            title="Stored bars",
            empty=("No bars are stored yet", "Prices you import will be listed here, with their source and the holes in them."),
            tasks=tasks,
            memory=memory,
            parent=self,
        )
        self.sets.empty_state.add_button("button-empty-data-import", "Import a file", self.import_requested.emit)
        self.sets.empty_state.add_button("button-empty-data-demo", "Open the demo", self.demo_requested.emit)
        self.gaps = TablePanel(
            TableModel(self._gap_table, look, natural="start", parent=self),
            name="gaps",
            title="Gaps of the selected bars",
            empty=("No gaps to show", "Select stored bars above: what is missing in them against their calendar will be listed here."),
            tasks=tasks,
            memory=memory,
            parent=self,
        )
        self._gaps_label = QLabel(self)
        self._gaps_label.setObjectName("label-gaps")
        self._gaps_label.setProperty("role", "muted")
        self._gaps_label.setWordWrap(True)
        self._message = Banner("data-message", self)
        self._lay_out(look)
        for panel in (self.sets, self.gaps):
            panel.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.sets.set_menu(lambda: (self.export_action, self.seal_action, self.delete_action, None))
        self.sets.table.selectionModel().selectionChanged.connect(lambda *_: self._on_selected())
        self.sets.row_chosen.connect(self.set_chosen)
        self.set_look(look)
        self._show_actions()

    def _lay_out(self, look: Look) -> None:
        step = look.sizes.step
        bar = QToolBar("Stored bars", self)  # what does not fit stands behind its arrow
        bar.setObjectName("toolbar-data")
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.import_action = self._action("action-data-import", "Import…", "Import a price file", self.import_requested.emit)
        download = self._action("action-data-download", "Download…", "Fetch bars from a broker", self.download_requested.emit)
        self.export_action = self._action("action-data-export", "Export…", "Write the selected bars to a file", self._export)
        self.delete_action = self._action("action-data-delete", "Delete…", _DELETE_TIP, self._delete)
        self.seal_action = self._action("action-data-seal", "Seal", _SEAL_TIP, self._seal)
        splits = self._action("action-data-actions", "Splits…", "Splits and dividends: import, list, delete", self.actions_requested.emit)
        for action in (self.import_action, download, self.export_action, self.delete_action, splits):
            bar.addAction(action)
            button = bar.widgetForAction(action)
            button.setObjectName(action.objectName().replace("action-", "button-"))
            button.setAccessibleName(action.toolTip())
        more = bar.findChild(QToolButton, "qt_toolbar_ext_button")  # Qt's own, whose picture nobody sees on a dark panel
        if more is not None:
            more.setText("»")
            more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
            more.setAccessibleName("More")
        below = QWidget(self)
        below_layout = QVBoxLayout(below)
        below_layout.setContentsMargins(0, step, 0, 0)
        below_layout.setSpacing(0)
        self._gaps_label.setContentsMargins(step * 2, 0, step * 2, 0)
        below_layout.addWidget(self._gaps_label)
        below_layout.addWidget(self.gaps, 1)
        below_layout.addStretch(0)
        split = QSplitter(Qt.Orientation.Vertical, self)
        split.setObjectName("data-splitter")
        split.addWidget(self.sets)
        split.addWidget(below)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        split.setChildrenCollapsible(False)
        self._below = below
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(bar)
        layout.addWidget(self._message)
        layout.addWidget(split, 1)

    def _action(self, name: str, text: str, tip: str, slot: Callable[[], object]) -> QAction:
        action = QAction(text, self)
        action.setObjectName(name)
        action.setToolTip(tip)
        action.triggered.connect(lambda _checked=False: slot())
        self.addAction(action)
        return action

    # --- what is shown ---

    def refresh(self) -> None:
        """Read what is stored, and show it."""
        self._tasks.start(self._read_sets(), what="reading what bars are stored", latest="data: sets")

    def set_look(self, look: Look) -> None:
        """Take over theme, sizes and zone."""
        self.setStyleSheet(role_sheet(look.theme, look.sizes))
        self.sets.set_look(look)
        self.gaps.set_look(look)

    def remember(self) -> None:
        """Keep the columns for the next start."""
        self.sets.remember()
        self.gaps.remember()

    def forget(self) -> None:
        """Return to the columns of the first start."""
        for panel in (self.sets, self.gaps):
            panel.forget()
            panel.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)

    def selected(self) -> BarSet | None:
        """Return the selected set."""
        rows = self.sets.table.selected_rows()
        return rows[0] if rows and isinstance(rows[0], BarSet) else None

    async def _read_sets(self) -> None:
        sets = await self._engine.bar_sets()
        chosen = self.selected()
        self._set_table.load(sets)
        self.sets.model.flush()
        if chosen is None or not self.sets.table.select_key(key_text(chosen.key)):
            self._show_gaps_of(None)
        self._show_actions()

    def _on_selected(self) -> None:
        self._show_gaps_of(self.selected())
        self._show_actions()

    def _show_gaps_of(self, bar_set: BarSet | None) -> None:
        if bar_set == self._gaps_of and bar_set is not None:
            return
        self._gaps_of = bar_set
        self._gap_table.load(())
        self.gaps.model.flush()
        self._below.setVisible(bar_set is not None)
        if bar_set is None:
            self._tasks.cancel(_GAPS)
            return
        self._gaps_label.setText(f"Looking for gaps in {key_text(bar_set.key)} …")
        self.gaps.hide()
        self._tasks.start(self._read_gaps(bar_set), what=f"finding the gaps of {bar_set.key.symbol}", latest=_GAPS)

    async def _read_gaps(self, bar_set: BarSet) -> None:
        try:
            gaps = await self._engine.gaps(bar_set.key)
        except KnownError as error:
            self._gaps_label.setText(str(error))
            return
        # A year of minutes has a hundred thousand holes: they are counted, and the longest chosen, in a thread.
        listed, sentence = await asyncio.to_thread(_summary, bar_set, gaps)
        self._gap_table.load(listed)
        self.gaps.model.flush()
        self._gaps_label.setText(sentence)
        self.gaps.setVisible(bool(gaps))

    def _show_actions(self) -> None:
        chosen = self.selected()
        is_sealed = chosen is not None and chosen.sealed
        self.export_action.setEnabled(chosen is not None)
        self.seal_action.setEnabled(chosen is not None)
        self.seal_action.setText("Unseal" if is_sealed else "Seal")
        self.seal_action.setToolTip(_UNSEAL_TIP if is_sealed else _SEAL_TIP)
        self.delete_action.setEnabled(chosen is not None and not is_sealed)
        self.delete_action.setToolTip("Sealed bars cannot be deleted; unseal them first" if is_sealed else _DELETE_TIP)

    # --- what is done ---

    def _export(self) -> None:
        bar_set = self.selected()
        if bar_set is None:
            return
        name = f"{bar_set.key.symbol.replace('/', '-').lower()}-{bar_set.key.timeframe}.csv"
        chooser = QFileDialog(self, "Write the bars to", name, _EXPORT_FILES)
        chooser.setObjectName("dialog-export-bars")
        chooser.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        chooser.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        chooser.selectFile(name)
        chooser.fileSelected.connect(lambda path: self.export_to(bar_set, path))
        chooser.open()

    def export_to(self, bar_set: BarSet, path: str) -> None:
        """Write a set to a file whose ending tells the form."""
        target = Path(path if Path(path).suffix else f"{path}.csv")
        self._message.say(f"Writing {target.name} …", "note")
        self._tasks.start(self._write(bar_set, target), what=f"writing {target.name}")

    async def _write(self, bar_set: BarSet, target: Path) -> None:
        try:
            bars = await self._engine.export_bars(bar_set.key, target)
        except KnownError as error:
            self._message.say(str(error))
            return
        self._message.say(f"{number(bars)} bars are in {target}.", "good")

    def _delete(self) -> None:
        bar_set = self.selected()
        if bar_set is None:
            return
        self._confirm(
            f"Delete {key_text(bar_set.key)}?",
            f"{number(bar_set.bars)} bars are removed from the store. Runs that read them keep their results, but cannot be run again.",
            "Delete bars",
            lambda: self._tasks.start(self._remove(bar_set), what=f"deleting {key_text(bar_set.key)}"),
        )

    def _seal(self) -> None:
        bar_set = self.selected()
        if bar_set is not None:
            self._tasks.start(self._set_seal(bar_set), what=f"sealing {key_text(bar_set.key)}")

    async def _set_seal(self, bar_set: BarSet) -> None:
        try:
            await self._engine.seal_bars(bar_set.key, sealed=not bar_set.sealed)
        except KnownError as error:
            self._message.say(str(error))
            return
        self._message.say("")
        await self._read_sets()

    async def _remove(self, bar_set: BarSet) -> None:
        try:
            await self._engine.delete_bars(bar_set.key)
        except KnownError as error:
            self._message.say(str(error))
            return
        self._message.say("")
        await self._read_sets()

    def show_progress(self, progress: Progress | None) -> None:
        """Show how far the making of the simulated market is; None when it is over."""
        if progress is None:
            self._message.say("")
        else:
            self._message.say(f"{progress.what}: {progress.done} of {progress.total}", "note")


def _summary(bar_set: BarSet, gaps: list[Gap]) -> tuple[list[Gap], str]:
    """Return the gaps to list, oldest first, and the sentence that counts all of them."""
    whole = key_text(bar_set.key)
    if not gaps:
        return [], f"{whole}: no gaps against its calendar."
    longest = gaps if len(gaps) <= _LISTED else nlargest(_LISTED, gaps, key=lambda gap: gap.missing)
    listed = sorted(longest, key=lambda gap: gap.start_ns)
    missing = sum(gap.missing for gap in gaps)
    share = 100 * missing / (missing + bar_set.bars)
    holes = "1 gap" if len(gaps) == 1 else f"{number(len(gaps))} gaps"
    bars = "1 bar" if missing == 1 else f"{number(missing)} bars"
    cut = "" if len(listed) == len(gaps) else f" The longest {number(len(listed))} are listed."
    return listed, f"{whole}: {holes}, {bars} missing ({number(share, 1)} % of the time).{cut}"
