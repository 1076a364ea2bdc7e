"""What the window's acts on an account do: each reads what is selected and makes one call to the engine."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QKeySequence

from core.errors import KnownError
from core.model.broker import AccountName
from core.model.hand import OUTSIDE, HandExits, HeldPosition, OrderTerms
from core.model.money import exact, plain
from core.model.order import Order, OrderType
from core.views.held import WorkingRow
from core.views.words import request_words

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.hand import AccountView, TradingAccount
    from ui.account_feed import AccountFeed
    from ui.actions import Actions
    from ui.dialogs.desk import Dialogs
    from ui.panels.account import AccountPanel
    from ui.panels.dense_table import DenseTable
    from ui.tasks import TaskScope

Place = tuple[str, AccountName]
"""Where orders go: the broker's id and the account's name."""


class TradeCommands(QObject):
    """Binds the acts of trading by hand. What sends or closes something is asked about first; a cancel is not."""

    said = Signal(str, str)
    """A sentence, and its level: info or warning."""

    def __init__(
        self,
        *,
        engine: Engine,
        feed: AccountFeed,
        acts: Actions,
        dialogs: Dialogs,
        tasks: TaskScope,
        panel: AccountPanel,
        holdings: DenseTable,
        working: DenseTable,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._engine, self._feed, self._acts = engine, feed, acts
        self._dialogs, self._tasks = dialogs, tasks
        self._panel, self._holdings, self._working = panel, holdings, working
        self._is_locked = False
        for name, do in (
            ("connect-account", self.connect_chosen),
            ("disconnect-account", feed.disconnect_now),
            ("reconcile", self.reconcile),
            ("accept-difference", self.accept_difference),
            ("change-order", self.change_order),
            ("cancel-order", self.cancel_orders),
            ("cancel-all", self.ask_cancel_all),
            ("protect-position", self.ask_exits),
            ("close-position", self.ask_close),
            ("reverse-position", self.ask_reverse),
        ):
            acts.bind(name, do, enabled=False)
        acts.bind("account-keys", self.account_keys)
        self._on_key(working, "cancel-order", Qt.Key.Key_Delete)
        self._on_key(working, "change-order", Qt.Key.Key_Return, Qt.Key.Key_Enter)
        self._on_key(holdings, "close-position", Qt.Key.Key_Delete)
        self._on_key(holdings, "reverse-position", QKeySequence("Shift+Del"))
        for table in (holdings, working):
            table.selectionModel().selectionChanged.connect(lambda *_: self.offer())
            table.table_model.rows_published.connect(self.offer)
        working.doubleClicked.connect(lambda _index: self.change_order())
        feed.failed.connect(lambda sentence: self.said.emit(sentence, "warning"))

    def _on_key(self, table: DenseTable, name: str, *keys: Qt.Key | QKeySequence) -> None:
        action = self._acts[name]
        action.setShortcuts([QKeySequence(key) for key in keys])
        action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        table.addAction(action)

    def lock(self) -> None:
        """Offer nothing that acts on an account: what is on the screen may still be of the one before."""
        self._is_locked = True
        self.offer()

    def unlock(self) -> None:
        """Offer what the account and the selection allow, now that the account is on the screen."""
        self._is_locked = False
        self.offer()

    def offer(self) -> None:
        """Enable what the account and the selection allow."""
        feed = self._feed
        is_connected = feed.view is not None and not self._is_locked
        not_connected = "" if is_connected else "Connect an account first." if feed.view is None else "The account is being shown."
        self._acts.offer("connect-account", enabled=feed.view is None and not feed.is_busy and bool(feed.accounts))
        for name in ("disconnect-account", "reconcile", "accept-difference"):
            self._acts.offer(name, enabled=is_connected and not feed.is_busy, why_not=not_connected)
        orders, held = self._orders(), self._held()
        no_position = "Select one position of the account."
        works = feed.view is not None and bool(feed.view.working)
        for name, possible, else_words in (
            ("cancel-all", works, "No order works."),
            ("cancel-order", bool(orders), "Select an order of the account."),
            ("change-order", len(orders) == 1, "Select one order of the account."),
            ("protect-position", bool(held and held.open_qty), "Orders that close it are over all of it." if held else no_position),
            ("close-position", held is not None, no_position),
            ("reverse-position", held is not None, no_position),
        ):
            why_not = not_connected or ("" if possible else else_words)
            self._acts.offer(name, enabled=is_connected and possible, why_not=why_not)

    def _orders(self) -> list[Order]:
        return [row.order for row in self._working.selected_rows() if isinstance(row, WorkingRow)]

    def _held(self) -> HeldPosition | None:
        rows = self._holdings.selected_rows()
        return rows[0] if len(rows) == 1 and isinstance(rows[0], HeldPosition) else None

    # --- the account ---

    def connect_chosen(self) -> None:
        """Connect the account that is chosen in its panel."""
        account = self._panel.selected()
        if account is not None:
            self.connect_to(account)

    def account_keys(self) -> None:
        """Open the dialog of keys, on the account that is chosen."""
        chosen = self._panel.selected()
        self._dialogs.account_keys(
            AccountName.PAPER if chosen is None else chosen.account,
            lambda: self._tasks.start(self._feed.load(), what="reading which accounts there are"),
        )

    def connect_to(self, account: TradingAccount) -> None:
        """Connect an account; one of real money only when its name was typed."""
        if account.is_real_money:
            self._tasks.start(self._ask_live(account), what=f"connecting {account.title}", latest="connect-live")
        else:
            self._feed.connect_to(account)

    async def _ask_live(self, account: TradingAccount) -> None:
        try:
            name = await self._engine.account_name(account.broker_id, account.account)
        except KnownError as error:
            self._feed.fail(account.title, error)
            return
        what = f"Connect {account.title} {name}?"
        self._dialogs.confirm_live(what, name, "Connect live", lambda typed: self._feed.connect_to(account, typed))

    def reconcile(self) -> None:
        """Compare with the broker now, and say what differed."""
        self._tasks.start(self._reconcile(), what="reconciling the account", latest="reconcile")

    async def _reconcile(self) -> None:
        place, view = self._feed.place, self._feed.view
        if place is None or view is None:
            return
        found = await self._engine.reconcile_account(*place)
        self._feed.take_differences(found)
        if not found.differences:
            self.said.emit(f"{view.title}: our books and the broker's are the same.", "info")
            return
        words = " ".join(one.reason for one in found.differences)
        if found.unhealed:
            words += " Nothing heals that. Compare it at the broker; *Accept difference* in the panel Account takes it as it is there."
        self.said.emit(f"{view.title}: {words}", "warning")

    def accept_difference(self) -> None:
        """Compare, and where something lasts ask why it is taken as the broker has it."""
        self.said.emit("Comparing our books with the broker's …", "info")
        self._tasks.start(self._ask_accept(), what="reconciling the account", latest="reconcile")

    async def _ask_accept(self) -> None:
        place, view = self._feed.place, self._feed.view
        if place is None or view is None:
            return
        found = await self._engine.reconcile_account(*place)
        self._feed.take_differences(found)
        if not found.unhealed:
            self.said.emit(f"{view.title}: nothing is left to accept; our books and the broker's are the same.", "info")
            return

        def accept(reason: str) -> None:
            self._tasks.start(self._accept(view.title, reason), what="accepting a difference", latest="reconcile")

        self._dialogs.accept_difference(view.title, [one.reason for one in found.unhealed], accept, _stake(view))

    async def _accept(self, title: str, reason: str) -> None:
        place = self._feed.place
        if place is None:
            return
        found = await self._engine.reconcile_account(*place, reason)
        self._feed.take_differences(found)
        if found.unhealed:
            self.said.emit(f"{title}: {' '.join(one.reason for one in found.unhealed)} It still differs.", "warning")
        else:
            self.said.emit(f"{title} is taken as the broker has it: {reason}", "info")

    # --- orders ---

    def cancel_orders(self) -> None:
        """Ask the broker to cancel the selected orders."""
        orders = self._orders()
        if orders:
            self._tasks.start(self._cancel(orders), what="cancelling orders")

    async def _cancel(self, orders: list[Order]) -> None:
        place = self._feed.place
        if place is None:
            return
        for order in orders:
            await self._engine.cancel_order(*place, order.id)
        self._feed.ask()
        what = f"the order to {request_words(orders[0].request)}" if len(orders) == 1 else f"{len(orders)} orders"
        self.said.emit(f"The broker was asked to cancel {what}; until it says so it may still fill.", "info")

    def ask_cancel_all(self) -> None:
        """Ask, then cancel every working order of ours."""
        view = self._feed.view
        if view is None or not view.working:
            return
        count = len(view.working)
        orders = "order" if count == 1 else "orders"
        self._dialogs.confirm(
            f"Cancel {count} working {orders} at {view.title}?",
            "Orders of runs and by hand, exits that protect a position too. Positions stay. Orders of others are left alone.",
            "Cancel all orders",
            lambda: self._tasks.start(self._cancel_all(), what="cancelling every order"),
        )

    async def _cancel_all(self) -> None:
        place = self._feed.place
        if place is not None:
            count = await self._engine.cancel_all_orders(*place)
            self._feed.ask()
            self.said.emit(f"The broker was asked to cancel {count} {'order' if count == 1 else 'orders'}.", "info")

    def change_order(self) -> None:
        """Open the dialog of new terms on the selected order."""
        orders = self._orders()
        if len(orders) == 1:
            self._ask_change(orders[0])

    def move_order(self, order_id: str, price: float) -> None:
        """Open the dialog of new terms on an order whose line was taken to a price on the chart, with that price."""
        view = self._feed.view
        order = next((one for one in view.working if one.id == order_id), None) if view is not None else None
        if order is not None:
            stops = order.request.type in {OrderType.STOP, OrderType.STOP_LIMIT}
            self._ask_change(order, "stop_price" if stops else "limit_price", exact(price))

    def _ask_change(self, order: Order, term: str = "", price: Decimal | None = None) -> None:
        place, view = self._feed.place, self._feed.view
        if place is None or view is None:
            return
        change = self._engine.change_order

        async def ask(terms: OrderTerms) -> None:
            await change(*place, order.id, terms)
            self._feed.ask()

        dialog = self._dialogs.change_order(order, ask, _stake(view))
        if price is not None:
            dialog.propose(term, price)

    # --- positions ---

    def ask_exits(self) -> None:
        """Open the dialog of a target and a stop loss for the selected position."""
        held, view, place = self._held(), self._feed.view, self._feed.place
        if held is None or view is None or place is None:
            return
        engine = self._engine

        async def send(exits: HandExits) -> tuple[Order, ...]:
            orders = await engine.protect_position(*place, exits)
            self._feed.ask()
            if all(order.reject_code is None for order in orders):
                for order in orders:
                    self.said.emit(f"The order to {request_words(order.request)} is sent.", "info")
            return orders

        self._dialogs.exits(held, view.title, lambda exits: engine.preview_exits(*place, exits), send, _stake(view))

    def ask_close(self) -> None:
        """Ask how much, then close the selected position, or that part of it, at market."""
        held, view = self._held(), self._feed.view
        if held is None or view is None:
            return

        def close(qty: Decimal | None) -> None:
            self._turn(held, lambda place: self._engine.close_position(*place, held.symbol, held.owner_id, qty))

        self._dialogs.close_position(held, view.title, _strategy_note(held, view), close, _stake(view))

    def ask_reverse(self) -> None:
        """Ask, then turn the selected position around at market."""
        held, view = self._held(), self._feed.view
        if held is None or view is None:
            return
        becomes = "short" if held.qty > 0 else "long"
        self._dialogs.confirm(
            f"Reverse {plain(abs(held.qty))} {held.symbol} ({held.owner})?",
            f"{_market_order(held, 2)} at {view.title}: the position becomes {becomes}.{_strategy_note(held, view)}",
            f"Reverse {held.symbol}",
            lambda: self._turn(held, lambda place: self._engine.reverse_position(*place, held.symbol, held.owner_id)),
        )

    def _turn(self, held: HeldPosition, do: Callable[[Place], Coroutine[Any, Any, Order]]) -> None:
        self._tasks.start(self._turned(held, do), what=f"closing {held.symbol}")

    async def _turned(self, held: HeldPosition, do: Callable[[Place], Coroutine[Any, Any, Order]]) -> None:
        place = self._feed.place
        if place is None:
            return
        try:
            order = await do(place)
        except KnownError as error:
            self.said.emit(f"{held.symbol} stays as it is. {error}", "warning")
            return
        self._feed.ask()
        if order.reject_code is not None:
            self.said.emit(f"The order to {request_words(order.request)} was refused. {order.reason or ''}".strip(), "warning")
        else:
            self.said.emit(f"The order to {request_words(order.request)} is sent.", "info")


def _stake(view: AccountView) -> str:
    return "live" if view.is_real_money else "paper"


def _market_order(held: HeldPosition, times: int) -> str:
    side = "Sells" if held.qty > 0 else "Buys"
    return f"{side} {plain(abs(held.qty) * times)} {held.symbol} at market"


def _strategy_note(held: HeldPosition, view: AccountView) -> str:
    return "" if held.owner_id in {view.hand_run_id, OUTSIDE} else f" {held.owner} goes on and may open it again."
