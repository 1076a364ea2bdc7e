"""An order of ours as it goes to a broker, and what no broker takes from us in this version."""

from decimal import Decimal
from typing import Final

from core.model.broker import BrokerOrderRequest, Features
from core.model.market import AssetClass, asset_class_of
from core.model.money import is_multiple, plain
from core.model.order import Order, OrderRequest, TimeInForce

_UNIT: Final = Decimal("0.000000001")
_CENT, _FINE = Decimal("0.01"), Decimal("0.0001")


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
    asset_class, is_fraction = asset_class_of(request.symbol), request.qty != request.qty.to_integral_value()
    if asset_class is AssetClass.CRYPTO and (taken := features.crypto_times_in_force) and time_in_force not in taken:
        return f"The broker takes crypto as {' or '.join(taken)}, not as {time_in_force}."
    if asset_class is AssetClass.EQUITY and is_fraction and (taken := features.fraction_times_in_force) and time_in_force not in taken:
        return f"The broker takes fractions of a share as {' or '.join(taken)}, not as {time_in_force}."
    if request.extended_hours and not features.extended_hours:
        return "The broker does not trade outside regular hours."
    if not features.fractional and is_fraction:
        return f"The broker takes whole units only, not {plain(request.qty)}."
    if is_fraction and not is_multiple(request.qty, _UNIT):
        return f"The broker takes at most nine decimals of a quantity, not {plain(request.qty)}."
    if features.whole_cents and asset_class is AssetClass.EQUITY:
        return _off_the_cent(request)
    return None


def _off_the_cent(request: OrderRequest) -> str | None:
    """Return which price of an order for shares, or of an exit of it, no exchange quotes."""
    for one in (request, request.target, request.stop_loss):
        for price in () if one is None else (one.limit_price, one.stop_price):
            if price is not None and not is_multiple(price, _CENT if price >= 1 else _FINE):
                return f"The broker takes prices of shares in whole cents, below a dollar in hundredths of one, not {plain(price)}."
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
