"""How orders meet a bar: what the path reaches first happens first.

Pure: a bar, orders and an account in, what happened out. Source: docs/simulation.md, "Orders".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto

import msgspec

from core.matching.costs import FeeModel, SlippageModel
from core.matching.ledger import Ledger, Refusal
from core.matching.orders import WorkingOrder
from core.matching.path import high_first
from core.model.market import Bar
from core.model.money import ZERO, ceil_to, exact, floor_to
from core.model.order import OrderType, RejectCode
from core.model.run import PathModel


class Execution(msgspec.Struct, gc=False):
    """An order filled whole: `price` with slippage, `fee` and `slippage` as money."""

    order: WorkingOrder
    price: Decimal
    fee: Decimal
    slippage: Decimal
    path_dependent: bool = False


class Refused(msgspec.Struct, gc=False):
    """An order that the account could not bear when it would have filled."""

    order: WorkingOrder
    code: RejectCode
    reason: str


class Triggered(msgspec.Struct, gc=False):
    """A stop-limit order whose stop was reached and which now waits at its limit."""

    order: WorkingOrder


Outcome = Execution | Refused | Triggered


class _Act(Enum):
    FILL_AT_MARKET = auto()
    FILL_AT_LIMIT = auto()
    TRIGGER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """The three models of a run: the path, the slippage and the fee; and the instruments' ticks by symbol."""

    path: PathModel
    slippage: SlippageModel
    fees: FeeModel
    ticks: dict[str, Decimal | None]

    def meet(self, orders: Sequence[WorkingOrder], bar: Bar, ledger: Ledger) -> list[Outcome]:
        """Let `orders` (in the order of their submission, all live for this bar) meet `bar`; book on `ledger`.

        Raises nothing for what an account cannot bear: that is a `Refused`. Sets no state on the orders;
        the caller does, from what is returned.
        """
        if len(orders) == 1 and orders[0].is_market:
            return [self._fill_at_market(orders[0], exact(bar.open), bar, ledger)]
        goes_high_first = high_first(self.path, bar.open, bar.high, bar.low)
        if not self._may_depend_on_path(orders, bar):
            return self._walk(orders, bar, goes_high_first, ledger)
        other_ledger = ledger.copy()
        outcomes = self._walk(orders, bar, goes_high_first, ledger)
        others = self._walk(orders, bar, not goes_high_first, other_ledger)
        _flag_differences(outcomes, others)
        return outcomes

    def _may_depend_on_path(self, orders: Sequence[WorkingOrder], bar: Bar) -> bool:
        """Tell whether the two paths could differ: a single plain order fills alike on both."""
        opened = exact(bar.open)
        fills = (_Act.FILL_AT_MARKET, _Act.FILL_AT_LIMIT)
        in_path = [order for order in orders if _act_at(order, order.triggered, opened) not in fills]
        if len(in_path) == 1:
            return in_path[0].type is OrderType.STOP_LIMIT and not in_path[0].triggered
        return len(in_path) > 1

    def _walk(self, orders: Sequence[WorkingOrder], bar: Bar, goes_high_first: bool, ledger: Ledger) -> list[Outcome]:
        """Follow the path from the open over both extremes to the close; act at each point that an order waits for."""
        waiting = list(orders)
        triggered = {order.id for order in orders if order.triggered}
        outcomes: list[Outcome] = []
        here = exact(bar.open)
        self._act_here(waiting, triggered, here, bar, ledger, outcomes)
        extremes = (bar.high, bar.low) if goes_high_first else (bar.low, bar.high)
        for corner in (*extremes, bar.close):
            there = exact(corner)
            while waiting:
                point = _next_point(waiting, triggered, here, there)
                if point is None:
                    break
                here = point
                self._act_here(waiting, triggered, here, bar, ledger, outcomes)
            here = there
            if not waiting:
                break
        return outcomes

    def _act_here(
        self, waiting: list[WorkingOrder], triggered: set[str], here: Decimal, bar: Bar, ledger: Ledger, outcomes: list[Outcome]
    ) -> None:
        """Let all orders that act at this price act, in the order of their submission."""
        for order in tuple(waiting):
            act = _act_at(order, order.id in triggered, here)
            if act is None:
                continue
            if act is _Act.TRIGGER:
                triggered.add(order.id)
                outcomes.append(Triggered(order))
                continue
            waiting.remove(order)
            if act is _Act.FILL_AT_MARKET:
                outcomes.append(self._fill_at_market(order, here, bar, ledger))
            else:
                outcomes.append(self._fill(order, here, ZERO, ledger))

    def _fill_at_market(self, order: WorkingOrder, here: Decimal, bar: Bar, ledger: Ledger) -> Execution | Refused:
        """Fill at the price that the path reached, slipped to the tick against the trader, inside the bar."""
        distance = self.slippage.distance(here)
        if not distance:
            return self._fill(order, here, ZERO, ledger)
        tick = self.ticks.get(order.symbol)
        if order.is_buy:
            price = min(ceil_to(here + distance, tick), exact(bar.high))
        else:
            price = max(floor_to(here - distance, tick), exact(bar.low))
        return self._fill(order, price, abs(price - here) * order.qty, ledger)

    def _fill(self, order: WorkingOrder, price: Decimal, slippage: Decimal, ledger: Ledger) -> Execution | Refused:
        fee = self.fees.fee(order.side, order.qty, price)
        try:
            ledger.book(order.symbol, order.side, order.qty, price, fee)
        except Refusal as refusal:
            return Refused(order, refusal.code, refusal.reason)
        return Execution(order, price, fee, slippage)


