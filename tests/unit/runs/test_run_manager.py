"""Runs from creation to every possible end, on the memory store and on SQLite."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
import pytest

from core.brokers.sim import SimSource
from core.clock.realtime import SystemClock
from core.errors import DiskFull, InvalidValue, KnownError, NoBars, RunError, RunNotStartable, RunNotStoppable, StrategyBroken, UnknownName
from core.events.envelope import Envelope
from core.model.desk import LeaseKind
from core.model.instants import MINUTE_NS
from core.model.market import BarSeries, BarSetKey, Timeframe
from core.model.order import OrderStatus
from core.model.run import Run, RunConfig, RunStatus
from core.ports import Store
from core.runs.manager import RunManager
from core.store.database import DatabaseStore
from core.store.memory import MemoryStore
from core.store.unit_of_work import CollectedWork
from core.strategy.loader import StrategyLoader
from tests.strictness.log_guard import AllowLog
from tests.unit.runs.managed import managed, ran_to_its_end, store_of

KEY = BarSetKey(symbol="X/Y", timeframe="1m", source="test")


def wave(n: int) -> BarSeries:
    """Return a wave with a trend, on a grid of cents."""
    close = (100 + 5 * np.sin(np.arange(n) / 9) + np.arange(n) * 0.0001).round(2)
    starts = np.arange(n, dtype=np.int64) * MINUTE_NS
    return BarSeries.from_columns("X/Y", Timeframe.parse("1m"), starts, close, close + 0.5, close - 0.5, close, np.ones(n))


@dataclass
class Desk:
    """A run manager with its store, and the folder of its user's plug-ins."""

    manager: RunManager
    store: Store
    plugins: Path
    bugs: list[BaseException]

    def plugin(self, body: str, name: str = "trial") -> str:
        """Write a plug-in whose methods are `body`; return its id."""
        lines = "\n".join("    " + line for line in body.strip("\n").splitlines())
        base = "Strategy" if "def on_tick" in body or "def initialize" in body else "BarStrategy"
        names = "Bar, BarStrategy, FetchWindow, Strategy, StopRun, buy, param, sell, sma"
        source = f'from core.strategy.api import {names}\n\n\nclass Trial({base}):\n    """A trial."""\n\n    id = "{name}"\n\n{lines}\n'
        (self.plugins / f"{name}.py").write_text(source)
        return name

    def config(self, strategy: str = "sma-cross", **changes: object) -> RunConfig:
        """Return a config over the stored bars."""
        return RunConfig(strategy_id=strategy, symbols=("X/Y",), timeframe="1m", **changes)  # type: ignore[arg-type]

    async def ran(self, strategy: str = "sma-cross", **changes: object) -> Run:
        """Run to the end and return the run as stored."""
        over = await ran_to_its_end(self.manager, self.config(strategy, **changes))
        stored = await self.store.runs.run(over.id)
        assert stored == over
        return over

    async def events(self, run: Run) -> list[Envelope]:
        """Return all stored events of a run."""
        return await self.store.log.read(run_id=run.id, limit=1_000_000)


