"""Parity: a paper run's own bars through Greta give the same decisions, and where not, the first that differs is named."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import RunError
from core.model.order import OrderStatus, RejectCode
from core.model.run import RunConfig, RunStatus
from core.runs.parity import parity_of
from core.runs.recorded_bars import recorded
from tests.unit.runs.live_desk import live


@pytest.mark.parametrize(
    ("strategy", "changes"),
    [("plain", {}), ("sma-cross", {"params": {"fast": 2, "slow": 4, "qty": "1"}}), ("plain", {"timeframe": "5m"})],
)
async def test_a_run_on_the_simulated_market_decides_as_greta_does(tmp_path: Path, strategy: str, changes: dict[str, object]) -> None:
    async with live(tmp_path, speed=600.0) as scene:
        scene.strategy()
        minutes = 30 if changes.get("timeframe") == "5m" else 14
        run = await scene.over(await scene.start(strategy, minutes=minutes, **changes))
        assert run.status is RunStatus.COMPLETED, run.error
        parity = await parity_of(run.id, runs=scene.runs, store=scene.store)
        assert parity.causes == ()
        assert parity.divergence is None, parity.divergence.sentence
        assert parity.decisions == parity.replayed == parity.same
        assert parity.is_same
        if strategy == "plain":
            assert parity.decisions > 3
            assert parity.compared_fills > 1
            assert parity.slippage_bps is not None
            assert abs(parity.slippage_bps) < 50


BIDS = """
from core.strategy.api import Bar, BarStrategy


class Bids(BarStrategy):
    \"\"\"Takes its bid back at every bar and makes a new one; has a target and a stop when it holds.\"\"\"

    id = "bids"
    warmup = 2

    def on_bar(self, bar: Bar) -> None:
        for ref in self.account.working():
            self.cancel(ref)
        if self.held():
            self.sell(self.held(), limit=round(bar.close * 1.0002, 2))
        else:
            self.buy(0.5, limit=round(bar.close * 0.9999, 2))
"""
ALL_IN = """
from core.strategy.api import Bar, BarStrategy


class AllIn(BarStrategy):
    \"\"\"Wants everything and a little more at every third bar, and sells twice what it holds.\"\"\"

    id = "all-in"
    warmup = 2
    bars = 0

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        share = (0.5, 1.0, 1.01)[self.bars % 3]
        if self.held():
            self.sell(self.held())
            self.sell(self.held())
        else:
            self.buy(round(share * float(self.account.cash) / bar.close, 6))
"""


MOVES = """
from core.strategy.api import Bar, BarStrategy


class Moves(BarStrategy):
    \"\"\"Moves a bid to the market, but now and then above its own target, which is refused; then begins again.\"\"\"

    id = "moves"
    warmup = 2
    bars = 0

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        if self.held():
            self.close_position()
        elif not self.account.working():
            self.buy(0.1, limit=round(bar.close * 0.99, 2), target=round(bar.close * 1.0, 2), time_in_force="gtc", ref=f"bid{self.bars}")
            self.bid = f"bid{self.bars}"
        elif self.bars % 4 == 2:
            self.replace(self.bid, limit=round(bar.close * 1.05, 2))
        elif self.bars % 4 == 3:
            self.replace(self.bid, limit=round(bar.close * 0.99, 2))
        else:
            self.cancel(self.bid)
"""
CLOSES = """
from core.strategy.api import Bar, BarStrategy


class Closes(BarStrategy):
    \"\"\"Buys with exits far away, sells a part and then the rest itself, and buys again as soon as nothing works any more.\"\"\"

    id = "closes"
    warmup = 2
    bars = 0

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        if float(self.held()) == 0.3:
            self.sell(0.1)
        elif self.held():
            self.close_position()
        elif not self.account.working():
            self.buy(0.3, target=round(bar.close * 1.5, 2), stop_loss=round(bar.close * 0.5, 2))
