"""Orders, both ways: ours as Alpaca's JSON, and Alpaca's words as ours."""

import json
from decimal import Decimal
from typing import Any, Final

from core.brokers.alpaca.fields import (
    amount,
    amount_or_none,
    amount_or_zero,
    asset_class,
    fields,
    instant,
    instant_or,
    rows,
    symbol_of_execution,
    symbol_of_position,
    word,
)
from core.model.broker import BrokerOrder, BrokerOrderRequest, Execution, OrderChange, OrderClass, OrderUpdate
from core.model.money import plain
from core.model.order import OrderSide, OrderStatus, OrderType, TimeInForce

_FINAL: Final = {
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
    # The order itself is over; what goes on is another one, named in `replaced_by`.
    "replaced": OrderStatus.CANCELLED,
}
"""Alpaca's final words. Any other word, one of tomorrow's too, is an order that may still fill."""


def body_of(request: BrokerOrderRequest) -> bytes:
    """Return an order as Alpaca takes it. Amounts are text: no digit is lost on the way."""
    body: dict[str, Any] = {
        "client_order_id": request.client_order_id,
        "symbol": request.symbol,
        "side": str(request.side),
        "type": str(request.type),
        "time_in_force": str(request.time_in_force),
    }
    amounts = ("qty", "notional", "limit_price", "stop_price", "trail_price", "trail_percent")
    body |= {name: plain(value) for name in amounts if (value := getattr(request, name)) is not None}
    if request.extended_hours:
        body["extended_hours"] = True
    if request.order_class is not OrderClass.SIMPLE:
        body["order_class"] = str(request.order_class)
    if request.target_price is not None:
        body["take_profit"] = {"limit_price": plain(request.target_price)}
    if request.stop_loss_price is not None:
        body["stop_loss"] = {"stop_price": plain(request.stop_loss_price)}
        if request.stop_loss_limit is not None:
            body["stop_loss"]["limit_price"] = plain(request.stop_loss_limit)
    return json.dumps(body).encode()


def body_of_change(change: OrderChange) -> bytes:
    """Return new terms as Alpaca takes them."""
    body = {"client_order_id": change.client_order_id}
    body |= {name: plain(value) for name in ("qty", "limit_price", "stop_price", "trail") if (value := getattr(change, name)) is not None}
    if change.time_in_force is not None:
        body["time_in_force"] = str(change.time_in_force)
    return json.dumps(body).encode()


def status_of(broker_status: str, filled_qty: Decimal) -> OrderStatus:
    """Return our status of Alpaca's word."""
    if broker_status in _FINAL:
        return _FINAL[broker_status]
    return OrderStatus.PARTIALLY_FILLED if filled_qty > 0 else OrderStatus.ACCEPTED


def read_order(document: Any) -> BrokerOrder:
    """Return an order. Raises ValueError or KeyError when it lacks what no order lacks."""
    row = fields(document)
    filled_qty = amount_or_zero(row.get("filled_qty"))
    status = str(row["status"])
    submitted_ns = instant(row.get("submitted_at") or row["created_at"])
    type_ = str(row.get("type") or row.get("order_type"))
    is_trailing = type_ == OrderType.TRAILING_STOP
    return BrokerOrder(
        id=str(row["id"]),
        client_order_id=str(row["client_order_id"]),
        symbol=symbol_of_position(str(row["symbol"]), asset_class(row.get("asset_class"))),
        side=word(OrderSide, row.get("side")),
        type=word(OrderType, type_),
        broker_type=type_,
        time_in_force=word(TimeInForce, row.get("time_in_force")),
        broker_time_in_force=str(row.get("time_in_force")),
        status=status_of(status, filled_qty),
        broker_status=status,
        filled_qty=filled_qty,
        submitted_ns=submitted_ns,
        updated_ns=instant_or(row.get("updated_at"), submitted_ns),
        qty=amount_or_none(row.get("qty")),
        notional=amount_or_none(row.get("notional")),
        avg_fill_price=amount_or_none(row.get("filled_avg_price")),
        limit_price=amount_or_none(row.get("limit_price")),
        stop_price=None if is_trailing else amount_or_none(row.get("stop_price")),
        trail_price=amount_or_none(row.get("trail_price")),
        trail_percent=amount_or_none(row.get("trail_percent")),
        extended_hours=bool(row.get("extended_hours")),
        order_class=str(row.get("order_class") or "simple"),
        replaces=row.get("replaces"),
        replaced_by=row.get("replaced_by"),
        legs=tuple(read_order(leg) for leg in rows(row.get("legs"))),
        trigger_price=amount_or_none(row.get("stop_price")) if is_trailing else None,  # that of its `hwm`, which nobody asked for
    )


def read_activity(document: Any) -> Execution:
    """Return an execution of a listing. Its id is a time and, after two colons, the execution's own."""
    row = fields(document)
    token = str(row["id"])
    return Execution(
        id=token.rpartition("::")[2],
        order_id=str(row["order_id"]),
        symbol=symbol_of_execution(str(row["symbol"])),
        side=_side(row["side"]),
        qty=amount(row["qty"]),
        price=amount(row["price"]),
        cum_qty=amount(row["cum_qty"]),
        time_ns=instant(row["transaction_time"]),
        page_token=token,
    )


def read_update(document: Any) -> OrderUpdate:
    """Return what a stream says of an order: `qty` and `price` are of this execution, the order's own are totals."""
    row = fields(document)
    order = read_order(row["order"])
    time_ns = instant_or(row.get("timestamp") or row.get("at"), order.updated_ns)
    execution = None
    execution_id = row.get("execution_id")
    if row["event"] in {"fill", "partial_fill"} and execution_id and row.get("qty") is not None and row.get("price") is not None:
        execution = Execution(
            id=str(execution_id),
            order_id=order.id,
            symbol=order.symbol,
            side=_side(row["order"]["side"]),
            qty=amount(row["qty"]),
            price=amount(row["price"]),
            cum_qty=order.filled_qty,
            time_ns=time_ns,
        )
    return OrderUpdate(
        event=str(row["event"]), order=order, time_ns=time_ns, execution=execution, position_qty=amount_or_none(row.get("position_qty"))
    )


def _side(value: object) -> OrderSide:
    # A listing may say sell_short.
    return OrderSide(str(value).partition("_")[0])
