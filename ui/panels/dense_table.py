"""The table widget of every panel: dense rows, sorting by value, copying, remembered columns, and a place that stays."""

from typing import Final

from PySide6.QtCore import QModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTableView, QWidget

from core.views.columns import Kind
from ui.models.look import Look
from ui.models.table_model import Index, TableModel
from ui.panels.cell_delegate import PAINTED, PAINTED_FLASHING, CellDelegate
from ui.style import selection_colour, tabular

_STRETCHING: Final = frozenset({Kind.TEXT, Kind.SPARK})


class DenseTable(QTableView):
    """Shows a `TableModel`. `row_chosen` carries the row that a person clicked or pressed Enter on."""

    row_chosen = Signal(object)
    current_row_changed = Signal(object)

    def __init__(self, model: TableModel, name: str, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table_model = model
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setModel(model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerItem)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setTabKeyNavigation(False)  # Tab leaves the table, arrows move inside it
        self.setCornerButtonEnabled(False)
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setObjectName(f"header-{name.removeprefix('table-')}")
        header.setSectionsMovable(True)
        header.setHighlightSections(False)
        header.setMinimumSectionSize(model.look.sizes.dense_row * 2)
        header.setTextElideMode(Qt.TextElideMode.ElideRight)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._show_header_menu)
        for place, column in enumerate(model.columns):
            if column.kind in PAINTED:
                self.setItemDelegateForColumn(place, CellDelegate(model, place, self))
        self._given_way: dict[int, int] = {}
        """Columns that there is no room for, with the widths they had."""
        self._kept: set[int] = set()
        """Columns that a person has switched on."""
        self._is_fitting = False
        self._flashing = {
            place: CellDelegate(model, place, self) for place, column in enumerate(model.columns) if column.kind in PAINTED_FLASHING
        }
        model.flashing_changed.connect(self._paint_flashes)
        self.set_look(model.look)
        self.reset_columns()
        self.setSortingEnabled(True)
        self._sort_naturally()
        self.copy_action = QAction("Copy", self)
        self.copy_action.setObjectName(f"action-copy-{name.removeprefix('table-')}")
        self.copy_action.setShortcut(QKeySequence.StandardKey.Copy)
        self.copy_action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.copy_action.triggered.connect(self.copy_selection)
        self.addAction(self.copy_action)
        self.clicked.connect(self._choose)
        self.activated.connect(self._choose)
        model.rowsInserted.connect(self._keep_place)
        model.modelReset.connect(self.scrollToTop)

    def _paint_flashes(self, flashing: bool) -> None:
        for place, delegate in self._flashing.items():
            self.setItemDelegateForColumn(place, delegate if flashing else None)  # type: ignore[arg-type]  # None is Qt's "none of its own"

    # --- look and columns ---

    def set_look(self, look: Look) -> None:
        """Take over row height and font."""
        self.setFont(tabular(self.font(), look.sizes.table_font))
        self.verticalHeader().setDefaultSectionSize(look.sizes.dense_row)
        self.verticalHeader().setMinimumSectionSize(look.sizes.dense_row)
        self.horizontalHeader().setFixedHeight(look.sizes.row)

    def reset_columns(self) -> None:
        """Give the columns their own order, widths and visibility."""
        header = self.horizontalHeader()
        for place, column in enumerate(self.table_model.columns):
            header.moveSection(header.visualIndex(place), place)
            self.setColumnWidth(place, self._own_width(place))
            self.setColumnHidden(place, column.hidden)
        self._given_way.clear()
        self._kept.clear()
        self._stretch()
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        self._paint_beyond()
        super().paintEvent(event)

    def _paint_beyond(self) -> None:
        """Go on with the highlight of selected rows from the last column, where it does not fill the rest, to the panel's edge."""
        end, view = self.horizontalHeader().length() - self.horizontalHeader().offset(), self.viewport()
        rows = [(self.rowViewportPosition(display), self.rowHeight(display)) for display in self._selected_displays()]
        shown = [(top, height) for top, height in rows if top < view.height() and top + height > 0]
        if end >= view.width() or not shown:
            return
        colour = selection_colour(self.table_model.look.theme)
        painter = QPainter(view)
        for top, height in shown:
            painter.fillRect(end, top, view.width() - end, height, colour)
        painter.end()

    def _fit(self) -> None:
        """Leave out what gives way first while there is no room for all, and show it again when there is."""
        if self._is_fitting:
            return  # a column that goes or comes resizes the viewport
        header, columns = self.horizontalHeader(), self.table_model.columns
        widths = {place: self._given_way.get(place, header.sectionSize(place)) for place in range(len(columns)) if self._is_wanted(place)}
        shown = widths.keys() - self._given_way.keys()
        if header.stretchLastSection() and shown:
            last = max(shown, key=header.visualIndex)
            widths[last] = self._own_width(last)  # not what it takes of the rest
        leaving: dict[int, int] = {}
        for place in sorted(widths, key=lambda place: -columns[place].gives_way):
            if sum(widths.values()) <= self.viewport().width() or not columns[place].gives_way:
                break
            if place not in self._kept:
                leaving[place] = widths.pop(place)
        if leaving.keys() == self._given_way.keys():
            return
        self._is_fitting = True
        header.setStretchLastSection(False)  # Qt counts a stretched one that is hidden as if it were there
        for place in leaving.keys() ^ self._given_way.keys():
            self.setColumnHidden(place, place in leaving)
        self._given_way = leaving
        self._stretch()
        self.updateGeometries()  # or a bar to scroll by would stay until the next change
        self._is_fitting = False

    def _is_wanted(self, place: int) -> bool:
        return place in self._given_way or not self.isColumnHidden(place)

    def _own_width(self, place: int) -> int:
        return round(self.table_model.columns[place].width * self.table_model.look.sizes.table_font / 12)

    def show_column(self, place: int, shown: bool) -> None:
        """Show or hide a column, as a person asks: one that was asked for gives way no more."""
        self._given_way.pop(place, None)
        self.horizontalHeader().setStretchLastSection(False)
        self.setColumnHidden(place, not shown)
        (self._kept.add if shown else self._kept.discard)(place)
        self._stretch()
        self._fit()

    def _stretch(self) -> None:
        """Let the last column fill the rest, unless it is a number, which would stand far from the others."""
        header = self.horizontalHeader()
        shown = [header.logicalIndex(place) for place in range(header.count()) if not header.isSectionHidden(header.logicalIndex(place))]
        header.setStretchLastSection(bool(shown) and self.table_model.columns[shown[-1]].kind in _STRETCHING)

    def columns_state(self) -> bytes:
        """Return order, widths, visibility and sorting of the columns."""
        self._is_fitting = True
        for place in self._given_way:
            self.setColumnHidden(place, False)  # that there was no room is no wish
        state = bytes(self.horizontalHeader().saveState().data())
        for place in self._given_way:
            self.setColumnHidden(place, True)
        self._is_fitting = False
        return state

    def restore_columns(self, state: bytes) -> bool:
        """Take over what `columns_state` returned; False when it does not fit any more."""
        header = self.horizontalHeader()
        if not header.restoreState(state) or header.count() != len(self.table_model.columns):
            self.reset_columns()
            return False
        self._given_way.clear()
        self._stretch()
        self._fit()
        return True

    def _sort_naturally(self) -> None:
        keys = [column.key for column in self.table_model.columns]
        self.sortByColumn(keys.index(self.table_model.natural), Qt.SortOrder.DescendingOrder)

    def _show_header_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.fill_columns_menu(menu)
        menu.popup(self.horizontalHeader().mapToGlobal(at))

    def fill_columns_menu(self, menu: QMenu) -> None:
        """Add a checkable entry for each column, and the way back."""
        for place, column in enumerate(self.table_model.columns):
            action = menu.addAction(column.title)
            action.setCheckable(True)
            action.setChecked(not self.isColumnHidden(place))
            action.toggled.connect(lambda shown, at=place: self.show_column(at, shown))
        menu.addSeparator()
        menu.addAction("Reset columns").triggered.connect(self.reset_columns)

    # --- rows ---

    def selected_rows(self) -> list[object]:
        """Return the selected rows, as they stand on the screen."""
        return [row for display in self._selected_displays() if (row := self.table_model.row_at(display)) is not None]

    def _selected_displays(self) -> list[int]:
        return sorted({index.row() for index in self.selectionModel().selectedRows()})

    def select_key(self, key: str) -> bool:
        """Select the row of a key and bring it into view; False when it is not on the screen."""
        display = self.table_model.display_of(key)
        if display is None:
            return False
        self.selectRow(display)
        self.scrollTo(self.table_model.index(display, 0))
        return True

    def select_place(self, place: int) -> bool:
        """Select the row at a place of the view and bring it into the middle; False when a filter hides it."""
        display = self.table_model.display_of_place(place)
        if display is None:
            return False
        self.selectRow(display)
        self.scrollTo(self.table_model.index(display, 0), QAbstractItemView.ScrollHint.PositionAtCenter)
        return True

    def copy_selection(self) -> None:
        """Copy the selected rows as tab-separated text, in the order on the screen, with the columns that there was no room for."""
        header = self.horizontalHeader()
        shown = [header.logicalIndex(place) for place in range(header.count())]
        columns = [place for place in shown if self._is_wanted(place)]
        displays = self._selected_displays()
        if displays:
            QGuiApplication.clipboard().setText(self.table_model.copied(displays, columns))

    def currentChanged(self, current: Index, previous: Index) -> None:
        super().currentChanged(current, previous)
        if current.isValid() and current.row() != previous.row():
            self.current_row_changed.emit(self.table_model.row_at(current.row()))

    def _choose(self, index: QModelIndex) -> None:
        row = self.table_model.row_at(index.row())
        if row is not None:
            self.row_chosen.emit(row)

    def _keep_place(self, _parent: QModelIndex, first: int, last: int) -> None:
        """Rows that come in above do not move what is being read; at the top the newest stay in sight."""
        bar = self.verticalScrollBar()
        if bar.value() > 0 and first <= bar.value():
            added = last - first + 1
            bar.setMaximum(bar.maximum() + added)
            bar.setValue(bar.value() + added)
