"""Long work in a worker thread: with progress in the loop's thread, and a stop that waits for the thread."""

import asyncio
import threading
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from core.errors import Cancelled
from core.model.instants import SECOND_NS
from core.model.result import Progress
from core.ports import Clock

Result = TypeVar("Result")
OnProgress = Callable[[Progress], None]

_PAUSE_NS: Final = SECOND_NS // 10


class Job(Protocol):
    """What a piece of long work calls between its blocks."""

    def check(self) -> None:
        """Raise Cancelled when nobody waits for the result any more."""
        ...

    def progress(self, done: int, total: int, what: str) -> None:
        """Tell how far the work is, and check."""
        ...


class ThreadJob:
    """A job whose progress goes to `report` at most ten times a second."""

    def __init__(self, clock: Clock, report: Callable[[Progress], None]) -> None:
        self._clock = clock
        self._report = report
        self._stopped = threading.Event()
        self._next_ns = clock.monotonic_ns()

    def stop(self) -> None:
        """Make the next check raise; called from the loop's thread."""
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        """Whether the work was told to stop."""
        return self._stopped.is_set()

    def check(self) -> None:
        if self._stopped.is_set():
            raise Cancelled("The job was stopped.", "Nothing was changed.")

    def progress(self, done: int, total: int, what: str) -> None:
        self.check()
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._next_ns or done >= total:
            self._next_ns = now_ns + _PAUSE_NS
            self._report(Progress(done=min(done, total), total=total, what=what))


async def in_thread(clock: Clock, work: Callable[[Job], Result], on_progress: OnProgress | None = None) -> Result:
    """Return what `work` returns, from a worker thread. Cancelled, it stops the work and waits until the thread is out of it."""
    loop = asyncio.get_running_loop()

    def report(progress: Progress) -> None:
        if on_progress is not None:
            loop.call_soon_threadsafe(tell, progress)

    def tell(progress: Progress) -> None:
        if on_progress is not None and not job.is_stopped:
            on_progress(progress)

    job = ThreadJob(clock, report)
    future = loop.run_in_executor(None, work, job)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        job.stop()
        await asyncio.wait([future])
        if future.done() and not future.cancelled():
            future.exception()  # what the work made of it is of no use to anybody now
        raise
