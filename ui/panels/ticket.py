"""The order ticket: what to trade and how, what it would come to while it is typed, and one button that sends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from core.errors import InvalidValue, KnownError, UnknownName
from core.model.order import Order, OrderStatus
from core.views.ticket import (
    ANYWHERE,
    FIELD_OF,
    TicketEntries,
    doubt_of,
    lost_words,
    offer_of,
    preview_figures,
    sent_role,
    sent_words,
    why_not,
)
from ui.dialogs.look import role_sheet, set_role
from ui.models.look import Look
from ui.panels.figure_grid import FigureGrid
from ui.panels.fitting_area import FittingArea
from ui.panels.ticket_fields import TicketFields
from ui.style import repolish

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.hand import AccountView, HandOrder, OrderPreview
    from ui.account_feed import AccountFeed
    from ui.tasks import TaskScope

FindOrder = Callable[[str], Order | None]

PREVIEW_MS: Final = 200
"""After the last key."""
_PREVIEW: Final = "ticket: preview"
_LOOK_UP: Final = "ticket: look up"


class SendButton(QPushButton):
    """Sends on a click, on Space, and on Enter while it has the focus; Enter in a field sends nothing."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter} and not event.isAutoRepeat():
            self.click()
            return
        super().keyPressEvent(event)


