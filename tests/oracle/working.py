"""An order while it works: what it has become since it was placed."""

from dataclasses import dataclass, replace
from decimal import Decimal

from tests.oracle.costs import Part
from tests.oracle.market import Bar, Instrument
from tests.oracle.orders import Order, OrderType, Side, TimeInForce
from tests.oracle.outcome import Status
from tests.oracle.rounding import down_to, up_to

# Orders of one point act by their place: the submission's number, then stop before target.
Placement = tuple[int, int]


@dataclass(slots=True)
class WorkingOrder:
    """`qty` is the total. `mark`: the water mark of a trailing stop. `auction_ns`: the start of the bar of its auction."""

    id: str
    symbol: str
    side: Side
    qty: Decimal
    type: OrderType
    limit: Decimal | None
    stop: Decimal | None
    trail_price: Decimal | None
    trail_percent: Decimal | None
    time_in_force: TimeInForce
    gtd_ns: int | None
    reduce_only: bool
    extended_hours: bool
    placement: Placement
    decided_ns: int
    status: Status = "working"
    code: str | None = None
    filled: Decimal = Decimal(0)
    parts: tuple[Part, ...] = ()
    triggered: bool = False
    mark: Decimal | None = None
    expires_ns: int | None = None
    auction_ns: int | None = None
    parent: str | None = None
    sibling: str | None = None
    children: tuple[str, ...] = ()
    exit_leg: bool = False
    reason: str | None = None
    path_dependent: bool = False

    def copy(self) -> "WorkingOrder":
        return replace(self)

    @property
    def open(self) -> bool:
        return self.status in ("held", "working")

    @property
    def remaining(self) -> Decimal:
        return self.qty - self.filled

    @property
    def stop_like(self) -> bool:
        return self.type in ("stop", "stop_limit", "trailing_stop")

    @property
    def is_limit_now(self) -> bool:
        """It waits at its limit: a limit order, or a stop-limit that has triggered."""
        return self.type == "limit" or (self.type == "stop_limit" and self.triggered)

    @property
    def is_market_now(self) -> bool:
        """It takes the price that is there: a market order, or a stop that has triggered."""
        return self.type == "market" or (self.type in ("stop", "trailing_stop") and self.triggered)

    def meets(self, bar: Bar) -> bool:
        """Whether this bar exists for the order at all."""
        if self.status != "working" or self.symbol != bar.symbol or bar.start_ns < self.decided_ns:
            return False
        if not bar.regular and not self.extended_hours:
            return False
        return self.expires_ns is None or bar.start_ns < self.expires_ns

    def limit_is_reached(self, price: Decimal, trade_through: bool) -> bool:
        """Whether `price` is at the limit or better (strictly better when the market must trade through it)."""
        assert self.limit is not None
        if price == self.limit:
            return not trade_through
        return price < self.limit if self.side == "buy" else price > self.limit

    def stop_price(self, instrument: Instrument) -> Decimal | None:
        """Where it triggers now; None while a trailing stop has not met a price."""
        if self.type != "trailing_stop":
            return self.stop
        if self.mark is None:
            return None
        if self.trail_price is not None:
            distance = self.trail_price
        else:
            assert self.trail_percent is not None
            distance = self.mark * self.trail_percent / 100
        raw = self.mark + distance if self.side == "buy" else self.mark - distance
        if instrument.tick is None:
            return raw
        return up_to(raw, instrument.tick) if self.side == "buy" else down_to(raw, instrument.tick)

    def stop_is_reached(self, price: Decimal, instrument: Instrument) -> bool:
        stop = self.stop_price(instrument)
        if stop is None:
            return False
        return price >= stop if self.side == "buy" else price <= stop

    def follow(self, price: Decimal) -> None:
        """The water mark of a trailing stop takes a better price along."""
        if self.type != "trailing_stop" or self.triggered:
            return
        if self.mark is None:
            self.mark = price
        else:
            self.mark = min(self.mark, price) if self.side == "buy" else max(self.mark, price)


def from_order(order: Order, instrument: Instrument, decided_ns: int, placement: Placement) -> WorkingOrder:
    """A plain order that works from `decided_ns` on; its family and its end are set by the book."""
    default: TimeInForce = "gtc" if instrument.crypto else "day"
    return WorkingOrder(
        id=order.id,
        symbol=order.symbol,
        side=order.side,
        qty=order.qty,
        type=order.type,
        limit=order.limit,
        stop=order.stop,
        trail_price=order.trail_price,
        trail_percent=order.trail_percent,
        time_in_force=order.time_in_force or default,
        gtd_ns=order.gtd_ns,
        reduce_only=order.reduce_only,
        extended_hours=order.extended_hours,
        placement=placement,
        decided_ns=decided_ns,
    )
