"""The tables of orders and fills of one run."""

import dataclasses
from decimal import Decimal, localcontext
from typing import Any, ClassVar

from msgspec.structs import replace

from core.events.envelope import Envelope, Payload
from core.events.payloads import (
    OrderAccepted,
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderExpired,
    OrderFilled,
    OrderPartiallyFilled,
    OrderRejected,
    OrderReplaced,
    OrderReplaceRefused,
    OrderSubmitted,
)
from core.model.money import MONEY_CONTEXT, plain
from core.model.order import ORDER_TRANSITIONS, Fill, Order, OrderStatus, OrderType
from core.views.columns import Column, Kind
from core.views.table import RowTable

_ENDED: dict[type[Payload], OrderStatus] = {
    OrderCancelled: OrderStatus.CANCELLED,
    OrderExpired: OrderStatus.EXPIRED,
    OrderRejected: OrderStatus.REJECTED,
}

_IN_FORCE = "day: the session of its decision; gtc: until cancelled; opg, cls: the opening or closing auction alone."
_PATH = "Whether another order of the bar's prices would fill otherwise."


_HELD = "The broker has it, and works it once its entry has filled."
_ROLE = "entry: it brings its own exits; target, stop loss: an exit of the entry above; reduce only: never opens a position."


def _role(order: Order) -> str | None:
    request = order.request
    if order.parent_id is not None:
        return "target" if request.type is OrderType.LIMIT else "stop loss"
    if request.target is not None or request.stop_loss is not None:
        return "entry"
    return "reduce only" if request.reduce_only else None


def _type(order: Order) -> str:
    """Return the type; a trailing stop says how far it follows behind the best price."""
    request = order.request
    if request.trail_percent is not None:
        return f"trailing {plain(request.trail_percent)}\u2009%"
    if request.trail_price is not None:
        return f"trailing {plain(request.trail_price)}"
    return request.type.value.replace("_", " ")


class OrderTable(RowTable[Order]):
    """Orders in the order they were made. Events that a loaded order already contains change nothing."""

    columns = (
        Column[Order]("created", "Decided", Kind.TIME, lambda order: order.created_ns, 142, tip="When the order was decided."),
        Column[Order]("symbol", "Symbol", Kind.TEXT, lambda order: order.request.symbol, 84),
        Column[Order]("side", "Side", Kind.SIDE, lambda order: order.request.side.value, 48),
        Column[Order]("type", "Type", Kind.TEXT, _type, 88),
        Column[Order]("role", "Role", Kind.TEXT, _role, 76, gives_way=1, tip=_ROLE),
        Column[Order]("qty", "Quantity", Kind.NUMBER, lambda order: order.request.qty, 76, decimals="qty"),
        Column[Order]("filled", "Filled", Kind.NUMBER, lambda order: order.filled_qty, 68, decimals="qty"),
        Column[Order]("status", "Status", Kind.STATUS, lambda order: order.status.value, 104),
        Column[Order]("limit", "Limit", Kind.PRICE, lambda order: order.request.limit_price, 84, decimals="price"),
        Column[Order]("stop", "Stop", Kind.PRICE, lambda order: order.request.stop_price, 84, decimals="price"),
        Column[Order]("avg_price", "Avg price", Kind.PRICE, lambda order: order.avg_fill_price, 88, decimals="price"),
        Column[Order]("tif", "In force", Kind.TEXT, lambda order: order.time_in_force.value, 70, gives_way=2, tip=_IN_FORCE),
        Column[Order]("reason", "Reason", Kind.TEXT, lambda order: order.reason or order.request.note, 240),
        Column[Order]("updated", "Updated", Kind.TIME, lambda order: order.updated_ns, 142, hidden=True),
        Column[Order]("id", "Order", Kind.ID, lambda order: order.id, 116, gives_way=3),
    )  # fmt: skip

    def key_of(self, row: Order) -> str:
        return row.id

    def symbol_of(self, row: Order) -> str:
        return row.request.symbol

    def words_of(self, row: Order) -> str:
        request = row.request
        words = (request.symbol, request.side, request.type, _role(row), row.status, row.id, row.reason, request.note)
        return " ".join(str(word) for word in words if word).lower()

    def tip_of(self, column: Column[Order], row: Order) -> str | None:
        """Say of an exit that the broker has what it waits for there."""
        entry = None if row.parent_id is None or row.account is None else self.get(row.parent_id)
        is_held = column.key == "status" and row.status is OrderStatus.ACCEPTED and entry is not None
        return _HELD if is_held and entry is not None and not entry.status.is_final else None

    def saw(self, row: Order) -> None:
        self.decimals.saw_price(row.request.symbol, row.avg_fill_price or row.request.limit_price or row.request.stop_price)
        self.decimals.saw_qty(row.request.symbol, row.request.qty)

    def fold(self, event: Envelope) -> None:
        """Take one `orders.*` event."""
        payload: Any = event.payload
        if isinstance(payload, OrderCreated):
            if payload.order.id not in self:
                self.put(payload.order)
            return
        order = self.get(getattr(payload, "order_id", ""))
        if order is None:
            return
        if isinstance(payload, (OrderFilled, OrderPartiallyFilled)) and payload.filled_qty <= order.filled_qty:
            return
        after = order_after(order, payload, event.ts)
        if after is not order:
            self.put(after)


