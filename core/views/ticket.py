"""The order ticket without its widgets: from what stands in its fields to an order, and from a preview to words."""

from decimal import Decimal
from typing import Final

import msgspec

from core.errors import InvalidValue
from core.model.broker import Features
from core.model.hand import AccountView, HandOrder, OrderPreview
from core.model.money import parse_money, plain
from core.model.order import Order, OrderSide, OrderStatus, OrderType, TimeInForce
from core.views.columns import Kind
from core.views.decimals import price_text
from core.views.held import AccountFigure

PRICE_FIELDS: Final = {
    OrderType.MARKET: (),
    OrderType.LIMIT: ("limit",),
    OrderType.STOP: ("stop",),
    OrderType.STOP_LIMIT: ("stop", "limit"),
    OrderType.TRAILING_STOP: ("trail",),
}
"""The prices that an order of a type takes, in the order of the fields."""

DEFAULT_TIME: Final = ""
"""The choice that leaves the time in force to the symbol: `day`, crypto `gtc`."""


class TicketEntries(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the fields. `trail` ends in `%` for a percent; `size_is_money`: the size is an amount of money."""

    symbol: str = ""
    side: OrderSide = OrderSide.BUY
    type: OrderType = OrderType.MARKET
    size: str = ""
    size_is_money: bool = False
    limit: str = ""
    stop: str = ""
    trail: str = ""
    time_in_force: str = DEFAULT_TIME
    extended_hours: bool = False
    reduce_only: bool = False
    target: str = ""
    stop_loss: str = ""
    stop_loss_limit: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether nothing can be said of it yet: no symbol, or no size."""
        return not self.symbol.strip() or not self.size.strip()

    def order(self) -> HandOrder:
        """Return the order. Raises InvalidValue with the name of the field."""
        if not self.symbol.strip():
            raise InvalidValue("symbol", "empty", "name what to trade.")
        taken = PRICE_FIELDS[self.type]
        size = _amount(self.size, "size")
        trail = self.trail.strip()
        return HandOrder(
            symbol=self.symbol.strip().upper(),
            side=self.side,
            type=self.type,
            qty=None if self.size_is_money else size,
            notional=size if self.size_is_money else None,
            limit_price=_amount(self.limit, "limit") if "limit" in taken else None,
            stop_price=_amount(self.stop, "stop") if "stop" in taken else None,
            time_in_force=TimeInForce(self.time_in_force) if self.time_in_force else None,
            trail_percent=_amount(trail[:-1], "trail") if "trail" in taken and trail.endswith("%") else None,
            trail_price=_amount(trail, "trail") if "trail" in taken and not trail.endswith("%") else None,
            extended_hours=self.extended_hours,
            reduce_only=self.reduce_only,
            target_price=_optional(self.target, "target"),
            stop_loss_price=_optional(self.stop_loss, "stop_loss"),
            stop_loss_limit=_optional(self.stop_loss_limit, "stop_loss_limit"),
        )

    @property
    def act(self) -> str:
        """What the send button does: `Buy 10 SPY`, `Sell 500.00 of SPY`; without a size or a symbol only the side."""
        size, symbol = self.size.strip(), self.symbol.strip().upper()
        words = [self.side.value.capitalize(), *([size, *(["of"] if self.size_is_money else [])] if size else []), symbol]
        return " ".join(word for word in words if word)


def _amount(text: str, field: str) -> Decimal:
    if not text.strip():
        raise InvalidValue(field, "empty", "this order needs it.")
    amount = parse_money(text.replace(",", "").replace("\u2009", ""), field=field)
    if amount <= 0:
        raise InvalidValue(field, text.strip(), "it must be above zero.")
    return amount


def _optional(text: str, field: str) -> Decimal | None:
    return _amount(text, field) if text.strip() else None


FIELD_OF: Final = {
    "qty": "size",
    "notional": "size",
    "limit_price": "limit",
    "stop_price": "stop",
    "trail_price": "trail",
    "trail_percent": "trail",
    "target_price": "target",
    "stop_loss_price": "stop_loss",
    "expires_ns": "time_in_force",
}
"""Where the ticket shows an error of a field that core names otherwise."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What the ticket offers at an account: only what its broker declares."""

    types: tuple[OrderType, ...]
    times: tuple[str, ...]
    money: bool
    extended_hours: bool


ANYWHERE: Final = Offer(types=tuple(OrderType), times=(DEFAULT_TIME, "day", "gtc"), money=True, extended_hours=True)
"""While no account is connected."""


def offer_of(features: Features) -> Offer:
    """Return what can be offered at a broker; gtd has no field on the ticket."""
    times = tuple(time.value for time in features.times_in_force if time is not TimeInForce.GTD)
    return Offer(
        types=tuple(kind for kind in OrderType if kind in features.order_types),
        times=(DEFAULT_TIME, *times),
        money=features.notional or features.fractional,
        extended_hours=features.extended_hours,
    )


_EXITS: Final = {
    "with it": "One order takes them along; the broker minds them, also while the program is off.",
    "after it": "The program sends them when it is over, over what it filled: until then, and while it is off, they protect nothing.",
}


def preview_figures(preview: OrderPreview) -> tuple[AccountFigure, ...]:
    """Return what an order would come to, as figures, the weightiest first."""
    sources = {"quote": "the quote", "limit": "its own limit", "last": "the last price", "none": ""}
    is_sell = preview.order.side is OrderSide.SELL
    at = sources.get(preview.price_source, preview.price_source)
    exits = AccountFigure(
        name="exits", title="Exits leave", value=preview.exits_leave, kind=Kind.TEXT, tip=_EXITS.get(preview.exits_leave, "")
    )
    return (
        AccountFigure(name="cost", title="Brings" if is_sell else "Costs", value=preview.cost),
        AccountFigure(name="power-after", title="Power after", value=preview.buying_power_after, tip="Buying power when it has filled."),
        AccountFigure(name="position-after", title="Then held", value=preview.position_after, kind=Kind.NUMBER, signed=True),
        AccountFigure(name="price", title="Price", value=preview.price, kind=Kind.PRICE, tip=f"By {at}." if at else ""),
        AccountFigure(name="quantity", title="Quantity", value=preview.qty, kind=Kind.NUMBER),
        *((exits,) if preview.exits_leave else ()),
    )


def why_not(entries: TicketEntries, view: AccountView | None, preview: OrderPreview | None) -> str:
    """Return why an order cannot be sent now, a sentence; empty when it can."""
    if view is None:
        return "Connect an account first."
    if entries.is_blank:
        return "Name a symbol and a size."
    try:
        entries.order()
    except InvalidValue as error:
        return str(error)
    if preview is None:
        return "Looking at what it would come to …"
    return " ".join(verdict.sentence for verdict in preview.verdicts)


def doubt_of(preview: OrderPreview) -> str:
    """Return what speaks against an order that may leave, a sentence: the broker will hardly take it. Empty when nothing does."""
    after = preview.buying_power_after
    if after is not None and after < 0 and after < preview.buying_power:
        return "It takes more than the buying power there is; the broker will hardly accept it."
    return ""


def sent_words(order: Order) -> str:
    """Return what became of an order that was just sent, as far as its row tells."""
    request, filled = order.request, order.filled_qty
    act = f"{request.side.value.capitalize()} {plain(request.qty)} {request.symbol}"
    done = "Bought" if request.side is OrderSide.BUY else "Sold"
    at = "" if order.avg_fill_price is None else f" at {price_text(request.symbol, order.avg_fill_price)}"
    part = f" {done} {plain(filled)}{at}." if filled else ""
    reason = f" {order.reason}" if order.reason else ""
    match order.status:
        case OrderStatus.REJECTED:
            return f"{act} was refused.{reason}"
        case OrderStatus.FILLED:
            return f"{done} {plain(filled)} {request.symbol}{at}."
        case OrderStatus.PARTIALLY_FILLED:
            return f"{act} works.{part}"
        case OrderStatus.CANCELLED | OrderStatus.EXPIRED:
            return f"{act} {'was cancelled' if order.status is OrderStatus.CANCELLED else 'has expired'}.{part}{reason}"
        case OrderStatus.ACCEPTED:
            return f"{act} works; the broker has it."
        case _:
            return f"{act} is sent; the broker has not answered yet."


def lost_words(order: Order) -> str:
    """Return what is to be said of an order on its way when the account is no longer connected."""
    act = f"{order.request.side.value.capitalize()} {plain(order.request.qty)} {order.request.symbol}"
    return f"{act} was on its way when the connection ended. Connect the account again: then it is looked up, and shown as it stands there."


def sent_role(order: Order) -> str:
    """Return the role of the words: `error`, `good`, or `muted` while nothing is known."""
    if order.status is OrderStatus.REJECTED:
        return "error"
    return "muted" if order.status in {OrderStatus.CREATED, OrderStatus.SUBMITTING} else "good"
