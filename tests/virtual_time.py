"""Time in which nobody waits: where a test's loop has nothing to do, the time of its next timer has come.

Work costs no time in it. A market that goes on 600 times as fast as real time is decided on in time on the slowest machine, and
an hour of it is over as soon as its work is done. The time of the timers and that of `VirtualClock` are one.

It is for what happens in one process and its threads: who waits for a socket or another process needs real time.
"""

import asyncio
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from core.clock.realtime import ScaledClock
from core.clock.slices import SliceThread
from core.model.instants import SECOND_NS
from core.store.listener import Listener
from core.store.writer import Job, Writer

_LEAST_S: Final = 1e-6
"""A shorter wait could be lost in the rounding of the loop's time, and time would stand for ever."""


class VirtualClock(ScaledClock):
    """Time that stands at `start_ns` until `begin`, and then runs `speed` times as fast as that of the loop it is made in.

    Each look at it is later than the one before, by a nanosecond at least, as it is with a real clock.
    """

    def __init__(self, start_ns: int, speed: float) -> None:
        super().__init__(start_ns, speed)
        self._loop = asyncio.get_running_loop()
        self._seen_ns = start_ns

    def begin(self) -> None:
        if self._began_ns is None:
            self._began_ns = self.monotonic_ns()

    def now_ns(self) -> int:
        if self._began_ns is None:
            return self._start_ns
        self._seen_ns = max(self._seen_ns + 1, self._start_ns + round((self.monotonic_ns() - self._began_ns) * self.speed))
        return self._seen_ns

    def monotonic_ns(self) -> int:
        return round(self._loop.time() * SECOND_NS)

    def elapsed_ns(self) -> int:
        return self.monotonic_ns()

    async def sleep_until(self, instant_ns: int) -> int:
        while (left_ns := instant_ns - self.now_ns()) > 0:  # noqa: ASYNC110 - what is waited for is the time itself
            await asyncio.sleep(max(_LEAST_S, left_ns / SECOND_NS / self.speed))
        return -left_ns


class _Time:
    """The time of a loop; while something that its tasks wait for is under way in a thread, it stands."""

    def __init__(self, loop: Any) -> None:
        self._select = loop._selector.select
        self._now_s = loop.time()
        self.under_way = 0

    def time(self) -> float:
        return float(self._now_s)

    def select(self, timeout_s: float | None) -> list[Any]:
        if timeout_s is not None and timeout_s > 0:
            if self.under_way:
                timeout_s = None
            else:
                events = self._select(0)
                if not events:
                    self._now_s += timeout_s
                return list(events)
        return list(self._select(timeout_s))

    def _over(self, _: object = None) -> None:
        self.under_way -= 1

    def watching(self, run_in_executor: Callable[..., asyncio.Future[Any]]) -> Callable[..., asyncio.Future[Any]]:
        """Return it so that its work is under way until the loop knows its result."""

        def run(*arguments: Any) -> asyncio.Future[Any]:
            self.under_way += 1
            try:
                work = run_in_executor(*arguments)
            except BaseException:
                self._over()
                raise
            work.add_done_callback(self._over)
            return work

        return run

    def submitting(self, submit: Callable[[Writer, Job], None]) -> Callable[[Writer, Job], None]:
        """Return it so that a job is under way until it has settled."""

        def submitted(writer: Writer, job: Job) -> None:
            settle = job.settle

            def settled(result: Any, error: Exception | None) -> None:
                self._over()
                settle(result, error)

            self.under_way += 1
            job.settle = settled
            submit(writer, job)

        return submitted

    def awaiting(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return the coroutine function so that it is under way while it is awaited."""

        @functools.wraps(work)
        async def awaited(*arguments: Any, **keywords: Any) -> Any:
            self.under_way += 1
            try:
                return await work(*arguments, **keywords)
            finally:
                self._over()

        return awaited


@contextmanager
def virtual_time() -> Iterator[None]:
    """Let the running loop's time be virtual for the length of the block."""
    import pytest  # here: processes that tests kill import this module as well

    loop: Any = asyncio.get_running_loop()
    time = _Time(loop)
    with pytest.MonkeyPatch.context() as patch:
        for where, name, made in (
            (loop, "time", time.time),
            (loop._selector, "select", time.select),
            (loop, "run_in_executor", time.watching(loop.run_in_executor)),
            (Writer, "submit", time.submitting(Writer.submit)),
            (Writer, "close", time.awaiting(Writer.close)),
            (Listener, "close", time.awaiting(Listener.close)),
            (SliceThread, "run", time.awaiting(SliceThread.run)),
        ):
            patch.setattr(where, name, made)
        yield
