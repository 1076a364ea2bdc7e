"""Long work of the window in slices, so that it answers meanwhile."""

import asyncio
from collections.abc import Iterator, MutableSequence
from time import perf_counter
from typing import Any, Final

SLICE_S: Final = 0.008
"""How long a coroutine of the window computes before it lets the loop turn."""

_AT_A_TIME: Final = 200


async def in_slices(steps: Iterator[None], slice_s: float = SLICE_S) -> None:
    """Run a generator to its end, letting the loop turn every few milliseconds; with `slice_s` 0 after each step."""
    began = perf_counter()
    for _ in steps:
        if perf_counter() - began > slice_s:
            await asyncio.sleep(0)
            began = perf_counter()


def letting_go(*parts: MutableSequence[Any]) -> Iterator[None]:
    """Empty lists a few items at a time, the last first: to free tens of thousands in one go takes as long as to make them."""
    for part in parts:
        while part:
            del part[-_AT_A_TIME:]
            yield
