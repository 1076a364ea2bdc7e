"""Work in a thread: progress where it is wanted, and a stop that waits."""

import asyncio
import threading

import pytest

from core.clock.realtime import SystemClock
from core.data.work import Job, in_thread
from core.errors import Cancelled, UnreadableFile
from core.model.result import Progress


class StillClock(SystemClock):
    """A clock that stands still."""

    def monotonic_ns(self) -> int:
        return 0


async def test_the_result_comes_back_from_another_thread() -> None:
    assert await in_thread(SystemClock(), lambda _job: threading.get_ident()) != threading.get_ident()


async def test_errors_come_back_too() -> None:
    def fail(_job: Job) -> None:
        raise UnreadableFile("It is empty.")

    with pytest.raises(UnreadableFile, match="It is empty"):
        await in_thread(SystemClock(), fail)


async def test_progress_comes_a_few_times_a_second_and_at_the_end() -> None:
    seen: list[Progress] = []

    def work(job: Job) -> None:
        for done in range(1, 1001):
            job.progress(done, 1000, "Counting")

    await in_thread(StillClock(), work, seen.append)
    # The clock stands still: the first report and the last.
    assert [(each.done, each.total) for each in seen] == [(1, 1000), (1000, 1000)]


async def test_cancelling_waits_until_the_thread_is_out_of_the_work() -> None:
    begun, go_on, over = threading.Event(), threading.Event(), threading.Event()
    seen: list[Progress] = []

    def work(job: Job) -> None:
        begun.set()
        go_on.wait(10)
        try:
            job.progress(1, 2, "Too late")
        except Cancelled:
            over.set()
            raise

    async with asyncio.TaskGroup() as group:
        task = group.create_task(in_thread(SystemClock(), work, seen.append))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
    assert task.cancelled()
    assert over.is_set()
    assert seen == []


async def test_a_report_that_was_on_its_way_is_not_delivered_after_the_cancel() -> None:
    seen: list[Progress] = []
    told = threading.Event()

    def work(job: Job) -> None:
        job.progress(1, 2, "Now")
        told.set()
        while True:
            job.check()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(in_thread(SystemClock(), work, seen.append))
        await asyncio.to_thread(told.wait, 10)
        task.cancel()
    count = len(seen)
    await asyncio.sleep(0)
    assert len(seen) == count
