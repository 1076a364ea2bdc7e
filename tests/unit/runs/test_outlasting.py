"""Work beside the loop: it is done once, its error arrives, and a cancel waits for it."""

import asyncio
import threading
from decimal import getcontext, localcontext

import pytest

from core.runs.outlasting import outlasted


async def test_it_is_done_in_another_thread_with_the_callers_context() -> None:
    seen: list[object] = []
    with localcontext(prec=7):
        await outlasted(lambda: seen.extend((threading.current_thread(), getcontext().prec)))
    assert seen[0] is not threading.current_thread()
    assert seen[1] == 7


async def test_its_error_arrives() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await outlasted(fail)


async def test_a_cancel_waits_until_it_is_done() -> None:
    began, may_end = threading.Event(), threading.Event()
    done: list[bool] = []

    def work() -> None:
        began.set()
        may_end.wait()
        done.append(True)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(outlasted(work))
        await asyncio.to_thread(began.wait)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done == [True]
