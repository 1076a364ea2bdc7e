"""What the paper account's exchange writes down: orders, executions and the account, and what of it is not committed yet."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from core.brokers.paper.orders import as_it_is
from core.matching.ledger import Ledger
from core.matching.margin import Shortfall
from core.matching.orders import WorkingOrder
from core.model.broker import BrokerOrder, Execution, OrderUpdate, UpdateKind
from core.model.broker_entry import BrokerEntry, BrokerEntryKind
from core.model.corporate_action import price_after
from core.model.money import ZERO
from core.model.order import LegRole, OrderSide, OrderStatus
from core.model.paper import AccountBooks, PaperChange, PaperHolding, PaperOrder

_WORDS: Final = {
    OrderStatus.PARTIALLY_FILLED: "partially_filled",
    OrderStatus.FILLED: "filled",
    OrderStatus.CANCELLED: "canceled",
    OrderStatus.EXPIRED: "expired",
    OrderStatus.REJECTED: "rejected",
}
_RESTATED: Final = "restated"
_APART: Final = frozenset({BrokerEntryKind.SPLIT, BrokerEntryKind.DIVIDEND})
_LISTED: Final = {LegRole.TARGET: 0, LegRole.STOP: 1}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What has changed, None when nothing has, and what is told of it once that is committed."""

    change: PaperChange | None
    updates: tuple[OrderUpdate, ...] = ()


