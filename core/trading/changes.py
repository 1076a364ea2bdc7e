"""Changes of a working order. A broker makes a new order of each; of ours it stays one, with its id and its row.

The broker's orders that make up one of ours are its parts: number 0 went out under our id, number n under `ID.rN`. So
whatever the broker says of any of them is known as ours, after a restart too.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from core.errors import InvalidValue
from core.model.broker import BrokerOrder
from core.model.hand import OrderTerms
from core.model.money import plain
from core.model.order import Order, OrderRequest, OrderStatus

_CHANGED: Final = re.compile(r"(.+)\.r(\d+)")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One of the broker's orders that make up one of ours, as far as it was heard. `filled_qty`: of this one alone."""

    broker_id: str
    said: OrderStatus
    filled_qty: Decimal
    qty: Decimal | None = None
    is_replaced: bool = False
    """Whether another one has taken its place."""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was sent. `qty`: what the whole order was to be over, what was filled before included."""

    qty: Decimal
    is_refused: bool = False


def change_id(order_id: str, number: int) -> str:
    """Return the id under which the broker is asked for the change."""
    return f"{order_id}.r{number}"


def own_id(client_order_id: str) -> str:
    """Return the id of our order that one of the broker's is a part of."""
    changed = _CHANGED.fullmatch(client_order_id)
    return client_order_id if changed is None else changed[1]


def number_of(client_order_id: str) -> int:
    """Return which part it is."""
    changed = _CHANGED.fullmatch(client_order_id)
    return 0 if changed is None else int(changed[2])


def part_of(broker: BrokerOrder, before: Part | None, rank: Mapping[OrderStatus, int]) -> Part:
    """Return a part as it is after what the broker says now: what only grows never goes back."""
    said, filled, is_replaced = broker.status, broker.filled_qty, broker.broker_status == "replaced"
    if before is not None:
        said = said if rank[said] > rank[before.said] else before.said
        filled, is_replaced = max(filled, before.filled_qty), is_replaced or before.is_replaced
    return Part(
        broker_id=broker.id,
        said=said,
        filled_qty=filled,
        qty=broker.qty,
        is_replaced=is_replaced,
        limit_price=broker.limit_price,
        stop_price=broker.stop_price,
        trail_price=broker.trail_price,
        trail_percent=broker.trail_percent,
    )


def terms_of(request: OrderRequest, part: Part) -> OrderRequest:
    """Return an order with the prices of a part."""
    prices = {
        field: value
        for field in ("limit_price", "stop_price", "trail_price", "trail_percent")
        if (value := getattr(part, field)) is not None and getattr(request, field) is not None
    }
    return msgspec.structs.replace(request, **prices)


def changed_request(order: Order, terms: OrderTerms) -> OrderRequest:
    """Return the order as it would be. Raises InvalidValue for terms that it has not, that change nothing, or that are no order."""
    request = order.request
    new: dict[str, Decimal] = {}
    if terms.qty is not None:
        if terms.qty <= order.filled_qty:
            raise InvalidValue("qty", plain(terms.qty), f"the order has filled {plain(order.filled_qty)} already; cancel the rest instead.")
        new["qty"] = terms.qty
    for field, value in (("limit_price", terms.limit_price), ("stop_price", terms.stop_price)):
        if value is not None:
            if getattr(request, field) is None:
                raise InvalidValue(field, plain(value), f"a {request.type.replace('_', ' ')} order has none.")
            new[field] = value
    if terms.trail is not None:
        field = "trail_price" if request.trail_price is not None else "trail_percent"
        if getattr(request, field) is None:
            raise InvalidValue("trail", plain(terms.trail), f"a {request.type.replace('_', ' ')} order has none.")
        new[field] = terms.trail
    if all(getattr(request, field) == value for field, value in new.items()):
        raise InvalidValue("The order", "changed", "it has these terms already.")
    known = {field: getattr(request, field) for field in request.__struct_fields__}
    return OrderRequest(**(known | new))
