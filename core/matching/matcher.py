"""How orders meet a bar: which path is taken, and which fills hang on it.

Pure: a bar, orders and an account in, what happened out. Source: docs/simulation.md, "The path inside a bar".
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from core.matching.fill import Filling
from core.matching.ledger import Ledger
from core.matching.orders import OrderState, WorkingOrder
from core.matching.outcomes import Execution, Outcome
from core.matching.path import high_first
from core.matching.walk import Legs, Walk
from core.model.market import Bar
from core.model.money import exact, floor_to
from core.model.order import OrderType
from core.model.run import PathModel

_STOP_LIMIT, _TRAILING_STOP = OrderType.STOP_LIMIT, OrderType.TRAILING_STOP
_OPTIMISTIC = PathModel.OPTIMISTIC
_BY_EQUITY = (PathModel.PESSIMISTIC, _OPTIMISTIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """How the orders of a run fill: the path, the models of `filling`, and what share of a bar's volume they may take."""

    path: PathModel
    filling: Filling
    volume_cap: Decimal | None = None
    lots: dict[str, Decimal | None] | None = None
    is_simple: bool = field(init=False)
    """Whether a plain market order can only fill whole or be refused: no volume cap, no reversals."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_simple", self.volume_cap is None and not self.filling.may_reverse)

    def meet(self, orders: Sequence[WorkingOrder], legs: Legs, bar: Bar, ledger: Ledger, *, is_regular: bool = True) -> list[Outcome]:
        """Let `orders` (in the order of their submission, all live for this bar) meet `bar`; book on `ledger`.

        `legs`: all live orders of the symbol that go once it is flat, whether or not the bar can reach them. Raises nothing
        for what an account cannot bear: that is a `Refused`. The orders' own state moves with what is returned.
        """
        if (
            len(orders) == 1
            and orders[0].is_plain
            and not orders[0].legs
            and not legs.buys
            and not legs.sells
            and self.volume_cap is None
            and not self.filling.may_reverse
        ):
            return [self.filling.fill_market(orders[0], bar, ledger)]
        goes_high_first = high_first(self.path, bar.open, bar.high, bar.low)
        cap = self._cap(bar)
        if not self._may_depend_on_path(orders, bar):
            return Walk(self.filling, bar, ledger, orders, legs, cap, is_regular).along(goes_high_first)
        states = _States(orders)
        other = self._tried(orders, legs, bar, ledger, cap, is_regular, not goes_high_first)
        other_equity = self._equity(other.ledger, bar)
        states.restore(other.states)
        if self.path in _BY_EQUITY:
            chosen = self._tried(orders, legs, bar, ledger, cap, is_regular, goes_high_first)
            equity = self._equity(chosen.ledger, bar)
            states.restore(chosen.states)
            if other_equity > equity if self.path is _OPTIMISTIC else other_equity < equity:
                goes_high_first, other = not goes_high_first, chosen
        outcomes = Walk(self.filling, bar, ledger, orders, legs, cap, is_regular).along(goes_high_first)
        _flag_differences(outcomes, other.outcomes)
        return outcomes

    def _cap(self, bar: Bar) -> Decimal | None:
        if self.volume_cap is None:
            return None
        return floor_to(exact(bar.volume) * self.volume_cap, (self.lots or {}).get(bar.symbol))

    def _tried(
        self,
        orders: Sequence[WorkingOrder],
        legs: Legs,
        bar: Bar,
        ledger: Ledger,
        cap: Decimal | None,
        is_regular: bool,
        high_first: bool,
    ) -> "_Trial":
        trial = _Trial(ledger.copy())
        walk = Walk(self.filling, bar, trial.ledger, orders, legs, cap, is_regular)
        trial.outcomes, trial.states = walk.along(high_first), walk.states
        return trial

    def _equity(self, ledger: Ledger, bar: Bar) -> Decimal:
        """Return the equity at the bar's close as far as it can differ between paths: cash and this symbol."""
        return ledger.cash + ledger.held(bar.symbol) * exact(bar.close)

    def _may_depend_on_path(self, orders: Sequence[WorkingOrder], bar: Bar) -> bool:
        """Tell whether the two paths could differ: a single plain order in the path fills alike on both."""
        opened = exact(bar.open)
        in_path = 0
        for order in orders:
            if order.legs:
                return True
            if order.acts_as_market or order.acts_at_open_only or order.in_closing_auction:
                continue
            if order.type is _TRAILING_STOP or (order.type is _STOP_LIMIT and not order.triggered):
                return True
            level = order.limit if order.acts_as_limit else order.stop
            if level is None:
                continue
            below_acts = order.is_buy is order.acts_as_limit
            is_there = opened < level if below_acts else opened > level
            if not is_there and not (opened == level and not self.filling.trade_through):
                in_path += 1
        return in_path > 1


class _Trial:
    """What a path gave, booked on a ledger of its own."""

    __slots__ = ("ledger", "outcomes", "states")

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.outcomes: list[Outcome] = []
        self.states: list[tuple[WorkingOrder, OrderState]] = []


class _States:
    """The orders that may act as they were before the bar, with all that hang on them."""

    __slots__ = ("_saved",)

    def __init__(self, orders: Sequence[WorkingOrder]) -> None:
        saved: dict[int, tuple[WorkingOrder, OrderState]] = {}
        for order in orders:
            for each in (order, order.parent, order.sibling, *order.legs):
                if each is not None and id(each) not in saved:
                    saved[id(each)] = (each, each.saved())
        self._saved = saved

    def restore(self, others: Sequence[tuple[WorkingOrder, OrderState]]) -> None:
        """Take a trial back; `others`: what it changed beside these."""
        for order, state in (*others, *self._saved.values()):
            order.restore(state)


def _flag_differences(outcomes: list[Outcome], others: list[Outcome]) -> None:
    """Flag each fill that the other path does not give alike, and each order only the other path fills."""
    elsewhere = Counter((item.order.id, item.qty, item.price) for item in others if isinstance(item, Execution))
    here = set()
    for item in outcomes:
        if isinstance(item, Execution):
            here.add(item.order.id)
            key = (item.order.id, item.qty, item.price)
            item.path_dependent = not elsewhere[key]
            elsewhere[key] -= 1
    for item in others:
        if isinstance(item, Execution) and item.order.id not in here:
            item.order.path_dependent = True
