"""What a script asks for: orders, groups of orders, cancel and replace."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit", "stop", "stop_limit", "trailing_stop"]
TimeInForce = Literal["day", "gtc", "ioc", "fok", "gtd", "opg", "cls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order as placed.

    `time_in_force` None: a leg takes its parent's day, gtc or gtd; else day (crypto: gtc). `gtd_ns` belongs to gtd.
    `trail_percent`: 5 means five percent of the water mark.
    `children`: none = a plain order; one = oto; two = bracket, the two are linked. A child's `qty` is not read: it grows with
    the parent's fills.
    """

    id: str
    symbol: str
    side: Side
    qty: Decimal = Decimal(0)
    type: OrderType = "market"
    limit: Decimal | None = None
    stop: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    time_in_force: TimeInForce | None = None
    gtd_ns: int | None = None
    reduce_only: bool = False
    extended_hours: bool = False
    children: tuple["Order", ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Place:
    """Submit an order, with its children."""

    order: Order


@dataclass(frozen=True, slots=True)
class PlaceOco:
    """Submit two linked orders, both live at once."""

    first: Order
    second: Order


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take an order back; one that is done, or unknown, is left as it is."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """Give a working order new terms; None keeps the old. `qty` is the new total, filled part included."""

    id: str
    qty: Decimal | None = None
    limit: Decimal | None = None
    stop: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None


Request = Place | PlaceOco | Cancel | Replace
Script = dict[int, list[Request]]


def bracket(parent: Order, *, take_profit: Decimal, stop_loss: Decimal, stop_loss_limit: Decimal | None = None) -> Order:
    """`parent` with a target `ID.target` and a stop `ID.stop` (a stop-limit where a limit is given)."""
    out: Side = "sell" if parent.side == "buy" else "buy"
    target = Order(id=f"{parent.id}.target", symbol=parent.symbol, side=out, type="limit", limit=take_profit)
    kind: OrderType = "stop" if stop_loss_limit is None else "stop_limit"
    stop = Order(id=f"{parent.id}.stop", symbol=parent.symbol, side=out, type=kind, stop=stop_loss, limit=stop_loss_limit)
    values = {name: getattr(parent, name) for name in Order.__dataclass_fields__}
    return Order(**{**values, "children": (target, stop)})
