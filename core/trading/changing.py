"""Gives working orders other terms: judged as what is left to fill, committed, and asked of the broker once."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import msgspec

from core.errors import InvalidValue, UnknownName
from core.events.live_payloads import OrderChangeSent, RiskRefused
from core.events.payloads import OrderReplaceRefused
from core.model.hand import OrderTerms
from core.model.order import Order, OrderRequest
from core.trading.brackets import check_change
from core.trading.changes import change_id, changed_request
from core.trading.excess import Excess
from core.trading.gate import Gate
from core.trading.order_fold import OrderLife, change_sent
from core.trading.sender import Sender
from core.trading.state import AccountState

Spawn = Callable[[Coroutine[Any, Any, None], str], None]
Known = Callable[[], None]
"""Told when it is committed what became of a wish: that it leaves, or that it is refused."""


class Changing:
    """Of one account. `spawn` starts a task of the desk's own."""

    def __init__(self, state: AccountState, gate: Gate, sender: Sender, spawn: Spawn) -> None:
        self._state = state
        self._gate = gate
        self._sender = sender
        self._spawn = spawn
        self._excess = Excess(state, self.change, sender.cancel)

    def wanted(self, order_id: str, terms: OrderTerms) -> OrderRequest:
        """Return what an order of ours would be on other terms. Raises UnknownName, and InvalidValue where that cannot be asked for now."""
        state = self._state
        life = state.lives.get(order_id)
        if life is None:
            raise UnknownName("order of ours", order_id, state.lives)
        if life.order.status.is_final or life.changing is not None or life.order.broker_id is None:
            words = "the broker has not taken it yet; try again in a moment."
            if life.order.status.is_final:
                words = f"it is {life.order.status}."
            elif life.changing is not None:
                words = "another change of it is under way; wait for the broker's answer."
            raise InvalidValue(f"Order {order_id}", "changed", words)
        request = changed_request(life.order, terms)
        lead, paired = state.groups.leads.get(order_id), state.lives.get(state.groups.pairs.get(order_id, ""))
        check_change(life, terms, has_exits=state.groups.has_exits(order_id), is_held_by=lead, paired=paired)
        return request

    async def change(
        self, order_id: str, request: OrderRequest, terms: OrderTerms, decided_ns: int | None = None, known: Known | None = None
    ) -> None:
        """Judge, commit and ask for it. `decided_ns`: when it was decided, if not now. Raises StoreError."""
        state = self._state
        async with state.turn:
            life = state.lives[order_id]
            order, entry = life.order, state.entry_of((life.order.run_id,))
            entry.decided_ns = entry.decided_ns if decided_ns is None else decided_ns
            if known is not None:
                entry.afterwards.append(known)
            if order.status.is_final or life.changing is not None or request.qty <= life.known_qty:
                return  # it was faster: what it came to is told
            left = msgspec.structs.replace(order, request=msgspec.structs.replace(request, qty=request.qty - life.known_qty))
            refusals = self._gate.refusals(left, [])
            if refusals:
                for scope, one in refusals:
                    entry.tell_of(
                        order,
                        RiskRefused(order_id=order_id, code=one.code, scope=scope, rule=one.rule, limit=one.limit, figure=one.figure),
                    )
                reason = " ".join(one.sentence for _, one in refusals)
                entry.tell_of(order, OrderReplaceRefused(order_id=order_id, code=refusals[0][1].code, reason=reason))
                await state.apply(entry)
                return
            number = len(life.changes) + 1
            entry.lives[order_id] = change_sent(life, request.qty)
            entry.tell_of(
                order,
                OrderChangeSent(
                    order_id=order_id,
                    client_order_id=change_id(order_id, number),
                    qty=request.qty,
                    limit_price=terms.limit_price,
                    stop_price=terms.stop_price,
                    trail=terms.trail,
                ),
            )
            entry.leaving.append(partial(self._leave, left, number, terms))
            await state.apply(entry)

    def _leave(self, left: Order, number: int, terms: OrderTerms, is_late: bool) -> None:
        self._gate.left(OrderLife(order=left))
        self._spawn(self._carry_out(left.id, number, terms, is_late), f"change-{left.id}")

    async def _carry_out(self, order_id: str, number: int, terms: OrderTerms, is_late: bool) -> None:
        await self._sender.change(order_id, number, terms, is_late=is_late)
        await self._excess.take_off(order_id)

    def take_off_excess(self) -> None:
        """Make every order smaller that is over more than was asked for, and that nobody has made smaller yet."""
        for order_id in self._excess.found():
            self._spawn(self._excess.take_off(order_id), f"excess-{order_id}")
