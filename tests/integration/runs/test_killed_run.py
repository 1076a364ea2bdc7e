"""The process of a run is killed in the middle of it: the next start finds the run interrupted and its rows consistent."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.brokers.sim import SimSource
from core.clock.realtime import SystemClock
from core.model.run import RunStatus
from core.runs.manager import RunManager
from core.store.database import DatabaseStore
from core.strategy.loader import StrategyLoader

STRATEGY = '''
from core.strategy.api import Bar, BarStrategy


class Busy(BarStrategy):
    """Buys and sells at every bar, and leaves an order working."""

    id = "busy"

    def on_bar(self, bar: Bar) -> None:
        self.buy(1)
        self.buy(1, limit=1)
        if self.held() > 1:
            self.sell(1)
'''

CHILD = """
import asyncio, sys
from pathlib import Path
import numpy as np
import core.runs.backtest
from core.brokers.sim import SimSource
from core.clock.realtime import SystemClock
from core.model.market import BarSeries, BarSetKey, Timeframe
from core.model.run import RunConfig
from core.runs.manager import RunManager
from core.store.database import DatabaseStore
from core.strategy.loader import StrategyLoader

core.runs.backtest.FLUSH_EVENTS = 2_000

async def main(folder):
    clock = SystemClock()
    store = DatabaseStore(str(folder / "weaver.db"), clock)
    await store.open()
    n = 300_000
    starts = np.arange(n, dtype=np.int64) * 60_000_000_000
    flat = np.full(n, 100.0)
    await store.bars.merge(BarSetKey(symbol="X/Y", timeframe="1m", source="test"),
                           BarSeries.from_columns("X/Y", Timeframe.parse("1m"), starts, flat, flat, flat, flat, flat))
    runs = RunManager(brokers=SimSource(0), store=store, strategies=StrategyLoader([folder]), clock=clock,
                      callback_limit_s=5, on_bug=lambda e, w: None)
    run = await runs.create(RunConfig(strategy_id="busy", symbols=("X/Y",), timeframe="1m"))
    await runs.start(run.id)
    store.log.subscribe("orders.Filled", lambda event: print(run.id, flush=True), owner="child")
    await runs.wait(run.id)

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("fills_before", [1, 1_500])
async def test_a_killed_run_is_found_interrupted_and_can_be_run_again(tmp_path: Path, fills_before: int) -> None:
    (tmp_path / "busy.py").write_text(STRATEGY)
    child = subprocess.Popen(  # noqa: ASYNC220 - nothing else goes on in this loop
        [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    run_id = ""
    for _ in range(fills_before):
        run_id = child.stdout.readline().strip()
    child.kill()
    child.wait()
    child.stdout.close()
    clock = SystemClock()
    store = DatabaseStore(str(tmp_path / "weaver.db"), clock)
    await store.open()
    try:
        runs = RunManager(
            brokers=SimSource(0),
            store=store,
            strategies=StrategyLoader([tmp_path]),
            clock=clock,
            callback_limit_s=5,
            on_bug=lambda _error, _where: None,
        )
        assert [item.id for item in await runs.recover()] == [run_id]
        found = await runs.get(run_id)
        assert (found.status, found.error_code) == (RunStatus.INTERRUPTED, "interrupted")
        assert 0 < found.bars < found.bars_total, "how far it came is committed with what it did"
        orders = {order.id: order for order in await store.runs.orders(run_id)}
        fills = await store.runs.fills(run_id)
        assert len(fills) >= fills_before
        assert all(order.status.is_final for order in orders.values())
        assert all(fill.order_id in orders for fill in fills)
        assert {order.id for order in orders.values() if order.status == "filled"} == {fill.order_id for fill in fills}
        events = await store.log.read(run_id=run_id, limit=10_000_000)
        assert sum(event.type == "orders.Filled" for event in events) == len(fills)
        assert events[-1].type == "run.Interrupted"
        assert await runs.recover() == []
        again = await runs.again(run_id)
        await runs.stop(again.id)
        assert (await runs.get(again.id)).status is RunStatus.STOPPED
        await runs.close()
    finally:
        await store.close()
