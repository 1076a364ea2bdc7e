"""What a run was at any event: read from the log, folded once, and kept with its snapshots while it is looked at."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from core.errors import RunError
from core.events.dispatch import SLICE_NS
from core.events.envelope import Envelope
from core.events.payloads import RunCreated
from core.ports import Clock, EventLog
from core.views.run_at import SNAPSHOT_EVENTS, RunHistory, RunView

KEPT_RUNS: Final = 4
"""Runs whose folds are kept; the one that was not asked for longest goes first."""

_PAGE: Final = 4_000
_STEP: Final = 50


class RunHistories:
    """The histories of runs that were asked for. A run's first question folds its events up to there; later ones go on from a snapshot."""

    def __init__(self, log: EventLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._held: OrderedDict[str, RunHistory] = OrderedDict()
        self._reading = asyncio.Lock()

    async def view_at(self, run_id: str, seq: int) -> RunView:
        """Return the run as it was when the event `seq` had happened; of an event that is another's, as it was then.

        Raises RunError when none of the run's events is that old, or when they are no longer in the log.
        """
        async with self._reading:
            history = self._held.setdefault(run_id, RunHistory())
            self._held.move_to_end(run_id)
            try:
                await self._extend(run_id, history, seq)
            except BaseException:
                del self._held[run_id]  # it may have taken a part of a page
                raise
            if not history.first_seq:
                del self._held[run_id]
                raise RunError(
                    f"The log holds no events of run {run_id}.", "They may have been archived: `weaver db archives` lists where."
                )
            while len(self._held) > KEPT_RUNS:
                self._held.popitem(last=False)
        if seq < history.first_seq:
            raise RunError(f"Run {run_id} did not exist at event {seq}.", f"Its first event is {history.first_seq}.")
        fold = history.before(seq)
        for event in await self._between(run_id, fold.seq, seq):
            fold.fold(event)
        return fold.view()

    async def _extend(self, run_id: str, history: RunHistory, seq: int) -> None:
        while history.seq < seq:
            page = await self._log.read(after_seq=history.seq, run_id=run_id, limit=_PAGE)
            if page and not history.first_seq and page[0].type != RunCreated.wire:
                return  # archived: what stays of it is made into accounts, and shows no run
            await self._fold(history, page)
            if len(page) < _PAGE:
                return

    async def _fold(self, history: RunHistory, page: Sequence[Envelope]) -> None:
        until = self._clock.monotonic_ns() + SLICE_NS
        for first in range(0, len(page), _STEP):
            history.extend(page[first : first + _STEP])
            if self._clock.monotonic_ns() >= until:
                await asyncio.sleep(0)
                until = self._clock.monotonic_ns() + SLICE_NS

    async def _between(self, run_id: str, after_seq: int, seq: int) -> list[Envelope]:
        """Return the run's events after one and up to another."""
        found: list[Envelope] = []
        while True:
            page = await self._log.read(after_seq=found[-1].seq if found else after_seq, run_id=run_id, limit=SNAPSHOT_EVENTS)
            found += [event for event in page if event.seq <= seq]
            if len(page) < SNAPSHOT_EVENTS or page[-1].seq >= seq:
                return found
