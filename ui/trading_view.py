"""Everything of the account that is connected: its panels, its tables, the ticket, and what the window says is at stake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from ui.bridge import PUBLISH_S
from ui.models.table_model import TableModel
from ui.panels.account import AccountPanel
from ui.panels.table_panel import TablePanel
from ui.panels.ticket import TicketPanel
from ui.panels.two_sided import TwoSided
from ui.panels.watchlist import WatchPanel
from ui.slices import in_slices
from ui.trade_commands import TradeCommands

if TYPE_CHECKING:
    import asyncio

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
    shown = Signal()
    """All of the account, or that none is connected, is on the screen."""
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
        self._account: tuple[str, str] | None = None
        """Whose figures are on the screen, or come there: the broker's id and the account's key."""
        self._showing: asyncio.Task[None] | None = None
        """What shows the account, part by part; None before the first time."""
        self._is_outdated = False
        """Whether something changed since what goes on to the screen was begun."""
        self._in_sight: set[str] = set()
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
    def is_showing(self) -> bool:
        """Whether some of the account is not on the screen yet."""
        return self._showing is not None and not self._showing.done()

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
        """Show what the feed says now: what is at stake and what the ticket sends to at once, the rest part by part.

        All of it in one turn of the loop would hold it up. So what a person would take for the other account's is locked
        meanwhile: until the last part is on the screen, no act on an order or a position can be chosen.
        """
        view = self.feed.view
        account = None if view is None else (view.broker_id, view.key)
        is_other = account != self._account
        if is_other:
            self._account = account
            self.commands.lock()
        self._follow_hand_run(None if view is None else view.hand_run_id)
        self.account.offer(self.feed.accounts, view, is_busy=self.feed.is_busy)
        self.ticket.show_account()
        self.show_stake()
        self._is_outdated = True
        if (is_other or not self.is_showing) and not self._tasks.is_closed:
            self._showing = self._tasks.start(self._show_in_turns(), what="showing the account", latest="account-shown")

    async def _show_in_turns(self) -> None:
        """Show it to the end even if it changes meanwhile, and then once more: an account that never rests is shown too."""
        while self._is_outdated:
            self._is_outdated = False
            await in_slices(self._parts(), PUBLISH_S)
        self.commands.unlock()
        self.shown.emit()

    def _parts(self) -> Iterator[None]:
        """Show the account as it is now, each part as the feed has it in its turn."""
        for show in (self._show_account, self._show_working, self._show_holdings):
            show()
            yield
        self.by_hand.model.flush()
        yield
        turns_fills = self._views.selected is None  # else it is the run's that is looked at
        for pair, turns in ((self.orders, True), (self.positions, True), (self.fills, turns_fills)):
            if pair.is_connected is not (self.feed.view is not None):
                pair.show_account(connected=self.feed.view is not None, turns=turns)
                yield
        view, by_hand = self.feed.view, tuple(self._views.by_hand_fills.rows)
        self.marks_changed.emit(
            AccountMarks() if view is None else AccountMarks(by_hand, tuple(view.working), view.positions, view.as_of_ns)
        )
        yield
        self.watchlist.follow_account()
        self._tell_fills()

    def _follow_hand_run(self, hand_run: str | None) -> None:
        """Hear of a person's own orders from now on: of what is told before somebody listens nobody would be shown the end."""
        if hand_run != self._hand_run:
            self._hand_run, self._told_fills = hand_run, None
            self._views.watch_by_hand(hand_run, () if self.feed.view is None else self.feed.view.working)
            self._bridge.watch_by_hand(hand_run)
            if hand_run is not None and not self._tasks.is_closed:
                self._tasks.start(self._load_by_hand(hand_run), what="reading your own fills", latest="by-hand")

    def _show_account(self) -> None:
        if "account" in self._in_sight:
            self.account.show_account(self.feed.view, self.feed.differences)

    def _show_working(self) -> None:
        view, titles = self.feed.view, {row.run.id: row.title for row in self._views.runs.rows}
        self._working.become(() if view is None else working_rows(view, titles))
        self.working.model.flush()

    def _show_holdings(self) -> None:
        view = self.feed.view
        self._holdings.become(() if view is None else view.positions)
        self.holdings.model.flush()

    def note_sight(self, name: str, is_in_sight: bool) -> None:
        """Take note that a dock came into sight, or is not seen any more; what was not filled meanwhile is filled now."""
        (self._in_sight.add if is_in_sight else self._in_sight.discard)(name)
        if is_in_sight and name == "account":
            self._show_account()

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
