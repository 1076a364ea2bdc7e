"""The contract of `Leases`, on every store: who may act, and who no longer may."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.errors import HeldElsewhere, LeaseLost
from core.model.desk import Desk, LeaseKind
from core.ports import Store
from core.store.database import DatabaseStore
from tests.contract.samples import StillClock, note, order, run

RUN, ACCOUNT = LeaseKind.RUN, LeaseKind.ACCOUNT
LONG_S = 3_600.0
OVER_S = 0.0
"""A lease of no length has expired when it is read."""

ANN, BEN = Desk(id="desk-a", name="Ann"), Desk(id="desk-b", name="Ben")


async def test_a_lease_has_one_holder(store: Store) -> None:
    lease = await store.leases.acquire(RUN, "run-1", LONG_S)
    assert (lease.kind, lease.name, lease.epoch, lease.desk, lease.owner) == (RUN, "run-1", 1, store.desk, store.owner)
    with pytest.raises(HeldElsewhere, match=store.desk.name):
        await store.leases.acquire(RUN, "run-1", LONG_S)
    assert (await store.leases.acquire(ACCOUNT, "run-1", LONG_S)).epoch == 1  # another kind is another lease
    assert list(await store.leases.held(RUN)) == [lease]


async def test_what_was_given_back_can_be_taken_and_the_epoch_goes_up(store: Store) -> None:
    first = await store.leases.acquire(RUN, "run-1", LONG_S)
    await store.leases.release(first)
    assert list(await store.leases.held(RUN)) == []
    second = await store.leases.acquire(RUN, "run-1", LONG_S)
    assert second.epoch == 2
    await store.leases.release(first)  # it is not the first one's any more
    assert [lease.epoch for lease in await store.leases.held(RUN)] == [2]


async def test_an_expired_lease_can_be_taken_and_renewed_until_it_is(store: Store) -> None:
    lease = await store.leases.acquire(RUN, "run-1", OVER_S)
    (seen,) = await store.leases.held(RUN)
    assert seen.expired
    assert list(await store.leases.renew([lease], OVER_S)) == []
    taken = await store.leases.acquire(RUN, "run-1", LONG_S)
    assert taken.epoch == 2
    assert list(await store.leases.renew([lease, taken], LONG_S)) == [lease]


async def test_a_fence_lets_the_holder_through_and_stops_the_one_before(store: Store) -> None:
    old = await store.leases.acquire(RUN, "run-1", OVER_S)
    async with store.runs.begin() as work:
        work.fence(old)
        work.put_run(run())
        work.append([note("a")])
    new = await store.leases.acquire(RUN, "run-1", LONG_S)

    async def commit() -> None:
        async with store.runs.begin() as work:
            work.append([note("late")])
            work.put_orders([order("late")])
            work.fence(old)

    with pytest.raises(LeaseLost, match="run run-1"):
        await commit()
    assert await store.runs.orders("run-1") == []
    assert len(await store.log.read()) == 1
    async with store.runs.begin() as work:
        work.fence(new)
        work.put_orders([order("o-1")])
    assert [item.id for item in await store.runs.orders("run-1")] == ["o-1"]


async def test_a_lease_that_was_given_back_lets_nothing_through(store: Store) -> None:
    lease = await store.leases.acquire(RUN, "run-1", LONG_S)
    await store.leases.release(lease)

    async def commit() -> None:
        async with store.runs.begin() as work:
            work.fence(lease)
            work.put_run(run())

    with pytest.raises(LeaseLost):
        await commit()
    assert await store.runs.runs() == []


async def test_a_fence_alone_is_an_empty_unit_of_work(store: Store) -> None:
    lease = await store.leases.acquire(RUN, "run-1", LONG_S)
    await store.leases.release(lease)
    async with store.runs.begin() as work:
        work.fence(lease)
    assert await store.log.read() == []


async def test_a_deleted_run_has_no_lease(store: Store) -> None:
    async with store.runs.begin() as work:
        work.put_run(run())
    await store.leases.acquire(RUN, "run-1", LONG_S)
    async with store.runs.begin() as work:
        work.delete_run("run-1")
    assert list(await store.leases.held(RUN)) == []


async def test_a_desk_is_seen_once_it_has_renewed(store: Store) -> None:
    assert list(await store.leases.desks()) == []
    await store.leases.renew([], LONG_S)
    (seen,) = await store.leases.desks()
    assert (seen.desk, seen.is_here) == (store.desk, True)
    assert seen.seen_s >= 0


# --- several desks ---


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "desk.db") if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def desks(url: str, tmp_path: Path) -> AsyncIterator[tuple[Store, Store]]:
    """Two desks whose clocks are ten minutes apart."""
    late = StillClock()
    late.now -= 600_000_000_000
    ann = DatabaseStore(url, StillClock(), locks=tmp_path / "a", desk=ANN)
    ben = DatabaseStore(url, late, locks=tmp_path / "b", desk=BEN)
    await ann.open()
    await ben.open()
    try:
        yield ann, ben
    finally:
        await ann.close()
        await ben.close()


async def test_another_desk_waits_until_the_database_says_that_a_lease_is_over(desks: tuple[Store, Store]) -> None:
    ann, ben = desks
    lease = await ann.leases.acquire(RUN, "run-1", LONG_S)
    with pytest.raises(HeldElsewhere, match="Ann"):
        await ben.leases.acquire(RUN, "run-1", LONG_S)
    await ann.leases.renew([lease], OVER_S)
    taken = await ben.leases.acquire(RUN, "run-1", LONG_S)
    assert (taken.desk, taken.epoch) == (BEN, 2)
    assert list(await ann.leases.renew([lease], LONG_S)) == [lease]


async def test_a_desk_may_hand_over_before_the_time(desks: tuple[Store, Store]) -> None:
    ann, ben = desks
    lease = await ann.leases.acquire(RUN, "run-1", LONG_S)
    await ann.leases.offer(lease, BEN.id)
    assert (await ben.leases.acquire(RUN, "run-1", LONG_S)).epoch == 2
    with pytest.raises(LeaseLost):
        await ann.leases.offer(lease, BEN.id)


async def test_a_process_that_is_gone_holds_nothing_at_its_own_desk(desks: tuple[Store, Store], url: str, tmp_path: Path) -> None:
    ann, ben = desks
    await ann.leases.acquire(RUN, "run-1", LONG_S)
    await ann.close()
    with pytest.raises(HeldElsewhere, match="Ann"):
        await ben.leases.acquire(RUN, "run-1", LONG_S)  # another desk cannot know that
    again = DatabaseStore(url, StillClock(), locks=tmp_path / "a", desk=ANN)
    await again.open()
    try:
        assert (await again.leases.acquire(RUN, "run-1", LONG_S)).epoch == 2
    finally:
        await again.close()


async def test_an_account_has_one_writer(desks: tuple[Store, Store]) -> None:
    ann, ben = desks
    await ann.leases.acquire(ACCOUNT, "alpaca-1", LONG_S)
    with pytest.raises(HeldElsewhere, match="Account alpaca-1 is in the hands of the desk Ann"):
        await ben.leases.acquire(ACCOUNT, "alpaca-1", LONG_S)


async def test_desks_see_each_other(desks: tuple[Store, Store]) -> None:
    for desk in desks:
        await desk.leases.renew([], LONG_S)
    assert [(seen.desk, seen.is_here) for seen in await desks[0].leases.desks()] == [(ANN, True), (BEN, False)]
