"""The contract of a consumer's offset, and of `Consumer`, on every store: nothing is lost and nothing is done twice."""

import asyncio

import pytest

from core.errors import OffsetMoved
from core.events.envelope import Envelope
from core.ports import Store, UnitOfWork
from core.runs.consumer import Consumer
from tests.contract.samples import created, note


def answer(event: Envelope, work: UnitOfWork) -> None:
    """The effect: one note for each run that was created."""
    work.append([note(f"saw-{event.seq}", run_id=event.run_id, cause=event)])


def consumer(store: Store, name: str = "notes") -> Consumer:
    return Consumer(name, "run.*", answer, log=store.log, runs=store.runs)


async def answers(store: Store) -> list[str]:
    return [str(event.payload.text) for event in await store.log.read(pattern="strategy.*", limit=100_000)]  # type: ignore[attr-defined]


async def test_an_offset_moves_with_what_is_committed(store: Store) -> None:
    assert await store.log.offset("notes") == 0
    async with store.runs.begin() as work:
        work.advance("notes", 0, 3)
        work.append([note("a")])
    async with store.runs.begin() as work:
        work.advance("notes", 3, 7)
    assert await store.log.offset("notes") == 7
    assert await store.log.offset("others") == 0


async def test_an_offset_that_another_moved_takes_the_effect_with_it(store: Store) -> None:
    async with store.runs.begin() as work:
        work.advance("notes", 0, 3)

    async def act(after_seq: int) -> None:
        async with store.runs.begin() as work:
            work.append([note("twice")])
            work.advance("notes", after_seq, 5)

    for after_seq in (0, 2):
        with pytest.raises(OffsetMoved, match="notes"):
            await act(after_seq)
    assert await store.log.offset("notes") == 3
    assert await store.log.read() == []


async def test_a_consumer_acts_once_on_each_event_and_goes_on_where_it_was(store: Store) -> None:
    await store.log.append([created(f"run-{number}") for number in range(450)])
    assert await consumer(store).catch_up() == 450
    await store.log.append([created("late"), note("not for it")])
    assert await consumer(store).catch_up() == 1
    assert await consumer(store).catch_up() == 0
    assert await answers(store) == [*(f"saw-{seq}" for seq in range(1, 451)), "not for it", "saw-901"]


async def test_an_effect_that_fails_moves_nothing(store: Store) -> None:
    await store.log.append([created("run-1"), created("run-2")])

    def fail_at_second(event: Envelope, work: UnitOfWork) -> None:
        answer(event, work)
        if event.seq == 2:
            raise ValueError("no figures")

    with pytest.raises(ValueError, match="no figures"):
        await Consumer("notes", "run.*", fail_at_second, log=store.log, runs=store.runs).catch_up()
    assert await store.log.offset("notes") == 0
    assert await answers(store) == []
    assert await consumer(store).catch_up() == 2


async def test_several_with_one_name_share_the_work(store: Store) -> None:
    await store.log.append([created(f"run-{number}") for number in range(1_000)])
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(consumer(store).catch_up())
    assert await answers(store) == [f"saw-{seq}" for seq in range(1, 1_001)]


async def test_a_consumer_that_runs_acts_on_what_comes(store: Store) -> None:
    acting = consumer(store)
    done = asyncio.Event()

    def count(event: Envelope) -> None:
        if event.type == "strategy.Noted":
            done.set()

    with store.log.subscribe("*", count, owner="test"):
        async with asyncio.TaskGroup() as group:
            group.create_task(acting.run())
            await store.log.append([created("run-1")])
            await done.wait()
            acting.close()
    assert await answers(store) == ["saw-1"]
    assert store.log.subscriptions() == ()
