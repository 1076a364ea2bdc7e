"""Work beside the loop that a cancel waits for."""

import asyncio
from collections.abc import Callable
from contextvars import copy_context


async def outlasted(work: Callable[[], None]) -> None:
    """Do `work` in a thread, with the caller's context. Raises what it raises.

    When the waiting task is cancelled the work is still waited for: whoever comes next finds it done, and nothing of it
    happens afterwards.
    """
    running = asyncio.get_running_loop().run_in_executor(None, copy_context().run, work)
    try:
        await asyncio.wait({running})
    except asyncio.CancelledError:
        await asyncio.wait({running})
        running.exception()  # looked at: the cancel is what counts now
        raise
    running.result()
