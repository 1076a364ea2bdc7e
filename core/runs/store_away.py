"""A paper or live run, or a person's, while the store is away: it waits, and what it wanted stored is stored once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from core.errors import DatabaseBusy, DatabaseUnreachable
from core.events.envelope import Envelope
from core.ports import EventLog, Rows, RunStore, UnitOfWork
from core.trading.order_fold import revived
from core.trading.service import AccountDesk, Intent

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 5.0
_AWAY: Final = (DatabaseUnreachable, DatabaseBusy)
_MARGIN: Final = 100
"""How many events of others may have come after ours."""
_log = logging.getLogger(__name__)


class StoreAway:
    """Of one run. A commit whose answer was lost is looked up before anything is done again."""

    def __init__(self, run_id: str, runs: RunStore, log: EventLog) -> None:
        self._run_id = run_id
        self._runs = runs
        self._event_log = log

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

        async def work() -> None:
            async with rows.begin() as unit:
                unit.append(events)
                on_commit(unit)

        async def was_done() -> bool:
            newest = await self._event_log.read_back(run_id=self._run_id, limit=len(events) + _MARGIN)
            return bool(events) and events[-1].id in {event.id for event in newest}

        await self.outlast(work, was_done)

    async def place(self, desk: AccountDesk, intents: Sequence[Intent], events: Sequence[Envelope] = ()) -> None:
        """Hand a decision's orders to the desk. Those that are stored and did not leave are closed as never sent by reconciliation."""

        async def was_done() -> bool:
            state, wanted = desk.state, {intent.order.id for intent in intents}
            found = [order for order in await self._runs.orders(self._run_id) if order.account == state.key]
            async with state.turn:
                for order in found:  # exits that were to leave with them, too
                    if order.id not in state.lives:
                        state.recall(revived(order, ()))
            return any(order.id in wanted for order in found)

        await self.outlast(lambda: desk.place(intents, events), was_done)
