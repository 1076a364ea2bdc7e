"""What works beside an order that is judged: each over what it has left, and of a pair only what can fill, once."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from core.model.money import ZERO
from core.model.order import Order, OrderRequest, OrderSide
from core.trading.books import still_open
from core.trading.order_fold import OrderLife


class Rests:
    """What each order of an account that works has left, of all and of each run: an order is judged beside hundreds of others."""

    def __init__(self) -> None:
        self._all: dict[str, OrderRequest] = {}
        self._of_run: dict[str, dict[str, OrderRequest]] = {}
        self._siblings: dict[str, str] = {}
        """Of those that are one of a pair the other."""

    def note(self, order: Order, rest: OrderRequest | None) -> None:
        """Take what an order has left; None: it can fill nothing."""
        of_run = self._of_run.setdefault(order.run_id, {})
        if rest is not None:
            self._all[order.id] = of_run[order.id] = rest
            if order.sibling_id is not None:
                self._siblings[order.id] = order.sibling_id
        elif order.id in self._all:
            del self._all[order.id], of_run[order.id]
            self._siblings.pop(order.id, None)

    def qty(self, run_id: str, symbol: str, side: OrderSide) -> Decimal:
        """Return what a run's orders on one side of a symbol can still fill. Of a pair only one will."""
        rests = self._of_run.get(run_id, {})
        found = {order_id: rest for order_id, rest in rests.items() if (rest.symbol, rest.side) == (symbol, side)}
        once(found, self._siblings)
        return sum((rest.qty for rest in found.values()), ZERO)

    def beside(
        self, order: Order, also: list[OrderLife], instead: Mapping[str, Decimal], run_id: str | None = None
    ) -> tuple[tuple[OrderRequest, ...], int]:
        """Return what works, of a run or of all, and what of the same decision will (`also`), as the function `beside` has it."""
        rests = self._all if run_id is None else self._of_run.get(run_id, {})
        more = {life.order.id: rest for life in also if (rest := still_open(life)) is not None}
        pairs = {life.order.id: life.order.sibling_id for life in also if life.order.sibling_id is not None}
        return beside({**rests, **more} if more else rests, {**self._siblings, **pairs} if pairs else self._siblings, order, instead)


def beside(
    rests: Mapping[str, OrderRequest], siblings: Mapping[str, str], judged: Order, instead: Mapping[str, Decimal]
) -> tuple[tuple[OrderRequest, ...], int]:
    """Return what can fill beside an order, and how many more orders work: the smaller of each pair, since only one of the two fills.

    `rests`: what orders have left, by id; `siblings`: of each of them that is one of a pair, the other. `instead`: over how many
    units orders will be by the time the judged one works; zero: they are gone by then. An order takes the place of itself.
    """
    left = dict(rests)
    for order_id, qty in instead.items():
        if order_id in left:
            _let(left, order_id, qty)
    count = len(left)
    if left.pop(judged.id, None) is not None:
        count -= 1
    if judged.sibling_id is not None and judged.sibling_id in left:
        _let(left, judged.sibling_id, left[judged.sibling_id].qty - judged.request.qty)
    once(left, siblings)
    return tuple(left.values()), count - len(left)


def once(left: dict[str, OrderRequest], siblings: Mapping[str, str]) -> None:
    """Take the smaller of each pair out: only one of the two fills. Which it hangs on may be known of one of them alone."""
    for order_id, sibling_id in siblings.items():
        if order_id in left and sibling_id in left:
            del left[min(order_id, sibling_id, key=lambda each: (left[each].qty, each))]


def _let(left: dict[str, OrderRequest], order_id: str, qty: Decimal) -> None:
    """Let an order be over `qty` units at most."""
    if qty <= 0:
        del left[order_id]
    elif qty < left[order_id].qty:
        left[order_id] = msgspec.structs.replace(left[order_id], qty=qty)
