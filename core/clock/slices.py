"""Gives the loop its turn by time: work goes on in a thread of its own, a slice at a time, when the loop asks.

While a slice runs the loop only waits; between slices it has the interpreter to itself. So a run is as fast as without
a window and the window answers within a slice. A callback that does not come back keeps its own thread busy, not the loop's.
"""

import asyncio
import ctypes
import threading
from collections.abc import Callable
from decimal import setcontext
from queue import SimpleQueue
from typing import Final

from core.errors import StrategyTooSlow
from core.model.money import MONEY_CONTEXT
from core.ports import Clock

SLICE_NS: Final = 8_000_000
"""How long a slice may take: 8 ms."""


class _Interrupt(BaseException):
    """Thrown into the working thread when its slice took too long; no `except Exception` of a plug-in catches it."""


class SliceThread:
    """One thread that works slice by slice. `run` one at a time; `close` at the end, always."""

    def __init__(self, name: str, clock: Clock, limit_s: float) -> None:
        """`limit_s`: seconds after which a slice is interrupted."""
        self._clock = clock
        self._limit_s = limit_s
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._started = False
        self._abandoned = False

    async def run(self, work: Callable[[int], object]) -> None:
        """Do `work(deadline_ns)` in the thread; it is to return soon after the monotonic clock passed `deadline_ns`.

        Raises what it raises, and StrategyTooSlow when it did not return within the limit. When the waiting task
        is cancelled the slice is still waited for, so that nothing of it happens afterwards.
        """
        if not self._started:
            self._thread.start()
            self._started = True
        loop = asyncio.get_running_loop()
        finished: asyncio.Future[None] = loop.create_future()

        def job() -> None:
            error: BaseException | None = None
            try:
                work(self._clock.monotonic_ns() + SLICE_NS)
            except _Interrupt:
                error = StrategyTooSlow(f"A callback of the strategy took longer than {self._limit_s:g} s.", _SLOW_TODO)
            except BaseException as raised:  # handed to the waiting task as it is
                error = raised
            loop.call_soon_threadsafe(_settle, finished, error)

        self._jobs.put(job)
        try:
            await asyncio.wait({finished}, timeout=self._limit_s)
        except asyncio.CancelledError:
            await self._outlast(finished)
            if not finished.cancelled():
                finished.exception()  # looked at: the cancel is what counts now
            raise
        await self._outlast(finished)
        finished.result()

    async def _outlast(self, finished: "asyncio.Future[None]") -> None:
        """Return once the slice is over: interrupt one past its limit, and give up on one that does not even notice."""
        grace_s = min(self._limit_s, 1.0)
        for _ in range(_INTERRUPTS):
            if finished.done():
                return
            self._interrupt()
            await asyncio.wait({finished}, timeout=grace_s)
        if not finished.done():
            self._abandoned = True
            finished.set_exception(StrategyTooSlow("A callback of the strategy does not come back and could not be ended.", _STUCK_TODO))

    def _interrupt(self) -> None:
        identity = self._thread.ident
        if identity is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(identity), ctypes.py_object(_Interrupt))

    def _work(self) -> None:
        setcontext(MONEY_CONTEXT.copy())
        while True:
            try:
                job = self._jobs.get()
                if job is None:
                    return
                job()
            except _Interrupt:
                continue  # it came just after the slice had ended: nothing is left to interrupt

    async def close(self) -> None:
        """End the thread. One that is stuck in a callback is left behind; it is a daemon and ends with the program."""
        self._jobs.put(None)
        if self._started and not self._abandoned:
            await asyncio.to_thread(self._thread.join, _JOIN_S)


_INTERRUPTS: Final = 3
_JOIN_S: Final = 5.0
_SLOW_TODO: Final = "Make it shorter, or raise run.callback_limit_s in the settings."
_STUCK_TODO: Final = "Mend the strategy; close the program to be rid of it."


def _settle(finished: "asyncio.Future[None]", error: BaseException | None) -> None:
    if finished.done():
        return
    if error is None:
        finished.set_result(None)
    else:
        finished.set_exception(error)
