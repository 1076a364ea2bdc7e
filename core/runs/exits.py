"""The exits of an order as orders of their own, by the terms that the order itself is stored with.

They have no rows of their own until they leave: what waits is made again from the order when the program starts anew.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from core.events.live_payloads import ExitsOwed, OrderAskedByHand
from core.events.payloads import CancelRequest, OrderReplaced
from core.model.order import LegRole, Order, OrderRequest, OrderStatus
from core.ports import EventLog
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


async def read_fates(log: EventLog, run_id: str) -> Mapping[str, OrderRequest | None]:
    """Return what became of orders of a run while they may have waited, by id: their newest terms, or None for one that was taken back.

    One that made way for a closing counts as taken back: `core.runs.owed` has it.
    """
    fates: dict[str, OrderRequest | None] = {}
    for wire in (OrderReplaced.wire, CancelRequest.wire, OrderAskedByHand.wire, ExitsOwed.wire):
        after = 0
        while page := await log.read(after_seq=after, run_id=run_id, pattern=wire):
            after = page[-1].seq
            for event in page:
                payload = event.payload
                if isinstance(payload, OrderReplaced):
                    fates[payload.order_id] = payload.request
                elif isinstance(payload, CancelRequest) or (isinstance(payload, OrderAskedByHand) and payload.what == "cancel"):
                    fates[payload.order_id] = None
                elif isinstance(payload, ExitsOwed):
                    fates |= dict.fromkeys(payload.order_ids)
    return fates


def waiting_exits(orders: Sequence[Order], fates: Mapping[str, OrderRequest | None], now_ns: int) -> Mapping[str, list[Order]]:
    """Return the exits that still wait, by their entry; `fates`: see `read_fates`."""
    known = {order.id for order in orders}
    waiting = {}
    for order in orders:
        legs = exits_of(order, now_ns)
        have_left = any(leg.id in known for leg in legs)
        may_fill = not order.status.is_final or order.filled_qty > 0
        terms = [fates.get(leg.id, leg.request) for leg in legs]
        if legs and may_fill and not have_left and None not in terms:
            waiting[order.id] = [
                msgspec.structs.replace(leg, request=request) for leg, request in zip(legs, terms, strict=True) if request is not None
            ]
    return waiting


def left_with_entry(orders: Sequence[Order], leads: Mapping[str, str]) -> Mapping[str, list[Order]]:
    """Return the exits that left with their entry as one order, by that."""
    found: dict[str, list[Order]] = {}
    for order in orders:
        if order.parent_id is not None and leads.get(order.id) == order.parent_id:
            found.setdefault(order.parent_id, []).append(order)
    return found


def again_id(leg_id: str) -> str:
    """Return the id of the exit that takes the place of one which the broker ended too early."""
    return f"{leg_id}.again"


def _leg_id(order_id: str, role: LegRole, at: int) -> str:
    counted = _COUNTED.fullmatch(order_id)
    return f"{order_id}.{role}" if counted is None else f"{counted[1]}{int(counted[2]) + at}"
