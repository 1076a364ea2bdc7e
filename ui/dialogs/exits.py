"""A target, a stop loss, or both, for a position that is held: what they would be is said before they leave."""

from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, Final

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QLabel, QLineEdit, QWidget
from shiboken6 import isValid

from core.errors import InvalidValue, KnownError
from core.model.hand import AS_ONE_ORDER, EACH_BY_ITSELF, NOW, ExitsPreview, HandExits, HeldPosition
from core.model.money import parse_money, plain
from core.model.order import Order, OrderStatus
from ui.dialogs.field_grid import FieldGrid
from ui.dialogs.look import Banner
from ui.dialogs.notices import Notice
from ui.format import number
from ui.tasks import TaskScope
from ui.theme import Sizes, Theme

Look = Callable[[HandExits], Coroutine[Any, Any, ExitsPreview]]
"""Returns what exits would be. Raises KnownError."""
Send = Callable[[HandExits], Coroutine[Any, Any, tuple[Order, ...]]]
"""Sends exits. Raises KnownError."""

PREVIEW_MS: Final = 250
_TITLES: Final = {"qty": "The quantity", "target": "The target", "stop": "The stop loss"}
_HINTS: Final = {"target": "Takes the profit at this price.", "stop": "Stops the loss at this price."}
_ASKED: Final = "Name a target, a stop loss, or both."
_LEAVE: Final = {
    NOW: "It leaves at once.",
    AS_ONE_ORDER: "They leave at once, as one order: the broker minds them, also while the program is off.",
    EACH_BY_ITSELF: "They leave at once, each by itself: while the program has the account open it takes one back when the other fills.",
}