def _act_at(order: WorkingOrder, triggered: bool, here: Decimal) -> _Act | None:
    """Return what an order does when the market is at `here`, or None while it waits."""
    if order.is_market:
        return _Act.FILL_AT_MARKET
    if order.type is OrderType.LIMIT or triggered:
        return _Act.FILL_AT_LIMIT if _within_limit(order, here) else None
    stop = order.stop
    if stop is None or (here < stop if order.is_buy else here > stop):
        return None
    if order.type is OrderType.STOP:
        return _Act.FILL_AT_MARKET
    return _Act.FILL_AT_LIMIT if _within_limit(order, here) else _Act.TRIGGER


def _within_limit(order: WorkingOrder, here: Decimal) -> bool:
    limit = order.limit
    return limit is not None and (here <= limit if order.is_buy else here >= limit)


def _next_point(waiting: Sequence[WorkingOrder], triggered: set[str], here: Decimal, there: Decimal) -> Decimal | None:
    """Return the first price on the way from `here` to `there` at which an order acts, or None."""
    rising = there > here
    points = []
    for order in waiting:
        level = _waits_for(order, order.id in triggered, rising)
        if level is not None and (here < level <= there if rising else there <= level < here):
            points.append(level)
    if not points:
        return None
    return min(points) if rising else max(points)


def _waits_for(order: WorkingOrder, triggered: bool, rising: bool) -> Decimal | None:
    """Return the price an order waits for in a rising or falling market: its limit or its stop."""
    if order.type is OrderType.LIMIT or triggered:
        return order.limit if order.is_buy is not rising else None
    return order.stop if order.is_buy is rising else None


def _flag_differences(outcomes: list[Outcome], others: list[Outcome]) -> None:
    """Flag each fill that the other path does not give alike, and each order only the other path fills."""
    elsewhere = {item.order.id: item.price for item in others if isinstance(item, Execution)}
    here = set()
    for item in outcomes:
        if isinstance(item, Execution):
            here.add(item.order.id)
            item.path_dependent = elsewhere.get(item.order.id) != item.price
    for item in others:
        if isinstance(item, Execution) and item.order.id not in here:
            item.order.path_dependent = True
