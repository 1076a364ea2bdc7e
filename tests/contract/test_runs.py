"""The contract of `RunStore` and its units of work, on every store."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from core.errors import AlreadyStored, BugError, InvalidValue
from core.events.envelope import Envelope
from core.model.order import OrderStatus
from core.model.run import RunStatus
from core.ports import Store, UnitOfWork
from tests.contract.samples import NOW_NS, created, fill, filled, note, order, ordered, result, run, same_result


class Broken(Exception):
    """What happens in the middle of a unit of work."""


async def test_a_run_is_kept_and_updated(store: Store) -> None:
    async with store.runs.begin() as work:
        work.put_run(run())
    assert await store.runs.run("run-1") == run()

    ended = run().moved_to(RunStatus.RUNNING, owner="me").moved_to(RunStatus.ERROR, error="It’s broken.")
    async with store.runs.begin() as work:
        work.put_run(ended)
    assert await store.runs.run("run-1") == ended
    assert await store.runs.run("run") is None


async def test_runs_come_newest_first(store: Store) -> None:
    async with store.runs.begin() as work:
        for name, created_ns in (("b", NOW_NS), ("c", NOW_NS), ("a", NOW_NS + 5), ("d", NOW_NS - 5)):
            work.put_run(run(name, created_ns=created_ns))
    async with store.runs.begin() as work:
        work.put_run(run("b", status=RunStatus.STOPPED))  # an update does not make it newer
    assert [found.id for found in await store.runs.runs()] == ["a", "c", "b", "d"]


async def test_orders_come_in_the_order_they_were_made(store: Store) -> None:
    names = ["o-9", "o-1", "o-5"]
    async with store.runs.begin() as work:
        work.put_run(run())
        work.put_orders([order(name) for name in names])
    async with store.runs.begin() as work:
        work.put_orders([order("o-1", status=OrderStatus.FILLED), order("o-2")])
        work.put_orders([order("o-9", status=OrderStatus.CANCELLED)])
    found = await store.runs.orders("run-1")
    assert [(item.id, item.status) for item in found] == [
        ("o-9", OrderStatus.CANCELLED),
        ("o-1", OrderStatus.FILLED),
        ("o-5", OrderStatus.ACCEPTED),
        ("o-2", OrderStatus.ACCEPTED),
    ]
    assert found[2] == order("o-5")


async def test_of_an_order_that_comes_twice_the_last_counts(store: Store) -> None:
    async with store.runs.begin() as work:
        work.put_run(run())
        work.put_orders([order("o-1"), order("o-2"), order("o-1", status=OrderStatus.FILLED)])
    found = await store.runs.orders("run-1")
    assert [(item.id, item.status) for item in found] == [("o-1", OrderStatus.FILLED), ("o-2", OrderStatus.ACCEPTED)]


async def test_a_fill_is_stored_once(store: Store) -> None:
    first = fill("f-1")
    async with store.runs.begin() as work:
        work.put_run(run())
        work.add_fills([fill("f-2", time_ns=NOW_NS + 5), first, fill("f-3")])
    async with store.runs.begin() as work:
        work.add_fills([msgspec.structs.replace(first, reason="again"), fill("f-4", time_ns=NOW_NS + 1)])
    found = await store.runs.fills("run-1")
    assert [item.id for item in found] == ["f-1", "f-3", "f-4", "f-2"]
    assert found[0] == first


async def test_rows_of_another_run_are_not_returned(store: Store) -> None:
    async with store.runs.begin() as work:
        for name in ("a", "b"):
            work.put_run(run(name))
            work.put_orders([order(f"o-{name}", name)])
            work.add_fills([fill(f"f-{name}", name)])
    assert [item.id for item in await store.runs.orders("a")] == ["o-a"]
    assert [item.id for item in await store.runs.fills("b")] == ["f-b"]
    assert await store.runs.orders("c") == []


async def test_more_rows_than_a_page_come_back_whole(store: Store) -> None:
    orders = [order(f"o-{number}") for number in range(9_001)]
    fills = [fill(f"f-{number}") for number in range(8_000)]
    events = [note(str(number)) for number in range(9_500)]
    async with store.runs.begin() as work:
        work.put_run(run())
        work.put_orders(orders)
        work.add_fills(fills)
        work.append(events)
    assert await store.runs.orders("run-1") == orders
    assert await store.runs.fills("run-1") == fills
    assert [event.seq for event in await store.log.read(limit=20_000)] == list(range(1, 9_501))
    assert [event.seq for event in await store.log.read(limit=9_001)] == list(range(1, 9_002))


async def test_a_result_comes_back_exactly(store: Store) -> None:
    async with store.runs.begin() as work:
        work.put_run(run())
        work.put_result(result(points=1))
        work.put_result(result())
    found = await store.runs.result("run-1")
    assert found is not None
    assert same_result(found, result())
    assert await store.runs.result("run-2") is None


async def test_a_result_of_many_trades_comes_back(store: Store) -> None:
    many = result(points=3, trades=9_001)
    async with store.runs.begin() as work:
        work.put_run(run())
        work.put_result(many)
    found = await store.runs.result("run-1")
    assert found is not None
    assert same_result(found, many)


async def test_an_empty_result_comes_back(store: Store) -> None:
    empty = result(points=0, trades=0)
    async with store.runs.begin() as work:
        work.put_run(run())
        work.put_result(empty)
    found = await store.runs.result("run-1")
    assert found is not None
    assert same_result(found, empty)


# --- all or nothing ---


async def test_rows_and_events_are_there_when_subscribers_are_told(store: Store) -> None:
    seen: asyncio.Queue[Envelope] = asyncio.Queue()
    with store.log.subscribe("*", seen.put_nowait, owner="test"):
        async with store.runs.begin() as work:
            work.put_run(run())
            work.append([created()])
            work.put_orders([order("o-1")])
            work.append([ordered("o-1"), filled("o-1")])
            assert seen.empty()
            assert await store.runs.run("run-1") is None
        assert seen.qsize() == 3
        assert [seen.get_nowait().seq for _ in range(3)] == [1, 2, 3]
    assert [item.id for item in await store.runs.orders("run-1")] == ["o-1"]
    assert [event.type for event in await store.log.read()] == ["run.Created", "orders.Created", "orders.Filled"]


async def test_an_exception_in_the_block_commits_nothing(store: Store) -> None:
    async def break_off() -> None:
        async with store.runs.begin() as work:
            work.put_run(run())
            work.append([created()])
            raise Broken

    told: list[Envelope] = []
    with store.log.subscribe("*", told.append, owner="test"), pytest.raises(Broken):
        await break_off()
    assert await store.runs.runs() == []
    assert await store.log.read() == []
    assert told == []


async def test_a_refused_event_takes_its_rows_with_it(store: Store) -> None:
    async def commit() -> None:
        async with store.runs.begin() as work:
            work.put_run(run())
            work.append([created(), note("x" * 3_000, event_id="large")])

    told: list[Envelope] = []
    with store.log.subscribe("*", told.append, owner="test"), pytest.raises(InvalidValue):
        await commit()
    assert await store.runs.runs() == []
    assert await store.log.read() == []
    assert told == []


@pytest.mark.parametrize(
    "put",
    [
        lambda work: work.put_orders([order("o-1")]),
        lambda work: work.add_fills([fill("f-1")]),
        lambda work: work.put_result(result()),
    ],
    ids=["orders", "fills", "result"],
)
async def test_rows_of_a_run_that_is_not_stored_are_refused(store: Store, put: Callable[[UnitOfWork], None]) -> None:
    async def commit() -> None:
        async with store.runs.begin() as work:
            work.append([note("a")])
            put(work)

    with pytest.raises(BugError):
        await commit()
    assert await store.log.read() == []


async def test_a_unit_of_work_cannot_be_used_after_its_block(store: Store) -> None:
    async with store.runs.begin() as work:
        work.put_run(run())
    with pytest.raises(BugError, match="over"):
        work.put_run(run("run-2"))
    assert len(await store.runs.runs()) == 1


async def test_an_empty_unit_of_work_is_fine(store: Store) -> None:
    async with store.runs.begin() as work:
        work.put_orders([])
        work.add_fills([])
        work.append([])
    assert await store.log.read() == []


async def test_steps_happen_in_the_order_they_were_asked_for(store: Store) -> None:
    async with store.runs.begin() as work:
        work.put_run(run())
        work.append([created()])
        work.delete_run("run-1")
        work.put_run(run(status=RunStatus.STOPPED))
        work.append([note("after")])
    found = await store.runs.run("run-1")
    assert found is not None
    assert found.status is RunStatus.STOPPED
    assert [event.seq for event in await store.log.read()] == [2]


# --- deleting ---


async def test_a_deleted_run_takes_all_that_is_its_own(store: Store) -> None:
    for name in ("a", "b"):
        async with store.runs.begin() as work:
            work.put_run(run(name))
            work.put_orders([order(f"o-{name}", name)])
            work.add_fills([fill(f"f-{name}", name)])
            work.put_result(result(name))
            work.append([created(name), ordered(f"o-{name}", name)])
    async with store.runs.begin() as work:
        work.delete_run("a")
        work.append([note("gone", run_id="a")])

    assert await store.runs.run("a") is None
    assert await store.runs.orders("a") == []
    assert await store.runs.fills("a") == []
    assert await store.runs.result("a") is None
    assert [(event.seq, event.run_id) for event in await store.log.read()] == [(3, "b"), (4, "b"), (5, "a")]
    assert [item.id for item in await store.runs.orders("b")] == ["o-b"]
    found = await store.runs.result("b")
    assert found is not None
    assert same_result(found, result("b"))


async def test_a_seq_is_never_given_twice(store: Store) -> None:
    async with store.runs.begin() as work:
        work.put_run(run())
        work.append([created(), note("last")])
    async with store.runs.begin() as work:
        work.delete_run("run-1")
    assert [event.seq for event in await store.log.append([note("next")])] == [3]
    assert [event.seq for event in await store.log.append([note("next but one")])] == [4]


async def test_deleting_a_run_that_is_not_there_does_nothing(store: Store) -> None:
    async with store.runs.begin() as work:
        work.put_run(run())
        work.delete_run("run-2")
    assert len(await store.runs.runs()) == 1


async def test_what_is_stored_already_is_not_stored_again(store: Store) -> None:
    async with store.runs.begin() as work:
        work.put_run(run())
        work.append([note("one"), note("two"), note("of nobody", run_id=None)])

    async def again(known: Envelope) -> None:
        async with store.runs.begin() as work:
            work.unless_stored(known)
            work.append([note("three")])
            work.put_orders([order("o-1")])

    for known in (note("two"), note("of nobody", run_id=None)):
        with pytest.raises(AlreadyStored, match=known.id):
            await again(known)
    async with store.runs.begin() as work:
        work.unless_stored(note("four"))
        work.unless_stored(note("one", run_id=None))  # an event of that id is another run's
        work.append([note("four")])
    assert [event.id for event in await store.log.read()] == ["note-one", "note-two", "note-of nobody", "note-four"]
    assert await store.runs.orders("run-1") == []


async def test_what_is_under_way_is_waited_for_before_it_is_said_that_it_is_not_stored(store: Store) -> None:
    async with store.runs.begin() as work:
        work.put_run(run())

    async def commit() -> None:
        async with store.runs.begin() as work:
            work.append([note("one")])

    async def ask() -> bool:
        try:
            async with store.runs.begin() as work:
                work.unless_stored(note("one"))
        except AlreadyStored:
            return True
        return False

    async with asyncio.TaskGroup() as group:
        group.create_task(commit())  # the question comes while it is queued, and may be in one transaction with it
        asked = group.create_task(ask())
    assert asked.result()
    assert [event.id for event in await store.log.read()] == ["note-one"]
