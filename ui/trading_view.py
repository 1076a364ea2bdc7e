"""Everything of the account that is connected: its panels, its tables, the ticket, and what the window says is at stake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QMenu, QWidget

from core.model.hand import HeldPosition
from core.model.money import plain
from core.model.order import Fill, OrderSide
from core.model.run import RunMode
from core.views.decimals import price_text
from core.views.held import HoldingTable, WorkingRow, WorkingTable, working_rows
from core.views.orders import FillTable
from core.views.pulse import NO_FEED, feed_pulse
from core.views.stake import Stake, stake_of
from ui.account_feed import AccountFeed
from ui.account_marks import AccountMarks
from ui.models.table_model import TableModel
from ui.panels.account import AccountPanel
from ui.panels.table_panel import TablePanel
from ui.panels.ticket import TicketPanel
from ui.panels.two_sided import TwoSided
from ui.panels.watchlist import WatchPanel
from ui.trade_commands import TradeCommands

if TYPE_CHECKING:
    from core.engine import Engine
    from core.views.desk import DeskViews
    from ui.actions import Actions
    from ui.bridge import EventBridge
    from ui.dialogs.desk import Dialogs
    from ui.models.look import Look
    from ui.services import LayoutMemory
    from ui.tasks import TaskScope
    from ui.toolbar import MainToolBar

_EMPTY = {
    "working": ("No working orders", "Orders that can still fill at the account will be here, of runs and by hand."),
    "holdings": ("Nothing is held", "What the account holds will be here, by owner."),
    "by-hand": ("No fills by hand", "Each execution of your own orders at the account will be here, with price and fee."),
}


class TradingView(QObject):
    """`panels` are what the docks show. `stake_changed` comes when the window is at stake for something else."""

    stake_changed = Signal()
    marks_changed = Signal(object)
    """AccountMarks: what the connected account does, for the chart."""

    def __init__(
        self,
        *,
        engine: Engine,
        views: DeskViews,
        bridge: EventBridge,
        acts: Actions,
        dialogs: Dialogs,
        tasks: TaskScope,
        look: Look,
        memory: LayoutMemory,
        tables: Mapping[str, TablePanel],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._engine, self._views, self._bridge, self._tasks = engine, views, bridge, tasks
        self._hand_run: str | None = None
        self._told_fills: int | None = None
        """How many of a person's own fills were said; None until those of before are read."""
        self.stake = Stake()
        self.feed = AccountFeed(engine, tasks, self)
        self._working, self._holdings = WorkingTable(), HoldingTable()
        self.working = self._table("working", "Working orders of the account", "created", self._working, look, tasks, memory, parent)
        self.holdings = self._table("holdings", "Positions of the account", "owner", self._holdings, look, tasks, memory, parent)
        self.by_hand = self._table("by-hand", "Your own fills at the account", "time", views.by_hand_fills, look, tasks, memory, parent)
        self.holdings.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.account = AccountPanel(look, acts.__getitem__, parent)
        self.ticket = TicketPanel(engine=engine, feed=self.feed, tasks=tasks, look=look, find=views.by_hand.get, parent=parent)
        self.watchlist = WatchPanel(engine=engine, feed=self.feed, tasks=tasks, look=look, memory=memory, parent=parent)
        order_acts = [acts[name] for name in ("change-order", "cancel-order", "cancel-all")]
        held_acts = [acts[name] for name in ("protect-position", "close-position", "reverse-position")]
        self.orders = TwoSided(tables["orders"], self.working, order_acts, look, parent)
        self.positions = TwoSided(tables["positions"], self.holdings, held_acts, look, parent)
        self.fills = TwoSided(
            tables["fills"], self.by_hand, (), look, parent, side=("By hand", "Your own, at the account that is connected")
        )
        self.working.set_menu(lambda: (*order_acts, None))
        self.holdings.set_menu(lambda: (*held_acts, None))
        self.commands = TradeCommands(
            engine=engine,
            feed=self.feed,
            acts=acts,
            dialogs=dialogs,
            tasks=tasks,
            panel=self.account,
            holdings=self.holdings.table,
            working=self.working.table,
            parent=self,
        )
        self.feed.changed.connect(self._show)
        self.feed.failed.connect(self.account.say)
        self.holdings.row_chosen.connect(self._on_row)
        self.working.row_chosen.connect(self._on_row)
        self.by_hand.row_chosen.connect(self._on_row)

    @property
    def panels(self) -> dict[str, QWidget]:
        """What the docks show, by name."""
        return {
            "orders": self.orders,
            "positions": self.positions,
            "fills": self.fills,
            "account": self.account,
            "ticket": self.ticket,
            "watchlist": self.watchlist,
        }

    def _table(
        self,
        name: str,
        title: str,
        natural: str,
        table: WorkingTable | HoldingTable | FillTable,
        look: Look,
        tasks: TaskScope,
        memory: LayoutMemory,
        parent: QWidget,
    ) -> TablePanel:
        model = TableModel(table, look, natural=natural, parent=self)
        return TablePanel(model, name=name, title=title, empty=_EMPTY[name], tasks=tasks, memory=memory, parent=parent)

    # --- life ---

    async def load(self) -> None:
        """Read which accounts there are, and what is watched; nothing is connected."""
        await self.feed.load()
        self.watchlist.refresh()

    def stop(self) -> None:
        """End every timer and subscription."""
        self.feed.stop()
        self.ticket.stop()
        self.watchlist.stop()

    def set_look(self, look: Look) -> None:
        """Take over theme, sizes and zone."""
        for part in (self.working, self.holdings, self.by_hand, self.account, self.ticket, self.watchlist):
            part.set_look(look)

    def remember(self) -> None:
        """Keep the columns, and what is watched, for the next start."""
        for part in (self.working, self.holdings, self.by_hand, self.watchlist):
            part.remember()

    def forget(self) -> None:
        """Return to the columns of the first start."""
        for panel in (self.working, self.holdings, self.by_hand, self.watchlist.panel):
            panel.forget()

    # --- what is shown ---

    def _show(self) -> None:
        view = self.feed.view
        self.account.show_account(self.feed.accounts, view, is_busy=self.feed.is_busy, differences=self.feed.differences)
        hand_run = None if view is None else view.hand_run_id
        if hand_run != self._hand_run:
            self._hand_run, self._told_fills = hand_run, None
            self._views.watch_by_hand(hand_run, [] if view is None else view.working)
            self._bridge.watch_by_hand(hand_run)
            if hand_run is not None and not self._tasks.is_closed:
                self._tasks.start(self._load_by_hand(hand_run), what="reading your own fills", latest="by-hand")
        titles = {row.run.id: row.title for row in self._views.runs.rows}
        self._working.become(() if view is None else working_rows(view, titles))
        self._holdings.become(() if view is None else view.positions)
        for panel in (self.working, self.holdings, self.by_hand):
            panel.model.flush()
        for pair in (self.orders, self.positions):
            if pair.is_connected is not (view is not None):
                pair.show_account(connected=view is not None)
        if self.fills.is_connected is not (view is not None):
            self.fills.show_account(
                connected=view is not None, turns=self._views.selected is None
            )  # else it is the run's that is looked at
        by_hand = tuple(self._views.by_hand_fills.rows)
        marks = AccountMarks() if view is None else AccountMarks(by_hand, tuple(view.working), view.positions, view.as_of_ns)
        self.marks_changed.emit(marks)
        self._tell_fills()
        self.show_stake()

    async def _load_by_hand(self, run_id: str) -> None:
        """Read the fills of a person's own orders that were there before the account was connected."""
        fills = await self._engine.fills(run_id)
        if run_id == self._hand_run:
            for fill in fills:
                self._views.by_hand_fills.put(fill)
            self._told_fills = len(self._views.by_hand_fills.rows)  # those of before are no news
            self._show()

    def _tell_fills(self) -> None:
        """Say on the status line what has filled since, the newest of it: the eye is on the chart, not on a table."""
        rows, told = self._views.by_hand_fills.rows, self._told_fills
        if told is None or len(rows) <= told:
            return
        self._told_fills = len(rows)
        newest = rows[-1]
        done = "Bought" if newest.side is OrderSide.BUY else "Sold"
        more = f" ({len(rows) - told} fills)" if len(rows) - told > 1 else ""
        self.commands.said.emit(f"{done} {plain(newest.qty)} {newest.symbol} at {price_text(newest.symbol, newest.price)}{more}.", "info")

    def show_stake(self) -> None:
        """Find out anew what is at stake: a run began or ended, or an account was connected or let go."""
        view = self.feed.view
        connected = []
        if view is not None:
            mode = RunMode.LIVE if view.is_real_money else RunMode.PAPER
            connected = [(f"{view.title} {view.key.partition(':')[2]}", mode)]
        stake = stake_of(self._views.runs.rows, connected)
        if stake != self.stake:
            self.stake = stake
            self.stake_changed.emit()

    def show_on(self, toolbar: MainToolBar) -> None:
        """Say on the toolbar which account is connected and how fresh its feed is."""
        view = self.feed.view
        toolbar.show_stake(self.stake, "" if view is None else view.title)
        toolbar.show_feed(NO_FEED if view is None else feed_pulse(view.silent_s, view.title))

    def fill_menu(self, menu: QMenu, acts: Actions) -> None:
        """Offer the accounts in the toolbar's menu: one click connects, where none is connected."""
        menu.clear()
        view = self.feed.view
        for account in self.feed.accounts:
            entry = menu.addAction(f"Connect {account.title}{' (real money)' if account.is_real_money else ''}")
            entry.setEnabled(view is None and not self.feed.is_busy)
            entry.setToolTip(account.error or "")
            entry.triggered.connect(lambda _checked=False, account=account: self.commands.connect_to(account))
        menu.addSeparator()
        menu.addActions([acts[name] for name in ("disconnect-account", "reconcile", "order-ticket")])

    def _on_row(self, row: object) -> None:
        if isinstance(row, (HeldPosition, Fill)):
            self.ticket.set_symbol(row.symbol)
        elif isinstance(row, WorkingRow):
            self.ticket.set_symbol(row.order.request.symbol)
