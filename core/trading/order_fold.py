"""What a broker says of an order, folded into our order: told twice, late or out of order, it comes to the same.

Pure. The state is a function of two sets that only grow: the executions, by the broker's id, and the states the broker named.
So the order in which they arrive cannot matter. Source: docs/live-trading.md, "What a broker says of an order".
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from core.errors import BugError
from core.events.envelope import Payload
from core.events.payloads import (
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderPartiallyFilled,
    OrderRejected,
    OrderReplaced,
    OrderReplaceRefused,
)
from core.model.broker import BrokerOrder, Execution
from core.model.money import ZERO, plain
from core.model.order import ORDER_TRANSITIONS, Fill, Order, OrderStatus, RejectCode
from core.trading.changes import Change, Part, change_id, number_of, part_of, terms_of

_S = OrderStatus
_RANK: Final = {
    status: rank
    for rank, status in enumerate(
        (_S.CREATED, _S.SUBMITTING, _S.ACCEPTED, _S.PARTIALLY_FILLED, _S.FILLED, _S.EXPIRED, _S.CANCELLED, _S.REJECTED)
    )
}
_ENDED: Final = frozenset({_S.EXPIRED, _S.CANCELLED, _S.REJECTED})
_WORKING: Final = frozenset({_S.ACCEPTED, _S.PARTIALLY_FILLED})


class OrderLife(msgspec.Struct, frozen=True, kw_only=True):
    """An order with all that the broker said of it. `said` is the last state, in the order of a life, that it named."""

    order: Order
    said: OrderStatus = _S.SUBMITTING
    fills: tuple[Fill, ...] = ()
    """Its executions, once each, in the order in which they happened."""
    broker_qty: Decimal = ZERO
    """The largest total that the broker said was filled."""
    accepted_qty: Decimal = ZERO
    """Units that are filled there and whose executions nobody waits for: a person took it so."""
    money: Decimal = ZERO
    """What the executions came to: their quantities at their prices."""
    changes: tuple[Change, ...] = ()
    """Changes of its terms that were sent, in their order; the first one is number 1."""
    parts: Mapping[int, Part] = {}
    """The broker's orders that make it up, as far as they were heard, by the number of the change; 0 is the first."""
    at: int = 0
    """The part that works now, or that worked last."""

    @property
    def changing(self) -> int | None:
        """The number of the change whose outcome is not known."""
        return next((number for number in range(self.at + 1, len(self.changes) + 1) if not self.changes[number - 1].is_refused), None)

    @property
    def missing_qty(self) -> Decimal:
        """Units that the broker says are filled and whose executions are not here yet."""
        return max(ZERO, self.broker_qty - self.order.filled_qty - self.accepted_qty)

    @property
    def known_qty(self) -> Decimal:
        """All units that are filled, whether their executions are here or the broker only speaks of them."""
        return max(self.order.filled_qty + self.accepted_qty, self.broker_qty)

    @property
    def over_qty(self) -> Decimal:
        """Units that the order is over at the broker: fewer than were asked for where it made an exit smaller."""
        qty, part = self.order.request.qty, self.parts.get(self.at)
        if part is None or part.qty is None or not _is_exit(self.order):
            return qty
        before = sum((one.filled_qty for number, one in self.parts.items() if number < self.at), ZERO)
        return min(qty, before + part.qty)

    @property
    def left_qty(self) -> Decimal:
        """Units that the broker can still fill, beyond those that it speaks of."""
        return ZERO if self.order.status.is_final else max(ZERO, self.over_qty - self.known_qty)

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
    money = sum((one.qty * one.price for one in fills), ZERO)
    return OrderLife(order=order, said=said, fills=_in_time(fills), broker_qty=order.filled_qty, money=money)


def heard(life: OrderLife, broker: BrokerOrder, now_ns: int) -> Folded:
    """Fold what the broker says the order is. Executions come separately: `missing_qty` tells whether some are still to come."""
    number, reason = number_of(broker.client_order_id), f"The broker says {broker.broker_status}."
    parts = {**life.parts, number: part_of(broker, life.parts.get(number), _RANK)}
    changes = life.changes
    if number > len(changes):  # it was sent, or the broker would not have it
        changes += (Change(qty=life.order.request.qty),) * (number - len(changes))
    filled = sum((part.filled_qty for part in parts.values()), ZERO)
    life = msgspec.structs.replace(life, parts=parts, changes=changes, broker_qty=max(life.broker_qty, filled))
    if not changes:
        said = broker.status if _RANK[broker.status] > _RANK[life.said] else life.said
        order = life.order if life.order.broker_id is not None else msgspec.structs.replace(life.order, broker_id=broker.id)
        return _settle(msgspec.structs.replace(life, order=order, said=said), reason, now_ns)
    life, told = _moved_on(life, number, reason, now_ns)
    after = _settle(life, reason, now_ns)
    return msgspec.structs.replace(after, told=told + after.told)


