"""A paper run tells what its losses are counted from, and goes on from there when it is taken up."""

from decimal import Decimal
from pathlib import Path

from core.brokers.sim import ID
from core.events.envelope import envelope
from core.events.live_payloads import EquityMarked
from core.model.instants import MINUTE_NS
from core.model.order import RejectCode
from core.model.risk import RiskLimits
from core.model.run import RunConfig, RunMode, RunStatus
from core.runs.equity_marks import EquityMarks
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
