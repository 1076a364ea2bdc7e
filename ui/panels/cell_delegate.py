"""Cells that are drawn as well as written: a run's progress, a small line of its equity, times whose date is said once."""

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from core.views.columns import Kind
from ui.models.flash import FLASHING_KINDS
from ui.models.table_model import ROW_ROLE, TableModel

_DRAWN = frozenset({Kind.PROGRESS, Kind.SPARK, Kind.STATUS})
PAINTED = frozenset({*_DRAWN, Kind.TIME, Kind.MODE})
"""Kinds of columns that always need this delegate."""

PAINTED_FLASHING = FLASHING_KINDS - PAINTED
"""Kinds that need it while they flash; otherwise they are the style's alone, which paints them in half the time."""

_DATE = len("2014-01-01 ")


class CellDelegate(QStyledItemDelegate):
    """Paints one column of a `TableModel`; the background, the selection and the text stay the style's."""

    def __init__(self, model: TableModel, column: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._column = model.columns[column]

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        kind = self._column.kind
        if self._model.is_flashing and (brush := index.data(Qt.ItemDataRole.BackgroundRole)) is not None:
            painter.fillRect(option.rect, brush)  # the style sheet would leave a cell's own background out
        if kind is Kind.TIME:
            self._paint_time(painter, option, index)
            return
        if kind is Kind.MODE:
            self._paint_mode(painter, option, index)
            return
        super().paint(painter, option, index)
        if kind not in _DRAWN:
            return
        row = index.data(ROW_ROLE)
        value = None if row is None else self._column.value(row)
        if kind is Kind.STATUS:
            value = None if row is None else self._model.table.progress_of(row)
        if not value:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(option.rect).adjusted(6, 0, -6, 0)
        if kind is Kind.STATUS:
            self._paint_progress(painter, QRectF(option.rect).adjusted(6, option.rect.height() - 5, -6, -2), float(value), 2.0)
        elif kind is Kind.PROGRESS:
            self._paint_progress(painter, area, float(value), max(3.0, area.height() / 5))
        else:
            self._paint_spark(painter, area, value)
        painter.restore()

    def _paint_progress(self, painter: QPainter, area: QRectF, fraction: float, height: float) -> None:
        theme = self._model.look.theme
        bar = QRectF(area.left(), area.center().y() - height / 2 + 0.5, area.width(), height)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("line"))
        painter.drawRoundedRect(bar, height / 2, height / 2)
        painter.setBrush(theme.colour("accent"))
        bar.setWidth(max(height, bar.width() * min(1.0, fraction)))
        painter.drawRoundedRect(bar, height / 2, height / 2)

    def _paint_spark(self, painter: QPainter, area: QRectF, points: tuple[float, ...]) -> None:
        if len(points) < 2:
            return
        theme = self._model.look.theme
        low, high = min(points), max(points)
        span = (high - low) or 1.0
        box = area.adjusted(0, 4, 0, -4)
        step = box.width() / (len(points) - 1)
        path = QPainterPath()
        for place, point in enumerate(points):
            at = QPointF(box.left() + place * step, box.bottom() - (point - low) / span * box.height())
            path.moveTo(at) if place == 0 else path.lineTo(at)
        token = "up" if points[-1] > points[0] else "down" if points[-1] < points[0] else "muted"
        painter.setPen(QPen(theme.colour(token), 1.2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(path)

    def _paint_mode(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        """Write the mode in its colour on a selected row too: there the style has one colour for every text."""
        text, brush = str(index.data() or ""), index.data(Qt.ItemDataRole.ForegroundRole)
        self.initStyleOption(option, index)
        option.text = ""
        option.widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        painter.save()
        painter.setFont(option.font)
        painter.setPen(brush.color() if brush is not None else self._model.look.theme.colour("text"))
        painter.drawText(option.rect.adjusted(7, 0, -4, 0), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
        painter.restore()

    def _paint_time(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        """Write the date faint where the row above has the same: the eye finds the day's change, the column keeps its width."""
        text = str(index.data() or "")
        above = self._model.index(index.row() - 1, index.column()).data() if index.row() else None
        self.initStyleOption(option, index)
        widget = option.widget
        style = widget.style()
        option.text = ""
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, widget)
        theme = self._model.look.theme
        same = isinstance(above, str) and len(text) > _DATE and above[:_DATE] == text[:_DATE]
        area = option.rect.adjusted(7, 0, -4, 0)
        painter.save()
        painter.setFont(option.font)
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.setPen(theme.colour("faint", 0.55) if same else theme.colour("muted"))
        painter.drawText(area, flags, text[:_DATE])
        area.setLeft(area.left() + painter.fontMetrics().horizontalAdvance(text[:_DATE]))
        painter.setPen(theme.colour("muted") if same else theme.colour("text"))
        painter.drawText(area, flags, text[_DATE:])
        painter.restore()
