"""Places orders: judged, committed together with what led to them, and only then sent."""

from collections.abc import Sequence
from functools import partial

import msgspec

from core.events.envelope import Envelope
from core.events.live_payloads import OrdersLeftTogether, RiskApproved, RiskRefused
from core.events.payloads import OrderCreated, OrderRejected, OrderSubmitted
from core.model.order import Order, OrderStatus, RejectCode
from core.trading.brackets import fits_as_one
from core.trading.changing import Spawn
from core.trading.entries import Entry
from core.trading.gate import Gate
from core.trading.intent import Intent
from core.trading.order_fold import OrderLife
from core.trading.pairs import pairs_of
from core.trading.sender import Sender
from core.trading.state import AccountState


class Placing:
    """Of one account. `spawn` starts a task of the desk's own."""

    def __init__(self, state: AccountState, gate: Gate, sender: Sender, spawn: Spawn) -> None:
        self._state = state
        self._gate = gate
        self._sender = sender
        self._spawn = spawn

    async def place(self, intents: Sequence[Intent], events: Sequence[Envelope], decided_ns: int | None) -> None:
        """Judge, commit and send orders, with the `events` that led to them; see `AccountDesk.place`."""
        state = self._state
        async with state.turn:
            entry = state.entry_of(intent.order.run_id for intent in intents)
            entry.events.extend(events)
            entry.decided_ns = entry.decided_ns if decided_ns is None else decided_ns
            placed: list[OrderLife] = []
            for intent in intents:
                placed.append(self._judged(intent, placed, entry))
                self._add_exits(intent, placed, entry)
            for pair in pairs_of([life.order for life in placed], state.features):
                self._together(pair, entry)
            await state.apply(entry)

    async def refuse(self, intents: Sequence[Intent], code: RejectCode, reason: str) -> None:
        """Commit orders as ones that never leave; see `AccountDesk.refuse`."""
        state = self._state
        async with state.turn:
            entry = state.entry_of(intent.order.run_id for intent in intents)
            for intent in intents:
                if intent.order.id not in state.lives:
                    self._refused(self._created(intent, entry), code, reason, entry)
            await state.apply(entry)

    def _add_exits(self, intent: Intent, placed: list[OrderLife], entry: Entry) -> None:
        """Let the exits of an order that was let through leave with it, where the broker takes that and the gate lets them through, too."""
        order, exits = placed[-1].order, [one.order for one in intent.exits]
        if order.status.is_final or not fits_as_one(order, exits, self._state.held_before(order), self._state.features):
            return
        if any(self._gate.refusals(one, placed, filled=order) for one in exits):
            return  # they are judged again when it has filled
        leaving = []
        for one in intent.exits:
            leg = msgspec.structs.replace(one.order, account=self._state.key)
            if one.trace_id is not None:
                self._state.causes.traces[leg.id] = one.trace_id
            entry.tell_of(leg, OrderCreated(order=leg), one.caused_by)
            leaving.append(self._approved(leg, entry).order)
        self._together((order, *leaving), entry)

    def _together(self, orders: Sequence[Order], entry: Entry) -> None:
        """Let orders leave as one request."""
        entry.afterwards.insert(0, lambda: self._state.left_together(orders))  # before any of them leaves
        entry.tell_of(orders[0], OrdersLeftTogether(order_id=orders[0].id, others=tuple(order.id for order in orders[1:])))

    def _created(self, intent: Intent, entry: Entry) -> Order:
        """Add an order to the entry, and return it as this account's."""
        order = msgspec.structs.replace(intent.order, account=self._state.key)
        if intent.trace_id is not None:
            self._state.causes.traces[order.id] = intent.trace_id
        entry.tell_of(order, OrderCreated(order=order), intent.caused_by)
        return order

    def _judged(self, intent: Intent, before: list[OrderLife], entry: Entry) -> OrderLife:
        """Add an order to the entry, as one that leaves or as one that is refused."""
        order = self._gate.without_dust(self._created(intent, entry), before, entry)
        refusals = self._gate.refusals(order, before)
        for scope, refusal in refusals:
            entry.tell_of(
                order,
                RiskRefused(
                    order_id=order.id, code=refusal.code, scope=scope, rule=refusal.rule, limit=refusal.limit, figure=refusal.figure
                ),
            )
        wrong = None if refusals else self._gate.wrong(order, before)
        if refusals or wrong is not None:
            code, reason = wrong or (refusals[0][1].code, " ".join(refusal.sentence for _, refusal in refusals))
            return self._refused(order, code, reason, entry)
        return self._approved(order, entry)

    def _refused(self, order: Order, code: RejectCode, reason: str, entry: Entry) -> OrderLife:
        """Add an order to the entry as one that never leaves."""
        now_ns = self._state.clock.now_ns()
        order = msgspec.structs.replace(order, status=OrderStatus.REJECTED, updated_ns=now_ns, reject_code=code, reason=reason)
        entry.tell_of(order, OrderRejected(order_id=order.id, code=code, reason=reason))
        life = entry.lives[order.id] = OrderLife(order=order, said=OrderStatus.REJECTED)
        return life

    def _approved(self, order: Order, entry: Entry) -> OrderLife:
        """Add an order to the entry as one that leaves."""
        entry.tell_of(order, RiskApproved(order_id=order.id))
        order = msgspec.structs.replace(order, status=OrderStatus.SUBMITTING, updated_ns=self._state.clock.now_ns())
        entry.tell_of(order, OrderSubmitted(order_id=order.id, account=self._state.key))
        life = entry.lives[order.id] = OrderLife(order=order)
        entry.leaving.append(partial(self._leave, life))
        return life

    def _leave(self, life: OrderLife, is_late: bool) -> None:
        self._gate.left(life)
        if life.order.id in self._state.groups.leads:
            return  # it leaves with another, as one order
        self.send(life.order.id, is_late)

    def send(self, order_id: str, is_late: bool) -> None:
        """Send an order that is committed, by a task of the desk."""
        self._sender.begin(order_id)
        self._spawn(self._sender.send(order_id, is_late=is_late), f"send-{order_id}")