@pytest.fixture(params=["memory", "sqlite"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Desk]:
    store = store_of(request.param, tmp_path)
    plugins = tmp_path / "strategies"
    plugins.mkdir()
    async with managed(store, plugins, callback_limit_s=1.0) as (manager, bugs):
        await store.bars.merge(KEY, wave(5_000))
        yield Desk(manager, store, plugins, bugs)
        await manager.close()
        assert store.log.subscriptions() == ()


async def test_a_run_completes_with_everything_committed_before_its_last_event(desk: Desk) -> None:
    run = await desk.ran()
    assert (run.status, run.bars, run.bars_total, run.error) == (RunStatus.COMPLETED, 5_000, 5_000, None)
    events = await desk.events(run)
    assert [event.type for event in events][:2] == ["run.Created", "run.Started"]
    assert events[-1].type == "run.Completed"
    fills, orders = await desk.store.runs.fills(run.id), await desk.store.runs.orders(run.id)
    assert len(fills) == sum(event.type == "orders.Filled" for event in events) > 50
    assert {order.id for order in orders} == {event.payload.order_id for event in events if event.type == "strategy.PlaceRequest"}  # type: ignore[attr-defined]
    result = await desk.store.runs.result(run.id)
    assert result is not None
    assert len(result.equity) == 5_001
    assert [line.name for line in result.plots] == ["sma 10", "sma 30"]
    assert result.stats["end_equity"] == pytest.approx(float(result.equity[-1]))
    assert run.manifest is not None
    assert len(run.manifest.bars_sha256) == 64


async def test_who_hears_that_a_run_is_over_finds_it_over(desk: Desk) -> None:
    run = await desk.manager.create(desk.config())
    heard = asyncio.Event()
    with desk.store.log.subscribe("run.Completed", lambda _event: heard.set(), owner="test"):
        await desk.manager.start(run.id)
        await heard.wait()
        assert (await desk.manager.get(run.id)).status is RunStatus.COMPLETED
        assert [item.status for item in await desk.manager.all()] == [RunStatus.COMPLETED]
    await desk.manager.wait(run.id)


async def test_the_same_run_twice_gives_the_same_fills_and_the_same_manifest(desk: Desk) -> None:
    first = await desk.ran(fees="bps:10", slippage="bps:5")
    await desk.manager.again(first.id)
    second = next(run for run in await desk.manager.all() if run.id != first.id)
    second = await desk.manager.wait(second.id)
    one, two = [[(f.time_ns, f.side, f.qty, f.price, f.fee) for f in await desk.store.runs.fills(run.id)] for run in (first, second)]
    assert one
    assert one == two
    assert first.manifest == second.manifest


async def test_a_run_can_be_stopped_and_keeps_what_it_did(desk: Desk) -> None:
    strategy = desk.plugin("def on_bar(self, bar):\n    sum(range(20000))\n    self.buy('0.001')\n    self.buy(1, limit=1)")
    run = await desk.manager.create(desk.config(strategy))
    started = asyncio.Event()
    with desk.store.log.subscribe("run.Progressed", lambda _event: started.set(), owner="test", run_id=run.id):
        await desk.manager.start(run.id)
        await started.wait()
    over = await desk.manager.stop(run.id)
    assert over.status is RunStatus.STOPPED
    assert 0 < over.bars < 5_000
    assert (await desk.events(run))[-1].type == "run.Stopped"
    assert all(order.status.is_final for order in await desk.store.runs.orders(run.id))
    assert await desk.store.runs.result(run.id) is not None
    with pytest.raises(RunNotStoppable, match="stopped"):
        await desk.manager.stop(run.id)


async def test_several_runs_go_on_at_once_and_one_that_fails_does_not_touch_the_others(desk: Desk) -> None:
    bad = desk.plugin("def on_bar(self, bar):\n    raise RuntimeError('no')")
    runs = [await desk.manager.create(desk.config(name)) for name in ("sma-cross", bad, "mean-reversion")]
    for run in runs:
        await desk.manager.start(run.id)
    over = [await desk.manager.wait(run.id) for run in runs]
    assert [run.status for run in over] == [RunStatus.COMPLETED, RunStatus.ERROR, RunStatus.COMPLETED]


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        ("def on_bar(self, bar):\n    1 / 0", "strategy_failed", "on_bar raised ZeroDivisionError (line 10 of trial.py)"),
        ("def setup(self):\n    1 / 0", "strategy_failed", "initialize raised ZeroDivisionError"),
        ("def __init__(self):\n    1 / 0", "strategy_failed", "__init__ raised ZeroDivisionError"),
        ("def initialize(self, config):\n    1 / 0", "strategy_failed", "initialize raised"),
        ("def on_tick(self, tick):\n    1 / 0", "strategy_failed", "on_tick raised"),
        (
            "def on_tick(self, tick):\n    return FetchWindow('X/Y', 1)\ndef on_data(self, window):\n    1 / 0",
            "strategy_failed",
            "on_data raised",
        ),
        ("def on_tick(self, tick):\n    return 'buy'", "nonsense_action", "returned str 'buy'"),
        (
            "def on_tick(self, tick):\n    return FetchWindow('X/Y', 99999)",
            "nonsense_action",
            "99,999 bars of X/Y, but the run has only 5,000",
        ),
        ("def on_bar(self, bar):\n    self.buy(-1)", "nonsense_action", "qty cannot be -1"),
        ("def setup(self):\n    self.indicator(sma, self.close, 0)", "nonsense_action", "period cannot be 0"),
        ("def setup(self):\n    self.indicator(lambda close: close[1:], self.close)", "strategy_failed", "shape (4999,) for 5000 bars"),
        ("def on_bar(self, bar):\n    while True: pass", "strategy_too_slow", "longer than 1 s"),
        ("def setup(self):\n    while True: pass", "strategy_too_slow", "longer than 1 s"),
        ("def on_bar(self, bar):\n    raise SystemExit(3)", "strategy_failed", "SystemExit"),
    ],
)
async def test_a_strategy_that_misbehaves_ends_its_run_with_a_sentence(desk: Desk, body: str, code: str, sentence: str) -> None:
    run = await desk.ran(desk.plugin(body))
    assert (run.status, run.error_code) == (RunStatus.ERROR, code)
    assert sentence in (run.error or "")
    assert (await desk.events(run))[-1].type == "run.Error"
    assert (await desk.ran()).status is RunStatus.COMPLETED, "the desk is as good as before"


