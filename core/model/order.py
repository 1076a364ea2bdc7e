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
    TRAILING_STOP = "trailing_stop"

    @property
    def has_limit(self) -> bool:
        """Whether it takes a limit price."""
        return self is _LIMIT or self is _STOP_LIMIT

    @property
    def has_stop(self) -> bool:
        """Whether it takes a stop price."""
        return self is _STOP or self is _STOP_LIMIT


class TimeInForce(StrEnum):
    """How long an order lives, and whether it is for an auction; the rules are in docs/simulation.md."""

    __hash__ = str.__hash__

    DAY = "day"
    GTC = "gtc"
    GTD = "gtd"
    """Until `OrderRequest.expires_ns`."""
    IOC = "ioc"
    """At the open of the first bar it meets, as much as there is."""
    FOK = "fok"
    """At the open of the first bar it meets, all or nothing."""
    OPG = "opg"
    """In the session's opening auction."""
    CLS = "cls"
    """In the session's closing auction."""


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
        """Whether the order works no more. All that can still come is a fill that happened before it ended."""
        return self in _FINAL


_S = OrderStatus
ORDER_TRANSITIONS: Final[dict[OrderStatus, frozenset[OrderStatus]]] = {
    # A simulated venue takes an order at once, so CREATED may pass over SUBMITTING.
    _S.CREATED: frozenset({_S.SUBMITTING, _S.ACCEPTED, _S.REJECTED, _S.CANCELLED}),
    # A fill can arrive before the acknowledgement.
    _S.SUBMITTING: frozenset({_S.ACCEPTED, _S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELLED, _S.EXPIRED, _S.REJECTED}),
    _S.ACCEPTED: frozenset({_S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELLED, _S.EXPIRED, _S.REJECTED}),
    # The rest of a partly filled order can be rejected: it is judged again at each fill.
    _S.PARTIALLY_FILLED: frozenset({_S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELLED, _S.EXPIRED, _S.REJECTED}),
    # Only where a change of it was given up and the broker made a new order of it all the same, which works on, or did.
    _S.FILLED: frozenset({_S.PARTIALLY_FILLED, _S.CANCELLED, _S.EXPIRED, _S.REJECTED}),
    # At a broker the last fill can be told after the cancel, the expiry or the refusal that it was faster than. A part
    # that is told so late moves the quantity and leaves the state as it is; the simulated venue does neither.
    _S.CANCELLED: frozenset({_S.FILLED}),
    _S.EXPIRED: frozenset({_S.FILLED}),
    _S.REJECTED: frozenset({_S.FILLED}),
}
_FINAL: Final = frozenset({_S.FILLED, _S.CANCELLED, _S.EXPIRED, _S.REJECTED})


class RejectCode(StrEnum):
    """Why an order was refused; stable, shown with its figures."""

    INSUFFICIENT_CASH = "insufficient_cash"
    INSUFFICIENT_POSITION = "insufficient_position"
    INSUFFICIENT_MARGIN = "insufficient_margin"
    NOT_SHORTABLE = "not_shortable"
    INVALID_ORDER = "invalid_order"
    BROKER_REFUSED = "broker_refused"
    """The broker said no; the reason has its words."""
    NEVER_SENT = "never_sent"
    """It did not reach the broker, and never will."""
    RISK_HALTED = "risk_halted"
    RISK_REDUCE_ONLY = "risk_reduce_only"
    RISK_NOT_ARMED = "risk_not_armed"
    RISK_UNCOMPARED = "risk_uncompared"
    RISK_SYMBOL = "risk_symbol"
    RISK_HOURS = "risk_hours"
    RISK_ORDER_QTY = "risk_order_qty"
    RISK_ORDER_VALUE = "risk_order_value"
    RISK_ORDER_SHARE = "risk_order_share"
    RISK_PRICE_DISTANCE = "risk_price_distance"
    RISK_POSITION = "risk_position"
    RISK_GROSS_EXPOSURE = "risk_gross_exposure"
    RISK_ORDER_RATE = "risk_order_rate"
    RISK_OPEN_ORDERS = "risk_open_orders"
    RISK_DUPLICATE = "risk_duplicate"
    RISK_DAILY_LOSS = "risk_daily_loss"
    RISK_DRAWDOWN = "risk_drawdown"
    RISK_SILENCE = "risk_silence"
    """The broker, or the symbol's price, has not been heard of for too long."""
    RISK_NO_PRICE = "risk_no_price"
    """A rule needs the symbol's price, and nobody knows one."""


