"""Heals what differs between an account and our books: each difference is an event, and what comes of it follows from that."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from core.errors import BooksDiffer
from core.events.live_payloads import CoinFee, Differed, DifferenceAccepted, OrderAdopted, OutsideFilled
from core.model.broker import BrokerOrder
from core.model.money import ZERO
from core.model.order import RejectCode
from core.trading.account_entries import AccountEntries
from core.trading.entries import Entry
from core.trading.order_fold import accepted, executed, heard, refused
from core.trading.reconcile import Difference, Healing, Kind
from core.trading.state import AccountState

_SLICE_NS: Final = 8_000_000
"""How long it computes before the loop gets its turn."""
_TODO: Final = (
    "Compare the account with the run's fills at the broker; `weaver reconcile --adopt` takes it as it is there. Then start a new run."
)


class Healer:
    """Of one account. `spawn_cancel` cancels an order at the broker, by its id there."""

    def __init__(self, state: AccountState, entries: AccountEntries, spawn_cancel: Callable[[str], None]) -> None:
        self._state = state
        self._entries = entries
        self._spawn_cancel = spawn_cancel

    async def heal_all(self, found: Sequence[Difference], entry: Entry, before: Mapping[str, Difference], accepts: str) -> None:
        """Heal one after the other; after an outage there may be thousands, and the loop has other things to do."""
        clock = self._state.clock
        until_ns = clock.monotonic_ns() + _SLICE_NS
        for one in found:
            self.heal(one, entry, before, accepts)
            if clock.monotonic_ns() > until_ns:
                await asyncio.sleep(0)
                until_ns = clock.monotonic_ns() + _SLICE_NS

    def heal(self, one: Difference, entry: Entry, before: Mapping[str, Difference], accepts: str) -> None:
        """Add to `entry` what heals a difference, and that it was met. `before`: what differed at the last look, by its key."""
        state, now_ns = self._state, self._state.clock.now_ns()
        earlier = before.get(one.key)
        is_told = earlier is not None and earlier.healing is one.healing
        if one.healing is Healing.WAIT and (is_told or one.kind in {Kind.GHOST_ORDER, Kind.COIN_FEE}):
            return  # told when it was first met, or so fresh that it says nothing
        if one.healing is Healing.STOP and is_told:
            return  # it is what it was at the last look, and that was told
        run_id = None if one.order_id is None else state.lives[one.order_id].order.run_id
        caused_by = entry.tell(
            Differed(
                account=state.key,
                what=one.kind.value,
                healing=one.healing.value,
                symbol=one.symbol,
                reason=one.reason,
                order_id=one.order_id,
            ),
            run_id=run_id,
        )
        if one.healing is Healing.ACCEPT:
            self._accept(one, entry, caused_by, accepts)
        elif one.order_id is not None:
            life = entry.life(one.order_id, state.lives[one.order_id])
            entry.caused(one.order_id, caused_by)
            if one.healing is Healing.BOOK and one.execution is not None:
                entry.take(executed(life, one.execution, state.fill_id(one.execution.id), now_ns, reason="reconciled"))
            elif one.healing is Healing.FOLD and one.order is not None:
                entry.take(heard(life, one.order, now_ns))
            elif one.healing is Healing.CLOSE:
                entry.take(refused(life, RejectCode.NEVER_SENT, one.reason, now_ns))
            elif one.healing is Healing.CANCEL and one.order is not None:
                broker_id = one.order.id
                entry.afterwards.append(lambda: self._spawn_cancel(broker_id))
        elif one.kind is Kind.COIN_FEE:
            self._charge(one, entry, caused_by)
        elif one.execution is not None:
            self._take_outside(one, entry, caused_by)
        elif one.healing is Healing.ADOPT and one.order is not None:
            self._adopt(one.order, entry, caused_by)

    def _accept(self, one: Difference, entry: Entry, caused_by: str, why: str) -> None:
        state = self._state
        told = DifferenceAccepted(account=state.key, what=one.kind.value, symbol=one.symbol, qty=one.qty, reason=why, order_id=one.order_id)
        entry.tell(told, caused_by=caused_by)
        entry.afterwards.append(partial(state.accept, told))
        if one.order_id is not None and one.order is not None:
            now_ns = state.clock.now_ns()
            entry.caused(one.order_id, caused_by)
            entry.take(heard(entry.life(one.order_id, state.lives[one.order_id]), one.order, now_ns))
            entry.take(accepted(entry.life(one.order_id, state.lives[one.order_id]), one.qty, now_ns))

    def _charge(self, one: Difference, entry: Entry, caused_by: str) -> None:
        """Book fees in coin with the fills whose they are."""
        state = self._state
        for charge in one.charges:
            buy = charge.buy
            told = CoinFee(
                account=state.key, symbol=one.symbol, fill_id=buy.fill_id, qty=charge.qty, price=buy.price, order_id=buy.order_id
            )
            run_id = None if buy.order_id is None else state.lives[buy.order_id].order.run_id
            # From a run's fee one walks back through its fill; that the account differed belongs to no run.
            fill_event = state.causes.of_order.get(buy.order_id or "")
            entry.tell(told, run_id=run_id, caused_by=caused_by if run_id is None else fill_event)
            entry.afterwards.append(partial(state.charge, told, run_id))

    def _take_outside(self, one: Difference, entry: Entry, caused_by: str) -> None:
        state, execution = self._state, one.execution
        if execution is None:
            return
        qty = execution.qty * execution.side.sign
        if one.kind is Kind.LIQUIDATION:
            qty = self._entries.liquidate(execution, entry) * execution.side.sign
        told = OutsideFilled(account=state.key, execution_id=execution.id, symbol=execution.symbol, qty=qty, price=execution.price)
        entry.tell(told, caused_by=caused_by)

        def know() -> None:
            state.known_outside.add(execution.id)
            state.outside[execution.symbol] = state.outside.get(execution.symbol, ZERO) + qty
            state.coins.note_outside(state.fill_id(told.execution_id), told)

        entry.afterwards.append(know)

    def _adopt(self, order: BrokerOrder, entry: Entry, caused_by: str) -> None:
        state = self._state
        told = OrderAdopted(
            account=state.key,
            broker_id=order.id,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side.value if order.side is not None else "?",
            status=order.broker_status,
            filled_qty=order.filled_qty,
            qty=order.qty,
        )
        entry.tell(told, caused_by=caused_by)
        entry.afterwards.append(lambda: state.adopted.add(order.id))

    def stop_runs(self, unhealed: list[Difference]) -> None:
        """Stop every run that has to do with what nothing heals."""
        state = self._state
        for one in unhealed:
            concerned = {run_id for run_id, book in state.books.items() if one.symbol in book.holdings}
            concerned |= {life.order.run_id for life in state.lives.values() if life.order.request.symbol == one.symbol}
            for run_id in concerned & set(state.seats):
                state.seats[run_id].stop(BooksDiffer(one.reason, _TODO))
