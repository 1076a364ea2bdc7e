"""Parity of runs on bars longer than a minute: their orders meet the market within their bars, and Greta's meet the recorded minutes."""

from decimal import Decimal
from pathlib import Path

import pytest

from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS
from core.model.market import Timeframe
from core.model.order import OrderStatus
from core.model.parity import Parity
from core.model.run import AccountKind, AccountTerms, Run, RunStatus
from core.runs.parity import parity_of
from core.runs.recorded_bars import minutes_of, recorded
from tests.unit.runs.lasting import lasting
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
AT_RANDOM = """
    def setup(self):
        self.mine = {symbol: [] for symbol in self.config.symbols}
        self.shorts = {shorts}

    def on_bars(self, bars) -> None:
        for symbol, bar in bars.items():
            mine = [ref for ref in self.account.working() if ref in self.mine[symbol]]
            if mine:
                self.look_at(mine, bar)
            elif self.held(symbol):
                self.mine[symbol] = self.leave(symbol, bar, self.held(symbol))
            else:
                self.mine[symbol] = self.enter(symbol, bar)

    def near(self, bar, by):
        return round(bar.close * (1 + by), 2)

    def look_at(self, mine, bar):
        if self.random.random() < 0.15:
            self.cancel(mine[int(self.random.integers(0, len(mine)))])

    def enter(self, symbol, bar):
        sells = self.shorts and "/" not in symbol and self.random.random() < 0.5
        side, way = (self.sell, -1) if sells else (self.buy, 1)
        far, wide = float(self.random.uniform(0.0002, 0.001)), float(self.random.uniform(0.0003, 0.0015))
        terms = [
            {},
            {"limit": self.near(bar, -way * far)},
            {"stop": self.near(bar, way * far)},
            {"stop": self.near(bar, way * far), "limit": self.near(bar, way * far * 1.3)},
            {"trail": round(bar.close * far, 2)},
        ][int(self.random.integers(0, 5))]
        terms["time_in_force"] = "gtc"
        has_legs = self.random.random() < 0.7 and "trail" not in terms
        if has_legs:
            terms |= {"target": self.near(bar, way * (far + wide)), "stop_loss": self.near(bar, -way * (far + wide))}
        ref = side(int(self.random.integers(1, 5)), symbol=symbol, **terms)
        return [ref, f"{ref}.target", f"{ref}.stop"] if has_legs else [ref]

    def leave(self, symbol, bar, held):
        side, way = (self.sell, 1) if held > 0 else (self.buy, -1)
        qty = abs(held) if self.random.random() < 0.6 else 1
        far = float(self.random.uniform(0.0002, 0.001))
        what = int(self.random.integers(0, 5))
        if what == 0:
            return [side(qty, symbol=symbol)]
        if what == 1:
            return [side(qty, symbol=symbol, limit=self.near(bar, way * far), time_in_force="gtc")]
        if what == 2:
            return [side(qty, symbol=symbol, stop=self.near(bar, -way * far), time_in_force="gtc")]
        if what == 3:
            return [side(qty, symbol=symbol, trail=round(bar.close * far, 2), time_in_force="gtc")]
        name = "sell" if held > 0 else "buy"
        return list(self.oco(name, qty, symbol=symbol, limit=self.near(bar, way * far), stop=self.near(bar, -way * far), time_in_force="gtc"))
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
@pytest.mark.parametrize(("timeframe", "bars"), [("5m", 60), ("15m", 40), ("1h", 24), ("1m", 100)])
async def test_whatever_is_asked_for(tmp_path: Path, timeframe: str, bars: int, seed: int) -> None:
    symbols = (("DEMO/USD",), ("DEMO", "DEMO-B"), ("DEMO/USD", "DEMO", "DEMO-B"))[seed % 3]
    shorts = seed // 3 % 2 == 0
    (tmp_path / "larger.py").write_text(HEAD + AT_RANDOM.replace("{shorts}", str(shorts)))
    async with lasting(tmp_path, speed=60.0, begins_ns=MONDAY_NS) as scene:
        _, parity = await compared(scene, bars, timeframe=timeframe, account=SHORT, seed=seed, symbols=symbols, cash=Decimal(10_000_000))
