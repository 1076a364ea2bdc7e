"""The picture of monthly returns: years × months."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from core.model.report import YearReturns
from ui.format import MISSING, percent
from ui.models.look import Look
from ui.style import tabular

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


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

    @property
    def years(self) -> tuple[YearReturns, ...]:
        """What is shown."""
        return self._years

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
            painter.drawText(self._total(place), middle, MISSING if row.total is None else _short(row.total))

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
