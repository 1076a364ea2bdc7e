"""Parity of runs on bars longer than a minute: their orders meet the market within their bars, and Greta's meet the recorded minutes."""

import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.events.live_payloads import BarsPassed
from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS
from core.model.market import AssetClass, Timeframe
from core.model.parity import Parity
from core.model.run import Run, RunStatus
from core.runs.parity import parity_of
from core.runs.recorded_bars import minutes_of, recorded
from tests.integration.runs.larger_bar_strategies import AT_RANDOM, BODIES, HEAD
from tests.unit.runs.lasting import MARGIN, lasting
from tests.unit.runs.live_desk import LiveScene, live
from tests.unit.runs.one_line_down import breakable

LONG = pytest.mark.soak
MONDAY_NS = 20_003 * DAY_NS + 14 * HOUR_NS + 30 * MINUTE_NS
"""An hour after New York opens: larger bars of shares are made of its hours."""
BEGINS_NS = MONDAY_NS - MINUTE_NS // 2


async def lived(scene: LiveScene, bars: int, *, timeframe: str, **changes: Any) -> Run:
    """Return a run on so many bars that is over."""
    created = await scene.start("larger", minutes=bars * Timeframe.parse(timeframe).ns // MINUTE_NS, timeframe=timeframe, **changes)
    assert created.config.end_ns is not None
    await scene.clock.sleep_until(created.config.end_ns)
    return await scene.over(created)


async def compared(scene: LiveScene, run: Run) -> Parity:
    """Return what its comparison says: every decision is Greta's, and every fill, at the same price."""
    assert run.status in {RunStatus.COMPLETED, RunStatus.STOPPED}, run.error
    parity = await parity_of(run.id, runs=scene.runs, store=scene.store)
    assert parity.causes == ()
    assert parity.divergence is None, parity.divergence.sentence
    assert parity.fill_divergence is None, parity.fill_divergence.sentence
    assert parity.decisions == parity.same == parity.replayed
    assert parity.compared_fills > 5
    assert parity.slippage_bps == parity.worst_slippage_bps == 0
    assert parity.matched_on == "1m"
    return parity


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize(("timeframe", "bars"), [("5m", 30), pytest.param("15m", 20, marks=LONG), pytest.param("1h", 12, marks=LONG)])
async def test_exits_and_waiting_orders_fill_within_larger_bars_as_with_greta(tmp_path: Path, name: str, timeframe: str, bars: int) -> None:
    (tmp_path / "larger.py").write_text(HEAD + BODIES[name])
    async with lasting(tmp_path, speed=60.0, begins_ns=BEGINS_NS) as scene:
        symbol = "DEMO" if name == "shorts" else "DEMO/USD"
        await compared(scene, await lived(scene, bars, timeframe=timeframe, account=MARGIN, symbols=(symbol,)))


@pytest.mark.parametrize(
    ("symbols", "shorts"), [(("DEMO", "DEMO-B"), True), pytest.param(("DEMO/USD", "DEMO", "DEMO-B"), False, marks=LONG)]
)
@pytest.mark.parametrize(
    ("timeframe", "bars", "seed"),
    [("5m", 50, 1), pytest.param("5m", 50, 2, marks=LONG), pytest.param("15m", 30, 3, marks=LONG), ("1h", 18, 4)],
)
async def test_whatever_is_asked_for(
    tmp_path: Path, timeframe: str, bars: int, seed: int, symbols: tuple[str, ...], *, shorts: bool
) -> None:
    (tmp_path / "larger.py").write_text(HEAD + AT_RANDOM.replace("{shorts}", str(shorts)))
    terms: dict[str, Any] = {"account": MARGIN, "cash": Decimal(10_000_000)}
    async with lasting(tmp_path, speed=60.0, begins_ns=BEGINS_NS) as scene:
        await compared(scene, await lived(scene, bars, timeframe=timeframe, seed=seed, symbols=symbols, **terms))


def killed(folder: Path, timeframe: str, dies: float) -> None:
    """Let a run begin in a process that is killed so many minutes later."""
    told = (folder, BEGINS_NS, MONDAY_NS + round(dies * MINUTE_NS), "larger", timeframe, "DEMO/USD")
    command = [sys.executable, "-m", "tests.integration.trading.dying_in_a_bar", *map(str, told)]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL


@pytest.mark.parametrize(("timeframe", "dies", "goes_on"), [("5m", 63.4, 64.4), ("15m", 127.4, 128.4)])
async def test_a_run_that_was_killed_within_a_bar_and_went_on(tmp_path: Path, timeframe: str, dies: float, goes_on: float) -> None:
    (tmp_path / "larger.py").write_text(HEAD + BODIES["brackets"])
    killed(tmp_path, timeframe, dies)
    async with lasting(tmp_path, begins_ns=MONDAY_NS + round(goes_on * MINUTE_NS)) as desk:
        (run,) = await desk.runs.recover()
        await desk.runs.resume(run.id)
        await desk.clock.sleep_until(MONDAY_NS + 250 * MINUTE_NS)
        await desk.runs.stop(run.id)
        minutes = await desk.store.bars.read(minutes_of(recorded(run.id, "DEMO/USD", timeframe)))
        assert set(range(MONDAY_NS, int(minutes.start_ns[-1]), MINUTE_NS)) <= set(minutes.start_ns.tolist())
        await compared(desk, await desk.runs.get(run.id))


@pytest.mark.parametrize("history", [True, False])
async def test_a_gap_of_one_symbol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, history: bool) -> None:
    monkeypatch.setattr("core.runs.minute_feed.GRACE_S", 0.02)
    (tmp_path / "larger.py").write_text(HEAD + AT_RANDOM.replace("{shorts}", "False"))
    with breakable() as lines:
        async with live(tmp_path, speed=60.0, begins_ns=BEGINS_NS) as scene:
            symbols, end_ns = ("DEMO/USD", "DEMO"), MONDAY_NS + 200 * MINUTE_NS
            created = await scene.start("larger", minutes=200, timeframe="5m", symbols=symbols, seed=5, cash=Decimal(10_000_000))
            for begins, ends in ((47, 58), (101, 103), (131, 152)):
                await scene.clock.sleep_until(MONDAY_NS + begins * MINUTE_NS + MINUTE_NS // 2)
                lines.cut(AssetClass.CRYPTO)
                lines.unanswered.update(() if history else symbols[:1])
                await scene.clock.sleep_until(MONDAY_NS + ends * MINUTE_NS + MINUTE_NS // 2)
                lines.mend(AssetClass.CRYPTO)
                lines.unanswered.clear()
            await scene.clock.sleep_until(end_ns)
            run = await scene.over(created)
            passed = [event.payload for event in await scene.store.log.read(run_id=run.id, pattern=BarsPassed.wire)]
            assert {one.symbols for one in passed if isinstance(one, BarsPassed)} == {symbols[:1]}
            await compared(scene, run)


async def test_a_run_whose_minutes_were_not_recorded_is_matched_on_its_own_bars(tmp_path: Path) -> None:
    (tmp_path / "larger.py").write_text(HEAD + BODIES["trails"])
    async with live(tmp_path, speed=60.0, begins_ns=BEGINS_NS) as scene:
        run = await lived(scene, 12, timeframe="5m")
        own = recorded(run.id, "DEMO/USD", "5m")
        minutes = await scene.store.bars.read(minutes_of(own))
        assert minutes.start_ns.tolist() == [MONDAY_NS + at * MINUTE_NS for at in range(60)]  # those of the warm-up are not its own
        await compared(scene, run)
        await scene.store.bars.delete(minutes_of(own))
        assert (await parity_of(run.id, runs=scene.runs, store=scene.store)).matched_on == "5m"
        # One that went on after minutes began to be recorded has them for its end alone.
        await scene.store.bars.merge(minutes_of(own), minutes.slice(30, 60), simulated=True)
        told = await parity_of(run.id, runs=scene.runs, store=scene.store)
        assert (told.matched_on, told.causes) == ("5m", ())
        await scene.runs.delete(run.id)
        assert await scene.store.bars.sets() == []
