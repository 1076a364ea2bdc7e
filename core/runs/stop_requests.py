"""Stopping a run that goes on in another process of this desk: one asks through the log, the one that runs it hears and stops it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from core.errors import RunNotStoppable, StillRunning
from core.events.envelope import Envelope
from core.events.payloads import RunStopRequested
from core.model.desk import LeaseKind
from core.model.run import Run, RunMode, RunStatus
from core.ports import Clock, Store, Subscription
from core.runs.run_event import run_event

WAIT_S: Final = 60.0
"""How long whoever asks waits for the end. A broker may take its time to cancel what works."""
LOOK_S: Final = 1.0
"""How often is looked whether the process that was asked is still there."""


class StopRequests:
    """Asks, and hears what others ask. Only of this desk: what runs at another one is stopped there."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def heard(self, run_id: str, stop: Callable[[], None]) -> Subscription:
        """Call `stop` when a process of this desk asks for the run's end. Have it before the run is stored as running."""

        def hear(event: Envelope) -> None:
            # Another desk is refused where it asks; here what comes of it in spite of that.
            if isinstance(event.payload, RunStopRequested) and event.payload.desk_id == self._store.desk.id:
                stop()

        return self._store.log.subscribe(RunStopRequested.wire, hear, owner="stop requests", run_id=run_id)

    async def ask(self, run: Run) -> Run:
        """Ask for the end of a running run of another process, and return it once it is over.

        Raises RunNotStoppable for a run of another desk, one whose process is gone, and a person's own orders; StillRunning
        when it is not over in time.
        """
        await self._check(run)
        changed = asyncio.Event()
        with self._store.log.subscribe("run.*", lambda _: changed.set(), owner="stop", run_id=run.id):
            asked = RunStopRequested(desk_id=self._store.desk.id, desk=self._store.desk.name)
            await self._store.log.append([run_event(run.id, asked, self._clock.now_ns())])
            try:
                async with asyncio.timeout(WAIT_S):
                    return await self._over(run, changed)
            except TimeoutError:
                raise StillRunning(run.id, round(WAIT_S)) from None

    async def _over(self, run: Run, changed: asyncio.Event) -> Run:
        while True:
            changed.clear()
            found = await self._store.runs.run(run.id)
            if found is None:
                raise RunNotStoppable(f"Run {run.id} was removed in the meantime.")
            if found.status is RunStatus.INTERRUPTED:
                raise gone(found)
            if found.status is not RunStatus.RUNNING:
                return found
            await self._check(found)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await changed.wait()

    async def _check(self, run: Run) -> None:
        """Raise RunNotStoppable where nobody would hear it, or nobody may ask."""
        if run.config.is_by_hand:
            raise RunNotStoppable(
                f"Run {run.id} is the book of a person's own orders and does not run.", "Let the account go where it is connected."
            )
        lease = next((one for one in await self._store.leases.held(LeaseKind.RUN) if one.name == run.id), None)
        if lease is None:
            # It is about to end, or its program is from before there were leases.
            if run.owner is None or not self._store.is_alive(run.owner):
                newest = await self._store.runs.run(run.id)
                if newest is None or newest.status is RunStatus.RUNNING:
                    raise gone(run)
            return
        if lease.desk.id != self._store.desk.id:
            raise RunNotStoppable(
                f"Run {run.id} goes on at the desk {lease.desk.name}, and only that desk stops it.",
                f"Stop it there. `weaver kill --run {run.id}` works from here: nothing new of it leaves, and its orders are cancelled."
                if run.config.mode is not RunMode.BACKTEST
                else "Stop it there.",
            )
        if not self._store.is_alive(lease.owner):
            raise gone(run)


def gone(run: Run) -> RunNotStoppable:
    """Return what is said of a run whose program is gone: there is nobody left to stop it."""
    return RunNotStoppable(
        f"The program that ran {run.id} is gone: the run is interrupted, and nothing of it goes on.",
        "Run it again to get a result."
        if run.config.mode is RunMode.BACKTEST
        else f"Resume or close it: `weaver runs resume {run.id}`, `weaver runs close {run.id}`, or its menu in the window.",
    )
