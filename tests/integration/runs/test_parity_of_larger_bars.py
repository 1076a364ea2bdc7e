"""Parity of runs on bars longer than a minute: their orders meet the market within their bars, and Greta's meet the recorded minutes."""

from pathlib import Path

import pytest

from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS
from core.model.market import Timeframe
from core.model.order import OrderStatus
from core.model.parity import Parity
from core.model.run import AccountKind, AccountTerms, Run, RunStatus
from core.runs.parity import parity_of
from core.runs.recorded_bars import minutes_of, recorded
from tests.unit.runs.live_desk import LiveScene, live

MONDAY_NS = 20_003 * DAY_NS + 14 * HOUR_NS + 29 * MINUTE_NS + MINUTE_NS // 2
"""Half a minute before New York opens: larger bars of shares are made of its hours."""
SHORT = AccountTerms(kind=AccountKind.MARGIN)
HEAD = """
from core.strategy.api import Bar, BarStrategy


class Strategy(BarStrategy):
    id = "larger"
    warmup = 2
    symbols = 0
    bars = 0
"""
BODIES = {
    "trails": """
    def on_bar(self, bar: Bar) -> None:
        held = self.held(bar.symbol)
        if not held:
            self.buy(1, symbol=bar.symbol)
        elif not self.account.working():
            self.sell(1, symbol=bar.symbol, trail=round(bar.close * 0.0008, 2), time_in_force="gtc")
""",
    "brackets": """
    def on_bar(self, bar: Bar) -> None:
        if not self.account.working() and not self.held():
            self.buy(1, target=round(bar.close * 1.0008, 2), stop_loss=round(bar.close * 0.9992, 2))
""",
    "pairs": """
    def on_bar(self, bar: Bar) -> None:
        if not self.held():
            self.buy(1)
        elif not self.account.working():
            self.oco("sell", 1, limit=round(bar.close * 1.0007, 2), stop=round(bar.close * 0.9993, 2), time_in_force="gtc")
""",
    "limits": """
    def on_bar(self, bar: Bar) -> None:
        if not self.account.working():
            side, price = (self.sell, 1.0006) if self.held() else (self.buy, 0.9994)
            side(1, limit=round(bar.close * price, 2), time_in_force="gtc")
""",
    "shorts": """
    def on_bar(self, bar: Bar) -> None:
        if not self.account.working() and not self.held():
            self.sell(1, target=round(bar.close * 0.9986, 2), stop_loss=round(bar.close * 1.0006, 2), time_in_force="gtc")
""",
}
EVERYTHING = """
    def on_bars(self, bars) -> None:
        chance = self.random
        for symbol, bar in bars.items():
            near = lambda by: round(bar.close * (1 + by), 2)
            far = float(chance.uniform(0.0002, 0.0015))
            buys = bool(chance.random() < 0.5)
            side, way = (self.buy, 1) if buys else (self.sell, -1)
            qty = int(chance.integers(1, 4))
            life = str(chance.choice(["gtc", "day"]))
            self.bars += 1
            ref = f"r{self.bars}"
            working = self.account.working()
            what = int(chance.integers(0, 11))
            if len(working) > 12:
                self.cancel(working[int(chance.integers(0, len(working)))])
            elif what == 0:
                side(qty, symbol=symbol, ref=ref)
            elif what == 1:
                side(qty, symbol=symbol, limit=near(-way * far), time_in_force=life, ref=ref)
            elif what == 2:
                side(qty, symbol=symbol, stop=near(way * far), time_in_force=life, ref=ref)
            elif what == 3:
                side(qty, symbol=symbol, stop=near(way * far), limit=near(way * far * 1.2), time_in_force=life, ref=ref)
            elif what == 4:
                side(qty, symbol=symbol, trail=round(bar.close * far, 2), time_in_force=life, ref=ref)
            elif what == 5:
                side(qty, symbol=symbol, target=near(way * far), stop_loss=near(-way * far), ref=ref)
            elif what == 6:
                side(qty, symbol=symbol, limit=near(-way * far), target=near(way * far), stop_loss=near(-way * far * 3), time_in_force=life, ref=ref)
            elif what == 7:
                self.oco("buy" if buys else "sell", qty, symbol=symbol, limit=near(-way * far), stop=near(way * far), time_in_force=life)
            elif what == 8 and working:
                self.cancel(working[int(chance.integers(0, len(working)))])
            elif what == 9:
                self.close_position(symbol)
            elif what == 10 and self.limits_of(working):
                self.replace(self.limits_of(working)[0], limit=near(-way * far))

    def limits_of(self, working):
        return [ref for ref in working if ref in self.waiting]

    waiting = frozenset()
"""


async def compared(scene: LiveScene, bars: int, *, timeframe: str, **changes: object) -> tuple[Run, Parity]:
    minutes = bars * Timeframe.parse(timeframe).ns // MINUTE_NS
    created = await scene.start("larger", minutes=minutes, timeframe=timeframe, **changes)
    assert created.config.end_ns is not None
    await scene.clock.sleep_until(created.config.end_ns)
    run = await scene.over(created)
    assert run.status is RunStatus.COMPLETED, run.error
    parity = await parity_of(run.id, runs=scene.runs, store=scene.store)
    print(parity)
    assert parity.causes == ()
    assert parity.divergence is None, parity.divergence.sentence
    assert parity.fill_divergence is None, parity.fill_divergence.sentence
    assert parity.decisions == parity.same == parity.replayed
    assert parity.worst_slippage_bps == 0
    assert parity.matched_on == "1m"
    assert parity.compared_fills > 5
    return run, parity


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize(("timeframe", "bars"), [("5m", 40), ("15m", 24), ("1h", 12)])
async def test_exits_and_waiting_orders_fill_within_larger_bars_as_with_greta(tmp_path: Path, name: str, timeframe: str, bars: int) -> None:
    (tmp_path / "larger.py").write_text(HEAD + BODIES[name])
    async with live(tmp_path, speed=60.0) as scene:
        _, parity = await compared(scene, bars, timeframe=timeframe, account=SHORT)
        assert parity.decisions > bars // 4
        assert parity.compared_fills > bars // 4


import os
SEEDS = eval(os.environ.get("SEEDS", "range(3)"))
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("timeframe", "bars"), [("5m", 40), ("15m", 24), ("1h", 12), ("1m", 60)])
async def test_whatever_is_asked_for(tmp_path: Path, timeframe: str, bars: int, seed: int) -> None:
    (tmp_path / "larger.py").write_text(HEAD + EVERYTHING)
    symbols = (("DEMO/USD",), ("DEMO", "DEMO-B"), ("DEMO/USD", "DEMO", "DEMO-B"))[seed % 3]
    async with live(tmp_path, speed=60.0, begins_ns=MONDAY_NS) as scene:
        _, parity = await compared(scene, bars, timeframe=timeframe, account=SHORT, seed=seed, symbols=symbols)