async def test_a_plugin_that_never_comes_back_from_its_import_is_ended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.runs.backtest.IMPORT_LIMIT_S", 0.3)
    run = await desk.ran(desk.plugin("while True:\n    pass\ndef on_bar(self, bar):\n    pass"))
    assert (run.status, run.error_code) == (RunStatus.ERROR, "strategy_too_slow")


async def test_the_manifest_names_the_source_that_ran(desk: Desk) -> None:
    name = desk.plugin("def on_bar(self, bar):\n    pass")
    run = await desk.manager.create(desk.config(name))
    desk.plugin("def on_bar(self, bar):\n    self.stop_run('changed')")
    await desk.manager.start(run.id)
    over = await desk.manager.wait(run.id)
    assert over.error == "changed"
    assert over.manifest is not None
    assert over.manifest.strategy_sha256 == sha256((desk.plugins / "trial.py").read_bytes()).hexdigest()


async def test_a_strategy_can_stop_its_run_with_a_reason(desk: Desk) -> None:
    run = await desk.ran(desk.plugin("def on_bar(self, bar):\n    self.stop_run('seen enough')"))
    assert (run.status, run.error, run.bars) == (RunStatus.STOPPED, "seen enough", 1)


async def test_illegal_moves_raise(desk: Desk) -> None:
    run = await desk.ran()
    with pytest.raises(RunNotStartable, match="completed"):
        await desk.manager.start(run.id)
    with pytest.raises(RunNotStoppable, match="completed"):
        await desk.manager.stop(run.id)
    pending = await desk.manager.create(desk.config())
    with pytest.raises(RunNotStoppable, match="pending"):
        await desk.manager.stop(pending.id)


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"strategy_id": "sma-crss"}, UnknownName, "Did you mean sma-cross"),
        ({"symbols": ("X/Z",)}, UnknownName, "Did you mean X/Y"),
        ({"symbols": ("X/Y", "A/B")}, InvalidValue, "trades 1"),
        ({"timeframe": "2m"}, UnknownName, "Did you mean 1m"),
        ({"timeframe": "soon"}, InvalidValue, "write it like"),
        ({"params": {"fst": 3}}, UnknownName, "Did you mean fast"),
        ({"params": {"fast": 0}}, InvalidValue, "at least 1"),
        ({"params": {"fast": "x"}}, InvalidValue, "not a number"),
        ({"cash": Decimal(0)}, InvalidValue, "above zero"),
        ({"cash": Decimal(-5)}, InvalidValue, "above zero"),
        ({"start_ns": 10, "end_ns": 10}, InvalidValue, "after the start"),
        ({"start_ns": 10**18}, NoBars, "Stored: 1970-01-01"),
        ({"end_ns": 0}, NoBars, "Stored: 1970-01-01"),
        ({"fees": "bps:x"}, InvalidValue, "not a number"),
        ({"fees": "flat"}, UnknownName, "bps"),
        ({"slippage": "bps:-1"}, InvalidValue, "below zero"),
        ({"source": "tset"}, UnknownName, "Did you mean test"),
    ],
)
async def test_a_wrong_config_changes_nothing(desk: Desk, changes: dict[str, object], error: type[KnownError], sentence: str) -> None:
    base: dict[str, object] = {"strategy_id": "sma-cross", "symbols": ("X/Y",), "timeframe": "1m"}
    with pytest.raises(error, match=sentence):
        await desk.manager.create(RunConfig(**(base | changes)))  # type: ignore[arg-type]
    assert await desk.manager.all() == []


