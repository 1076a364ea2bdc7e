"""Findings of whole runs: what is made to happen in a run is told by its report, in words and with the figure."""

import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.brokers.sim import SimSource
from core.clock.realtime import SystemClock
from core.model.instants import MINUTE_NS
from core.model.market import BarSeries, BarSetKey, Floats, Timeframe
from core.model.report import Report
from core.model.run import AccountKind, AccountTerms, RunConfig, RunStatus
from core.runs.manager import RunManager
from core.runs.reporting import report_of
from core.store.memory import MemoryStore
from core.strategy.loader import StrategyLoader

BARS = 400
EVERY_OTHER = "def on_bar(self, bar):\n    self.close_position() if self.held() else self.buy(10)"
BRACKETS = "def on_bar(self, bar):\n    if not self.held() and not self.account.working():\n        self.buy(10, target=101, stop_loss=99)"
ONCE = """at = 0

def on_bar(self, bar):
    self.at += 1
    if self.at in (5, 9):
        self.close_position() if self.held() else self.buy(10)"""

SHORT = """at = 0

def on_bar(self, bar):
    self.at += 1
    if self.at in (5, 1_990):
        self.close_position() if self.held() else self.sell(10)"""


@dataclass
class Desk:
    """A run manager, its store and the folder of its plug-ins."""

    manager: RunManager
    store: MemoryStore
    folder: Path

    async def report(
        self, body: str, close: Floats, *, reach: float = 0.0, without: slice | None = None, symbol: str = "X/Y", **settings: Any
    ) -> Report:
        """Run a strategy whose methods are `body` over closes, each bar `reach` above and below, some left out; return its report."""
        lines = "\n".join("    " + line for line in body.splitlines())
        source = (
            f'from core.strategy.api import BarStrategy\n\n\nclass Trial(BarStrategy):\n    """A trial."""\n\n    id = "trial"\n\n{lines}\n'
        )
        (self.folder / "trial.py").write_text(source, encoding="utf-8")
        starts = np.arange(len(close), dtype=np.int64) * MINUTE_NS
        kept = np.ones(len(close), np.bool_)
        if without is not None:
            kept[without] = False
        columns = [values[kept] for values in (close, close + reach, close - reach, close, np.ones(len(close)))]
        key = BarSetKey(symbol=symbol, timeframe="1m", source="test")
        await self.store.bars.merge(key, BarSeries.from_columns(symbol, Timeframe.parse("1m"), starts[kept], *columns))
        run = await self.manager.create(RunConfig(strategy_id="trial", symbols=(symbol,), timeframe="1m", **settings))
        await self.manager.start(run.id)
        over = await self.manager.wait(run.id)
        assert over.status is RunStatus.COMPLETED
        return await report_of(run.id, runs=self.manager, store=self.store)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncGenerator[Desk]:
    def fail(error: BaseException, what: str) -> None:
        raise error

    clock = SystemClock()
    store = MemoryStore(clock)
    await store.open()
    manager = RunManager(
        brokers=SimSource(0), store=store, strategies=StrategyLoader([tmp_path]), clock=clock, callback_limit_s=5.0, on_bug=fail
    )
    yield Desk(manager, store, tmp_path)
    await manager.close()
    await store.close()


FLAT = np.full(BARS, 100.0)


def climbing() -> Floats:
    return np.asarray(100.0 + 0.01 * np.arange(BARS), np.float64)


def leaping() -> Floats:
    """Return closes that fall a little between one leap, which an open position catches."""
    return np.asarray(np.where(np.arange(BARS) < 202, 100.0, 120.0) - 0.01 * np.arange(BARS), np.float64)


@pytest.mark.parametrize(
    ("code", "words", "body", "close", "settings"),
    [
        ("too_few_trades", r"1 round trip only: .* fewer than 30", ONCE, climbing, {}),
        ("flat_most_of_the_time", r"Flat for 99 % of the time: .* at 1\.0 % of the bars' ends", ONCE, climbing, {}),
        ("one_trade_makes_the_profit", r"One trade makes the whole profit: it gained 199\.\d\d; .* lost \d", EVERY_OTHER, leaping, {}),
        ("fills_depend_on_the_path", r"on another path \d+ fills of \d+ \(\d+ %\) would differ", BRACKETS, lambda: FLAT, {"reach": 2.0}),
        ("income_makes_the_profit", r"make the whole gain: \d+\.\d\d; buying and selling lost", ONCE,
         lambda: np.asarray(100.0 - 0.0001 * np.arange(4_000), np.float64), {"account": AccountTerms(credit_rate=Decimal("0.05"))}),
        ("data_has_holes", r"10 % of the bars that the calendar expects are missing \(40 bars in 1 hole\)", ONCE, climbing,
         {"without": slice(50, 90)}),
        ("costs_eat_the_edge", r"before them the run gained 1\.\d\d; interest and borrowing took 27\.\d\d", SHORT,
         lambda: np.asarray(100.0 - 0.0001 * np.arange(2_000), np.float64),
         {"symbol": "EUR/USD", "account": AccountTerms(kind=AccountKind.MARGIN, borrow_rate=Decimal(10))}),
        ("costs_eat_the_edge", r"before them the run gained \d+\.\d\d; fees took \d[\d,]*\.\d\d", EVERY_OTHER, climbing, {"fees": "bps:5"}),
    ],
)  # fmt: skip
async def test_what_happened_is_found(
    desk: Desk, code: str, words: str, body: str, close: Callable[[], Floats], settings: dict[str, Any]
) -> None:
    found = {finding.code: finding for finding in (await desk.report(body, close(), **settings)).findings}
    assert code in found, sorted(found)
    assert re.search(words, found[code].sentence), found[code].sentence
    assert found[code].figures


async def test_a_run_without_these_faults_has_none_of_these_findings(desk: Desk) -> None:
    report = await desk.report(EVERY_OTHER, climbing())
    assert {finding.code for finding in report.findings} <= {"holding_made_more"}
