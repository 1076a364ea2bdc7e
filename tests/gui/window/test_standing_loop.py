"""Between a test and its fixtures the loop stands, and nothing of it runs."""

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter

import pytest


@pytest.fixture
async def ticking() -> AsyncIterator[list[str]]:
    """What goes wrong with a task that waits for a moment again and again."""
    wrong: list[str] = []

    async def tick() -> None:
        try:
            while True:
                try:
                    async with asyncio.timeout(0.001):
                        await asyncio.Event().wait()
                except TimeoutError:
                    continue
        except RuntimeError as error:
            wrong.append(str(error))

    task = asyncio.get_running_loop().create_task(tick())
    yield wrong
    task.cancel()
    await asyncio.wait([task])
    assert wrong == []


async def test_a_timer_that_is_due_when_a_test_ends_waits_for_the_loop(ticking: list[str]) -> None:
    await asyncio.sleep(0.01)
    until = perf_counter() + 0.01
    while perf_counter() < until:
        pass  # it is due now