def order_after(order: Order, payload: Any, ts: int) -> Order:
    """Return the order after one of its events; the order itself where the event changes nothing."""
    if isinstance(payload, (OrderFilled, OrderPartiallyFilled)):
        return _filled(order, payload)
    if isinstance(payload, OrderSubmitted):
        return _moved(order, OrderStatus.SUBMITTING, ts)
    if isinstance(payload, OrderAccepted):
        return _moved(order, OrderStatus.ACCEPTED, ts)
    if isinstance(payload, OrderReplaced):
        return _replaced(order, payload, ts)
    if isinstance(payload, OrderCompleted):
        return _moved(order, OrderStatus.FILLED, ts)
    if isinstance(payload, OrderReplaceRefused) and not order.status.is_final and order.filled_qty >= order.request.qty:
        return _moved(order, OrderStatus.FILLED, ts)  # what filled was not a part of a larger order; earlier logs tell it by this alone
    if isinstance(payload, (OrderCancelled, OrderExpired, OrderRejected)):
        code = payload.code if isinstance(payload, OrderRejected) else None
        return _moved(order, _ENDED[type(payload)], ts, reason=payload.reason, reject_code=code)
    return order


def _replaced(order: Order, payload: OrderReplaced, ts: int) -> Order:
    if order.status.is_final:
        # At a broker it may be known only then what a change had made of it; what a loaded order contains already is older.
        if order.account is None or ts <= order.updated_ns:
            return order
        is_open_again = order.status is OrderStatus.FILLED and payload.request.qty > order.filled_qty
        order = replace(order, status=OrderStatus.PARTIALLY_FILLED) if is_open_again else order
    filled, average = payload.filled_qty, order.avg_fill_price
    if filled is None:
        return replace(order, request=payload.request, updated_ns=ts)
    if average is not None and filled:
        with localcontext(MONEY_CONTEXT):
            average = average * order.filled_qty / filled
    return replace(order, request=payload.request, filled_qty=filled, avg_fill_price=average, updated_ns=ts)


def _moved(order: Order, status: OrderStatus, ts: int, **changes: Any) -> Order:
    return replace(order, status=status, updated_ns=ts, **changes) if status in ORDER_TRANSITIONS[order.status] else order


