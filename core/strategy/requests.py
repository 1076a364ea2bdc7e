"""From a strategy's words to an order request. What contradicts itself is refused with the field and the rule."""

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from operator import index
from typing import Final, TypedDict

from core.errors import InvalidValue
from core.model.instants import to_ns
from core.model.money import exact
from core.model.order import OrderLeg, OrderRequest, OrderSide, OrderType, TimeInForce

Quantity = Decimal | int | float | str
Expiry = datetime | int
"""A datetime with a zone, or UTC nanoseconds."""


class OrderTerms(TypedDict, total=False):
    """What may be said of an order besides its symbol, side and quantity. Prices in quote currency.

    Neither limit, stop nor trail: a market order. Both limit and stop: a stop-limit order.
    """

    limit: Quantity | None
    stop: Quantity | None
    trail: Quantity | None
    """A trailing stop this far, in price, behind the best price since."""
    trail_percent: Quantity | None
    """A trailing stop this many percent behind the best price since."""
    time_in_force: str | None
    """`day`, `gtc`, `gtd`, `ioc`, `fok`, `opg` or `cls`; left out: `day`, or `gtc` where there are no sessions."""
    expires: Expiry | None
    """Until when it lives: a datetime with a zone, or UTC nanoseconds. Makes it `gtd`."""
    reduce_only: bool
    """Fill no more than what brings the position to flat."""
    extended_hours: bool
    """Trade outside regular hours too; limit orders only."""
    target: Quantity | OrderLeg | None
    """Where to take the profit: a price, or a `leg`."""
    stop_loss: Quantity | OrderLeg | None
    """Where to cut the loss: a price, or a `leg`."""


_TYPE_BY_PRICES: Final = {
    (False, False): OrderType.MARKET,
    (True, False): OrderType.LIMIT,
    (False, True): OrderType.STOP,
    (True, True): OrderType.STOP_LIMIT,
}
"""The type that follows from whether a limit and a stop are given."""

_TIMES: Final = {member.value: member for member in TimeInForce}
_MARKET, _STOP, _LIMIT, _TRAILING = OrderType.MARKET, OrderType.STOP, OrderType.LIMIT, OrderType.TRAILING_STOP


def as_decimal(value: Quantity, *, field: str) -> Decimal:
    """Return a quantity or price as Decimal; a float is taken by its shortest decimal. Raises InvalidValue."""
    if type(value) is Decimal:
        return value
    if isinstance(value, float):
        return exact(value)
    try:
        return Decimal(value if isinstance(value, (Decimal, str)) else index(value))
    except (ArithmeticError, ValueError, TypeError) as error:
        raise InvalidValue(field, repr(value), "it is not a number.") from error


def order_request(
    symbol: str,
    side: OrderSide,
    qty: Quantity,
    *,
    limit: Quantity | None = None,
    stop: Quantity | None = None,
    trail: Quantity | None = None,
    trail_percent: Quantity | None = None,
    time_in_force: str | None = None,
    expires: Expiry | None = None,
    reduce_only: bool = False,
    extended_hours: bool = False,
    target: Quantity | OrderLeg | None = None,
    stop_loss: Quantity | OrderLeg | None = None,
    note: str | None = None,
) -> OrderRequest:
    """Return a request of `qty` units; its type follows from the prices given, see `OrderTerms`. Raises InvalidValue."""
    lives, expires_ns = _life(time_in_force, expires)
    return OrderRequest(
        symbol=symbol,
        side=side,
        qty=as_decimal(qty, field="qty"),
        type=_type_of(limit, stop, trail, trail_percent),
        limit_price=_price(limit, "limit_price"),
        stop_price=_price(stop, "stop_price"),
        trail_price=_price(trail, "trail_price"),
        trail_percent=_price(trail_percent, "trail_percent"),
        time_in_force=lives,
        expires_ns=expires_ns,
        reduce_only=reduce_only,
        extended_hours=extended_hours,
        target=_leg_at(target, _LIMIT, "target"),
        stop_loss=_leg_at(stop_loss, _STOP, "stop_loss"),
        note=note,
    )


def plain_request(symbol: str, side: OrderSide, qty: Decimal | float, note: str | None) -> OrderRequest:
    """Return a market order's request, as `order_request` does, in a fraction of the time. Raises InvalidValue."""
    units = qty if type(qty) is Decimal else _repeated(qty)
    return OrderRequest(symbol=symbol, side=side, qty=units, note=note)


@lru_cache(maxsize=1_024, typed=True)
def _repeated(qty: Quantity) -> Decimal:
    """Return a quantity that many orders share, made once."""
    return as_decimal(qty, field="qty")


def leg(
    *,
    limit: Quantity | None = None,
    stop: Quantity | None = None,
    trail: Quantity | None = None,
    trail_percent: Quantity | None = None,
    time_in_force: str | None = None,
    expires: Expiry | None = None,
) -> OrderLeg:
    """Return an exit leg for `target=` and `stop_loss=`; its type follows from the prices given. Raises InvalidValue."""
    lives, expires_ns = _life(time_in_force, expires)
    return OrderLeg(
        type=_type_of(limit, stop, trail, trail_percent),
        limit_price=_price(limit, "limit_price"),
        stop_price=_price(stop, "stop_price"),
        trail_price=_price(trail, "trail_price"),
        trail_percent=_price(trail_percent, "trail_percent"),
        time_in_force=lives,
        expires_ns=expires_ns,
    )


def _type_of(limit: object, stop: object, trail: object, trail_percent: object) -> OrderType:
    if trail is not None or trail_percent is not None:
        return _TRAILING
    return _TYPE_BY_PRICES[limit is not None, stop is not None]


def _price(value: Quantity | None, field: str) -> Decimal | None:
    return None if value is None else as_decimal(value, field=field)


def _leg_at(value: Quantity | OrderLeg | None, type_: OrderType, field: str) -> OrderLeg | None:
    """Return a leg as it is, and a price as a leg of this type."""
    if value is None or isinstance(value, OrderLeg):
        return value
    price = as_decimal(value, field=field)
    if not price.is_finite() or price <= 0:
        raise InvalidValue(field, price, "it must be above zero.")
    return OrderLeg(type=type_, limit_price=price) if type_ is _LIMIT else OrderLeg(type=type_, stop_price=price)


def _life(time_in_force: str | None, expires: Expiry | None) -> tuple[TimeInForce | None, int | None]:
    lives = None
    if time_in_force is not None:
        lives = _TIMES.get(time_in_force)
        if lives is None:
            raise InvalidValue("time_in_force", repr(time_in_force), f"it must be one of {', '.join(_TIMES)}.")
    if expires is None:
        return lives, None
    return lives or TimeInForce.GTD, _instant(expires)


def _instant(expires: Expiry) -> int:
    if isinstance(expires, datetime):
        if expires.tzinfo is None:
            raise InvalidValue("expires", expires.isoformat(), "it has no time zone; add tzinfo=UTC.")
        return to_ns(expires)
    try:
        return index(expires)
    except TypeError as error:
        raise InvalidValue("expires", repr(expires), "it must be a datetime with a zone, or whole nanoseconds UTC.") from error
