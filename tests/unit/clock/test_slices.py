"""Slices of work in a thread: told once, interrupted past the limit, waited for when the waiting task is cancelled."""

import asyncio
import threading
from collections.abc import AsyncGenerator

import pytest

from core.clock.realtime import SystemClock
from core.clock.slices import SLICE_NS, SliceThread
from core.errors import StrategyFailed, StrategyTooSlow


@pytest.fixture
async def slices() -> AsyncGenerator[SliceThread]:
    thread = SliceThread("test-slices", SystemClock(), limit_s=0.2)
    yield thread
    await thread.close()


async def test_work_goes_on_in_one_thread_of_its_own_with_a_deadline(slices: SliceThread) -> None:
    seen: list[tuple[str, int]] = []
    for _ in range(3):
        now_ns = SystemClock().monotonic_ns()
        await slices.run(lambda deadline_ns, now_ns=now_ns: seen.append((threading.current_thread().name, deadline_ns - now_ns)))  # type: ignore[misc]
    assert [name for name, _ in seen] == ["test-slices"] * 3
    assert all(left_ns >= SLICE_NS for _, left_ns in seen)


async def test_an_error_reaches_the_one_who_waits(slices: SliceThread) -> None:
    with pytest.raises(ZeroDivisionError):
        await slices.run(lambda _deadline_ns: 1 / 0)
    await slices.run(lambda _deadline_ns: None)


def forever(_deadline_ns: int) -> None:
    while True:
        pass


def stubborn(_deadline_ns: int) -> None:
    while True:
        try:
            forever(0)
        except Exception:
            continue


@pytest.mark.parametrize("work", [forever, stubborn])
async def test_a_slice_past_its_limit_is_interrupted_and_the_loop_went_on(slices: SliceThread, work: object) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        counting = group.create_task(count())
        with pytest.raises(StrategyTooSlow, match=r"longer than 0.2 s"):
            await slices.run(work)  # type: ignore[arg-type]
        counting.cancel()
    assert turns > 5
    await slices.run(lambda _deadline_ns: None)


async def test_a_plugin_cannot_end_the_program(slices: SliceThread) -> None:
    def leave(_deadline_ns: int) -> None:
        raise SystemExit(3)

    with pytest.raises(StrategyFailed, match="SystemExit"):
        await slices.run(leave)


async def test_a_cancelled_wait_outlasts_the_slice(slices: SliceThread) -> None:
    began, release, ended = threading.Event(), threading.Event(), threading.Event()

    def work(_deadline_ns: int) -> None:
        began.set()
        release.wait(10)
        ended.set()

    async def wait() -> None:
        await slices.run(work)

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(wait())
        await asyncio.to_thread(began.wait, 10)
        waiting.cancel()
        await asyncio.sleep(0)
        assert not waiting.done()
        release.set()
    assert ended.is_set()
    assert waiting.cancelled()


async def test_a_thread_that_was_never_used_can_be_closed() -> None:
    await SliceThread("unused", SystemClock(), limit_s=1).close()
