"""What a broker says of an order, folded into our order: told twice, late or out of order, it comes to the same.

Pure. The state is a function of two sets that only grow: the executions, by the broker's id, and the states the broker named.
So the order in which they arrive cannot matter. Source: docs/live-trading.md, "What a broker says of an order".
"""

from decimal import Decimal
from typing import Final

import msgspec

from core.errors import BugError
from core.events.envelope import Payload
from core.events.payloads import OrderAccepted, OrderCancelled, OrderExpired, OrderFilled, OrderPartiallyFilled, OrderRejected
from core.model.broker import BrokerOrder, Execution
from core.model.money import ZERO
from core.model.order import ORDER_TRANSITIONS, Fill, Order, OrderStatus, RejectCode

_S = OrderStatus
_RANK: Final = {
    status: rank
    for rank, status in enumerate(
        (_S.CREATED, _S.SUBMITTING, _S.ACCEPTED, _S.PARTIALLY_FILLED, _S.FILLED, _S.EXPIRED, _S.CANCELLED, _S.REJECTED)
    )
}
_ENDED: Final = frozenset({_S.EXPIRED, _S.CANCELLED, _S.REJECTED})


class OrderLife(msgspec.Struct, frozen=True, kw_only=True):
    """An order with all that the broker said of it. `said` is the last state, in the order of a life, that it named."""

    order: Order
    said: OrderStatus = _S.SUBMITTING
    fills: tuple[Fill, ...] = ()
    """Its executions, once each, in the order in which they happened."""
    broker_qty: Decimal = ZERO
    """The largest total that the broker said was filled."""

    @property
    def missing_qty(self) -> Decimal:
        """Units that the broker says are filled and whose executions are not here yet."""
        return max(ZERO, self.broker_qty - self.order.filled_qty)

    @property
    def is_settled(self) -> bool:
        """Whether the order is over and nothing of it is missing."""
        return self.order.status.is_final and not self.missing_qty


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """An order after a piece of news, what to tell, and the fill to store with it. Old news change nothing and tell nothing."""

    life: OrderLife
    told: tuple[Payload, ...] = ()
    fill: Fill | None = None


def revived(order: Order, fills: tuple[Fill, ...]) -> OrderLife:
    """Return an order as it was stored, with its stored fills."""
    said = order.status if order.status in _ENDED else _S.ACCEPTED if order.broker_id is not None else _S.SUBMITTING
    return OrderLife(order=order, said=said, fills=_in_time(fills), broker_qty=order.filled_qty)


def heard(life: OrderLife, broker: BrokerOrder, now_ns: int) -> Folded:
    """Fold what the broker says the order is. Executions come separately: `missing_qty` tells whether some are still to come."""
    said = broker.status if _RANK[broker.status] > _RANK[life.said] else life.said
    order = life.order
    if order.broker_id is None:
        order = msgspec.structs.replace(order, broker_id=broker.id)
    known = OrderLife(order=order, said=said, fills=life.fills, broker_qty=max(life.broker_qty, broker.filled_qty))
    return _settle(known, f"The broker says {broker.broker_status}.", now_ns)


def refused(life: OrderLife, code: RejectCode, reason: str, now_ns: int, *, broker_code: int | None = None, words: str = "") -> Folded:
    """Fold that the broker did not take the order, or that it never left. Does nothing to an order that ended already."""
    said = _S.REJECTED if _RANK[_S.REJECTED] > _RANK[life.said] else life.said
    after = _settle(msgspec.structs.replace(life, said=said), reason, now_ns, code=code)
    told = tuple(
        msgspec.structs.replace(one, broker_code=broker_code, broker_words=words) if isinstance(one, OrderRejected) else one
        for one in after.told
    )
    return msgspec.structs.replace(after, told=told)


def executed(life: OrderLife, execution: Execution, fill_id: str, now_ns: int, *, reason: str | None = None) -> Folded:
    """Fold an execution, known once by `fill_id`. `reason`: why it is booked so late, when it is."""
    if any(fill.id == fill_id for fill in life.fills):
        return Folded(life=life)
    before = life.order
    fill = Fill(
        id=fill_id,
        run_id=before.run_id,
        order_id=before.id,
        symbol=before.request.symbol,
        side=before.request.side,
        qty=execution.qty,
        price=execution.price,
        fee=execution.fee,
        slippage=ZERO,
        time_ns=execution.time_ns,
        reason=reason,
    )
    fills = _in_time((*life.fills, fill))
    filled = sum((one.qty for one in fills), ZERO)
    money = sum((one.qty * one.price for one in fills), ZERO)
    order = msgspec.structs.replace(before, filled_qty=filled, avg_fill_price=money / filled)
    after = _settle(msgspec.structs.replace(life, order=order, fills=fills), "", now_ns, at_fill=True)
    kind = OrderFilled if after.life.order.status is _S.FILLED else OrderPartiallyFilled
    booked = kind(
        order_id=before.id,
        fill_id=fill_id,
        qty=fill.qty,
        price=fill.price,
        fee=fill.fee,
        filled_qty=filled,
        time_ns=fill.time_ns,
        reason=reason,
    )
    return Folded(life=after.life, told=(booked,), fill=fill)


def _settle(life: OrderLife, reason: str, now_ns: int, *, code: RejectCode | None = None, at_fill: bool = False) -> Folded:
    """Move the order to the state that all news together mean, and tell of the move; a fill tells of its own."""
    order = life.order
    status = _status(life)
    if status is order.status:
        changed = order if order is life.order and not at_fill else msgspec.structs.replace(order, updated_ns=now_ns)
        return Folded(life=msgspec.structs.replace(life, order=changed))
    if status not in ORDER_TRANSITIONS[order.status]:
        raise BugError(f"Order {order.id} cannot go from {order.status} to {status}.")
    ended = status in _ENDED
    if status is _S.REJECTED:
        code = code or RejectCode.BROKER_REFUSED
    order = msgspec.structs.replace(
        order,
        status=status,
        updated_ns=now_ns,
        reason=reason if ended else order.reason if status is not _S.FILLED else None,
        reject_code=code if status is _S.REJECTED else None,
    )
    told: tuple[Payload, ...] = ()
    if status is _S.ACCEPTED:
        told = (OrderAccepted(order_id=order.id),)
    elif status is _S.CANCELLED:
        told = (OrderCancelled(order_id=order.id, reason=reason),)
    elif status is _S.EXPIRED:
        told = (OrderExpired(order_id=order.id, reason=reason),)
    elif status is _S.REJECTED and code is not None:
        told = (OrderRejected(order_id=order.id, code=code, reason=reason),)
    return Folded(life=msgspec.structs.replace(life, order=order), told=told)


def _status(life: OrderLife) -> OrderStatus:
    """Return the state that all executions and all that was said mean: filled is what our fills make up, whatever was said."""
    order = life.order
    if order.filled_qty >= order.request.qty:
        return _S.FILLED
    if life.said in _ENDED:
        return life.said
    if order.filled_qty:
        return _S.PARTIALLY_FILLED
    return _S.ACCEPTED if _RANK[life.said] >= _RANK[_S.ACCEPTED] else order.status


def _in_time(fills: tuple[Fill, ...]) -> tuple[Fill, ...]:
    return tuple(sorted(fills, key=lambda fill: (fill.time_ns, fill.id)))
