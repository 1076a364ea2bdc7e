"""The one table model: shows any view of `core.views`, sorted and filtered, and publishes its changes in ranges."""

import asyncio
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, Final

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QBrush, QColor, QPainter, QPixmap

from core.model.money import plain
from core.views.columns import Column, Kind
from core.views.table import RowTable
from ui.format import MISSING, cell
from ui.models.flash import FLASH_MS, MOST_ROWS, Flashes
from ui.models.look import Look, status_token, text_token
from ui.models.row_order import Places, RowOrder
from ui.slices import SLICE_S

Index = QModelIndex | QPersistentModelIndex
Role = Qt.ItemDataRole

ROW_ROLE: Final = int(Role.UserRole) + 1
"""The row itself."""

RAW_ROLE: Final = int(Role.EditRole)
"""The cell's raw value."""

_DISPLAY: Final = int(Role.DisplayRole)
_ALIGNMENT: Final = int(Role.TextAlignmentRole)
_FOREGROUND: Final = int(Role.ForegroundRole)
_BACKGROUND: Final = int(Role.BackgroundRole)
_DECORATION: Final = int(Role.DecorationRole)
_TIP: Final = int(Role.ToolTipRole)
_SERVED: Final = frozenset(
    (_DISPLAY, _ALIGNMENT, _FOREGROUND, _BACKGROUND, _DECORATION, _TIP, RAW_ROLE, ROW_ROLE, int(Role.AccessibleTextRole))
)

_RIGHT: Final = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT: Final = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter

BIG: Final = 10_000
"""From how many rows on sorting and filtering are done in slices."""

_FLASH_ALPHA: Final = 0.3

_SORT_SHARE: Final = 20
"""Sorting anew while rows come in takes at most one part in so many of the time."""


