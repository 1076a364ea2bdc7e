"""Carries out what the kill switch asks for at one account, run by run, whatever the strategies do meanwhile."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import uuid4

from core.errors import StoreError
from core.events.live_payloads import SwitchCarriedOut
from core.events.payloads import OrderCreated, OrderSubmitted
from core.model.market import asset_class_of
from core.model.money import plain
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, TimeInForce
from core.model.risk import SwitchLevel
from core.trading.entries import Entry
from core.trading.order_fold import OrderLife
from core.trading.state import AccountState

_log = logging.getLogger(__name__)
PATIENCE_S: Final = 20.0
"""How long the broker is waited for, for all cancels and again for all closing orders."""


class KillSwitch:
    """`cancel` and `send` are the desk's, for one order each; they return once it is asked for."""

    def __init__(self, state: AccountState, cancel: Callable[[str], Awaitable[None]], spawn_send: Callable[[str], None]) -> None:
        self._state = state
        self._cancel = cancel
        self._spawn_send = spawn_send

    async def carry_out(self, run_id: str | None, level: SwitchLevel, caused_by: str | None) -> None:
        """Do what `level` asks for, for a run or for all, and tell of it when the broker acknowledged each step."""
        if level not in {SwitchLevel.CANCEL_ALL, SwitchLevel.FLATTEN}:
            return
        cancelled, left = await self.cancel_working(run_id)
        closed = 0
        if level is SwitchLevel.FLATTEN:
            closing = await self._close_positions(run_id, caused_by, "kill switch")
            closed = await self._settled(closing)
            left += len(closing) - closed
        state = self._state
        held = [
            f"{plain(qty)} {symbol}"
            for own, book in state.books.items()
            if run_id in {None, own}
            for symbol, qty in book.positions().items()
        ]
        words = []
        if left:
            words.append(f"{left} orders that the broker has not answered for.")
        if level is SwitchLevel.FLATTEN and held:
            words.append(f"Still held: {', '.join(held)}.")
        async with state.turn:
            entry = state.entry()
            entry.tell(
                SwitchCarriedOut(account=state.key, level=level, cancelled=cancelled, closed=closed, left=" ".join(words)),
                run_id=run_id,
                caused_by=caused_by,
            )
            await state.apply(entry)

    async def cancel_working(self, run_id: str | None, patience_s: float = PATIENCE_S) -> tuple[int, int]:
        """Cancel what works and wait for the broker's word; return how many are over, and how many it has not answered for."""
        working = [life.order.id for life in self._state.working(run_id)]
        try:
            async with asyncio.timeout(patience_s), asyncio.TaskGroup() as group:
                for order_id in working:
                    group.create_task(self._cancel_one(order_id), name=f"cancel-{order_id}")
        except TimeoutError:
            pass
        over = await self._settled(working, patience_s)
        return over, len(working) - over

    async def flatten(self, run_id: str, note: str) -> int:
        """Close a run's positions and wait for the broker's word; return how many orders it has not answered for."""
        closing = await self._close_positions(run_id, None, note)
        return len(closing) - await self._settled(closing)

    async def _cancel_one(self, order_id: str) -> None:
        try:
            await self._cancel(order_id)
        except StoreError as error:  # the broker was asked; the other orders are, too
            _log.warning("That order %s is to be cancelled was not stored: %s", order_id, error)

    async def _settled(self, order_ids: list[str], patience_s: float = PATIENCE_S) -> int:
        state, lives = self._state, self._state.lives
        try:
            async with asyncio.timeout(patience_s):
                await state.until(lambda: state.has_ended or all(lives[each].order.status.is_final for each in order_ids))
        except TimeoutError:
            pass
        return sum(lives[each].order.status.is_final for each in order_ids)

    async def _close_positions(self, run_id: str | None, caused_by: str | None, note: str) -> list[str]:
        """Place a market order against each position of the runs; they pass no gate, and are rows and events as any other."""
        state = self._state
        async with state.turn:
            entry = state.entry()
            placed = []
            for own, book in state.books.items():
                if run_id in {None, own}:
                    for symbol, qty in book.positions().items():
                        side = OrderSide.SELL if qty > 0 else OrderSide.BUY
                        request = OrderRequest(symbol=symbol, side=side, qty=abs(qty), note=note)
                        placed.append(self._place(own, request, entry, caused_by))
            await state.apply(entry)
        return placed

    def _place(self, run_id: str, request: OrderRequest, entry: Entry, caused_by: str | None) -> str:
        state, now_ns = self._state, self._state.clock.now_ns()
        order = Order(
            id=f"{run_id}-k{uuid4().hex[:10]}",
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
        entry.afterwards.append(lambda: self._spawn_send(order.id))
        return order.id
