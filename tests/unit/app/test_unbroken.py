"""A step that a cancel waits for: it is done to its end, and the cancel is one of the next step."""

import asyncio

import pytest

from app.call import unbroken


async def test_a_cancel_comes_after_it() -> None:
    begun, may_end, steps = asyncio.Event(), asyncio.Event(), list[str]()

    async def step() -> str:
        begun.set()
        await may_end.wait()
        steps.append("done")
        return "made"

    async def call() -> None:
        steps.append(await unbroken(step()))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            steps.append("cancelled")
            raise

    async with asyncio.TaskGroup() as group:
        task = group.create_task(call())
        await begun.wait()
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        may_end.set()
        await asyncio.wait({task})
    assert steps == ["done", "made", "cancelled"]
    assert task.cancelled()


async def test_what_it_raises_is_raised_as_it_is() -> None:
    async def fail() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        await unbroken(fail())
    current = asyncio.current_task()
    assert current is not None
    assert not current.cancelling()
