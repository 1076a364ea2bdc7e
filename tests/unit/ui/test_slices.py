"""Long work in slices: the loop turns meanwhile."""

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest

from ui.slices import in_slices, letting_go


async def test_the_loop_turns_when_a_slice_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    readings = count()
    monkeypatch.setattr("ui.slices.perf_counter", lambda: next(readings) * 0.005)

    def steps() -> Iterator[None]:
        for number in range(4):
            done.append(f"step {number}")
            yield

    asyncio.get_running_loop().call_soon(done.append, "the loop")
    await in_slices(steps())
    assert done == ["step 0", "step 1", "the loop", "step 2", "step 3"]


def test_letting_go_empties_lists_bit_by_bit() -> None:
    rows, others = list(range(1_000)), ["a"]
    left = [len(rows) + len(others) for _ in letting_go(rows, others)]
    assert left == [801, 601, 401, 201, 1, 0]
