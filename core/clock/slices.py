"""Gives the loop its turn by time: work goes on in a thread of its own, a slice at a time, when the loop asks.

While a slice runs the loop only waits; between slices it has the interpreter to itself. So a run is as fast as without
a window and the window answers within a slice. A callback that does not come back keeps its own thread busy, not the loop's.
"""

import asyncio
import ctypes
import threading
from collections.abc import Callable
from contextlib import suppress
from decimal import setcontext
from queue import SimpleQueue
from typing import Final

from core.errors import StrategyFailed, StrategyTooSlow
from core.model.money import MONEY_CONTEXT
from core.ports import Clock

SLICE_NS: Final = 8_000_000
"""How long a slice may take: 8 ms."""


class _Interrupt(BaseException):
    """Thrown into the working thread when its slice took too long; no `except Exception` of a plug-in catches it."""


class _Job:
    """One slice: done once, told once, even when an interrupt strikes between the two."""

    def __init__(self, work: Callable[[int], object], clock: Clock, limit_s: float) -> None:
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._work: Callable[[int], object] | None = work
        self._clock = clock
        self._limit_s = limit_s
        self._error: BaseException | None = None
        self.interrupted = False

    def do(self) -> None:
        """Work, unless that is done, and tell the waiting loop. An interrupt may come at any line; then do it again."""
        work = self._work
        if work is not None:
            try:
                work(self._clock.monotonic_ns() + SLICE_NS)
            except Exception as error:  # handed to the waiting task as it is
                self._error = error
            except BaseException as error:  # a plug-in's attempt to end the program ends its run
                self._error = StrategyFailed(f"The strategy raised {type(error).__name__}.", "Mend it and run it again.")
            if self.interrupted and self._error is not None:
                self._error = StrategyTooSlow(f"A callback of the strategy took longer than {self._limit_s:g} s.", _SLOW_TODO)
            self._work = None
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.finished.get_loop().call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if self.finished.done():
            return
        if self._error is None:
            self.finished.set_result(None)
        else:
            self.finished.set_exception(self._error)


class SliceThread:
    """One thread that works slice by slice. `run` one at a time; `close` at the end, always."""

    def __init__(self, name: str, clock: Clock, limit_s: float) -> None:
        """`limit_s`: seconds after which a slice is interrupted."""
        self._clock = clock
        self._limit_s = limit_s
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._started = False
        self._abandoned = False

    async def run(self, work: Callable[[int], object], *, limit_s: float | None = None) -> None:
        """Do `work(deadline_ns)` in the thread; it is to return soon after the monotonic clock passed `deadline_ns`.

        Raises what it raises, and StrategyTooSlow when it did not return within the limit. When the waiting task
        is cancelled the slice is still waited for, so that nothing of it happens afterwards. `limit_s`: another limit
        for this one.
        """
        limit_s = limit_s or self._limit_s
        if not self._started:
            self._thread.start()
            self._started = True
        job = _Job(work, self._clock, limit_s)
        self._jobs.put(job)
        try:
            await self._outlast(job, limit_s)
        except asyncio.CancelledError:
            await self._outlast(job, limit_s)
            if job.finished.done():
                job.finished.exception()  # looked at: the cancel is what counts now
            raise
        job.finished.result()

    async def _outlast(self, job: _Job, limit_s: float) -> None:
        """Return once the slice is over: interrupt one past its limit, and give up on one that does not even notice."""
        finished = job.finished
        await asyncio.wait({finished}, timeout=limit_s)
        for _ in range(_INTERRUPTS):
            if finished.done():
                return
            job.interrupted = True
            self._interrupt()
            await asyncio.wait({finished}, timeout=min(limit_s, 1.0))
        if not finished.done():
            self._abandoned = True
            finished.set_exception(StrategyTooSlow("A callback of the strategy does not come back and could not be ended.", _STUCK_TODO))

    def _interrupt(self) -> None:
        identity = self._thread.ident
        if identity is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(identity), ctypes.py_object(_Interrupt))

    def _work(self) -> None:
        setcontext(MONEY_CONTEXT.copy())
        job: _Job | None = None
        while True:
            try:
                if job is None:
                    job = self._jobs.get()
                    if job is None:
                        return
                job.do()
                job = None
            except _Interrupt:
                continue  # it came late: what is left is to tell of the slice, or nothing

    async def close(self) -> None:
        """End the thread. One that is stuck in a callback is left behind; it is a daemon and ends with the program."""
        self._jobs.put(None)
        if self._started and not self._abandoned:
            await asyncio.to_thread(self._thread.join, _JOIN_S)


_INTERRUPTS: Final = 3
_JOIN_S: Final = 5.0
_SLOW_TODO: Final = "Make it shorter, or raise run.callback_limit_s in the settings."
_STUCK_TODO: Final = "Mend the strategy; close the program to be rid of it."
