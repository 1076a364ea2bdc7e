"""A gap in the bars of one symbol: the others are decided on in time, in their order, and a replay sees what the run saw."""

from pathlib import Path

import pytest

from core.events.live_payloads import BarsPassed
from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS
from core.model.market import AssetClass
from core.model.run import RunStatus
from core.runs.parity import parity_of
from core.runs.recorded_bars import recorded
from tests.unit.runs.live_desk import LiveScene, live
from tests.unit.runs.one_line_down import Lines, breakable

SYMBOLS = ("DEMO/USD", "DEMO")
"""The first one's line breaks."""
MONDAY_NS = 20_003 * DAY_NS + 15 * HOUR_NS
"""In New York's hours: larger bars of shares are made of those."""
WITNESS = '''
from core.strategy.api import Bar, BarStrategy, ema


class Witness(BarStrategy):
    """Asks, whenever it is called, for what says all that it knows of its symbols."""

    id = "two-witness"
    symbols = 2
    warmup = 3
    timeframes = ("5m",)
    calls = 0

    def setup(self):
        self.averages = {symbol: self.indicator(ema, self.column("close", symbol), 3) for symbol in self.config.symbols}
        self.larger = {symbol: self.indicator(ema, self.column("close", symbol, timeframe="5m"), 1) for symbol in self.config.symbols}

    def on_larger_bar(self, bar: Bar, timeframe: str) -> None:
        self.calls += 10
        self.buy(0.01, symbol=bar.symbol, limit=round(1 + self.calls / 1_000 + bar.close / 1e9, 9), time_in_force="ioc")

    def on_bars(self, bars) -> None:
        self.calls += 1
        for symbol in self.config.symbols:
            values = (self.averages[symbol].value / 1e7, self.averages[symbol][-2] / 1e8, self.larger[symbol].value / 1e9)
            knows = sum(value for value in values if value == value)
            told = 0.5 if symbol in bars else 0.25
            self.buy(0.01, symbol=symbol, limit=round(1 + told + self.calls / 1_000 + knows, 9), time_in_force="ioc")
'''


async def decisions(scene: LiveScene, run_id: str) -> dict[int, list[str]]:
    """The symbols that a bar was told of at each decision time."""
    found: dict[int, list[str]] = {}
    for event in await scene.store.log.read(run_id=run_id, pattern="strategy.PlaceRequest", limit=10_000):
        request = event.payload.request  # type: ignore[attr-defined]
        if float(request.limit_price) % 1 >= 0.5:
            found.setdefault(event.ts, []).append(request.symbol)
    return found


async def broken(scene: LiveScene, lines: Lines, minutes: int, *, history: bool) -> None:
    """Break the first symbol's line for so many minutes; without `history` that cannot be asked either, for two minutes longer."""
    lines.cut(AssetClass.CRYPTO)
    if not history:
        lines.unanswered.add(SYMBOLS[0])
    await scene.clock.sleep_until((scene.clock.now_ns() // MINUTE_NS + minutes) * MINUTE_NS + MINUTE_NS // 2)
    lines.mend(AssetClass.CRYPTO)
    if not history:
        await scene.clock.sleep_until(scene.clock.now_ns() + 2 * MINUTE_NS)
        lines.unanswered.clear()


@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize("timeframe", ["1m", "5m"])
async def test_the_other_symbol_is_decided_on_as_if_nothing_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timeframe: str, history: bool
) -> None:
    monkeypatch.setattr("core.runs.minute_feed.GRACE_S", 0.02)
    (tmp_path / "two_witness.py").write_text(WITNESS if timeframe == "1m" else WITNESS.replace('"5m"', '"15m"'))
    with breakable() as lines:
        async with live(tmp_path, speed=600.0, begins_ns=MONDAY_NS - MINUTE_NS // 2) as scene:
            created = await scene.start("two-witness", minutes=60, symbols=SYMBOLS, timeframe=timeframe)
            await scene.until("strategy.PlaceRequest", 6)
            await broken(scene, lines, 4, history=history)
            await scene.clock.sleep_until(scene.clock.now_ns() + 7 * MINUTE_NS)
            await broken(scene, lines, 9, history=history)
            run = await scene.over(created)
            assert (run.status, run.error) == (RunStatus.COMPLETED, None)
            passed = [event.payload for event in await scene.store.log.read(run_id=run.id, pattern=BarsPassed.wire)]
            assert passed
            assert {one.symbols for one in passed if isinstance(one, BarsPassed)} == {("DEMO/USD",)}
            decided = await decisions(scene, run.id)
            bars = {symbol: await scene.store.bars.read(recorded(run.id, symbol, timeframe)) for symbol in SYMBOLS}
            # All were recorded, and none of the other symbol was passed over.
            assert bars["DEMO"].start_ns.tolist() == bars["DEMO/USD"].start_ns.tolist()
            step_ns = int(bars["DEMO"].start_ns[1] - bars["DEMO"].start_ns[0])
            assert run.first_bar_ns is not None
            ends = {start_ns + step_ns for start_ns in bars["DEMO"].start_ns.tolist() if start_ns >= run.first_bar_ns}
            assert {at for at, symbols in decided.items() if "DEMO" in symbols} == ends
            told = {at for at, symbols in decided.items() if "DEMO/USD" in symbols}
            missed = {at for at in ends if any(one.since_ns < at <= one.until_ns for one in passed if isinstance(one, BarsPassed))}
            assert told == ends - missed
            assert missed
            parity = await parity_of(run.id, runs=scene.runs, store=scene.store)
            assert parity.causes == ()
            assert parity.divergence is None, parity.divergence.sentence
            assert parity.decisions == parity.same > 2 * len(ends)
