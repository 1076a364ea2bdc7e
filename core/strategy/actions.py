"""What a strategy can ask for."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from core.errors import InvalidValue
from core.model.order import OrderRequest
from core.strategy.requests import Quantity as Quantity
from core.strategy.requests import as_decimal as as_decimal
from core.strategy.requests import order_request as order_request


class FetchWindow(msgspec.Struct, frozen=True, gc=False):
    """Ask for the last `bars` bars of `symbol`; they come to `on_data`. `timeframe` None: the run's own."""

    symbol: str
    bars: int
    timeframe: str | None = None


class CashSize(msgspec.Struct, frozen=True, gc=False):
    """A quantity said in money: as many units as `amount` buys at the newest close. Checks itself."""

    amount: Decimal

    def __post_init__(self) -> None:
        if not self.amount.is_finite() or self.amount <= 0:
            raise InvalidValue("cash", self.amount, "it must be above zero.")


class EquityShare(msgspec.Struct, frozen=True, gc=False):
    """A quantity said as a share of the account's equity at the newest closes: 0.5 is half of it. Checks itself."""

    share: Decimal

    def __post_init__(self) -> None:
        if not self.share.is_finite() or not 0 < self.share <= 10:
            raise InvalidValue("equity_share", self.share, "it must be above 0 and at most 10; 0.5 is half of the equity.")


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
    """Change a working order; what is None stays. `qty` is the new total, filled part included. Checks itself."""

    ref: str
    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        changes = {
            "qty": self.qty,
            "limit_price": self.limit_price,
            "stop_price": self.stop_price,
            "trail_price": self.trail_price,
            "trail_percent": self.trail_percent,
        }
        for field, value in changes.items():
            if value is not None and (not value.is_finite() or value <= 0):
                raise InvalidValue(field, value, "it must be above zero.")
        if self.trail_percent is not None and self.trail_percent >= 100:
            raise InvalidValue("trail_percent", self.trail_percent, "it must be below 100.")
        if all(value is None for value in changes.values()):
            raise InvalidValue("replace", self.ref, "say what is to change: qty, limit, stop, trail or trail_percent.")


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