async def test_a_broken_plugin_is_named_and_cannot_run(desk: Desk) -> None:
    (desk.plugins / "broken.py").write_text("class Broken(:\n")
    with pytest.raises(StrategyBroken, match="line 1"):
        await desk.manager.create(desk.config("broken"))


async def test_recovery_marks_only_runs_whose_process_is_gone(desk: Desk) -> None:
    run = await desk.manager.create(desk.config())
    placed = await desk.ran(desk.plugin("def on_bar(self, bar):\n    self.buy(1, limit=1)\n    self.stop_run('x')"))
    (order,) = await desk.store.runs.orders(placed.id)
    gone = run.moved_to(RunStatus.RUNNING, owner="somebody-gone")
    mine = (await desk.manager.create(desk.config())).moved_to(RunStatus.RUNNING, owner=desk.store.owner)
    working = msgspec.structs.replace(order, id="left", run_id=run.id, status=OrderStatus.ACCEPTED)
    async with desk.store.runs.begin() as work:
        work.put_run(gone)
        work.put_run(mine)
        work.put_orders([working])
    found = await desk.manager.recover()
    assert [item.id for item in found] == [run.id]
    after = await desk.manager.get(run.id)
    assert (after.status, after.error_code) == (RunStatus.INTERRUPTED, "interrupted")
    assert [item.status for item in await desk.store.runs.orders(run.id)] == [OrderStatus.CANCELLED]
    assert (await desk.manager.get(mine.id)).status is RunStatus.RUNNING
    again = await desk.manager.again(run.id)
    assert (await desk.manager.wait(again.id)).status is RunStatus.COMPLETED


async def test_deleting_a_run_removes_all_of_it(desk: Desk) -> None:
    run = await desk.ran()
    await desk.manager.delete(run.id[:6])
    assert await desk.manager.all() == []
    assert await desk.store.runs.fills(run.id) == []
    with pytest.raises(UnknownName):
        await desk.manager.get(run.id)


async def test_a_running_run_cannot_be_removed(desk: Desk) -> None:
    strategy = desk.plugin("def on_bar(self, bar):\n    sum(range(20000))")
    run = await desk.manager.create(desk.config(strategy))
    await desk.manager.start(run.id)
    with pytest.raises(RunError, match="running"):
        await desk.manager.delete(run.id)
    await desk.manager.stop_all()


async def test_a_traced_run_keeps_ticks_and_windows_and_the_chain_is_whole(desk: Desk) -> None:
    run = await desk.ran(trace=True, end_ns=400 * MINUTE_NS)
    events = await desk.events(run)
    by_id = {event.id: event for event in events}
    event: Envelope | None = next(item for item in events if item.type == "orders.Filled")
    chain = []
    while event is not None:
        chain.append(event.type)
        event = by_id.get(event.causation_id or "")
    assert chain == [
        "orders.Filled", "orders.Accepted", "orders.Created", "backtest.PlaceOrder", "strategy.PlaceRequest",
        "data.WindowReady", "backtest.FetchWindow", "strategy.FetchWindow", "clock.Tick",
    ]  # fmt: skip
    plain = await desk.ran(end_ns=400 * MINUTE_NS)
    one, two = [[(f.time_ns, f.price) for f in await desk.store.runs.fills(item.id)] for item in (run, plain)]
    assert one == two


async def test_two_sets_of_one_symbol_must_be_told_apart(desk: Desk) -> None:
    await desk.store.bars.merge(BarSetKey(symbol="X/Y", timeframe="1m", source="other"), wave(100))
    with pytest.raises(InvalidValue, match=r"stored more than once: other .raw., test .raw."):
        await desk.manager.create(desk.config())
    assert (await desk.ran(source="other")).bars == 100


