"""What the orders and fills of an account come to: positions and money, run by run and together."""

from collections.abc import Iterable, Mapping
from decimal import Decimal, localcontext

import msgspec

from core.matching.holding import Holding
from core.model.instants import MINUTE_NS, SECOND_NS
from core.model.money import MONEY_CONTEXT, ZERO
from core.model.order import Fill, OrderRequest, OrderStatus
from core.model.position import Position
from core.model.risk import RiskLimits
from core.trading.order_fold import OrderLife
from core.trading.risk import Sent


class RunBook:
    """The part of an account that one run owns: its fills, at average cost, and the money they left of its own."""

    def __init__(self, cash: Decimal, limits: RiskLimits) -> None:
        self.cash = self.start_cash = self.day_start_equity = self.peak_equity = cash
        self.limits = limits
        self.holdings: dict[str, Holding] = {}
        self.fees = ZERO
        self.sent: list[Sent] = []
        self._day = -1

    def go_on_with(self, earlier: "RunBook") -> None:
        """Take what an earlier book of the same run has come to."""
        self.cash, self.holdings, self.fees = earlier.cash, earlier.holdings, earlier.fees

    def book(self, fill: Fill) -> None:
        """Take a fill that was not taken before."""
        with localcontext(MONEY_CONTEXT):
            signed = fill.qty * fill.side.sign
            self.holdings.setdefault(fill.symbol, Holding()).trade(signed, fill.price)
            self.cash -= signed * fill.price + fill.fee
            self.fees += fill.fee

    def held(self, symbol: str) -> Decimal:
        """Return the units held, signed."""
        holding = self.holdings.get(symbol)
        return ZERO if holding is None else holding.qty

    def position(self, symbol: str) -> Position:
        """Return the holding at average cost."""
        holding = self.holdings.get(symbol)
        if holding is None:
            return Position(symbol=symbol)
        with localcontext(MONEY_CONTEXT):
            average = holding.cost / holding.qty if holding.qty else ZERO
        return Position(symbol=symbol, qty=holding.qty, avg_price=average, realised_pnl=holding.realised)

    def positions(self) -> dict[str, Decimal]:
        """Return what is held, by symbol."""
        return {symbol: holding.qty for symbol, holding in self.holdings.items() if holding.qty}

    def equity(self, prices: Mapping[str, Decimal]) -> Decimal:
        """Return cash and positions at `prices`; what has no price counts at its cost."""
        with localcontext(MONEY_CONTEXT):
            return self.cash + sum(
                (prices[symbol] * one.qty if symbol in prices else one.cost for symbol, one in self.holdings.items()), ZERO
            )

    def watch(self, equity: Decimal, day: int) -> None:
        """Note the equity: the highest there was, and the one with which the day began."""
        self.peak_equity = max(self.peak_equity, equity)
        if day != self._day:
            self._day, self.day_start_equity = day, equity

    def left(self, request: OrderRequest, now_ns: int) -> None:
        """Note that an order leaves; what is too old to matter is forgotten."""
        kept_ns = max(MINUTE_NS, int((self.limits.duplicate_window_s or 0) * SECOND_NS))
        self.sent = [one for one in self.sent if one.time_ns > now_ns - kept_ns]
        self.sent.append(Sent(request, now_ns))


def working_requests(lives: Iterable[OrderLife]) -> tuple[OrderRequest, ...]:
    """Return the orders that can still fill, each over what it has left."""
    found = []
    for life in lives:
        order = life.order
        if not order.status.is_final and order.status is not OrderStatus.CREATED:
            found.append(msgspec.structs.replace(order.request, qty=order.request.qty - order.filled_qty))
    return tuple(found)
