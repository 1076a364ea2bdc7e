"""What stands on the closing side of a position: orders that close it, or will when their price comes. Only looked at here."""

from collections.abc import Sequence
from decimal import Decimal

from core.errors import InvalidValue
from core.model.money import ZERO
from core.model.order import Order, OrderSide, OrderType
from core.trading.order_fold import OrderLife
from core.trading.state import AccountState


class ClosingSide:
    """Those of one account."""

    def __init__(self, state: AccountState) -> None:
        self._state = state

    def orders(self, run_id: str, symbol: str, side: OrderSide) -> list[OrderLife]:
        """Return what works on a side of a run, oldest first, but for exits that the broker holds for an entry which has filled nothing."""
        working = (life for life in self._state.working(run_id) if not self._waits_there(life.order))
        found = [life for life in working if (life.order.request.symbol, life.order.request.side) == (symbol, side)]
        return sorted(found, key=lambda life: (life.order.created_ns, life.order.id))

    def _waits_there(self, order: Order) -> bool:
        """Tell whether the broker holds an exit for an entry that has filled nothing: it keeps no units back, and ends with its entry."""
        return self._state.groups.is_held(order) and not self._state.lives[order.parent_id or ""].known_qty

    def qty(self, run_id: str, symbol: str, side: OrderSide, *, exits_only: bool = False, waiting_only: bool = False) -> Decimal:
        """Return over how many units it is; of two orders of which one cancels the other the larger counts.

        `exits_only`: without orders that may open something; `waiting_only`: without those that close at once, or as soon as they can.
        """
        counted = []
        for life in self.orders(run_id, symbol, side):
            is_exit = life.order.parent_id is not None or life.order.request.reduce_only
            if (is_exit or not exits_only) and not (waiting_only and life.order.request.type is OrderType.MARKET):
                counted.append(life)
        return sum(map(self.open_qty, grouped(counted)), ZERO)

    def left_of(self, spoken_for: dict[str, Decimal], life: OrderLife) -> Decimal | None:
        """Return what an entry left to be closed: what it filled, as far as it is held still and no exit is over it.

        None while it is not known what the broker keeps of a bought coin. `spoken_for`: by symbol, what leaves at the same time.
        """
        state, order = self._state, life.order
        if state.coins.awaits_fee({order.id}):
            return None
        symbol, side = order.request.symbol, order.request.side
        closing = OrderSide.SELL if side is OrderSide.BUY else OrderSide.BUY
        held = max(ZERO, side.sign * state.books[order.run_id].held(symbol))
        taken = self.qty(order.run_id, symbol, closing, exits_only=True) + spoken_for.get(symbol, ZERO)
        left = max(ZERO, min(state.coins.net_qty(life), held - taken))
        spoken_for[symbol] = spoken_for.get(symbol, ZERO) + left
        return left

    def idle(self, run_id: str) -> list[str]:
        """Return the exits of a run that have nothing left to close, since something else closed the position of their entry."""
        state, found = self._state, []
        for life in state.working(run_id):
            order, entry = life.order, state.lives.get(life.order.parent_id or "")
            if entry is None or not entry.is_settled or order.id in state.taken_back:
                continue
            if order.request.side.sign * state.books[run_id].held(order.request.symbol) >= 0:
                found.append(order.id)
        return found

    def check_entries(self, run_id: str, symbol: str, closing: OrderSide) -> None:
        """Raise InvalidValue while an entry that its exits left with fills on: they would work over all of it, whatever is closed now."""
        state = self._state
        for life in state.working(run_id):
            request = life.order.request
            if request.symbol == symbol and request.side is not closing and life.known_qty and state.groups.has_exits(life.order.id):
                rule = f"its entry {life.order.id} still fills, with exits over all of it that left with it; cancel that order first."
                raise InvalidValue(symbol, "closed", rule)

    def after(self, run_id: str, symbol: str, side: OrderSide, allowed: Decimal) -> dict[str, Decimal]:
        """Return over how many units each order is to be, of those that make way until only `allowed` are left; zero: gone."""
        return {life.order.id: wanted for group, wanted in self.excessive(run_id, symbol, side, allowed) for life in group}

    def excessive(self, run_id: str, symbol: str, side: OrderSide, allowed: Decimal) -> list[tuple[list[OrderLife], Decimal]]:
        """Return what is over more than is allowed, in groups of which one cancels the others, and over how much each may be."""
        excess, found = self.qty(run_id, symbol, side) - allowed, []
        for group in grouped(self.orders(run_id, symbol, side)):
            if excess <= 0:
                break
            wanted = max(ZERO, self.open_qty(group) - excess)
            excess -= self.open_qty(group) - wanted
            found.append((group, wanted))
        return found

    def open_qty(self, group: Sequence[OrderLife]) -> Decimal:
        """Return over how many units orders are of which one cancels the others."""
        return max(map(self._state.groups.left_qty, group), default=ZERO)


def grouped(lives: Sequence[OrderLife]) -> list[list[OrderLife]]:
    """Return orders in groups of which one cancels the others, in their order."""
    groups: list[list[OrderLife]] = []
    at: dict[str, list[OrderLife]] = {}
    for life in lives:
        group = at.get(life.order.sibling_id or "")
        if group is None:
            group = []
            groups.append(group)
        group.append(life)
        at[life.order.id] = group
    return groups