class TicketPanel(QWidget):
    """Content of the ticket's dock. It sends to the account that is connected, as the person's own order."""

    def __init__(
        self, *, engine: Engine, feed: AccountFeed, tasks: TaskScope, look: Look, find: FindOrder, parent: QWidget | None = None
    ) -> None:
        """`find`: a person's own order at the account as it is known now."""
        super().__init__(parent)
        self.setObjectName("panel-ticket")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._engine, self._feed, self._tasks = engine, feed, tasks
        self._find = find
        self._placed: Order | None = None
        self._is_lost = False
        """Whether the account went while it was on its way."""
        self._look = look
        self._preview: OrderPreview | None = None
        self._sending = False
        self._level: object = None
        self._means: object = None
        """What the figures of the preview hang on, beside the order itself."""
        self.mode = QLabel(self)
        self.mode.setObjectName("label-ticket-mode")
        self.mode.setProperty("role", "chip")
        self.mode.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)  # a long name must not widen the panel
        self.mode.setMinimumHeight(look.sizes.row)
        self.fields = TicketFields(look.sizes, self)
        self.figures = FigureGrid("ticket", look, self)
        self.why = QLabel(self)
        self.why.setObjectName("label-ticket-why")
        self.why.setWordWrap(True)
        self.sent = QLabel(self)
        self.sent.setObjectName("label-ticket-sent")
        self.sent.setWordWrap(True)
        self.sent.hide()
        self.send = SendButton(self)
        self.send.setObjectName("button-send-order")
        self.send.setAutoDefault(False)
        self.send.setMinimumHeight(look.sizes.row + look.sizes.step * 2)
        self.send.clicked.connect(self._send)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PREVIEW_MS)
        self._pause.timeout.connect(self._ask)
        self.fields.changed.connect(self._on_edited)
        self._lay_out(look)
        self.first_focus: QWidget = self.fields.symbol
        self.setTabOrder(self.fields.last, self.send)
        self.set_look(look)
        self.show_account()

    def _lay_out(self, look: Look) -> None:
        step = look.sizes.step
        inside = QWidget(self)
        column = QVBoxLayout(inside)
        column.setContentsMargins(step * 2, step * 2, step * 2, step * 2)
        column.setSpacing(step * 2)
        for widget in (self.mode, self.fields, self.figures):
            column.addWidget(widget)
        area = FittingArea("ticket-scroll", self)
        area.fit(inside)
        below = QVBoxLayout()
        below.setContentsMargins(step * 2, step, step * 2, step * 2)
        below.setSpacing(step * 2)
        for part in (self.why, self.send, self.sent):
            below.addWidget(part)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(area)
        outer.addLayout(below)
        outer.addStretch(1)

    def set_look(self, look: Look) -> None:
        """Take over theme, sizes and zone."""
        self._look = look
        self.setStyleSheet(role_sheet(look.theme, look.sizes))
        self.figures.set_look(look)

    def stop(self) -> None:
        """Ask for no preview any more."""
        self._pause.stop()

    def set_symbol(self, symbol: str) -> None:
        """Put a symbol into the ticket."""
        self.fields.symbol.setText(symbol)

    # --- what is shown ---

    def show_account(self) -> None:
        """Show which account the order would go to; what was said of the order holds only for the one before."""
        view = self._feed.view
        self.fields.set_offer(ANYWHERE if view is None else offer_of(view.features))
        stake = "backtest" if view is None else "live" if view.is_real_money else "paper"
        self.mode.setText("No account" if view is None else f"{stake.upper()}  {view.title}")
        self.mode.setToolTip("" if view is None else f"{view.title} {view.key.partition(':')[2]}")
        for widget in (self.mode, self.send):
            if widget.property("stake") != stake:
                widget.setProperty("stake", stake)
                repolish(widget)
        level = None if view is None else (view.key, view.level)
        self._follow()
        means = None if view is None else _means(view)
        if level != self._level:  # whether it may leave can have changed
            self._level = level
            self._forget()
        elif means != self._means and self._preview is not None:
            self._pause.start()  # what it would come to is another now; until that is said the figures of before stand
        self._means = means
        self._show_ready()

    def _follow(self) -> None:
        """Say what has become of the order that was sent last, until another is begun."""
        placed = self._placed
        if placed is None or self.sent.isHidden() or placed.status.is_final:
            return
        if self._feed.view is None:
            if placed.status in {OrderStatus.CREATED, OrderStatus.SUBMITTING} and not self._is_lost:
                self._is_lost = True
                self._show_sent(lost_words(placed), "doubt")
            return
        newest = self._find(placed.id)
        if newest is not None and newest != placed:
            self._tell_of(newest)
        elif self._is_lost:
            self._is_lost = False
            self._tasks.start(self._look_up(placed, self._feed.view.hand_run_id), what="looking an order up", latest=_LOOK_UP)

    async def _look_up(self, placed: Order, run_id: str) -> None:
        """Read what has become of an order whose end was told while nobody was connected."""
        found = next((order for order in await self._engine.orders(run_id) if order.id == placed.id), None)
        if found is not None and self._placed is placed:
            self._tell_of(found)

    def _tell_of(self, order: Order) -> None:
        self._placed, self._is_lost = order, False
        self._show_sent(sent_words(order), sent_role(order))

    def _show_sent(self, text: str, role: str) -> None:
        self.sent.setText(text)
        set_role(self.sent, role)
        self.sent.show()

    def _on_edited(self) -> None:
        self.sent.hide()
        self._forget()
        self._show_ready()

    def _forget(self) -> None:
        """What was said of the order holds no more: ask anew, soon."""
        self._preview = None
        self._tasks.cancel(_PREVIEW)
        self._pause.start()

    def _show_ready(self) -> None:
        entries = self.fields.entries()
        reason = "It is being sent." if self._sending else why_not(entries, self._feed.view, self._preview)
        self.send.setText(entries.act)
        self.send.setEnabled(not reason)
        self.send.setToolTip(reason or "Send this order now")
        self.send.setAccessibleDescription(reason)
        doubt = "" if reason or self._preview is None else doubt_of(self._preview)
        self.why.setText(reason or doubt)
        self.why.setVisible(bool(reason or doubt))
        refused = self._preview is not None and not self._preview.is_allowed
        set_role(self.why, "error" if refused else "doubt" if doubt else "muted")
        self.figures.setVisible(self._preview is not None)

    # --- preview ---

    def _ask(self) -> None:
        self.fields.clear_errors()
        entries = self.fields.entries()
        place = self._feed.place
        if entries.is_blank or place is None or not self._tasks.can_start:
            self._show_ready()
            return
        order = self._order(entries)
        if order is not None:
            self._tasks.start(self._look_at(order), what="previewing an order", latest=_PREVIEW)

    def _order(self, entries: TicketEntries) -> HandOrder | None:
        try:
            return entries.order()
        except InvalidValue as error:
            self._refuse(error)
            return None

    async def _look_at(self, order: HandOrder) -> None:
        place = self._feed.place
        if place is None:
            return
        try:
            self._preview = await self._engine.preview_order(*place, order)
        except KnownError as error:
            self._refuse(error)
            return
        self.figures.show_figures(preview_figures(self._preview), order.symbol)
        self._show_ready()

    def _refuse(self, error: KnownError) -> None:
        """Show a refusal at its field, or under the ticket when it belongs to none."""
        self._preview = None
        self._show_ready()
        field = error.field if isinstance(error, InvalidValue) else "symbol" if isinstance(error, UnknownName) else ""
        row = self.fields.rows().get(FIELD_OF.get(field, field))
        if row is not None:
            row.show_error(str(error))
        self.why.setText(str(error))
        set_role(self.why, "error")
        self.why.show()
        self.send.setToolTip(str(error))

    # --- sending ---

    def _send(self) -> None:
        entries, place = self.fields.entries(), self._feed.place
        order = self._order(entries)
        if order is None or place is None or self._sending or why_not(entries, self._feed.view, self._preview):
            return
        self._sending = True
        self._show_ready()
        self._tasks.start(self._place(order), what=f"sending the order to {entries.act.lower()}")

    async def _place(self, order: HandOrder) -> None:
        place = self._feed.place
        refused: KnownError | None = None
        try:
            if place is not None:
                placed = await self._engine.place_order(*place, order)
                self.fields.amount.clear()
                self._tell_of(placed)
                self._follow()
                self._feed.ask()
        except KnownError as error:
            refused = error
        finally:
            self._sending = False
            self._show_ready()
        if refused is not None:
            self._refuse(refused)


def _means(view: AccountView) -> object:
    """Return what an order is judged by at an account: what can be spent, what is held and what works. Prices move without it."""
    money = view.money
    held = tuple((one.symbol, one.owner_id, one.qty) for one in view.positions)
    return view.key, money.buying_power, money.non_marginable_buying_power, held, frozenset(order.id for order in view.working)
