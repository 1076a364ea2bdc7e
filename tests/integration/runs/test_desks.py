"""Several desks on one database: a run has one, and a desk that was away too long cannot write to it any more."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from core.brokers.sim import SimSource
from core.clock.realtime import SystemClock
from core.errors import HeldElsewhere, LeaseLost, RunError, RunNotStartable, RunNotStoppable
from core.events.envelope import Envelope
from core.events.payloads import RunStopRequested
from core.model.desk import Desk, LeaseKind
from core.model.market import BarSeries, BarSetKey, Timeframe
from core.model.run import Run, RunConfig, RunStatus
from core.runs.leases import FencedRuns
from core.runs.manager import RunManager
from core.runs.run_event import run_event
from core.store.database import DatabaseStore
from core.strategy.loader import StrategyLoader
from tests.contract.samples import order
from tests.integration.store.test_across_processes import Hearer
from tests.integration.store.writers import other_process
from tests.strictness.log_guard import AllowLog

KEY = BarSetKey(symbol="X/Y", timeframe="1m", source="test")
STRATEGY = '''
from core.strategy.api import Bar, BarStrategy


class Busy(BarStrategy):
    """Buys and sells at every bar, and leaves an order working."""

    id = "busy"

    def on_bar(self, bar: Bar) -> None:
        self.buy(1)
        self.buy(1, limit=1)
        if self.held() > 1:
            self.sell(1)
'''


class ShiftedClock(SystemClock):
    """A desk's clock that is wrong."""

    def __init__(self, by_s: float) -> None:
        super().__init__()
        self._by_ns = round(by_s * 1e9)

    def now_ns(self) -> int:
        return super().now_ns() + self._by_ns


@dataclass
class Station:
    """A workstation: its store and its runs."""

    store: DatabaseStore
    runs: RunManager
    bugs: list[BaseException]


@asynccontextmanager
async def station(url: str, folder: Path, name: str, *, clock_off_s: float = 0.0) -> AsyncIterator[Station]:
    """A desk of that name, in this process."""
    clock = ShiftedClock(clock_off_s)
    store = DatabaseStore(url, clock, locks=folder / name, desk=Desk(id=f"id-{name}", name=name))
    await store.open()
    bugs: list[BaseException] = []
    runs = RunManager(
        brokers=SimSource(0),
        store=store,
        strategies=StrategyLoader([folder]),
        clock=clock,
        callback_limit_s=5,
        on_bug=lambda error, _: bugs.append(error),
    )
    try:
        yield Station(store, runs, bugs)
    finally:
        await runs.close()
        await store.close()
    assert bugs == []


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    (tmp_path / "busy.py").write_text(STRATEGY)
    return str(tmp_path / "desk.db") if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


async def pending(desk: Station, bars: int = 200_000) -> Run:
    """A run that is not started yet, over bars that last."""
    starts = np.arange(bars, dtype=np.int64) * 60_000_000_000
    flat = np.full(bars, 100.0)
    await desk.store.bars.merge(KEY, BarSeries.from_columns("X/Y", Timeframe.parse("1m"), starts, flat, flat, flat, flat, flat))
    return await desk.runs.create(RunConfig(strategy_id="busy", symbols=("X/Y",), timeframe="1m"))


async def test_of_two_desks_that_start_a_run_at_once_one_does(url: str, tmp_path: Path) -> None:
    async with station(url, tmp_path, "Ann") as ann, station(url, tmp_path, "Ben") as ben:
        for _ in range(5):
            run = await pending(ann, 500)
            async with asyncio.TaskGroup() as group:
                tries = [group.create_task(started(desk, run)) for desk in (ann, ben)]
            winners = [task.result() for task in tries if task.result()]
            assert len(winners) == 1
            over = await (ann if winners == ["Ann"] else ben).runs.wait(run.id)
            assert (over.status, over.desk) == (RunStatus.COMPLETED, winners[0])
            events = await ann.store.log.read(run_id=run.id, pattern="run.*", limit=1_000_000)
            assert [event.type for event in events] == ["run.Created", "run.Started", "run.Completed"]


async def started(desk: Station, run: Run) -> str:
    """The desk's name when it could start the run."""
    try:
        return str((await desk.runs.start(run.id)).desk)
    except RunNotStartable:
        return ""


