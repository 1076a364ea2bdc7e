"""Ends of runs that come after the run itself: that the store refused, and that a person makes of one that was interrupted."""

import asyncio
from contextlib import suppress
from typing import Final

from core.errors import HeldElsewhere, RunNotStoppable, StoreError
from core.events.envelope import Envelope, envelope
from core.events.payloads import RunStopped
from core.model.broker import AccountName
from core.model.run import Run, RunMode, RunStatus
from core.ports import Clock, Store
from core.runs.desks import Desks
from core.runs.leases import FencedRuns, LeaseKeeper

AGAIN_S: Final = 5.0
"""How often a run's end that the store refused is tried again."""


class UnstoredEnds:
    """Runs that ended but whose end the store refused, until it takes them."""

    def __init__(self, store: Store, leases: LeaseKeeper, again_s: float = AGAIN_S) -> None:
        self._store = store
        self._leases = leases
        self._again_s = again_s
        self._waiting: dict[str, tuple[Run, Envelope]] = {}
        self._closing = asyncio.Event()

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._waiting

    def newest(self, run: Run) -> Run:
        """Return a stored run as it ended, where only this process knows of that."""
        return self._waiting[run.id][0] if run.id in self._waiting else run

    def keep(self, run: Run, told: Envelope) -> None:
        """Take a run's end, and the event that tells of it."""
        self._waiting[run.id] = (run, told)

    def close(self) -> None:
        """Try once more, and then no longer: the next start finds the run as interrupted."""
        self._closing.set()

    async def store_later(self, run_id: str) -> None:
        """Try again until the end of a run is stored, or `close`."""
        while run_id in self._waiting and not self._closing.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._again_s):
                    await self._closing.wait()
            with suppress(StoreError):
                await self.store()

    async def store(self) -> None:
        """Store what waits. Raises StoreError."""
        for run_id, (run, told) in list(self._waiting.items()):
            try:
                rows = FencedRuns(self._store.runs, await self._leases.take(run_id))
            except HeldElsewhere:
                self._waiting.pop(run_id, None)  # another desk has found it: what that one stored counts
                continue
            try:
                stored = await self._store.runs.run(run_id)
                if stored is not None and stored.status is RunStatus.RUNNING:
                    async with rows.begin() as work:
                        work.put_run(run)
                        work.append([told])
                self._waiting.pop(run_id, None)
            finally:
                await self._leases.give_back(run_id)


async def close_interrupted(
    run: Run, *, flatten: bool, outlives: bool, store: Store, leases: LeaseKeeper, desks: Desks, clock: Clock
) -> Run:
    """Reconcile and cancel an interrupted run's orders, with `flatten` close its positions, and store it as stopped.

    `outlives`: whether its account is still there. Raises RunNotStoppable, BrokerError.
    """
    try:
        rows = FencedRuns(store.runs, await leases.take(run.id))
    except HeldElsewhere as error:
        raise RunNotStoppable(f"Run {run.id} is in the hands of the desk {error.desk}.", "Close it there.") from error
    try:
        newest = await store.runs.run(run.id)
        if newest is None or newest.status is not RunStatus.INTERRUPTED:
            raise RunNotStoppable(f"Run {run.id} was closed or went on elsewhere in the meantime.")
        left = await _wound_up(newest, desks, flatten=flatten) if outlives else ""
        reason, now_ns = f"It was closed.{left}", clock.now_ns()
        closed = newest.moved_to(RunStatus.STOPPED, ended_ns=now_ns, error=reason, error_code=None)
        told = RunStopped(bars=run.bars, reason=reason)
        async with rows.begin() as work:
            work.put_run(closed)
            work.append([envelope(told, id=f"{run.id}:{told.wire}:{now_ns}", ts=now_ns, producer="runs", run_id=run.id, corr_id=run.id)])
        return closed
    finally:
        await leases.give_back(run.id)


async def _wound_up(run: Run, desks: Desks, *, flatten: bool) -> str:
    """Take an interrupted run's orders and positions off its account; return in words what is left."""
    account = AccountName.PAPER if run.config.mode is RunMode.PAPER else AccountName.LIVE
    async with desks.open(run.config.broker, account) as opened:
        await opened.desk.reconcile()
        return await opened.desk.wind_up(run.id, flatten=flatten)
