"""The look-ahead sentinel: honest strategies pass, planted cheats are caught, named with their bar and both decisions."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from core.backtest.assembly import larger_market
from core.backtest.feeds import Market
from core.clock.realtime import SystemClock
from core.events.envelope import Envelope
from core.events.payloads import RunProgressed
from core.model.instants import MINUTE_NS
from core.model.market import BarSeries, BarSetKey, Timeframe
from core.model.run import Run, RunConfig, RunStatus
from core.runs.manager import RunManager
from core.store.memory import MemoryStore
from tests.unit.runs.managed import managed, ran_to_its_end

BARS = 6_000
NAMES = "Bar, BarStrategy, FetchWindow, Strategy, StopRun, buy, ema, param, sell, sma"


def walk(symbol: str, seed: int, count: int = BARS, skip: int = 0) -> BarSeries:
    """Return a random walk on cents, one bar a minute, beginning `skip` minutes late."""
    rng = np.random.default_rng(seed)
    close = (100 + np.cumsum(rng.normal(0, 0.05, count))).round(2)
    open_ = np.concatenate(([close[0]], close[:-1]))
    high, low = np.maximum(open_, close) + 0.02, np.minimum(open_, close) - 0.02
    starts = (np.arange(count, dtype=np.int64) + skip) * MINUTE_NS
    return BarSeries.from_columns(symbol, Timeframe.parse("1m"), starts, open_, high, low, close, np.ones(count))


@dataclass
class Desk:
    """A run manager over stored walks, with a folder of plug-ins."""

    manager: RunManager
    store: MemoryStore
    plugins: Path

    async def ran(self, source: str, *, symbols: tuple[str, ...] = ("X/Y",), **changes: object) -> Run:
        """Run a plug-in whose source is `source` to its end."""
        (self.plugins / "trial.py").write_text(f"import numpy as np\nfrom core.strategy.api import {NAMES}\n\n{source}")
        return await self.ran_built_in("trial", symbols=symbols, **changes)

    async def ran_built_in(self, strategy: str, *, symbols: tuple[str, ...] = ("X/Y",), **changes: object) -> Run:
        """Run a strategy to its end."""
        config = RunConfig(strategy_id=strategy, symbols=symbols, timeframe="1m", **changes)  # type: ignore[arg-type]
        return await ran_to_its_end(self.manager, config)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncGenerator[Desk]:
    store = MemoryStore(SystemClock())
    async with managed(store, tmp_path) as (manager, _):
        for series in (walk("X/Y", 1), walk("A/B", 2, skip=700), walk("C/D", 3, count=900)):
            await store.bars.merge(BarSetKey(symbol=series.symbol, timeframe="1m", source="test"), series)
        yield Desk(manager, store, tmp_path)


CHEATS = {
    "a centred average": '''
def centred(close):
    """Average of two bars before and two after."""
    padded = np.pad(close, 2, mode="edge")
    return np.convolve(padded, np.ones(5) / 5, mode="valid")

class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def setup(self):
        self.line = self.indicator(centred, self.close)
    def on_bar(self, bar):
        if bar.close < self.line.value and not self.held():
            self.buy(1)
        elif bar.close > self.line.value and self.held():
            self.sell(1)
''',
    "the next close": '''
def shifted(close):
    """The close of the next bar."""
    return np.append(close[1:], np.nan)

class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def setup(self):
        self.next = self.indicator(shifted, self.close)
    def on_bar(self, bar):
        if self.next.value > bar.close + 0.05 and not self.held():
            self.buy(1)
        elif self.next.value < bar.close - 0.05 and self.held():
            self.sell(1)
''',
    "the array behind a window": '''
class Trial(Strategy):
    """A trial."""
    id = "trial"
    def on_tick(self, tick):
        return FetchWindow("X/Y", 2)
    def on_data(self, window):
        whole = window.close.base
        now = int(np.searchsorted(window.start_ns.base, window.start_ns[-1]))
        if now + 1 < len(whole):
            if whole[now + 1] > whole[now] + 0.05 and not self.account.held("X/Y"):
                return buy("X/Y", 1)
            if whole[now + 1] < whole[now] - 0.05 and self.account.held("X/Y"):
                return sell("X/Y", 1)
''',
    "the array behind a window, without looking whether there is more": '''
class Trial(Strategy):
    """A trial."""
    id = "trial"
    def initialize(self, config):
        self.count = 0
    def on_tick(self, tick):
        return FetchWindow("X/Y", 1)
    def on_data(self, window):
        self.count += 1
        if self.count < 3_000 and window.close.base[self.count] > window.close[-1] + 0.05:
            return buy("X/Y", "0.01")
''',
    "what the venue knows, by its private parts": '''
class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def on_bar(self, bar):
        bars = self.account._feeds[0].market.bars
        now = int(np.searchsorted(bars.start_ns, bar.start_ns))
        later = bars.close[now + 1 : now + 2]
        if len(later) and later[0] > bar.close + 0.05 and not self.held():
            self.buy(1)
        elif len(later) and later[0] < bar.close - 0.05 and self.held():
            self.sell(1)
''',
    "the highest of the whole day": '''
def highest_of_day(high, session):
    """The highest price of each day, known from its first bar on."""
    return np.array([high[session == day].max() for day in np.unique(session)])[np.unique(session, return_inverse=True)[1]]

class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def setup(self):
        self.top = self.indicator(highest_of_day, self.column("high"), self.column("session"))
    def on_bar(self, bar):
        if bar.close > self.top.value - 0.1 and self.held():
            self.sell(1)
        elif bar.close < self.top.value - 1 and not self.held():
            self.buy(1)
''',
    "what an indicator was given, kept": '''
class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def setup(self):
        self.count = 0
        self.indicator(self.keep, self.close)
    def keep(self, close):
        self.all = close
        return close
    def on_bar(self, bar):
        self.count += 1
        later = self.all[self.count : self.count + 3]
        if len(later) and later.max() > bar.close + 0.1 and not self.held():
            self.buy(1)
        elif len(later) and later.min() < bar.close - 0.1 and self.held():
            self.sell(1)
''',
    "a normal form over everything": '''
def normal(close):
    """Distance from the mean of all bars, in their standard deviations."""
    return (close - close.mean()) / close.std()

class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def setup(self):
        self.z = self.indicator(normal, self.close)
    def on_bar(self, bar):
        if self.z.value < -0.2 and not self.held():
            self.buy(1)
        elif self.z.value > 0.2 and self.held():
            self.sell(1)
''',
    "an hour before it is over": '''
def hours(close):
    """The last close of each bar's hour."""
    last = np.minimum(np.arange(len(close)) // 60 * 60 + 59, len(close) - 1)
    return close[last]

class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def setup(self):
        self.hour = self.indicator(hours, self.close)
    def on_bar(self, bar):
        if self.hour.value > bar.close + 0.2 and not self.held():
            self.buy(1)
        elif self.hour.value < bar.close - 0.2 and self.held():
            self.sell(1)
''',
}


@pytest.mark.parametrize("cheat", CHEATS)
async def test_a_planted_cheat_is_caught_with_its_bar_and_both_decisions(desk: Desk, cheat: str) -> None:
    run = await desk.ran(CHEATS[cheat])
    assert (run.status, run.error_code) == (RunStatus.ERROR, "look_ahead"), run.error
    assert run.error is not None
    assert run.error.startswith("The strategy looks ahead: at the end of the X/Y 1m bar of 1970-01-")
    assert "it decided: " in run.error
    assert "cut off it decides: " in run.error
    assert await desk.store.runs.result(run.id) is not None


LATE = '''
def turning(close):
    """The close; from bar 5,000 on that of the next bar."""
    values = close.copy()
    values[5_000:-1] = close[5_001:]
    return values

class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def setup(self):
        self.line = self.indicator(turning, self.close)
'''


async def test_an_indicator_that_looks_ahead_late_in_the_run_is_named_with_both_values(desk: Desk) -> None:
    run = await desk.ran(LATE)
    assert run.error_code == "look_ahead"
    assert run.error is not None
    assert run.error.startswith("The indicator turning looks ahead: at the X/Y bar of 1970-01-04T")
    assert run.bars == BARS


BY_CHANCE = '''
class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def on_bar(self, bar):
        if np.random.default_rng().random() < 0.1:
            self.buy("0.01")
'''


@pytest.mark.parametrize("share", ["0.5", "0.1", "0.01"])
async def test_chance_without_a_seed_is_told_from_looking_ahead(desk: Desk, share: str) -> None:
    run = await desk.ran(BY_CHANCE.replace("0.1", share))
    assert (run.status, run.error_code) == (RunStatus.ERROR, "not_repeatable")
    assert run.error is not None
    assert run.error.startswith("The decisions cannot be repeated: at the end of the X/Y 1m bar of 1970-01-01T")
    assert "given the same bars again: " in run.error


async def test_noise_in_an_indicator_is_told_from_looking_ahead(desk: Desk) -> None:
    run = await desk.ran('''
def noise(close):
    return close + np.random.default_rng().random(len(close))

class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def setup(self):
        self.indicator(noise, self.close)
''')
    assert run.error_code == "not_repeatable"
    assert run.error is not None
    assert run.error.startswith("The indicator noise of X/Y gave other values")


HONEST = {
    "chance from the run's seed": '''
class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def on_bar(self, bar):
        if self.random.random() < 0.1:
            self.buy("0.01", note=str(self.random.integers(100)))
''',
    "windows longer than what there is yet": '''
class Trial(Strategy):
    """A trial."""
    id = "trial"
    def on_tick(self, tick):
        return FetchWindow("X/Y", 3_000)
    def on_data(self, window):
        if len(window) > 10 and window.close[-1] > window.close[-10:].mean() + 0.1:
            return buy("X/Y", "0.01", note=f"{window.is_full} {window.asked} {len(window)}")
''',
    "an indicator that cannot do with few bars": '''
def rolling_median(close):
    values = np.full(len(close), np.nan)
    values[499:] = np.median(np.lib.stride_tricks.sliding_window_view(close, 500), axis=1)
    return values

class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def setup(self):
        self.median = self.indicator(rolling_median, self.close)
    def on_bar(self, bar):
        if bar.close > self.median.value and not self.held():
            self.buy(1)
        elif bar.close < self.median.value and self.held():
            self.sell(1)
''',
    "an indicator that is computed once and kept": '''
class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def setup(self):
        self.kept = None
        self.line = self.indicator(self.mean, self.close)
    def mean(self, close):
        if self.kept is None:
            self.kept = np.cumsum(close) / np.arange(1, len(close) + 1)
        return self.kept
    def on_bar(self, bar):
        if bar.close > self.line.value and not self.held():
            self.buy(1)
        elif bar.close < self.line.value and self.held():
            self.sell(1)
''',
    "what a module keeps": '''
HISTORY = []

class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def on_bar(self, bar):
        HISTORY.append(bar.close)
        if len(HISTORY) % 7 == 0:
            self.buy("0.01", note=str(len(HISTORY)))
''',
    "rounding by a Fourier transform": '''
def smooth(close):
    size = len(close) + 9
    summed = np.fft.irfft(np.fft.rfft(close, size) * np.fft.rfft(np.ones(10) / 10, size), size)[: len(close)]
    summed[:9] = np.nan
    return summed

class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def setup(self):
        self.line = self.indicator(smooth, self.close)
    def on_bar(self, bar):
        if bar.close > self.line.value + 0.0501 and not self.held():
            self.buy(1)
        elif bar.close < self.line.value - 0.0501 and self.held():
            self.sell(1)
''',
    "larger bars, a warm-up, orders of all kinds": '''
class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    warmup = 90
    def setup(self):
        self.hour = self.indicator(ema, self.column("close", timeframe="1h"), 3)
        self.seen = 0
        self.buy("0.5", limit=99)
    def on_larger_bar(self, bar, timeframe):
        self.seen += 1
    def on_bar(self, bar):
        if self.hour.value > bar.close and len(self.account.working()) < 4:
            ref = self.buy("0.1", limit=round(bar.close - 0.05, 2), note=f"{self.seen}")
            self.buy("0.1", target=round(bar.close + 1, 2), stop_loss=round(bar.close - 1, 2))
            if self.seen % 3 == 0:
                self.replace(ref, limit=round(bar.close - 0.1, 2))
        elif self.account.working():
            self.cancel(self.account.working()[-1])
''',
    "one that ends the run": '''
class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def on_bar(self, bar):
        if self.random.random() < 0.1:
            self.buy("0.01")
        if bar.start_ns == 500 * 60 * 10**9:
            self.stop_run("Enough.")
''',
    "one whose file goes away while it runs": '''
import pathlib

class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def on_bar(self, bar):
        pathlib.Path(__file__).unlink(missing_ok=True)
        if self.random.random() < 0.1:
            self.buy("0.01")
''',
    "one that never decides": '''
class Trial(BarStrategy):
    """A trial."""
    id = "trial"
''',
}


@pytest.mark.parametrize("strategy", HONEST)
async def test_an_honest_strategy_passes(desk: Desk, strategy: str) -> None:
    run = await desk.ran(HONEST[strategy])
    assert run.status is (RunStatus.STOPPED if "ends the run" in strategy else RunStatus.COMPLETED), run.error


async def test_several_symbols_that_start_late_or_stop_early_pass(desk: Desk) -> None:
    run = await desk.ran(
        '''
class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    symbols = 0
    def setup(self):
        self.lines = {s: self.indicator(ema, self.column("close", s, timeframe="30m"), 4) for s in self.config.symbols}
        self.own = {s: self.indicator(sma, self.column("close", s), 20) for s in self.config.symbols}
    def on_bars(self, bars):
        for symbol, bar in bars.items():
            if self.own[symbol].value > self.lines[symbol].value and not self.held(symbol):
                self.buy(0.5, symbol=symbol)
            elif self.own[symbol].value < self.lines[symbol].value and self.held(symbol):
                self.close_position(symbol)
''',
        symbols=("X/Y", "A/B", "C/D"),
    )
    assert (run.status, run.error) == (RunStatus.COMPLETED, None)


async def test_a_cheat_on_the_second_symbol_is_caught(desk: Desk) -> None:
    source = CHEATS["the next close"].replace("self.indicator(shifted, self.close)", 'self.indicator(shifted, self.column("close", "A/B"))')
    source = source.replace(
        "def on_bar(self, bar):", 'symbols = 2\n    def on_bar(self, bar):\n        if bar.symbol != "A/B":\n            return'
    )
    run = await desk.ran(source, symbols=("X/Y", "A/B"))
    assert run.error_code == "look_ahead"
    assert run.error is not None
    assert "A/B 1m bar of " in run.error


async def test_a_traced_run_and_one_of_a_later_period_are_watched_too(desk: Desk) -> None:
    cheat = CHEATS["the array behind a window"]
    assert (await desk.ran(cheat, trace=True)).error_code == "look_ahead"
    assert (await desk.ran(CHEATS["the next close"], start_ns=3_000 * MINUTE_NS)).error_code == "look_ahead"


async def test_larger_bars_shown_before_they_end_are_caught(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def early(own: Market, timeframe: str, until_ns: int | None = None) -> Market:
        honest = larger_market(own, timeframe, until_ns)
        return replace(honest, end_ns=honest.end_ns - 20 * MINUTE_NS)

    monkeypatch.setattr("core.runs.backtest.larger_market", early)
    monkeypatch.setattr("core.runs.replay.larger_market", early)
    run = await desk.ran('''
class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def setup(self):
        self.hour = self.indicator(ema, self.column("close", timeframe="1h"), 1)
    def on_bar(self, bar):
        if self.hour.value > bar.close and not self.held():
            self.buy(1)
        elif self.hour.value < bar.close and self.held():
            self.sell(1)
''')
    assert run.error_code == "look_ahead"


async def test_the_seed_makes_the_chance(desk: Desk) -> None:
    source = HONEST["chance from the run's seed"]
    first, same, other = [await desk.ran(source, seed=seed) for seed in (1, 1, 2)]
    bought = [[fill.time_ns for fill in await desk.store.runs.fills(run.id)] for run in (first, same, other)]
    assert bought[0] == bought[1] != bought[2]
    assert first.manifest is not None
    assert first.manifest.seed == 1


async def test_a_cheat_that_is_stopped_after_it_was_found_out_is_told(desk: Desk) -> None:
    source = CHEATS["the next close"].replace("def on_bar(self, bar):", "def on_bar(self, bar):\n        sum(range(10_000))")
    (desk.plugins / "trial.py").write_text(f"import numpy as np\nfrom core.strategy.api import {NAMES}\n\n{source}")
    run = await desk.manager.create(RunConfig(strategy_id="trial", symbols=("X/Y",), timeframe="1m"))
    beyond = asyncio.Event()

    def watch(event: Envelope) -> None:
        if isinstance(event.payload, RunProgressed) and event.payload.bars > 3_000:
            beyond.set()

    with desk.store.log.subscribe(RunProgressed.wire, watch, owner="test", run_id=run.id):
        await desk.manager.start(run.id)
        await beyond.wait()
    stopped = await desk.manager.stop(run.id)
    assert (stopped.status, stopped.error_code) == (RunStatus.ERROR, "look_ahead")
    assert stopped.bars < BARS
    assert await desk.store.runs.result(run.id) is not None


async def test_a_decision_that_the_indicator_changed_late_is_named(desk: Desk) -> None:
    run = await desk.ran(
        LATE
        + """
    def on_bar(self, bar):
        if self.line.value > bar.close + 0.05 and not self.held():
            self.buy(1)
        elif self.line.value < bar.close - 0.05 and self.held():
            self.sell(1)
"""
    )
    assert run.error_code == "look_ahead"
    assert run.error is not None
    assert run.error.startswith("The strategy looks ahead: at the end of the X/Y 1m bar of 1970-01-04T")
    assert "buy 1 X/Y at market" in run.error


LATE_PEEK = '''
class Trial(BarStrategy):
    """A trial."""
    id = "trial"
    def setup(self):
        self.line = self.indicator(np.copy, self.close)
        self.seen = 0
    def on_bar(self, bar):
        self.seen += 1
        if self.seen < 850:
            return
        ahead = self.line._values[self.seen] if self.seen < len(self.line._values) else np.nan
        if ahead > bar.close and not self.held():
            self.buy(1)
        elif ahead < bar.close and self.held():
            self.sell(1)
'''


async def test_a_short_run_is_watched_to_its_end(desk: Desk) -> None:
    run = await desk.ran(LATE_PEEK, symbols=("C/D",))
    assert run.bars == 900
    assert run.error_code == "look_ahead", run.error
