"""Orders that are over more than was asked for, since something filled while a change of them was on its way: made smaller again."""

from collections.abc import Awaitable, Callable

import msgspec

from core.model.hand import OrderTerms
from core.model.order import OrderRequest
from core.trading.state import AccountState


class Excess:
    """What an account's orders are over too much. It follows from what is known of them: so it is found after a restart, too.

    `change` and `cancel` are the desk's. Whether they are taken is an event; of one order at one broker's order it is tried once.
    """

    def __init__(
        self,
        state: AccountState,
        change: Callable[[str, OrderRequest, OrderTerms], Awaitable[None]],
        cancel: Callable[[str], Awaitable[None]],
    ) -> None:
        self._state = state
        self._change = change
        self._cancel = cancel
        self._tried: set[tuple[str, int]] = set()

    def found(self) -> list[str]:
        """Return the orders that are over too much, and that nobody has made smaller yet or is taking back."""
        return [life.order.id for life in self._state.working() if life.excess_qty and self._is_new(life.order.id, life.at)]

    async def take_off(self, order_id: str) -> None:
        """Make an order smaller by what it is over too much, or take it back where nothing is left. Does nothing to any other."""
        life = self._state.lives[order_id]
        if not life.excess_qty or not self._is_new(order_id, life.at):
            return
        self._tried.add((order_id, life.at))
        wanted = life.order.request.qty - life.excess_qty
        if wanted > life.known_qty and not self._state.groups.has_exits(order_id):
            await self._change(order_id, msgspec.structs.replace(life.order.request, qty=wanted), OrderTerms(qty=wanted))
        else:
            await self._cancel(order_id)

    def _is_new(self, order_id: str, at: int) -> bool:
        return (order_id, at) not in self._tried and order_id not in self._state.taken_back
