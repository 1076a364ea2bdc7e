"""A working order, as the matching sees it."""

from decimal import Decimal
from typing import Final

from core.model.money import ZERO, ceil_to, exact, floor_to
from core.model.order import LegRole, OrderLeg, OrderRequest, OrderSide, OrderType, TimeInForce

# Looking a member up in its Enum costs ten times as much as a name of the module, and this is done for every order.
_BUY = OrderSide.BUY
_MARKET, _LIMIT = OrderType.MARKET, OrderType.LIMIT
_STOP_LIMIT, _TRAILING_STOP = OrderType.STOP_LIMIT, OrderType.TRAILING_STOP
_OPG, _CLS = TimeInForce.OPG, TimeInForce.CLS
_AT_OPEN_ONLY: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK, TimeInForce.OPG})
_PERCENT: Final = Decimal("0.01")

OrderState = tuple[Decimal, Decimal, Decimal, Decimal, Decimal, bool, bool, bool, Decimal | None]


class WorkingOrder:
    """An order that can still fill. Its terms may be replaced; its state moves as it meets bars.

    `live_from_ns`: the first bar start it can meet; `dead_from_ns`: the first it cannot. `qty` is the total, `filled` of it
    is done. `mark` is a trailing stop's water mark. `legs` wait for its fills; `parent`, `sibling` and `role` are a leg's own.
    """

    # What most orders never have is said once, for the class: an order is made for each of hundreds of thousands of decisions.
    filled = ZERO
    filled_money = ZERO
    charged_qty = ZERO
    """Units filled as they were counted then: a split changes `filled`, and no fee that was paid."""
    fees = ZERO
    tick: Decimal | None = None
    role: LegRole | None = None
    parent: "WorkingOrder | None" = None
    sibling: "WorkingOrder | None" = None
    legs: "tuple[WorkingOrder, ...]" = ()
    is_live = True
    goes_when_flat = False
    """Whether it is there to close a position only, and is cancelled once there is none."""
    place = 0
    """Its place among the orders of the run, by which it acts at a price that several reach at once."""
    gone = False
    triggered = False
    rested = False
    """Whether it has waited at its limit on a market that comes quote by quote: what takes it then pays the taker's fee."""
    mark: Decimal | None = None
    path_dependent = False
    reason: str | None = None
    reduces = False
    is_extended = False
    limit: Decimal | None = None
    stop: Decimal | None = None
    limit_near = 0.0
    stop_near = 0.0
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    is_market = False
    is_limit = False
    is_plain = False
    is_fok = False
    acts_at_open_only = False
    in_closing_auction = False

    def __init__(
        self,
        id: str,
        ref: str,
        request: OrderRequest,
        live_from_ns: int,
        dead_from_ns: int | None,
        time_in_force: TimeInForce = TimeInForce.GTC,
    ) -> None:
        self.id = id
        self.ref = ref
        self.request = request
        self.symbol = request.symbol
        self.side = side = request.side
        self.is_buy = side is _BUY
        self.qty = request.qty
        self.live_from_ns = live_from_ns
        self.dead_from_ns = dead_from_ns
        self.time_in_force = time_in_force
        self.type = kind = request.type
        if kind is _MARKET:
            self.is_market = True
        else:
            self.is_limit = kind is _LIMIT
            self.price(request)
        if request.reduce_only:
            self.reduces = True
        if request.extended_hours:
            self.is_extended = True
        if time_in_force in _AT_OPEN_ONLY:
            self.is_fok = time_in_force is TimeInForce.FOK
            self.acts_at_open_only = True
        elif time_in_force is _CLS:
            self.in_closing_auction = True
        elif kind is _MARKET and not request.reduce_only:
            self.is_plain = True

    def price(self, terms: OrderRequest | OrderLeg) -> None:
        """Take the prices of `terms`."""
        self.limit, self.stop = terms.limit_price, terms.stop_price
        self.limit_near = 0.0 if self.limit is None else float(self.limit)
        self.stop_near = 0.0 if self.stop is None else float(self.stop)
        self.trail_price, self.trail_percent = terms.trail_price, terms.trail_percent

    @classmethod
    def leg(
        cls, id: str, ref: str, request: OrderRequest, role: LegRole, parent: "WorkingOrder", time_in_force: TimeInForce
    ) -> "WorkingOrder":
        """Return an exit leg that waits for `parent` to fill; `request` is the leg as an order of its own."""
        order = cls(id, ref, request, 0, None, time_in_force)
        order.role = role
        order.parent = parent
        order.reduces = order.goes_when_flat = True
        order.is_live = False
        order.qty = ZERO
        return order

    @property
    def open_qty(self) -> Decimal:
        """Units that are still to be filled."""
        return self.qty - self.filled

    @property
    def in_auction(self) -> bool:
        return self.in_closing_auction or self.time_in_force is _OPG

    @property
    def acts_as_market(self) -> bool:
        """Whether it takes any price at the next open: a market order, or a stop that was reached."""
        return self.is_market or (self.triggered and self.type is not _STOP_LIMIT)

    @property
    def acts_as_limit(self) -> bool:
        """Whether it waits at its limit."""
        return self.is_limit or (self.triggered and self.type is _STOP_LIMIT)

    @property
    def is_resting(self) -> bool:
        """Whether it waits for one price that only replacing it changes."""
        if self.acts_at_open_only or self.in_closing_auction or self.acts_as_market:
            return False
        return self.type is not _TRAILING_STOP

    @property
    def waits_below(self) -> bool:
        """Whether a resting order acts when the market comes down to `rests_at`, rather than up."""
        return self.is_buy is self.acts_as_limit

    @property
    def rests_at(self) -> float:
        """The nearest float to the price a resting order waits for."""
        return self.limit_near if self.acts_as_limit else self.stop_near

    def can_meet(self, bar_start_ns: int) -> bool:
        """Tell whether a bar that starts then is one this order may fill in."""
        return self.live_from_ns <= bar_start_ns and (self.dead_from_ns is None or bar_start_ns < self.dead_from_ns)

    def can_act(self, high: float, low: float) -> bool:
        """Tell whether a bar of this range might make it act; never wrongly says no (rounding to floats keeps order).

        A trailing stop that cannot be reached on either path follows the bar here and now.
        """
        if self.is_market or self.acts_at_open_only or self.in_closing_auction:
            return True
        if self.is_limit:
            return low <= self.limit_near if self.is_buy else high >= self.limit_near
        if self.triggered:
            return self.type is not _STOP_LIMIT or (low <= self.limit_near if self.is_buy else high >= self.limit_near)
        if self.type is _TRAILING_STOP:
            return self._may_reach_trail(high, low)
        return high >= self.stop_near if self.is_buy else low <= self.stop_near

    def _may_reach_trail(self, high: float, low: float) -> bool:
        if self.mark is None:
            return True
        best = min(self.mark, exact(low)) if self.is_buy else max(self.mark, exact(high))
        level = self.trail_from(best)
        if exact(high) >= level if self.is_buy else exact(low) <= level:
            return True
        self.mark = best
        return False

    def stop_now(self) -> Decimal | None:
        """Return the price at which it triggers now; None where there is none yet."""
        if self.type is not _TRAILING_STOP:
            return self.stop
        return None if self.mark is None else self.trail_from(self.mark)

    def trail_from(self, mark: Decimal) -> Decimal:
        """Return the trailing stop that belongs to a water mark, rounded to the tick away from the market."""
        distance = self.trail_price if self.trail_price is not None else mark * (self.trail_percent or ZERO) * _PERCENT
        return ceil_to(mark + distance, self.tick) if self.is_buy else floor_to(mark - distance, self.tick)

    def follow(self, here: Decimal) -> None:
        """Let a trailing stop's water mark follow the market; it never moves back."""
        if self.mark is None or (here < self.mark if self.is_buy else here > self.mark):
            self.mark = here

    def saved(self) -> OrderState:
        """Return the state that meeting a bar changes; see `restore`."""
        return (
            self.qty,
            self.filled,
            self.filled_money,
            self.charged_qty,
            self.fees,
            self.is_live,
            self.gone,
            self.triggered,
            self.mark,
        )

    def restore(self, state: OrderState) -> None:
        """Go back to a saved state."""
        (
            self.qty,
            self.filled,
            self.filled_money,
            self.charged_qty,
            self.fees,
            self.is_live,
            self.gone,
            self.triggered,
            self.mark,
        ) = state
