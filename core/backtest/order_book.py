"""The working orders of one symbol, found by the price they wait for: a bar costs what it reaches, not what works."""

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Final

from core.matching.orders import WorkingOrder
from core.matching.walk import Legs

_NEVER_BELOW: Final = float("-inf")
_NEVER_ABOVE: Final = float("inf")
_ALWAYS: Final = float("inf")

_Entry = tuple[float, int, WorkingOrder]
"""A price as a heap orders it, a number that no other entry has, and the order."""


class OrderBook:
    """Orders by id, and those that rest at one price in two heaps: what acts when the market comes down, and when it goes up.

    `acts_below`, `acts_above`: a bar that does not go down to the one or up to the other moves no order. An entry of a heap
    counts only while it is its order's newest.
    """

    __slots__ = ("_above", "_below", "_buys", "_entries", "_newest", "_restless", "_sells", "acts_above", "acts_below", "working")

    def __init__(self) -> None:
        self.working: dict[str, WorkingOrder] = {}
        self._buys: dict[str, WorkingOrder] = {}
        self._sells: dict[str, WorkingOrder] = {}
        self.acts_below = _NEVER_BELOW
        self.acts_above = _NEVER_ABOVE
        self._restless: dict[str, WorkingOrder] = {}
        """Those that any bar may move: market orders, auctions, trailing stops."""
        self._below: list[_Entry] = []
        self._above: list[_Entry] = []
        self._newest: dict[str, int] = {}
        self._entries = 0

    def add(self, order: WorkingOrder) -> None:
        """Take in an order, or take note of its new price."""
        self.working[order.id] = order
        if order.goes_when_flat:
            (self._buys if order.is_buy else self._sells)[order.id] = order
        self._file(order)

    def add_plain(self, order: WorkingOrder) -> None:
        """Take in an order that fills at the next open."""
        self.working[order.id] = self._restless[order.id] = order
        self.acts_below = _ALWAYS

    def remove(self, order: WorkingOrder) -> None:
        """Let an order go; one that is not here is left alone."""
        if self.working.pop(order.id, None) is None:
            return
        self._restless.pop(order.id, None)
        self._newest.pop(order.id, None)
        if order.goes_when_flat:
            (self._buys if order.is_buy else self._sells).pop(order.id, None)

    def empty(self) -> None:
        """Let the only order go."""
        self.working.clear()
        self._restless.clear()
        self._newest.clear()
        if self._below or self._above or self._buys or self._sells:
            self._below, self._above = [], []
            self._buys.clear()
            self._sells.clear()
        self.acts_below, self.acts_above = _NEVER_BELOW, _NEVER_ABOVE

    @property
    def legs(self) -> Legs:
        """Those that go when the position is flat."""
        return Legs(tuple(self._buys.values()), tuple(self._sells.values()))

    def reached(self, high: float, low: float) -> list[WorkingOrder]:
        """Take out the orders that a bar of this range may move, by place; hand them to `settle` when it is over."""
        found = list(self._restless.values())
        below, above = self._below, self._above
        while below and -below[0][0] >= low:
            self._take(heappop(below), found)
        while above and above[0][0] <= high:
            self._take(heappop(above), found)
        if len(found) > 1:
            found.sort(key=_place)
        return found

    def settle(self, orders: Sequence[WorkingOrder]) -> None:
        """Put back those of `orders` that still work, and set the prices that the next bar must reach."""
        working = self.working
        for order in orders:
            if order.id in working and order.id not in self._newest:
                self._file(order)
        self._set_bounds()

    def rebuild(self) -> None:
        """File all orders anew, after something changed their prices."""
        self._restless, self._below, self._above, self._newest = {}, [], [], {}
        self.acts_below, self.acts_above = _NEVER_BELOW, _NEVER_ABOVE
        for order in self.working.values():
            self._file(order)

    def _file(self, order: WorkingOrder) -> None:
        if not order.is_resting:
            self._restless[order.id] = order
            self.acts_below = _ALWAYS
            return
        self._restless.pop(order.id, None)
        self._entries = number = self._entries + 1
        self._newest[order.id] = number
        level = order.rests_at
        if order.waits_below:
            heappush(self._below, (-level, number, order))
            self.acts_below = max(self.acts_below, level)
        else:
            heappush(self._above, (level, number, order))
            self.acts_above = min(self.acts_above, level)

    def _take(self, entry: _Entry, found: list[WorkingOrder]) -> None:
        _, number, order = entry
        if self._newest.get(order.id) == number:
            del self._newest[order.id]
            found.append(order)

    def _set_bounds(self) -> None:
        below, above, newest = self._below, self._above, self._newest
        while below and newest.get(below[0][2].id) != below[0][1]:
            heappop(below)
        while above and newest.get(above[0][2].id) != above[0][1]:
            heappop(above)
        if self._restless:
            self.acts_below = _ALWAYS
        else:
            self.acts_below = -below[0][0] if below else _NEVER_BELOW
        self.acts_above = above[0][0] if above else _NEVER_ABOVE


def _place(order: WorkingOrder) -> int:
    return order.place
