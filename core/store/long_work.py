"""Long work in a thread of the store: it tells how far it is, and stops when nobody waits for it any more."""

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from sqlalchemy import Connection

from core.errors import Cancelled
from core.model.result import Progress
from core.ports import OnProgress

if TYPE_CHECKING:
    from core.store.threads import Threads

_T = TypeVar("_T")
_PAUSE_NS: Final = 100_000_000


class LongWork:
    """Handed to the work: `step` between its blocks. Progress is told at most ten times a second, in the loop's thread."""

    def __init__(self, monotonic_ns: Callable[[], int], tell: Callable[[Progress], None]) -> None:
        self._monotonic_ns = monotonic_ns
        self._tell = tell
        self._stopped = threading.Event()
        self._next_ns = monotonic_ns()

    def stop(self) -> None:
        """Make the next step raise; called in the loop's thread."""
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        """Whether the work was told to stop."""
        return self._stopped.is_set()

    def step(self, done: int, total: int, what: str) -> None:
        """Tell how far the work is. Raises Cancelled when it was told to stop."""
        if self._stopped.is_set():
            raise Cancelled("The job was stopped.", "Nothing was changed.")
        now_ns = self._monotonic_ns()
        if now_ns >= self._next_ns:
            self._next_ns = now_ns + _PAUSE_NS
            self._tell(Progress(done=done, total=total, what=what))


class LongWorks:
    """Starts long work in the threads of one store."""

    def __init__(self, threads: "Threads", monotonic_ns: Callable[[], int]) -> None:
        self._threads = threads
        self._monotonic_ns = monotonic_ns

    async def read(self, work: Callable[[Connection, LongWork], _T], on_progress: OnProgress) -> _T:
        """Return what `work` reads from one consistent state."""
        job = self._job(on_progress)
        try:
            return await self._threads.read(lambda connection: work(connection, job))
        finally:
            job.stop()

    async def write(self, work: Callable[[Connection, LongWork], _T], on_progress: OnProgress) -> _T:
        """Return what `work` returns, once the one transaction it ran in is committed; stopped before, it changed nothing."""
        job = self._job(on_progress)
        try:
            return await self._threads.write_and_wait(lambda connection: work(connection, job))
        finally:
            job.stop()

    def _job(self, on_progress: OnProgress) -> LongWork:
        loop = asyncio.get_running_loop()

        def tell(progress: Progress) -> None:
            if not job.is_stopped:
                on_progress(progress)

        job = LongWork(self._monotonic_ns, lambda progress: _call(loop, tell, progress))
        return job


def _call(loop: asyncio.AbstractEventLoop, tell: Callable[[Progress], None], progress: Progress) -> None:
    loop.call_soon_threadsafe(tell, progress)
