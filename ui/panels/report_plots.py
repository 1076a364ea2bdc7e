"""Small plots of the report, painted: a line over time, and bars above and below zero. Values on hover."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import ceil, floor, isfinite, log10

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from core.model.instants import day_of
from core.model.market import Floats, Instants
from ui.models.look import Look
from ui.style import tabular

Form = Callable[[float], str]
_MOST_POINTS = 2_000


class ReportPlot(QWidget):
    """What both kinds of plot share: an upright axis with round numbers, a height, and words on hover."""

    def __init__(self, name: str, title: str, look: Look, form: Form, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._look = look
        self._form = form
        self.set_look(look)

    def set_look(self, look: Look) -> None:
        """Take other colours and sizes."""
        self._look = look
        self.setFixedHeight(look.sizes.font * 9)
        self.update()

    def minimumSizeHint(self) -> QSize:
        return QSize(self._look.sizes.font * 12, self.height())

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self.text_at(event.pos().x()), self)
            return True
        return super().event(event)

    def text_at(self, x: int) -> str:
        """Return what stands at a distance from the left edge, in words."""
        raise TypeError(f"{type(self).__name__} has no words.")  # each kind has its own

    def span(self) -> tuple[float, float]:
        """Return the lowest and the highest value that is drawn."""
        raise TypeError(f"{type(self).__name__} has no values.")

    def area(self) -> QRect:
        """Return where values are drawn, inside the axes."""
        sizes = self._look.sizes
        left = round(sizes.font * 4.2)
        return QRect(left, sizes.step, max(1, self.width() - left - sizes.step), self.height() - sizes.step - round(sizes.font * 1.5))

    def _y(self, value: float) -> float:
        low, high = self.span()
        area = self.area()
        return area.bottom() - (value - low) / (high - low) * area.height()

    def _paint_axis(self, painter: QPainter) -> None:
        theme, area = self._look.theme, self.area()
        painter.setFont(tabular(self.font(), round(self._look.sizes.table_font * 0.9)))
        for tick in axis_ticks(*self.span()):
            y = round(self._y(tick))
            painter.setPen(theme.colour("faint" if tick == 0 else "line"))
            painter.drawLine(area.left(), y, area.right(), y)
            painter.setPen(theme.colour("muted"))
            label = QRect(0, y - area.height(), area.left() - self._look.sizes.step, 2 * area.height())
            painter.drawText(label, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), self._form(tick))

    def _label_below(self, painter: QPainter, x: float, text: str) -> None:
        wide = painter.fontMetrics().horizontalAdvance(text) + 2.0
        left = label_left(x, wide, self.width())
        painter.setPen(self._look.theme.colour("muted"))
        below = QRectF(left, self.area().bottom() + 2, wide, self.height() - self.area().bottom() - 2)
        painter.drawText(below, int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom), text)


class LinePlot(ReportPlot):
    """One line over time; `token` is its colour."""

    def __init__(self, name: str, title: str, look: Look, form: Form, token: str, parent: QWidget | None = None) -> None:
        self._when: Instants = np.empty(0, np.int64)
        self._values: Floats = np.empty(0)
        self._token = token
        super().__init__(name, title, look, form, parent)

    def show_line(self, when_ns: Instants, values: Floats) -> None:
        """Show these values; what is not finite is left out, and more points than can be seen are thinned."""
        finite = np.isfinite(values)
        every = max(1, -(-int(finite.sum()) // _MOST_POINTS))
        self._when, self._values = when_ns[finite][::every], values[finite][::every]
        self.update()

    def span(self) -> tuple[float, float]:
        return widened(float(self._values.min()), float(self._values.max())) if len(self._values) else (0.0, 1.0)

    def text_at(self, x: int) -> str:
        if not len(self._values):
            return ""
        first, last = int(self._when[0]), int(self._when[-1])
        share = min(max((x - self.area().left()) / self.area().width(), 0.0), 1.0)
        at = int(np.searchsorted(self._when, first + int((last - first) * share), side="right")) - 1
        return f"{day_of(int(self._when[at]))}: {self._form(float(self._values[at]))}"

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self._paint_axis(painter)
        if not len(self._values):
            return
        area, (low, high) = self.area(), self.span()
        first, last = int(self._when[0]), int(self._when[-1])
        x = area.left() + (self._when - first) / max(last - first, 1) * area.width()
        y = area.bottom() - (self._values - low) / (high - low) * area.height()
        self._label_below(painter, area.left(), str(day_of(first)))
        self._label_below(painter, area.right(), str(day_of(last)))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._look.theme.colour(self._token), 1.2))
        painter.drawPolyline(QPolygonF([QPointF(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)]))


class BarPlot(ReportPlot):
    """Bars side by side. Where `names` are the edges of bins there is one more of them than bars."""

    def __init__(self, name: str, title: str, look: Look, form: Form, parent: QWidget | None = None) -> None:
        self._names: tuple[str, ...] = ()
        self._values: tuple[float, ...] = ()
        self._tips: tuple[str, ...] = ()
        self._tokens: tuple[str, ...] = ()
        super().__init__(name, title, look, form, parent)

    def show_bars(self, names: Sequence[str], values: Sequence[float], tips: Sequence[str], tokens: Sequence[str] = ()) -> None:
        """Show a bar for each value. `tokens`: their colours; without them gains and losses have theirs."""
        self._names, self._values, self._tips = tuple(names), tuple(values), tuple(tips)
        self._tokens = tuple(tokens) or tuple("up" if value >= 0 else "down" for value in values)
        self.setAccessibleDescription("; ".join(tips))
        self.update()

    def span(self) -> tuple[float, float]:
        return widened(min(0.0, *self._values), max(0.0, *self._values)) if self._values else (0.0, 1.0)

    def text_at(self, x: int) -> str:
        at = floor((x - self.area().left()) / self.area().width() * len(self._values)) if self._values else -1
        return self._tips[at] if 0 <= at < len(self._tips) else ""

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self._paint_axis(painter)
        count = len(self._values)
        if not count:
            return
        area, theme, base = self.area(), self._look.theme, self._y(0.0)
        edges = [area.left() + area.width() * at / count for at in range(count + 1)]
        for (left, right), value, token in zip(pairwise(edges), self._values, self._tokens, strict=True):
            gap = min(2.0, (right - left) * 0.15)
            top = self._y(value)
            tall = max(abs(top - base), 1.0 if value else 0.0)
            painter.fillRect(QRectF(left + gap / 2, min(top, base), right - left - gap, tall), theme.colour(token))
        if len(self._names) > count:
            for x, name in ((edges[0], self._names[0]), (edges[-1], self._names[-1])):
                self._label_below(painter, x, name)
            return
        every = ceil(count * self._look.sizes.font * 2.6 / area.width())
        for at in range(0, count, every):
            self._label_below(painter, (edges[at] + edges[at + 1]) / 2, self._names[at])


def label_left(x: float, wide: float, room: float) -> float:
    """Return where a label of that width begins: under `x`, moved aside only as far as it would be cut off."""
    return max(min(x - wide / 2, room - wide), 0.0)


def axis_ticks(low: float, high: float) -> list[float]:
    """Return about three round numbers within the span, two at least: one alone is no scale."""
    found = [round_ticks(low, high, most) for most in (3, 4, 6, 10)]
    return next((ticks for ticks in found if len(ticks) > 1), found[0])


def round_ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers within the span, 1, 2 or 5 × a power of ten apart."""
    span = high - low
    if not span > 0 or not isfinite(span):
        return []
    power = 10.0 ** floor(log10(span / most))
    step = next(power * factor for factor in (1.0, 2.0, 5.0, 10.0) if power * factor >= span / most)
    return [number * step for number in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def widened(low: float, high: float) -> tuple[float, float]:
    """Return the span with a little room at the ends that are not 0; never empty."""
    if not high > low:
        room = abs(low) * 0.05 or 1.0
        return low - room, high + room
    room = (high - low) * 0.05
    return low - room if low else low, high + room if high else high
