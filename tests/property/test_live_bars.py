"""Bars as they come, in any portions, are the bars of a backtest: larger ones too, and what is computed over them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import calendar
from core.clock.resample import resampled
from core.model.instants import DAY_NS, MINUTE_NS
from core.model.market import BarSeries, Timeframe, asset_class_of
from core.runs.live_bars import MINUTE, LiveBars
from core.strategy import indicators
from core.strategy.actions import FetchWindow
from core.strategy.bar_strategy import BarStrategy
from core.strategy.runner import StrategyRunner
from core.strategy.windows import StrategyConfig
from tests.examples import examples

# 17:00 UTC on a Friday on which New York closes early, at 18:00.
FIRST_NS = 20_420 * DAY_NS + 17 * 60 * MINUTE_NS


class Larger(BarStrategy):
    """Declares an average over each timeframe."""

    timeframes = ("15m",)

    def setup(self) -> None:
        self.own = self.indicator(indicators.ema, self.close, 5)
        self.larger = self.indicator(indicators.ema, self.column("close", timeframe="15m"), 3)


def minutes(symbol: str, seed: int, count: int, holes: float) -> BarSeries:
    chance = np.random.Generator(np.random.PCG64(seed))
    starts = FIRST_NS + np.arange(count, dtype=np.int64) * MINUTE_NS
    close = 100.0 + np.cumsum(chance.normal(0, 0.1, count))
    kept = chance.random(count) >= holes
    columns = (close, close + 0.05, close - 0.05, close + 0.01, np.full(count, 10.0))
    return BarSeries.from_columns(symbol, MINUTE, starts[kept], *(column[kept] for column in columns))


@examples(40)
@given(st.data(), st.sampled_from(("DEMO", "DEMO/USD")), st.integers(0, 2**32), st.sampled_from((0.0, 0.3, 0.9)))
def test_any_portions_give_the_bars_of_a_backtest(data: st.DataObject, symbol: str, seed: int, holes: float) -> None:
    own = Timeframe.parse("5m")
    whole = minutes(symbol, seed, 240, holes)
    live = LiveBars((symbol,), own)
    strategy = Larger()
    config = StrategyConfig(symbols=(symbol,), timeframe="5m", params={}, cash=1)  # type: ignore[arg-type]
    runner = StrategyRunner(strategy, config, live.window)
    runner.initialize()
    live.prepare(runner)
    told: list[tuple[str, int]] = []
    at = FIRST_NS
    while at < FIRST_NS + 240 * MINUTE_NS:
        step = data.draw(st.sampled_from((1, 1, 1, 2, 7, 33))) * MINUTE_NS
        live.add(whole.between(max(FIRST_NS, at - 3 * MINUTE_NS), at + step))  # some of it came before
        at += step
        _, ended = live.ended(at)
        told += [(timeframe, bar.start_ns) for timeframe, bar in ended]
    asset_class = asset_class_of(symbol)
    expected, ends = resampled(whole, own, asset_class, at)
    assert _equal(live.own[symbol].series, expected)
    assert np.array_equal(live.own[symbol].ends, ends)
    larger, _ = resampled(expected, Timeframe.parse("15m"), asset_class, at)
    window = live.window(FetchWindow(symbol, 1_000, "15m"))
    assert np.array_equal(window.start_ns, larger.start_ns)
    assert np.array_equal(window.close, larger.close)
    assert len(told) == len(set(told))
    if len(expected):
        assert np.array_equal(strategy.own.values, indicators.ema(expected.close, 5), equal_nan=True)
        assert strategy.own.value == pytest.approx(strategy.own.values[-1], nan_ok=True, abs=0)
    if len(larger):
        assert np.array_equal(strategy.larger.values, indicators.ema(larger.close, 3), equal_nan=True)


def _equal(one: BarSeries, other: BarSeries) -> bool:
    pairs = zip((one.start_ns, *one.columns()), (other.start_ns, *other.columns()), strict=True)
    return all(np.array_equal(mine, yours) for mine, yours in pairs)


def test_the_days_are_those_that_are_meant() -> None:
    table = calendar.sessions()
    assert FIRST_NS // DAY_NS in table.days
