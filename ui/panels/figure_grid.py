"""Figures of an account or an order under each other: what it is at the left, how much at the right."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from core.views.columns import Kind
from core.views.decimals import decimals_in, price_decimals
from core.views.held import AccountFigure
from ui.format import cell
from ui.models.look import Look
from ui.style import tabular


class FigureGrid(QWidget):
    """Shows figures in the order in which they come; the labels stay while the names do. `prefix` begins their object names."""

    def __init__(self, prefix: str, look: Look, parent: QWidget) -> None:
        super().__init__(parent)
        self._prefix, self._look = prefix, look
        self._values: dict[str, QLabel] = {}
        self._titles: dict[str, QLabel] = {}
        self._shown: tuple[tuple[AccountFigure, ...], str] = ((), "")
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(look.sizes.step * 2)
        self._grid.setVerticalSpacing(look.sizes.step // 2)
        self._grid.setColumnStretch(1, 1)

    def show_figures(self, figures: Sequence[AccountFigure], symbol: str = "") -> None:
        """Show these; prices are written as those of `symbol` are."""
        if (tuple(figures), symbol) == self._shown:
            return
        self._shown = (tuple(figures), symbol)
        names = {figure.name for figure in figures}
        for labels in (self._titles, self._values):
            for name, label in labels.items():
                label.setVisible(name in names)
        for row, figure in enumerate(figures):
            value = self._values.get(figure.name) or self._add(row, figure)
            self._titles[figure.name].setText(figure.title)
            value.setText(self._text(figure, symbol))
            value.setProperty("tone", _tone(figure))
            value.setStyleSheet(self._colour(figure))
            value.setToolTip(figure.tip)

    def set_look(self, look: Look) -> None:
        """Take over theme, sizes and zone."""
        self._look = look
        (figures, symbol), self._shown = self._shown, ((), "")
        self.show_figures(figures, symbol)

    def text(self, name: str) -> str:
        """Return what stands at a figure."""
        return self._values[name].text()

    def _add(self, row: int, figure: AccountFigure) -> QLabel:
        title, value = QLabel(figure.title, self), QLabel(self)
        title.setProperty("role", "muted")
        value.setObjectName(f"label-{self._prefix}-{figure.name}")
        value.setFont(tabular(value.font(), self._look.sizes.font))
        value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        value.setAccessibleName(figure.title)
        self._grid.addWidget(title, row, 0)
        self._grid.addWidget(value, row, 1)
        self._titles[figure.name], self._values[figure.name] = title, value
        return value

    def _text(self, figure: AccountFigure, symbol: str) -> str:
        value = figure.value
        decimals = 2
        if value is not None and figure.kind is Kind.PRICE:
            decimals = max(price_decimals(symbol, float(value)), 2)
        elif value is not None and figure.kind is Kind.NUMBER:
            decimals = decimals_in(value)
        if figure.kind is Kind.TIME and value is not None:
            return f"{self._look.zone.clock(value)} {self._look.zone.name(value)}"
        return cell(figure.kind, value, decimals, self._look.zone, signed=figure.signed)

    def _colour(self, figure: AccountFigure) -> str:
        token = _tone(figure)
        return f"color: {getattr(self._look.theme, token)};" if token else ""


def _tone(figure: AccountFigure) -> str:
    if figure.value is None or figure.kind is not Kind.MONEY:
        return ""
    if figure.value < 0:
        return "down"
    return "up" if figure.signed and figure.value > 0 else ""