def change_sent(life: OrderLife, qty: Decimal) -> OrderLife:
    """Return the order with a change of it under way; `qty`: what the whole order is to be over."""
    return msgspec.structs.replace(life, changes=(*life.changes, Change(qty=qty)))


def change_refused(life: OrderLife, number: int, code: RejectCode, reason: str, now_ns: int) -> Folded:
    """Fold that the broker did not make a change. Does nothing to one that it has made after all."""
    if number <= life.at or life.changes[number - 1].is_refused:
        return Folded(life=life)
    life, told = _refuse_change(life, number, code, reason)
    after = _settle(_with_said(life), reason, now_ns)
    return msgspec.structs.replace(after, told=(told, *after.told))


def _refuse_change(life: OrderLife, number: int, code: RejectCode, reason: str) -> tuple[OrderLife, OrderReplaceRefused]:
    changes = list(life.changes)
    changes[number - 1] = msgspec.structs.replace(changes[number - 1], is_refused=True)
    order = life.order
    told = OrderReplaceRefused(order_id=order.id, code=code, reason=reason, client_order_id=change_id(order.id, number))
    return msgspec.structs.replace(life, changes=tuple(changes)), told


def _moved_on(life: OrderLife, number: int, reason: str, now_ns: int) -> tuple[OrderLife, tuple[Payload, ...]]:
    """Take what is news of the parts: a change that the broker rejected, or the part that works from now on."""
    told: tuple[Payload, ...] = ()
    if number > life.at:
        was_refused = life.changes[number - 1].is_refused
        if life.parts[number].said is _S.REJECTED and not was_refused:
            life, refusal = _refuse_change(life, number, RejectCode.BROKER_REFUSED, reason)
            told = (refusal,)
        elif was_refused and life.parts[number].said is not _S.REJECTED:
            changes = list(life.changes)  # it was believed never to have arrived
            changes[number - 1] = msgspec.structs.replace(changes[number - 1], is_refused=False)
            life = msgspec.structs.replace(life, changes=tuple(changes))
    while (after := life.changing) is not None and after in life.parts:
        before, new = life.parts.get(life.at), life.parts[after]
        if not new.filled_qty and (before is None or not before.is_replaced):
            break  # the broker is still about it, and the order before may fill first
        request = terms_of(msgspec.structs.replace(life.order.request, qty=life.changes[after - 1].qty), new)
        order = msgspec.structs.replace(life.order, broker_id=new.broker_id, request=request, updated_ns=now_ns)
        life = _with_whole(msgspec.structs.replace(life, order=order, at=after))
        words = "The broker made the change."
        told += (OrderReplaced(order_id=order.id, request=life.order.request, reason=words, client_order_id=change_id(order.id, after)),)
    life, grown = _grown(life)
    return _with_said(life), told + grown


def _grown(life: OrderLife) -> tuple[OrderLife, tuple[Payload, ...]]:
    """Take that what filled before is known only now, and counts on top of the new order."""
    whole = _with_whole(life)
    if whole.order.request == life.order.request:
        return life, ()
    words, part_id = "What filled before counts, too.", change_id(life.order.id, life.at)
    return whole, (OrderReplaced(order_id=life.order.id, request=whole.order.request, reason=words, client_order_id=part_id),)


def _with_whole(life: OrderLife) -> OrderLife:
    """Return the order over what its parts make: what those before filled, and the quantity of the one that works."""
    numbers = {0, *(number for number in range(1, life.at + 1) if not life.changes[number - 1].is_refused)}
    qty = life.parts[life.at].qty if life.at in life.parts else None
    if not life.at or qty is None or not numbers <= life.parts.keys():
        return life  # after a restart not all of them are known at once: it is as it was stored
    whole = sum((life.parts[number].filled_qty for number in numbers if number != life.at), qty)
    if life.order.status is _S.FILLED:
        # What filled before is known, and its execution is not: an order that is over does not work again, it grows by what comes.
        whole = max(life.order.request.qty, min(whole, life.order.filled_qty))
    if whole in (life.order.request.qty, ZERO):
        return life  # of one of a pair that has nothing left, since the other filled all, the terms stay
    request = msgspec.structs.replace(life.order.request, qty=whole)
    return msgspec.structs.replace(life, order=msgspec.structs.replace(life.order, request=request))


