"""An account that is met for the first time: what it holds then is told from what is bought there for us."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.errors import BrokerUnreachable
from core.model.broker import BrokerOrderRequest, BrokerPosition
from core.model.order import OrderSide, OrderStatus
from core.trading.reconciler import Reconciler
from tests.unit.trading.desk import Scene, opened

S, D = OrderStatus, Decimal


def broker_at(price: int = 100) -> FakeBroker:
    broker = FakeBroker(SystemClock().now_ns)
    broker.exchange.show("DEMO", D(price))
    return broker


def buy_outside(broker: FakeBroker, qty: int, name: str = "theirs") -> None:
    broker.exchange.submit(BrokerOrderRequest(client_order_id=name, symbol="DEMO", side=OrderSide.BUY, qty=D(qty)))


class Positions:
    """The broker's list of positions; `before` is called with the number of each question."""

    def __init__(self, broker: FakeBroker, before: Callable[[int], None]) -> None:
        self._real, self._before, self.asked = broker.account.positions, before, 0
        broker.account.positions = self.ask  # type: ignore[method-assign]

    async def ask(self) -> list[BrokerPosition]:
        self.asked += 1
        self._before(self.asked)
        return await self._real()


def again(scene: Scene) -> Reconciler:
    """What meets the account as if it had never been met."""
    return Reconciler(scene.desk.state, scene.broker, known_ns=None, absent=scene.desk.absent, spawn_cancel=lambda _: None)


async def test_a_fill_that_is_booked_already_is_ours_once(tmp_path: Path) -> None:
    broker = broker_at()
    buy_outside(broker, 3)
    async with opened(tmp_path, broker) as scene:
        await scene.run()
        scene.desk.state.note_price("DEMO", D(100), 1)
        await scene.until_status(await scene.place("buy"), S.FILLED)
        assert await again(scene).reconcile() == ()
        assert scene.desk.state.outside == {"DEMO": D(3)}
    async with opened(tmp_path, broker) as scene:
        assert scene.desk.state.outside == {"DEMO": D(3)}
        assert await scene.desk.reconcile() == ()


async def test_a_fill_that_nobody_had_heard_of_is_booked_and_not_outside(tmp_path: Path) -> None:
    broker = broker_at()
    async with opened(tmp_path, broker, missing_s=60.0) as scene:
        await scene.run()
        broker.faults.lose_updates = 5
        scene.desk.state.note_price("DEMO", D(100), 1)
        order_id = await scene.place("buy")
        await scene.until(lambda: broker.exchange.by_client_id(order_id) is not None and scene.status(order_id) is not S.SUBMITTING)
        assert [one.kind for one in await again(scene).reconcile()] == ["missed_fill"]
        assert not scene.desk.state.outside
        assert scene.desk.state.positions() == {"DEMO": D(10)}


async def test_nothing_is_open_before_it_is_known_what_the_account_held(tmp_path: Path) -> None:
    broker = broker_at()
    buy_outside(broker, 3)

    def fail(number: int) -> None:
        if number <= 2:
            raise BrokerUnreachable("The broker's server fails (503).", "")

    positions = Positions(broker, fail)
    async with opened(tmp_path, broker, soon_s=0.01) as scene:
        assert positions.asked > 2
        assert scene.desk.state.outside == {"DEMO": D(3)}


async def test_a_new_account_whose_broker_never_answers_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.trading.reconciler.MEET_S", 0.05)
    broker = broker_at()

    def fail(_: int) -> None:
        raise BrokerUnreachable("The broker's server fails (503).", "")

    Positions(broker, fail)
    with pytest.raises(BrokerUnreachable, match="503"):
        async with opened(tmp_path, broker, soon_s=0.01):
            pass


async def test_an_account_that_was_met_opens_while_its_broker_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.trading.reconciler.MEET_S", 0.0)
    broker = broker_at()
    async with opened(tmp_path, broker):
        pass  # it answers at once

    def fail(_: int) -> None:
        raise BrokerUnreachable("The broker's server fails (503).", "")

    Positions(broker, fail)
    async with opened(tmp_path, broker) as scene:
        assert scene.desk.comparisons.count == 0


async def test_what_is_traded_between_two_questions_is_counted_once(tmp_path: Path) -> None:
    """The list of positions is asked before that of executions: what is executed between the two is only in one of them."""
    broker = broker_at()
    real = broker.account.executions
    asked = 0

    async def executions(*, since_ns: int) -> object:
        nonlocal asked
        asked += 1
        if asked == 1:
            buy_outside(broker, 4)
        return await real(since_ns=since_ns)

    broker.account.executions = executions  # type: ignore[method-assign, assignment]
    async with opened(tmp_path, broker) as scene:
        assert scene.desk.state.outside == {"DEMO": D(4)}
        assert await scene.desk.reconcile() == ()
