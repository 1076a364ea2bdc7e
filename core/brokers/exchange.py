"""An account inside the program: it takes orders and fills them by Greta's matching at the prices it is shown.

It never loses or doubles anything; what can go wrong between it and us is in `core.brokers.faults`.
"""

from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal, localcontext
from typing import Final

import msgspec

from core.clock import calendar
from core.errors import BrokerRefused
from core.matching.costs import NoFee, NoSlippage
from core.matching.fill import Filling
from core.matching.ledger import Ledger
from core.matching.matcher import Matching
from core.matching.orders import WorkingOrder
from core.matching.outcomes import Cancelled, Refused
from core.matching.outcomes import Execution as Matched
from core.matching.walk import Legs
from core.model.broker import (
    Account,
    BrokerOrder,
    BrokerOrderRequest,
    BrokerPosition,
    Execution,
    OrderChange,
    OrderClass,
    OrderUpdate,
    RefusalReason,
)
from core.model.market import Bar, asset_class_of
from core.model.money import MONEY_CONTEXT, ZERO, to_float
from core.model.order import OrderRequest, OrderStatus, OrderType, TimeInForce
from core.model.run import AccountKind, AccountTerms, PathModel

TIMES_IN_FORCE: Final = (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)
_WORDS: Final = {
    OrderStatus.ACCEPTED: "new",
    OrderStatus.PARTIALLY_FILLED: "partially_filled",
    OrderStatus.FILLED: "filled",
    OrderStatus.CANCELLED: "canceled",
    OrderStatus.EXPIRED: "expired",
    OrderStatus.REJECTED: "rejected",
}
_UNIT: Final = Decimal("0.000000001")
_EVENTS: Final = {OrderStatus.PARTIALLY_FILLED: "partial_fill", OrderStatus.FILLED: "fill"}


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """All that an exchange has to remember."""

    number: str
    cash: Decimal
    """At the beginning."""
    orders: tuple[BrokerOrder, ...] = ()
    executions: tuple[Execution, ...] = ()