class Disk:
    """Stands between a store and its units of work: full or not."""

    def __init__(self, store: MemoryStore | DatabaseStore) -> None:
        self.is_full = False
        runs, begin = store.runs, store.runs.begin

        def checked() -> AbstractAsyncContextManager[CollectedWork]:
            if self.is_full:
                raise DiskFull("The disk is full.", "Make room and run it again.")
            return begin()

        runs.begin = checked  # type: ignore[method-assign]


def manager_of(store: Store) -> RunManager:
    """A manager over a store that the test made."""
    return RunManager(
        brokers=SimSource(0), store=store, strategies=StrategyLoader([]), clock=SystemClock(), callback_limit_s=1, on_bug=lambda e, _: None
    )


async def ended_on_a_full_disk(store: Store, manager: RunManager, disk: Disk) -> Run:
    """A run whose end the store refused, as its manager knows it."""
    await store.bars.merge(KEY, wave(5_000))
    run = await manager.create(RunConfig(strategy_id="sma-cross", symbols=("X/Y",), timeframe="1m", params={"fast": 3, "slow": 8}))

    def fill_the_disk(event: Envelope) -> None:
        disk.is_full = True

    with store.log.subscribe("run.Started", fill_the_disk, owner="test"):
        await manager.start(run.id)
        return await manager.wait(run.id)


async def test_a_run_whose_end_cannot_be_stored_ends_all_the_same_and_says_so(allow_log: AllowLog) -> None:
    allow_log("could not be stored")
    store = MemoryStore(SystemClock())
    disk, manager = Disk(store), manager_of(store)
    told: list[str] = []
    with store.log.subscribe("run.Error", lambda event: told.append(event.type), owner="test"):
        over = await ended_on_a_full_disk(store, manager, disk)
    assert (over.status, over.error_code, over.error) == (RunStatus.ERROR, "disk_full", "The disk is full. Make room and run it again.")
    assert told == ["run.Error"]
    assert [item.status for item in await manager.all()] == [RunStatus.ERROR]
    await manager.close()


async def test_the_end_of_a_run_is_stored_when_the_store_takes_it_again(allow_log: AllowLog) -> None:
    allow_log("could not be stored")
    store = MemoryStore(SystemClock())
    disk, manager = Disk(store), manager_of(store)
    over = await ended_on_a_full_disk(store, manager, disk)
    stored = await store.runs.run(over.id)
    assert stored is not None
    assert stored.status is RunStatus.RUNNING
    assert [lease.name for lease in await store.leases.held(LeaseKind.RUN)] == [over.id]
    is_stored = asyncio.Event()
    with store.log.subscribe("run.Error", lambda event: is_stored.set(), owner="test"):
        disk.is_full = False
        await is_stored.wait()
    assert await store.runs.run(over.id) == over
    assert [order for order in await store.runs.orders(over.id) if not order.status.is_final] == []
    await manager.close()
    assert await store.leases.held(LeaseKind.RUN) == []
    assert (await store.log.read_back(limit=1))[0].type == "run.Error"


async def test_the_end_of_a_run_is_stored_at_the_latest_when_the_program_ends(allow_log: AllowLog) -> None:
    allow_log("could not be stored")
    store = MemoryStore(SystemClock())
    disk, manager = Disk(store), manager_of(store)
    over = await ended_on_a_full_disk(store, manager, disk)
    disk.is_full = False
    await manager.close()
    assert await store.runs.run(over.id) == over


async def test_the_next_start_settles_a_run_whose_end_was_never_stored(tmp_path: Path, allow_log: AllowLog) -> None:
    allow_log("could not be stored")
    store = DatabaseStore(tmp_path / "desk.db", SystemClock())
    await store.open()
    disk, manager = Disk(store), manager_of(store)
    over = await ended_on_a_full_disk(store, manager, disk)
    await manager.close()
    await store.close()
    again = DatabaseStore(tmp_path / "desk.db", SystemClock())
    await again.open()
    next_manager = manager_of(again)
    assert [(run.id, run.status) for run in await next_manager.recover()] == [(over.id, RunStatus.INTERRUPTED)]
    await next_manager.close()
    await again.close()
