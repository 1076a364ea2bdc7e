"""An entry with exits at the risk gate: they leave together where it lets all of them through, and what is held takes no room."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from core.clock.realtime import SystemClock
from core.events.live_payloads import OrdersLeftTogether
from core.model.order import OrderStatus, RejectCode
from core.model.risk import RiskLimits, SwitchLevel
from tests.broker.bench import fake_broker
from tests.broker.desk import wired
from tests.broker.server import FakeBroker

S = OrderStatus


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker(SystemClock().now_ns) as running:
        yield running


async def test_exits_that_the_gate_would_refuse_do_not_leave_with_their_entry(tmp_path: Path, server: FakeBroker) -> None:
    async with wired(tmp_path, server, RiskLimits(max_order_value=Decimal(4_000))) as scene:
        await scene.run()
        entry = await scene.place_with_exits()  # 3,900; the target is worth 4,200
        await scene.until_status(entry, S.ACCEPTED)
        assert set(scene.desk.state.lives) == {entry}
        order = scene.at_broker(entry)
        assert order is not None
        assert (order["order_class"], order["legs"]) == ("", None)
        assert await scene.events(OrdersLeftTogether.wire) == []


async def test_an_entry_that_is_refused_has_no_exits(tmp_path: Path, server: FakeBroker) -> None:
    async with wired(tmp_path, server, RiskLimits(max_order_qty=Decimal(5))) as scene:
        await scene.run()
        entry = await scene.place_with_exits()
        assert set(scene.desk.state.lives) == {entry}
        assert scene.desk.state.lives[entry].order.reject_code is RejectCode.RISK_ORDER_QTY


async def test_what_is_held_takes_no_room_from_others(tmp_path: Path, server: FakeBroker) -> None:
    limits = RiskLimits(max_open_orders=3, max_gross_exposure=Decimal(9_000))
    async with wired(tmp_path, server, limits) as scene:
        await scene.run()
        first, second = await scene.place_with_exits(), await scene.place_with_exits()
        for entry in (first, second):
            await scene.until_status(entry, S.ACCEPTED)
        assert len(scene.desk.state.groups.together) == 2
        scene.fill(first, 10)
        await scene.until_status(first, S.FILLED)
        third = await scene.place_with_exits(1)  # an entry and two exits work now, and that is one too many
        assert scene.desk.state.lives[third].order.reject_code is RejectCode.RISK_OPEN_ORDERS
        await scene.assert_books_equal()


async def test_while_only_reducing_is_allowed_nothing_leaves(tmp_path: Path, server: FakeBroker) -> None:
    async with wired(tmp_path, server) as scene:
        await scene.run()
        scene.desk.state.set_level(None, SwitchLevel.REDUCE_ONLY)
        entry = await scene.place_with_exits()
        assert set(scene.desk.state.lives) == {entry}
        assert scene.desk.state.lives[entry].order.reject_code is RejectCode.RISK_REDUCE_ONLY


async def test_an_entry_against_what_the_account_holds_leaves_alone(tmp_path: Path, server: FakeBroker) -> None:
    body = {"client_order_id": "theirs", "symbol": "SPY", "side": "sell", "type": "market", "qty": "5", "time_in_force": "day"}
    server.do(lambda: server.book.settle(server.book.place(body)))
    async with wired(tmp_path, server) as scene:
        await scene.run()
        assert scene.desk.state.outside == {"SPY": Decimal(-5)}
        entry = await scene.place_with_exits()
        await scene.until_status(entry, S.ACCEPTED)
        assert set(scene.desk.state.lives) == {entry}
        order = scene.at_broker(entry)
        assert order is not None
        assert order["order_class"] == ""
