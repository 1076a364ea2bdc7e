"""Our books beside the broker's: each difference by its case, with what heals it."""

from decimal import Decimal

import msgspec
import pytest

from core.model.broker import BrokerOrder, Execution
from core.model.instants import SECOND_NS
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce
from core.trading.order_fold import OrderLife, executed
from core.trading.reconcile import Difference, Healing, Kind, Ours, Theirs, compare

S = OrderStatus
D = Decimal
NOW = 1_000 * SECOND_NS


def life(status: OrderStatus = S.ACCEPTED, id: str = "run-1", age_s: int = 60, broker_id: str | None = "b-run-1") -> OrderLife:
    order = Order(
        id=id,
        run_id="run",
        request=OrderRequest(symbol="DEMO", side=OrderSide.BUY, qty=D(10)),
        time_in_force=TimeInForce.DAY,
        status=status,
        created_ns=NOW - age_s * SECOND_NS,
        updated_ns=NOW - age_s * SECOND_NS,
        broker_id=broker_id,
    )
    return OrderLife(order=order, said=status)


def theirs_order(status: OrderStatus = S.ACCEPTED, client_id: str = "run-1", filled: int = 0) -> BrokerOrder:
    return BrokerOrder(
        id=f"b-{client_id}",
        client_order_id=client_id,
        symbol="DEMO",
        side=OrderSide.BUY,
        type=OrderType.MARKET,
        broker_type="market",
        time_in_force=TimeInForce.DAY,
        broker_time_in_force="day",
        status=status,
        broker_status=status.value,
        filled_qty=D(filled),
        submitted_ns=NOW,
        updated_ns=NOW,
        qty=D(10),
    )


def execution(id: str = "x1", qty: int = 4, order: str = "run-1", cum: int = 4) -> Execution:
    return Execution(id=id, order_id=f"b-{order}", symbol="DEMO", side=OrderSide.BUY, qty=D(qty), price=D(100), cum_qty=D(cum), time_ns=NOW)


def ours(*lives: OrderLife, held: int = 0, **rest: object) -> Ours:
    return msgspec.structs.replace(Ours(lives={one.order.id: one for one in lives}, positions={"DEMO": D(held)}), **rest)


def theirs(*orders: BrokerOrder, executions: tuple[Execution, ...] = (), held: int = 0) -> Theirs:
    return Theirs(asked_ns=NOW + 1, orders=orders, executions=executions, positions={"DEMO": D(held)} if held else {})


def brief(found: tuple[Difference, ...]) -> list[tuple[Kind, Healing]]:
    return [(one.kind, one.healing) for one in found]


def test_equal_books_differ_in_nothing() -> None:
    booked = executed(life(), execution(), "sim:paper/x1", NOW).life
    there = theirs(theirs_order(S.PARTIALLY_FILLED, filled=4), executions=(execution(), execution()), held=4)
    assert compare(ours(booked, held=4), there, NOW) == ()


def test_a_missed_fill_is_booked_once_and_explains_the_position() -> None:
    there = theirs(theirs_order(S.PARTIALLY_FILLED, filled=4), executions=(execution(), execution()), held=4)
    found = compare(ours(life()), there, NOW)
    assert brief(found) == [(Kind.MISSED_FILL, Healing.BOOK)]
    assert (found[0].order_id, found[0].execution) == ("run-1", execution())
    assert found[0].reason == "The broker executed buy 4 DEMO at 100, and it had not been heard of."


@pytest.mark.parametrize("status", [S.CANCELLED, S.EXPIRED, S.REJECTED])
def test_an_order_that_ended_at_the_broker_ends_here(status: OrderStatus) -> None:
    assert brief(compare(ours(life()), theirs(theirs_order(status)), NOW)) == [(Kind.MISSED_NEWS, Healing.FOLD)]


def test_an_order_whose_answer_was_lost_is_taken_up() -> None:
    sent = life(S.SUBMITTING, broker_id=None)
    assert brief(compare(ours(sent), theirs(theirs_order()), NOW)) == [(Kind.MISSED_NEWS, Healing.FOLD)]