def _filled(order: Order, payload: OrderFilled | OrderPartiallyFilled) -> Order:
    with localcontext(MONEY_CONTEXT):
        paid = (order.avg_fill_price or Decimal(0)) * order.filled_qty + payload.price * payload.qty
        average = paid / payload.filled_qty
    status = OrderStatus.FILLED if isinstance(payload, OrderFilled) else OrderStatus.PARTIALLY_FILLED
    # A cancelled order can still fill at a broker: a part moves the quantity alone, and what completes it the status too.
    if order.status.is_final and status is not OrderStatus.FILLED:
        status = order.status
    return replace(order, status=status, filled_qty=payload.filled_qty, avg_fill_price=average, updated_ns=payload.time_ns)


def fill_of(order: Order, payload: OrderFilled | OrderPartiallyFilled) -> Fill:
    """Return the fill that an event tells of; what it does not name is its order's."""
    return Fill(
        id=payload.fill_id,
        run_id=order.run_id,
        order_id=order.id,
        symbol=order.request.symbol,
        side=order.request.side,
        qty=payload.qty,
        price=payload.price,
        fee=payload.fee,
        slippage=payload.slippage,
        time_ns=payload.time_ns,
        path_dependent=payload.path_dependent,
        reason=payload.reason,
    )


class FillTable(RowTable[Fill]):
    """Fills, oldest first. An event names only its order, so the orders must be folded first."""

    columns: ClassVar[tuple[Column[Fill], ...]] = (
        Column[Fill]("time", "Time", Kind.TIME, lambda fill: fill.time_ns, 142, tip="Start of the bar it happened in."),
        Column[Fill]("symbol", "Symbol", Kind.TEXT, lambda fill: fill.symbol, 84),
        Column[Fill]("side", "Side", Kind.SIDE, lambda fill: fill.side.value, 48),
        Column[Fill]("qty", "Quantity", Kind.NUMBER, lambda fill: fill.qty, 76, decimals="qty"),
        Column[Fill]("price", "Price", Kind.PRICE, lambda fill: fill.price, 88, decimals="price", tip="Slippage included."),
        Column[Fill]("value", "Value", Kind.MONEY, lambda fill: fill.price * fill.qty, 100, decimals=2),
        Column[Fill]("fee", "Fee", Kind.MONEY, lambda fill: fill.fee, 72, decimals=2),
        Column[Fill]("slippage", "Slippage", Kind.MONEY, lambda fill: fill.slippage, 76, gives_way=1, decimals=2),
        Column[Fill]("path", "Path", Kind.TEXT, lambda fill: "depends" if fill.path_dependent else None, 64, gives_way=2, tip=_PATH),
        Column[Fill]("reason", "Reason", Kind.TEXT, lambda fill: fill.reason, 160),
        Column[Fill]("order_id", "Order", Kind.ID, lambda fill: fill.order_id, 116, gives_way=3),
        Column[Fill]("id", "Fill", Kind.ID, lambda fill: fill.id, 96, hidden=True),
    )  # fmt: skip

    def __init__(self, orders: OrderTable) -> None:
        super().__init__()
        self._orders = orders

    def key_of(self, row: Fill) -> str:
        return row.id

    def symbol_of(self, row: Fill) -> str:
        return row.symbol

    def words_of(self, row: Fill) -> str:
        return f"{row.symbol} {row.side} {row.order_id} {row.id} {row.reason or ''}{' path depends' if row.path_dependent else ''}".lower()

    def saw(self, row: Fill) -> None:
        self.decimals.saw_price(row.symbol, row.price)
        self.decimals.saw_qty(row.symbol, row.qty)

    def fold(self, event: Envelope) -> Fill | None:
        """Take one `orders.*` event; return the fill when it is a new one."""
        payload = event.payload
        if not isinstance(payload, (OrderFilled, OrderPartiallyFilled)) or payload.fill_id in self:
            return None
        order = self._orders.get(payload.order_id)
        if order is None:
            return None
        fill = fill_of(order, payload)
        self.put(fill)
        return fill


class HandFillTable(FillTable):
    """A person's own fills at an account: at the instant they happened and the price that was paid, of which no model knows more."""

    columns = tuple(dataclasses.replace(column, tip="") for column in FillTable.columns if column.key not in {"slippage", "path", "reason"})
