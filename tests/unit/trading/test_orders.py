"""The order manager: states move as the table says, and each move is an event caused by the one before."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import pytest

from core.errors import BugError
from core.model.order import ORDER_TRANSITIONS, OrderRequest, OrderSide, OrderStatus, RejectCode, TimeInForce
from core.runs.journal import RunJournal
from core.trading.orders import OrderManager

S = OrderStatus


@pytest.fixture
def journal() -> RunJournal:
    return RunJournal("run", "test")


@pytest.fixture
def orders(journal: RunJournal) -> OrderManager:
    manager = OrderManager("run", journal)
    request = OrderRequest(symbol="X/Y", side=OrderSide.BUY, qty=Decimal(10))
    manager.create("o", request, TimeInForce.GTC, now_ns=1, caused_by="routed", trace_id="tick")
    return manager


def fill(orders: OrderManager, qty: int, price: str = "5", time_ns: int = 3) -> None:
    orders.fill("o", qty=Decimal(qty), price=Decimal(price), fee=Decimal("0.1"), slippage=Decimal(0), time_ns=time_ns)


def test_a_whole_life_with_parts(orders: OrderManager, journal: RunJournal) -> None:
    orders.accept("o", now_ns=2)
    fill(orders, 4, "5")
    assert orders.order("o").status is S.PARTIALLY_FILLED
    fill(orders, 6, "6")
    order = orders.order("o")
    assert (order.status, order.filled_qty, order.avg_fill_price) == (S.FILLED, Decimal(10), Decimal("5.6"))
    assert [event.type for event in journal.events] == ["orders.Created", "orders.Accepted", "orders.PartiallyFilled", "orders.Filled"]
    assert [item.id for item in journal.fills] == ["run-f1", "run-f2"]
    assert journal.events[0].causation_id == "routed"
    assert all(later.causation_id == earlier.id for earlier, later in pairwise(journal.events))
    assert {event.trace_id for event in journal.events} == {"tick"}


def test_a_fill_never_exceeds_the_order(orders: OrderManager) -> None:
    orders.accept("o", now_ns=2)
    fill(orders, 9)
    for qty in (2, 0, -1):
        with pytest.raises(BugError, match="cannot fill"):
            fill(orders, qty)
    assert orders.order("o").filled_qty == 9


def test_nothing_happens_after_the_end(orders: OrderManager, journal: RunJournal) -> None:
    orders.reject("o", RejectCode.INSUFFICIENT_CASH, "no cash", now_ns=2)
    told = len(journal.events)
    moves: tuple[Callable[[], object], ...] = (
        lambda: orders.accept("o", now_ns=3),
        lambda: fill(orders, 1),
        lambda: orders.cancel("o", "x", now_ns=3),
        lambda: orders.expire("o", "x", now_ns=3),
        lambda: orders.reject("o", RejectCode.INVALID_ORDER, "x", now_ns=3),
    )
    for move in moves:
        with pytest.raises(BugError, match="cannot go from rejected"):
            move()
    assert len(journal.events) == told
    assert len(journal.fills) == 0
    assert orders.order("o").reason == "no cash"


def test_an_order_is_created_once(orders: OrderManager) -> None:
    request = OrderRequest(symbol="X/Y", side=OrderSide.BUY, qty=Decimal(1))
    with pytest.raises(BugError, match="twice"):
        orders.create("o", request, TimeInForce.GTC, now_ns=1, caused_by=None, trace_id=None)


def test_only_orders_that_are_over_are_forgotten(orders: OrderManager) -> None:
    orders.accept("o", now_ns=2)
    assert [order.id for order in orders.changed()] == ["o"]
    orders.forget_committed()
    assert "o" in orders
    assert orders.changed() == []
    orders.cancel("o", "x", now_ns=3)
    assert [order.status for order in orders.changed()] == [S.CANCELLED]
    orders.forget_committed()
    assert "o" not in orders


def test_every_state_is_in_the_table_and_final_states_lead_nowhere() -> None:
    assert set(ORDER_TRANSITIONS) == set(OrderStatus)
    assert {status for status in OrderStatus if status.is_final} == {S.FILLED, S.CANCELLED, S.EXPIRED, S.REJECTED}
    reachable, frontier = {S.CREATED}, [S.CREATED]
    while frontier:
        new = ORDER_TRANSITIONS[frontier.pop()] - reachable
        reachable |= new
        frontier += new
    assert reachable == set(OrderStatus)
