"""Changes of a working order. A broker makes a new order of each; of ours it stays one, with its id and its row.

The broker's orders that make up one of ours are its parts (`core.trading.parts`): number 0 went out under our id, number n
under `ID.rN`. So whatever the broker says of any of them is known as ours, after a restart too.
"""

import re
from decimal import Decimal
from typing import Final

from core.errors import InvalidValue
from core.model.hand import OrderTerms
from core.model.money import plain
from core.model.order import Order, OrderRequest

_CHANGED: Final = re.compile(r"(.+)\.r(\d+)")


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
