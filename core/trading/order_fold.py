"""What a broker says of an order, folded into our order: told twice, late or out of order, it comes to the same.

Pure. The state is a function of facts that only grow: the executions, by the broker's id, and of each of the broker's orders that
make it up the furthest state and the largest fill. It is over only once they say so for good. So the order in which they arrive
cannot matter. Source: docs/live-trading.md, "What a broker says of an order".
"""

from decimal import Decimal
from typing import Final

import msgspec

from core.errors import BugError
from core.events.envelope import Payload
from core.events.payloads import (
    OrderAccepted,
    OrderCancelled,
    OrderCompleted,
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
from core.trading.changes import change_id, number_of
from core.trading.parts import (
    RANK,
    Change,
    Parts,
    Splits,
    in_present_units,
    is_past_known,
    next_part,
    open_change,
    part_of,
    terms_of,
    whole_qty,
)

_S = OrderStatus
_ENDED: Final = frozenset({_S.EXPIRED, _S.CANCELLED, _S.REJECTED})


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
    parts: Parts = {}
    """The broker's orders that make it up, as far as they were heard, by the number of the change; 0 is the first."""
    at: int = 0
    """The part that works now, or that worked last."""
    splits: Splits = ()
    """Those that the order went through."""

    @property
    def changing(self) -> int | None:
        """The number of the change whose outcome is not known."""
        number = open_change(self.changes, self.parts, self.at) if len(self.changes) > self.at else None
        is_doubted = number is not None and self.changes[number - 1].is_refused and number not in self.parts
        return None if is_doubted and self.order.status.is_final else number

    @property
    def is_unclear(self) -> bool:
        """Whether the broker may have more to tell of what is filled: the end of a part before the one that works was not heard."""
        return not self.order.status.is_final and not is_past_known(self.changes, self.parts, self.at)

    @property
    def excess_qty(self) -> Decimal:
        """Units that it is over more than was asked for by the change that made it what it is, as long as that can be helped."""
        if not self.at or self.order.status.is_final or self.changing is not None or self.is_unclear:
            return ZERO
        return max(ZERO, self.order.request.qty - self.changes[self.at - 1].qty)

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


def revived(order: Order, fills: tuple[Fill, ...], changes: tuple[Change, ...] = (), at: int = 0, splits: Splits = ()) -> OrderLife:
    """Return an order as it was stored, with its stored fills and changes. Of its parts the broker is asked again."""
    said = order.status if order.status in _ENDED else _S.ACCEPTED if order.broker_id is not None else _S.SUBMITTING
    money = sum((one.qty * one.price for one in fills), ZERO)
    return OrderLife(
        order=order, said=said, fills=_in_time(fills), broker_qty=order.filled_qty, money=money, changes=changes, at=at, splits=splits
    )


def heard(life: OrderLife, broker: BrokerOrder, now_ns: int) -> Folded:
    """Fold what the broker says the order is. Executions come separately: `missing_qty` tells whether some are still to come."""
    number, reason = number_of(broker.client_order_id), f"The broker says {broker.broker_status}."
    broker = in_present_units(broker, life.splits, is_over=broker.status.is_final or number < life.at)
    parts = {**life.parts, number: part_of(broker, life.parts.get(number))}
    changes = life.changes
    if number > len(changes):  # it was sent, or the broker would not have it
        changes += (Change(qty=life.order.request.qty),) * (number - len(changes))
    filled = sum((part.filled_qty for part in parts.values()), ZERO)
    life = msgspec.structs.replace(life, parts=parts, changes=changes, broker_qty=max(life.broker_qty, filled))
    if not changes:
        said = broker.status if RANK[broker.status] > RANK[life.said] else life.said
        order = life.order if life.order.broker_id is not None else msgspec.structs.replace(life.order, broker_id=broker.id)
        return _settle(msgspec.structs.replace(life, order=order, said=said), reason, now_ns)
    life, told = _moved_on(life, reason, now_ns)
    after = _settle(life, reason, now_ns)
    return msgspec.structs.replace(after, told=told + after.told)


def change_sent(life: OrderLife, qty: Decimal) -> OrderLife:
    """Return the order with a change of it under way; `qty`: what the whole order is to be over."""
    return msgspec.structs.replace(life, changes=(*life.changes, Change(qty=qty)))


def change_refused(life: OrderLife, number: int, code: RejectCode, reason: str, now_ns: int) -> Folded:
    """Fold that the broker did not make a change. Does nothing to one that it has made after all."""
    if number <= life.at or number in life.parts or (life.changes[number - 1].is_refused and life.changing != number):
        return Folded(life=life)
    before = life.parts.get(life.at)
    life, told = _with_change(life, number, is_refused=True, is_gone=before is not None and before.is_replaced, code=code, reason=reason)
    life, moved = _moved_on(life, reason, now_ns)
    after = _settle(life, reason, now_ns)
    return msgspec.structs.replace(after, told=told + moved + after.told)


def _with_change(
    life: OrderLife, number: int, *, is_refused: bool, is_gone: bool = False, code: RejectCode = RejectCode.BROKER_REFUSED, reason: str = ""
) -> tuple[OrderLife, tuple[Payload, ...]]:
    """Note what became of a change, and tell of a refusal once."""
    changes, order = list(life.changes), life.order
    was_refused = changes[number - 1].is_refused
    changes[number - 1] = msgspec.structs.replace(changes[number - 1], is_refused=is_refused, is_gone=is_gone)
    told: tuple[Payload, ...] = ()
    if is_refused and not was_refused:
        told = (OrderReplaceRefused(order_id=order.id, code=code, reason=reason, client_order_id=change_id(order.id, number)),)
    return msgspec.structs.replace(life, changes=tuple(changes)), told


def _moved_on(life: OrderLife, reason: str, now_ns: int) -> tuple[OrderLife, tuple[Payload, ...]]:
    """Take what all that is known of the parts means: which one works from now on, over how much, and what the broker would not make."""
    told: tuple[Payload, ...] = ()
    while (after := next_part(life.changes, life.parts, life.at)) is not None:
        new = life.parts[after]
        request = msgspec.structs.replace(life.order.request, qty=whole_qty(life.changes, life.parts, after))
        order = msgspec.structs.replace(life.order, broker_id=new.broker_id, request=terms_of(request, new), updated_ns=now_ns)
        life, _ = _with_change(msgspec.structs.replace(life, order=order, at=after), after, is_refused=False)
        words = "The broker made the change."
        told += (OrderReplaced(order_id=order.id, request=order.request, reason=words, client_order_id=change_id(order.id, after)),)
    for number in range(life.at + 1, len(life.changes) + 1):
        if number in life.parts:  # one that was believed never to have arrived may be there after all
            is_rejected = life.parts[number].said is _S.REJECTED
            life, refusal = _with_change(life, number, is_refused=is_rejected, reason=reason)
            told += refusal
    life, grown = _grown(life)
    return _with_said(life), told + grown


def _grown(life: OrderLife) -> tuple[OrderLife, tuple[Payload, ...]]:
    """Take that what filled before is known only now, and counts on top of the new order; or that the broker took off an exit again."""
    before = life.order.request.qty
    whole = whole_qty(life.changes, life.parts, life.at, before) if life.at else before
    if whole == before:
        return life, ()
    request = msgspec.structs.replace(life.order.request, qty=whole)
    words = "What filled before counts, too." if whole > before else "The broker made it smaller."
    told = OrderReplaced(order_id=life.order.id, request=request, reason=words, client_order_id=change_id(life.order.id, life.at))
    return msgspec.structs.replace(life, order=msgspec.structs.replace(life.order, request=request)), (told,)


def _with_said(life: OrderLife) -> OrderLife:
    """Return the order with what was said of the part that works; one that is replaced goes on in the next one."""
    part = life.parts.get(life.at)
    if part is None:
        return life
    said = _S.ACCEPTED if part.is_replaced and life.changing is not None else part.said
    return msgspec.structs.replace(life, said=said)


def refused(life: OrderLife, code: RejectCode, reason: str, now_ns: int, *, broker_code: int | None = None, words: str = "") -> Folded:
    """Fold that the broker did not take the order, or that it never left. Does nothing to an order that ended already."""
    said = _S.REJECTED if RANK[_S.REJECTED] > RANK[life.said] else life.said
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
    after = _settle(msgspec.structs.replace(life, order=order, fills=fills, money=money), "", now_ns, at_fill=True)
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
    return Folded(life=after.life, told=(booked, *after.told), fill=fill)


def _settle(life: OrderLife, reason: str, now_ns: int, *, code: RejectCode | None = None, at_fill: bool = False) -> Folded:
    """Move the order to the state that all news together mean, and tell of the move; a fill tells of its own."""
    order = life.order
    status = _status(life)
    if order.status in _ENDED and status is not _S.FILLED:
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
    elif status is _S.FILLED and not at_fill:
        told = (OrderCompleted(order_id=order.id),)
    return Folded(life=msgspec.structs.replace(life, order=order), told=told)


def _status(life: OrderLife) -> OrderStatus:
    """Return the state that all executions and all that was said mean: filled is what our fills make up, whatever was said."""
    order, is_closed = life.order, _is_closed(life)
    if order.filled_qty >= order.request.qty and (is_closed or order.status is _S.FILLED) and not _is_cut_off(life):
        return _S.FILLED
    if life.said in _ENDED:
        return life.said
    if life.said is _S.FILLED and is_closed:
        if order.filled_qty and order.filled_qty == life.broker_qty and _is_exit(order):
            return _S.CANCELLED  # the broker took off it what the other of a pair filled; that rest is gone
        if life.accepted_qty and not life.missing_qty:
            return _S.CANCELLED  # it works no more, and our fills will never make it up
    if order.filled_qty:
        return _S.PARTIALLY_FILLED
    return _S.ACCEPTED if RANK[life.said] >= RANK[_S.ACCEPTED] else order.status


def _is_closed(life: OrderLife) -> bool:
    """Tell whether it is known for good over how much the order is: no change is under way, and none left anything open."""
    is_made_up = life.changing is None or life.said.is_final
    is_heard = life.at in life.parts and is_past_known(life.changes, life.parts, life.at)
    return is_made_up and (not life.at or is_heard)


def _is_cut_off(life: OrderLife) -> bool:
    """Tell whether the broker ended an exit over what was left of it: the other of the pair filled the rest."""
    part = life.parts.get(life.at)
    if not life.at or part is None or part.qty is None or not _is_exit(life.order):
        return False
    return life.said in _ENDED and part.filled_qty >= part.qty


def _is_exit(order: Order) -> bool:
    return order.parent_id is not None or order.sibling_id is not None


def _in_time(fills: tuple[Fill, ...]) -> tuple[Fill, ...]:
    return tuple(sorted(fills, key=_moment))


def _moment(fill: Fill) -> tuple[int, str]:
    return fill.time_ns, fill.id
