"""A working order, as the matching sees it."""

from decimal import Decimal

from core.model.order import OrderRequest, OrderSide, OrderType

# Looking a member up in its Enum costs ten times as much as a name of the module, and this is done for every order.
_BUY, _MARKET, _LIMIT = OrderSide.BUY, OrderType.MARKET, OrderType.LIMIT


class WorkingOrder:
    """An order that can still fill. `live_from_ns`: the first bar start it can meet; `dead_from_ns`: the first it cannot.

    `limit_near` and `stop_near` are the nearest floats, for a quick look; what is close is judged on exact decimals.
    """

    __slots__ = (
        "dead_from_ns",
        "id",
        "is_buy",
        "is_market",
        "limit",
        "limit_near",
        "live_from_ns",
        "path_dependent",
        "qty",
        "ref",
        "request",
        "side",
        "stop",
        "stop_near",
        "symbol",
        "triggered",
        "type",
    )

    def __init__(self, id: str, ref: str, request: OrderRequest, live_from_ns: int, dead_from_ns: int | None) -> None:
        self.id = id
        self.ref = ref
        self.request = request
        self.symbol = request.symbol
        self.side = request.side
        self.is_buy = request.side is _BUY
        self.type = request.type
        self.is_market = request.type is _MARKET
        self.qty = request.qty
        self.limit: Decimal | None = request.limit_price
        self.stop: Decimal | None = request.stop_price
        self.limit_near = 0.0 if self.limit is None else float(self.limit)
        self.stop_near = 0.0 if self.stop is None else float(self.stop)
        self.live_from_ns = live_from_ns
        self.dead_from_ns = dead_from_ns
        self.triggered = False
        self.path_dependent = False

    def can_meet(self, bar_start_ns: int) -> bool:
        """Tell whether a bar that starts then is one this order may fill in."""
        return self.live_from_ns <= bar_start_ns and (self.dead_from_ns is None or bar_start_ns < self.dead_from_ns)

    def can_act(self, high: float, low: float) -> bool:
        """Tell whether a bar of this range might make it act; never wrongly says no (rounding to floats keeps order)."""
        if self.is_market:
            return True
        if self.type is _LIMIT or self.triggered:
            return low <= self.limit_near if self.is_buy else high >= self.limit_near
        return high >= self.stop_near if self.is_buy else low <= self.stop_near
