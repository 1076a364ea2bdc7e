"""A run that is removed leaves its account as it is: what it traded there stays, as somebody else's."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from core.errors import RunError
from core.model.broker import AccountName
from core.model.instants import DAY_NS, HOUR_NS
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, TimeInForce
from core.model.run import Run, RunConfig, RunMode, RunStatus
from core.trading.state import AccountState
from tests.unit.runs.broker_desk import BrokerDesk, at_broker

D = Decimal
HOLD = '''
from core.strategy.api import Bar, BarStrategy


class Hold(BarStrategy):
    """Buys three times, and keeps it."""

    id = "hold"
    bought = 0

    def on_bar(self, bar: Bar) -> None:
        if self.bought < 3:
            self.bought += 1
            self.buy(0.5)
'''


async def account(desk: BrokerDesk) -> AccountState:
    """The account as it is remembered when it opens, and compared with its broker."""
    async with desk.runs._desks.open("alpaca", AccountName.PAPER) as opened:
        assert [one.reason for one in await opened.desk.reconcile()] == []
        return opened.desk.state


async def test_what_it_held_is_in_the_account_and_nobodys_of_ours(tmp_path: Path) -> None:
    (tmp_path / "hold.py").write_text(HOLD)
    async with at_broker(tmp_path) as desk:
        run = await desk.create(minutes=8, strategy_id="hold")
        await desk.runs.start(run.id)
        assert (await desk.over(run)).status is RunStatus.COMPLETED
        before = await account(desk)
        held = before.positions()["BTC/USD"]
        assert D("1.4") < held < D("1.5")  # the broker keeps its fee of the coin
        await desk.runs.delete(run.id)
        after = await account(desk)
        assert after.positions() == {}
        assert after.outside["BTC/USD"] == held
        assert after.coins.fees == before.coins.fees
        desk.clock.jump(HOUR_NS)  # nothing of it is met again as a stranger's
        assert (await account(desk)).outside == after.outside


async def test_a_run_whose_orders_are_not_over_stays(tmp_path: Path) -> None:
    async with at_broker(tmp_path) as desk:
        config = RunConfig(strategy_id="turn", symbols=("BTC/USD",), timeframe="1m", mode=RunMode.PAPER, broker="alpaca")
        order = Order(
            id="old-1",
            run_id="old",
            request=OrderRequest(symbol="BTC/USD", side=OrderSide.BUY, qty=D(1)),
            time_in_force=TimeInForce.GTC,
            status=OrderStatus.ACCEPTED,
            created_ns=DAY_NS,
            updated_ns=DAY_NS,
            account="alpaca:PA3FAKE00001",
        )
        async with desk.store.runs.begin() as work:
            work.put_run(Run(id="old", config=config, status=RunStatus.INTERRUPTED, created_ns=DAY_NS))
            work.put_orders([order])
        with pytest.raises(RunError, match="1 orders that are not over") as error:
            await desk.runs.delete("old")
        assert "weaver runs close old" in error.value.todo
        async with desk.store.runs.begin() as work:
            work.put_orders([msgspec.structs.replace(order, status=OrderStatus.CANCELLED)])
        await desk.runs.delete("old")
        assert await desk.store.runs.run("old") is None
