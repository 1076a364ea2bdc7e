"""Orders of an account that are over, and that its desk does not keep: read from the store as soon as somebody speaks of one."""

from collections.abc import Iterable
from decimal import Decimal

from core.model.broker import BrokerOrder, Execution
from core.model.money import ZERO
from core.ports import RunStore
from core.trading.account_past import AccountPast
from core.trading.changes import own_id
from core.trading.order_fold import accepted
from core.trading.state import AccountState


class AbsentOrders:
    """Brings the orders of a run back into `state`, all at once. What is known there already stays as it is."""

    def __init__(self, state: AccountState, past: AccountPast, runs: RunStore) -> None:
        self._state = state
        self._past = past
        self._runs = runs
        self._of: dict[str, None] = {}

    def note(self, run_id: str) -> None:
        """Take that a run has orders which are not known."""
        self._of[run_id] = None

    async def bring_back(self, run_id: str) -> None:
        """Know all of a run's orders. Raises StoreError."""
        if run_id not in self._of:
            return
        run = await self._runs.run(run_id)
        if run is not None:
            past = await self._past.whole(run)
            state = self._state
            new = {each: life for each, life in past.kept(None).items() if each not in state.lives}
            for each, life in new.items():
                qty: Decimal = state.accepted.get(each, ZERO)
                state.recall(accepted(life, qty, life.order.updated_ns).life if qty else life)
                state.booked.update(fill.id for fill in life.fills)
            state.recall_together(group for group in past.together if not new.keys().isdisjoint(group))
        self._of.pop(run_id, None)

    async def is_stored(self, order_id: str) -> bool:
        """Tell whether there is an order of this id, known or not. Raises StoreError."""
        return order_id in self._state.lives or (bool(self._of) and bool(await self._runs.runs_of(order_ids=[order_id])))

    async def order(self, order_id: str) -> None:
        """Know an order of ours, where there is one of this id. Raises StoreError."""
        if self._of and order_id not in self._state.lives:
            await self._bring_back(await self._runs.runs_of(order_ids=[order_id]))

    async def named(self, orders: Iterable[BrokerOrder], executions: Iterable[Execution] = ()) -> None:
        """Know all of our orders that the broker names. Raises StoreError."""
        if not self._of:
            return
        state, orders = self._state, list(orders)
        strange = [one for one in orders if state.find(one.client_order_id, one.id) is None and one.id not in state.adopted]
        unbooked = [one for one in executions if not self._is_known(one)]
        if not strange and not unbooked:
            return
        fill_ids = [state.fill_id(one.id) for one in unbooked]
        await self._bring_back(await self._runs.runs_of(order_ids=[own_id(one.client_order_id) for one in strange], fill_ids=fill_ids))
        # A part of an order that left with others bears none of our ids: the broker's own is in the order's row.
        listed = {one.id for one in orders}
        ids = {one.id for one in strange if state.find(one.client_order_id, one.id) is None}
        ids |= {one.order_id for one in unbooked if not self._is_known(one) and one.order_id not in listed}
        if ids and self._of:
            await self._bring_back(await self._runs.runs_at_broker(list(self._of), sorted(ids)))

    def _is_known(self, one: Execution) -> bool:
        state = self._state
        return state.find("", one.order_id) is not None or one.id in state.known_outside or state.fill_id(one.id) in state.booked

    async def _bring_back(self, run_ids: Iterable[str]) -> None:
        for run_id in run_ids:
            await self.bring_back(run_id)
