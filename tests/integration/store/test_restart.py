"""What was committed is there after a restart, and for the other processes that have the database open."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import AlreadyOpen, BugError
from core.events.envelope import Envelope
from core.model.corporate_action import Split
from core.model.run import RunStatus
from core.store.database import DatabaseStore
from tests.contract.samples import KEY, StillClock, bars, created, fill, filled, note, order, ordered, result, run, same_bars, same_result
from tests.integration.store.writers import Place, append_for_ever, hold_the_lock, other_process
from tests.strictness.log_guard import AllowLog


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "desk.db"
    store = DatabaseStore(path, StillClock())
    await store.open()
    async with store.runs.begin() as work:
        work.put_run(run(status=RunStatus.COMPLETED))
        work.put_orders([order("o-1"), order("o-2")])
        work.add_fills([fill("f-1")])
        work.put_result(result())
        work.append([created(), ordered("o-1"), filled("o-1")])
    await store.bars.merge(KEY, bars([1, 2, 3]), simulated=True)
    events, sets = await store.log.read(), await store.bars.sets()
    await store.close()

    again = DatabaseStore(path, StillClock())
    await again.open()
    assert again.owner != store.owner
    assert not again.is_alive(store.owner)
    assert await again.runs.runs() == [run(status=RunStatus.COMPLETED)]
    assert await again.runs.orders("run-1") == [order("o-1"), order("o-2")]
    assert await again.runs.fills("run-1") == [fill("f-1")]
    found = await again.runs.result("run-1")
    assert found is not None
    assert same_result(found, result())
    assert await again.log.read() == events
    assert await again.bars.sets() == sets
    assert same_bars(await again.bars.read(KEY), bars([1, 2, 3]))
    assert [event.seq for event in await again.log.append([note("next")])] == [4]
    await again.close()


async def test_closing_finishes_what_was_asked_for(place: Place) -> None:
    store = place.store()
    await store.open()
    told: list[Envelope] = []
    with store.log.subscribe("*", told.append, owner="test"):
        async with asyncio.TaskGroup() as group:
            for number in range(50):
                group.create_task(store.log.append([note(str(number))]))
            await asyncio.sleep(0)
            group.create_task(store.close())
    assert len(told) == 50

    again = place.store()
    await again.open()
    assert await again.log.read() == told
    await again.close()


async def test_closing_keeps_the_failure_of_a_subscriber_too(place: Place, allow_log: AllowLog) -> None:
    allow_log("raised at strategy.Noted")

    def fail(event: Envelope) -> None:
        raise ValueError("no")

    store = place.store()
    await store.open()
    with store.log.subscribe("strategy.*", fail, owner="test"):
        async with asyncio.TaskGroup() as group:
            group.create_task(store.log.append([note("a")]))
            await asyncio.sleep(0)
            group.create_task(store.close())
    await store.open()
    assert [event.type for event in await store.log.read()] == ["strategy.Noted", "system.SubscriberFailed"]
    await store.close()


async def test_a_closed_store_says_so(place: Place) -> None:
    store = place.store()
    for _ in range(2):
        with pytest.raises(BugError, match="not open"):
            await store.log.append([note("a")])
        with pytest.raises(BugError, match="not open"):
            await store.runs.runs()
        await store.open()
        await store.close()


async def test_a_closed_store_can_be_opened_again(place: Place) -> None:
    store = place.store()
    for number in range(3):
        await store.open()
        assert [event.seq for event in await store.log.append([note("a")])] == [number + 1]
        assert store.is_alive(store.owner)
        await store.close()
        assert not store.is_alive(store.owner)


async def test_two_stores_share_a_database(place: Place) -> None:
    one, other = place.store(), place.store()
    async with asyncio.TaskGroup() as group:
        group.create_task(one.open())
        group.create_task(other.open())

    async def append(store: DatabaseStore, name: str) -> list[int]:
        return [(await store.log.append([note(f"{name}-{number}")]))[0].seq for number in range(40)]

    async with asyncio.TaskGroup() as group:
        of_one = group.create_task(append(one, "one"))
        of_other = group.create_task(append(other, "other"))
    assert of_one.result() == sorted(of_one.result())
    assert sorted(of_one.result() + of_other.result()) == list(range(1, 81))
    assert await one.log.read() == await other.log.read()

    assert one.is_alive(other.owner)
    one.claim_window()
    with pytest.raises(AlreadyOpen, match="Another window"):
        other.claim_window()
    await one.close()
    other.claim_window()
    assert not other.is_alive(one.owner)
    await other.close()


async def test_two_stores_that_merge_into_one_set_lose_nothing(place: Place) -> None:
    one, other = place.store(busy_timeout_s=30.0), place.store(busy_timeout_s=30.0)
    await one.open()
    await other.open()
    for number in range(12):
        async with asyncio.TaskGroup() as group:
            for index, store in enumerate((one, other)):
                group.create_task(store.bars.merge(KEY, bars([1_000 * number + 2 * minute + index for minute in range(100)])))
                group.create_task(store.actions.put([Split(symbol="SPY", day=2 * number + index, ratio=Decimal(2))]))
    held = await one.bars.read(KEY)
    assert len(held) == 12 * 200
    assert [item.bars for item in await other.bars.sets()] == [len(held)]
    assert len(await one.actions.read("SPY")) == 24
    await one.close()
    await other.close()


async def test_stores_that_create_one_file_at_once_all_open(tmp_path: Path) -> None:
    for round_number in range(15):
        stores = [DatabaseStore(tmp_path / f"{round_number}.db", StillClock()) for _ in range(4)]
        async with asyncio.TaskGroup() as group:
            for store in stores:
                group.create_task(store.open())
        for number, store in enumerate(stores, 1):
            assert [event.seq for event in await store.log.append([note("a")])] == [number]
            await store.close()


async def test_a_reader_sees_what_another_process_commits(place: Place) -> None:
    store = place.store()
    await store.open()
    with other_process(append_for_ever, place) as other:
        owner = other.pipe.recv()
        number = other.pipe.recv()
        assert await store.runs.run(f"run-{number}") is not None
        assert store.is_alive(owner)
        mine = await store.log.append([note("mine")])
        assert await store.log.find(mine[0].seq) == mine[0]
        other.kill()
    assert not store.is_alive(owner)
    await store.close()


async def test_a_cancelled_merge_changes_nothing(tmp_path: Path) -> None:
    store = DatabaseStore(tmp_path / "desk.db", StillClock())
    await store.open()
    await store.bars.merge(KEY, bars([1]))
    with other_process(hold_the_lock, tmp_path / "desk.db") as other:
        assert other.pipe.recv() == "locked"
        async with asyncio.TaskGroup() as group:
            merging = group.create_task(store.bars.merge(KEY, bars([1, 2], 5.0)))
            # Until it waits for the write lock, behind the first merge that is done.
            while store._threads._writer._submitted < 2:  # type: ignore[union-attr]  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(0)
            merging.cancel()
        other.pipe.send("let go")
        assert other.pipe.recv() == "free"
    await store.log.append([note("after")])  # waits behind the merge
    assert same_bars(await store.bars.read(KEY), bars([1]))
    await store.close()
