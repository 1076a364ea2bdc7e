"""A small table of finished text, for previews and results. What grows or changes uses the models of `ui.models`."""

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from ui.theme import Sizes

AnyIndex = QModelIndex | QPersistentModelIndex

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


_MEASURED_ROWS: Final = 50
"""So many rows tell how wide a column of a long table is."""


class TextTable(QAbstractTableModel):
    """Rows of text under headers. `right`: columns of numbers. `row_names` stand at the left edge."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._headers: tuple[str, ...] = ()
        self._rows: tuple[tuple[str, ...], ...] = ()
        self._right: frozenset[int] = frozenset()
        self._row_names: tuple[str, ...] = ()
        self._tips: tuple[str, ...] = ()

    def show_rows(
        self,
        headers: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        right: Sequence[int] = (),
        row_names: Sequence[str] = (),
        tips: Sequence[str] = (),
    ) -> None:
        """Replace everything. `tips` are tooltips, one for each row."""
        self.beginResetModel()
        self._headers = tuple(headers)
        self._rows = tuple(tuple(row) for row in rows)
        self._right = frozenset(right)
        self._row_names = tuple(row_names)
        self._tips = tuple(tips)
        self.endResetModel()

    def longest(self, column: int) -> str:
        """Return the longest text of a column."""
        return max((row[column] for row in self._rows if column < len(row)), key=len, default="")

    def rowCount(self, parent: AnyIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: AnyIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._headers)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        row, column = index.row(), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._rows[row][column] if column < len(self._rows[row]) else ""
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(_RIGHT if column in self._right else _LEFT)
        if role == Qt.ItemDataRole.ToolTipRole and row < len(self._tips):
            return self._tips[row]
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role == Qt.ItemDataRole.DisplayRole:
            if orientation is Qt.Orientation.Horizontal:
                return self._headers[section] if section < len(self._headers) else ""
            return self._row_names[section] if section < len(self._row_names) else str(section + 1)
        if role == Qt.ItemDataRole.TextAlignmentRole and orientation is Qt.Orientation.Horizontal:
            return int(_RIGHT if section in self._right else _LEFT)
        return None


class TextTableView(QTableView):
    """Shows a `TextTable`: whole rows are selected, Ctrl+C copies them as tab-separated text."""

    def __init__(self, name: str, title: str, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sizes = sizes
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.table = TextTable(self)
        self.setModel(self.table)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setAlternatingRowColors(False)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setMinimumSectionSize(sizes.dense_row)
        self.verticalHeader().setDefaultSectionSize(sizes.dense_row)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setStretchLastSection(True)
        copy = QAction("Copy rows", self)
        copy.setShortcut(QKeySequence.StandardKey.Copy)
        copy.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        copy.triggered.connect(self.copy_selected)
        self.addAction(copy)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)

    def fold_last_column(self) -> None:
        """Give the last column the room that is left, and fold its text into two lines where it needs them: nothing scrolls to the side.

        All rows are of one height, by the longest text: measuring a thousand of them would take a second.
        """
        self.setWordWrap(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.horizontalHeader().setResizeContentsPrecision(_MEASURED_ROWS)
        self.horizontalHeader().sectionResized.connect(self._on_resized)
        self.table.modelReset.connect(self._stretch_last)

    def _stretch_last(self) -> None:
        if self.table.columnCount():
            self.horizontalHeader().setSectionResizeMode(self.table.columnCount() - 1, QHeaderView.ResizeMode.Stretch)
            self._fit_fold(self.columnWidth(self.table.columnCount() - 1))

    def _on_resized(self, column: int, _before: int, width: int) -> None:
        if column == self.table.columnCount() - 1:
            self._fit_fold(width)

    def _fit_fold(self, width: int) -> None:
        last = self.table.columnCount() - 1
        needed = self.fontMetrics().horizontalAdvance(self.table.longest(last)) + 4 * self._sizes.step
        lines = 2 if needed > width else 1
        height = self._sizes.dense_row + (lines - 1) * self.fontMetrics().lineSpacing()
        if height != self.verticalHeader().defaultSectionSize():
            self.verticalHeader().setDefaultSectionSize(height)

    def fit_rows(self, at_most: int | None = None) -> None:
        """Become as tall as the rows, or as the first `at_most` of them."""
        rows = self.table.rowCount() if at_most is None else min(at_most, self.table.rowCount())
        header = 0 if self.horizontalHeader().isHidden() else self.horizontalHeader().sizeHint().height()
        self.setFixedHeight(header + sum(self.rowHeight(row) for row in range(rows)) + 2 * self.frameWidth())

    def copy_selected(self) -> None:
        """Put the selected rows on the clipboard, tab-separated."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        columns = range(self.table.columnCount())
        lines = ["\t".join(str(self.table.data(self.table.index(row, column)) or "") for column in columns) for row in rows]
        if lines:
            QGuiApplication.clipboard().setText("\n".join(lines))
