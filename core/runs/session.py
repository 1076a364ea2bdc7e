"""One run from start to end: every exit path commits what happened, says how it ended, and leaves nothing behind."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

import msgspec

from core.errors import KnownError, LeaseLost, StoreError, StrategyTooSlow
from core.events.envelope import Envelope, Payload, envelope
from core.events.payloads import RunCompleted, RunError, RunProgressed, RunResumed, RunStarted, RunStopped
from core.model.money import exact
from core.model.result import RunResult
from core.model.run import Manifest, Run, RunStatus
from core.ports import Clock, EventLog, UnitOfWork

PROGRESS_NS = 100_000_000
"""Progress is told ten times a second at most."""
_log = logging.getLogger(__name__)

OnBug = Callable[[BaseException, str], None]
"""Told of an error that is a bug of ours, and in which run."""


class RunWork(Protocol):
    """What a run does, whoever fills its orders. `load`, then `drive`, then `result`; `close` on every path."""

    @property
    def bars_total(self) -> int:
        """How many bars it goes through; 0 when nobody knows."""
        ...

    @property
    def bars_done(self) -> int:
        """How many it has gone through."""
        ...

    @property
    def first_bar_ns(self) -> int | None:
        """Start of the first bar; None before it."""
        ...

    @property
    def last_bar_ns(self) -> int | None:
        """End of the last bar; None before the first."""
        ...

    @property
    def elapsed_s(self) -> float: ...
    @property
    def stopped(self) -> str | None:
        """Why the strategy ended the run early, when it did."""
        ...

    @property
    def left(self) -> str:
        """What of it goes on outside though it is over, as a sentence after a blank; empty where nothing does."""
        ...

    @property
    def objection(self) -> KnownError | None:
        """Why the decisions do not stand, when they do not."""
        ...

    async def load(self) -> Manifest:
        """Make everything ready for the first bar."""
        ...

    async def drive(self, on_slice: Callable[[], None], on_commit: Callable[[UnitOfWork], None]) -> None:
        """Go on to the end; `on_slice` is called from time to time, `on_commit` may add to each unit of work. Cancel to stop."""
        ...

    async def result(self) -> RunResult:
        """Return what came of it so far."""
        ...

    async def commit(self, on_commit: Callable[[UnitOfWork], None]) -> None:
        """Commit what happened since the last commit, and what `on_commit` adds."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...

    def cancel_working(self, reason: str) -> None:
        """Take back every order that still works."""
        ...

    def equity(self) -> tuple[int, float]:
        """Return the present instant of the run and the equity at it."""
        ...


