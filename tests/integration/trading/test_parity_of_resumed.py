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
SEVERAL = '''
from core.strategy.api import Bar, BarStrategy, ema


class Several(BarStrategy):
    """Asks for what says all that it sees of its symbols, of the larger bars too, and of the chances that it draws."""

    id = "several"
    symbols = 0
    warmup = 8
    timeframes = ("15m", "1h")
    bars = 0

    def setup(self):
        self.seen = [
            self.indicator(ema, self.column("close", symbol, timeframe=timeframe), 2)
            for symbol in self.config.symbols
            for timeframe in (None, "15m", "1h")
        ]

    def save_state(self):
        return {"bars": self.bars}

    def load_state(self, state):
        self.bars = state["bars"]

    def on_larger_bar(self, bar: Bar, timeframe: str) -> None:
        self.bars += 1
        self.buy(0.01, symbol=bar.symbol, limit=round(2 + self.bars / 10_000 + bar.high / 1e10, 10), time_in_force="ioc")

    def on_bars(self, bars) -> None:
        self.bars += 1
        knows = sum(one.value for one in self.seen if one.value == one.value) / 1e9 + self.random.random() / 1e6
        for symbol in bars:
            self.buy(0.01, symbol=symbol, limit=round(1 + self.bars / 10_000 + knows, 10), time_in_force="ioc")
'''
FORGETS = '''
from collections import deque
from threading import Lock

from core.strategy.api import Bar, BarStrategy, ema


class Tally:
    def __init__(self):
        self.count, self.newest = 0, deque(maxlen=5)


class Forgets(BarStrategy):
    """Keeps what it counts in objects of its own, and saves nothing of it."""

    id = "forgets"
    warmup = 2

    def setup(self):
        self.tally, self.lock = Tally(), Lock()
        self.newest = self.tally.newest
        self.averages = {"close": self.indicator(ema, self.close, 2)}

    def on_bar(self, bar: Bar) -> None:
        with self.lock:
            self.tally.count += 1
        self.newest.append(bar.close)
        seen = len(self.tally.newest) / 100 + self.averages["close"].value / 1e9
        self.buy(0.01, limit=round(1 + self.tally.count / 10_000 + seen, 9), time_in_force="ioc")
'''
DAY = 20_001 * DAY_NS
MONDAY_NS = 20_003 * DAY_NS
"""In New York's hours larger bars of shares are made of them."""

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


@pytest.mark.parametrize("timeframe", ["1m", "5m"])
async def test_killed_twice_with_several_symbols_and_larger_bars(tmp_path: Path, timeframe: str) -> None:
    (tmp_path / "several.py").write_text(SEVERAL)
    zero_ns = MONDAY_NS + 15 * HOUR_NS
    lives = [(-0.5, 37.4), (38.4, 52.7), (71.3, 130)]
    spans = [(zero_ns + round(begins * MINUTE_NS), zero_ns + round(dies * MINUTE_NS)) for begins, dies in lives]
    symbols = ("DEMO/USD", "DEMO", "DEMO-B")
    for begins_ns, dies_ns in spans[:-1]:
        killed(tmp_path, begins_ns, dies_ns, "several", timeframe, *symbols)
    begins_ns, ends_ns = spans[-1]
    async with lasting(tmp_path, begins_ns=begins_ns) as desk:
        (run,) = await desk.runs.recover()
        await desk.runs.resume(run.id)
        await desk.clock.sleep_until(ends_ns)
        await desk.runs.stop(run.id)
        await assert_decided(desk, run.id, zero_ns, spans)


async def test_what_a_strategy_kept_in_objects_of_its_own_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "forgets.py").write_text(FORGETS)
    zero_ns = DAY + 10 * HOUR_NS
    spans = [(zero_ns - MINUTE_NS // 2, zero_ns + round(7.4 * MINUTE_NS)), (zero_ns + round(8.4 * MINUTE_NS), zero_ns + 16 * MINUTE_NS)]
    killed(tmp_path, *spans[0], "forgets", "1m", "DEMO/USD")
    async with lasting(tmp_path, begins_ns=spans[1][0]) as desk:
        (run,) = await desk.runs.recover()
        await desk.runs.resume(run.id)
        await desk.clock.sleep_until(spans[1][1])
        await desk.runs.stop(run.id)
        await assert_decided(desk, run.id, zero_ns, spans)


@pytest.mark.parametrize("goes_on", [25, 90])
async def test_a_run_that_was_killed_before_it_began_begins_in_full(tmp_path: Path, goes_on: int) -> None:
    begins = WITNESS.replace("self.bars = 0\n", 'self.bars = 0\n        self.buy(1, note="at the beginning")\n', 1)
    (tmp_path / "witness.py").write_text(begins)
    zero_ns = DAY + 10 * HOUR_NS
    killed(tmp_path, zero_ns + 5 * MINUTE_NS, zero_ns + 20 * MINUTE_NS, "witness", "1h", "DEMO/USD")
    begins_ns, ends_ns = zero_ns + goes_on * MINUTE_NS, zero_ns + 5 * HOUR_NS - MINUTE_NS
    async with lasting(tmp_path, begins_ns=begins_ns) as desk:
        (run,) = await desk.runs.recover()
        await desk.runs.resume(run.id)
        await desk.clock.sleep_until(ends_ns)
        await desk.runs.stop(run.id)
        first_ns = -(-begins_ns // HOUR_NS) * HOUR_NS
        # What it asks for in `setup` is decided at its beginning.
        await assert_decided(desk, run.id, first_ns - HOUR_NS, [(begins_ns, ends_ns)])
        (bought,) = await desk.store.runs.fills(run.id)
        assert bought.qty == 1