async def test_another_desk_sees_a_run_live_and_cannot_touch_it(url: str, tmp_path: Path) -> None:
    async with station(url, tmp_path, "Ann") as ann, station(url, tmp_path, "Ben", clock_off_s=600) as ben:
        run = await pending(ann)
        heard = Hearer()
        with ben.store.log.subscribe("orders.*", heard, owner="test", run_id=run.id):
            await ann.runs.start(run.id)
            await heard.wait_for(100)
        there = await ben.runs.get(run.id)
        assert (there.status, there.desk) == (RunStatus.RUNNING, "Ann")
        assert await ben.store.runs.orders(run.id)
        assert await ben.store.runs.fills(run.id)
        with pytest.raises(RunNotStoppable, match="desk Ann"):
            await ben.runs.stop(run.id)
        # What of another desk's asking reaches the log in spite of that does nothing.
        asked = Hearer()
        with ann.store.log.subscribe(RunStopRequested.wire, asked, owner="test", run_id=run.id):
            await ben.store.log.append([run_event(run.id, RunStopRequested(desk_id="id-Ben", desk="Ben"), 1)])
            await asked.wait_for(1)
        goes_on = Hearer()
        with ben.store.log.subscribe("orders.*", goes_on, owner="test", run_id=run.id):
            await goes_on.wait_for(100)
        with pytest.raises(RunNotStartable):
            await ben.runs.start(run.id)
        with pytest.raises(RunError, match="Ann"):
            await ben.runs.delete(run.id)
        with pytest.raises(HeldElsewhere, match="Ann"):
            await ben.runs.take_over(run.id)
        assert await ben.runs.recover() == []  # though its clock says that every lease is long over
        assert (await ann.runs.stop(run.id)).status is RunStatus.STOPPED


async def test_a_stop_that_is_asked_for_again_and_again_does_not_cut_the_end_short(url: str, tmp_path: Path) -> None:
    async with station(url, tmp_path, "Ann") as ann:
        run = await pending(ann)
        heard = Hearer()
        with ann.store.log.subscribe("orders.*", heard, owner="test", run_id=run.id):
            await ann.runs.start(run.id)
            await heard.wait_for(100)
        async with asyncio.TaskGroup() as group:
            first = group.create_task(ann.runs.stop(run.id))
            while not first.done():
                group.create_task(asked(ann, run.id))
                await asyncio.sleep(0)
        assert first.result().status is RunStatus.STOPPED
        stored = await ann.store.runs.run(run.id)
        assert stored is not None
        assert stored.status is RunStatus.STOPPED
        assert (await ann.store.log.read_back(run_id=run.id, limit=1))[0].type == "run.Stopped"


async def asked(desk: Station, run_id: str) -> None:
    """Ask for the end of a run that may be over by then."""
    with suppress(RunNotStoppable):
        await desk.runs.stop(run_id)


async def test_a_desk_that_lost_its_lease_ends_its_run_without_a_word(url: str, tmp_path: Path, allow_log: AllowLog) -> None:
    allow_log("Another desk has taken over run")
    async with station(url, tmp_path, "Ann") as ann, station(url, tmp_path, "Ben") as ben:
        run = await pending(ann)
        first = asyncio.Event()
        with ann.store.log.subscribe("orders.Filled", lambda event: first.set(), owner="test", run_id=run.id):
            await ann.runs.start(run.id)
            await first.wait()
        (lease,) = await ben.store.leases.held(LeaseKind.RUN)
        await ann.store.leases.offer(lease, "id-Ben")  # with Ann's consent
        reconciled: list[str] = []

        async def reconcile(found: Run) -> None:
            reconciled.append(found.id)
            with pytest.raises(LeaseLost):
                await write_late(ann, lease_of=lease)

        taken = await ben.runs.take_over(run.id, reconcile)
        assert reconciled == [run.id]
        assert taken.status is RunStatus.INTERRUPTED
        here = await ann.runs.wait(run.id)
        assert here == taken
        assert await ann.runs.all() == [taken]
        events = await ben.store.log.read(run_id=run.id, limit=1_000_000)
        assert events[-1].type == "run.Interrupted"
        assert all(item.status.is_final for item in await ben.store.runs.orders(run.id))
        assert ann.bugs == []