def _with_said(life: OrderLife) -> OrderLife:
    """Return the order with what was said of the part that works; one that is replaced goes on in the next one."""
    part = life.parts.get(life.at)
    if part is None:
        return life
    said = part.said
    if part.is_replaced and life.changing is not None:
        said = _S.ACCEPTED
    return msgspec.structs.replace(life, said=said)


def refused(life: OrderLife, code: RejectCode, reason: str, now_ns: int, *, broker_code: int | None = None, words: str = "") -> Folded:
    """Fold that the broker did not take the order, or that it never left. Does nothing to an order that ended already."""
    said = _S.REJECTED if _RANK[_S.REJECTED] > _RANK[life.said] else life.said
    after = _settle(msgspec.structs.replace(life, said=said), reason, now_ns, code=code)
    told = tuple(
        msgspec.structs.replace(one, broker_code=broker_code, broker_words=words) if isinstance(one, OrderRejected) else one
        for one in after.told
    )
    return msgspec.structs.replace(after, told=told)


def accepted(life: OrderLife, qty: Decimal, now_ns: int) -> Folded:
    """Fold that nobody waits any longer for the executions of `qty` units. What is over at the broker is over then."""
    return _settle(msgspec.structs.replace(life, accepted_qty=life.accepted_qty + qty), "", now_ns)


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
    fills = (*life.fills, fill)
    if life.fills and _moment(fill) < _moment(life.fills[-1]):
        fills = _in_time(fills)
    # Sums that go on, not over all again: an order may fill in thousands of pieces.
    filled, money = before.filled_qty + fill.qty, life.money + fill.qty * fill.price
    order = msgspec.structs.replace(before, filled_qty=filled, avg_fill_price=money / filled)
    life, grown = _grown(msgspec.structs.replace(life, order=order, fills=fills, money=money))
    after = _settle(life, "", now_ns, at_fill=True)
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
    return Folded(life=after.life, told=(*grown, booked, *after.told), fill=fill)


def _settle(life: OrderLife, reason: str, now_ns: int, *, code: RejectCode | None = None, at_fill: bool = False) -> Folded:
    """Move the order to the state that all news together mean, and tell of the move; a fill tells of its own."""
    order = life.order
    status = _status(life)
    if order.status in _ENDED and status in _WORKING:
        status = order.status  # what is over stays so; should a change of it work there after all, comparing with the broker ends it
    if status is _S.CANCELLED and life.said is _S.FILLED and life.accepted_qty:
        reason = f"It is over at the broker; that there are no executions of {plain(life.accepted_qty)} filled units of it was accepted."
    elif status is _S.CANCELLED and life.said is _S.FILLED:
        reason = f"The broker had made it smaller: {plain(life.broker_qty)} of {plain(order.request.qty)} were left of it."
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
    if order.filled_qty >= order.request.qty and not _may_grow(life):
        return _S.FILLED
    if order.status is _S.FILLED and life.said is _S.FILLED:
        return _S.FILLED  # a part before it filled more than was known then: the executions that make that up are to come
    if life.said in _ENDED:
        return life.said
    if life.said is _S.FILLED and order.filled_qty and order.filled_qty == life.broker_qty and life.changing is None and _is_exit(order):
        return _S.CANCELLED  # the broker took off it what the other of a pair filled; that rest is gone
    if life.said is _S.FILLED and life.accepted_qty and not life.missing_qty and life.changing is None:
        return _S.CANCELLED  # it works no more, and our fills will never make it up
    if order.filled_qty:
        return _S.PARTIALLY_FILLED
    return _S.ACCEPTED if _RANK[life.said] >= _RANK[_S.ACCEPTED] else order.status


def _may_grow(life: OrderLife) -> bool:
    """Tell whether a change that makes the order larger is under way, so that what filled may be a part of the larger one."""
    number = life.changing
    return number is not None and life.said is not _S.FILLED and life.changes[number - 1].qty > life.order.filled_qty


def _is_exit(order: Order) -> bool:
    return order.parent_id is not None or order.sibling_id is not None


def _in_time(fills: tuple[Fill, ...]) -> tuple[Fill, ...]:
    return tuple(sorted(fills, key=_moment))


def _moment(fill: Fill) -> tuple[int, str]:
    return fill.time_ns, fill.id
