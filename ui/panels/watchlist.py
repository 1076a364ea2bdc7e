"""The watchlist: symbols a person keeps in sight, priced by the account's feed where one is connected, else by stored bars."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from core.errors import InputError, KnownError
from core.model.instants import DAY_NS
from core.model.market import BarSet, parse_symbol
from core.views.watch import WatchRow, WatchTable, live_row, newest_set, stored_row
from ui.models.look import Look
from ui.models.table_model import TableModel
from ui.panels.table_panel import TablePanel
from ui.services import LayoutMemory
from ui.tasks import TaskScope

if TYPE_CHECKING:
    from core.engine import Engine
    from core.model.broker import AccountName
    from ui.account_feed import AccountFeed

LOOK_MS: Final = 2_000
"""How often an account is asked for prices."""
_MEMORY: Final = "watchlist"
_FEED: Final = "watch: feed"
_MOST_AT_FIRST: Final = 20
_LOOK_BACK_NS: Final = 10 * DAY_NS
_RECORDED: Final = "run-"
"""How the source of bars begins that a run saw: they are its own."""


class WatchPanel(QWidget):
    """Content of the watchlist's dock. Until a person changes it, it lists what is stored."""

    symbol_chosen = Signal(str)

    def __init__(
        self, *, engine: Engine, feed: AccountFeed, tasks: TaskScope, look: Look, memory: LayoutMemory, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("panel-watchlist-dock")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._engine, self._feed, self._tasks, self._memory = engine, feed, tasks, memory
        self._place: tuple[str, AccountName] | None = None
        """Of the account whose prices are shown."""
        self._symbols: list[str] | None = _read(memory)
        self._sets: list[BarSet] = []
        self._stored: dict[str, WatchRow] = {}
        self._table = WatchTable()
        self.panel = TablePanel(
            TableModel(self._table, look, natural="symbol", parent=self),
            name="watchlist",
            title="Watchlist",
            empty=("Nothing is watched", "Type a symbol above and press Enter: its last price will be here."),
            tasks=tasks,
            memory=memory,
            parent=self,
        )
        self.panel.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.add = QLineEdit(self)
        self.add.setObjectName("field-watch-symbol")
        self.add.setAccessibleName("Symbol to watch")
        self.add.setPlaceholderText("Watch a symbol")
        self.add.setToolTip("Type a symbol and press Enter")
        self.add.returnPressed.connect(self._add)
        self.remove_action = QAction("Watch no longer", self)
        self.remove_action.setObjectName("action-watch-remove")
        self.remove_action.setShortcut(QKeySequence(Qt.Key.Key_Delete))
        self.remove_action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.remove_action.triggered.connect(lambda _checked=False: self._remove())
        self.panel.table.addAction(self.remove_action)
        self.panel.set_menu(lambda: (self.remove_action, None))
        self.panel.strip.insertWidget(1, self.add)
        self.panel.row_chosen.connect(lambda row: self.symbol_chosen.emit(row.symbol))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.panel)
        self.first_focus: QWidget = self.panel.table
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.look_now)

    def set_look(self, look: Look) -> None:
        """Take over theme, sizes and zone."""
        self.panel.set_look(look)

    def remember(self) -> None:
        """Keep symbols and columns for the next start."""
        self.panel.remember()
        if self._symbols is not None:
            self._memory.save(_MEMORY, msgspec.json.encode(self._symbols))

    def stop(self) -> None:
        """Ask for no prices any more."""
        self._timer.stop()

    def newest_set(self, symbol: str) -> BarSet | None:
        """Return the stored bars that show a symbol best, where there are any."""
        return newest_set(self._sets, symbol)

    # --- which symbols ---

    def symbols(self) -> list[str]:
        """Return what is watched."""
        if self._symbols is not None:
            return self._symbols
        return sorted({item.key.symbol for item in self._sets})[:_MOST_AT_FIRST]

    def _add(self) -> None:
        try:
            symbol = parse_symbol(self.add.text())
        except InputError:
            self.add.selectAll()
            return
        self.add.clear()
        if symbol not in self.symbols():
            self._symbols = [*self.symbols(), symbol]
            self._show({})
            self.refresh()

    def _remove(self) -> None:
        gone = {row.symbol for row in self.panel.table.selected_rows() if isinstance(row, WatchRow)}
        if gone:
            self._symbols = [symbol for symbol in self.symbols() if symbol not in gone]
            self._show({})

    # --- prices ---

    def refresh(self) -> None:
        """Read what stored bars tell, and then the feed."""
        if not self._tasks.is_closed:
            self._tasks.start(self._read_stored(), what="reading the watchlist", latest="watch: stored")

    async def _read_stored(self) -> None:
        self._sets = [item for item in await self._engine.bar_sets() if not item.key.source.startswith(_RECORDED)]
        for symbol in self.symbols():
            best = self.newest_set(symbol)
            if best is not None:
                series = await self._engine.bars(best.key, best.last_ns - _LOOK_BACK_NS, best.last_ns + 1)
                self._stored[symbol] = stored_row(symbol, series, best.key.source, self._engine.now_ns())
        self._show({})
        await self._read_feed()

    def follow_account(self) -> None:
        """Ask the account that is connected for prices from now on; without one, show those of stored bars."""
        if self._feed.place == self._place:
            return
        self._place = self._feed.place
        self._tasks.cancel(_FEED)
        self._show({})
        if self._place is None:
            self._timer.stop()
        else:
            self._timer.start()
            self.look_now()

    def look_now(self) -> None:
        """Ask the account for prices, when somebody can see them."""
        if self._feed.view is not None and self.isVisible() and self._tasks.can_start:
            self._tasks.start(self._read_feed(), what="reading prices", latest=_FEED)

    async def _read_feed(self) -> None:
        place, view = self._feed.place, self._feed.view
        if place is None or view is None:
            return
        try:
            trades = await self._engine.last_trades(*place, self.symbols())
        except KnownError:
            return  # the account's own panel says that it does not answer; stored prices stay
        if place != self._feed.place:
            return
        live = {
            symbol: live_row(symbol, trade, self._stored.get(symbol), view.as_of_ns, view.broker_id) for symbol, trade in trades.items()
        }
        self._show(live)

    def _show(self, live: dict[str, WatchRow]) -> None:
        rows = [live.get(symbol) or self._stored.get(symbol) or WatchRow(symbol=symbol) for symbol in self.symbols()]
        self._table.become(replace(row, age_s=None if row.age_s is None else round(row.age_s, 1)) for row in rows)
        self.panel.model.flush()


def _read(memory: LayoutMemory) -> list[str] | None:
    """Return the symbols of the last start; None where there are none, or nothing that can be read."""
    blob = memory.load(_MEMORY)
    if blob is None:
        return None
    try:
        return msgspec.json.decode(blob, type=list[str])
    except msgspec.MsgspecError:
        return None
