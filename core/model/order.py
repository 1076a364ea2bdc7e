"""Orders and fills, and the table of legal order states."""

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from core.errors import InvalidValue


class OrderSide(StrEnum):
    """Which way an order trades."""

    __hash__ = str.__hash__  # an Enum's own hash is a Python function; orders are looked up by these millions of times

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, −1 for a sell."""
        return 1 if self is OrderSide.BUY else -1


class OrderType(StrEnum):
    """When an order acts and at what price; the rules are in docs/simulation.md."""

    __hash__ = str.__hash__

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"

    @property
    def has_limit(self) -> bool:
        """Whether it takes a limit price."""
        return self is OrderType.LIMIT or self is OrderType.STOP_LIMIT

    @property
    def has_stop(self) -> bool:
        """Whether it takes a stop price."""
        return self is OrderType.STOP or self is OrderType.STOP_LIMIT


class TimeInForce(StrEnum):
    """How long an order lives: the session of its decision, or until it is cancelled."""

    DAY = "day"
    GTC = "gtc"


class OrderStatus(StrEnum):
    """Where an order is in its life."""

    __hash__ = str.__hash__

    CREATED = "created"
    SUBMITTING = "submitting"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"

    @property
    def is_final(self) -> bool:
        """Whether nothing more can happen to the order."""
        return not ORDER_TRANSITIONS[self]


_S = OrderStatus
ORDER_TRANSITIONS: Final[dict[OrderStatus, frozenset[OrderStatus]]] = {
    # A simulated venue takes an order at once, so CREATED may pass over SUBMITTING.
    _S.CREATED: frozenset({_S.SUBMITTING, _S.ACCEPTED, _S.REJECTED, _S.CANCELLED}),
    # A fill can arrive before the acknowledgement.
    _S.SUBMITTING: frozenset({_S.ACCEPTED, _S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELLED, _S.EXPIRED, _S.REJECTED}),
    _S.ACCEPTED: frozenset({_S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELLED, _S.EXPIRED, _S.REJECTED}),
    # The rest of a partly filled order can be rejected: it is judged again at each fill.
    _S.PARTIALLY_FILLED: frozenset({_S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELLED, _S.EXPIRED, _S.REJECTED}),
    _S.FILLED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.REJECTED: frozenset(),
}


class RejectCode(StrEnum):
    """Why an order was refused; stable, shown with its figures."""

    INSUFFICIENT_CASH = "insufficient_cash"
    INSUFFICIENT_POSITION = "insufficient_position"
    INVALID_ORDER = "invalid_order"


_MARKET = OrderType.MARKET


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a strategy or a person asks for. Checks itself: an impossible order cannot be made.

    `qty` in units, above zero; prices in quote currency. `time_in_force` None means the default:
    `day`, or `gtc` for symbols without sessions. `note` is the decision's reason, kept with the order.
    """

    symbol: str
    side: OrderSide
    qty: Decimal
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        if not self.qty.is_finite() or self.qty <= 0:
            raise InvalidValue("qty", self.qty, "it must be above zero.")
        if self.type is _MARKET and self.limit_price is None and self.stop_price is None:
            return
        _check_price("limit_price", self.limit_price, wanted=self.type.has_limit, type_=self.type)
        _check_price("stop_price", self.stop_price, wanted=self.type.has_stop, type_=self.type)


def _check_price(field: str, price: Decimal | None, *, wanted: bool, type_: OrderType) -> None:
    if wanted and price is None:
        raise InvalidValue(field, "empty", f"a {type_} order needs it.")
    if not wanted and price is not None:
        raise InvalidValue(field, price, f"a {type_} order takes none.")
    if price is not None and (not price.is_finite() or price <= 0):
        raise InvalidValue(field, price, "it must be above zero.")


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An order as it stands. `id` is unique over all runs; times are UTC ns; prices in quote currency."""

    id: str
    run_id: str
    request: OrderRequest
    time_in_force: TimeInForce
    status: OrderStatus
    created_ns: int
    updated_ns: int
    filled_qty: Decimal = Decimal(0)
    avg_fill_price: Decimal | None = None
    reject_code: RejectCode | None = None
    reason: str | None = None
    """Why it ended as it did, with figures: the sentence of a rejection, expiry or cancel."""
    path_dependent: bool = False
    """Left unfilled only because of the path assumed inside a bar."""


class Fill(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One execution. `price` includes slippage; `fee` and `slippage` are money, in quote currency, never negative.

    `time_ns` is the start of the bar it happened in. `reason` is None for an ordinary fill.
    """

    id: str
    run_id: str
    order_id: str
    symbol: str
    side: OrderSide
    qty: Decimal
    price: Decimal
    fee: Decimal
    slippage: Decimal
    time_ns: int
    path_dependent: bool = False
    reason: str | None = None


class Rejection(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A refused order, with the code and the figures."""

    time_ns: int
    order_id: str
    code: RejectCode
    reason: str
