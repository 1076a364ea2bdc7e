"""A position, or a part of it, closed at the market."""

from collections.abc import Callable
from decimal import Decimal

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QWidget

from core.errors import InvalidValue
from core.model.hand import HeldPosition
from core.model.money import parse_money, plain
from ui.dialogs.field_grid import FieldGrid
from ui.dialogs.notices import Notice
from ui.theme import Sizes, Theme


class ClosePositionDialog(Notice):
    """`then` is called with the quantity to close, None for all of it. `note` is what else is to be known of it."""

    def __init__(
        self,
        *,
        held: HeldPosition,
        where: str,
        note: str,
        then: Callable[[Decimal | None], object],
        stake: str,
        theme: Theme,
        sizes: Sizes,
        parent: QWidget | None = None,
    ) -> None:
        side = "Sells" if held.qty > 0 else "Buys"
        sentence = f"{side} at market at {where}. Orders that would close it are cancelled first, or made smaller.{note}"
        heading = f"Close {plain(abs(held.qty))} {held.symbol} ({held.owner})?"
        super().__init__("dialog-close-position", heading, sentence, theme, sizes, parent)
        self._held, self._then = held, then
        grid = FieldGrid(sizes, self)
        self.qty = QLineEdit(plain(abs(held.qty)), grid)
        self._row = grid.add("field-close-qty", "Quantity", self.qty, f"All of it is {plain(abs(held.qty))}.")
        self.column.addWidget(grid)
        self.half_button = self.add_button("button-half", "Half", self._halve)
        self.half_button.setToolTip("Half of what is held")
        self.footer.addStretch(1)
        self.add_button("button-cancel", "Leave it", self.reject)
        self.close_button = self.add_button("button-close-position", "", self._close)
        self.close_button.setProperty("stake", stake)
        self.close_button.setDefault(True)
        self.add_footer(sizes.step * 2)
        self.qty.textChanged.connect(lambda _text: self._show_ready())
        self._show_ready()
        self.qty.setFocus(Qt.FocusReason.OtherFocusReason)
        self.qty.selectAll()

    def amount(self) -> Decimal | None:
        """Return what is to be closed; None: all of it. Raises InvalidValue."""
        whole = abs(self._held.qty)
        amount = parse_money(self.qty.text().replace(",", ""), field="Quantity")
        if not 0 < amount <= whole:
            raise InvalidValue("Quantity", self.qty.text().strip(), f"it is above zero and at most {plain(whole)}.")
        return None if amount == whole else amount

    def _halve(self) -> None:
        whole = abs(self._held.qty)
        half = whole / 2
        # What came in whole units leaves in whole units: the last one stays.
        self.qty.setText(plain(half if whole != whole.to_integral_value() else half.to_integral_value(rounding="ROUND_DOWN") or whole))

    def _show_ready(self) -> None:
        try:
            amount = self.amount()
        except InvalidValue as error:
            self._row.show_error(str(error))
            self.close_button.setEnabled(False)
            return
        self._row.show_error("")
        self.close_button.setEnabled(True)
        self.close_button.setText(f"Close {self._held.symbol}" if amount is None else f"Close {plain(amount)} {self._held.symbol}")

    def _close(self) -> None:
        self._then(self.amount())
        self.accept()
