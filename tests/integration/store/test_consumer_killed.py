"""A consumer whose process is killed at any point resumes with nothing lost and nothing done twice."""

import asyncio
import random
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import pytest

from core.runs.consumer import Consumer
from core.store.database import DatabaseStore
from tests.contract.samples import created
from tests.contract.test_consumer import answer, answers
from tests.integration.store.writers import Place, other_process

EVENTS = 6_000


def consume(place: Place, told: Connection) -> None:
    """Act on what there is, and tell when that is all."""
    asyncio.run(_consume(place, told))


async def _consume(place: Place, told: Connection) -> None:
    store = place.store(busy_timeout_s=30.0)
    await store.open()
    told.send("begun")
    await Consumer("notes", "run.*", answer, log=store.log, runs=store.runs).catch_up()
    await store.close()
    told.send("done")


async def _moved(store: DatabaseStore, from_offset: int, process: BaseProcess) -> None:
    """Wait until the consumer's offset is not there any more, or nothing is left of its process that could move it."""
    while process.is_alive() and from_offset == await store.log.offset("notes"):
        pass


@pytest.mark.parametrize("rounds", [12, pytest.param(100, marks=[pytest.mark.soak, pytest.mark.timeout(1_800)])])
async def test_killed_while_it_acts(place: Place, rounds: int) -> None:
    chance = random.Random(9)
    store = place.store(busy_timeout_s=30.0)
    await store.open()
    try:
        await store.log.append([created(f"run-{number}") for number in range(EVENTS)])
        interrupted = 0
        for number in range(rounds):
            with other_process(consume, place) as other:
                assert other.pipe.recv() == "begun"
                if number % 4 == 3:  # in the middle, however slow the machine is
                    await _moved(store, await store.log.offset("notes"), other.process)
                else:  # anywhere in reading, acting or committing
                    other.process.join(chance.uniform(0, 0.02 * (1 + number % 12)))
                other.kill()
            offset = await store.log.offset("notes")
            assert len(await answers(store)) == offset, "each effect is there with its offset, and none without"
            interrupted += 0 < offset < EVENTS
        assert interrupted
        with other_process(consume, place) as other:
            assert other.pipe.recv() == "begun"
            assert await asyncio.to_thread(other.pipe.recv) == "done"
        assert await answers(store) == [f"saw-{seq}" for seq in range(1, EVENTS + 1)]
    finally:
        await store.close()