class Exchange:
    """One account's orders, executions and positions. `listeners` are told of each change, in its order.

    A market order fills at the last price known; without one it waits for the next.
    """

    def __init__(self, books: Books, now_ns: Callable[[], int], terms: AccountTerms | None = None) -> None:
        terms = terms or AccountTerms()
        self._number, self._start_cash = books.number, books.cash
        self._now_ns = now_ns
        self._orders = {order.id: order for order in books.orders}
        self._ids = {order.client_order_id: order.id for order in books.orders}
        self._executions = list(books.executions)
        self._ledger = Ledger(books.cash, terms)
        self._matching = Matching(
            path=PathModel.ADAPTIVE,  # a move is a bar of its own, and turns nowhere in between
            filling=Filling(slippage=NoSlippage(), fees=NoFee(), ticks={}, may_reverse=terms.kind is AccountKind.MARGIN),
        )
        self._working: dict[str, WorkingOrder] = {}
        self._prices: dict[str, Decimal] = {}
        self.listeners: list[Callable[[OrderUpdate], None]] = []
        self.pieces = 1
        """In how many executions each fill is told."""
        with localcontext(MONEY_CONTEXT):
            for one in self._executions:
                self._ledger.book(one.symbol, one.side, one.qty, one.price, ZERO)
        for order in books.orders:
            if not order.status.is_final:
                self._working[order.id] = _working(order, order.submitted_ns)
                self._working[order.id].filled = order.filled_qty

    # --- questions ---

    def books(self) -> Books:
        """Return all that must be kept to go on later."""
        return Books(number=self._number, cash=self._start_cash, orders=tuple(self._orders.values()), executions=tuple(self._executions))

    def orders(self) -> list[BrokerOrder]:
        """Return every order there ever was, newest first."""
        return [self._as_it_stands(order) for order in self._orders.values()][::-1]

    def order(self, id: str) -> BrokerOrder | None:
        """Return an order by the exchange's id."""
        order = self._orders.get(id)
        return None if order is None else self._as_it_stands(order)

    def by_client_id(self, client_order_id: str) -> BrokerOrder | None:
        """Return an order by ours."""
        return self.order(self._ids.get(client_order_id, ""))

    def _as_it_stands(self, order: BrokerOrder) -> BrokerOrder:
        """Return an order with the price that a trailing stop has followed the market to."""
        if order.type is not OrderType.TRAILING_STOP or order.id not in self._working:
            return order
        with localcontext(MONEY_CONTEXT):
            return msgspec.structs.replace(order, trigger_price=self._working[order.id].stop_now())

    def executions(self) -> list[Execution]:
        """Return every execution, oldest first."""
        return list(self._executions)

    def account(self) -> Account:
        """Return the account's money."""
        with localcontext(MONEY_CONTEXT):
            worths = [self._ledger.held(symbol) * price for symbol, price in self._prices.items()]
            equity = self._ledger.cash + sum(worths, ZERO)
            longs = sum((worth for worth in worths if worth > 0), ZERO)
            shorts = sum((worth for worth in worths if worth < 0), ZERO)
        power = max(ZERO, equity * 2 - longs + shorts if self._ledger.is_margin else self._ledger.cash)
        return Account(
            number=self._number,
            status="ACTIVE",
            currency="USD",
            cash=self._ledger.cash,
            equity=equity,
            last_equity=self._start_cash,
            buying_power=power,
            non_marginable_buying_power=max(ZERO, self._ledger.cash),
            long_value=longs,
            short_value=shorts,
            initial_margin=ZERO,
            maintenance_margin=ZERO,
            multiplier=Decimal(2 if self._ledger.is_margin else 1),
            day_trades=0,
            shorting_enabled=self._ledger.is_margin,
            trading_blocked=False,
        )

    def positions(self) -> list[BrokerPosition]:
        """Return what is held, by symbol."""
        found = []
        for position in self._ledger.open_positions():
            price = self._prices.get(position.symbol)
            cost = position.qty * position.avg_price
            worth = None if price is None else price * position.qty
            found.append(
                BrokerPosition(
                    symbol=position.symbol,
                    asset_class=asset_class_of(position.symbol),
                    qty=position.qty,
                    qty_available=position.qty - self._held_by_orders(position.symbol, position.qty),
                    avg_price=position.avg_price,
                    cost_basis=cost,
                    market_value=worth,
                    price=price,
                    unrealised_pnl=None if worth is None else worth - cost,
                )
            )
        return found

    # --- what is asked of it ---

    def submit(self, request: BrokerOrderRequest) -> BrokerOrder:
        """Take an order, and fill it at once where the last price allows. Raises BrokerRefused."""
        if request.client_order_id in self._ids:
            raise _no(RefusalReason.CLIENT_ORDER_ID_TAKEN, 422, 40010001, "client_order_id must be unique")
        if request.order_class is not OrderClass.SIMPLE or request.qty is None or request.extended_hours:
            raise _no(RefusalReason.INVALID_ORDER, 422, 42210000, "this account takes single orders over a quantity only")
        if request.time_in_force not in TIMES_IN_FORCE:
            raise _no(RefusalReason.TIME_IN_FORCE, 422, 42210000, f"invalid time_in_force {request.time_in_force}")
        now_ns, number = self._now_ns(), len(self._orders) + 1
        order = BrokerOrder(
            id=f"{self._number}-o{number}",
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            type=request.type,
            broker_type=request.type.value,
            time_in_force=request.time_in_force,
            broker_time_in_force=request.time_in_force.value,
            status=OrderStatus.ACCEPTED,
            broker_status="new",
            filled_qty=ZERO,
            submitted_ns=now_ns,
            updated_ns=now_ns,
            qty=request.qty,
            limit_price=request.limit_price,
            stop_price=request.stop_price,
            trail_price=request.trail_price,
            trail_percent=request.trail_percent,
        )
        self._orders[order.id] = order
        self._ids[order.client_order_id] = order.id
        self._working[order.id] = _working(order, now_ns)
        self._tell("new", order)
        price = self._prices.get(order.symbol)
        if price is not None:
            self._meet(order.symbol, price, [self._working[order.id]])
        return self._orders[order.id]

    def replace(self, order_id: str, change: OrderChange) -> BrokerOrder:
        """Make a new order of one that works, over what it has left where nothing else is asked for. Raises BrokerRefused."""
        if order_id not in self._orders:
            raise _no(RefusalReason.ORDER_UNKNOWN, 404, 40410000, "order not found")
        old = self._orders[order_id]
        if order_id not in self._working or old.qty is None:
            raise _no(RefusalReason.ORDER_FINAL, 422, 42210000, f'order is already in "{old.broker_status}" state')
        if change.client_order_id in self._ids:
            raise _no(RefusalReason.CLIENT_ORDER_ID_TAKEN, 422, 40010001, "client_order_id must be unique")
        is_price = old.trail_price is not None
        now_ns, number = self._now_ns(), len(self._orders) + 1
        new = msgspec.structs.replace(
            old,
            id=f"{self._number}-o{number}",
            client_order_id=change.client_order_id,
            status=OrderStatus.ACCEPTED,
            broker_status="new",
            filled_qty=ZERO,
            avg_fill_price=None,
            submitted_ns=now_ns,
            updated_ns=now_ns,
            qty=change.qty or old.qty - old.filled_qty,
            limit_price=change.limit_price or old.limit_price,
            stop_price=change.stop_price or old.stop_price,
            trail_price=(change.trail if is_price else None) or old.trail_price,
            trail_percent=(None if is_price else change.trail) or old.trail_percent,
            replaces=old.id,
        )
        working = _working(new, now_ns)
        del self._working[old.id]
        self._orders[old.id] = over = msgspec.structs.replace(
            old, status=OrderStatus.CANCELLED, broker_status="replaced", updated_ns=now_ns, replaced_by=new.id
        )
        self._tell("replaced", over)
        self._orders[new.id], self._ids[new.client_order_id], self._working[new.id] = new, new.id, working
        self._tell("new", new)
        price = self._prices.get(new.symbol)
        if price is not None:
            self._meet(new.symbol, price, [working])
        return self._orders[new.id]

    def cancel(self, order_id: str) -> None:
        """Take an order back. Raises BrokerRefused where there is nothing left to take back."""
        if order_id not in self._orders:
            raise _no(RefusalReason.ORDER_UNKNOWN, 404, 40410000, "order not found")
        if order_id not in self._working:
            state = self._orders[order_id].broker_status
            raise _no(RefusalReason.ORDER_FINAL, 422, 42210000, f'order is already in "{state}" state')
        self._end(order_id, OrderStatus.CANCELLED)

    def stand(self, symbol: str, price: Decimal) -> None:
        """Let a minute begin at `price`: new orders meet it, what waits meets it with the next one, and what is over its time expires.

        So what was decided at the end of the minute before, a cancel too, comes before the minute's open, as it does in Greta.
        """
        self._prices[symbol] = price
        now_ns = self._now_ns()
        for order in list(self._working.values()):
            if order.symbol == symbol and order.dead_from_ns is not None and now_ns >= order.dead_from_ns:
                self._end(order.id, OrderStatus.EXPIRED)

    def show(self, symbol: str, price: Decimal, came_from: Decimal | None = None) -> None:
        """Let the market stand at `price`: what it reaches fills, and what is over its time expires.

        `came_from`: it went there from that price, through all between; None: it jumped.
        """
        self.stand(symbol, price)
        self._meet(symbol, price, [order for order in self._working.values() if order.symbol == symbol], came_from)

    def execute(self, order_id: str, qty: Decimal, price: Decimal) -> Execution:
        """Fill `qty` units of an order at `price`, whatever the market says."""
        order = self._working[order_id]
        with localcontext(MONEY_CONTEXT):
            self._ledger.book(order.symbol, order.side, qty, price, ZERO)
        order.filled += qty
        return self._book(order, qty, price)

    # --- inside ---

    def _held_by_orders(self, symbol: str, held: Decimal) -> Decimal:
        """Return the units of a holding, with its sign, that working orders would take off."""
        closing = [order for order in self._working.values() if order.symbol == symbol and order.is_buy is (held < 0)]
        qty = min(abs(held), sum((order.open_qty for order in closing), ZERO))
        return qty if held > 0 else -qty

    def _meet(self, symbol: str, price: Decimal, orders: list[WorkingOrder], came_from: Decimal | None = None) -> None:
        near, now_ns = to_float(price), self._now_ns()
        first = near if came_from is None else to_float(came_from)
        high, low = max(first, near), min(first, near)
        acting = [order for order in orders if order.can_act(high, low)]
        if not acting:
            return
        bar = Bar(symbol, now_ns, now_ns, first, high, low, near, 0.0)
        with localcontext(MONEY_CONTEXT):
            outcomes = self._matching.meet(acting, Legs(), bar, self._ledger)
        for outcome in outcomes:
            if isinstance(outcome, Matched):
                for part in _parts(outcome.qty, self.pieces):
                    self._book(outcome.order, part, outcome.price)
            elif isinstance(outcome, Refused):
                self._end(outcome.order.id, OrderStatus.REJECTED)
            elif isinstance(outcome, Cancelled):
                self._end(outcome.order.id, OrderStatus.CANCELLED)
        for order in acting:
            if order.acts_at_open_only and order.id in self._working:
                self._end(order.id, OrderStatus.CANCELLED)

    def _book(self, order: WorkingOrder, qty: Decimal, price: Decimal) -> Execution:
        before = self._orders[order.id]
        filled, now_ns = before.filled_qty + qty, self._now_ns()
        with localcontext(MONEY_CONTEXT):
            paid = (before.avg_fill_price or ZERO) * before.filled_qty + qty * price
            average = paid / filled
        status = OrderStatus.FILLED if filled == before.qty else OrderStatus.PARTIALLY_FILLED
        execution = Execution(
            id=f"{self._number}-x{len(self._executions) + 1}",
            order_id=order.id,
            symbol=order.symbol,
            side=order.side,
            qty=qty,
            price=price,
            cum_qty=filled,
            time_ns=now_ns,
            page_token=str(len(self._executions) + 1),
        )
        self._executions.append(execution)
        if status is OrderStatus.FILLED:
            del self._working[order.id]
        after = self._put(before, status, filled_qty=filled, avg_fill_price=average)
        self._tell(_EVENTS[status], after, execution)
        return execution

    def _end(self, order_id: str, status: OrderStatus) -> None:
        del self._working[order_id]
        self._tell(_WORDS[status], self._put(self._orders[order_id], status))

    def _put(self, order: BrokerOrder, status: OrderStatus, **changes: object) -> BrokerOrder:
        after = msgspec.structs.replace(order, status=status, broker_status=_WORDS[status], updated_ns=self._now_ns(), **changes)
        self._orders[order.id] = after
        return after

    def _tell(self, event: str, order: BrokerOrder, execution: Execution | None = None) -> None:
        update = OrderUpdate(event=event, order=order, time_ns=self._now_ns(), execution=execution)
        for listener in tuple(self.listeners):
            listener(update)


