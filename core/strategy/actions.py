"""What a strategy can ask for."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from core.errors import InvalidValue
from core.model.money import exact
from core.model.order import OrderRequest, OrderSide, OrderType, TimeInForce

Quantity = Decimal | int | float | str


class FetchWindow(msgspec.Struct, frozen=True, gc=False):
    """Ask for the last `bars` bars of `symbol`; they come to `on_data`. `timeframe` None: the run's own."""

    symbol: str
    bars: int
    timeframe: str | None = None


class CashSize(msgspec.Struct, frozen=True, gc=False):
    """A quantity said in money: as many units as `amount` buys at the newest close."""

    amount: Decimal


class EquityShare(msgspec.Struct, frozen=True, gc=False):
    """A quantity said as a share of the account's equity at the newest closes: 0.5 is half of it."""

    share: Decimal


class PlaceOrder(msgspec.Struct, frozen=True, gc=False):
    """Place an order. `ref` names it within the run, so that it can be cancelled or replaced.

    Its exit legs, when it has any, are known as `REF.target` and `REF.stop`. With a `size` the request's quantity is
    only a stand-in: the units are settled when the order is routed, rounded down to the lot.
    """

    request: OrderRequest
    ref: str | None = None
    size: CashSize | EquityShare | None = None


class PlaceOneCancelsOther(msgspec.Struct, frozen=True, gc=False):
    """Place two orders of one symbol and side at once; what one fills is taken off the other."""

    first: OrderRequest
    second: OrderRequest
    first_ref: str | None = None
    second_ref: str | None = None

    def __post_init__(self) -> None:
        if self.first.symbol != self.second.symbol or self.first.side != self.second.side or self.first.qty != self.second.qty:
            raise InvalidValue("second", self.second.symbol, "the two orders must have one symbol, side and quantity.")
        for request in (self.first, self.second):
            if request.target is not None or request.stop_loss is not None or request.is_auction:
                raise InvalidValue("second", self.second.symbol, "neither order may have exit legs of its own, nor be for an auction.")


class ReplaceOrder(msgspec.Struct, frozen=True, gc=False):
    """Change a working order; what is None stays. `qty` is the new total, filled part included."""

    ref: str
    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    note: str | None = None


class CancelOrder(msgspec.Struct, frozen=True, gc=False):
    """Take back the order that was placed as `ref`. One that is already over is left alone."""

    ref: str
    note: str | None = None


class StopRun(msgspec.Struct, frozen=True, gc=False):
    """End the run here."""

    reason: str


class Note(msgspec.Struct, frozen=True, gc=False):
    """Write a line into the run's activity."""

    text: str


Action = FetchWindow | PlaceOrder | PlaceOneCancelsOther | ReplaceOrder | CancelOrder | StopRun | Note
Actions = Iterable[Action] | Action | None


_TYPE_BY_PRICES: Final = {
    (False, False): OrderType.MARKET,
    (True, False): OrderType.LIMIT,
    (False, True): OrderType.STOP,
    (True, True): OrderType.STOP_LIMIT,
}
"""The type that follows from whether a limit and a stop are given."""


def as_decimal(value: Quantity, *, field: str) -> Decimal:
    """Return a quantity or price as Decimal; a float is taken by its shortest decimal. Raises InvalidValue."""
    if isinstance(value, float):
        return exact(value)
    try:
        return Decimal(value)
    except (ArithmeticError, ValueError, TypeError) as error:
        raise InvalidValue(field, repr(value), "it is not a number.") from error


def order_request(
    symbol: str,
    side: OrderSide,
    qty: Quantity,
    *,
    limit: Quantity | None = None,
    stop: Quantity | None = None,
    time_in_force: str | None = None,
    note: str | None = None,
) -> OrderRequest:
    """Return a request whose type follows from the prices given: none market, limit, stop, both stop-limit.

    `qty` in units, `limit` and `stop` in quote currency, `time_in_force` `day` or `gtc`. Raises InvalidValue.
    """
    type_ = _TYPE_BY_PRICES[limit is not None, stop is not None]
    if time_in_force is not None and time_in_force not in set(TimeInForce):
        raise InvalidValue("time_in_force", repr(time_in_force), f"it must be one of {', '.join(TimeInForce)}.")
    return OrderRequest(
        symbol=symbol,
        side=side,
        qty=as_decimal(qty, field="qty"),
        type=type_,
        limit_price=None if limit is None else as_decimal(limit, field="limit_price"),
        stop_price=None if stop is None else as_decimal(stop, field="stop_price"),
        time_in_force=None if time_in_force is None else TimeInForce(time_in_force),
        note=note,
    )
