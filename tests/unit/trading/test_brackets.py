"""Which entries a broker takes with their exits as one order, and by what the exits are known."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from core.errors import InvalidValue
from core.model.broker import BrokerOrder, Features, OrderClass
from core.model.hand import OrderTerms
from core.model.order import Order, OrderLeg, OrderRequest, OrderSide, OrderStatus, OrderType, RejectCode, TimeInForce
from core.runs.exits import exits_of
from core.trading.brackets import bracket_request, check_change, fits_as_one, is_over_there, legs_as_ours
from core.trading.order_fold import OrderLife, heard, refused

D, S = Decimal, OrderStatus
TARGET = OrderLeg(type=OrderType.LIMIT, limit_price=D(110))
STOP = OrderLeg(type=OrderType.STOP, stop_price=D(90))
FEATURES = Features(order_classes=tuple(OrderClass))
NONE = D(0)


def entry(**terms: Any) -> Order:
    given: dict[str, Any] = {"symbol": "SPY", "side": OrderSide.BUY, "qty": D(10), "target": TARGET, "stop_loss": STOP}
    request = OrderRequest(**(given | terms))
    time_in_force = request.time_in_force or TimeInForce.DAY
    return Order(id="e", run_id="r", request=request, time_in_force=time_in_force, status=S.SUBMITTING, created_ns=1, updated_ns=1)


def family(**terms: Any) -> tuple[Order, list[Order]]:
    order = entry(**terms)
    return order, [msgspec.structs.replace(one, status=S.SUBMITTING) for one in exits_of(order, 1)]


def said(
    id: str, client_id: str, type_: OrderType, status: OrderStatus = S.ACCEPTED, legs: tuple[BrokerOrder, ...] = (), **more: Any
) -> BrokerOrder:
    return BrokerOrder(
        id=id, client_order_id=client_id, symbol="SPY", side=OrderSide.SELL, type=type_, broker_type=type_.value, legs=legs,
        time_in_force=TimeInForce.DAY, broker_time_in_force="day", status=status, broker_status=more.pop("broker_status", "held"),
        filled_qty=more.pop("filled_qty", NONE), submitted_ns=1, updated_ns=1, **more,
    )  # fmt: skip


def test_an_entry_with_both_exits_is_a_bracket() -> None:
    order, exits = family(
        type=OrderType.LIMIT, limit_price=D(100), stop_loss=msgspec.structs.replace(STOP, type=OrderType.STOP_LIMIT, limit_price=D(89))
    )
    assert fits_as_one(order, exits, (NONE, NONE), FEATURES)
    request = bracket_request(order, exits)
    assert (request.client_order_id, request.order_class, request.qty, request.limit_price) == ("e", OrderClass.BRACKET, D(10), D(100))
    assert (request.target_price, request.stop_loss_price, request.stop_loss_limit) == (D(110), D(90), D(89))


@pytest.mark.parametrize("missing", ["target", "stop_loss"])
def test_an_entry_with_one_exit_triggers_it(missing: str) -> None:
    order, exits = family(**{missing: None}, time_in_force=TimeInForce.GTC)
    assert fits_as_one(order, exits, (NONE, NONE), FEATURES)
    request = bracket_request(order, exits)
    assert (request.order_class, request.time_in_force) == (OrderClass.OTO, TimeInForce.GTC)
    assert (request.target_price, request.stop_loss_price) == ((None, D(90)) if missing == "target" else (D(110), None))


def test_a_short_and_its_exits_too() -> None:
    order, exits = family(side=OrderSide.SELL, target=msgspec.structs.replace(TARGET, limit_price=D(80)))
    assert fits_as_one(order, exits, (NONE, NONE), FEATURES)
    assert bracket_request(order, exits).side is OrderSide.SELL


TRAIL = OrderLeg(type=OrderType.TRAILING_STOP, trail_price=D(1))


@pytest.mark.parametrize(
    ("terms", "held", "classes"),
    [
        ({}, NONE, (OrderClass.SIMPLE, OrderClass.OCO, OrderClass.OTO)),
        ({"target": None}, NONE, (OrderClass.SIMPLE, OrderClass.OCO, OrderClass.BRACKET)),
        ({"target": None, "stop_loss": None}, NONE, tuple(OrderClass)),
        ({"symbol": "BTC/USD"}, NONE, tuple(OrderClass)),
        ({"qty": D("0.5")}, NONE, tuple(OrderClass)),
        ({"stop_loss": TRAIL}, NONE, tuple(OrderClass)),
        ({"type": OrderType.STOP, "stop_price": D(100)}, NONE, tuple(OrderClass)),
        ({"time_in_force": TimeInForce.IOC}, NONE, tuple(OrderClass)),
        ({"time_in_force": TimeInForce.CLS}, NONE, tuple(OrderClass)),
        ({"type": OrderType.LIMIT, "limit_price": D(100), "extended_hours": True}, NONE, tuple(OrderClass)),
        ({"target": msgspec.structs.replace(TARGET, time_in_force=TimeInForce.GTC)}, NONE, tuple(OrderClass)),
        ({}, D(-10), tuple(OrderClass)),  # it closes a short first: its exits would work at nothing
    ],
)
def test_what_does_not_fit_leaves_apart(terms: dict[str, Any], held: Decimal, classes: tuple[OrderClass, ...]) -> None:
    order, exits = family(**terms)
    for both in ((held, NONE), (NONE, held), (held, held)) if held else ((NONE, NONE),):
        assert not fits_as_one(order, exits, both, Features(order_classes=classes))


def test_exits_are_known_by_what_they_are_then_by_the_brokers_id_then_by_ours() -> None:
    order, (stop, target) = family()
    legs = (said("L1", "x", OrderType.LIMIT), said("L2", "y", OrderType.STOP))
    answer = said("L0", order.id, OrderType.MARKET, legs=legs)
    assert [(one.id, one.client_order_id) for one in legs_as_ours(answer, (stop, target))] == [("L1", "e.target"), ("L2", "e.stop")]
    # A change of the target has an id of ours; the stop is the one that was heard first, and no other.
    stop, target = msgspec.structs.replace(stop, broker_id="L2"), msgspec.structs.replace(target, broker_id="L3")
    after = (said("L3", "e.target.r1", OrderType.LIMIT), said("L2", "y", OrderType.STOP), said("L4", "z", OrderType.STOP))
    answer = said("L0", order.id, OrderType.MARKET, legs=after)
    assert [(one.id, one.client_order_id) for one in legs_as_ours(answer, (stop, target))] == [("L3", "e.target.r1"), ("L2", "e.stop")]


def test_an_exit_is_over_when_the_broker_says_so() -> None:
    _, (stop, _) = family()
    life = OrderLife(order=stop)
    assert not is_over_there(life)
    assert is_over_there(heard(life, said("L2", "e.stop", OrderType.STOP, S.CANCELLED), 2).life)
    # A part of it is still to be heard of.
    assert not is_over_there(heard(life, said("L2", "e.stop", OrderType.STOP, S.CANCELLED, filled_qty=D(3)), 2).life)
    # What we hold as refused may be there all the same.
    given_up = refused(life, RejectCode.NEVER_SENT, "lost", 2).life
    assert not is_over_there(given_up)
    there = heard(given_up, said("L2", "e.stop", OrderType.STOP), 3).life
    assert there.order.status is S.REJECTED
    assert not is_over_there(there)
    assert is_over_there(heard(there, said("L2", "e.stop", OrderType.STOP, S.CANCELLED), 4).life)


def test_entry_and_exits_stay_over_one_quantity() -> None:
    order, (stop, _) = family(type=OrderType.LIMIT, limit_price=D(100))
    check_change(OrderLife(order=order), OrderTerms(limit_price=D(101), qty=D(10)), has_exits=True, is_held_by=None)
    check_change(OrderLife(order=stop), OrderTerms(stop_price=D(91)), has_exits=False, is_held_by="e")
    check_change(OrderLife(order=stop), OrderTerms(qty=D(5)), has_exits=False, is_held_by=None)
    for one, has_exits, lead in ((order, True, None), (stop, False, "e")):
        with pytest.raises(InvalidValue, match="one quantity"):
            check_change(OrderLife(order=one), OrderTerms(qty=D(5)), has_exits=has_exits, is_held_by=lead)
    with pytest.raises(InvalidValue, match="a part of it is filled"):
        check_change(OrderLife(order=order, broker_qty=D(1)), OrderTerms(limit_price=D(101)), has_exits=True, is_held_by=None)
