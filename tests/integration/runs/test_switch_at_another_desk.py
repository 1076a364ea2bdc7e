"""HALT is pressed at one desk while a run trades at another, on one database: its orders are cancelled, and nothing new of it leaves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.clock.realtime import SystemClock
from core.data.desk import DataDesk
from core.engine import Engine
from core.events.live_payloads import SwitchCarriedOut
from core.model.order import OrderStatus, RejectCode
from core.model.risk import SwitchLevel
from core.model.run import Run, RunStatus
from core.runs.history import RunHistories
from core.strategy.loader import StrategyLoader
from tests.broker.bench import fake_broker
from tests.broker.market import Market
from tests.broker.shared_clock import SharedClock
from tests.unit.runs.broker_desk import START_NS, BrokerDesk, broker_desk

KEY = "alpaca:PA3FAKE00001"
WAITS = '''
from core.strategy.api import Bar, BarStrategy


class Waits(BarStrategy):
    """Buys at each bar, and leaves an order far below the market."""

    id = "waits"

    def on_bar(self, bar: Bar) -> None:
        if not self.account.working():
            self.buy(0.25, limit=1000)
        self.buy(0.01)
'''


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    (tmp_path / "waits.py").write_text(WAITS)
    return str(tmp_path / "desk.db") if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def engine_of(desk: BrokerDesk, folder: Path) -> Engine:
    clock = SystemClock()
    return Engine(
        clock=clock,
        store=desk.store,
        strategies=StrategyLoader([folder]),
        runs=desk.runs,
        data=DataDesk(desk.store, clock),
        histories=RunHistories(desk.store.log, clock),
    )


@asynccontextmanager
async def trading_at_ann(url: str, folder: Path) -> AsyncIterator[tuple[BrokerDesk, BrokerDesk, Run]]:
    with fake_broker() as server:
        clock = SharedClock.begin(folder / "clock", START_NS, 120)
        with Market(server, clock, {"BTC/USD": 42_000.0}, days=7).running():
            async with (
                broker_desk(url, folder, server, clock, name="Ann") as ann,
                broker_desk(url, folder, server, clock, name="Ben") as ben,
            ):
                run = await ann.runs.start((await ann.create(strategy_id="waits")).id)
                await ann.until("orders.Filled", 2)
                yield ann, ben, run


def working_at(desk: BrokerDesk) -> list[str]:
    return desk.server.do(
        lambda: [one["client_order_id"] for one in desk.server.book.orders.values() if one["status"] in {"new", "accepted"}]
    )


async def carried_out(desk: BrokerDesk) -> SwitchCarriedOut:
    """What the account said last of the switch, when nothing is left of it."""
    count = 1
    while True:
        told = await desk.until(SwitchCarriedOut.wire, count)
        if not told[-1].left:
            assert isinstance(told[-1], SwitchCarriedOut)
            return told[-1]
        count = len(told) + 1  # the broker took its time, and the rest is told when it is done


@pytest.mark.parametrize("pressed", ["HALT", "the switch of all", "the switch of the run"])
async def test_what_is_thrown_at_one_desk_holds_at_the_other_too(url: str, tmp_path: Path, pressed: str) -> None:
    async with trading_at_ann(url, tmp_path) as (ann, ben, run):
        engine = engine_of(ben, tmp_path)
        assert working_at(ann)
        if pressed == "HALT":
            assert await engine.halt() == (0, True)
        else:
            own = run.id if pressed == "the switch of the run" else None
            _, accounts = await engine.throw_switch(SwitchLevel.CANCEL_ALL, "A person threw it.", own)
            assert accounts == [KEY]
        told = await carried_out(ben)
        assert (told.account, told.level) == (KEY, SwitchLevel.CANCEL_ALL)
        assert told.cancelled
        assert working_at(ann) == []
        # The run goes on at its own desk, and sees every order refused.
        refused = await ben.until("risk.Refused")
        assert refused[0].code == RejectCode.RISK_HALTED
        assert (await ann.runs.get(run.id)).status is RunStatus.RUNNING
        orders = await ben.store.runs.orders(run.id)
        assert not [order for order in orders if not order.status.is_final]
        assert orders[-1].status is OrderStatus.REJECTED
        await ann.runs.stop(run.id)
