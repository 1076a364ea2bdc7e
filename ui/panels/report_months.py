"""Monthly returns: from the equity curve to a table of years, and the picture of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent, QResizeEvent
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
    months = np.arange(first, max(last, first) + np.timedelta64(2, "M"), dtype="datetime64[M]")
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
    """Paints years × months in the colours of up and down; the larger the return, the stronger. Values on hover.

    Where twelve months side by side would leave no room for their figures, a year takes two lines of six.
    """

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
        self._fit()
        self.update()

    def show_years(self, years: Sequence[YearReturns]) -> None:
        """Show these years."""
        self._years = tuple(years)
        self.setAccessibleDescription("; ".join(f"{row.year}: {percent(row.total, 1, signed=True)}" for row in years))
        self._fit()
        self.update()

    def minimumSizeHint(self) -> QSize:
        return QSize(self._look.sizes.font * 14, self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Become as tall as the years need at this width."""
        self.setFixedHeight(self._look.sizes.dense_row * (1 + len(self._years) * (12 // self._across(self.width()))))

    def paintEvent(self, event: QPaintEvent) -> None:
        theme, sizes = self._look.theme, self._look.sizes
        painter = QPainter(self)
        roomy = self._cell(0, 0).width() >= sizes.font * 2.6
        painter.setFont(tabular(self.font(), sizes.table_font if roomy else round(sizes.table_font * 0.85)))
        strongest = max((abs(month) for row in self._years for month in row.months if month is not None), default=0.0) or 1.0
        across, middle = self._across(self.width()), int(Qt.AlignmentFlag.AlignCenter)
        painter.setPen(theme.colour("muted"))
        for at in range(across):
            name = MONTHS[at] if across == 12 else f"{MONTHS[at][0]}/{MONTHS[at + 6][0]}"
            painter.drawText(self._cell(-1, at), middle, name)
        painter.drawText(self._total(-1), middle, "Year")
        for place, row in enumerate(self._years):
            painter.setPen(theme.colour("muted"))
            painter.drawText(self._label(place), int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), str(row.year))
            for at, value in enumerate(row.months):
                where = self._cell(place, at).adjusted(1, 1, -1, -1)
                if value is None:
                    painter.fillRect(where, theme.colour("line", 0.25))
                    continue
                strength = 0.10 + 0.60 * min(1.0, abs(value) / strongest) if value else 0.06
                painter.fillRect(where, theme.colour("up" if value >= 0 else "down", strength))
                painter.setPen(theme.colour("text"))
                painter.drawText(where, middle, _short(value))
            painter.setPen(theme.colour("text"))
            painter.drawText(self._total(place), middle, _short(row.total))

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self.text_at(event.pos()), self)
            return True
        return super().event(event)

    def text_at(self, point: QPoint) -> str:
        """Return what stands at a place of the picture, in words: `Mar 2015: +1.23 %`."""
        for place, row in enumerate(self._years):
            if self._total(place).contains(point):
                return f"{row.year}: {percent(row.total, signed=True)}"
            for at, value in enumerate(row.months):
                if self._cell(place, at).contains(point):
                    return f"{MONTHS[at]} {row.year}: {MISSING if value is None else percent(value, signed=True)}"
        return ""

    def _across(self, width: int) -> int:
        return 12 if (width - self._left()) / 13 >= self._look.sizes.font * 2.4 else 6

    def _left(self) -> int:
        return round(self._look.sizes.font * 2.8)

    def _line(self, year: int) -> tuple[int, int]:
        """Return the top and the height of a year; the head's is −1."""
        height, lines = self._look.sizes.dense_row, 12 // self._across(self.width())
        return (0, height) if year < 0 else (height * (1 + year * lines), height * lines)

    def _label(self, year: int) -> QRect:
        top, height = self._line(year)
        return QRect(0, top, self._left(), height)

    def _total(self, year: int) -> QRect:
        top, height = self._line(year)
        start = self._edge(self._across(self.width()))
        return QRect(start, top, self.width() - start, height)

    def _cell(self, year: int, month: int) -> QRect:
        down, at = divmod(month, self._across(self.width()))
        top = self._line(year)[0] + down * self._look.sizes.dense_row
        return QRect(self._edge(at), top, self._edge(at + 1) - self._edge(at), self._look.sizes.dense_row)

    def _edge(self, column: int) -> int:
        return self._left() + (self.width() - self._left()) * column // (self._across(self.width()) + 1)


def _short(value: float) -> str:
    """Return a fraction as percent, without the sign of percent; the larger, the fewer decimals."""
    return percent(value, 1 if abs(value) < 0.9995 else 0).removesuffix("%").rstrip()
