"""Runs that are interrupted in the middle of a bar: what they see and decide afterwards is what a backtest over their bars does."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS
from core.model.market import Timeframe
from core.model.run import RunStatus
from core.runs.parity import parity_of
from tests.strictness.log_guard import AllowLog
from tests.unit.runs.lasting import LastingScene, lasting

WITNESS = '''
from core.strategy.api import Bar, BarStrategy, FetchWindow, ema


class Witness(BarStrategy):
    """Asks at each bar for what says all that it has seen: how many bars, their average, and the newest."""

    id = "witness"
    warmup = 3

    def setup(self):
        self.bars = 0
        self.average = self.indicator(ema, self.close, 3)

    def save_state(self):
        return {"bars": self.bars}

    def load_state(self, state):
        self.bars = state["bars"]

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        self.buy(0.01, limit=round(self.bars + self.average.value / 1_000_000, 9), time_in_force="ioc")
'''
DAY = 20_001 * DAY_NS

CASES = {
    # timeframe, then when the process begins and when it is killed, twice, and when it begins and ends at last
    "5m": (DAY + 10 * HOUR_NS, [(-0.5, 12.4), (13.4, 18.6), (19.6, 41)]),
    "5m, over whole bars": (DAY + 10 * HOUR_NS, [(-0.5, 12.4), (26.4, 33.6), (34.6, 51)]),
    "1h": (DAY + 10 * HOUR_NS, [(-0.5, 80.4), (100.4, 130.6), (170.2, 245)]),
    "1d": (DAY, [(-1.5, 5.4), (1435.4, 1442.2), (2876.2, 2885)]),
}


def killed(folder: Path, begins_ns: int, dies_ns: int, *told: str) -> None:
    """Let a run begin, or go on, in a process that is killed."""
    command = [sys.executable, "-m", "tests.integration.trading.dying_in_a_bar", str(folder), str(begins_ns), str(dies_ns), *told]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL


@pytest.mark.parametrize("case", CASES)
async def test_killed_and_resumed_in_the_middle_of_a_bar(tmp_path: Path, case: str) -> None:
    (tmp_path / "witness.py").write_text(WITNESS)
    timeframe = case.partition(",")[0]
    zero_ns, lives = CASES[case]
    spans = [(zero_ns + round(begins * MINUTE_NS), zero_ns + round(dies * MINUTE_NS)) for begins, dies in lives]
    for begins_ns, dies_ns in spans[:-1]:
        killed(tmp_path, begins_ns, dies_ns, "witness", timeframe, "DEMO/USD")
    begins_ns, ends_ns = spans[-1]
    async with lasting(tmp_path, begins_ns=begins_ns) as desk:
        (run,) = await desk.runs.recover()
        await desk.runs.resume(run.id)
        await desk.clock.sleep_until(ends_ns)
        await desk.runs.stop(run.id)
        await assert_decided(desk, run.id, zero_ns, spans)


async def assert_decided(desk: LastingScene, run_id: str, zero_ns: int, spans: list[tuple[int, int]]) -> None:
    """It decided at each end of a bar at which it was there, at no other, and as Greta does."""
    run = await desk.runs.get(run_id)
    assert run.status is RunStatus.STOPPED, run.error
    told = await parity_of(run.id, runs=desk.runs, store=desk.store)
    assert told.causes == ()
    assert told.divergence is None, told.divergence.sentence
    decided = {event.ts for event in await desk.store.log.read(run_id=run.id, pattern="strategy.PlaceRequest", limit=1_000)}
    step_ns = Timeframe.parse(run.config.timeframe).ns
    ends = range(zero_ns + step_ns, spans[-1][1], step_ns)
    assert decided == {end_ns for end_ns in ends if any(begins_ns < end_ns < dies_ns for begins_ns, dies_ns in spans)}


@pytest.mark.parametrize("timeframe", ["5m", "1h"])
async def test_taken_over_by_another_desk_in_the_middle_of_a_bar(tmp_path: Path, allow_log: AllowLog, timeframe: str) -> None:
    allow_log("Another desk has taken over run")
    (tmp_path / "witness.py").write_text(WITNESS)
    zero_ns = DAY + 10 * HOUR_NS
    bar_ns = Timeframe.parse(timeframe).ns
    begins_ns, goes_ns, ends_ns = zero_ns - MINUTE_NS // 2, zero_ns + bar_ns * 5 // 2, zero_ns + bar_ns * 9 // 2
    async with (
        lasting(tmp_path, begins_ns=begins_ns, desk="Ann", speed=20) as ann,  # a run changes hands in seconds
        lasting(tmp_path, begins_ns=begins_ns, desk="Ben", market=ann.market) as ben,
    ):
        for desk in (ann, ben):
            await desk.runs._leases.renew()
        run = await ann.start("witness", timeframe=timeframe)
        await ann.clock.sleep_until(goes_ns)
        await ann.runs.offer(run.id, "Ben")
        await ben.runs.take_over(run.id)
        await ann.over(run)
        await ben.runs.resume(run.id)
        await ben.clock.sleep_until(ends_ns)
        await ben.runs.stop(run.id)
        await assert_decided(ben, run.id, zero_ns, [(begins_ns, ends_ns)])