def test_an_order_that_the_broker_never_had_is_closed_after_a_while() -> None:
    sent = life(S.SUBMITTING, broker_id=None)
    assert brief(compare(ours(sent), theirs(), NOW)) == [(Kind.GHOST_ORDER, Healing.CLOSE)]
    fresh = life(S.SUBMITTING, broker_id=None, age_s=1)
    assert brief(compare(ours(fresh), theirs(), NOW)) == [(Kind.GHOST_ORDER, Healing.WAIT)]
    assert compare(ours(sent, in_flight=frozenset({"run-1"})), theirs(), NOW) == ()


def test_an_order_that_is_over_here_and_works_there_is_cancelled() -> None:
    assert brief(compare(ours(life(S.REJECTED)), theirs(theirs_order()), NOW)) == [(Kind.STRAY_ORDER, Healing.CANCEL)]
    assert compare(ours(life(S.REJECTED)), theirs(theirs_order(S.REJECTED)), NOW) == ()


def test_a_strange_order_is_adopted_once_with_what_it_filled() -> None:
    there = theirs(theirs_order(S.PARTIALLY_FILLED, "by-hand", 4), executions=(execution(order="by-hand"),), held=4)
    assert brief(compare(ours(), there, NOW)) == [(Kind.STRANGE_FILL, Healing.ADOPT), (Kind.STRANGE_ORDER, Healing.ADOPT)]
    known = ours(adopted=frozenset({"b-by-hand"}), known_outside=frozenset({"x1"}), outside={"DEMO": D(4)})
    assert compare(known, there, NOW) == ()


def test_a_position_that_does_not_add_up_is_waited_for_and_then_stops() -> None:
    first = compare(ours(held=3), theirs(held=5), NOW)
    assert brief(first) == [(Kind.POSITION, Healing.WAIT)]
    assert first[0].reason == "The account holds 5 DEMO, and all fills together make 3."
    since = {first[0].key: NOW}
    assert brief(compare(ours(held=3), theirs(held=5), NOW + 9 * SECOND_NS, since=since)) == [(Kind.POSITION, Healing.WAIT)]
    assert brief(compare(ours(held=3), theirs(held=5), NOW + 10 * SECOND_NS, since=since)) == [(Kind.POSITION, Healing.STOP)]
    # Another figure is another difference: the lists are moving.
    assert brief(compare(ours(held=3), theirs(held=4), NOW + 10 * SECOND_NS, since=since)) == [(Kind.POSITION, Healing.WAIT)]


def test_a_fill_that_the_broker_gives_no_execution_of() -> None:
    there = theirs(theirs_order(S.PARTIALLY_FILLED, filled=4))
    assert brief(compare(ours(life()), there, NOW)) == [(Kind.FILL_WITHOUT_DETAILS, Healing.WAIT)]
    late = compare(ours(life()), there, NOW + 10 * SECOND_NS, since={"details:run-1": NOW})
    assert brief(late) == [(Kind.FILL_WITHOUT_DETAILS, Healing.STOP)]


def test_a_symbol_that_is_only_on_one_side_counts() -> None:
    assert brief(compare(ours(held=3), Theirs(asked_ns=NOW + 1, orders=(), executions=(), positions={}), NOW)) == [
        (Kind.POSITION, Healing.WAIT)
    ]
    there = Theirs(asked_ns=NOW + 1, orders=(), executions=(), positions={"OTHER": D(1)})
    assert [one.symbol for one in compare(ours(), there, NOW)] == ["OTHER"]


def test_what_happened_while_the_broker_was_asked_is_not_held_against_it() -> None:
    asked = msgspec.structs.replace(theirs(), asked_ns=NOW - 60 * SECOND_NS)
    assert brief(compare(ours(life(), held=3), asked, NOW)) == [(Kind.GHOST_ORDER, Healing.WAIT)]  # and its position is left alone
    late = msgspec.structs.replace(theirs(theirs_order()), asked_ns=NOW - 60 * SECOND_NS)
    assert compare(ours(life(S.CANCELLED)), late, NOW) == ()