async def write_late(desk: Station, lease_of: object) -> None:
    """What a desk would still write."""
    async with FencedRuns(desk.store.runs, lease_of).begin() as work:  # type: ignore[arg-type]
        work.put_orders([order("late", lease_of.name)])  # type: ignore[attr-defined]


async def test_desks_see_each_other_without_a_run(postgres_url: str, tmp_path: Path) -> None:
    async with station(postgres_url, tmp_path, "Ann") as ann, station(postgres_url, tmp_path, "Ben") as ben:
        for desk in (ann, ben):
            assert await desk.runs.recover() == []
        seen = await ann.store.leases.desks()
        assert [(item.desk.name, item.is_here) for item in seen] == [("Ann", True), ("Ben", False)]


# --- a desk in a process of its own ---


def run_for_ever(given: tuple[str, Path, float, bool], told: Connection) -> None:
    """Be the desk Ann: start a run, tell its id at its first fill, freeze there if so asked, and tell how it ended here."""
    url, folder, ttl_s, freezes = given
    asyncio.run(_run_for_ever(url, folder, ttl_s, told, freezes=freezes))


async def _run_for_ever(url: str, folder: Path, ttl_s: float, told: Connection, *, freezes: bool) -> None:
    import core.runs.leases

    core.runs.leases.TTL_S = ttl_s  # type: ignore[misc]
    async with station(url, folder, "Ann") as ann:
        run = await pending(ann, 1_000_000)

        def at_first_fill(event: Envelope) -> None:
            first.close()
            told.send(run.id)
            if freezes:
                os.kill(os.getpid(), signal.SIGSTOP)  # between two commits: nothing of it is under way

        first = ann.store.log.subscribe("orders.Filled", at_first_fill, owner="test", run_id=run.id)
        await ann.runs.start(run.id)
        over = await ann.runs.wait(run.id)
        told.send((str(over.status), len(await ann.store.runs.orders(run.id))))


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be frozen there")
async def test_a_desk_that_was_frozen_beyond_its_lease_writes_nothing_when_it_wakes(url: str, tmp_path: Path) -> None:
    with other_process(run_for_ever, (url, tmp_path, 0.6, True)) as other:
        run_id = await asyncio.to_thread(other.pipe.recv)
        assert other.process.pid is not None
        async with station(url, tmp_path, "Ben", clock_off_s=-300) as ben:
            taken = await taken_over(ben, run_id)
            assert (taken.status, taken.desk) == (RunStatus.INTERRUPTED, "Ann")
            orders, head = await ben.store.runs.orders(run_id), await ben.store.log.read(run_id=run_id, limit=1_000_000)
            os.kill(other.process.pid, signal.SIGCONT)
            status, seen = await asyncio.to_thread(other.pipe.recv)
            assert status == "interrupted"
            assert seen == len(orders)
            assert await ben.store.runs.orders(run_id) == orders
            assert await ben.store.log.read(run_id=run_id, limit=1_000_000) == head
            assert await ben.runs.get(run_id) == taken


async def taken_over(desk: Station, run_id: str) -> Run:
    """The run, once the other desk's lease is over and not before."""
    while True:
        (lease,) = await desk.store.leases.held(LeaseKind.RUN)
        try:
            found = await desk.runs.take_over(run_id)
        except HeldElsewhere:
            assert not lease.expired
        else:
            return found


async def test_a_killed_desk_is_found_by_itself_at_once_and_by_others_after_its_lease(url: str, tmp_path: Path) -> None:
    with other_process(run_for_ever, (url, tmp_path, 3_600.0, False)) as other:
        run_id = await asyncio.to_thread(other.pipe.recv)
        other.kill()
    async with station(url, tmp_path, "Ben") as ben:
        assert await ben.runs.recover() == []
        assert (await ben.runs.get(run_id)).status is RunStatus.RUNNING
        async with station(url, tmp_path, "Ann") as ann:
            assert [run.id for run in await ann.runs.recover()] == [run_id]
        assert (await ben.runs.get(run_id)).status is RunStatus.INTERRUPTED
