"""All views of one window: the journal and the runs of the whole desk, and the tables of the run that is looked at."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from core.events.envelope import Envelope
from core.events.live_payloads import CoinFee, SwitchThrown
from core.events.payloads import RunProgressed, SplitApplied
from core.model.corporate_action import PositionChange
from core.model.order import Fill, Order
from core.model.position import Trade
from core.views.activity import ActivityTable
from core.views.equity import EquityView
from core.views.orders import FillTable, HandFillTable, OrderTable
from core.views.positions import PositionTable, TradeTable
from core.views.runs import RunTable, SharedRunTable
from core.views.switches import SwitchView

DESK_PATTERNS = (
    "run.*",
    "data.BarsImported",
    "data.BarsDeleted",
    "data.BarsSealed",
    "data.BarsUnsealed",
    "data.CorporateActionsImported",
    "data.CorporateActionsDeleted",
    "strategy.Noted",
    "clock.Late",
    "live.FaultsDeclared",
    "live.BarsPassed",
    "live.MinuteLate",
    "live.StreamChanged",
    "live.MarketClosed",
    "live.AccountAdopted",
    "live.OrderAdopted",
    "live.OutsideFilled",
    "live.EntryTaken",
    "live.Differed",
    "live.ComparisonFailed",
    "live.DifferenceAccepted",
    "risk.Refused",
    "risk.Armed",
    "risk.LossesUnjudged",
    "risk.SwitchThrown",
    "risk.SwitchCarriedOut",
    "risk.SwitchUnreached",
    "system.*",
)
"""What the desk listens to for all runs. Never `*`: an event that nobody asks for need not be made."""

RUN_PATTERNS = ("orders.*", "account.*")
"""What it listens to besides for the run that is looked at."""


class DeskViews:
    """Folds events into the views they belong to. Pure: it asks nobody and calls nobody back."""

    def __init__(self, here: str = "", *, is_shared: bool = False) -> None:
        """`here`: the name of this desk; `is_shared`: whether there may be others."""
        self.runs = SharedRunTable(here) if is_shared else RunTable(here)
        self.orders = OrderTable()
        self.fills = FillTable(self.orders)
        self.positions = PositionTable()
        self.trades = TradeTable()
        self.by_hand = OrderTable()
        """Orders of the run that holds a person's own, at the account that is connected: for the words of the journal."""
        self.by_hand_fills = HandFillTable(self.by_hand)
        self.by_hand_run: str | None = None
        self.activity = ActivityTable(self._order)
        self.equity = EquityView()
        self.switches = SwitchView()
        self.selected: str | None = None
        self._left: list[list[Any]] = []
        self._changes: set[str] = set()

    def select(self, run_id: str | None, *, keep_equity: bool = False) -> None:
        """Look at another run: its tables are empty until they are loaded."""
        self.selected = run_id
        self._clear()
        if not keep_equity:
            self.equity.clear()

    def _clear(self) -> None:
        for table in (self.orders, self.fills, self.positions, self.trades):
            self._left.append(table.rows)
            table.clear()
        self._changes.clear()

    def take_left(self) -> list[list[Any]]:
        """Return the rows of tables that were cleared since; the caller lets go of them, little by little if there are many."""
        left, self._left = self._left, []
        return left

    def fold(self, event: Envelope) -> None:
        """Take one event; twice the same changes nothing the second time."""
        kind = event.type
        if kind.startswith("orders."):
            if event.run_id == self.selected:
                self._fold_order(event)
            elif event.run_id == self.by_hand_run and self.by_hand_run is not None:
                self.by_hand.fold(event)
                self.by_hand_fills.fold(event)
                self.activity.fold(event, self.source_of(event))
            return
        if isinstance(event.payload, SplitApplied | CoinFee) and event.run_id == self.selected:
            self._fold_change(event.payload, event, with_trades=True)
        if kind.startswith("run."):
            self.runs.fold(event)
            if isinstance(event.payload, RunProgressed):
                if event.run_id == self.selected:
                    self.equity.fold(event)
                return
        if kind == SwitchThrown.wire:
            self.switches.fold(event)
        self.activity.fold(event, self.source_of(event))

    def _order(self, order_id: str) -> Order | None:
        return self.orders.get(order_id) or self.by_hand.get(order_id)

    def watch_by_hand(self, run_id: str | None, orders: Iterable[Order] = ()) -> None:
        """Tell the journal of a person's own orders, those of `run_id`; `orders` are those that work already."""
        if run_id != self.by_hand_run:
            self.by_hand_run = run_id
            self.by_hand.load(orders)
            self.by_hand_fills.clear()

    def source_of(self, event: Envelope) -> str:
        """Return the words of the event's run, or the part of the program that made it."""
        if event.run_id is not None and event.run_id == self.by_hand_run:
            return "by hand"
        row = self.runs.get(event.run_id) if event.run_id else None
        return event.producer if row is None else row.title

    def _fold_order(self, event: Envelope) -> None:
        self.orders.fold(event)
        fill = self.fills.fold(event)
        if fill is not None:
            self.positions.add(fill)
            self.trades.add(fill)
        self.activity.fold(event, self.source_of(event))

    def _fold_change(self, changed: SplitApplied | CoinFee, event: Envelope, *, with_trades: bool) -> None:
        """Take what changed a position without a fill, once."""
        if event.id in self._changes:
            return
        self._changes.add(event.id)
        if isinstance(changed, CoinFee):
            self.positions.charge(changed.symbol, changed.qty, changed.price)
            if with_trades:
                self.trades.charge(changed.symbol, changed.fill_id, changed.qty)
            return
        change = change_of(changed, event.ts)
        self.positions.split(change)
        if with_trades:
            self.trades.split(change)

    def folding(self, events: Iterable[Envelope]) -> Iterator[None]:
        """Fold stored events; yields after each, so that a caller can pause."""
        for event in events:
            self.fold(event)
            yield

    def loading(
        self, orders: Iterable[Order], fills: Sequence[Fill], trades: Iterable[Trade] | None, changes: Iterable[Envelope] = ()
    ) -> Iterator[None]:
        """Replace the rows of the selected run by stored ones; yields after each, so that a caller can pause.

        Positions are folded from the fills and from what `changes` did to them, splits and fees in coin; so are trades when
        the run has not left any yet (`trades` is None).
        """
        self._clear()
        waiting = deque(changes)
        for order in orders:
            self.orders.put(order)
            yield
        for fill in fills:
            while waiting and waiting[0].ts <= fill.time_ns:
                self._load_change(waiting.popleft(), with_trades=trades is None)
            self.fills.put(fill)
            self.positions.add(fill)
            if trades is None:
                self.trades.add(fill)
            yield
        while waiting:
            self._load_change(waiting.popleft(), with_trades=trades is None)
        for trade in trades or ():
            self.trades.append(trade)
            yield

    def _load_change(self, event: Envelope, *, with_trades: bool) -> None:
        if isinstance(event.payload, SplitApplied | CoinFee):
            self._fold_change(event.payload, event, with_trades=with_trades)


def change_of(split: SplitApplied, time_ns: int) -> PositionChange:
    """Return what a split did to a position, as positions and round trips take it."""
    happened_ns = time_ns if split.time_ns is None else split.time_ns
    return PositionChange(symbol=split.symbol, ratio=split.ratio, qty=split.qty, cash=split.cash, time_ns=happened_ns)
