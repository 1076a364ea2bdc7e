"""What a strategy declares reaches its run: plots, larger timeframes, warm-up, own costs, an edited file."""

from collections.abc import AsyncGenerator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from core.brokers.sim import SimSource
from core.clock.realtime import SystemClock
from core.model.instants import HOUR_NS, MINUTE_NS
from core.model.market import BarSeries, BarSetKey, Timeframe
from core.model.run import Run, RunConfig, RunStatus
from core.runs.manager import RunManager
from core.store.memory import MemoryStore
from core.strategy.loader import StrategyLoader

SOURCE = '''
from core.strategy.api import Bar, BarStrategy, Decimal, param, sma


class Ticket:
    def fee(self, part):
        return Decimal(7)


class Declares(BarStrategy):
    """Declares all there is."""

    id = "declares"
    fee_model = Ticket()
    bars: int = param(5)

    def warmup_bars(self) -> int:
        return self.bars

    def setup(self) -> None:
        self.hourly = self.indicator(sma, self.column("close", timeframe="1h"), 2)
        self.hidden = self.indicator(sma, self.close, 2, pane="")
        self.line = self.plot("doubled", pane="double")
        self.first = True

    def save_state(self):
        return {"bars": self.bars, "bought": not self.first}

    def on_bar(self, bar: Bar) -> None:
        self.line.set(2 * bar.close)
        if self.first:
            self.buy(1, note=f"first called at {bar.start_ns // 60_000_000_000}")
            self.first = False
'''


def bars() -> BarSeries:
    close = np.round(100 + np.sin(np.arange(300) / 9), 2)
    starts = np.arange(300, dtype=np.int64) * MINUTE_NS
    return BarSeries.from_columns("X/Y", Timeframe.parse("1m"), starts, close, close + 0.5, close - 0.5, close, np.ones(300))


class Desk:
    def __init__(self, folder: Path) -> None:
        self.clock = SystemClock()
        self.store = MemoryStore(self.clock)
        self.file = folder / "declares.py"
        self.file.write_text(SOURCE, encoding="utf-8")
        self.manager = RunManager(
            brokers=SimSource(0),
            store=self.store,
            strategies=StrategyLoader([folder]),
            clock=self.clock,
            callback_limit_s=5.0,
            on_bug=lambda error, _where: None,
        )

    async def ran(self, start_ns: int | None = None) -> Run:
        run = await self.manager.create(RunConfig(strategy_id="declares", symbols=("X/Y",), timeframe="1m", start_ns=start_ns))
        await self.manager.start(run.id)
        over = await self.manager.wait(run.id)
        assert (over.status, over.error) == (RunStatus.COMPLETED, None)
        return over


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncGenerator[Desk]:
    made = Desk(tmp_path)
    await made.store.open()
    await made.store.bars.merge(BarSetKey(symbol="X/Y", timeframe="1m", source="test"), bars())
    yield made
    await made.manager.close()
    await made.store.close()


async def test_lines_are_kept_with_the_run_on_the_bars_of_their_timeframe(desk: Desk) -> None:
    result = await desk.store.runs.result((await desk.ran()).id)
    assert result is not None
    hourly, doubled = result.plots
    assert (hourly.name, hourly.pane) == ("sma 2 1h", "price")
    assert hourly.start_ns.tolist() == [hour * HOUR_NS for hour in range(len(hourly.values))]
    assert len(hourly.values) == 5
    assert (doubled.name, doubled.pane, len(doubled.values)) == ("doubled", "double", 300)
    np.testing.assert_array_equal(doubled.values, np.concatenate(([np.nan] * 4, 2 * bars().close[4:])))


@pytest.mark.parametrize(("start", "first"), [(None, 4), (100, 100), (2, 4)])
async def test_the_warm_up_takes_stored_bars_before_the_start(desk: Desk, start: int | None, first: int) -> None:
    run = await desk.ran(None if start is None else start * MINUTE_NS)
    (order,) = await desk.store.runs.orders(run.id)
    assert order.request.note == f"first called at {first}"
    (fill,) = await desk.store.runs.fills(run.id)
    assert fill.time_ns == (first + 1) * MINUTE_NS


async def test_the_state_it_wants_kept_is_kept_with_the_result(desk: Desk) -> None:
    result = await desk.store.runs.result((await desk.ran()).id)
    assert result is not None
    assert result.state == {"bars": 5, "bought": True}


async def test_own_fees_are_charged(desk: Desk) -> None:
    (fill,) = await desk.store.runs.fills((await desk.ran()).id)
    assert fill.fee == Decimal(7)


async def test_an_edited_file_is_what_the_next_run_runs_and_names(desk: Desk) -> None:
    first = await desk.ran()
    desk.file.write_text(SOURCE.replace("self.buy(1,", "self.buy(2,"), encoding="utf-8")
    second = await desk.ran()
    quantities = [fill.qty for run in (first, second) for fill in await desk.store.runs.fills(run.id)]
    assert quantities == [1, 2]
    hashes = [run.manifest.strategy_sha256 for run in (first, second) if run.manifest is not None]
    assert hashes[0] != hashes[1] == sha256(desk.file.read_bytes()).hexdigest()
