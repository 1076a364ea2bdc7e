"""What works beside an order that is judged: each over what it has left, and of a pair only what can fill, once."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from core.model.order import Order, OrderRequest


def beside(
    rests: Mapping[str, OrderRequest], siblings: Mapping[str, str], judged: Order, instead: Mapping[str, Decimal]
) -> tuple[tuple[OrderRequest, ...], int]:
    """Return what can fill beside an order, and how many more orders work: the smaller of each pair, since only one of the two fills.

    `rests`: what orders have left, by id; `siblings`: of each of them that is one of a pair, the other. `instead`: over how many
    units orders will be by the time the judged one works; zero: they are gone by then. An order takes the place of itself.
    """
    left = dict(rests)
    for order_id, qty in instead.items():
        if order_id in left:
            _let(left, order_id, qty)
    count = len(left)
    if left.pop(judged.id, None) is not None:
        count -= 1
    if judged.sibling_id is not None and judged.sibling_id in left:
        _let(left, judged.sibling_id, left[judged.sibling_id].qty - judged.request.qty)
    once(left, siblings)
    return tuple(left.values()), count - len(left)


def once(left: dict[str, OrderRequest], siblings: Mapping[str, str]) -> None:
    """Take the smaller of each pair out: only one of the two fills. Which it hangs on may be known of one of them alone."""
    for order_id, sibling_id in siblings.items():
        if order_id in left and sibling_id in left:
            del left[min(order_id, sibling_id, key=lambda each: (left[each].qty, each))]


def _let(left: dict[str, OrderRequest], order_id: str, qty: Decimal) -> None:
    """Let an order be over `qty` units at most."""
    if qty <= 0:
        del left[order_id]
    elif qty < left[order_id].qty:
        left[order_id] = msgspec.structs.replace(left[order_id], qty=qty)