_MARKET, _LIMIT, _TRAILING_STOP = OrderType.MARKET, OrderType.LIMIT, OrderType.TRAILING_STOP
_STOP, _STOP_LIMIT = OrderType.STOP, OrderType.STOP_LIMIT
_GTD = TimeInForce.GTD
_ZERO: Final = Decimal(0)
_AUCTIONS: Final = frozenset({TimeInForce.OPG, TimeInForce.CLS})
_LEG_TIMES: Final = frozenset({TimeInForce.DAY, TimeInForce.GTC, TimeInForce.GTD})


class LegRole(StrEnum):
    """What an order that hangs on another is for."""

    TARGET = "target"
    STOP = "stop"


class OrderLeg(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """An exit that becomes live where its parent fills, over what the parent filled, on the other side. Checks itself.

    Prices in quote currency. `time_in_force` None: the parent's `day`, `gtc` or `gtd`, else the default.
    """

    type: OrderType
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    time_in_force: TimeInForce | None = None
    expires_ns: int | None = None

    def __post_init__(self) -> None:
        if self.type is _MARKET:
            raise InvalidValue("leg", self.type, "an exit leg waits for a price: limit, stop, stop_limit or trailing_stop.")
        if self.time_in_force is not None and self.time_in_force not in _LEG_TIMES:
            raise InvalidValue("time_in_force", self.time_in_force, "an exit leg lives day, gtc or gtd.")
        _check_prices(self)

    @property
    def trigger(self) -> Decimal | None:
        """The price at which it first acts; None for a trailing stop, which has none before it is live."""
        return self.stop_price if self.type.has_stop else self.limit_price


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What a strategy or a person asks for. Checks itself: an impossible order cannot be made.

    `qty` in units, above zero; prices in quote currency; `trail_percent` 5 means five percent of the price.
    `time_in_force` None means the default: `day`, or `gtc` for symbols without sessions; `expires_ns` (UTC) goes with
    `gtd`. `target` and `stop_loss` make it a bracket (both) or a one-triggers-other (one). `note` is the decision's
    reason, kept with the order.
    """

    symbol: str
    side: OrderSide
    qty: Decimal
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    note: str | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    expires_ns: int | None = None
    reduce_only: bool = False
    extended_hours: bool = False
    target: OrderLeg | None = None
    stop_loss: OrderLeg | None = None

    def __post_init__(self) -> None:
        if not self.qty.is_finite() or self.qty <= _ZERO:
            raise InvalidValue("qty", self.qty, "it must be above zero.")
        is_plain = self.type is _MARKET and self.limit_price is self.stop_price is self.trail_price is self.trail_percent is None
        if not is_plain or self.time_in_force is _GTD or self.expires_ns is not None:
            _check_prices(self)
        if self.time_in_force is not None or self.expires_ns is not None or self.extended_hours:
            self._check_time_in_force()
        if self.target is not None or self.stop_loss is not None:
            self._check_legs()

    @property
    def is_plain(self) -> bool:
        """Whether it is a market order of the default life with nothing else to it."""
        return (
            self.type is _MARKET and self.time_in_force is None and self.target is None and self.stop_loss is None and not self.reduce_only
        )

    @property
    def is_auction(self) -> bool:
        """Whether it takes part in an opening or a closing auction only."""
        return self.time_in_force in _AUCTIONS

    def _check_time_in_force(self) -> None:
        if self.is_auction and self.type not in {_MARKET, _LIMIT}:
            raise InvalidValue("time_in_force", self.time_in_force, f"an auction takes market and limit orders, not {self.type}.")
        if self.extended_hours and (self.type is not _LIMIT or self.time_in_force not in {None, TimeInForce.DAY, TimeInForce.GTC, _GTD}):
            raise InvalidValue("extended_hours", "true", "outside the session only limit orders that are day, gtc or gtd may trade.")

    def _check_legs(self) -> None:
        target, stop_loss = self.target, self.stop_loss
        if self.reduce_only:
            raise InvalidValue("reduce_only", "true", "an order that only reduces opens nothing that exit legs could close.")
        if target is not None and target.type is not _LIMIT:
            raise InvalidValue("target", target.type, "a target is a limit order.")
        if stop_loss is not None and stop_loss.type is _LIMIT:
            raise InvalidValue("stop_loss", stop_loss.type, "it must be a stop, stop_limit or trailing_stop order.")
        above, below = (target, stop_loss) if self.side is OrderSide.BUY else (stop_loss, target)
        upper = None if above is None else above.trigger
        lower = None if below is None else below.trigger
        words = "the target must lie above the stop loss" if self.side is OrderSide.BUY else "the target must lie below the stop loss"
        if upper is not None and lower is not None and upper <= lower:
            raise InvalidValue(
                "target", target.limit_price if target else "", f"{words} of a {self.side}, {lower if above is target else upper}."
            )
        entry = self.limit_price if self.type is not OrderType.STOP else self.stop_price
        if entry is not None and upper is not None and upper <= entry:
            field, leg = ("target", target) if above is target else ("stop_loss", stop_loss)
            raise InvalidValue(field, leg.trigger if leg else "", f"it must lie above the {self.side} price {entry}.")
        if entry is not None and lower is not None and lower >= entry:
            field, leg = ("target", target) if below is target else ("stop_loss", stop_loss)
            raise InvalidValue(field, leg.trigger if leg else "", f"it must lie below the {self.side} price {entry}.")


def exit_request(parent: OrderRequest, leg: OrderLeg, time_in_force: TimeInForce | None, expires_ns: int | None) -> OrderRequest:
    """Return an exit leg as an order of its own: the other side, over the parent's quantity, only to reduce."""
    return OrderRequest(
        symbol=parent.symbol,
        side=OrderSide.SELL if parent.side is OrderSide.BUY else OrderSide.BUY,
        qty=parent.qty,
        type=leg.type,
        limit_price=leg.limit_price,
        stop_price=leg.stop_price,
        trail_price=leg.trail_price,
        trail_percent=leg.trail_percent,
        time_in_force=time_in_force,
        expires_ns=expires_ns,
        reduce_only=True,
    )


def _check_prices(order: OrderRequest | OrderLeg) -> None:
    """Raise InvalidValue for a price that is missing, not wanted or not above zero."""
    type_ = order.type
    _check_price("limit_price", order.limit_price, wanted=type_.has_limit, type_=type_)
    _check_price("stop_price", order.stop_price, wanted=type_.has_stop, type_=type_)
    if type_ is not _TRAILING_STOP:
        _check_price("trail_price", order.trail_price, wanted=False, type_=type_)
        _check_price("trail_percent", order.trail_percent, wanted=False, type_=type_)
    elif (order.trail_price is None) is (order.trail_percent is None):
        raise InvalidValue("trail_price", order.trail_price or "empty", "a trailing_stop order takes either trail_price or trail_percent.")
    else:
        _check_price("trail_price", order.trail_price, wanted=order.trail_price is not None, type_=type_)
        _check_price("trail_percent", order.trail_percent, wanted=order.trail_percent is not None, type_=type_)
        if order.trail_percent is not None and order.trail_percent >= 100:
            raise InvalidValue("trail_percent", order.trail_percent, "it must be below 100.")
    if (order.time_in_force is _GTD) is not (order.expires_ns is not None):
        raise InvalidValue("expires_ns", order.expires_ns or "empty", "it goes with gtd, and gtd needs it.")


def _check_price(field: str, price: Decimal | None, *, wanted: bool, type_: OrderType) -> None:
    if wanted and price is None:
        raise InvalidValue(field, "empty", f"a {type_} order needs it.")
    if not wanted and price is not None:
        raise InvalidValue(field, price, f"a {type_} order takes none.")
    if price is not None and (not price.is_finite() or price <= 0):
        raise InvalidValue(field, price, "it must be above zero.")


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """An order as it stands. `id` is unique over all runs; times are UTC ns; prices in quote currency.

    At a broker its `id` is the `client_order_id`, by which it is looked up when an answer is lost.
    """

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
    parent_id: str | None = None
    """The order on whose fill this one became live."""
    sibling_id: str | None = None
    """The order that this one cancels by filling."""
    account: str | None = None
    """The broker's account it went to, `BROKER:ACCOUNT`; None in a backtest."""
    broker_id: str | None = None
    """The broker's own id, once it is known."""


class Fill(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
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
