"""Two exits of which one cancels the other, as the one order that a broker makes of them.

A broker that holds units back for each working sale takes no second one over the same units; as one order it does, and it
minds the pair while the program is off. Pure.
"""

from collections.abc import Sequence
from typing import Final

from core.model.broker import BrokerOrderRequest, Features, OrderClass
from core.model.market import AssetClass, asset_class_of
from core.model.order import Order, OrderStatus, OrderType, TimeInForce

_STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_LIVES: Final = frozenset({TimeInForce.DAY, TimeInForce.GTC})


def pairs_of(orders: Sequence[Order], features: Features) -> list[tuple[Order, Order]]:
    """Return the pairs among orders that leave together which the broker takes as one order, each target first."""
    by_id = {order.id: order for order in orders if order.status is OrderStatus.SUBMITTING}
    found = []
    for target in by_id.values():
        stop = by_id.get(target.sibling_id or "")
        if stop is not None and fits_as_pair(target, stop, features):
            found.append((target, stop))
    return found


def pair_request(target: Order, stop: Order) -> BrokerOrderRequest:
    """Return a pair as it leaves, under the target's id. Raises InvalidValue."""
    return BrokerOrderRequest(
        client_order_id=target.id,
        symbol=target.request.symbol,
        side=target.request.side,
        type=OrderType.LIMIT,
        time_in_force=target.time_in_force,
        qty=target.request.qty,
        order_class=OrderClass.OCO,
        target_price=target.request.limit_price,
        stop_loss_price=stop.request.stop_price,
        stop_loss_limit=stop.request.limit_price,
    )


def fits_as_pair(target: Order, stop: Order, features: Features) -> bool:
    """Tell whether a broker of these features takes two exits of which one cancels the other as one order."""
    one, other = target.request, stop.request
    return (
        OrderClass.OCO in features.order_classes
        and asset_class_of(one.symbol) is AssetClass.EQUITY
        and one.type is OrderType.LIMIT
        and other.type in _STOPS
        and (one.symbol, one.side, one.qty) == (other.symbol, other.side, other.qty)
        and one.qty == one.qty.to_integral_value()
        and target.time_in_force is stop.time_in_force
        and target.time_in_force in _LIVES
        and one.reduce_only
        and other.reduce_only
        and not (one.extended_hours or other.extended_hours)
    )
