"""A paper run tells what its losses are counted from, and goes on from there when it is taken up."""

from collections.abc import AsyncGenerator, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from core.brokers.sim import ID
from core.events.envelope import envelope
from core.events.live_payloads import EquityMarked
from core.model.broker import AccountName, Print
from core.model.instants import MINUTE_NS
from core.model.market import BarSeries
from core.model.order import RejectCode
from core.model.risk import RiskLimits
from core.model.run import RunConfig, RunMode, RunStatus
from core.runs.equity_marks import EquityMarks
from core.runs.recorded_bars import recorded
from tests.unit.runs.lasting import LastingScene, lasting
from tests.unit.runs.live_desk import live


async def test_a_run_tells_what_its_losses_are_counted_from(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy()
        run = await scene.over(await scene.start(minutes=8))
        last = [told for told in await scene.until("risk.EquityMarked") if told.account is None][-1]
        result = await scene.store.runs.result(run.id)
        assert result is not None
        assert await EquityMarks(scene.store.log, scene.store.runs).newest(run.id) == (last.peak, last.day, last.day_start)
        assert float(last.peak) >= max(result.equity)


async def test_a_run_that_is_taken_up_counts_its_losses_from_where_it_did(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        scene.strategy()
        limits = RiskLimits(max_drawdown=Decimal("0.1"))
        end_ns = (scene.clock.now_ns() // MINUTE_NS + 7) * MINUTE_NS
        config = RunConfig(
            strategy_id="plain", symbols=("DEMO/USD",), timeframe="1m", mode=RunMode.PAPER, broker=ID, end_ns=end_ns, limits=limits
        )
        run = await scene.runs.create(config)
        before = EquityMarked(peak=2 * config.cash, day=1, day_start=config.cash)
        await scene.store.log.append([envelope(before, id="before", ts=0, producer="live", run_id=run.id)])
        over = await scene.over(await scene.runs.start(run.id))
        assert over.status is RunStatus.COMPLETED
        orders = await scene.store.runs.orders(run.id)
        assert {order.reject_code for order in orders} == {RejectCode.RISK_DRAWDOWN}


HOLDS = '''
from core.strategy.api import Bar, BarStrategy


class Holds(BarStrategy):
    """Buys one at each bar."""

    id = "holds"

    def on_bar(self, bar: Bar) -> None:
        self.buy(1)
'''


async def interrupted(scene: LastingScene, limits: RiskLimits) -> str:
    """The id of a run that holds something, and whose program was killed."""
    (scene.folder / "holds.py").write_text(HOLDS)
    config = RunConfig(strategy_id="holds", symbols=("DEMO/USD",), timeframe="1m", mode=RunMode.PAPER, broker=ID, limits=limits)
    run = await scene.runs.start((await scene.runs.create(config)).id)
    await scene.until("orders.Filled")
    over = await scene.runs.stop(run.id)
    async with scene.store.runs.begin() as work:
        work.put_run(msgspec.structs.replace(over, status=RunStatus.INTERRUPTED, ended_ns=None, error=None))
    # It was interrupted days ago: the first equity that is seen moves the mark.
    before = EquityMarked(peak=config.cash, day=1, day_start=config.cash)
    await scene.store.log.append([envelope(before, id="before", ts=0, producer="live", run_id=run.id)])
    return run.id


async def no_trades(symbols: Sequence[str], feed: str | None = None) -> dict[str, Print]:
    return {}


async def test_a_run_that_is_taken_up_knows_the_price_of_what_it_holds_before_it_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lasting(tmp_path) as scene:
        run_id = await interrupted(scene, RiskLimits(max_drawdown=Decimal("0.5")))
        async with scene.runs._desks.open(ID, AccountName.PAPER) as account:
            state = account.desk.state
            state.prices.clear()
            state.price_times.clear()
            monkeypatch.setattr(account.broker.market, "latest_trades", no_trades)  # the history tells it
            known: list[set[str]] = []
            with scene.store.log.subscribe("run.Resumed", lambda _: known.append(set(state.prices)), owner="test"):
                await scene.runs.resume(run_id)
                await scene.until("run.Resumed")
            assert known == [{"DEMO/USD"}]
            await scene.runs.stop(run_id)
        assert await scene.store.log.read(pattern="risk.LossesUnjudged") == []


@pytest.mark.parametrize("has_trade", [True, False], ids=["the last trade is known", "nobody knows a price"])
async def test_who_holds_what_has_no_price_is_told_that_losses_are_not_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_trade: bool
) -> None:
    async with lasting(tmp_path) as scene:
        run_id = await interrupted(scene, RiskLimits(max_drawdown=Decimal("0.5")))
        asked: list[str] = []

        async def nothing(*_: object, **__: object) -> AsyncGenerator[BarSeries, None]:
            for none in tuple[BarSeries, ...]():
                yield none

        async def trades(symbols: Sequence[str], feed: str | None = None) -> dict[str, Print]:
            asked.extend(symbols)
            found = {symbol: Print(symbol=symbol, time_ns=1, price=Decimal(100), size=Decimal(1)) for symbol in symbols}
            return found if has_trade else {}

        async with scene.runs._desks.open(ID, AccountName.PAPER) as account:
            state = account.desk.state
            state.prices.clear()
            state.price_times.clear()
            monkeypatch.setattr(account.broker.history, "pages", nothing)
            await scene.store.bars.delete(recorded(run_id, "DEMO/USD", "1m"))  # else the bars that it saw tell one
            monkeypatch.setattr(account.broker.market, "latest_trades", trades)
            await scene.runs.resume(run_id)
            await scene.until("run.Resumed")
            told = await scene.until("risk.LossesUnjudged", 0 if has_trade else 2)
            assert [one.symbols for one in told] == ([] if has_trade else [("DEMO/USD",), ()])
            assert asked == ["DEMO/USD"]
            events = [event.type for event in await scene.store.log.read(run_id=run_id, limit=10_000)]
            told_at = [at for at, wire in enumerate(events) if wire == "risk.LossesUnjudged"]
            assert has_trade or "risk.EquityMarked" not in events[told_at[0] : told_at[1]]
            await scene.runs.stop(run_id)
