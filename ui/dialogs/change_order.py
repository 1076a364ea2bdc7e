"""New terms of a working order: its quantity and those prices that it has."""

from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QWidget
from shiboken6 import isValid

from core.errors import InvalidValue, KnownError
from core.model.hand import OrderTerms
from core.model.money import parse_money, plain
from core.model.order import Order
from core.views.words import request_words
from ui.dialogs.field_grid import FieldGrid
from ui.dialogs.look import Banner
from ui.dialogs.notices import Notice
from ui.tasks import TaskScope
from ui.theme import Sizes, Theme

Change = Callable[[OrderTerms], Coroutine[Any, Any, None]]
"""Asks for new terms. Raises KnownError."""

_TITLES: Final = {"qty": "Quantity", "limit_price": "Limit", "stop_price": "Stop", "trail": "Trail"}


class ChangeOrderDialog(Notice):
    """Only what differs from what the order has is asked for; while nothing does, there is nothing to do."""

    def __init__(
        self, *, order: Order, change: Change, tasks: TaskScope, stake: str, theme: Theme, sizes: Sizes, parent: QWidget | None = None
    ) -> None:
        words = request_words(order.request)
        super().__init__("dialog-change-order", "Change the order?", f"It is to {words}. What is filled stays.", theme, sizes, parent)
        self._change, self._tasks = change, tasks
        self._had = _terms_of(order)
        grid = FieldGrid(sizes, self)
        self.lines: dict[str, QLineEdit] = {}
        self._rows = {}
        for name, value in self._had.items():
            line = self.lines[name] = QLineEdit(plain(value), grid)
            self._rows[name] = grid.add(f"field-change-{name.removesuffix('_price')}", _TITLES[name], line)
            line.textChanged.connect(lambda _text: self._show_ready())
        self.column.addWidget(grid)
        self._message = Banner("change-order-message", self)
        self.column.addWidget(self._message)
        self.footer.addStretch(1)
        self.add_button("button-cancel", "Leave it", self.reject)
        self.change_button = self.add_button("button-change", "Change order", self._submit)
        self.change_button.setProperty("stake", stake)
        self.change_button.setDefault(True)
        self.add_footer(sizes.step * 2)
        first = next(iter(self.lines.values()))
        first.setFocus(Qt.FocusReason.OtherFocusReason)
        first.selectAll()
        self._show_ready()

    def propose(self, term: str, value: Decimal) -> None:
        """Put another value into a field and the focus on the button: Enter asks for it."""
        self.lines[term].setText(plain(value))
        self.change_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def terms(self) -> OrderTerms | None:
        """Return what is to be another; None while nothing is. Raises InvalidValue with the name of the field."""
        wanted = {name: _amount(line.text(), name) for name, line in self.lines.items()}
        changes = {name: amount for name, amount in wanted.items() if amount != self._had[name]}
        return OrderTerms(**changes) if changes else None

    def _show_ready(self) -> None:
        for row in self._rows.values():
            row.show_error("")
        try:
            self.change_button.setEnabled(self.terms() is not None)
        except InvalidValue as error:
            self.change_button.setEnabled(False)
            if error.field in self._rows:
                self._rows[error.field].show_error(str(error))

    def _submit(self) -> None:
        terms = self.terms()
        if terms is not None:
            self.change_button.setEnabled(False)
            self._tasks.start(self._ask(terms), what="changing an order")

    async def _ask(self, terms: OrderTerms) -> None:
        try:
            await self._change(terms)
        except KnownError as error:
            if isValid(self):  # it may be closed by now
                self._show_ready()
                self._message.say(str(error))
            return
        if isValid(self):
            self.accept()


def _terms_of(order: Order) -> dict[str, Decimal]:
    request = order.request
    trail = request.trail_price if request.trail_price is not None else request.trail_percent
    found = {"qty": request.qty, "limit_price": request.limit_price, "stop_price": request.stop_price, "trail": trail}
    return {name: value for name, value in found.items() if value is not None}


def _amount(text: str, field: str) -> Decimal:
    amount = parse_money(text.replace(",", ""), field=field)
    if amount <= 0:
        raise InvalidValue(field, text.strip(), "it must be above zero.")
    return amount
