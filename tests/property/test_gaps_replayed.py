"""Whatever lines of several symbols break, and however long: a strategy sees bars in their order and none too early, and a replay
calls it at the same times, with the same bars, over the same windows."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.backtest.assembly import Rules, larger_market, market_of, simulation
from core.backtest.behind import Behind
from core.clock.realtime import SystemClock
from core.clock.simulated import SimulatedClock
from core.clock.trading_days import EndlessDays
from core.model.instants import DAY_NS, MINUTE_NS
from core.model.market import Bar, BarSeries, Instrument, Timeframe
from core.runs.account_journal import AccountJournal
from core.runs.journal import RunJournal
from core.runs.live_bars import MINUTE, LiveBars
from core.runs.passing_runner import PassingRunner
from core.runs.router import DomainRouter
from core.runs.run_inputs import Passed, RunInputs
from core.strategy import indicators
from core.strategy.actions import FetchWindow
from core.strategy.bar_strategy import BarStrategy
from core.strategy.runner import StrategyRunner
from core.strategy.windows import StrategyConfig
from core.trading.orders import OrderManager
from tests.examples import examples

SYMBOLS = ("A/USD", "B/USD", "C/USD")
BEGINS_NS = 20_000 * DAY_NS + 6 * 60 * MINUTE_NS
MINUTES = 90


class Witness(BarStrategy):
    """Remembers what it was told, and all that it could see then."""

    symbols = 0
    warmup = 2
    timeframes = ("15m",)

    def setup(self) -> None:
        self.averages = [self.indicator(indicators.ema, self.column("close", symbol), 3) for symbol in self.config.symbols]
        self.highs = [self.indicator(indicators.sma, self.column("high", symbol, timeframe="15m"), 1) for symbol in self.config.symbols]
        self.told: list[tuple[Any, ...]] = []

    def on_larger_bar(self, bar: Bar, timeframe: str) -> None:
        self.told.append(("larger", bar, timeframe))

    def on_bars(self, bars: Any) -> None:
        windows = [self.fetch(FetchWindow(symbol, 500, timeframe)) for symbol in self.config.symbols for timeframe in (None, "15m")]
        seen = [(window.start_ns.tolist(), window.close.tolist()) for window in windows]
        values = [str(one.value) for one in (*self.averages, *self.highs)]
        before = [str(one[-2]) for one in (*self.averages, *self.highs)]
        self.told.append((dict(bars), seen, values, before))

    fetch: Any = None


def minutes_of(symbol: str, seed: int, holes: float) -> BarSeries:
    chance = np.random.Generator(np.random.PCG64([seed, ord(symbol[0])]))
    starts = BEGINS_NS + np.arange(-30, MINUTES, dtype=np.int64) * MINUTE_NS
    close = 100.0 + np.cumsum(chance.normal(0, 0.1, len(starts)))
    kept = chance.random(len(starts)) >= holes
    columns = (close, close + 0.05, close - 0.05, close + 0.01, np.full(len(starts), 10.0))
    return BarSeries.from_columns(symbol, MINUTE, starts[kept], *(column[kept] for column in columns))


def lived(config: StrategyConfig, whole: dict[str, BarSeries], gaps: Sequence[set[str]]) -> tuple[Witness, LiveBars, list[Passed]]:
    """A run whose symbols lack their minutes at each minute for which `gaps` names them; what was missed comes after that."""
    live, strategy, passed = LiveBars(config.symbols, Timeframe.parse(config.timeframe)), Witness(), []
    runner = StrategyRunner(strategy, config, live.window)
    strategy.fetch = live.window
    runner.initialize()
    live.prepare(runner)
    for symbol in config.symbols:
        live.add(whole[symbol].between(None, BEGINS_NS))
    live.ended(BEGINS_NS, keep=runner.warmup)
    for number, lacking in enumerate(gaps, 1):
        now_ns = BEGINS_NS + number * MINUTE_NS
        for symbol in set(config.symbols) - lacking:
            live.add(whole[symbol].between(live.newest_minute(symbol), now_ns))
        new, larger = live.ended(now_ns, gaps=lacking)
        spans = live.passed(now_ns - MINUTE_NS)
        passed += [Passed(*span, now_ns, symbols, is_restart=False, state=None) for span, symbols in spans.items()]
        bars, larger = live.warm(live.fresh(new, now_ns, BEGINS_NS), larger)
        if bars or larger:
            runner.decide(now_ns, bars, larger)
    return strategy, live, sorted(passed, key=lambda one: one.until_ns)


def replayed(config: StrategyConfig, live: LiveBars, passed: list[Passed]) -> Witness:
    """The run once more, as its parity is found, over the bars that it saw."""
    clock, journal, strategy = SimulatedClock(BEGINS_NS), RunJournal("replay", "replay"), Witness()
    orders = OrderManager("replay", journal)
    router = DomainRouter("replay", journal=journal, orders=orders, now_ns=clock.now_ns)
    inputs = RunInputs({}, frozenset(), {}, tuple(passed), frozenset(), always_open=True)
    runner = PassingRunner(strategy, config, router.fetch, inputs=inputs)
    own = [live.own[symbol].series for symbol in config.symbols]
    made = simulation(
        [market_of(bars, Instrument.of(bars.symbol), start_ns=BEGINS_NS, warmup=runner.warmup, always_open=True) for bars in own],
        Rules(cash=config.cash, refused={}),
        clock=clock,
        monotonic_ns=SystemClock().monotonic_ns,
        days=EndlessDays(),
        orders=orders,
        account=AccountJournal(journal),
    )
    router.connect(made.venue)
    strategy.account = made.venue
    strategy.fetch = router.fetch
    route = runner.routing(router.route, Behind(made.simulator.feeds, lambda: runner.indicators))
    made.simulator.prepare(runner, route, partial(larger_market, until_ns=BEGINS_NS + MINUTES * MINUTE_NS))
    for _ in made.simulator.steps(runner, route, None):
        pass
    return strategy


@examples(60)
@given(st.data(), st.integers(0, 2**32), st.sampled_from(("1m", "5m")), st.sampled_from((0.0, 0.3)))
def test_a_replay_is_called_at_the_same_times_and_sees_the_same(data: st.DataObject, seed: int, own: str, holes: float) -> None:
    config = StrategyConfig(symbols=SYMBOLS, timeframe=own, params={}, cash=Decimal(1_000))
    whole = {symbol: minutes_of(symbol, seed, holes) for symbol in SYMBOLS}
    gaps: list[set[str]] = [set() for _ in range(MINUTES)]
    for symbol in SYMBOLS:
        for _ in range(data.draw(st.integers(0, 3))):
            first, length = data.draw(st.integers(0, MINUTES - 2)), data.draw(st.sampled_from((1, 2, 5, 17, 40)))
            for lacking in gaps[first : min(first + length, MINUTES - 1)]:
                lacking.add(symbol)
    strategy, live, passed = lived(config, whole, gaps)
    for symbol in SYMBOLS:
        # All of it was seen in the end, whatever was late.
        of = Timeframe.parse(own)
        assert set(live.own[symbol].series.start_ns.tolist()) >= {
            start_ns for start_ns in (whole[symbol].start_ns // of.ns * of.ns).tolist() if start_ns >= BEGINS_NS
        }
    told = [one for one in strategy.told if one[0] != "larger"]
    for bars, seen, _, _ in told:
        now_ns = max(bar.end_ns for bar in bars.values())
        for starts, _ in seen:
            assert starts == sorted(set(starts))
            assert all(start_ns < now_ns for start_ns in starts)
    # A symbol without a gap is decided on at each end of its bars.
    for symbol in SYMBOLS:
        if all(symbol not in lacking for lacking in gaps):
            times = [bars[symbol].end_ns for bars, *_ in told if symbol in bars]
            ends = live.own[symbol].ends.tolist()
            starts = live.own[symbol].series.start_ns.tolist()
            warm = live.own[symbol].ends.tolist()[1:]
            assert times == [end_ns for start_ns, end_ns in zip(starts, ends, strict=True) if start_ns >= BEGINS_NS and end_ns in warm]
    assert strategy.told
    again = replayed(config, live, passed).told
    assert len(again) == len(strategy.told)
    assert [at for at, (one, other) in enumerate(zip(again, strategy.told, strict=True)) if one != other] == []
