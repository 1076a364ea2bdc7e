"""A view rebuilt equals a view kept."""

from collections.abc import Iterator
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from core.events.envelope import Envelope
from core.model.order import OrderSide
from core.views.desk import DeskViews
from tests.unit.views.events import Events

SIDES = st.sampled_from([OrderSide.BUY, OrderSide.SELL])
ENDS = st.sampled_from(["filled", "parts", "rejected", "cancelled", "open"])
ORDERS = st.lists(st.tuples(SIDES, ENDS, st.integers(2, 9), st.integers(90, 110)), max_size=25)


def story(orders: list[tuple[OrderSide, str, int, int]]) -> list[Envelope]:
    events = Events()
    told = [events.run_created()]
    for number, (side, end, qty, price) in enumerate(orders):
        name = f"o{number}"
        told.append(events.order(name, side, str(qty)))
        told.append(events.rejected(name) if end == "rejected" else events.accepted(name))
        if end == "parts":
            told.append(events.part(name, "1", str(price), "1"))
            told.append(events.filled(name, str(qty - 1), str(price + 1), str(qty)))
        elif end == "filled":
            told.append(events.filled(name, str(qty), str(price), str(qty)))
        elif end == "cancelled":
            told.append(events.cancelled(name))
    return told


def rows(views: DeskViews) -> list[object]:
    return [list(table.rows) for table in (views.runs, views.orders, views.fills, views.positions, views.trades, views.activity)]


def kept(events: list[Envelope], pauses: Iterator[bool]) -> DeskViews:
    views = DeskViews()
    views.select("run1")
    for event in events:
        views.fold(event)
        if next(pauses, False):
            for table in (views.runs, views.orders, views.fills, views.positions, views.trades, views.activity):
                table.settle()
    return views


@given(ORDERS, st.lists(st.booleans(), max_size=80))
def test_how_often_somebody_looks_changes_nothing(orders: list[tuple[OrderSide, str, int, int]], pauses: list[bool]) -> None:
    events = story(orders)
    assert rows(kept(events, iter(pauses))) == rows(kept(events, iter([])))


@given(ORDERS, st.data())
def test_loading_in_the_middle_and_hearing_the_rest_equals_hearing_all(
    orders: list[tuple[OrderSide, str, int, int]], data: st.DataObject
) -> None:
    events = story(orders)
    whole = kept(events, iter([]))
    stored_until = data.draw(st.integers(0, len(events)))
    heard_from = data.draw(st.integers(0, stored_until))
    stored = kept(events[:stored_until], iter([]))
    views = DeskViews()
    views.select("run1")
    for _ in views.loading(list(stored.orders.rows), list(stored.fills.rows), None):
        pass
    for event in events[heard_from:]:
        views.fold(event)
    for name in ("orders", "fills", "positions", "trades"):
        assert getattr(views, name).rows == getattr(whole, name).rows, name


@given(ORDERS)
def test_quantity_and_money_are_conserved(orders: list[tuple[OrderSide, str, int, int]]) -> None:
    views = kept(story(orders), iter([]))
    bought = sum((fill.qty * fill.side.sign for fill in views.fills.rows), Decimal(0))
    cash = sum((-fill.price * fill.qty * fill.side.sign for fill in views.fills.rows), Decimal(0))
    held = {row.symbol: row for row in views.positions.rows}
    position = held.get("BTC/USD")
    assert (position.qty if position else 0) == bought
    if position is not None and not position.qty:
        assert abs(position.realised_pnl - cash) < Decimal("1e-18")
        assert abs(sum(trade.pnl for trade in views.trades.rows) - (cash - position.fees)) < Decimal("1e-18")
