from decimal import Decimal

import pytest
from msgspec import structs

from core.events.payloads import OrderSubmitted
from core.model.order import OrderLeg, OrderRequest, OrderSide, OrderStatus, OrderType
from core.views.desk import DeskViews
from core.views.orders import OrderTable
from tests.unit.views.events import Events, order


def desk() -> tuple[DeskViews, Events]:
    views = DeskViews()
    views.select("run1")
    return views, Events()


def test_an_order_fills_in_two_parts() -> None:
    views, events = desk()
    for event in (
        events.order("o1"),
        events.accepted("o1"),
        events.part("o1", "0.5", "100", "0.5"),
        events.filled("o1", "1.5", "104", "2"),
    ):
        views.fold(event)
    order = views.orders.rows[0]
    assert order.status is OrderStatus.FILLED
    assert order.filled_qty == 2
    assert order.avg_fill_price == Decimal(103)
    assert [fill.qty for fill in views.fills.rows] == [Decimal("0.5"), Decimal("1.5")]
    assert views.fills.rows[0].symbol == "BTC/USD"
    position = views.positions.rows[0]
    assert (position.qty, position.avg_price, position.fees) == (Decimal(2), Decimal(103), Decimal("0.2"))


def test_late_doubled_and_reordered_events_end_in_the_same_state() -> None:
    views, events = desk()
    made, accepted, filled = events.order("o1"), events.accepted("o1"), events.filled("o1")
    for event in (made, filled, accepted, filled, made, accepted):
        views.fold(event)
    assert views.orders.rows[0].status is OrderStatus.FILLED
    assert len(views.fills.rows) == 1
    assert views.positions.rows[0].qty == 2


def test_an_order_that_was_sent_and_not_answered_says_so() -> None:
    views, events = desk()
    made, sent, accepted = events.order("o1"), events.wrap(OrderSubmitted(order_id="o1", account="sim:1")), events.accepted("o1")
    views.fold(made)
    views.fold(sent)
    told = [views.orders.rows[0].status]
    for event in (accepted, sent):  # and told once more, late
        views.fold(event)
        told.append(views.orders.rows[0].status)
    assert told == [OrderStatus.SUBMITTING, OrderStatus.ACCEPTED, OrderStatus.ACCEPTED]


def test_a_rejection_carries_its_sentence() -> None:
    views, events = desk()
    views.fold(events.order("o1"))
    views.fold(events.rejected("o1"))
    assert views.orders.rows[0].status is OrderStatus.REJECTED
    assert views.orders.rows[0].reason == "needs 200.00, has 10.00"


def test_orders_of_another_run_are_left_alone() -> None:
    views, _ = desk()
    views.fold(Events("run2").order("o9"))
    assert views.orders.rows == []


def test_a_round_trip_is_matched_first_in_first_out() -> None:
    views, events = desk()
    for event in (
        events.order("b1", qty="1"),
        events.filled("b1", "1", "100", "1"),
        events.order("b2", qty="1"),
        events.filled("b2", "1", "110", "1"),
        events.order("s1", OrderSide.SELL, qty="2"),
        events.filled("s1", "2", "120", "2"),
    ):
        views.fold(event)
    first, second = views.trades.rows
    assert (first.entry_price, first.exit_price, first.qty) == (Decimal(100), Decimal(120), Decimal(1))
    assert first.pnl == Decimal("19.85")
    assert second.pnl == Decimal("9.85")
    position = views.positions.rows[0]
    assert (position.qty, position.realised_pnl, position.side) == (Decimal(0), Decimal(30), "flat")


def test_selecting_another_run_empties_its_tables() -> None:
    views, events = desk()
    for event in (events.order("o1"), events.filled("o1")):
        views.fold(event)
    views.select("run2")
    assert [len(table.rows) for table in (views.orders, views.fills, views.positions, views.trades)] == [0, 0, 0, 0]


def test_decimals_follow_the_instrument() -> None:
    views, events = desk()
    for event in (events.order("o1", qty="0.25"), events.filled("o1", "0.25", "45123.5", "0.25")):
        views.fold(event)
    columns = {column.key: column for column in views.fills.columns}
    fill = views.fills.rows[0]
    assert views.fills.decimals_of(columns["price"], fill) == 2
    assert views.fills.decimals_of(columns["qty"], fill) == 2


@pytest.mark.parametrize(
    ("request_", "parent_id", "role", "kind"),
    [
        (OrderRequest(symbol="SPY", side=OrderSide.BUY, qty=Decimal(1)), None, None, "market"),
        (OrderRequest(symbol="SPY", side=OrderSide.SELL, qty=Decimal(1), reduce_only=True), None, "reduce only", "market"),
        (
            OrderRequest(symbol="SPY", side=OrderSide.BUY, qty=Decimal(1), target=OrderLeg(type=OrderType.LIMIT, limit_price=Decimal(9))),
            None,
            "entry",
            "market",
        ),
        (
            OrderRequest(symbol="SPY", side=OrderSide.SELL, qty=Decimal(1), type=OrderType.LIMIT, limit_price=Decimal(9)),
            "o1",
            "target",
            "limit",
        ),
        (
            OrderRequest(symbol="SPY", side=OrderSide.SELL, qty=Decimal(1), type=OrderType.TRAILING_STOP, trail_percent=Decimal(4)),
            "o1",
            "stop loss",
            "trailing 4\u2009%",
        ),
    ],
)
def test_a_bracket_is_told_by_the_roles_of_its_orders(request_: OrderRequest, parent_id: str | None, role: str | None, kind: str) -> None:
    row = structs.replace(order("o2"), request=request_, parent_id=parent_id)
    told = {column.key: column.value(row) for column in OrderTable.columns}
    assert (told["role"], told["type"]) == (role, kind)


def test_an_exit_says_that_the_broker_keeps_it_until_its_entry_has_filled() -> None:
    table = OrderTable()
    entry = structs.replace(order("o1"), status=OrderStatus.ACCEPTED, account="alpaca:1")
    stop = structs.replace(entry, id="o2", parent_id="o1")
    (status,) = [column for column in OrderTable.columns if column.key == "status"]
    table.load([entry, stop])
    assert table.tip_of(status, stop) == "The broker has it, and works it once its entry has filled."
    assert table.tip_of(status, entry) is None
    assert table.tip_of(status, structs.replace(stop, account=None)) is None  # of a backtest it works when it is accepted
    table.load([structs.replace(entry, status=OrderStatus.FILLED), stop])
    assert table.tip_of(status, stop) is None
