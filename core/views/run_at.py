"""A run as it was at any event of it: a fold, and snapshots from which the fold goes on.

A snapshot holds what is small as a whole, and of the orders those that changed since the one before: all of them together
are no larger than the run.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from core.errors import BugError
from core.events.envelope import Envelope
from core.events.live_payloads import CoinFee, OrderAskedByHand
from core.events.payloads import (
    OrderCreated,
    OrderFilled,
    OrderPartiallyFilled,
    OrderReplaced,
    OrderReplaceRefused,
    PlaceRequest,
    RunCreated,
    SplitApplied,
)
from core.model.corporate_action import PositionChange
from core.model.order import Fill, Order
from core.model.position import Trade
from core.model.round_trips import RoundTrips
from core.model.run import Run
from core.views.account import Account
from core.views.desk import change_of
from core.views.orders import fill_of, order_after
from core.views.positions import PositionRow
from core.views.runs import RunRow, RunTable

SNAPSHOT_EVENTS: Final = 1_000
"""Events from one snapshot to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run as of the event `seq`, which happened at `time_ns` (UTC); `events` of it came so far.

    `orders` in the order they were made, `fills` oldest first, `trades` in the order of their exits, `positions` by symbol,
    flat ones too. A position's last price is the newest one that an event told: that of a fill, or the close
    a decision was made on. `equity` counts with it.
    """

    seq: int
    time_ns: int
    events: int
    run: Run
    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    trades: tuple[Trade, ...]
    positions: tuple[PositionRow, ...]
    account: Account
    equity: float


@dataclass(slots=True)
class RunFold:
    """All that a run's events say, in the order of their sequence. Each event is to be folded once."""

    seq: int = 0
    time_ns: int = 0
    events: int = 0
    row: RunRow | None = None
    orders: dict[str, Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    trips: RoundTrips = field(default_factory=RoundTrips)
    positions: dict[str, PositionRow] = field(default_factory=dict)
    account: Account = field(default_factory=Account)

    def fold(self, event: Envelope) -> str | None:
        """Take the next event; return the id of the order that it changed."""
        self.seq, self.time_ns = event.seq, event.ts
        self.events += 1
        payload: Any = event.payload
        namespace = event.type.partition(".")[0]
        if isinstance(payload, OrderAskedByHand):
            return None  # a wish: what comes of it is told by others
        if namespace == "orders":
            return self._fold_order(payload, event.ts)
        if namespace == "run":
            self._fold_run(event)
        elif namespace == "account":
            self.account = self.account.after(payload)
            if isinstance(payload, SplitApplied):
                self._split(change_of(payload, event.ts))
            elif isinstance(payload, CoinFee):
                self._charge(payload)
        elif isinstance(payload, PlaceRequest) and payload.close is not None:
            self._mark(payload.request.symbol, payload.close)
        return None

    def view(self) -> RunView:
        """Return what the events so far say. Raises BugError when the first of them did not create the run."""
        if self.row is None:
            raise BugError("A run's events do not begin with its creation.")
        positions = tuple(self.positions[symbol] for symbol in sorted(self.positions))
        return RunView(
            seq=self.seq,
            time_ns=self.time_ns,
            events=self.events,
            run=self.row.run,
            orders=tuple(self.orders.values()),
            fills=tuple(self.fills),
            trades=tuple(self.trades),
            positions=positions,
            account=self.account,
            equity=self.account.equity(positions),
        )

    def _fold_run(self, event: Envelope) -> None:
        table = RunTable(by_hand=True)
        if self.row is not None:
            table.put(self.row)
        table.fold(event)
        self.row = table.get(event.run_id or "")
        if isinstance(event.payload, RunCreated):
            self.account = Account(cash=event.payload.config.cash)

    def _fold_order(self, payload: Any, ts: int) -> str | None:
        if isinstance(payload, OrderCreated):
            self.orders[payload.order.id] = payload.order
            return payload.order.id
        order_id: str = payload.order_id
        order = self.orders.get(order_id)
        if order is None and isinstance(payload, (OrderReplaced, OrderReplaceRefused)):
            return None  # an exit that waits at the program: it is created, on its newest terms, when it leaves
        if order is None:
            raise BugError(f"Order {order_id} changed before it was created.")
        self.orders[order_id] = order_after(order, payload, ts)
        if isinstance(payload, (OrderFilled, OrderPartiallyFilled)):
            fill = fill_of(order, payload)
            self.fills.append(fill)
            self.trades += self.trips.add(fill)
            held = self.positions.get(fill.symbol) or PositionRow(symbol=fill.symbol)
            self.positions[fill.symbol] = held.after(fill)
            self._mark(fill.symbol, float(fill.price))
            self.account = self.account.after_fill(fill)
        return order_id

    def _charge(self, fee: CoinFee) -> None:
        row = self.positions.get(fee.symbol)
        if row is not None:
            self.positions[fee.symbol] = row.after_coin_fee(fee.qty, fee.price)
        self.trips.charge(fee.symbol, fee.fill_id, fee.qty)

    def _split(self, change: PositionChange) -> None:
        self.trades += self.trips.split(change)
        if change.symbol in self.positions:
            self.positions[change.symbol] = self.positions[change.symbol].after_split(change)

    def _mark(self, symbol: str, price: float) -> None:
        row = self.positions.get(symbol)
        if row is not None and row.last != price:
            self.positions[symbol] = row.at(price)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    seq: int
    time_ns: int
    events: int
    row: RunRow | None
    changed: dict[str, Order]
    fills: int
    trades: int
    trips: RoundTrips
    positions: dict[str, PositionRow]
    account: Account


class RunHistory:
    """The fold of a run up to its newest event that was taken, with a snapshot every `SNAPSHOT_EVENTS`."""

    def __init__(self, every: int = SNAPSHOT_EVENTS) -> None:
        self._every = every
        self._newest = RunFold()
        self._snapshots: list[_Snapshot] = []
        self._changed: dict[str, None] = {}
        self.first_seq = 0

    @property
    def seq(self) -> int:
        """The newest event taken; 0 before the first."""
        return self._newest.seq

    def extend(self, events: Iterable[Envelope]) -> None:
        """Take the run's next events, in order. Snapshots are left on the way."""
        fold = self._newest
        for event in events:
            self.first_seq = self.first_seq or event.seq
            order_id = fold.fold(event)
            if order_id is not None:
                self._changed[order_id] = None
            if fold.events % self._every == 0:
                self._keep()

    def before(self, seq: int) -> RunFold:
        """Return a fold of the last snapshot at or before `seq`; what follows is for the caller to fold."""
        count = bisect_right(self._snapshots, seq, key=lambda snapshot: snapshot.seq)
        if not count:
            return RunFold()
        orders: dict[str, Order] = {}
        for snapshot in self._snapshots[:count]:
            orders.update(snapshot.changed)
        last = self._snapshots[count - 1]
        return RunFold(
            seq=last.seq,
            time_ns=last.time_ns,
            events=last.events,
            row=last.row,
            orders=orders,
            fills=self._newest.fills[: last.fills],
            trades=self._newest.trades[: last.trades],
            trips=last.trips.copy(),
            positions=dict(last.positions),
            account=last.account,
        )

    def _keep(self) -> None:
        fold = self._newest
        self._snapshots.append(
            _Snapshot(
                seq=fold.seq,
                time_ns=fold.time_ns,
                events=fold.events,
                row=fold.row,
                changed={order_id: fold.orders[order_id] for order_id in self._changed},
                fills=len(fold.fills),
                trades=len(fold.trades),
                trips=fold.trips.copy(),
                positions=dict(fold.positions),
                account=fold.account,
            )
        )
        self._changed = {}
