"""The leases of a process whose machine sleeps: how old they are is told by a clock that counts that."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from core.clock.realtime import SystemClock
from core.errors import DatabaseUnreachable
from core.model.desk import Desk, Lease, LeaseKind
from core.model.instants import SECOND_NS
from core.runs.leases import RENEW_S, TTL_S, LeaseKeeper
from core.runs.supervisor import Supervisor
from core.store.memory_leases import MemoryLeases

NAME = "alpaca:PA1"


class SleepyClock(SystemClock):
    """The machine's clocks, where a test says how long it slept: those of the loop stood still."""

    slept_ns = 0

    def elapsed_ns(self) -> int:
        return super().elapsed_ns() + self.slept_ns


class ToldLeases(MemoryLeases):
    """Says when they were renewed; `sleeps` is called while one is being taken."""

    def __init__(self, clock: SleepyClock) -> None:
        super().__init__(Desk(id="id-Ann", name="Ann"), "ann", clock.now_ns)
        self.renewed = asyncio.Event()
        self.asked = 0
        self.is_away = False
        self.slept_while_taken_ns = 0
        self._clock = clock

    async def acquire(self, kind: LeaseKind, name: str, ttl_s: float) -> Lease:
        lease = await super().acquire(kind, name, ttl_s)
        self._clock.slept_ns += self.slept_while_taken_ns
        return lease

    async def renew(self, leases: Sequence[Lease], ttl_s: float) -> Sequence[Lease]:
        self.asked += 1
        if self.is_away:
            raise DatabaseUnreachable("The server does not answer.")
        self.renewed.set()
        return await super().renew(leases, ttl_s)


class Kept:
    """What a test holds in its hands."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.clock = SleepyClock()
        self.leases = ToldLeases(self.clock)
        self.bugs: list[str] = []
        self.keeper = LeaseKeeper(self.leases, supervisor, self.clock, lambda error, _: self.bugs.append(str(error)))


@pytest.fixture
async def kept() -> AsyncIterator[Kept]:
    supervisor = Supervisor()
    made = Kept(supervisor)
    try:
        yield made
    finally:
        made.keeper.close()
        await supervisor.close()
    assert made.bugs == []


async def test_a_lease_is_old_after_the_machine_slept(kept: Kept) -> None:
    await kept.keeper.take(LeaseKind.ACCOUNT, NAME, lambda: None)
    assert kept.keeper.is_fresh()
    kept.clock.slept_ns += int(TTL_S * SECOND_NS)
    assert not kept.keeper.is_fresh()
    assert await kept.keeper.still_holds(LeaseKind.ACCOUNT, NAME)  # nobody took it meanwhile
    assert kept.keeper.is_fresh()


async def test_a_machine_that_slept_while_the_lease_was_taken_does_not_take_it_for_new(kept: Kept) -> None:
    kept.leases.slept_while_taken_ns = int(TTL_S * SECOND_NS)
    await kept.keeper.take(LeaseKind.ACCOUNT, NAME, lambda: None)
    assert not kept.keeper.is_fresh()


@pytest.mark.parametrize("is_first", [True, False], ids=["taken first", "taken while the keeper rests"])
async def test_what_got_old_in_a_sleep_is_renewed_at_once_and_not_after_a_third_of_its_time(kept: Kept, *, is_first: bool) -> None:
    if is_first:
        await kept.keeper.take(LeaseKind.ACCOUNT, NAME, lambda: None)
    await kept.keeper.go_on()
    await asyncio.sleep(0)
    if not is_first:
        await kept.keeper.take(LeaseKind.ACCOUNT, NAME, lambda: None)
        await asyncio.sleep(0)
    assert not kept.leases.renewed.is_set()
    kept.clock.slept_ns += int(TTL_S * SECOND_NS)
    async with asyncio.timeout(RENEW_S / 2):
        await kept.leases.renewed.wait()
    assert kept.keeper.is_fresh()


async def test_a_store_that_is_away_is_not_asked_without_a_rest(kept: Kept) -> None:
    await kept.keeper.take(LeaseKind.ACCOUNT, NAME, lambda: None)
    kept.leases.is_away = True
    await kept.keeper.go_on()
    kept.clock.slept_ns += int(TTL_S * SECOND_NS)
    kept.keeper.look()
    async with asyncio.timeout(10):
        while not kept.leases.asked:  # noqa: ASYNC110 - the keeper's task gets its turn
            await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    assert kept.leases.asked == 1
    assert not kept.keeper.is_fresh()
