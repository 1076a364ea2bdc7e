"""Parity of runs on bars longer than a minute: their orders met the market within their bars, and Greta's do."""

from pathlib import Path

import pytest

from core.model.run import RunStatus
from core.runs.parity import parity_of
from tests.unit.runs.live_desk import live

TRAILS = """
from core.strategy.api import Bar, BarStrategy


class Trails(BarStrategy):
    \"\"\"Buys again and again, and leaves by a trailing stop.\"\"\"

    id = "trails"
    warmup = 2

    def on_bar(self, bar: Bar) -> None:
        if not self.held():
            self.buy(1)
        elif not self.account.working():
            self.sell(1, trail=round(bar.close * 0.0008, 2), time_in_force="gtc")
"""
BRACKETS = """
from core.strategy.api import Bar, BarStrategy


class Brackets(BarStrategy):
    \"\"\"Buys with exits that are reached within a bar or two.\"\"\"

    id = "brackets"
    warmup = 2

    def on_bar(self, bar: Bar) -> None:
        if not self.account.working() and not self.held():
            self.buy(1, target=round(bar.close * 1.0008, 2), stop_loss=round(bar.close * 0.9992, 2))
"""


@pytest.mark.parametrize(("name", "text"), [("trails", TRAILS), ("brackets", BRACKETS)])
@pytest.mark.parametrize("timeframe", ["5m", "15m", "1h"])
async def test_x(tmp_path: Path, name: str, text: str, timeframe: str) -> None:
    (tmp_path / f"{name}.py").write_text(text)
    bars = {"5m": 60, "15m": 40, "1h": 30}[timeframe]
    n = {"5m": 5, "15m": 15, "1h": 60}[timeframe]
    async with live(tmp_path, speed=60.0) as scene:
        created = await scene.start(name, minutes=bars * n, timeframe=timeframe)
        await scene.clock.sleep_until(created.config.end_ns)
        run = await scene.over(created)
        assert run.status is RunStatus.COMPLETED, run.error
        parity = await parity_of(run.id, runs=scene.runs, store=scene.store)
        print(parity)
        assert parity.causes == ()
        assert parity.divergence is None, parity.divergence.sentence
        assert parity.fill_divergence is None, parity.fill_divergence.sentence
        assert parity.decisions == parity.same > 10
        assert parity.worst_slippage_bps == 0
        assert parity.matched_on == "1m"