class RunSession:
    """A run that goes on. `run` is always the newest state; `execute` is its one task."""

    def __init__(self, run: Run, work: RunWork, *, log: EventLog, clock: Clock, on_bug: OnBug, is_resumed: bool = False) -> None:
        """`is_resumed`: whether the run goes on after it was interrupted."""
        self.run = run
        self._is_resumed = is_resumed
        self._work = work
        self._log = log
        self._clock = clock
        self._on_bug = on_bug
        self._told_ns = 0
        self._loaded = False
        self._task: asyncio.Task[None] | None = None
        self._is_ending = False
        """Whether it was asked to stop, or ends: what comes then cuts neither its first step nor its last ones short."""
        self.over = asyncio.Event()
        self.is_stored = True
        """False when the store refused the run's end: then `run` is the only place that knows of it."""
        self.is_taken = False
        """Whether another desk has taken the run over: what it stored counts, and `run` is only how it was here."""

    def never_began(self) -> None:
        """Release whoever waits for a run that could not be started after all."""
        self.over.set()

    def stop(self) -> None:
        """Ask it to stop, even before its first step; `over` is set when it has. Harmless while it ends."""
        if self._task is not None and not self._is_ending:
            self._task.cancel()
        self._is_ending = True

    async def execute(self) -> None:
        """Run to the end. Never raises but for a cancel, which stops the run."""
        self._task = asyncio.current_task()
        if self._is_ending and self._task is not None:
            self._task.cancel()
        try:
            await self._to_the_end()
        finally:
            await self._work.close()
            self.over.set()

    async def _to_the_end(self) -> None:
        try:
            manifest = await self._work.load()
            self._loaded = True
            self.run = self._changed(manifest=manifest, bars_total=self._work.bars_total)
            owner, desk = self.run.owner, self.run.desk
            if self._is_resumed:
                await self._commit(RunResumed(manifest=manifest, owner=owner, desk=desk))
            else:
                await self._commit(RunStarted(manifest=manifest, bars_total=self._work.bars_total, owner=owner, desk=desk))
            await self._work.drive(self._tell_progress, lambda work: work.put_run(self._changed()))
            stopped = self._work.stopped
            result = await self._work.result()
            if stopped is None:
                end_equity = exact(float(result.equity[-1]))
                completed = RunCompleted(bars=self._work.bars_done, elapsed_s=self._work.elapsed_s, end_equity=end_equity)
                await self._end(RunStatus.COMPLETED, completed, result, error=self._work.left.strip() or None)
            else:
                stopped += self._work.left
                await self._end(RunStatus.STOPPED, RunStopped(bars=self._work.bars_done, reason=stopped), result, error=stopped)
        except LeaseLost:
            self.is_taken = True
        except asyncio.CancelledError:
            if self.is_taken:
                raise
            objection = self._work.objection
            if objection is not None:
                await self._fail(objection.code, str(objection), await self._so_far())
                raise
            reason = f"It was stopped.{self._work.left}"
            await self._end(RunStatus.STOPPED, RunStopped(bars=self._bars_done(), reason=reason), await self._so_far(), error=reason)
            raise
        except KnownError as error:
            await self._fail(error.code, str(error), None if isinstance(error, StrategyTooSlow) else await self._so_far())
        except Exception as error:
            self._on_bug(error, f"run {self.run.id}")
            await self._fail("bug", f"This is a bug in the program: {type(error).__name__}: {error}", None)

    async def _fail(self, code: str, sentence: str, result: RunResult | None) -> None:
        sentence += self._work.left
        await self._end(RunStatus.ERROR, RunError(code=code, error=sentence), result, error=sentence, error_code=code)

    async def _end(
        self, status: RunStatus, told: Payload, result: RunResult | None, *, error: str | None = None, error_code: str | None = None
    ) -> None:
        """Commit what is left, the result, the run's end and its event: all of it or nothing."""
        self._is_ending = True
        if self._loaded and status is not RunStatus.COMPLETED and error_code != StrategyTooSlow.code:
            self._work.cancel_working(f"The run ended: {error}")
        run = self._changed().moved_to(status, ended_ns=self._clock.now_ns(), error=error, error_code=error_code)
        try:
            await self._commit(told, run=run, result=result)
        except LeaseLost:
            self.is_taken = True
            return
        except KnownError as failure:
            # The store refused (disk full, database locked): the run is over all the same. That cannot be stored, but it is told.
            self.run = self._changed().moved_to(RunStatus.ERROR, ended_ns=run.ended_ns, error=str(failure), error_code=failure.code)
            self.is_stored = False
            self._log.announce([self._envelope(RunError(code=failure.code, error=str(failure)))])
            return
        self.run = run

    async def _commit(self, told: Payload, *, run: Run | None = None, result: RunResult | None = None) -> None:
        def add(work: UnitOfWork) -> None:
            work.put_run(run or self.run)
            if result is not None:
                work.put_result(result)
            work.append([self._envelope(told)])

        await self._work.commit(add)

    async def _so_far(self) -> RunResult | None:
        """Return the result of an unfinished run, or None before its first bar, or where what it is made from cannot be read."""
        try:
            return await self._work.result() if self._loaded and self._work.bars_done else None
        except StoreError as error:
            _log.warning("Run %s ends without a result: %s", self.run.id, error)
            return None

    def _bars_done(self) -> int:
        return self._work.bars_done if self._loaded else 0

    def _changed(self, **changes: object) -> Run:
        """Return the run with the figures of now and `changes`."""
        figures: dict[str, object] = {}
        if self._loaded:
            figures = {"bars": self._work.bars_done, "bars_total": self._work.bars_total, "elapsed_s": self._work.elapsed_s}
            figures |= {"first_bar_ns": self._work.first_bar_ns, "last_bar_ns": self._work.last_bar_ns}
        return msgspec.structs.replace(self.run, **(figures | changes))

    def _tell_progress(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._told_ns < PROGRESS_NS:
            return
        self._told_ns = now_ns
        self.run = self._changed()
        if self._log.wanted(RunProgressed.wire, self.run.id):
            time_ns, equity = self._work.equity()
            progressed = RunProgressed(
                bars=self.run.bars, bars_total=self.run.bars_total, time_ns=time_ns, equity=equity, elapsed_s=self.run.elapsed_s
            )
            self._log.announce([self._envelope(progressed)])

    def _envelope(self, payload: Payload) -> Envelope:
        run_id, ts = self.run.id, self._clock.now_ns()
        return envelope(payload, id=f"{run_id}:{payload.wire}:{ts}", ts=ts, producer="runs", run_id=run_id, corr_id=run_id)
