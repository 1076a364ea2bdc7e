"""An order of ours as it goes to a broker, and what no broker takes from us in this version."""

from core.model.broker import BrokerOrderRequest, Features
from core.model.market import asset_class_of
from core.model.order import Order, OrderRequest, TimeInForce


def what_cannot_be_sent(request: OrderRequest, time_in_force: TimeInForce, features: Features) -> str | None:
    """Return why an order cannot go to a broker of these features, or None."""
    if time_in_force is TimeInForce.GTD and time_in_force not in features.times_in_force:
        return "The broker takes no gtd; use gtc, and cancel it."
    if asset_class_of(request.symbol) not in features.assets:
        return f"The broker does not trade {request.symbol}."
    if request.type not in features.order_types:
        return f"The broker takes no {request.type.replace('_', ' ')} orders."
    if time_in_force not in features.times_in_force:
        return f"The broker takes no {time_in_force} orders of this kind."
    if request.extended_hours and not features.extended_hours:
        return "The broker does not trade outside regular hours."
    if not features.fractional and request.qty != request.qty.to_integral_value():
        return f"The broker takes whole units only, not {request.qty}."
    return None


def broker_request(order: Order) -> BrokerOrderRequest:
    """Return the order as it leaves. Raises InvalidValue."""
    request = order.request
    return BrokerOrderRequest(
        client_order_id=order.id,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        time_in_force=order.time_in_force,
        qty=request.qty,
        limit_price=request.limit_price,
        stop_price=request.stop_price,
        trail_price=request.trail_price,
        trail_percent=request.trail_percent,
        extended_hours=request.extended_hours,
        expires_ns=request.expires_ns if order.time_in_force is TimeInForce.GTD else None,
    )
