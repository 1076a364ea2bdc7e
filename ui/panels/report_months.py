"""Monthly returns: from the equity curve to a table of years, and the picture of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from core.model.market import Floats, Instants
from ui.format import MISSING, percent
from ui.models.look import Look
from ui.style import tabular

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class YearReturns:
    """Returns of one year as fractions: January to December, None where there is no equity, and the whole year."""

    year: int
    months: tuple[float | None, ...]
    total: float


def monthly_returns(equity_ns: Instants, equity: Floats) -> tuple[YearReturns, ...]:
    """Return the monthly returns of an equity curve, oldest year first; months are UTC.

    A month's return is its last equity over the last one before it (the first point for the first month), less one.
    A point at midnight of the first belongs to the month that ends with it.
    """
    if len(equity) < 2:
        return ()
    first = np.datetime64(int(equity_ns[0]), "ns").astype("datetime64[M]")
    # The nanosecond before: what is stamped at a month's first midnight ended the month before.
    last = np.datetime64(int(equity_ns[-1]) - 1, "ns").astype("datetime64[M]")
    months = np.arange(first, max(last, first) + 2, dtype="datetime64[M]")
    edges = np.searchsorted(equity_ns, months.astype("datetime64[ns]").astype(np.int64), side="right")
    edges[0] = 1
    years: dict[int, list[float | None]] = {}
    totals: dict[int, float] = {}
    for month, (start, end) in zip(months, pairwise(edges.tolist()), strict=False):
        year, at = divmod(int(month.astype(np.int64)), 12)
        row = years.setdefault(1970 + year, [None] * 12)
        before = float(equity[start - 1])
        if end > start and before > 0:
            gained = float(equity[end - 1]) / before - 1
            row[at] = gained
            totals[1970 + year] = (1 + totals.get(1970 + year, 0.0)) * (1 + gained) - 1
    return tuple(YearReturns(year, tuple(row), totals.get(year, 0.0)) for year, row in sorted(years.items()))


class MonthlyReturns(QWidget):
    """Paints years × months in the colours of up and down; the larger the return, the stronger. Values on hover."""

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("report-months")
        self.setAccessibleName("Monthly returns")
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._look = look
        self._years: tuple[YearReturns, ...] = ()

    def set_look(self, look: Look) -> None:
        """Take other colours and sizes."""
        self._look = look
        self.updateGeometry()
        self.update()

    def show_years(self, years: Sequence[YearReturns]) -> None:
        """Show these years."""
        self._years = tuple(years)
        self.setAccessibleDescription("; ".join(f"{row.year}: {percent(row.total, 1, signed=True)}" for row in years))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self._look.sizes.font * 30, self._look.sizes.dense_row * (len(self._years) + 1))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._look.sizes.font * 16, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        theme, sizes = self._look.theme, self._look.sizes
        painter = QPainter(self)
        strongest = max((abs(month) for row in self._years for month in row.months if month is not None), default=0.0) or 1.0
        cell = self._cell(0, 0).width()
        painter.setFont(tabular(self.font(), min(sizes.table_font, max(8, round(cell * 0.48)))))
        middle = int(Qt.AlignmentFlag.AlignCenter)
        painter.setPen(theme.colour("muted"))
        for at, name in enumerate((*MONTHS, "Year")):
            painter.drawText(self._cell(-1, at), middle, name if cell >= sizes.font * 2 else name[0])
        for place, row in enumerate(self._years):
            painter.setPen(theme.colour("muted"))
            left = QRect(0, self._cell(place, 0).top(), self._left(), sizes.dense_row)
            painter.drawText(left, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), str(row.year))
            for at, value in enumerate((*row.months, row.total)):
                where = self._cell(place, at).adjusted(1, 1, -1, -1)
                if value is None:
                    painter.fillRect(where, theme.colour("line", 0.25))
                    continue
                if at < 12:
                    strength = 0.10 + 0.60 * min(1.0, abs(value) / strongest)
                    painter.fillRect(where, theme.colour("up" if value >= 0 else "down", strength if value else 0.06))
                painter.setPen(theme.colour("text"))
                painter.drawText(where, middle, _short(value, cell, sizes.font))

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self.text_at(event.pos()), self)
            return True
        return super().event(event)

    def text_at(self, point: QPoint) -> str:
        """Return what stands at a place of the picture, in words: `March 2015: +1.23 %`."""
        for place, row in enumerate(self._years):
            for at, value in enumerate((*row.months, row.total)):
                if self._cell(place, at).contains(point):
                    when = f"{MONTHS[at]} {row.year}" if at < 12 else str(row.year)
                    return f"{when}: {MISSING if value is None else percent(value, signed=True)}"
        return ""

    def _left(self) -> int:
        return round(self._look.sizes.font * 2.6)

    def _cell(self, row: int, column: int) -> QRect:
        left, height = self._left(), self._look.sizes.dense_row
        width = max(1, self.width() - left)
        start, end = left + width * column // 13, left + width * (column + 1) // 13
        return QRect(start, height * (row + 1), end - start, height)


def _short(value: float, width: int, font: int) -> str:
    """Return a fraction as percent without the sign of percent, as long as the width allows."""
    if width < font * 1.3:
        return ""
    text = percent(value, 1 if width >= font * 2.6 else 0)
    return text.removesuffix("%").rstrip()
