"""Carries out what the kill switch asks for at one account, whatever the strategies do meanwhile, and until it is done."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Final
from uuid import uuid4

from core.errors import KnownError
from core.events.live_payloads import SwitchCarriedOut
from core.events.payloads import OrderCreated, OrderSubmitted
from core.model.instants import SECOND_NS
from core.model.market import asset_class_of
from core.model.money import ZERO, plain
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, TimeInForce
from core.model.risk import SwitchLevel
from core.trading.coin_charges import FEE_COMES_NS
from core.trading.entries import Entry
from core.trading.history import Thrown
from core.trading.order_fold import OrderLife
from core.trading.state import AccountState

_log = logging.getLogger(__name__)
PATIENCE_S: Final = 20.0
"""How long the broker is waited for, for all cancels and again for all closing orders, before it is told what is left."""
FIRST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 300.0
"""Between two attempts at what is left; each pause is twice the one before."""
_CLOSER: Final = "-k"
_CARRIED_OUT: Final = frozenset({SwitchLevel.CANCEL_ALL, SwitchLevel.FLATTEN})


class _Due:
    """What was thrown, for a run or for all (None), and is not done yet."""

    def __init__(self, thrown: Thrown, causes: Iterable[str], asked: Iterable[str]) -> None:
        self.run_id, self.level, _ = thrown
        self.causes = dict.fromkeys([*causes, thrown.event_id])
        """The events that threw it: each is answered."""
        self.asked = dict.fromkeys(asked)
        self.closing: dict[str, None] = {}
        self.is_tried = False
        self.has_failed = False
        """Whether the store did not take what was last done of it."""
        self.told: str | None = None


class KillSwitch:
    """Does one thing after the other, in the one task that `keep` is. What was thrown twice for the same is done once.

    `spawn_cancel` and `spawn_send` are the desk's, for one order each; the first asks until the order is over. `wake` asks for a
    reconciliation. `is_reached`: whether the broker answers, and what happened before this desk was opened is booked.
    """

    def __init__(
        self,
        state: AccountState,
        spawn_cancel: Callable[[str], None],
        spawn_send: Callable[[str, bool], None],
        wake: Callable[[], None],
        is_reached: Callable[[], bool],
        on_bug: Callable[[BaseException, str], None],
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self._state = state
        self._spawn_cancel = spawn_cancel
        self._spawn_send = spawn_send
        self._wake = wake
        self._is_reached = is_reached
        self._on_bug = on_bug
        self._first_pause_s = first_pause_s
        self._due: dict[str | None, _Due] = {}
        self._is_called = False

    # --- what is thrown ---

    def throw(self, thrown: Thrown) -> None:
        """Take how the switch was set. Cancels are asked for at once; the rest is done as soon as its turn comes."""
        before = self._due.pop(thrown.run_id, None)
        if thrown.level in _CARRIED_OUT:
            due = _Due(thrown, () if before is None else before.causes, () if before is None else before.asked)
            if before is not None and thrown.level is SwitchLevel.FLATTEN:
                due.closing = before.closing
            self._due[thrown.run_id] = due
            self._ask(due)
        self.again()

    def again(self) -> None:
        """Try at once what is left: the broker is back."""
        self._is_called = True
        self._state.look_again()

    async def keep(self) -> None:
        """Carry out what is thrown, and try again what could not be done, until cancelled."""
        pause_s = self._first_pause_s
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s if self._due else None):
                    await self._state.until(self._is_wanted)
            pause_s = self._first_pause_s if self._is_called else min(2 * pause_s, LONGEST_PAUSE_S)
            self._is_called = False
            for due in list(self._due.values()):
                due.has_failed = True
                try:
                    await self._attempt(due)
                    due.has_failed = False
                except KnownError as error:
                    _log.warning("The kill switch at %s is not carried out yet: %s", self._state.key, error)
                except Exception as error:
                    self._on_bug(error, "kill-switch")

    def _is_wanted(self) -> bool:
        return self._is_called or any(self._is_done(due) and not due.has_failed for due in self._due.values())

    def _is_done(self, due: _Due) -> bool:
        is_held = due.level is SwitchLevel.FLATTEN and bool(self._held(due.run_id))
        return not is_held and not self._state.working(due.run_id)

    async def _attempt(self, due: _Due) -> None:
        due.is_tried = True
        self._ask(due)
        await self._settled(due.asked)
        if due.level is SwitchLevel.FLATTEN and self._is_still(due) and self._is_reached():
            await self._fees_taken()
            if self._is_still(due):
                due.closing |= dict.fromkeys(await self._close_positions(due.run_id, next(iter(due.causes)), "kill switch"))
            # Those too that close for somebody else who threw it.
            due.closing |= {life.order.id: None for life in self._state.working(due.run_id) if is_closer(life.order)}
            await self._settled(due.closing)
        if self._is_still(due) and not self._is_pressed():
            await self._tell(due)

    def _ask(self, due: _Due) -> None:
        """Ask for the cancel of what works; orders that close a position are what is wanted, where it is to be flat."""
        wanted = self._to_cancel(due.run_id, spares=due.level is SwitchLevel.FLATTEN)
        due.asked |= dict.fromkeys(wanted)
        for order_id in wanted:
            self._spawn_cancel(order_id)

    def _is_still(self, due: _Due) -> bool:
        return self._due.get(due.run_id) is due

    def _is_pressed(self) -> bool:
        """Whether something else was thrown meanwhile: nobody waits for it as long as the broker takes for this."""
        return any(not due.is_tried for due in self._due.values())

    async def _tell(self, due: _Due) -> None:
        """Tell what was done, once for each that threw it, and again when what is left has changed."""
        state = self._state
        async with state.turn:
            left = self._left(due)
            if left == due.told:
                return
            status = {order_id: state.lives[order_id].order.status for order_id in (*due.asked, *due.closing)}
            cancelled = sum(status[each] is OrderStatus.CANCELLED for each in due.asked)
            closed = sum(status[each] is OrderStatus.FILLED for each in due.closing)
            entry = state.entry()
            for cause in due.causes:
                told = SwitchCarriedOut(account=state.key, level=due.level, cancelled=cancelled, closed=closed, left=left)
                entry.tell(told, run_id=due.run_id, caused_by=cause)
            entry.afterwards.append(partial(self._is_told, due, left))
            await state.apply(entry)

    def _is_told(self, due: _Due, left: str) -> None:
        due.told = left
        if not left and self._is_still(due):
            del self._due[due.run_id]

    def _left(self, due: _Due) -> str:
        working = [life.order.id for life in self._state.working(due.run_id)]
        closing = sum(order_id in due.closing for order_id in working)
        words = []
        if len(working) > closing:
            words.append(f"{len(working) - closing} orders that the broker has not answered for.")
        if closing:
            words.append(f"{closing} closing orders that have not filled.")
        held = [f"{plain(qty)} {symbol}" for _, symbol, qty in self._held(due.run_id)]
        if due.level is SwitchLevel.FLATTEN and held:
            words.append(f"Still held: {', '.join(held)}.")
        return " ".join(words)

    # --- a run ---

    async def cancel_working(self, run_id: str, patience_s: float = PATIENCE_S) -> int:
        """Cancel what works of a run and wait for the broker's word; return how many it has not answered for. They are asked for on."""
        wanted = self._to_cancel(run_id, spares=self._state.level(run_id) is SwitchLevel.FLATTEN)
        for order_id in wanted:
            self._spawn_cancel(order_id)
        await self._settled(wanted, patience_s, is_waited_for=True)
        return sum(not self._state.lives[each].order.status.is_final for each in wanted)

    async def flatten(self, run_id: str, note: str) -> int:
        """Close a run's positions and wait for the broker's word; return how many orders it has not answered for."""
        await self._fees_taken()
        closing = await self._close_positions(run_id, None, note)
        await self._settled(closing, is_waited_for=True)
        return sum(not self._state.lives[each].order.status.is_final for each in closing)

    # --- inside ---

    def _to_cancel(self, run_id: str | None, *, spares: bool) -> list[str]:
        working = (life.order for life in self._state.working(run_id))
        return [order.id for order in working if not (spares and is_closer(order))]

    async def _settled(self, order_ids: Iterable[str], patience_s: float = PATIENCE_S, *, is_waited_for: bool = False) -> None:
        """Return when orders are over and all that they filled is booked, or the broker takes its time, or something else is thrown."""
        state, wanted = self._state, list(order_ids)

        def is_so() -> bool:
            is_enough = state.has_ended or (not is_waited_for and self._is_pressed())
            return is_enough or all(state.lives[each].is_settled for each in wanted)

        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await state.until(is_so)

    async def _fees_taken(self) -> None:
        """Wait until it is known what the broker kept of bought coins: more than is held cannot be sold."""
        self._wake()
        with suppress(TimeoutError):
            async with asyncio.timeout(FEE_COMES_NS / SECOND_NS):
                await self._state.until(lambda: self._state.has_ended or not self._state.coins.awaits_fee())

    def _held(self, run_id: str | None) -> list[tuple[str, str, Decimal]]:
        return [(own, symbol, qty) for (own, symbol), qty in self._state.to_close().items() if run_id in {None, own}]

    async def _close_positions(self, run_id: str | None, caused_by: str | None, note: str) -> list[str]:
        """Place a market order against what no working order closes already of each position; return the new orders.

        They pass no gate, and are rows and events as any other.
        """
        state = self._state
        async with state.turn:
            entry = state.entry()
            placed = []
            for own, symbol, qty in self._held(run_id):
                side = OrderSide.SELL if qty > 0 else OrderSide.BUY
                rest = abs(qty) - state.rests.qty(own, symbol, side)
                if rest > ZERO:
                    placed.append(self._place(own, OrderRequest(symbol=symbol, side=side, qty=rest, note=note), entry, caused_by))
            await state.apply(entry)
        return placed

    def _place(self, run_id: str, request: OrderRequest, entry: Entry, caused_by: str | None) -> str:
        state, now_ns = self._state, self._state.clock.now_ns()
        order = Order(
            id=closer_id(run_id),
            run_id=run_id,
            request=request,
            time_in_force=TimeInForce.DAY if asset_class_of(request.symbol).has_sessions else TimeInForce.GTC,
            status=OrderStatus.SUBMITTING,
            created_ns=now_ns,
            updated_ns=now_ns,
            account=state.key,
        )
        entry.lives[order.id] = OrderLife(order=order)
        entry.tell_of(order, OrderCreated(order=order), caused_by)
        entry.tell_of(order, OrderSubmitted(order_id=order.id, account=state.key))
        entry.leaving.append(partial(self._spawn_send, order.id))
        return order.id


def is_closer(order: Order) -> bool:
    """Tell whether an order was placed to close a position by the kill switch, or with its run."""
    return order.id.startswith(f"{order.run_id}{_CLOSER}")


def closer_id(run_id: str) -> str:
    """Return the id of a new order that closes a position of a run."""
    return f"{run_id}{_CLOSER}{uuid4().hex[:10]}"
