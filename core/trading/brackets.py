"""An entry and its exits as the one order that a broker makes of them: a bracket, or a one-triggers-other.

The exits are orders of ours, committed with their entry. The broker holds them until it is filled and minds them from then
on, also while the program is off. Pure. Source: docs/live-trading.md, "Exits".
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from core.errors import InvalidValue
from core.model.broker import BrokerOrder, BrokerOrderRequest, Features, OrderClass
from core.model.hand import OrderTerms
from core.model.market import AssetClass, asset_class_of
from core.model.money import plain
from core.model.order import Order, OrderStatus, OrderType, TimeInForce
from core.trading.changes import own_id
from core.trading.order_fold import OrderLife

_ENTRIES: Final = frozenset({OrderType.MARKET, OrderType.LIMIT})
_STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_LIVES: Final = frozenset({TimeInForce.DAY, TimeInForce.GTC})


def fits_as_one(entry: Order, exits: Sequence[Order], held: Sequence[Decimal], features: Features) -> bool:
    """Tell whether a broker of these features takes an entry with its exits as one order.

    `held`: what its run holds and what the account does, signed. An order against either closes before it opens: its exits would
    work all the same, or the broker refuses all of it.
    """
    request, kinds = entry.request, [one.request.type for one in exits]
    targets, stops = kinds.count(OrderType.LIMIT), sum(kind in _STOPS for kind in kinds)
    wanted = OrderClass.BRACKET if len(kinds) == 2 else OrderClass.OTO
    return (
        wanted in features.order_classes
        and (targets <= 1 and stops <= 1 and len(kinds) == targets + stops > 0)
        and asset_class_of(request.symbol) is AssetClass.EQUITY
        and request.type in _ENTRIES
        and request.qty == request.qty.to_integral_value()
        and all(one * request.side.sign >= 0 for one in held)
        and entry.time_in_force in _LIVES
        and not request.extended_hours
        and all(one.request.qty == request.qty and one.time_in_force is entry.time_in_force for one in exits)
    )


def bracket_request(entry: Order, exits: Sequence[Order]) -> BrokerOrderRequest:
    """Return an entry with its exits as it leaves, under the entry's id. Raises InvalidValue."""
    request = entry.request
    target = next((one.request for one in exits if one.request.type is OrderType.LIMIT), None)
    stop = next((one.request for one in exits if one.request.type is not OrderType.LIMIT), None)
    return BrokerOrderRequest(
        client_order_id=entry.id,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        time_in_force=entry.time_in_force,
        qty=request.qty,
        limit_price=request.limit_price,
        order_class=OrderClass.BRACKET if target is not None and stop is not None else OrderClass.OTO,
        target_price=None if target is None else target.limit_price,
        stop_loss_price=None if stop is None else stop.stop_price,
        stop_loss_limit=None if stop is None else stop.limit_price,
    )


def legs_as_ours(said: BrokerOrder, others: Sequence[Order]) -> list[BrokerOrder]:
    """Return the legs that the broker names in an order of ours by the ids of those that left with it.

    A leg went out under no id of ours: it is known by the broker's, or, the first time, by what it is. A change of it has our id.
    """
    found = []
    for leg in said.legs:
        own = next((one for one in others if own_id(leg.client_order_id) == one.id), None)
        if own is not None:
            found.append(leg)
            continue
        own = next((one for one in others if one.broker_id == leg.id), None)
        if own is None:
            own = next((one for one in others if one.broker_id is None and _is_kind_of(leg, one)), None)
        if own is not None:
            found.append(msgspec.structs.replace(leg, client_order_id=own.id))
    return found


def is_over_there(life: OrderLife) -> bool:
    """Tell whether the broker itself has said that an order is over, and nothing of it is missing.

    One that we hold as refused may work there all the same: brokers have refused orders that they took.
    """
    if not life.is_settled:
        return False
    part = life.parts.get(life.at)
    return life.order.status is not OrderStatus.REJECTED or (part is not None and part.said.is_final)


def check_change(life: OrderLife, terms: OrderTerms, *, has_exits: bool, is_held_by: str | None, paired: OrderLife | None = None) -> None:
    """Raise InvalidValue for a change after which exits might be over another quantity than their entry, or than each other.

    `has_exits`: whether exits left with the order; `is_held_by`: the order that it left with itself; `paired`: the exit that it is
    paired with where the broker minds that, and takes off one what the other sold.
    """
    order, qty = life.order, terms.qty
    if paired is not None:
        if qty is not None and qty != order.request.qty:
            raise InvalidValue("qty", plain(qty), "two exits of which one cancels the other are over one quantity; cancel them instead.")
        if life.known_qty and paired.known_qty:
            # The new order's quantity would have to be named, and while it is on its way either may fill on.
            rule = f"it and {paired.order.id} have both filled a part of the position; cancel them instead."
            raise InvalidValue(f"Order {order.id}", "changed", rule)
    if qty is not None and qty != order.request.qty and (has_exits or (is_held_by is not None and is_held_by == order.parent_id)):
        raise InvalidValue("qty", plain(qty), "an entry and the exits that left with it are over one quantity; cancel them instead.")
    if has_exits and life.known_qty:
        raise InvalidValue(f"Order {order.id}", "changed", "a part of it is filled, and its exits left with it; cancel it instead.")


def _is_kind_of(leg: BrokerOrder, order: Order) -> bool:
    return (leg.type is OrderType.LIMIT) is (order.request.type is OrderType.LIMIT)
