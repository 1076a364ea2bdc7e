"""The dialog of splits and dividends: what is stored, and the ways in and out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QDialog, QFileDialog, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from core.errors import BadRows, InvalidValue, KnownError
from core.model.corporate_action import ActionImport, CorporateAction, date_of, kind_of, value_of
from core.model.market import parse_symbol
from core.model.money import plain
from core.model.price_file import BadRow, OnBad
from ui.dialogs.field_grid import FieldGrid, narrow
from ui.dialogs.look import Banner, resize_to_screen, role_sheet
from ui.dialogs.text_table import TextTableView
from ui.format import number
from ui.tasks import TaskScope
from ui.theme import Sizes, Theme

if TYPE_CHECKING:
    from core.engine import Engine

Confirm = Callable[[str, str, str, Callable[[], object]], object]
"""Asks before something is destroyed: heading, consequence, verb, and what to do when the person says so."""

_READING = "corporate actions: reading"
_FILES = "CSV (*.csv *.csv.gz *.csv.zst *.zip *.txt);;All files (*)"
_HEAD = ("Symbol", "Date", "Type", "Value")
_BAD_HEAD = ("Line", "Reason", "What is wrong")
_ON_BAD = {OnBad.FAIL: "stop, and import nothing", OnBad.SKIP: "skip them"}


class CorporateActionsDialog(QDialog):
    """Opened with `open()`. Reads what is stored when it opens and after every change it makes."""

    def __init__(
        self, *, engine: Engine, tasks: TaskScope, theme: Theme, sizes: Sizes, confirm: Confirm, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("dialog-corporate-actions")
        self.setWindowTitle("Splits and dividends")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setStyleSheet(role_sheet(theme, sizes))
        self._engine, self._tasks, self._confirm, self._sizes = engine, tasks, confirm, sizes
        self._shown: tuple[CorporateAction, ...] = ()
        about = QLabel("They apply to raw bars from their day on. A file has the columns symbol, date, type and value.", self)
        about.setProperty("role", "muted")
        about.setWordWrap(True)
        self._count = QLabel(self)
        self._count.setObjectName("corporate-actions-count")
        self._count.setProperty("role", "heading")
        self.table = TextTableView("table-corporate-actions", "Stored splits and dividends", sizes, self)
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._show_buttons())
        self.table.table.modelReset.connect(self._show_buttons)
        self._banner = Banner("corporate-actions-message", self)
        self.bad_rows = TextTableView("table-actions-bad-rows", "Rows that were refused, with their line numbers", sizes, self)
        self.bad_rows.fold_last_column()
        self.bad_rows.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(sizes.step * 5, sizes.step * 4, sizes.step * 5, sizes.step * 4)
        layout.setSpacing(sizes.step * 3)
        layout.addWidget(about)
        layout.addWidget(self._make_grid())
        layout.addWidget(self._count)
        layout.addWidget(self.table, 3)
        layout.addWidget(self._banner)
        layout.addWidget(self.bad_rows, 2)
        layout.addLayout(self._make_footer())
        resize_to_screen(self, sizes.font * 48, sizes.font * 46)
        self._show_buttons()
        self._tasks.start(self._read(), what="reading splits and dividends", latest=_READING)

    # --- what is shown ---

    def _make_grid(self) -> FieldGrid:
        grid = FieldGrid(self._sizes, self)
        self.symbol = QLineEdit(grid)
        self.symbol.setPlaceholderText("as the file says")
        self._symbol_row = grid.add("field-actions-symbol", "Symbol", self.symbol, "Of all rows, where the file does not name it.")
        self.symbol.textChanged.connect(lambda _text: self._symbol_row.show_error(""))
        self.on_bad = narrow(QComboBox(grid))
        for way, words in _ON_BAD.items():
            self.on_bad.addItem(words, way.value)
        grid.add("field-actions-on-bad", "Bad rows", self.on_bad)
        return grid

    def _make_footer(self) -> QHBoxLayout:
        self.import_button = self._button("Import a file…", "button-actions-import", self._choose)
        self.import_button.setProperty("role", "primary")
        self.delete_button = self._button("Delete…", "button-actions-delete", self._ask_delete)
        self.delete_button.setToolTip("Remove all splits and dividends of the selected symbol.")
        close = self._button("Close", "button-close", self.reject)
        footer = QHBoxLayout()
        footer.setSpacing(self._sizes.step * 2)
        footer.addWidget(self.delete_button)
        footer.addStretch(1)
        footer.addWidget(close)
        footer.addWidget(self.import_button)
        return footer

    def _button(self, text: str, name: str, slot: Callable[[], object]) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(name)
        button.setAutoDefault(False)
        button.clicked.connect(lambda _checked=False: slot())
        return button

    async def _read(self) -> None:
        self._shown = await self._engine.corporate_actions()
        rows = [(action.symbol, str(date_of(action)), str(kind_of(action)), plain(value_of(action))) for action in self._shown]
        self.table.table.show_rows(_HEAD, rows, right=(3,))
        symbols = len({action.symbol for action in self._shown})
        of = "1 symbol" if symbols == 1 else f"{number(symbols)} symbols"
        self._count.setText(f"{number(len(rows))} stored, of {of}" if rows else "None are stored yet")

    def _selected_symbol(self) -> str | None:
        rows = self.table.selectionModel().selectedRows()
        return self._shown[rows[0].row()].symbol if rows and rows[0].row() < len(self._shown) else None

    def _show_buttons(self) -> None:
        symbol = self._selected_symbol()
        self.delete_button.setEnabled(symbol is not None)
        self.delete_button.setText("Delete…" if symbol is None else f"Delete those of {symbol}…")

    def _show_refused(self, bad_rows: Sequence[BadRow]) -> None:
        self.bad_rows.table.show_rows(
            _BAD_HEAD, [(number(row.line), row.reason.replace("_", " "), row.detail) for row in bad_rows], right=(0,)
        )
        self.bad_rows.setVisible(bool(bad_rows))

    # --- what is done ---

    def _choose(self) -> None:
        chooser = QFileDialog(self, "Import splits and dividends", "", _FILES)
        chooser.setObjectName("dialog-choose-actions-file")
        chooser.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        chooser.setFileMode(QFileDialog.FileMode.ExistingFile)
        chooser.fileSelected.connect(self.import_file)
        chooser.open()

    def import_file(self, path: str) -> None:
        """Import a file with what stands in the fields."""
        self._show_refused(())
        try:
            symbol = parse_symbol(self.symbol.text()) if self.symbol.text().strip() else None
        except InvalidValue as error:
            self._symbol_row.show_error(str(error))
            self.symbol.setFocus(Qt.FocusReason.OtherFocusReason)
            return
        self.import_button.setEnabled(False)
        self._banner.say(f"Reading {Path(path).name} …", "note")
        self._tasks.start(self._import(Path(path), symbol, OnBad(self.on_bad.currentData())), what=f"importing {Path(path).name}")

    async def _import(self, path: Path, symbol: str | None, on_bad: OnBad) -> None:
        try:
            report = await self._engine.import_corporate_actions(path, lambda _progress: None, symbol=symbol, on_bad=on_bad)
        except BadRows as error:
            self._banner.say(f"Nothing was imported: {_counted(error.refused_by_reason)}. Correct the file, or skip such rows.")
            self._show_refused([row for row in error.bad_rows if isinstance(row, BadRow)])
            return
        except KnownError as error:
            self._banner.say(str(error))
            return
        finally:
            self.import_button.setEnabled(True)
        self._banner.say(_imported(report), "doubt" if report.refused else "good")
        self._show_refused(report.bad_rows)
        await self._read()

    def _ask_delete(self) -> None:
        symbol = self._selected_symbol()
        if symbol is None:
            return
        count = sum(action.symbol == symbol for action in self._shown)
        self._confirm(
            f"Delete the splits and dividends of {symbol}?",
            f"{number(count)} are removed from the store. Runs that used them keep their results, but cannot be run again as they were.",
            "Delete them",
            lambda: self._tasks.start(self._delete(symbol), what=f"deleting the splits and dividends of {symbol}"),
        )

    async def _delete(self, symbol: str) -> None:
        try:
            removed = await self._engine.delete_corporate_actions(symbol)
        except KnownError as error:
            self._banner.say(str(error))
            return
        self._banner.say(f"{number(removed)} of {symbol} are removed.", "good")
        await self._read()

    def done(self, result: int) -> None:
        self._tasks.cancel(_READING)
        super().done(result)


def _counted(by_reason: Mapping[str, int]) -> str:
    return ", ".join(f"{number(count)} × {reason.replace('_', ' ')}" for reason, count in by_reason.items())


def _imported(report: ActionImport) -> str:
    merge = report.merge
    parts = [f"{number(merge.added)} new, {number(merge.identical)} the same as before, {number(merge.changed)} changed."]
    if report.refused:
        parts.append(f"Refused: {_counted(report.refused_by_reason)}.")
    return " ".join([*parts, *report.said])
