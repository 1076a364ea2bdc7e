"""A pair of exits at a broker that holds shares back for each sale: it leaves as one order, and the broker minds it."""

from pathlib import Path

import pytest

from core.model.order import Order, OrderStatus, RejectCode
from core.model.run import Run
from tests.broker.faults import Fault, Way
from tests.unit.runs.broker_desk import NOON, BrokerDesk, at_broker, bracket

BRACKET = '''
from core.strategy.api import Bar, BarStrategy


class Bracket(BarStrategy):
    """Buys once, with exits above and below."""

    id = "bracket"
    warmup = 2
    bought = False

    def on_bar(self, bar: Bar) -> None:
        if not self.bought:
            self.bought = True
            self.buy(10, target=500, stop_loss=300, time_in_force="ioc")  # no broker takes a bracket that is ioc
'''
S = OrderStatus


async def exits(desk: BrokerDesk, run: Run) -> dict[str, Order]:
    return {order.request.type.value: order for order in await desk.store.runs.orders(run.id) if order.parent_id is not None}


async def test_it_leaves_as_one_order_and_the_target_ends_the_stop(tmp_path: Path) -> None:
    async with bracket(tmp_path, BRACKET) as (desk, run):
        placed = desk.sent()
        assert [order["order_class"] for order in placed] == ["", "oco", "oco"]
        own = await exits(desk, run)
        assert [order.status for order in own.values()] == [S.ACCEPTED, S.ACCEPTED]
        assert placed[1]["client_order_id"] == own["limit"].id
        assert (own["limit"].broker_id, own["stop"].broker_id) == (placed[1]["id"], placed[2]["id"])
        assert desk.server.requests["POST /v2/orders"] == 2
        desk.fill(placed[1]["id"], "4", "500")
        await desk.until("orders.PartiallyFilled")
        desk.fill(placed[1]["id"], "6", "500")
        await desk.until("orders.Cancelled")
        own = await exits(desk, run)
        assert (own["limit"].status, own["stop"].status) == (S.FILLED, S.CANCELLED)
        assert not [name for name in desk.server.requests if name.startswith("DELETE")]  # nobody had to ask for it
        await desk.runs.stop(run.id)


async def test_the_stop_ends_the_target(tmp_path: Path) -> None:
    async with bracket(tmp_path, BRACKET) as (desk, run):
        desk.fill(sent_stop(desk), "10", "300")
        await desk.until("orders.Cancelled")
        own = await exits(desk, run)
        assert (own["limit"].status, own["stop"].status) == (S.CANCELLED, S.FILLED)
        assert desk.server.do(lambda: dict(desk.server.book.holdings)) == {}
        await desk.runs.stop(run.id)


def sent_stop(desk: BrokerDesk) -> str:
    (found,) = [order["id"] for order in desk.server.book.orders.values() if order["type"] == "stop"]
    return str(found)


async def test_a_stop_of_the_run_cancels_both(tmp_path: Path) -> None:
    async with bracket(tmp_path, BRACKET) as (desk, run):
        await desk.runs.stop(run.id)
        own = await exits(desk, run)
        assert [order.status for order in own.values()] == [S.CANCELLED, S.CANCELLED]
        assert {order["status"] for order in desk.sent()} == {"filled", "canceled"}


@pytest.mark.parametrize("way", [Way.RESET_AFTER, Way.NONSENSE])
async def test_a_lost_answer_is_looked_up_and_both_are_found(tmp_path: Path, way: Way) -> None:
    (tmp_path / "bracket.py").write_text(BRACKET)
    async with at_broker(tmp_path, start_ns=NOON) as desk:
        run = await desk.create(strategy_id="bracket", symbols=("SPY",))
        desk.server.do(lambda: setattr(desk.server.book, "hold", True))
        await desk.runs.start(run.id)
        await desk.until("orders.Accepted")
        desk.server.fail(Fault("POST /v2/orders", way))
        entry = desk.sent()[0]["id"]
        desk.fill(entry, "10", "400")
        await desk.until("orders.Accepted", 3)
        own = await exits(desk, run)
        assert [order.status for order in own.values()] == [S.ACCEPTED, S.ACCEPTED]
        assert len(desk.sent()) == 3
        await desk.runs.stop(run.id)


async def test_a_refusal_is_that_of_both(tmp_path: Path) -> None:
    (tmp_path / "bracket.py").write_text(BRACKET)
    async with at_broker(tmp_path, start_ns=NOON) as desk:
        run = await desk.create(strategy_id="bracket", symbols=("SPY",))
        desk.server.do(lambda: setattr(desk.server.book, "hold", True))
        await desk.runs.start(run.id)
        await desk.until("orders.Accepted")
        body = '{"code": 42210000, "message": "oco orders must be exit orders"}'
        desk.server.fail(Fault("POST /v2/orders", Way.STATUS, 422, body=body))
        entry = desk.sent()[0]["id"]
        desk.fill(entry, "10", "400")
        await desk.until("orders.Rejected", 2)
        own = await exits(desk, run)
        assert {(order.status, order.reject_code) for order in own.values()} == {(S.REJECTED, RejectCode.BROKER_REFUSED)}
        assert all("oco orders must be exit orders" in (order.reason or "") for order in own.values())
        await desk.runs.stop(run.id)
