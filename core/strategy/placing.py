"""The actions that place, pair and change orders, made from a strategy's words."""

from decimal import Decimal
from typing import Final, Unpack

from core.errors import InvalidValue
from core.model.order import OrderLeg, OrderRequest, OrderSide, OrderType
from core.strategy.actions import CashSize, EquityShare, PlaceOneCancelsOther, PlaceOrder, ReplaceOrder
from core.strategy.requests import Expiry, OrderTerms, Quantity, as_decimal, leg, order_request, plain_request

Size = Quantity | CashSize | EquityShare
"""Units, or what `cash` and `equity_share` return."""

_STAND_IN: Final = Decimal(1)
"""The quantity of a request whose units are not settled yet."""

_BUY, _SELL = OrderSide.BUY, OrderSide.SELL


def cash(amount: Quantity) -> CashSize:
    """Return the size of an order for this much money, at the newest close. Raises InvalidValue."""
    return CashSize(as_decimal(amount, field="cash"))


def equity_share(share: Quantity) -> EquityShare:
    """Return the size of an order for a share of the equity: 0.5 is half of it. Raises InvalidValue."""
    return EquityShare(as_decimal(share, field="equity_share"))


def buy(symbol: str, qty: Size, *, note: str | None = None, ref: str | None = None, **terms: Unpack[OrderTerms]) -> PlaceOrder:
    """Return the action that buys; see `OrderTerms` for the terms. Raises InvalidValue."""
    return placed(symbol, _BUY, qty, note, ref, terms)


def sell(symbol: str, qty: Size, *, note: str | None = None, ref: str | None = None, **terms: Unpack[OrderTerms]) -> PlaceOrder:
    """Return the action that sells; see `OrderTerms` for the terms. Raises InvalidValue."""
    return placed(symbol, _SELL, qty, note, ref, terms)


def placed(symbol: str, side: OrderSide, qty: Size, note: str | None, ref: str | None, terms: OrderTerms) -> PlaceOrder:
    """Return the action that places an order. Raises InvalidValue."""
    if not terms and (type(qty) is float or type(qty) is Decimal or type(qty) is int):
        return PlaceOrder(plain_request(symbol, side, qty, note), ref)
    if isinstance(qty, (CashSize, EquityShare)):
        return PlaceOrder(order_request(symbol, side, _STAND_IN, note=note, **terms), ref, qty)
    return PlaceOrder(order_request(symbol, side, qty, note=note, **terms), ref)


def oco(
    symbol: str,
    side: OrderSide | str,
    qty: Quantity,
    *,
    limit: Quantity | OrderLeg,
    stop: Quantity | OrderLeg,
    time_in_force: str | None = None,
    expires: Expiry | None = None,
    reduce_only: bool = False,
    note: str | None = None,
    refs: tuple[str, str] | None = None,
) -> PlaceOneCancelsOther:
    """Return the action that places a limit order and a stop order, of which one cancels the other. Raises InvalidValue.

    `limit` and `stop` are prices or a `leg`; a leg without a time in force has that of the pair.
    """
    way = _side(side)
    first = limit if isinstance(limit, OrderLeg) else leg(limit=limit)
    second = stop if isinstance(stop, OrderLeg) else leg(stop=stop)
    if first.type is not OrderType.LIMIT:
        raise InvalidValue("limit", first.type, "it must be a limit order.")
    if second.type is OrderType.LIMIT:
        raise InvalidValue("stop", second.type, "it must be a stop, stop_limit or trailing_stop order.")
    if first.limit_price is not None and second.stop_price is not None:
        if way is _SELL and first.limit_price <= second.stop_price:
            raise InvalidValue("limit", first.limit_price, f"the limit of a sell must lie above its stop, {second.stop_price}.")
        if way is _BUY and first.limit_price >= second.stop_price:
            raise InvalidValue("limit", first.limit_price, f"the limit of a buy must lie below its stop, {second.stop_price}.")
    units = as_decimal(qty, field="qty")
    requests = [_request(symbol, way, units, one, time_in_force, expires, note, reduce_only=reduce_only) for one in (first, second)]
    return PlaceOneCancelsOther(requests[0], requests[1], *(refs or (None, None)))


def replaced(
    ref: str,
    *,
    qty: Quantity | None = None,
    limit: Quantity | None = None,
    stop: Quantity | None = None,
    trail: Quantity | None = None,
    trail_percent: Quantity | None = None,
    note: str | None = None,
) -> ReplaceOrder:
    """Return the action that changes a working order; what is left out stays. `qty` is the new total. Raises InvalidValue."""
    given = {"qty": qty, "limit_price": limit, "stop_price": stop, "trail_price": trail, "trail_percent": trail_percent}
    changes = {field: as_decimal(value, field=field) for field, value in given.items() if value is not None}
    return ReplaceOrder(ref=ref, note=note, **changes)


def _side(text: OrderSide | str) -> OrderSide:
    if text not in {"buy", "sell"}:
        raise InvalidValue("side", repr(text), "it must be buy or sell.")
    return OrderSide(text)


def _request(
    symbol: str,
    side: OrderSide,
    qty: Decimal,
    one: OrderLeg,
    time_in_force: str | None,
    expires: Expiry | None,
    note: str | None,
    *,
    reduce_only: bool,
) -> OrderRequest:
    own_life = one.time_in_force is not None
    return order_request(
        symbol,
        side,
        qty,
        limit=one.limit_price,
        stop=one.stop_price,
        trail=one.trail_price,
        trail_percent=one.trail_percent,
        time_in_force=one.time_in_force if own_life else time_in_force,
        expires=one.expires_ns if own_life else expires,
        reduce_only=reduce_only,
        note=note,
    )