"""


@pytest.mark.parametrize(("name", "text"), [("bids", BIDS), ("all-in", ALL_IN), ("moves", MOVES), ("closes", CLOSES)])
async def test_waiting_orders_and_refused_ones_do_not_part_it_from_greta(
    tmp_path: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.brokers.sim.STANDS_S", 60.0)  # half of each minute to decide in: no latency on a busy machine either
    (tmp_path / f"{name.replace('-', '_')}.py").write_text(text)
    async with live(tmp_path, speed=150.0) as scene:
        run = await scene.over(await scene.start(name, minutes=36, cash=Decimal(50_000)))
        assert run.status is RunStatus.COMPLETED, run.error
        parity = await parity_of(run.id, runs=scene.runs, store=scene.store)
        assert parity.causes == ()
        assert parity.divergence is None, parity.divergence.sentence
        assert parity.decisions == parity.same > 25
        orders = await scene.store.runs.orders(run.id)
        filled = [order for order in orders if order.status is OrderStatus.FILLED]
        codes = {order.reject_code for order in orders} - {None}
        if name == "moves":
            refused = await scene.store.log.read(run_id=run.id, pattern="orders.ReplaceRefused")
            assert len(refused) > 5
            assert not filled
        elif name == "closes":
            assert len([order for order in filled if order.request.side == "buy"]) > 8
            assert sum(order.status is OrderStatus.CANCELLED for order in orders if order.parent_id) > 16
            assert parity.worst_slippage_bps == 0
        elif name == "bids":
            assert len(filled) > 5
            assert any(order.status is OrderStatus.CANCELLED for order in orders)
            assert parity.fills == parity.replayed_fills
            assert parity.worst_slippage_bps == 0
        else:
            assert codes == {RejectCode.INSUFFICIENT_CASH, RejectCode.INSUFFICIENT_POSITION}


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
            self.sell(1, trail=round(bar.close * 0.0004, 2), time_in_force="gtc")
"""
BRACKETS = """
from core.strategy.api import Bar, BarStrategy


class Brackets(BarStrategy):
    \"\"\"Buys with exits so near that both are often reached in one minute.\"\"\"

    id = "brackets"
    warmup = 2

    def on_bar(self, bar: Bar) -> None:
        if not self.account.working() and not self.held():
            self.buy(1, target=round(bar.close * 1.0003, 2), stop_loss=round(bar.close * 0.9997, 2))
"""
PAIRS = """
from core.strategy.api import Bar, BarStrategy


class Pairs(BarStrategy):
    \"\"\"Leaves by a limit and a stop of which one cancels the other.\"\"\"

    id = "pairs"
    warmup = 2

    def on_bar(self, bar: Bar) -> None:
        if not self.held():
            self.buy(1)
        elif not self.account.working():
            self.oco("sell", 1, limit=round(bar.close * 1.0004, 2), stop=round(bar.close * 0.9996, 2), time_in_force="gtc")
"""


@pytest.mark.parametrize(("name", "text"), [("trails", TRAILS), ("brackets", BRACKETS), ("pairs", PAIRS)])
@pytest.mark.parametrize("symbol", ["DEMO", "DEMO/USD"])
async def test_what_hangs_on_the_path_inside_a_minute_fills_as_with_greta(tmp_path: Path, name: str, text: str, symbol: str) -> None:
    (tmp_path / f"{name}.py").write_text(text)
    async with live(tmp_path, speed=60.0) as scene:
        run = await scene.over(await scene.start(name, minutes=40, symbols=(symbol,)))
        assert run.status is RunStatus.COMPLETED, run.error
        parity = await parity_of(run.id, runs=scene.runs, store=scene.store)
        assert parity.causes == ()
        assert parity.divergence is None, parity.divergence.sentence
        assert parity.fill_divergence is None, parity.fill_divergence.sentence
        assert parity.decisions == parity.same > 30
        assert parity.compared_fills > 20
        assert parity.worst_slippage_bps == 0


async def test_the_first_divergence_is_named(tmp_path: Path) -> None:
    async with live(tmp_path, speed=600.0) as scene:
        scene.strategy()
        run = await scene.over(await scene.start(minutes=8))
        # Somebody corrects a bar: what the run saw is no longer what is replayed.
        key = recorded(run.id, "DEMO/USD", "1m")
        bars = await scene.store.bars.read(key)
        last = bars.slice(len(bars) - 2, len(bars) - 1)
        await scene.store.bars.merge(key, replace(last, close=last.low - 1, low=last.low - 1))
        parity = await parity_of(run.id, runs=scene.runs, store=scene.store)
        assert parity.divergence is not None
        assert 0 < parity.same < parity.decisions
        assert f"Decision {parity.same + 1} is not the same." in parity.divergence.sentence


async def test_what_cannot_be_compared_says_why(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy()
        run = await scene.over(await scene.start(minutes=6))
        backtest = await scene.runs.create(RunConfig(strategy_id="plain", symbols=("DEMO/USD",), timeframe="1m", source=f"run-{run.id}"))
        with pytest.raises(RunError, match="is a backtest"):
            await parity_of(backtest.id, runs=scene.runs, store=scene.store)
        scene.strategy("self.note('changed')")
        changed = await parity_of(run.id, runs=scene.runs, store=scene.store)
        assert [cause.what for cause in changed.causes] == ["strategy"]
        scene.strategy()
        await scene.store.bars.delete(recorded(run.id, "DEMO/USD", "1m"))
        gone = await parity_of(run.id, runs=scene.runs, store=scene.store)
        assert [cause.what for cause in gone.causes] in (["run"], ["bars"])
        assert not gone.is_same
