"""Orders that left as one request, and what follows from one of them for the others: how they hang together the broker minds."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from core.model.money import ZERO
from core.model.order import Order, OrderStatus
from core.trading.order_fold import OrderLife


class OrderGroups:
    """Of one account. `lives`: its orders, as they are known now."""

    def __init__(self, lives: Mapping[str, OrderLife]) -> None:
        self._lives = lives
        self.together: dict[str, tuple[str, ...]] = {}
        """Orders that left as one request: the one whose id it bore, and those that left with it."""
        self.leads: dict[str, str] = {}
        """The same the other way: of each that left with another, which one that was."""
        self.pairs: dict[str, str] = {}
        """Exits of which the broker minds that one cancels the other: the id of each, and that of the other, both ways."""

    def join(self, orders: Sequence[Order]) -> None:
        """Take that orders leave as one request, under the id of the first."""
        first, others = orders[0].id, tuple(order.id for order in orders[1:])
        self.together[first] = others
        self.leads |= dict.fromkeys(others, first)
        self.pairs |= {order.id: order.sibling_id for order in orders if order.sibling_id in {first, *others}}

    def hanging_on(self, order_id: str) -> list[OrderLife]:
        """Return the orders, as far as they are known, whose rest hangs on what becomes of an order."""
        ids = (*self.together.get(order_id, ()), self.pairs.get(order_id, ""))
        return [self._lives[each] for each in ids if each in self._lives]

    def left_qty(self, life: OrderLife) -> Decimal:
        """Return over how many units an order still is: of two whose pair the broker minds it takes off one what the other filled."""
        other = self._lives.get(self.pairs.get(life.order.id, ""))
        if other is None:
            return life.left_qty
        # A change may have been made of what was left of one by then: the larger is what both were over.
        both = max(life.order.request.qty, other.order.request.qty) - life.known_qty - other.known_qty
        return max(ZERO, min(life.left_qty, both))

    def is_held(self, order: Order) -> bool:
        """Tell whether the broker holds an exit until the entry that it left with is filled, or is over with a part filled."""
        lead = self._lives.get(self.leads.get(order.id, ""))
        if lead is None or lead.order.id != order.parent_id:
            return False
        return not lead.order.status.is_final or not lead.known_qty

    def has_exits(self, order_id: str) -> bool:
        """Tell whether exits left with an order."""
        return any(self._lives[each].order.parent_id == order_id for each in self.together.get(order_id, ()))

    def ended_with(self, order: Order) -> list[str]:
        """Return the orders that left with one which is over, and that the broker ends for its sake as far as it has not said so."""
        if not order.status.is_final or (order.status is OrderStatus.FILLED and self.has_exits(order.id)):
            return []
        lead = self.leads.get(order.id, order.id)
        return [
            each for each in (lead, *self.together.get(lead, ())) if each in self._lives and not self._lives[each].order.status.is_final
        ]
