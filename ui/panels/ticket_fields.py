"""The fields of the order ticket: only the prices that the order's type takes are shown, and only what the broker takes is offered."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QCheckBox, QComboBox, QHBoxLayout, QLineEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from core.model.order import OrderSide, OrderType
from core.views.ticket import ANYWHERE, DEFAULT_TIME, PRICE_FIELDS, Offer, TicketEntries
from ui.dialogs.field_grid import FieldGrid, FieldRow, narrow
from ui.theme import Sizes

_TIMES: Final = {
    "": "day, crypto gtc",
    "day": "day – this session",
    "gtc": "gtc – until cancelled",
    "ioc": "ioc – at once, what there is",
    "fok": "fok – at once, all or nothing",
    "opg": "opg – opening auction",
    "cls": "cls – closing auction",
}


class TicketFields(QWidget):
    """Fields named `field-ticket-…`. `changed` comes after any change a person makes."""

    changed = Signal()

    def __init__(self, sizes: Sizes, parent: QWidget) -> None:
        super().__init__(parent)
        self._rows: dict[str, FieldRow] = {}
        self._offer: Offer | None = None
        self._grid = FieldGrid(sizes, self)
        self._grid.set_label_width(sizes.font * 4)
        self.symbol = self._line("symbol", "Symbol", "SPY, BTC/USD")
        self._make_side(sizes)
        self.type = self._choice("type", "Type")
        self._make_size(sizes)
        self.stop = self._line("stop", "Stop", "price")
        self.limit = self._line("limit", "Limit", "price")
        self.trail = self._line("trail", "Trail", "price, or 2 %")
        self.time = self._choice("time_in_force", "In force")
        self.extended = self._check("extended_hours", "Hours", "Extended too")
        self._make_options(sizes)
        self.reduce_only.setToolTip("It takes off a position and opens none.")
        self.exits.setToolTip("A target and a stop loss, which protect what this order fills.")
        self._lines = {"target": self._line("target", "Target", "limit price")}
        self._make_stop_loss(sizes)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._grid)
        self.set_offer(ANYWHERE)
        self.type.currentIndexChanged.connect(lambda _index: self._on_type())
        self.exits.toggled.connect(lambda _on: self._show_rows())
        order: list[QWidget] = [self.symbol, self.buy, self.sell, self.type, self.amount, self.unit, self.stop, self.limit, self.trail]
        order += [self.time, self.extended, self.reduce_only, self.exits, *self._lines.values()]
        for before, after in pairwise(order):
            self.setTabOrder(before, after)
        self.last: Final = order[-1]
        """Where Tab leaves them."""
        self._show_rows()

    # --- what stands there ---

    def entries(self) -> TicketEntries:
        """Return what stands in the fields; what is not shown does not count."""
        exits = {name: line.text() if self.exits.isChecked() else "" for name, line in self._lines.items()}
        return TicketEntries(
            symbol=self.symbol.text(),
            side=OrderSide.SELL if self.sell.isChecked() else OrderSide.BUY,
            type=self.chosen_type(),
            size=self.amount.text(),
            size_is_money=self.unit.currentData() == "money",
            limit=self.limit.text(),
            stop=self.stop.text(),
            trail=self.trail.text(),
            time_in_force=str(self.time.currentData() or DEFAULT_TIME),
            extended_hours=self.extended.isChecked() and self.extended.isVisibleTo(self),
            reduce_only=self.reduce_only.isChecked(),
            **exits,
        )

    def chosen_type(self) -> OrderType:
        """Return the chosen type."""
        return OrderType(self.type.currentData() or OrderType.MARKET)

    def choose_side(self, side: OrderSide) -> None:
        """Choose to buy or to sell."""
        (self.sell if side is OrderSide.SELL else self.buy).setChecked(True)

    def choose_type(self, kind: OrderType) -> None:
        """Choose a type, where it is offered."""
        index = self.type.findData(kind.value)
        if index >= 0:
            self.type.setCurrentIndex(index)

    def rows(self) -> dict[str, FieldRow]:
        """Return the rows by the names that errors use for them."""
        return self._rows

    def clear_errors(self) -> None:
        """Take every refusal away."""
        for row in self._rows.values():
            row.show_error("")

    def set_offer(self, offer: Offer) -> None:
        """Offer what the broker takes; what was chosen stays where it is still offered."""
        if offer == self._offer:
            return
        self._offer = offer
        _fill(self.type, ((kind.value, kind.value.replace("_", " ")) for kind in offer.types))
        _fill(self.time, ((time, _TIMES.get(time, time)) for time in offer.times))
        _fill(self.unit, (("units", "units"), *((("money", "money"),) if offer.money else ())))
        self._show_rows()

    def _on_type(self) -> None:
        self._show_rows()
        self.changed.emit()

    def _show_rows(self) -> None:
        taken = PRICE_FIELDS[self.chosen_type()]
        for name in ("stop", "limit", "trail"):
            self._grid.show_row(self._rows[name], shown=name in taken)
        has_hours = self._offer is not None and self._offer.extended_hours and "limit" in taken
        self._grid.show_row(self._rows["extended_hours"], shown=has_hours)
        for name in self._lines:
            self._grid.show_row(self._rows[name], shown=self.exits.isChecked())

    # --- parts ---

    def _make_side(self, sizes: Sizes) -> None:
        pair, line = self._pair(sizes)
        self.buy, self.sell = (self._side(side, pair) for side in (OrderSide.BUY, OrderSide.SELL))
        group = QButtonGroup(pair)
        for button in (self.buy, self.sell):
            group.addButton(button)
            line.addWidget(button)
        self.buy.setChecked(True)
        group.buttonToggled.connect(lambda _button, on: self.changed.emit() if on else None)
        self._rows["side"] = self._grid.add("field-ticket-side", "Side", pair, buddy=self.buy)
        self.buy.setAccessibleName("Buy")

    def _side(self, side: OrderSide, parent: QWidget) -> QPushButton:
        button = QPushButton(side.value.capitalize(), parent)
        button.setObjectName(f"button-ticket-{side.value}")
        button.setAccessibleName(side.value.capitalize())
        button.setCheckable(True)
        button.setAutoDefault(False)
        button.setProperty("side", side.value)
        button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        return button

    def _make_size(self, sizes: Sizes) -> None:
        pair, line = self._pair(sizes)
        self.amount, self.unit = QLineEdit(pair), narrow(QComboBox(pair))
        self.amount.setObjectName("field-ticket-size")
        self.unit.setObjectName("field-ticket-unit")
        controls: tuple[QWidget, ...] = (self.amount, self.unit)
        for control in controls:
            control.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)  # they share what the panel has
        line.addWidget(self.amount, 5)
        line.addWidget(self.unit, 4)
        self.amount.textChanged.connect(lambda _text: self.changed.emit())
        self.unit.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self._rows["size"] = self._grid.add("field-ticket-size", "Size", pair, buddy=self.amount)
        self.unit.setAccessibleName("Unit of the size")

    def _make_options(self, sizes: Sizes) -> None:
        """Two short switches in one row: what an order would come to is to be seen below them."""
        pair, line = self._pair(sizes)
        self.reduce_only, self.exits = QCheckBox("Only reduce", pair), QCheckBox("Exits", pair)
        for box, name, title in ((self.reduce_only, "reduce_only", "Only reduce"), (self.exits, "exits", "Add exits")):
            box.setObjectName(_name(name))
            box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            box.toggled.connect(lambda _on: self.changed.emit())
            line.addWidget(box)
            box.setAccessibleName(title)
        line.setSpacing(sizes.step * 4)
        line.addStretch(1)
        row = self._grid.add(_name("reduce_only"), "Options", pair, buddy=self.reduce_only)
        self.reduce_only.setAccessibleName("Only reduce")
        self._rows |= {"reduce_only": row, "exits": row}

    def _make_stop_loss(self, sizes: Sizes) -> None:
        pair, line = self._pair(sizes)
        for name, title, hint in (("stop_loss", "Stop loss", "stop"), ("stop_loss_limit", "Limit of the stop loss", "no limit")):
            entry = self._lines[name] = QLineEdit(pair)
            entry.setObjectName(_name(name))
            entry.setAccessibleName(title)
            entry.setPlaceholderText(hint)
            entry.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            entry.textChanged.connect(lambda _text: self.changed.emit())
            line.addWidget(entry)
        self._lines["stop_loss_limit"].setToolTip("Its limit: with one the stop loss is a stop limit, and may stay behind.")
        row = self._grid.add(_name("stop_loss"), "Stop loss", pair, buddy=self._lines["stop_loss"])
        self._rows |= {"stop_loss": row, "stop_loss_limit": row}

    def _pair(self, sizes: Sizes) -> tuple[QWidget, QHBoxLayout]:
        pair = QWidget(self._grid)
        line = QHBoxLayout(pair)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(sizes.step)
        return pair, line

    def _line(self, name: str, title: str, placeholder: str) -> QLineEdit:
        line = QLineEdit(self._grid)
        line.setPlaceholderText(placeholder)
        line.textChanged.connect(lambda _text: self.changed.emit())
        self._rows[name] = self._grid.add(_name(name), title, line)
        return line

    def _choice(self, name: str, title: str) -> QComboBox:
        box = narrow(QComboBox(self._grid))
        box.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self._rows[name] = self._grid.add(_name(name), title, box)
        return box

    def _check(self, name: str, title: str, text: str) -> QCheckBox:
        box = QCheckBox(text, self._grid)
        box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        box.toggled.connect(lambda _on: self.changed.emit())
        self._rows[name] = self._grid.add(_name(name), title, box)
        box.setAccessibleName(f"{title}: {text}")
        return box


def _name(field: str) -> str:
    return f"field-ticket-{field.replace('_', '-')}"


def _fill(box: QComboBox, items: Iterable[tuple[str, str]]) -> None:
    """Offer items of a value and its words; the chosen value stays where it is offered, and nobody is told."""
    chosen = box.currentData()
    blocked = box.blockSignals(True)
    box.clear()
    for value, words in items:
        box.addItem(words, value)
    index = box.findData(chosen)
    box.setCurrentIndex(max(index, 0))
    box.blockSignals(blocked)