class ExitsDialog(Notice):
    """The button is there once a preview has come of what stands in the fields, and no rule refuses it."""

    def __init__(
        self,
        *,
        held: HeldPosition,
        where: str,
        look: Look,
        send: Send,
        tasks: TaskScope,
        stake: str,
        theme: Theme,
        sizes: Sizes,
        parent: QWidget | None = None,
    ) -> None:
        verb = "Sells" if held.qty > 0 else "Buys back"
        sentence = f"{verb} it at {where} once the market is there. Of two prices the one that comes first cancels the other."
        super().__init__("dialog-exits", f"Exits of {plain(abs(held.qty))} {held.symbol} ({held.owner})", sentence, theme, sizes, parent)
        self._held, self._look, self._send, self._tasks = held, look, send, tasks
        self._is_sending = False
        grid = FieldGrid(sizes, self)
        self.qty, self.target, self.stop = (QLineEdit(grid) for _ in range(3))
        self.qty.setText(plain(held.open_qty))
        covered = abs(held.qty) - held.open_qty
        hint = f"{plain(covered)} of {plain(abs(held.qty))} have orders that close them already." if covered else ""
        self._rows = {
            "qty": grid.add("field-exits-qty", "Quantity", self.qty, hint),
            "target": grid.add("field-exits-target", "Target", self.target),
            "stop": grid.add("field-exits-stop", "Stop loss", self.stop),
        }
        self.column.addWidget(grid)
        self.leave = QLabel(self)
        self.leave.setObjectName("exits-leave")
        self.leave.setWordWrap(True)
        self.leave.setProperty("role", "muted")
        self.column.addWidget(self.leave)
        self.message = Banner("exits-message", self)
        self.column.addWidget(self.message)
        self.footer.addStretch(1)
        self.add_button("button-cancel", "Leave it", self.reject)
        self.send_button = self.add_button("button-exits", "Send exits", self._submit)
        self.send_button.setProperty("stake", stake)
        self.send_button.setDefault(True)
        self.add_footer(sizes.step * 2)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PREVIEW_MS)
        self._pause.timeout.connect(self._ask)
        for line in (self.qty, self.target, self.stop):
            line.textChanged.connect(lambda _text: self._changed())
        self._changed()
        self.target.setFocus(Qt.FocusReason.OtherFocusReason)

    def exits(self) -> HandExits | None:
        """Return what stands in the fields; None while no price does. Raises InvalidValue with the name of the field."""
        prices = {name: _amount(line.text(), _TITLES[name]) for name, line in (("target", self.target), ("stop", self.stop))}
        if not any(prices.values()):
            return None
        return HandExits(
            symbol=self._held.symbol,
            owner_id=self._held.owner_id,
            qty=_amount(self.qty.text(), _TITLES["qty"]),
            target_price=prices["target"],
            stop_loss_price=prices["stop"],
        )

    def _changed(self) -> None:
        """Say nothing of what was, until it is known what these are."""
        self.send_button.setEnabled(False)
        self._show(None)
        self.message.say("")
        for row in self._rows.values():
            row.show_error("")
        try:
            wanted = self.exits()
        except InvalidValue as error:
            self._pause.stop()
            self._refuse(error)
            return
        if wanted is None:
            self._pause.stop()
        else:
            self._pause.start()

    def _ask(self) -> None:
        wanted = self.exits()
        if wanted is not None and not self._is_sending:
            self._tasks.start(self._previewed(wanted), what="previewing exits", latest="exits: preview")

    async def _previewed(self, wanted: HandExits) -> None:
        try:
            preview = await self._look(wanted)
        except KnownError as error:
            if isValid(self) and not self._pause.isActive():
                self._refuse(error)
            return
        if not isValid(self) or self._pause.isActive() or self._is_sending:
            return  # it is closed, or something else stands there by now
        self._show(preview)
        self.message.say(" ".join(one.sentence for one in preview.verdicts))
        self._fit()
        self.send_button.setEnabled(preview.is_allowed)

    def _show(self, preview: ExitsPreview | None) -> None:
        self.leave.setText(_ASKED if preview is None else _LEAVE[preview.exits_leave])
        at = {"target": None, "stop": None} if preview is None else {"target": preview.at_target, "stop": preview.at_stop_loss}
        for name, makes in at.items():
            self._rows[name].show_hint(_HINTS[name] if makes is None else f"Makes {number(makes, 2, signed=True)} there.")
        self.send_button.setText("Send exits" if preview is None else f"Send exits of {plain(preview.qty)} {self._held.symbol}")

    def _refuse(self, error: KnownError) -> None:
        """Say why at the field, or under all of them when it belongs to none."""
        field = error.field if isinstance(error, InvalidValue) else ""
        name = next((name for name, title in _TITLES.items() if title == field), None)
        if name is None:
            self.message.say(str(error))
        else:
            if name in _HINTS:
                self._rows[name].show_hint("")
            self._rows[name].show_error(str(error))
        self._fit()

    def _fit(self) -> None:
        """Be high enough for what is said: fields would give way to it."""
        wanted = self.column.totalHeightForWidth(self.width())
        if wanted > self.height():
            self.resize(self.width(), wanted)

    def _submit(self) -> None:
        wanted = self.exits()
        if wanted is not None:
            self._is_sending = True
            self.send_button.setEnabled(False)
            self._tasks.start(self._sent(wanted), what="sending exits")

    async def _sent(self, wanted: HandExits) -> None:
        try:
            orders = await self._send(wanted)
        except KnownError as error:
            if isValid(self):
                self._is_sending = False
                self._refuse(error)
            return
        if not isValid(self):
            return
        self._is_sending = False
        refused = [order.reason or "They were refused." for order in orders if order.status is OrderStatus.REJECTED]
        if refused:
            self.message.say(" ".join(dict.fromkeys(refused)))
            self._fit()
        else:
            self.accept()


def _amount(text: str, field: str) -> Decimal | None:
    """Return what is typed; None for nothing. Raises InvalidValue."""
    return parse_money(text.replace(",", ""), field=field) if text.strip() else None
