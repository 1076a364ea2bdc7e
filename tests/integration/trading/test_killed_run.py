"""A paper run whose process is killed goes on in another one, or is closed there: its book, its names and its state are its own."""

import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import DiskFull, RunNotStartable, RunNotStoppable
from core.model.instants import MINUTE_NS
from core.model.run import Run, RunMode, RunStatus
from core.runs.checking import check_store
from core.runs.leases import FencedRuns
from core.runs.recorded_bars import recorded
from tests.strictness.log_guard import AllowLog
from tests.unit.runs.lasting import LastingScene, lasting
from tests.unit.runs.live_desk import BEGINS_NS, live

KEEPER = '''
from core.strategy.api import Bar, BarStrategy


class Keeper(BarStrategy):
    """Holds one with exits far away, and moves a bid up by a cent at each bar."""

    id = "keeper"
    warmup = 3

    def setup(self):
        self.bars = 0
        self.buy(1, note="only at the beginning")

    def save_state(self):
        return {"bars": self.bars}

    def load_state(self, state):
        self.bars = state["bars"]

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        if self.bars == 1:
            self.buy(2, target=10_000_000, stop_loss=1)
            self.buy(1, limit=1, time_in_force="gtc", ref="bid")
            self.buy(3, limit=2, time_in_force="gtc", ref="low", target=9_000_000)
        else:
            self.replace("bid", limit=1 + self.bars / 100)
            self.buy(1, limit=0.5, time_in_force="ioc")
'''


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A folder in which a run was killed when it had changed its bid three times."""
    (tmp_path / "keeper.py").write_text(KEEPER)
    ended = subprocess.run(
        [sys.executable, "-m", "tests.integration.trading.dying_run", str(tmp_path), "orders.Replaced", "3"], check=False, timeout=30
    )
    assert ended.returncode == -signal.SIGKILL
    return tmp_path


@asynccontextmanager
async def again(folder: Path) -> AsyncIterator[tuple[LastingScene, Run]]:
    """The program started anew, hours later, and the run as it finds it."""
    async with lasting(folder, begins_ns=BEGINS_NS + 240 * MINUTE_NS) as scene:
        (run,) = await scene.runs.recover()
        yield scene, run


async def assert_rows_are_the_broker_s(scene: LastingScene, run: Run) -> None:
    orders = {order.id: order for order in await scene.store.runs.orders(run.id)}
    filled: dict[str, Decimal] = {}
    for one in scene.broker.exchange.orders():
        own = one.client_order_id.partition(".r")[0]
        filled[own] = filled.get(own, Decimal(0)) + one.filled_qty
    assert {own: order.filled_qty for own, order in orders.items()} == filled
    fills = await scene.store.runs.fills(run.id)
    assert sorted(fill.id.rpartition("/")[2] for fill in fills) == sorted(one.id for one in scene.broker.exchange.executions())
    assert (await check_store(scene.store, lambda _: None)).findings == ()


async def test_it_goes_on_with_its_book_its_names_and_its_state(killed: Path) -> None:
    async with again(killed) as (scene, run):
        assert run.status is RunStatus.INTERRUPTED
        assert "Let it go on, or close it." in (run.error or "")
        before = len(await scene.store.log.read(pattern="orders.Replaced"))
        orders = await scene.store.runs.orders(run.id)
        resumed = await scene.runs.resume(run.id)
        assert (resumed.status, resumed.error, resumed.started_ns) == (RunStatus.RUNNING, None, run.started_ns)
        replaced = await scene.until("orders.Replaced", before + 2)
        limits = [one.request.limit_price for one in replaced]
        assert limits == sorted(limits)  # it counts its bars on from where it was
        assert limits[before] > limits[before - 1]
        stopped = await scene.runs.stop(run.id)
        assert (stopped.status, stopped.bars > run.bars) == (RunStatus.STOPPED, True)
        after = await scene.store.runs.orders(run.id)
        assert [order.id for order in after[: len(orders)]] == [order.id for order in orders]
        # Nothing of the beginning is asked for again, and no name and no id is given twice.
        assert {order.request.limit_price for order in after[len(orders) :]} == {Decimal("0.5")}
        assert len({order.id for order in after}) == len(after)
        assert [order.status.is_final for order in after] == [True] * len(after)
        result = await scene.store.runs.result(run.id)
        assert result is not None
        assert result.open_positions[0].qty == 3
        assert result.equity_ns[0] == run.first_bar_ns
        assert list(result.equity_ns) == sorted(set(result.equity_ns))
        await assert_rows_are_the_broker_s(scene, run)
        told = [event.type for event in await scene.store.log.read(run_id=run.id, pattern="run.*")]
        assert told == ["run.Created", "run.Started", "run.Interrupted", "run.Resumed", "run.Stopped"]


async def test_its_bars_are_recorded_on_and_what_it_saw_stays(killed: Path) -> None:
    async with again(killed) as (scene, run):
        key = recorded(run.id, "DEMO/USD", "1m")
        seen = await scene.store.bars.read(key)
        await scene.runs.resume(run.id)
        await scene.until("run.Resumed")
        await scene.until("strategy.StateSaved", run.bars + 2)
        await scene.runs.stop(run.id)
        bars = await scene.store.bars.read(key)
        assert bars.close[: len(seen)].tolist() == seen.close.tolist()
        assert (bars.start_ns[1:] - bars.start_ns[:-1]).tolist() == [MINUTE_NS] * (len(bars) - 1)


async def test_exits_that_waited_leave_when_their_entry_fills(killed: Path) -> None:
    async with again(killed) as (scene, run):
        await scene.runs.resume(run.id)
        await scene.until("run.Resumed")
        low = next(order for order in await scene.store.runs.orders(run.id) if order.request.qty == 3)
        scene.broker.exchange.execute(low.broker_id or "", Decimal(3), Decimal(2))
        created = await scene.until("orders.Created", len(await scene.store.runs.orders(run.id)) + 1)
        (target,) = [one.order for one in created if one.order.parent_id == low.id]
        assert (target.request.qty, target.request.limit_price) == (Decimal(3), Decimal(9_000_000))
        await scene.runs.stop(run.id)
        await assert_rows_are_the_broker_s(scene, run)


@pytest.mark.parametrize("flatten", [False, True])
async def test_it_is_closed(killed: Path, *, flatten: bool) -> None:
    async with again(killed) as (scene, run):
        closed = await scene.runs.close_interrupted(run.id, flatten=flatten)
        assert closed.status is RunStatus.STOPPED
        assert closed.error == ("It was closed." if flatten else "It was closed. Still held: 3 DEMO/USD.")
        assert all(order.status.is_final for order in await scene.store.runs.orders(run.id))
        assert all(order.status.is_final for order in scene.broker.exchange.orders())
        assert [one.qty for one in scene.broker.exchange.positions()] == ([] if flatten else [Decimal(3)])
        await assert_rows_are_the_broker_s(scene, run)
        with pytest.raises(RunNotStoppable):
            await scene.runs.close_interrupted(run.id, flatten=False)
        with pytest.raises(RunNotStartable):
            await scene.runs.resume(run.id)


async def test_it_does_not_go_on_with_other_code(killed: Path) -> None:
    (killed / "keeper.py").write_text(KEEPER + "\n# changed\n")
    async with again(killed) as (scene, run):
        with pytest.raises(RunNotStartable, match="no longer the code"):
            await scene.runs.resume(run.id)
        assert (await scene.runs.get(run.id)).status is RunStatus.INTERRUPTED


async def test_it_is_started_once_where_two_want_to(killed: Path) -> None:
    async with again(killed) as (scene, run):
        await scene.runs.resume(run.id)
        with pytest.raises(RunNotStartable):
            await scene.runs.resume(run.id)
        await scene.runs.stop(run.id)


async def test_an_account_that_went_with_the_program_is_said_so(killed: Path) -> None:
    async with live(killed) as scene:
        (run,) = await scene.runs.recover()
        with pytest.raises(RunNotStartable, match="ended with the program"):
            await scene.runs.resume(run.id)
        closed = await scene.runs.close_interrupted(run.id, flatten=True)
        assert closed.status is RunStatus.STOPPED


async def test_a_backtest_never_goes_on(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy()
        run = await scene.over(await scene.start(minutes=2))
        with pytest.raises(RunNotStartable, match="is completed"):
            await scene.runs.resume(run.id)
        assert run.config.mode is RunMode.PAPER


async def test_the_end_of_a_run_that_the_store_refused_is_stored_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allow_log: AllowLog
) -> None:
    allow_log("stored")
    allow_log("was not reconciled")  # nor does it take what the desk finds out
    async with live(tmp_path) as scene:
        scene.strategy()
        run = await scene.start()
        await scene.until("orders.Filled")

        def refusing(_: FencedRuns) -> object:
            raise DiskFull("The disk is full.", "Free some space.")

        monkeypatch.setattr(FencedRuns, "begin", refusing)
        ended = await scene.runs.stop(run.id)
        assert ended.status is RunStatus.ERROR
        stored = await scene.store.runs.run(run.id)
        assert stored is not None
        assert stored.status is RunStatus.RUNNING
        assert (await scene.runs.get(run.id)).status is RunStatus.ERROR
        monkeypatch.undo()
        assert await scene.runs.recover() == []
        stored = await scene.store.runs.run(run.id)
        assert stored is not None
        assert (stored.status, stored.error) == (RunStatus.ERROR, ended.error)
        assert [event.type for event in await scene.store.log.read(run_id=run.id, pattern="run.Error")] == ["run.Error"]