class Notebook:
    """The books of one account, as they are and as they were committed last. Time never goes back in them."""

    def __init__(self, books: AccountBooks, now_ns: Callable[[], int]) -> None:
        self.account = books.account
        self.orders: dict[str, PaperOrder] = {one.order.id: one for one in books.orders}
        self.ids: Final[dict[str, str]] = {one.order.client_order_id: one.order.id for one in books.orders}
        self.executions: Final = list(books.executions)
        self.entries: Final = list(books.entries)
        self._clock_ns = now_ns
        self._now_ns = books.account.time_ns
        self._legs: dict[str, list[str]] = {}
        self._stored = dict(self.orders)
        self._touched: dict[str, None] = {}
        self._new_executions: list[Execution] = []
        self._new_entries: list[BrokerEntry] = []
        self._updates: list[OrderUpdate] = []
        self._is_account_changed = False
        for one in books.orders:
            self._index(one)

    def now_ns(self) -> int:
        """Return the present instant: the clock's, but never before the newest that was written down."""
        self._now_ns = max(self._now_ns, self._clock_ns())
        return self._now_ns

    def next_number(self) -> int:
        """Return the place of the next order."""
        return len(self.orders) + 1

    def next_id(self, ahead: int = 0) -> str:
        """Return the id of the next order; `ahead`: of one so many later."""
        return f"{self.account.number}-o{self.next_number() + ahead}"

    def listed(self, order_id: str) -> BrokerOrder:
        """Return an order with its legs, the target first."""
        legs = [self.orders[leg_id] for leg_id in self._legs.get(order_id, ())]
        legs = sorted((leg for leg in legs if leg.order.replaced_by is None), key=lambda leg: _LISTED[leg.role or LegRole.STOP])
        return msgspec.structs.replace(self.orders[order_id].order, legs=tuple(leg.order for leg in legs))

    def find(self, order_id: str) -> BrokerOrder | None:
        """Return an order with its legs; None when there is none of that id."""
        return self.listed(order_id) if order_id in self.orders else None

    def orders_since(self, since_ns: int) -> list[BrokerOrder]:
        """Return every order submitted from then on, newest first, legs inside their entry."""
        roots = [id_ for id_, row in self.orders.items() if row.parent_id is None and row.order.submitted_ns >= since_ns]
        return [self.listed(order_id) for order_id in reversed(roots)]

    def open_orders(self) -> list[BrokerOrder]:
        """Return every order that can still fill, newest first; a leg inside its entry, or alone where that is over."""
        found = []
        for order_id, row in self.orders.items():
            inside = row.parent_id is not None and not self.orders[row.parent_id].order.status.is_final
            if not row.order.status.is_final and not inside:
                found.append(self.listed(order_id))
        return found[::-1]

    # --- writing ---

    def add(self, row: PaperOrder) -> None:
        """Take in a new order."""
        self._put(row)
        self.ids[row.order.client_order_id] = row.order.id
        self._index(row)
        if row.is_live:
            self._tell("new", row.order)

    def touch(self, order_id: str) -> None:
        """Note that an order met the market: what it knows may have changed."""
        self._touched[order_id] = None

    def keep(self, order: WorkingOrder) -> None:
        """Take the last state of an order that works no more."""
        self._put(as_it_is(self.orders[order.id], order))

    def fill(self, order: WorkingOrder, qty: Decimal, price: Decimal, fee: Decimal, *, complete: bool) -> None:
        """Book an execution."""
        before = self.orders[order.id].order
        filled = before.filled_qty + qty
        average = ((before.avg_fill_price or ZERO) * before.filled_qty + qty * price) / filled
        status = OrderStatus.FILLED if complete else OrderStatus.PARTIALLY_FILLED
        number = len(self.executions) + 1
        execution = Execution(
            id=f"{self.account.number}-x{number}",
            order_id=order.id,
            symbol=order.symbol,
            side=before.side or OrderSide.BUY,
            qty=qty,
            price=price,
            cum_qty=filled,
            time_ns=self.now_ns(),
            page_token=str(number),
            fee=fee,
        )
        self.executions.append(execution)
        self._new_executions.append(execution)
        after = self._change(order.id, status=status, broker_status=_WORDS[status], filled_qty=filled, avg_fill_price=average)
        self._tell("fill" if complete else "partial_fill", after, execution)

    def end(self, order_id: str, status: OrderStatus, *, word: str | None = None, replaced_by: str | None = None) -> None:
        """Note that an order is over; `word`: a broker's, where it is another than the status's own."""
        word = word or _WORDS[status]
        self._tell(word, self._change(order_id, status=status, broker_status=word, replaced_by=replaced_by))

    def go_live(self, order_id: str, qty: Decimal) -> None:
        """Note that a leg works from now on, over `qty`."""
        self._tell("new", self._change(order_id, broker_status="new", qty=qty))

    def resize(self, order_id: str, qty: Decimal) -> None:
        """Note that a leg is over another quantity now."""
        self._tell(_RESTATED, self._change(order_id, qty=qty))

    def split(self, order_id: str, order: WorkingOrder, ratio: Decimal) -> None:
        """Note that a split has moved an order into other units."""
        before, request = self.orders[order_id].order, order.request
        average = None if before.avg_fill_price is None else price_after(before.avg_fill_price, ratio)
        terms = {name: getattr(request, name) for name in ("limit_price", "stop_price", "trail_price")}
        qty = None if before.qty is None else request.qty
        self._tell(_RESTATED, self._change(order_id, filled_qty=order.filled, avg_fill_price=average, qty=qty, **terms))

    def relink(self, order_id: str, old_id: str, new_id: str) -> None:
        """Let what hung on an order hang on the one that replaced it."""
        row = self.orders[order_id]
        if row.parent_id == old_id:
            self._legs.setdefault(new_id, []).append(order_id)
            self._legs[old_id].remove(order_id)
            row = msgspec.structs.replace(row, parent_id=new_id)
        if row.sibling_id == old_id:
            row = msgspec.structs.replace(row, sibling_id=new_id)
        self._put(row)

    def enter(
        self,
        kind: BrokerEntryKind,
        symbol: str = "",
        *,
        time_ns: int | None = None,
        qty: Decimal = ZERO,
        cash: Decimal = ZERO,
        rate: Decimal | None = None,
        price: Decimal | None = None,
        shortfall: Shortfall | None = None,
    ) -> None:
        """Note what moved money or units without an execution; a change of units at an instant that it shares with no execution."""
        if time_ns is None:
            time_ns = self.now_ns()
        if kind in _APART:
            time_ns += 1
            self._now_ns = time_ns + 1
        entry = BrokerEntry(
            id=f"{self.account.number}-e{len(self.entries) + 1}",
            kind=kind,
            time_ns=time_ns,
            cash=cash,
            symbol=symbol,
            qty=qty,
            rate=rate,
            price=price,
            equity=None if shortfall is None else shortfall.equity,
            required=None if shortfall is None else shortfall.required,
            exposure=None if shortfall is None else shortfall.exposure,
        )
        self.entries.append(entry)
        self._new_entries.append(entry)

    def looked_at(self, day: int) -> None:
        """Note up to which day splits and dividends are applied."""
        self.account = msgspec.structs.replace(self.account, actions_day=day)
        self._is_account_changed = True

    def begin_day(self, ledger: Ledger) -> None:
        """Note that the next day begins, and with what equity."""
        self.account = msgspec.structs.replace(self.account, day=self.account.day + 1, day_start_equity=ledger.equity)
        self._is_account_changed = True

    def keep_marks(self, ledger: Ledger) -> None:
        """Keep what holdings are worth now, where it is not what was kept last."""
        self._is_account_changed |= _holdings(ledger) != self.account.holdings

    # --- committing ---

    def take(self, working: Mapping[str, WorkingOrder], ledger: Ledger) -> Step:
        """Return what has changed since the last time. Whoever takes it commits it, or begins again from what is committed."""
        changed = []
        for order_id in self._touched:
            row = self.orders[order_id]
            order = working.get(order_id)
            if order is not None:
                row = self.orders[order_id] = as_it_is(row, order)
            if row != self._stored.get(order_id):
                self._stored[order_id] = row
                changed.append(row)
        executions, entries, updates = tuple(self._new_executions), tuple(self._new_entries), tuple(self._updates)
        is_account_changed = self._is_account_changed
        self._touched, self._new_executions, self._new_entries, self._updates, self._is_account_changed = {}, [], [], [], False
        if ledger.restricted is not self.account.restricted:
            is_account_changed = True
        if not (changed or executions or entries or is_account_changed):
            return Step(change=None)
        self.account = msgspec.structs.replace(
            self.account,
            revision=self.account.revision + 1,
            cash=ledger.cash,
            time_ns=self._now_ns,
            holdings=_holdings(ledger),
            restricted=ledger.restricted,
        )
        return Step(
            change=PaperChange(account=self.account, orders=tuple(changed), executions=executions, entries=entries), updates=updates
        )

    # --- inside ---

    def _put(self, row: PaperOrder) -> None:
        self.orders[row.order.id] = row
        self._touched[row.order.id] = None

    def _change(self, order_id: str, **changes: object) -> BrokerOrder:
        row = self.orders[order_id]
        order = msgspec.structs.replace(row.order, updated_ns=self.now_ns(), **changes)
        self._put(msgspec.structs.replace(row, order=order))
        return order

    def _index(self, row: PaperOrder) -> None:
        if row.parent_id is not None:
            self._legs.setdefault(row.parent_id, []).append(row.order.id)

    def _tell(self, event: str, order: BrokerOrder, execution: Execution | None = None) -> None:
        kind = UpdateKind.RESTATED if event == _RESTATED else UpdateKind.STATE
        self._updates.append(OrderUpdate(event=event, order=order, time_ns=order.updated_ns, kind=kind, execution=execution))


def _holdings(ledger: Ledger) -> tuple[PaperHolding, ...]:
    return tuple(
        PaperHolding(symbol=symbol, qty=one.qty, cost=one.cost, realised=one.realised, mark=ledger.marks.get(symbol))
        for symbol, one in sorted(ledger.holdings.items())
    )
