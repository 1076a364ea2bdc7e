"""The one thread that writes. Jobs that wait together are committed together."""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Engine

from core.events.envelope import Envelope
from core.store.dialect import Database
from core.store.faults import faults
from core.store.plain_append import PlainAppend
from core.store.rows import EncodedEvents
from core.store.tail import Tail
from core.store.transaction import Transaction
from core.store.writing import Change, WritingConnection

_GROUP_WEIGHT: Final = 20_000


class Job:
    """Something to write.

    `prepare` runs before the transaction, `work` inside it: possibly more than once, after its group was rolled back for
    another's fault or the connection was lost. `settle` is called in the loop's thread with what `work` returned or with the
    error; jobs settle in the order of their commits. `appends`: whether it appends to the log; `events`: where that is all it
    does, what `work` would append, encoded by `prepare`.
    """

    __slots__ = ("appends", "events", "prepare", "settle", "weight", "work")

    def __init__(
        self,
        work: Callable[[Connection], Any],
        settle: Callable[[Any, Exception | None], None],
        *,
        prepare: Callable[[], None] | None = None,
        weight: int = 1,
        appends: bool = False,
        events: EncodedEvents | None = None,
    ) -> None:
        self.work = work
        self.events = events
        self.settle = settle
        self.prepare = prepare
        self.weight = weight
        self.appends = appends


_Outcome = tuple[Job, Any, Exception | None]


class Writer:
    """Runs jobs one group after the other, each group in one transaction. `tell`: takes, in the loop, what others appended."""

    def __init__(
        self, engine: Engine, database: Database, tail: Tail, tell: Callable[[Sequence[Envelope]], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._database = database
        self._connection = WritingConnection(engine, database, tail)
        self._tell = tell
        self._loop = loop
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._settled = 0
        self._submitted = 0
        self._idle: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] | None = None
        self._last: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job; call it in the loop's thread."""
        self._submitted += 1
        self._jobs.put(job)

    async def close(self, last: Callable[[], None]) -> None:
        """Finish what is queued, and what its settling queues; then call `last` in the thread, and end it."""
        self._connection.give_up()
        while self._settled < self._submitted:
            self._idle = self._loop.create_future()
            await self._idle
        self._last = last
        self._ended = self._loop.create_future()
        self._jobs.put(None)
        await self._ended
        self._thread.join()

    # --- in the loop's thread ---

    def _settle(self, outcomes: list[_Outcome]) -> None:
        for job, result, error in outcomes:
            self._settled += 1
            job.settle(result, error)
        if self._idle is not None and not self._idle.done() and self._settled >= self._submitted:
            self._idle.set_result(None)

    def _end(self) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    # --- in the writer's thread ---

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._commit(self._group_of(job))
            self._connection.rest()
        self._connection.drop()
        try:
            if self._last is not None:
                self._last()
        finally:
            self._loop.call_soon_threadsafe(self._end)

    def _group_of(self, job: Job) -> list[Job]:
        group = [job]
        weight = job.weight
        while weight < _GROUP_WEIGHT:
            try:
                more = self._jobs.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._jobs.put(None)  # nothing is queued after it
                break
            group.append(more)
            weight += more.weight
        return group

    def _commit(self, group: list[Job]) -> None:
        ready: list[Job] = []
        for job in group:
            error = self._prepare(job)
            if error is None:
                ready.append(job)
            else:
                self._pass_on([(job, None, error)])
        if not ready:
            return
        error = self._carry_out(ready)
        if error is None:
            return
        if len(ready) == 1 or self._connection.may_be_committed:
            self._pass_on([(job, None, error) for job in ready])  # what may stand is not done again
            return
        # All was rolled back, and one of several is at fault. Alone, each gets its own outcome.
        for job in ready:
            error = self._carry_out([job])
            if error is not None:
                self._pass_on([(job, None, error)])

    def _carry_out(self, jobs: list[Job]) -> Exception | None:
        def hand(events: Sequence[Envelope], results: list[Any] | None) -> None:
            if events:
                self._loop.call_soon_threadsafe(self._tell, events)
            if results is not None:
                self._pass_on([(job, result, None) for job, result in zip(jobs, results, strict=True)])

        try:
            self._connection.carry_out(_change_of(jobs), hand)
        except Exception as error:
            return error
        return None

    def _pass_on(self, outcomes: list[_Outcome]) -> None:
        self._loop.call_soon_threadsafe(self._settle, outcomes)

    def _prepare(self, job: Job) -> Exception | None:
        if job.prepare is None:
            return None
        try:
            with faults(self._database):
                job.prepare()
        except Exception as error:
            return error
        return None


def _change_of(jobs: Sequence[Job]) -> Callable[[Connection], Change]:
    lots = [job.events for job in jobs if job.events is not None]
    if len(lots) == len(jobs):
        return partial(PlainAppend, lots=lots)
    return partial(Transaction, work=[job.work for job in jobs], appends=any(job.appends for job in jobs))
