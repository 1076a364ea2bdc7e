"""Parity of runs that were told more than their bars: they were interrupted, their shares were split, their machine slept."""

import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.errors import BrokerUnreachable
from core.events.live_payloads import BarsPassed
from core.model.corporate_action import Dividend, Split
from core.model.instants import MINUTE_NS
from core.model.run import RunStatus
from core.runs.parity import parity_of
from tests.unit.runs.lasting import lasting
from tests.unit.runs.live_desk import BEGINS_NS, live
from tests.unit.runs.test_paper_account_acts import DAY, scene

KEEPER = '''
from core.strategy.api import Bar, BarStrategy


class Keeper(BarStrategy):
    """Holds one, and tells by its orders how many bars it has seen in all, and since it began anew."""

    id = "keeper"
    warmup = 3
    since = 0

    def setup(self):
        self.bars = 0
        self.seen = []
        self.buy(1, note="only at the beginning")

    def save_state(self):
        return {"bars": self.bars} if self.bars else None

    def load_state(self, state):
        self.bars = state["bars"]

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        self.since += 1
        self.seen.append(bar.close)
        if self.bars == 1:
            self.buy(1, limit=1, time_in_force="gtc", ref="bid")
        else:
            self.replace("bid", limit=1 + self.bars / 100)
        self.buy(1, limit=0.5 + self.since / 1000 + len(self.seen) / 100, time_in_force="ioc")
'''


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A folder in which a run was killed when it had changed its bid three times."""
    (tmp_path / "keeper.py").write_text(KEEPER)
    command = [sys.executable, "-m", "tests.integration.trading.dying_run", str(tmp_path), "orders.Replaced", "3"]
    assert subprocess.run(command, check=False, timeout=30).returncode == -signal.SIGKILL
    return tmp_path


async def test_a_run_that_was_interrupted_decides_as_greta_does_before_and_after(killed: Path) -> None:
    async with lasting(killed, begins_ns=BEGINS_NS + 240 * MINUTE_NS) as desk:
        (run,) = await desk.runs.recover()
        before = len(await desk.store.log.read(run_id=run.id, pattern="strategy.PlaceRequest"))
        await desk.runs.resume(run.id)
        await desk.until("strategy.PlaceRequest", before + 5)
        await desk.runs.stop(run.id)
        (passed,) = [event.payload for event in await desk.store.log.read(run_id=run.id, pattern=BarsPassed.wire)]
        assert isinstance(passed, BarsPassed)
        assert passed.is_restart
        assert passed.until_ns - passed.since_ns > 200 * MINUTE_NS
        told = await parity_of(run.id, runs=desk.runs, store=desk.store)
        assert told.causes == ()
        assert told.divergence is None, told.divergence.sentence
        assert told.decisions == told.same > before + 4


@pytest.mark.parametrize("holds", [True, False])
async def test_a_run_whose_shares_were_split_decides_as_greta_does(tmp_path: Path, *, holds: bool) -> None:
    async with scene(tmp_path) as desk:
        if not holds:
            text = (tmp_path / "holder.py").read_text().replace("            self.buy(10)\n", "")
            (tmp_path / "holder.py").write_text(text)
        await desk.store.actions.put(
            [Split(symbol="DEMO", day=DAY, ratio=Decimal(3)), Dividend(symbol="DEMO", day=DAY, amount=Decimal("0.25"))]
        )
        text = (
            (tmp_path / "holder.py")
            .read_text()
            .replace("self.held() == 40", "self.held() == 30")
            .replace("self.sell(40)", "self.sell(self.held())")
        )
        (tmp_path / "holder.py").write_text(text)
        run = await desk.run(12)
        assert (run.status, run.error) == (RunStatus.COMPLETED, None)
        told = await parity_of(run.id, runs=desk.runs, store=desk.store)
        assert told.causes == ()
        assert told.divergence is None, told.divergence.sentence
        assert told.fill_divergence is None, told.fill_divergence.sentence
        assert told.decisions == told.same == (3 if holds else 1)
        assert told.fills == told.replayed_fills == (2 if holds else 0)


async def test_minutes_that_a_gap_made_old_are_not_decided_on_by_greta_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.runs.minute_feed.GRACE_S", 0.02)
    monkeypatch.setattr("core.runs.order_handling.GRACE_S", 0.02)
    async with live(tmp_path, speed=600.0) as desk:
        (tmp_path / "keeper.py").write_text(KEEPER)
        created = await desk.start("keeper", minutes=20)
        await desk.until("orders.Replaced", 2)
        history = desk.broker.history
        pages = history.pages

        def away(*arguments: Any, **named: Any) -> Any:
            raise BrokerUnreachable("The broker's history cannot be reached.")

        history.pages = away  # type: ignore[method-assign]
        desk.broker.faults.cut()
        await desk.until("live.StreamChanged")
        now_ns = desk.clock.now_ns()
        await desk.clock.sleep_until(now_ns + 4 * MINUTE_NS)
        history.pages = pages  # type: ignore[method-assign]
        desk.broker.faults.mend()
        run = await desk.over(created)
        assert run.status is RunStatus.COMPLETED, run.error
        passed = [event.payload for event in await desk.store.log.read(run_id=run.id, pattern=BarsPassed.wire)]
        assert passed
        told = await parity_of(run.id, runs=desk.runs, store=desk.store)
        assert told.causes == ()
        assert told.divergence is None, told.divergence.sentence
        assert told.decisions == told.same > 10


BOTH = '''
from core.strategy.api import Bar, BarStrategy


class Both(BarStrategy):
    """Turns two shares over in turn, moves a bid of each, and takes it back at every third bar."""

    id = "both"
    symbols = 2
    warmup = 2
    bars = 2

    def on_bars(self, bars) -> None:
        self.bars += 1
        for symbol, bar in bars.items():
            if self.held(symbol):
                self.sell(self.held(symbol), symbol=symbol)
            else:
                self.buy(2, symbol=symbol)
            ref = f"bid-{symbol}-{self.bars // 3}"
            if self.bars % 3 == 0:
                self.buy(1, symbol=symbol, limit=1, time_in_force="gtc", ref=ref)
            elif self.bars % 3 == 1:
                self.replace(ref, limit=1.5)
            else:
                self.cancel(ref)
'''


async def test_several_shares_on_a_market_that_never_closes_decide_and_fill_as_with_greta(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.brokers.sim.STANDS_S", 60.0)  # half of each minute to decide in: no latency on a busy machine either
    (tmp_path / "both.py").write_text(BOTH)
    async with live(tmp_path, speed=150.0) as desk:  # at ten in the morning UTC, when New York is closed
        run = await desk.over(await desk.start("both", minutes=14, symbols=("DEMO", "DEMO-B")))
        assert (run.status, run.error) == (RunStatus.COMPLETED, None)
        told = await parity_of(run.id, runs=desk.runs, store=desk.store)
        assert told.causes == ()
        assert told.divergence is None, told.divergence.sentence
        assert told.fill_divergence is None, told.fill_divergence.sentence
        assert told.decisions == told.same > 40
        assert told.compared_fills > 16
        assert told.worst_slippage_bps == 0
