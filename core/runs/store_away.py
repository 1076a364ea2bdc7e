"""A paper or live run, or a person's, while the store is away: it waits, and what it wanted stored is stored once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final
from uuid import uuid4

from core.errors import AlreadyStored, DatabaseBusy, DatabaseUnreachable, InputError
from core.events.envelope import Envelope, Payload, envelope
from core.events.payloads import StoreAwaited, StoreBack
from core.model.hand import OrderTerms
from core.model.order import Order
from core.ports import EventLog, Rows, UnitOfWork
from core.trading.service import AccountDesk, Intent
from core.trading.state import AccountState

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 5.0
_AWAY: Final = (DatabaseUnreachable, DatabaseBusy)
_log = logging.getLogger(__name__)


class StoreAway:
    """Of one run, or of a person at an account. A commit whose answer was lost is looked up before anything is done again.

    Whoever looks is told that it waits, and that it goes on: by announcements, for nothing can be stored meanwhile.
    """

    def __init__(self, run_id: str, log: EventLog, now_ns: Callable[[], int]) -> None:
        self._run_id = run_id
        self._log = log
        self._now_ns = now_ns

    async def outlast(
        self,
        work: Callable[[], Awaitable[object]],
        was_done: Callable[[], Awaitable[bool]] | None = None,
        while_waiting: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Do `work`, and again when the store is back, unless it `was_done`; None: to do it twice comes to the same.

        `while_waiting` is done once, when it begins to wait. Raises StoreError for what waiting does not mend.
        """
        pause_s, is_unsure = FIRST_PAUSE_S, False
        while True:
            try:
                if not (is_unsure and was_done is not None and await was_done()):
                    await work()
            except _AWAY as error:
                if not is_unsure:
                    _log.warning("Run %s waits for the store: %s", self._run_id, error)
                    self._tell(StoreAwaited(reason=error.what))
                    if while_waiting is not None:
                        await while_waiting()
                is_unsure = True
            except InputError:  # what was to be done is not to be done any more
                if is_unsure:
                    self._tell(StoreBack())
                raise
            else:
                if is_unsure:
                    self._tell(StoreBack())
                return
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def commit(self, rows: Rows, events: Sequence[Envelope], on_commit: Callable[[UnitOfWork], None]) -> None:
        """Commit a run's events and what `on_commit` adds."""
        is_again = False

        async def work() -> None:
            nonlocal is_again
            with suppress(AlreadyStored):
                async with rows.begin() as unit:
                    if is_again and events:
                        unit.unless_stored(events[-1])
                    is_again = True
                    unit.append(events)
                    on_commit(unit)

        await self.outlast(work)

    async def place(
        self, desk: AccountDesk, intents: Sequence[Intent], events: Sequence[Envelope] = (), *, decided_ns: int | None = None
    ) -> None:
        """Hand a decision's orders to the desk. Those that are committed without an answer leave when the desk finds it out.

        `decided_ns`: when they were decided, by `Clock.elapsed_ns`, if not now.
        """
        decided_ns = desk.state.clock.elapsed_ns() if decided_ns is None else decided_ns

        async def was_done() -> bool:
            async with desk.state.turn:  # which finds out what became of the last commit
                return any(intent.order.id in desk.state.lives for intent in intents)

        await self.outlast(lambda: desk.place(intents, events, decided_ns=decided_ns), was_done)

    async def change(self, desk: AccountDesk, order_id: str, terms: OrderTerms, caused_by: str | None) -> None:
        """Ask for other terms of an order that a decision changed. Raises InvalidValue where the order is over by then."""
        decided_ns, known = desk.state.clock.elapsed_ns(), asyncio.Event()

        async def was_done() -> bool:
            async with desk.state.turn:  # which finds out what became of the last commit
                return known.is_set()

        await self.outlast(lambda: desk.change(order_id, terms, caused_by, decided_ns=decided_ns, known=known.set), was_done)

    async def tell(
        self, state: AccountState, order: Order, payload: Payload, while_waiting: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Commit an event of an order. `while_waiting`: see `outlast`."""
        known = asyncio.Event()

        async def work() -> None:
            async with state.turn:
                entry = state.entry()
                entry.tell_of(order, payload)
                entry.afterwards.append(known.set)
                await state.apply(entry)

        async def was_done() -> bool:
            async with state.turn:
                return known.is_set()

        await self.outlast(work, was_done, while_waiting)

    def _tell(self, payload: Payload) -> None:
        now_ns = self._now_ns()
        self._log.announce([envelope(payload, id=uuid4().hex, ts=now_ns, producer="runs", run_id=self._run_id, corr_id=self._run_id)])