def _working(order: BrokerOrder, now_ns: int) -> WorkingOrder:
    if order.side is None or order.type is None or order.qty is None or order.time_in_force is None:
        raise _no(RefusalReason.INVALID_ORDER, 422, 42210000, "the order is not whole")
    request = OrderRequest(
        symbol=order.symbol,
        side=order.side,
        qty=order.qty,
        type=order.type,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        trail_price=order.trail_price,
        trail_percent=order.trail_percent,
    )
    is_day = order.time_in_force is TimeInForce.DAY
    dead_from_ns = calendar.session_end(now_ns, asset_class_of(order.symbol)) if is_day else None
    return WorkingOrder(order.id, order.id, request, now_ns, dead_from_ns, order.time_in_force)


def _parts(qty: Decimal, pieces: int) -> list[Decimal]:
    """Return a fill's units in pieces, the last with what is left; in one where they would come to nothing."""
    with localcontext(MONEY_CONTEXT):
        part = (qty / pieces).quantize(_UNIT, ROUND_DOWN) if pieces > 1 else qty
        return [*[part] * (pieces - 1), qty - part * (pieces - 1)] if part else [qty]


def _no(reason: RefusalReason, status: int, code: int, words: str) -> BrokerRefused:
    return BrokerRefused(f"The broker refused: {words}.", reason=reason, status=status, broker_code=code, words=words)
