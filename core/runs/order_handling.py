"""What becomes of a run's orders between its decisions and the desk of its account: handed over, waited for, and followed by exits."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from decimal import localcontext
from functools import partial
from typing import Final

from core.errors import InvalidValue
from core.events.envelope import Envelope
from core.model.money import MONEY_CONTEXT
from core.model.order import OrderStatus
from core.ports import LiveClock
from core.runs.closing_side import ClosingSide
from core.runs.desks import OpenAccount
from core.runs.live_venue import LiveOrders, LiveVenue
from core.runs.router import DomainRouter
from core.runs.run_closings import RunClosings
from core.runs.store_away import StoreAway
from core.strategy.actions import Action

GRACE_S: Final = 2.0
"""Real seconds that a decision waits for answers."""


class OrderHandling:
    """Of one run. `take_events` gives what led to the orders, which is committed with them."""

    def __init__(
        self,
        run_id: str,
        account: OpenAccount,
        router: DomainRouter,
        venue: LiveVenue,
        orders: LiveOrders,
        *,
        away: StoreAway,
        clock: LiveClock,
        take_events: Callable[[], list[Envelope]],
        keep: Callable[[], Awaitable[None]],
    ) -> None:
        """`keep` commits what `take_events` gives where no order leaves with it."""
        self._run_id = run_id
        self._account = account
        self._router = router
        self._venue = venue
        self._orders = orders
        self._away = away
        self._clock = clock
        self._take_events = take_events
        self._keep = keep
        self.closings: Final = RunClosings(run_id, account, venue.families, away)
        self._changed = asyncio.Event()
        self._sent: list[str] = []

    def note_change(self) -> None:
        """One of the run's orders has changed."""
        self._changed.set()

    def look(self, now_ns: int) -> None:
        """Let the strategy see what works now."""
        working = [life.order.id for life in self._account.desk.state.working(self._run_id)]
        self._venue.look(now_ns, [*working, *self.closings.waiting()])

    async def carry_out(self, actions: Sequence[Action], now_ns: int) -> None:
        """Route a decision's actions and hand them to the desk, which commits and sends them. Raises StoreError, LeaseLost."""
        venue = self._venue
        self.look(now_ns)
        with localcontext(MONEY_CONTEXT):
            self._router.route(actions)
            wanted, venue.intents = self.closings.take(venue.intents, venue.closes()), []
        intents = [venue.families.with_exits(intent) for intent in wanted]
        cancels, venue.cancels = venue.cancels, []
        if intents:
            await self._away.place(self._account.desk, intents, self._take_events())
            self._sent += [intent.order.id for intent in intents]
        waiting = self.closings.waiting()
        if waiting:
            await self._keep()  # before anything makes way for them
        for order_id in cancels:
            if not self.closings.cancel(order_id):
                await self._cancel(order_id)
        changes, venue.changes = venue.changes, []
        for order_id, terms in changes:
            try:
                if order_id in waiting:
                    raise InvalidValue(f"Order {order_id}", "changed", "it waits until exits have made way for it; cancel it instead.")
                await self._away.change(self._account.desk, order_id, terms, self._orders.commands.get(order_id))
            except InvalidValue as error:
                venue.refuse_change(order_id, error)
        self.closings.begin()

    async def _cancel(self, order_id: str) -> None:
        """Ask for the cancel of an order; one that is making way for a closing, or has done so, is owed no more."""
        debts = self._account.owed.let_go(order_id)
        await self._account.desk.cancel(order_id, self._orders.commands.get(order_id))
        if debts:
            await self._away.outlast(lambda: self._account.owed.tell_end(debts, "Its strategy took its exits back."))

    async def answers(self) -> None:
        """Return once the broker has answered for what the run sent, or takes its time: a decision knows what became of the last."""
        state = self._account.desk.state

        def are_there() -> bool:
            mine = (state.lives[order_id] for order_id in self._sent if order_id in state.lives)
            is_told = all(life.order.status is not OrderStatus.SUBMITTING and not life.missing_qty for life in mine)
            return is_told and not self.closings.waiting() and not state.coins.awaits_fee(self._sent)

        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await state.until(are_there)
        self._sent.clear()

    async def mind_families(self) -> None:
        """Send the exits of what has filled, and take back what the other of a pair has made needless."""
        desk = self._account.desk
        side = ClosingSide(desk.state)
        while True:
            self._changed.clear()
            leaving, cancels = self._venue.families.due(
                desk.state.lives, desk.state.causes.of_order.get, self._clock.now_ns(), partial(side.left_of, {}), desk.state.groups.pairs
            )
            if leaving:
                await self._away.place(desk, leaving)
            for order_id in (*cancels, *side.idle(self._run_id)):
                await desk.cancel(order_id)
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE_S if desk.state.coins.awaits_fee() or self._venue.families.owes else None):
                    await self._changed.wait()
