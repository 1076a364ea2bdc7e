"""Minutes that come after what they belong to was seen: left out for good, told, and no bar is made twice or of a half."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.brokers.inside import InsideStreams
from core.data.download import sound
from core.events.live_payloads import MinuteLate
from core.model.broker import BarKind, LiveBar, StreamStatus, Tick, Watch
from core.model.instants import DAY_NS, MINUTE_NS
from core.model.market import Bar, Timeframe
from core.model.run import RunStatus
from core.runs.live_bars import LiveBars, one_bar
from core.runs.parity import parity_of
from core.runs.recorded_bars import recorded
from core.strategy.actions import FetchWindow
from core.strategy.api import BarStrategy
from core.strategy.runner import StrategyRunner
from core.strategy.windows import StrategyConfig
from tests.unit.runs.live_desk import live

SYMBOL = "X/USD"


def minute(number: int) -> Bar:
    close = 100.0 + number
    return Bar(SYMBOL, number * MINUTE_NS, (number + 1) * MINUTE_NS, close, close, close, close, 1.0)


def bars_of(own: str, *larger: str) -> LiveBars:
    bars = LiveBars((SYMBOL,), Timeframe.parse(own))

    class Asks(BarStrategy):
        timeframes = larger

    runner = StrategyRunner(Asks(), StrategyConfig(symbols=(SYMBOL,), timeframe=own, params={}, cash=1), bars.window)  # type: ignore[arg-type]
    runner.initialize()
    bars.prepare(runner)
    return bars


def seen(bars: LiveBars, timeframe: str) -> list[tuple[int, float]]:
    """The bars that the strategy sees: the minute at which each begins, and its close."""
    window = bars.window(FetchWindow(SYMBOL, 1_000, timeframe))
    return list(zip((window.start_ns // MINUTE_NS).tolist(), window.close.tolist(), strict=True))


@pytest.mark.parametrize("is_live", [True, False])
@pytest.mark.parametrize(("own", "larger"), [("5m", ()), ("1m", ("5m",))])
def test_a_minute_of_a_bar_that_was_made_is_left_out_of_all(own: str, larger: tuple[str, ...], is_live: bool) -> None:
    bars = bars_of(own, *larger)
    for number in range(4):
        assert bars.add(one_bar(minute(number)), is_live=True) == []
    bars.ended(5 * MINUTE_NS)
    assert seen(bars, "5m") == [(0, 103.0)]
    assert bars.add(one_bar(minute(4)), is_live=is_live) == [4 * MINUTE_NS]
    for number in range(5, 10):
        assert bars.add(one_bar(minute(number)), is_live=True) == []
        bars.ended((number + 1) * MINUTE_NS)
    assert seen(bars, "5m") == [(0, 103.0), (5, 109.0)]
    if own == "1m":
        assert [at for at, _ in seen(bars, "1m")] == [0, 1, 2, 3, 5, 6, 7, 8, 9]


def test_a_live_minute_after_the_decision_at_its_end_is_left_out_and_one_of_the_history_is_not() -> None:
    bars = bars_of("1m")
    bars.add(one_bar(minute(0)), is_live=True)
    bars.ended(2 * MINUTE_NS)
    assert bars.add(one_bar(minute(1)), is_live=True) == [MINUTE_NS]
    bars.ended(3 * MINUTE_NS)
    assert bars.add(one_bar(minute(2))) == []  # of a gap: it is seen, and not decided on
    bars.ended(4 * MINUTE_NS)
    assert [at for at, _ in seen(bars, "1m")] == [0, 2]


@pytest.mark.parametrize(("own", "larger"), [("5m", ()), ("1m", ("5m",))])
def test_no_bar_is_made_of_what_a_gap_left(own: str, larger: tuple[str, ...]) -> None:
    bars = bars_of(own, *larger)
    for number in range(3):
        bars.add(one_bar(minute(number)), is_live=True)
    bars.ended(5 * MINUTE_NS, gaps=(SYMBOL,))
    assert seen(bars, "5m") == []
    for number in (3, 4, 5):
        assert bars.add(one_bar(minute(number))) == []
    bars.ended(6 * MINUTE_NS)
    assert seen(bars, "5m") == [(0, 104.0)]


def test_a_minute_that_comes_after_the_next_one_takes_its_place_or_is_told_once() -> None:
    bars = bars_of("1m")
    for number in (0, 2, 1, 1, 2):
        assert bars.add(one_bar(minute(number)), is_live=True) == []
    bars.ended(3 * MINUTE_NS)
    assert seen(bars, "1m") == [(0, 100.0), (1, 101.0), (2, 102.0)]
    for number in (4, 0, 1, 2, 4):
        assert bars.add(one_bar(minute(number)), is_live=True) == []  # they came
    bars.ended(5 * MINUTE_NS)
    assert bars.add(one_bar(minute(3)), is_live=True) == [3 * MINUTE_NS]
    assert bars.add(one_bar(minute(3)), is_live=True) == []
    assert [at for at, _ in seen(bars, "1m")] == [0, 1, 2, 4]


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(("1m", "5m")))
def test_in_whatever_order_and_however_often_they_come_no_bar_is_made_twice_or_lost_untold(data: st.DataObject, own: str) -> None:
    bars, told, came, ended = bars_of(own, "15m"), set[int](), set[int](), 0
    numbers = data.draw(st.lists(st.integers(0, 40), max_size=60))
    for number in sorted(numbers, key=lambda one: one + data.draw(st.sampled_from((0.0, 0.0, 1.5, 3.5)))):
        told.update(start_ns // MINUTE_NS for start_ns in bars.add(one_bar(minute(number)), is_live=True))
        came.add(number)
        if data.draw(st.booleans()):
            ended = max(ended, number + 1)
            bars.ended(ended * MINUTE_NS)
    bars.ended(60 * MINUTE_NS)
    kept = came - told
    for timeframe, length in ((own, int(own[:-1])), ("15m", 15)):
        made = seen(bars, timeframe)
        assert [at for at, _ in made] == sorted({number // length * length for number in kept})
        assert all(close == 100.0 + max(one for one in kept if one // length * length == at) for at, close in made)


def lag(monkeypatch: pytest.MonkeyPatch, is_late: Callable[[Bar], bool], delay_s: float) -> None:
    """Let the stream of the broker bring some minutes later than a decision waits for them."""
    real = InsideStreams.market

    async def market(self: InsideStreams, watch: Watch, on_tick: Callable[[Tick], None], on_status: Callable[[StreamStatus], None]) -> None:
        loop = asyncio.get_running_loop()

        def tell(tick: Tick) -> None:
            if isinstance(tick, LiveBar) and tick.kind is BarKind.FINAL and is_late(tick.bar):
                loop.call_later(delay_s, on_tick, tick)
            else:
                on_tick(tick)

        await real(self, watch, tell, on_status)

    monkeypatch.setattr(InsideStreams, "market", market)


@pytest.mark.parametrize("timeframe", ["5m", "1m"])
async def test_what_a_run_saw_is_recorded_and_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timeframe: str) -> None:
    monkeypatch.setattr("core.runs.minute_feed.GRACE_S", 0.03)
    monkeypatch.setattr("core.runs.order_handling.GRACE_S", 0.03)
    lag(monkeypatch, lambda bar: bar.start_ns // MINUTE_NS % 5 == 4, 0.12)
    async with live(tmp_path, speed=240.0) as scene:
        scene.strategy()
        run = await scene.over(await scene.start(minutes=21, timeframe=timeframe))
        assert (run.status, run.error) == (RunStatus.COMPLETED, None)
        late = [event.payload for event in await scene.store.log.read(run_id=run.id, pattern=MinuteLate.wire)]
        assert late
        kept = await scene.store.bars.read(recorded(run.id, "DEMO/USD", timeframe))
        assert np.all(np.diff(kept.start_ns) > 0)
        told = await parity_of(run.id, runs=scene.runs, store=scene.store)
        assert told.divergence is None, told.divergence.sentence
        assert told.decisions > 0


@pytest.mark.parametrize(
    "wrong", [{"start_ns": 100_000 * DAY_NS, "end_ns": 100_000 * DAY_NS + MINUTE_NS}, {"low": 1e9}, {"close": 0.0, "low": 0.0}]
)
async def test_a_bar_of_nonsense_is_seen_by_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]) -> None:
    real = InsideStreams.market

    async def market(self: InsideStreams, watch: Watch, on_tick: Callable[[Tick], None], on_status: Callable[[StreamStatus], None]) -> None:
        def tell(tick: Tick) -> None:
            if isinstance(tick, LiveBar) and tick.kind is BarKind.FINAL:
                on_tick(LiveBar(bar=msgspec.structs.replace(tick.bar, **wrong), kind=BarKind.FINAL))
            on_tick(tick)

        await real(self, watch, tell, on_status)

    monkeypatch.setattr(InsideStreams, "market", market)
    async with live(tmp_path, speed=600.0) as scene:
        scene.strategy()
        run = await scene.over(await scene.start(minutes=8))
        assert (run.status, run.error) == (RunStatus.COMPLETED, None)
        kept = await scene.store.bars.read(recorded(run.id, "DEMO/USD", "1m"))
        assert len(sound(kept)) == len(kept) > 8
        assert set(np.diff(kept.start_ns).tolist()) == {MINUTE_NS}
        assert len(await scene.store.runs.fills(run.id)) > 2
