"""The exits of an order as orders of their own, by the terms that the order itself is stored with.

They have no rows of their own until they leave: what waits is made again from the order when the program starts anew.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from core.model.order import LegRole, Order, OrderStatus
from core.runs.router import leg_request

_COUNTED: Final = re.compile(r"(.*-)(\d+)")


def exits_of(order: Order, now_ns: int) -> list[Order]:
    """Return the exits of an order, the stop first, over its whole quantity; none where it has none.

    Their ids follow from the order's: those that the router gave them, where it made the order.
    """
    wanted = ((LegRole.STOP, order.request.stop_loss), (LegRole.TARGET, order.request.target))
    legs = [(role, leg) for role, leg in wanted if leg is not None]
    ids = [_leg_id(order.id, role, at) for at, (role, _) in enumerate(legs, 1)]
    found = []
    for at, (_, leg) in enumerate(legs):
        request, time_in_force = leg_request(order.request, order.time_in_force, leg)
        found.append(
            Order(
                id=ids[at],
                run_id=order.run_id,
                request=request,
                time_in_force=time_in_force,
                status=OrderStatus.CREATED,
                created_ns=now_ns,
                updated_ns=now_ns,
                parent_id=order.id,
                sibling_id=ids[1 - at] if len(ids) == 2 else None,
                account=order.account,
            )
        )
    return found


def waiting_exits(orders: Sequence[Order], dropped: Collection[str], now_ns: int) -> Mapping[str, list[Order]]:
    """Return the exits that still wait, by their entry. `dropped`: ids of exits that were taken back while they waited."""
    known = {order.id for order in orders}
    waiting = {}
    for order in orders:
        legs = exits_of(order, now_ns)
        have_left = any(leg.id in known for leg in legs)
        may_fill = not order.status.is_final or order.filled_qty > 0
        if legs and may_fill and not have_left and not any(leg.id in dropped for leg in legs):
            waiting[order.id] = legs
    return waiting


def _leg_id(order_id: str, role: LegRole, at: int) -> str:
    counted = _COUNTED.fullmatch(order_id)
    return f"{order_id}.{role}" if counted is None else f"{counted[1]}{int(counted[2]) + at}"
