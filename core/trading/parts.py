"""The broker's orders that make up one of ours. What is known of each only grows, and which of them works follows from all of it.

Number 0 went out under our id, the nth change under `ID.rN`: see `core.trading.changes`. Pure. Source: docs/live-trading.md,
"What a broker says of an order".
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Final

import msgspec

from core.model.broker import BrokerOrder
from core.model.corporate_action import units_after
from core.model.money import MONEY_CONTEXT, ZERO
from core.model.order import OrderRequest, OrderStatus

_S = OrderStatus
RANK: Final = {
    status: rank
    for rank, status in enumerate(
        (_S.CREATED, _S.SUBMITTING, _S.ACCEPTED, _S.PARTIALLY_FILLED, _S.FILLED, _S.EXPIRED, _S.CANCELLED, _S.REJECTED)
    )
}
"""How far in its life a state is: of two that a broker named the further one counts."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One of the broker's orders that make up one of ours, as far as it was heard. `filled_qty`: of this one alone."""

    broker_id: str
    said: OrderStatus
    filled_qty: Decimal
    qty: Decimal | None = None
    """What it is over by the newest news, by the broker's clock: it takes off an exit what the other of a pair filled."""
    is_replaced: bool = False
    """Whether another one has taken its place."""
    replaced_by: str | None = None
    """Which one, by the broker's id, where it says so."""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    as_of: tuple[int, int, Decimal, Decimal] = (0, 0, ZERO, ZERO)
    """Which news `qty` and the prices are from: those that come late do not count."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was sent. `qty`: what the whole order was to be over, what was filled before included."""

    qty: Decimal
    is_refused: bool = False
    """Whether it was told that the broker did not make it."""
    is_gone: bool = False
    """Whether it was looked for in vain once more after the order before it was replaced: somebody else did that."""


Parts = Mapping[int, Part]
Changes = Sequence[Change]
Splits = tuple[tuple[int, Decimal], ...]
"""When something split, UTC ns, and what one unit became, oldest first."""


def in_present_units(broker: BrokerOrder, splits: Splits, *, is_over: bool) -> BrokerOrder:
    """Return what the broker says of a part as it is after splits; `is_over`: whether that part is.

    A broker leaves what is over in the units that it ended in, and says so for ever. What works went through the split.
    """
    with localcontext(MONEY_CONTEXT):
        for at_ns, ratio in splits:
            if is_over and broker.updated_ns < at_ns:
                qty = None if broker.qty is None else units_after(broker.qty, ratio)
                broker = msgspec.structs.replace(broker, filled_qty=units_after(broker.filled_qty, ratio), qty=qty)
    return broker


def part_of(broker: BrokerOrder, before: Part | None) -> Part:
    """Return a part as it is with what the broker says: the same, in whatever order it says it."""
    as_of = (broker.updated_ns, RANK[broker.status], broker.filled_qty, -(broker.qty or ZERO))
    now = Part(
        broker_id=broker.id,
        said=broker.status,
        filled_qty=broker.filled_qty,
        qty=broker.qty,
        is_replaced=broker.broker_status == "replaced",
        replaced_by=broker.replaced_by,
        limit_price=broker.limit_price,
        stop_price=broker.stop_price,
        trail_price=broker.trail_price,
        trail_percent=broker.trail_percent,
        as_of=as_of,
    )
    if before is None:
        return now
    return msgspec.structs.replace(
        now if as_of >= before.as_of else before,
        said=max(now.said, before.said, key=lambda status: RANK[status]),
        filled_qty=max(now.filled_qty, before.filled_qty),
        is_replaced=now.is_replaced or before.is_replaced,
        replaced_by=now.replaced_by or before.replaced_by,
    )


def terms_of(request: OrderRequest, part: Part) -> OrderRequest:
    """Return an order with the prices of a part."""
    prices = {
        field: value
        for field in ("limit_price", "stop_price", "trail_price", "trail_percent")
        if (value := getattr(part, field)) is not None and getattr(request, field) is not None
    }
    return msgspec.structs.replace(request, **prices)


def is_out(number: int, changes: Changes, parts: Parts) -> bool:
    """Tell whether the broker did not make a change, as far as is known."""
    part = parts.get(number)
    if part is not None:
        return part.said is _S.REJECTED and not part.filled_qty
    return changes[number - 1].is_refused


def open_change(changes: Changes, parts: Parts, at: int) -> int | None:
    """Return the number of the change after the part `at` whose outcome is not known; None: there is none."""
    later = range(at + 1, len(changes) + 1)
    found = next((number for number in later if not is_out(number, changes, parts)), None)
    if found is None and at in parts and parts[at].is_replaced:
        # A change that was given up: that the order before it is replaced may be its work.
        found = next((number for number in reversed(later) if number not in parts and not changes[number - 1].is_gone), None)
    return found


def next_part(changes: Changes, parts: Parts, at: int) -> int | None:
    """Return the part that took the place of the part `at`, as soon as that is certain.

    It has when it filled anything, or when the one before it is replaced. One that the broker rejected took it only where nothing else
    can have: else that is the broker's way to refuse a change, and the order before it works on.
    """
    is_replaced = at in parts and parts[at].is_replaced
    later = [number for number in range(at + 1, len(changes) + 1) if number in parts]
    for number in later:
        if parts[number].filled_qty or (is_replaced and parts[number].said is not _S.REJECTED):
            return number
    if not is_replaced or open_change(changes, parts, at) is not None:
        return None
    rejected = [number for number in later if parts[at].replaced_by in {None, parts[number].broker_id}]
    return rejected[-1] if rejected else None


def is_past_known(changes: Changes, parts: Parts, at: int) -> bool:
    """Tell whether of all parts before the part `at` the end is known, and so what they filled."""
    return all(number in parts and parts[number].said.is_final for number in range(at) if not number or not is_out(number, changes, parts))


def whole_qty(changes: Changes, parts: Parts, at: int, known: Decimal = ZERO) -> Decimal:
    """Return what an order is over that was changed: what filled before, and the quantity of the part `at`; no less than asked for.

    More, where something filled while the change was on its way: that counts on top. `known`: what it is over at least, as far as
    was known when not all of its parts had been heard, as after a restart.
    """
    made = [number for number in range(at + 1) if number in {0, at} or not is_out(number, changes, parts)]
    before = sum((part.filled_qty for number, part in parts.items() if number < at), ZERO)
    qty = (parts[at].qty if at in parts else None) or ZERO
    return max(changes[at - 1].qty, before + qty, ZERO if all(number in parts for number in made) else known)