class TableModel(QAbstractTableModel):
    """Shows a view. Folds reach the screen only by `flush`; until then the model answers with what was there.

    `natural` is the key of the column in whose order the rows come: sorting by it costs nothing.
    """

    rows_published = Signal()
    flashing_changed = Signal(bool)
    """Whether cells have a background of their own."""

    def __init__(self, table: RowTable[Any], look: Look, *, natural: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.table = table
        self.look = look
        self.columns: tuple[Column[Any], ...] = tuple(table.columns)
        self.natural = natural
        self._order: RowOrder[Any] = RowOrder(table)
        self._brushes: dict[tuple[str, float], QBrush] = {}
        self._dots: dict[str, QPixmap] = {}
        self._flashes = Flashes(self.columns)
        self._alignments = tuple(_RIGHT if column.kind.is_numeric else _LEFT for column in self.columns)
        self._has_dots = tuple(column.kind is Kind.STATUS for column in self.columns)
        self._flash_timer = QTimer(self)
        self._flash_timer.setSingleShot(True)
        self._flash_timer.setInterval(FLASH_MS)
        self._flash_timer.timeout.connect(self._put_out)
        self._sorted_at = 0.0
        self._sort_took = 0.0
        self._unsorted = False
        self.on_big_sort: Callable[[], object] | None = None
        """Called instead of sorting at once when there are many rows; it must see to it that `sort_in_slices` runs."""

    # --- Qt's side ---

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self.columns)

    def data(self, index: Index, role: int = _DISPLAY) -> Any:
        # Called some six times for each cell that is painted: what needs no row is answered first, by plain numbers.
        if role not in _SERVED or not index.isValid():
            return None
        at = index.column()
        if role == _ALIGNMENT:
            return self._alignments[at]
        if (role == _BACKGROUND and not self._flashes.lit) or (role == _DECORATION and not self._has_dots[at]):
            return None
        row = self.row_at(index.row())
        if row is None:
            return None
        column = self.columns[at]
        if role == _DISPLAY:
            text = self._text(column, row)
            if self.look.flash:
                self._flashes.wrote(self._order.place(index.row()), at, text)
            return "" if column.kind is Kind.PROGRESS else text
        if role == _FOREGROUND:
            value = column.value(row)
            token = text_token(column, value, MISSING if value is None else "")
            return None if token is None else self._brush(token)
        if role == _BACKGROUND:
            return self._brush("accent", _FLASH_ALPHA) if (self._order.place(index.row()), at) in self._flashes.lit else None
        return self._told(column, row, role)

    def _told(self, column: Column[Any], row: Any, role: int) -> Any:
        if role == _DECORATION:
            return self._dot(column.value(row))
        if role == RAW_ROLE:
            return _variant(column.value(row))
        if role == _TIP:
            return self.table.tip_of(column, row) or self._tip(column, row)
        return row if role == ROW_ROLE else f"{column.title} {self._whole(column, row)}"

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole) -> Any:
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        column = self.columns[section]
        if role == Role.DisplayRole:
            return self.title_of(column)
        if role == Role.TextAlignmentRole:
            return _RIGHT if column.kind.is_numeric else _LEFT
        return column.tip or None if role == Role.ToolTipRole else None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by value; −1 returns to the natural order, newest first."""
        chosen = self.columns[column] if 0 <= column < len(self.columns) else None
        descending = order is Qt.SortOrder.DescendingOrder or chosen is None
        natural = chosen is None or chosen.key == self.natural
        self._order.sort_by(None if natural else chosen, newest_first=descending)
        if natural or self.on_big_sort is None or self._order.known < BIG:
            self._resort()
        else:
            self._unsorted = False
            self.on_big_sort()

    async def sort_in_slices(self) -> None:
        """Put the chosen order to work without holding up the loop: keys are read in slices, ranked in a thread."""
        column, newest_first = self._order.sort_column, self._order.newest_first
        began = perf_counter()
        for _ in self._order.reading_keys():
            if perf_counter() - began > SLICE_S:
                await asyncio.sleep(0)
                began = perf_counter()
        known, places = self._order.known, np.sort(self._order.all_places())
        ranked = await asyncio.to_thread(self._order.ranked, places)
        if (column, newest_first) != (self._order.sort_column, self._order.newest_first):
            return  # another order was chosen meanwhile
        if known != self._order.known:
            self._resort()  # rows came meanwhile; their keys are few
            return
        self._resort(ranked, given=True)

    # --- rows ---

    def row_at(self, display: int) -> Any:
        """Return the row that stands at a display row; None when there is none."""
        if not 0 <= display < len(self._order):
            return None
        place = self._order.place(display)
        return self.table.rows[place] if 0 <= place < len(self.table.rows) else None

    def display_of(self, key: str) -> int | None:
        """Return where on the screen the row of a key stands, or None when there is none or a filter hides it."""
        place = self.table.place_of(key)
        return None if place is None else self._order.display(place)

    def display_of_place(self, place: int) -> int | None:
        """Return where on the screen a row of the view stands, by its place in the view."""
        return self._order.display(place)

    def title_of(self, column: Column[Any]) -> str:
        """Return a column's title; a time's names the zone."""
        if column.kind is not Kind.TIME:
            return column.title
        times = (column.value(row) for row in self.table.rows[-1:])
        at_ns = next((time for time in times if time is not None), 0)
        return f"{column.title} ({self.look.zone.name(at_ns)})"

    def copied(self, displays: list[int], columns: list[int]) -> str:
        """Return rows as tab-separated text with a header line; ids whole, numbers plain, as a spreadsheet takes them."""
        lines = ["\t".join(self.title_of(self.columns[column]) for column in columns)]
        for display in displays:
            row = self.row_at(display)
            if row is not None:
                lines.append("\t".join(_plain(self.columns[column], row, self.look) for column in columns))
        return "\n".join(lines)

    def set_look(self, look: Look) -> None:
        """Write and colour everything anew."""
        self.look = look
        self._brushes, self._dots = {}, {}
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(self.columns) - 1)
        self._touch_all()

    # --- filtering ---

    @property
    def is_filtered(self) -> bool:
        """Whether a filter hides rows."""
        return bool(self._order.words)

    def filter_in_slices(self, text: str) -> Iterator[None]:
        """Filter by the words of `text`, all of which a row must contain; yields between slices, and shows the result at the end."""
        words = tuple(text.lower().split())
        if words == self._order.words:
            return
        self._order.words = words
        known = self._order.known
        parts: list[Places] = []
        for part in self._order.matching_in_slices():
            parts.append(part)
            yield
        if self._order.known != known or self._order.words != words:
            parts = list(self._order.matching_in_slices())  # rows came or left meanwhile
        places = np.concatenate(parts) if parts else np.empty(0, np.int64)
        self.beginResetModel()
        self._order.use(self._order.sorted_places(places))
        self.endResetModel()
        self.rows_published.emit()

    # --- changes of the view ---

    @property
    def is_dirty(self) -> bool:
        """Whether `flush` has something to do."""
        return self.table.has_changes or len(self.table.rows) != self._order.known or self._unsorted

    def flush(self) -> None:
        """Publish what the view folded since the last flush, in ranges."""
        if not self.is_dirty:
            return
        changes = self.table.take_changes()
        if changes.reset or changes.removed:
            self._flashes.forget()
        if changes.reset:
            for first, last in changes.removed:
                self.table.drop(first, last)
            self.beginResetModel()
            self._order.reset()
            self._unsorted = False
            self.endResetModel()
            self.rows_published.emit()
            return
        for first, last in changes.removed:
            self._remove(first, last)
        self._append()
        if changes.changed is not None:
            self._order.touched(*changes.changed)
            self._unsorted |= not self._order.is_natural
            if changes.removed:
                self._touch_all()
            else:
                self._flash(*changes.changed)
                self._touch(*changes.changed)
        if self._unsorted and perf_counter() - self._sorted_at > self._sort_took * _SORT_SHARE:
            self._resort()
        self.rows_published.emit()

    def _remove(self, first: int, last: int) -> None:
        known_last = min(last, self._order.known - 1)
        ranges = self._order.displays_between(first, known_last)
        if len(ranges) > 1 or known_last != last:
            self.beginResetModel()
            self.table.drop(first, last)
            self._order.reset()
            self.endResetModel()
            return
        for top, bottom in ranges:
            self.beginRemoveRows(QModelIndex(), top, bottom)
        self.table.drop(first, last)
        self._order.removed(first, last)
        if ranges:
            self.endRemoveRows()

    def _append(self) -> None:
        if len(self.table.rows) == self._order.known:
            return
        places = self._order.appended()
        if not len(places):
            self._order.publish(places)
            return
        at = self._order.insert_at
        self.beginInsertRows(QModelIndex(), at, at + len(places) - 1)
        self._order.publish(places)
        self.endInsertRows()
        self._unsorted |= not self._order.is_natural

    def _resort(self, ranked: Places | None = None, *, given: bool = False) -> None:
        began = perf_counter()
        self.layoutAboutToBeChanged.emit()
        held = [index for index in self.persistentIndexList() if index.isValid()]
        places_held = [self._order.place(index.row()) for index in held]
        self._order.use(ranked if given else self._order.sorted_places(np.sort(self._order.all_places())))
        if held:
            displays = np.full(self._order.known, -1, np.int64)
            shown = self._order.all_places()
            displays[shown] = np.arange(len(shown))
            moved = [self.index(int(displays[place]), index.column()) for place, index in zip(places_held, held, strict=True)]
            self.changePersistentIndexList(held, moved)
        self.layoutChanged.emit()
        self._unsorted = False
        self._sorted_at = perf_counter()
        self._sort_took = self._sorted_at - began

    def _touch_all(self) -> None:
        if len(self._order):
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._order) - 1, len(self.columns) - 1))

    # --- cells ---

    def _text(self, column: Column[Any], row: Any) -> str:
        decimals = self.table.decimals_of(column, row)
        return cell(column.kind, column.value(row), decimals, self.look.zone, signed=column.signed)

    def _whole(self, column: Column[Any], row: Any) -> str:
        value = column.value(row)
        return str(value) if column.kind is Kind.ID and value else self._text(column, row)

    def _tip(self, column: Column[Any], row: Any) -> str | None:
        """Return what the cell cuts off: ids, long texts, further decimals."""
        value = column.value(row)
        if value is None or column.kind in {Kind.SPARK, Kind.PROGRESS}:
            return None
        if column.kind in {Kind.ID, Kind.TEXT}:
            return str(value)
        if column.kind is Kind.TIME:
            return f"{self.look.zone.time(value)} {self.look.zone.name(value)}"
        if column.kind in {Kind.PRICE, Kind.MONEY, Kind.NUMBER} and not isinstance(value, (int, float)):
            return plain(value)
        return None

    def _brush(self, token: str, alpha: float = 1.0) -> QBrush:
        brush = self._brushes.get((token, alpha))
        if brush is None:
            brush = self._brushes[token, alpha] = QBrush(self.look.theme.colour(token, alpha))
        return brush

    # --- flashes ---

    @property
    def is_flashing(self) -> bool:
        """Whether any cell has a background of its own now."""
        return bool(self._flashes.lit)

    def _flash(self, first: int, last: int) -> None:
        if not self.look.flash or last - first >= MOST_ROWS:
            return
        rows, columns = self.table.rows, self.columns
        places = range(first, min(last + 1, len(rows)))
        cells = (((place, at), self._text(columns[at], rows[place])) for place in places for at in self._flashes.columns)
        if self._flashes.compare(cells):
            self._flash_timer.start()
            self.flashing_changed.emit(True)

    def _put_out(self) -> None:
        places = {place for place, _ in self._flashes.put_out()}
        self.flashing_changed.emit(False)
        if places:
            self._touch(min(places), max(places))

    def _touch(self, first: int, last: int) -> None:
        for top, bottom in self._order.displays_between(first, last)[:MOST_ROWS]:
            self.dataChanged.emit(self.index(top, 0), self.index(bottom, len(self.columns) - 1))

    def _dot(self, status: str) -> QPixmap:
        """Return a small disc in the status' colour; the word beside it says the same."""
        token = status_token(status)
        dot = self._dots.get(token)
        if dot is None:
            dot = self._dots[token] = disc(self.look.theme.colour(token), self.look.sizes.table_font)
        return dot


def disc(colour: QColor, side: int) -> QPixmap:
    """Return a disc of half the `side`, in the middle of a square; drawn at three times the size for sharp screens."""
    pixmap = QPixmap(side * 3, side * 3)
    pixmap.setDevicePixelRatio(3)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawEllipse(QRectF(side * 0.25, side * 0.25, side * 0.5, side * 0.5))
    painter.end()
    return pixmap


def _variant(value: Any) -> Any:
    """Return a value that Qt can hold: a Decimal is no number to it."""
    return value if value is None or isinstance(value, (str, int, float)) else float(value) if hasattr(value, "as_tuple") else None


def _plain(column: Column[Any], row: Any, look: Look) -> str:
    value = column.value(row)
    if value is None or column.kind is Kind.SPARK:
        return ""
    if column.kind in {Kind.TIME, Kind.STATUS, Kind.SIDE, Kind.MODE}:
        return cell(column.kind, value, None, look.zone)
    if hasattr(value, "as_tuple"):
        return plain(value)
    return str(value).replace("\t", " ").replace("\n", " ")
