"""Our orders in the units of after a split: as the broker has them, else by the rules."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from core.model.broker import BrokerOrder
from core.model.order import Fill, Order, OrderLeg, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce
from core.trading.order_fold import OrderLife, heard, revived
from core.trading.parts import Change, Part
from core.trading.split_orders import by_own_id, split_life, split_request, went_through, whole

D = Decimal
BUY, SELL = OrderSide.BUY, OrderSide.SELL
LIMIT = OrderType.LIMIT
AT = 100


def life(*fills: tuple[str, int], **more: Any) -> OrderLife:
    """An order over ten at 90 of which some are filled, each at an instant."""
    made = tuple(Fill(f"f{at}", "r", "o", "SPY", BUY, D(qty), D(90), D(0), D(0), at) for qty, at in fills)
    filled = sum((fill.qty for fill in made), D(0))
    order = Order(
        id="o",
        run_id="r",
        request=OrderRequest(symbol="SPY", side=BUY, qty=D(10), type=LIMIT, limit_price=D("90.03")),
        time_in_force=TimeInForce.GTC,
        status=OrderStatus.ACCEPTED,
        created_ns=1,
        updated_ns=1,
        filled_qty=filled,
    )
    return OrderLife(order=order, said=OrderStatus.ACCEPTED, fills=made, broker_qty=filled, money=filled * 90, **more)


def theirs(qty: str, filled: str, client_order_id: str = "o", **more: Any) -> BrokerOrder:
    terms: dict[str, Any] = {"limit_price": D("45.01"), "status": OrderStatus.ACCEPTED, "updated_ns": 1} | more
    return BrokerOrder(
        id="b",
        client_order_id=client_order_id,
        symbol="SPY",
        side=BUY,
        type=LIMIT,
        broker_type="limit",
        time_in_force=TimeInForce.GTC,
        broker_time_in_force="gtc",
        broker_status="new",
        filled_qty=D(filled),
        submitted_ns=1,
        qty=D(qty),
        **terms,
    )


def test_what_was_filled_before_is_counted_anew_and_what_was_filled_since_is_not() -> None:
    after = split_life(life(("3", AT - 1), ("2", AT)), D(2), AT, theirs("20", "8"))
    assert (after.order.filled_qty, after.broker_qty, after.order.request.qty) == (D(8), D(8), D(20))
    assert after.order.avg_fill_price == D(450) / 8
    assert after.order.request.limit_price == D("45.01")  # the broker's own


def test_where_nobody_else_minds_it_the_rules_do() -> None:
    after = split_life(life(("3", AT - 1)), D(2), AT, None)
    assert (after.order.filled_qty, after.order.request.qty, after.order.request.limit_price) == (D(6), D(20), D("45.01"))


def test_an_order_that_was_changed_is_what_works_of_it() -> None:
    changed = life(
        changes=(Change(qty=D(10)),), at=1, parts={1: Part(broker_id="b", said=OrderStatus.ACCEPTED, filled_qty=D(0), qty=D(10))}
    )
    after = split_life(changed, D(4), AT, theirs("40", "0", "o.r1", limit_price=D("22.5")))
    assert (after.order.request.qty, after.order.request.limit_price, after.parts[1].qty, after.changes[0].qty) == (
        D(40),
        D("22.5"),
        D(40),
        D(40),
    )


@pytest.mark.parametrize(("ratio", "qty", "over", "asked"), [(D(2), "14", D(20), D(20)), (D(1) / 3, "2.333333333", D("3.333333333"), None)])
def test_what_an_earlier_part_filled_counts_anew_and_the_order_is_over_no_more_than_that(
    ratio: Decimal, qty: str, over: Decimal, asked: Decimal | None
) -> None:
    replaced = Part(broker_id="a", said=OrderStatus.CANCELLED, filled_qty=D(3), qty=D(10), is_replaced=True)
    works = Part(broker_id="b", said=OrderStatus.ACCEPTED, filled_qty=D(0), qty=D(7))
    changed = life(("3", AT - 1), changes=(Change(qty=D(10)),), at=1, parts={0: replaced, 1: works})
    said = theirs(qty, "0", "o.r1", updated_ns=AT)
    after = split_life(changed, ratio, AT, said)
    assert abs(after.order.request.qty - over) < D("1e-20")
    assert after.changes[0].qty == (asked or after.order.request.qty)
    again = heard(after, said, AT + 1)
    assert (again.told, again.life.order.request.qty, again.life.excess_qty) == ((), after.order.request.qty, D(0))


@pytest.mark.parametrize(("ratio", "qty"), [(D(1) / 4, "1.75"), (D(2), "14")])
@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("status", [OrderStatus.CANCELLED, OrderStatus.PARTIALLY_FILLED])
def test_old_news_of_a_part_that_was_over_are_in_the_units_of_before(
    ratio: Decimal, qty: str, is_restarted: bool, status: OrderStatus
) -> None:
    replaced = Part(broker_id="a", said=OrderStatus.CANCELLED, filled_qty=D(3), qty=D(10), is_replaced=True)
    works = Part(broker_id="b", said=OrderStatus.ACCEPTED, filled_qty=D(0), qty=D(7))
    changed = life(("3", AT - 1), changes=(Change(qty=D(10)),), at=1, parts={0: replaced, 1: works})
    after = split_life(changed, ratio, AT, theirs(qty, "0", "o.r1", updated_ns=AT))
    before = after
    if is_restarted:
        before = revived(after.order, after.fills, after.changes, after.at, after.splits)
        before = heard(before, theirs(qty, "0", "o.r1", updated_ns=AT), AT + 1).life
    old = msgspec.structs.replace(theirs("10", "3", status=status, updated_ns=AT - 1), id="a", broker_status="replaced")
    again = heard(before, old, AT + 2)
    assert again.told == ()
    assert (again.life.missing_qty, again.life.excess_qty, again.life.order.request.qty) == (D(0), D(0), after.order.request.qty)
    assert again.life.parts[0].filled_qty == after.parts[0].filled_qty == 3 * ratio


def test_of_several_parts_the_one_that_works_counts() -> None:
    over = theirs("10", "0", status=OrderStatus.CANCELLED)
    works = theirs("40", "0", "o.r1")
    assert by_own_id([works, over]) == {"o": works}


@pytest.mark.parametrize(
    ("said", "is_so"),
    [
        (theirs("20", "8"), True),
        (theirs("10", "4", status=OrderStatus.CANCELLED, updated_ns=AT - 1), False),  # before the split
        (theirs("10", "4", status=OrderStatus.CANCELLED, updated_ns=AT), False),  # by the split
        (theirs("20", "8", status=OrderStatus.CANCELLED, updated_ns=AT), True),
        (theirs("20", "20", status=OrderStatus.FILLED, updated_ns=AT), False),
    ],
)
def test_an_order_that_is_over_went_through_a_split_where_its_units_say_so(said: BrokerOrder, is_so: bool) -> None:
    assert went_through(life(("4", AT - 1)), D(2), AT, said, D(0)) is is_so


def test_what_filled_since_and_was_not_heard_of_counts_too() -> None:
    filled = theirs("20", "20", status=OrderStatus.FILLED, updated_ns=AT)
    assert went_through(life(("4", AT - 1)), D(2), AT, filled, D(12))


@pytest.mark.parametrize(
    ("terms", "after"),
    [
        ({"side": SELL, "type": LIMIT, "limit_price": D("90.03")}, {"limit_price": D("45.02")}),
        ({"side": SELL, "type": OrderType.STOP, "stop_price": D("90.03")}, {"stop_price": D("45.01")}),
        ({"side": BUY, "type": OrderType.STOP, "stop_price": D("90.03")}, {"stop_price": D("45.02")}),
        ({"side": SELL, "type": OrderType.TRAILING_STOP, "trail_price": D("0.99")}, {"trail_price": D("0.50")}),
    ],
)
def test_prices_go_away_from_the_market(terms: dict[str, Any], after: dict[str, Any]) -> None:
    request = split_request(OrderRequest(symbol="SPY", qty=D(5), **terms), D(2))
    assert {name: getattr(request, name) for name in after} == after
    assert request.qty == 10


def test_exits_that_wait_go_along_with_their_entry() -> None:
    entry = OrderRequest(
        symbol="SPY",
        side=BUY,
        qty=D(5),
        target=OrderLeg(type=LIMIT, limit_price=D("110.01")),
        stop_loss=OrderLeg(type=OrderType.STOP, stop_price=D("90.01")),
    )
    request = split_request(entry, D(2))
    assert request.target is not None
    assert request.stop_loss is not None
    assert (request.target.limit_price, request.stop_loss.stop_price) == (D("55.01"), D("45.00"))


def test_a_price_that_would_be_none_stays() -> None:
    request = split_request(OrderRequest(symbol="SPY", side=BUY, qty=D(5), type=LIMIT, limit_price=D("0.01")), D(4))
    assert request.limit_price == D("0.01")


@pytest.mark.parametrize(("qty", "after"), [("10", "3.333333333"), ("-10", "-3.333333333"), ("0", "0"), ("3", "1")])
def test_a_fraction_is_cut_towards_nothing(qty: str, after: str) -> None:
    assert whole(D(qty), D("0.3333333333333333333333333333")) == D(after)
