"""One walk along the path inside a bar: what the path reaches first happens first.

Source: docs/simulation.md, "Orders".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from core.matching.fill import Filling
from core.matching.ledger import Ledger
from core.matching.orders import OrderState, WorkingOrder
from core.matching.outcomes import Activated, Cancelled, Execution, Outcome, Refused, Resized
from core.model.market import Bar
from core.model.money import exact
from core.model.order import OrderType

_STOP_LIMIT, _TRAILING_STOP = OrderType.STOP_LIMIT, OrderType.TRAILING_STOP


class Legs(NamedTuple):
    """The live orders of a symbol that go once its position is flat, by their side."""

    buys: Sequence[WorkingOrder] = ()
    sells: Sequence[WorkingOrder] = ()


@dataclass(frozen=True, slots=True)
class Spot:
    """Where the walk is: the price, whether it is the bar's open or its close, and the corner it goes to (None while it stands)."""

    here: Decimal
    at_open: bool = False
    there: Decimal | None = None
    at_close: bool = False


class Walk:
    """Leads the orders of one symbol along one path of a bar, and books on one ledger.

    `waiting`: the orders that may act, in the order of their submission; `legs`: all orders of the symbol that go once the
    position is flat; `is_regular`: whether the bar is of regular hours, outside which no leg acts.
    """

    __slots__ = ("_bar", "_born", "_buys", "_filling", "_is_regular", "_ledger", "_sells", "_waiting", "cap_left", "outcomes", "states")

    def __init__(
        self,
        filling: Filling,
        bar: Bar,
        ledger: Ledger,
        waiting: Sequence[WorkingOrder],
        legs: Legs,
        cap: Decimal | None,
        is_regular: bool = True,
    ) -> None:
        self._filling = filling
        self._bar = bar
        self._ledger = ledger
        self._waiting = list(waiting)
        self._buys, self._sells = list(legs.buys), list(legs.sells)
        self._is_regular = is_regular
        self._born: set[str] = set()
        self.cap_left = cap
        self.outcomes: list[Outcome] = []
        self.states: list[tuple[WorkingOrder, OrderState]] = []
        """Orders that went though they waited for nothing here, as they were before."""

    def along(self, high_first: bool) -> list[Outcome]:
        """Go from the open over both extremes to the close; return what happened, in order."""
        bar = self._bar
        here = exact(bar.open)
        self._act(Spot(here, at_open=True))
        for order in self._waiting:
            if order.acts_at_open_only and not order.gone:
                self._cancel(order, _missed(order))
        for corner in (bar.high, bar.low) if high_first else (bar.low, bar.high):
            if not self._waiting:
                return self.outcomes
            here = self._go(here, exact(corner))
        here = self._go(here, exact(bar.close), is_last=True)
        if any(order.in_closing_auction for order in self._waiting):
            self._act(Spot(here, there=here, at_close=True))
        return self.outcomes

    def _go(self, here: Decimal, there: Decimal, *, is_last: bool = False) -> Decimal:
        """Follow one straight piece of the path."""
        while here != there:
            point = self._next_point(here, there, is_last)
            if point is None:
                break
            here = point
            self._act(Spot(here, there=there, at_close=is_last and here == there))
        for order in self._waiting:
            if order.type is _TRAILING_STOP and not order.triggered:
                order.follow(there)
        return there

    def _act(self, spot: Spot) -> None:
        """Let all orders that act at this price act, in the order of their submission; legs that become live come next."""
        at = 0
        while at < len(self._waiting):
            order = self._waiting[at]
            at += 1
            if order.gone:
                continue
            if not order.in_closing_auction:
                self._act_one(order, spot, at)
            elif spot.at_close:
                self._close(order, spot.here, at)
        if self._born:
            self._born.clear()
            self._waiting.sort(key=lambda order: order.place)
        self._waiting = [order for order in self._waiting if not order.gone]

    def _act_one(self, order: WorkingOrder, spot: Spot, at: int) -> None:
        here = spot.here
        was_triggered = order.triggered
        if order.acts_as_market:
            if spot.at_open:
                self._fill(order, here, at, slips=not order.in_auction)
            return
        if not order.acts_as_limit and not was_triggered:
            stop = order.stop_now()
            if order.type is _TRAILING_STOP:
                order.follow(here)
            if stop is None or (here < stop if order.is_buy else here > stop):
                return
            order.triggered = True
            if order.type is not _STOP_LIMIT:
                self._fill(order, here, at, slips=True)
                return
        if self._within_limit(order, spot):
            # What is triggered or becomes live here takes what is there, unless the market must first go on through its limit.
            waited = self._filling.trade_through or (was_triggered is order.triggered and order.id not in self._born)
            is_maker = order.rested or (waited and not spot.at_open and here == order.limit)
            self._fill(order, here, at, is_maker=is_maker)

    def _within_limit(self, order: WorkingOrder, spot: Spot) -> bool:
        limit, here = order.limit, spot.here
        if limit is None:
            return False
        if here < limit if order.is_buy else here > limit:
            return True
        if here != limit:
            return False
        if not self._filling.trade_through:
            return True
        # The path must go on strictly beyond the limit.
        return spot.there is not None and (spot.there < limit if order.is_buy else spot.there > limit)

    def _next_point(self, here: Decimal, there: Decimal, is_last: bool) -> Decimal | None:
        """Return the first price on the way from `here` to `there` at which an order acts, or None. `is_last`: `there` is the close."""
        rising = there > here
        is_used_up = self.cap_left is not None and not self.cap_left
        nearest: Decimal | None = None
        for order in self._waiting:
            level = self._level(order, rising, is_used_up) if not order.in_closing_auction else there if is_last else None
            if level is None:
                continue
            if order.acts_as_limit and self._filling.trade_through:
                on_the_way = here <= level < there if rising else there < level <= here
            else:
                on_the_way = here < level <= there if rising else there <= level < here
            if on_the_way and (nearest is None or (level < nearest if rising else level > nearest)):
                nearest = level
        return nearest

    def _level(self, order: WorkingOrder, rising: bool, is_used_up: bool) -> Decimal | None:
        """Return the price an order waits for in a rising or falling market: its limit or its stop."""
        if order.gone:
            return None
        if order.acts_as_limit:
            return order.limit if order.is_buy is not rising and not is_used_up else None
        if order.acts_as_market:
            return None
        return order.stop_now() if order.is_buy is rising else None

    def _close(self, order: WorkingOrder, here: Decimal, at: int) -> None:
        """Let an order take part in the closing auction."""
        if order.limit is None or self._within_limit(order, Spot(here)):
            self._fill(order, here, at)
        if not order.gone:
            self._cancel(order, _missed(order))

    # --- what a fill brings with it ---

    def _fill(self, order: WorkingOrder, here: Decimal, at: int, *, slips: bool = False, is_maker: bool = False) -> None:
        for outcome in self._filling.fill(order, here, self._bar, self._ledger, self.cap_left, slips=slips, is_maker=is_maker):
            self.outcomes.append(outcome)
            if isinstance(outcome, Execution):
                if self.cap_left is not None:
                    self.cap_left -= outcome.qty
                self._after_fill(order, outcome, at)
            elif isinstance(outcome, Refused | Cancelled):
                self._after_end(order)

    def _after_fill(self, order: WorkingOrder, execution: Execution, at: int) -> None:
        qty, parent, sibling = execution.qty, order.parent, order.sibling
        if parent is not None and not parent.gone:
            self._cancel(parent, "An exit leg filled.")
        if sibling is not None and not sibling.gone:
            # Replaced, the two may differ in what is left of them.
            if execution.complete or sibling.open_qty <= qty:
                self._cancel(sibling, "The other order filled.")
            else:
                sibling.qty -= qty
                self.outcomes.append(Resized(sibling, sibling.qty, "The other order filled a part."))
        if order.legs:
            self._activate(order, qty, at)
        if self._buys or self._sells:
            self._drop_idle_legs(order.symbol)

    def _activate(self, parent: WorkingOrder, qty: Decimal, at: int) -> None:
        """Make the parent's legs live over what it filled; the stop comes before the target.

        A parent that only covered a short, say, has no position yet for its legs to close: they wait for its next part.
        """
        for leg in parent.legs:
            if leg.gone:
                continue
            if leg.is_live:
                leg.qty += qty
                self.outcomes.append(Resized(leg, leg.qty, "Its entry filled another part."))
            elif self._ledger.closing_part(leg.symbol, leg.side, parent.filled):
                leg.is_live = True
                leg.qty = parent.filled
                self.outcomes.append(Activated(leg, leg.qty))
                (self._buys if leg.is_buy else self._sells).append(leg)
                if self._is_regular and leg.can_meet(self._bar.start_ns):
                    self._born.add(leg.id)
                    self._waiting.insert(at, leg)
                    at += 1
        if parent.gone:
            self._after_end(parent)

    def _drop_idle_legs(self, symbol: str) -> None:
        """Cancel what was to close a position that is flat now, or on the other side."""
        held = self._ledger.held(symbol)
        for legs in (self._buys if held >= 0 else (), self._sells if held <= 0 else ()):
            for leg in legs:
                if leg.is_live and not leg.gone:
                    self.states.append((leg, leg.saved()))
                    self._cancel(leg, "The position it was to close is flat.")

    def _after_end(self, order: WorkingOrder) -> None:
        """Legs that were not live when their parent ended never will be."""
        for leg in order.legs:
            if not leg.is_live and not leg.gone:
                self._cancel(leg, "The order it belongs to opened nothing.")

    def _cancel(self, order: WorkingOrder, reason: str) -> None:
        order.gone = True
        self.outcomes.append(Cancelled(order, reason))
        self._after_end(order)


def _missed(order: WorkingOrder) -> str:
    if order.in_auction:
        return "The auction is over."
    return "It could not fill whole at the open." if order.is_fok else "It could not fill at the open."
