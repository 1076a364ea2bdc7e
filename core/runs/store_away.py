"""A paper or live run, or a person's, while the store is away: it waits, and what it wanted stored is stored once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from core.errors import AlreadyStored, DatabaseBusy, DatabaseUnreachable
from core.events.envelope import Envelope
from core.ports import Rows, UnitOfWork
from core.trading.service import AccountDesk, Intent

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 5.0
_AWAY: Final = (DatabaseUnreachable, DatabaseBusy)
_log = logging.getLogger(__name__)


class StoreAway:
    """Of one run. A commit whose answer was lost is looked up before anything is done again."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id

    async def outlast(self, work: Callable[[], Awaitable[object]], was_done: Callable[[], Awaitable[bool]] | None = None) -> None:
        """Do `work`, and again when the store is back, unless it `was_done`; None: to do it twice comes to the same.

        Raises StoreError for what waiting does not mend.
        """
        pause_s, is_unsure = FIRST_PAUSE_S, False
        while True:
            try:
                if is_unsure and was_done is not None and await was_done():
                    return
                await work()
            except _AWAY as error:
                if not is_unsure:
                    _log.warning("Run %s waits for the store: %s", self._run_id, error)
                is_unsure = True
            else:
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

    async def place(self, desk: AccountDesk, intents: Sequence[Intent], events: Sequence[Envelope] = ()) -> None:
        """Hand a decision's orders to the desk. Those that are committed without an answer leave when the desk finds it out."""
        decided_ns = desk.state.clock.monotonic_ns()

        async def was_done() -> bool:
            async with desk.state.turn:  # which finds out what became of the last commit
                return any(intent.order.id in desk.state.lives for intent in intents)

        await self.outlast(lambda: desk.place(intents, events, decided_ns=decided_ns), was_done)
