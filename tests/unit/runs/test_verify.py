"""Runs are repeated from their manifest and compared; what is no longer the same is named."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from core.errors import InputError, RunError
from core.model.corporate_action import CorporateAction, Dividend
from core.model.instants import MINUTE_NS
from core.model.market import BarSeries, BarSetKey, Timeframe
from core.model.order import Fill
from core.model.run import Run, RunConfig, RunStatus
from core.ports import Store
from core.runs.comparing import compare_runs
from core.runs.manager import RunManager
from core.runs.verify import verify_run
from tests.unit.runs.managed import managed, ran_to_its_end, store_of

KEY = BarSetKey(symbol="X/Y", timeframe="1m", source="test")

SOURCE = '''
from core.strategy.api import BarStrategy, param, sma


class Trial(BarStrategy):
    """A trial."""

    id = "trial"
    qty: float = param(1.0, minimum=0.001, help="Units.")

    def setup(self):
        self.line = self.indicator(sma, self.close, 20)

    def on_bar(self, bar):
        if bar.close < self.line.value and not self.held() and self.random.random() < 0.5:
            self.buy(self.qty, target=round(bar.close + 1, 2), stop_loss=round(bar.close - 1, 2))
        elif len(self.account.working()) > 5:
            self.cancel(self.account.working()[0])
'''


def wave(n: int) -> BarSeries:
    close = (100 + 5 * np.sin(np.arange(n) / 9) + np.random.default_rng(3).normal(0, 0.3, n)).round(2)
    starts = np.arange(n, dtype=np.int64) * MINUTE_NS
    return BarSeries.from_columns("X/Y", Timeframe.parse("1m"), starts, close, close + 0.5, close - 0.5, close, np.ones(n))


@dataclass
class Desk:
    manager: RunManager
    store: Store
    plugins: Path

    def write(self, source: str) -> None:
        (self.plugins / "trial.py").write_text(source)

    async def ran(self, source: str = SOURCE, strategy: str = "trial", **changes: object) -> Run:
        if strategy == "trial":
            self.write(source)
        config = RunConfig(strategy_id=strategy, symbols=("X/Y",), timeframe="1m", **changes)  # type: ignore[arg-type]
        return await ran_to_its_end(self.manager, config)


@pytest.fixture(params=["memory", "sqlite"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Desk]:
    store = store_of(request.param, tmp_path)
    async with managed(store, tmp_path) as (manager, _):
        await store.bars.merge(KEY, wave(3_000))
        yield Desk(manager, store, tmp_path)


COSTS: Mapping[str, Any] = {"fees": "bps:10", "slippage": "bps:5", "seed": 7, "close_at_end": True}


async def test_a_run_is_the_same_when_it_is_repeated(desk: Desk) -> None:
    run = await desk.ran(**COSTS)
    before = await desk.store.log.read(limit=1_000_000)
    found = await verify_run(run.id, runs=desk.manager, store=desk.store)
    assert (found.is_same, found.causes, found.differences, found.is_whole) == (True, (), (), True)
    assert found.fills > 50
    assert found.orders > found.fills
    assert await desk.store.log.read(limit=1_000_000) == before
    assert [item.id for item in await desk.manager.all()] == [run.id]


async def test_a_changed_strategy_is_named_and_not_run(desk: Desk) -> None:
    run = await desk.ran()
    desk.write(SOURCE.replace("0.5", "0.4"))
    found = await verify_run(run.id, runs=desk.manager, store=desk.store)
    assert (found.was_repeated, found.is_same, found.differences) == (False, False, ())
    assert [cause.what for cause in found.causes] == ["strategy"]
    assert found.causes[0].sentence.startswith("The strategy's file has changed since")
    (desk.plugins / "trial.py").unlink()
    found = await verify_run(run.id, runs=desk.manager, store=desk.store)
    assert [cause.what for cause in found.causes] == ["strategy"]
    assert not found.is_same


async def test_changed_bars_are_named(desk: Desk) -> None:
    run = await desk.ran()
    bars = wave(3_000)
    await desk.store.bars.merge(KEY, changed_bar(bars, 1_500))
    found = await verify_run(run.id, runs=desk.manager, store=desk.store)
    assert [cause.what for cause in found.causes] == ["bars"]
    assert not found.is_same
    await desk.store.bars.delete(KEY)
    found = await verify_run(run.id, runs=desk.manager, store=desk.store)
    assert [(cause.what, cause.now) for cause in found.causes] == [("bars", "not there")]


def changed_bar(bars: BarSeries, at: int) -> BarSeries:
    """Return one bar of `bars`, its volume changed."""
    one = bars.slice(at, at + 1)
    return BarSeries.from_columns("X/Y", one.timeframe, one.start_ns, one.open, one.high, one.low, one.close, one.volume + 1)


async def test_changed_splits_and_dividends_are_named(desk: Desk) -> None:
    run = await desk.ran()
    actions: list[CorporateAction] = [Dividend(symbol="X/Y", day=1, amount=Decimal("0.5"))]
    await desk.store.actions.put(actions)
    found = await verify_run(run.id, runs=desk.manager, store=desk.store)
    assert [cause.what for cause in found.causes] == ["actions"]


async def test_a_run_of_an_older_version_is_repeated_and_that_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr("core.runs.backtest.ENGINE_VERSION", "0.0.9")
        run = await desk.ran()
    found = await verify_run(run.id, runs=desk.manager, store=desk.store)
    assert [(cause.what, cause.then) for cause in found.causes] == [("engine", "0.0.9")]
    assert found.is_same


async def test_other_results_are_named_one_by_one(desk: Desk) -> None:
    run = await desk.ran(**COSTS)
    fills = await desk.store.runs.fills(run.id)
    result = await desk.store.runs.result(run.id)
    assert result is not None
    copied = await forged(desk, run, status=RunStatus.COMPLETED)
    async with desk.store.runs.begin() as work:
        work.add_fills(
            [msgspec.structs.replace(fill, price=fill.price + (number == 3)) for number, fill in enumerate(renamed(fills[:-1], copied))]
        )
    found = await verify_run(copied.id, runs=desk.manager, store=desk.store)
    assert not found.is_same
    kinds = [item.what for item in found.differences]
    assert "fills" in kinds
    assert any("price" in item.sentence and item.sentence.startswith("Fill 4, of X/Y") for item in found.differences)
    assert "orders" in kinds
    assert "result" in kinds


async def forged(desk: Desk, run: Run, *, status: RunStatus, error: str | None = None) -> Run:
    """Store a run like `run` that ended otherwise, without what it left."""
    copied = msgspec.structs.replace(run, id="f" * 12, status=status, error=error)
    async with desk.store.runs.begin() as work:
        work.put_run(copied)
    return copied


def renamed(fills: Sequence[Fill], run: Run) -> list[Fill]:
    """Return fills of another run as those of `run`."""
    return [
        msgspec.structs.replace(
            fill, id=fill.id.replace(fill.run_id, run.id), order_id=fill.order_id.replace(fill.run_id, run.id), run_id=run.id
        )
        for fill in fills
    ]


@pytest.mark.parametrize(("status", "error"), [(RunStatus.INTERRUPTED, "The program ended."), (RunStatus.STOPPED, "It was stopped.")])
async def test_the_fills_of_a_run_cut_short_are_the_first_ones(desk: Desk, status: RunStatus, error: str) -> None:
    run = await desk.ran(**COSTS)
    fills = await desk.store.runs.fills(run.id)
    copied = await forged(desk, run, status=status, error=error)
    async with desk.store.runs.begin() as work:
        work.add_fills(renamed(fills[:20], copied))
    found = await verify_run(copied.id, runs=desk.manager, store=desk.store)
    assert (found.is_same, found.is_whole, found.fills, found.differences) == (True, False, 20, ())


@pytest.mark.parametrize("line", ["raise ValueError('enough')", "self.stop_run('Enough.')"])
async def test_a_run_that_ended_itself_or_failed_is_the_same_again(desk: Desk, line: str) -> None:
    source = SOURCE.replace(
        "        if bar.close <", f"        if bar.start_ns == 2_000 * {MINUTE_NS}:\n            {line}\n        if bar.close <"
    )
    run = await desk.ran(source)
    assert run.status in {RunStatus.ERROR, RunStatus.STOPPED}
    found = await verify_run(run.id, runs=desk.manager, store=desk.store)
    assert (found.is_same, found.is_whole, found.differences) == (True, True, ())
    assert found.fills > 10


async def test_a_run_that_looked_ahead_fails_the_same_way_again(desk: Desk) -> None:
    run = await desk.ran(SOURCE.replace("sma, self.close, 20", "lambda close: close[::-1].copy(), self.close"))
    assert run.error_code == "look_ahead"
    assert (await verify_run(run.id, runs=desk.manager, store=desk.store)).is_same


async def test_what_cannot_be_verified_is_refused(desk: Desk) -> None:
    pending = await desk.manager.create(RunConfig(strategy_id="sma-cross", symbols=("X/Y",), timeframe="1m"))
    with pytest.raises(RunError, match="is pending"):
        await verify_run(pending.id, runs=desk.manager, store=desk.store)
    failed = await desk.ran(SOURCE.replace("    def setup(self):", "    def setup(self):\n        raise ValueError"))
    with pytest.raises(RunError, match="ended before it began"):
        await verify_run(failed.id, runs=desk.manager, store=desk.store)


async def test_runs_are_compared_side_by_side(desk: Desk) -> None:
    runs = [
        await desk.ran(strategy="sma-cross", params={"fast": fast}, fees=fees) for fast, fees in ((5, "none"), (5, "bps:10"), (6, "none"))
    ]
    found = await compare_runs([run.id for run in runs], runs=desk.manager, store=desk.store)
    assert {side.name: side.values for side in found.settings} == {
        "param fast": ("5", "5", "6"),
        "fees": ("none", "bps:10", "none"),
    }
    stats = {side.name: side.values for side in found.statistics}
    assert stats["start_equity"] == (100_000.0,) * 3
    assert len(set(stats["end_equity"])) == 3
    assert found.same_fills == 0
    assert len(found.fill_differences) == 5
    assert found.fill_differences[0].number == 1
    same = await compare_runs(
        [runs[0].id, (await desk.manager.wait((await desk.manager.again(runs[0].id)).id)).id], runs=desk.manager, store=desk.store
    )
    assert (same.settings, same.fill_differences, same.same_fills) == ((), (), same.fills[0])
    with pytest.raises(InputError, match="nothing to be compared"):
        await compare_runs([runs[0].id], runs=desk.manager, store=desk.store)
    with pytest.raises(InputError, match="named twice"):
        await compare_runs([runs[0].id, runs[0].id[:8]], runs=desk.manager, store=desk.store)
