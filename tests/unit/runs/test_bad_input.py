"""Whole runs that are asked for what cannot be, or whose strategy does not come back."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from core.clock.realtime import SystemClock
from core.model.corporate_action import CorporateAction, Dividend, Split
from core.model.instants import DAY_NS
from core.model.market import Adjustment, BarSeries, BarSetKey, Timeframe
from core.model.run import Run, RunConfig, RunStatus
from core.runs.manager import RunManager
from core.runs.reporting import report_of
from core.store.memory import MemoryStore
from tests.unit.runs.managed import managed, ran_to_its_end

FIRST_DAY = 19_723
"""2024-01-01; the split is on the 17th, a Wednesday."""
SPLIT_DAY = FIRST_DAY + 16


def days(prices: list[float]) -> BarSeries:
    """Return bars of 2024's first weekdays."""
    weekdays = [day for day in range(FIRST_DAY + 1, FIRST_DAY + 60) if (day + 3) % 7 < 5 and day not in {FIRST_DAY + 14, FIRST_DAY + 49}]
    starts = np.asarray(weekdays[: len(prices)], np.int64) * DAY_NS
    close = np.asarray(prices, np.float64)
    return BarSeries.from_columns("SPY", Timeframe.parse("1d"), starts, close, close * 1.01, close * 0.99, close, np.full(len(close), 1e6))


@dataclass
class Desk:
    """A run manager over a store in memory, and the folder of its plug-ins."""

    manager: RunManager
    store: MemoryStore
    plugins: Path

    async def ran(self, body: str, **changes: object) -> Run:
        """Run a strategy of these methods over SPY to its end."""
        lines = "\n".join("    " + line for line in body.splitlines())
        base = "Strategy" if "def on_tick" in body else "BarStrategy"
        source = (
            f"from core.strategy.api import BarStrategy, FetchWindow, Strategy\n\n\nclass Trial({base}):\n    id = 'trial'\n\n{lines}\n"
        )
        (self.plugins / "trial.py").write_text(source)
        config = RunConfig(strategy_id="trial", symbols=("SPY",), timeframe="1d", **changes)  # type: ignore[arg-type]
        return await ran_to_its_end(self.manager, config)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncGenerator[Desk]:
    store = MemoryStore(SystemClock())
    async with managed(store, tmp_path, callback_limit_s=1.0) as (manager, _):
        yield Desk(manager, store, tmp_path)


BUYS = "def on_bar(self, bar):\n    if not self.held():\n        self.buy(10)"
SPLIT = Split(symbol="SPY", day=SPLIT_DAY, ratio=Decimal(2))
PAID = Dividend(symbol="SPY", day=SPLIT_DAY, amount=Decimal("0.5"))


@pytest.mark.parametrize("action", [SPLIT, PAID], ids=["split", "dividend"])
@pytest.mark.parametrize("adjustment", [Adjustment.SPLIT, Adjustment.ALL])
async def test_what_adjusted_prices_hold_already_does_not_count_twice(desk: Desk, action: CorporateAction, adjustment: Adjustment) -> None:
    await desk.store.bars.merge(BarSetKey(symbol="SPY", timeframe="1d", source="test", adjustment=adjustment), days([50.0] * 30))
    await desk.store.actions.put([action])
    run = await desk.ran(BUYS)
    assert (run.status, run.error_code) == (RunStatus.ERROR, "adjusted_bars")
    assert f"The bars of SPY are adjusted ({adjustment})" in (run.error or "")
    assert "Use raw bars, or leave the stored ones out" in (run.error or "")
    without = await desk.ran(BUYS, corporate_actions=False)
    assert without.status is RunStatus.COMPLETED


async def test_raw_prices_and_their_split_go_together(desk: Desk) -> None:
    await desk.store.bars.merge(BarSetKey(symbol="SPY", timeframe="1d", source="test"), days([100.0] * 10 + [50.0] * 20))
    await desk.store.actions.put([SPLIT])
    run = await desk.ran(BUYS)
    assert run.status is RunStatus.COMPLETED
    result = await desk.store.runs.result(run.id)
    assert result is not None
    assert [(str(position.qty), str(position.avg_price)) for position in result.open_positions] == [("20", "50.0")]
    assert set(result.equity.tolist()) == {100_000.0}


@pytest.mark.parametrize(("opened", "counted_twice"), [(50.0, False), (100.0, True)])
async def test_a_split_that_prices_called_raw_hold_already_is_an_alarm_of_the_report(
    desk: Desk, opened: float, counted_twice: bool
) -> None:
    await desk.store.bars.merge(BarSetKey(symbol="SPY", timeframe="1d", source="test"), days([100.0] * 10 + [opened] * 20))
    await desk.store.actions.put([SPLIT])
    run = await desk.ran(BUYS)
    report = await report_of(run.id, runs=desk.manager, store=desk.store)
    sentences = [finding.sentence for finding in report.findings if finding.code == "split_counted_twice"]
    assert ["SPY 2024-01-17" in sentence for sentence in sentences] == [True] * counted_twice


@pytest.mark.parametrize(
    "body",
    [
        "def on_bars(self, bars):\n    while True: pass",
        "def on_tick(self, tick):\n    while True: pass",
        "def on_tick(self, tick):\n    return FetchWindow('SPY', 1)\ndef on_data(self, window):\n    while True: pass",
        "def setup(self):\n    self.indicator(self.forever, self.close)\ndef forever(self, close):\n    while True: pass",
        "def __init__(self):\n    while True: pass",
        "def warmup_bars(self):\n    while True: pass",
        "class Fees:\n    def fee(self, part):\n        while True: pass\nfee_model = Fees()\ndef on_bar(self, bar):\n    self.buy(1)",
        "def on_bar(self, bar):\n    while True:\n        try:\n            1 / 0\n        except Exception:\n            pass",
    ],
    ids=["on_bars", "on_tick", "on_data", "indicator", "constructor", "warm-up", "own fee", "swallows its errors"],
)
async def test_a_callback_that_does_not_come_back_is_ended(desk: Desk, body: str) -> None:
    await desk.store.bars.merge(BarSetKey(symbol="SPY", timeframe="1d", source="test"), days([100.0] * 30))
    run = await desk.ran(body)
    assert (run.status, run.error_code) == (RunStatus.ERROR, "strategy_too_slow")
    assert "longer than 1 s" in (run.error or "")
    assert (await desk.ran(BUYS)).status is RunStatus.COMPLETED
