"""News of an order whose terms were changed, told in every order: one order of ours, whatever the broker made of it."""

from decimal import Decimal
from itertools import permutations
from typing import NamedTuple

import msgspec
import pytest

from core.errors import InvalidValue
from core.events.envelope import Payload
from core.events.payloads import OrderCancelled, OrderCompleted, OrderFilled, OrderReplaced, OrderReplaceRefused
from core.model.broker import BrokerOrder, Execution
from core.model.hand import OrderTerms
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, OrderType, RejectCode, TimeInForce
from core.trading.changes import changed_request, own_id
from core.trading.order_fold import OrderLife, change_refused, change_sent, executed, heard, refused, revived

S = OrderStatus
D = Decimal


def order(qty: int = 10, filled: int = 0) -> Order:
    request = OrderRequest(symbol="DEMO", side=OrderSide.BUY, qty=D(qty), type=OrderType.LIMIT, limit_price=D(90))
    return Order(
        id="run-1",
        run_id="run",
        request=request,
        time_in_force=TimeInForce.GTC,
        status=S.ACCEPTED,
        created_ns=1,
        updated_ns=1,
        broker_id="b0",
        filled_qty=D(filled),
    )


def says(part: int, word: str, *, qty: int, filled: int = 0, limit: int = 90, status: OrderStatus | None = None) -> BrokerOrder:
    states = {
        "new": S.ACCEPTED,
        "partially_filled": S.PARTIALLY_FILLED,
        "filled": S.FILLED,
        "replaced": S.CANCELLED,
        "canceled": S.CANCELLED,
    }
    return BrokerOrder(
        id=f"b{part}",
        client_order_id="run-1" if not part else f"run-1.r{part}",
        symbol="DEMO",
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        broker_type="limit",
        time_in_force=TimeInForce.GTC,
        broker_time_in_force="gtc",
        status=status or states.get(word, S.REJECTED),
        broker_status=word,
        filled_qty=D(filled),
        submitted_ns=1,
        updated_ns=1,
        qty=D(qty),
        limit_price=D(limit),
    )


def fill(id: str, part: int, qty: int, at_ns: int = 5) -> Execution:
    return Execution(id=id, order_id=f"b{part}", symbol="DEMO", side=OrderSide.BUY, qty=D(qty), price=D(90), cum_qty=D(qty), time_ns=at_ns)


END_OF = {"expired": S.EXPIRED, "canceled": S.CANCELLED, "rejected": S.REJECTED}


class Case(NamedTuple):
    """News, and what the order is when all of them are told. `wanted`: what the whole order was to be over."""

    name: str
    wanted: int
    news: tuple[tuple[BrokerOrder, Execution | None], ...]
    status: OrderStatus
    qty: int
    filled: int
    limit: int
    broker_id: str


CASES = (
    Case(
        "it is made, and fills on its new terms",
        10,
        (
            (says(0, "replaced", qty=10), None),
            (says(1, "new", qty=10, limit=95), None),
            (says(1, "filled", qty=10, filled=10, limit=95), fill("x", 1, 10)),
        ),
        S.FILLED, 10, 10, 95, "b1",
    ),
    Case(
        "a part had filled before",
        10,
        (
            (says(0, "partially_filled", qty=10, filled=4), fill("x", 0, 4)),
            (says(0, "replaced", qty=10, filled=4), None),
            (says(1, "new", qty=6, limit=95), None),
            (says(1, "filled", qty=6, filled=6, limit=95), fill("y", 1, 6, 6)),
        ),
        S.FILLED, 10, 10, 95, "b1",
    ),
    Case(
        "it makes the order larger, and the new part fills while the old one's end is not told",
        15,
        (
            (says(0, "partially_filled", qty=10, filled=4), fill("x", 0, 4)),
            (says(0, "replaced", qty=10, filled=4), None),
            (says(1, "filled", qty=11, filled=11), fill("y", 1, 11, 6)),
        ),
        S.FILLED, 15, 15, 90, "b1",
    ),
    Case(
        "a fill wins the race, and the broker rejects what came after it",
        10,
        ((says(0, "filled", qty=10, filled=10), fill("x", 0, 10)), (says(1, "rejected", qty=10, limit=95), None)),
        S.FILLED, 10, 10, 90, "b0",
    ),
    Case(
        "a part fills while the change is on its way: the new order counts on top of it, and that is seen",
        10,
        (
            (says(0, "replaced", qty=10, filled=3), None),
            (says(0, "partially_filled", qty=10, filled=3), fill("x", 0, 3)),
            (says(1, "new", qty=10, limit=95), None),
        ),
        S.PARTIALLY_FILLED, 13, 3, 95, "b1",
    ),
    Case(
        "the new order fills whole, and then more is told of what filled before: it is over, and grows",
        10,
        (
            (says(0, "partially_filled", qty=10, filled=3), fill("x", 0, 3)),
            (says(1, "filled", qty=7, filled=7), fill("y", 1, 7, 6)),
            (says(0, "replaced", qty=10, filled=5), None),
            (says(0, "replaced", qty=10, filled=5), fill("z", 0, 2, 7)),
        ),
        S.FILLED, 12, 12, 90, "b1",
    ),
    Case(
        "it makes the order larger, and what fills of the new one is told first: it is not over",
        15,
        (
            (says(0, "new", qty=10), fill("x", 1, 10)),
            (says(0, "replaced", qty=10), None),
            (says(1, "partially_filled", qty=15, filled=10), None),
        ),
        S.PARTIALLY_FILLED, 15, 10, 90, "b1",
    ),
    Case(
        "it was to make the order larger, and the old one fills whole instead",
        15,
        ((says(0, "new", qty=10), fill("x", 0, 10)), (says(1, "rejected", qty=15), None)),
        S.FILLED, 10, 10, 90, "b0",
    ),
    Case(
        "the new order is cancelled",
        10,
        ((says(0, "replaced", qty=10), None), (says(1, "new", qty=10, limit=95), None), (says(1, "canceled", qty=10, limit=95), None)),
        S.CANCELLED, 10, 0, 95, "b1",
    ),
    Case(
        "the new order is cancelled over more than was asked for: one that the old one filled while the change was on its way",
        4,
        (
            (says(0, "replaced", qty=4, filled=1), fill("x", 0, 1)),
            (says(1, "partially_filled", qty=4, filled=3), fill("y", 1, 3, 6)),
            (says(1, "canceled", qty=4, filled=3), None),
        ),
        S.CANCELLED, 5, 4, 90, "b1",
    ),
    Case(
        "the broker rejects the new order when it had taken the old one's place",
        10,
        ((says(0, "replaced", qty=10), None), (says(1, "rejected", qty=10, limit=95), None)),
        S.REJECTED, 10, 0, 95, "b1",
    ),
    Case(
        "the broker rejects the new order after a part of it, and the old one's end is told last",
        10,
        (
            (says(1, "partially_filled", qty=10, filled=2, limit=95), fill("x", 1, 2)),
            (says(1, "rejected", qty=10, filled=2, limit=95), None),
            (says(0, "replaced", qty=10), None),
        ),
        S.REJECTED, 10, 2, 95, "b1",
    ),
    Case(
        "the broker rejects it and the old order goes on",
        10,
        ((says(1, "rejected", qty=10, limit=95), None), (says(0, "new", qty=10), None)),
        S.ACCEPTED, 10, 0, 90, "b0",
    ),
)  # fmt: skip


def told_all(life: OrderLife, news: tuple[tuple[BrokerOrder, Execution | None], ...]) -> tuple[OrderLife, list[Payload]]:
    told: list[Payload] = []
    for broker, execution in news:
        step = heard(life, broker, 9)
        told += step.told
        life = step.life
        if execution is not None:
            step = executed(life, execution, f"a/{execution.id}", 9)
            told += step.told
            life = step.life
    return life, told


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_news_of_a_changed_order_come_to_the_same_in_any_order_and_twice(case: Case) -> None:
    sent = change_sent(OrderLife(order=order(), said=S.ACCEPTED), D(case.wanted))
    for news in permutations(case.news):
        for life, told in (told_all(sent, news), told_all(sent, news + news)):
            now = life.order
            assert (now.status, now.request.qty, now.filled_qty) == (case.status, D(case.qty), D(case.filled))
            assert (now.request.limit_price, now.broker_id) == (D(case.limit), case.broker_id)
            assert len(told) == len(told_all(sent, news)[1])
            assert sum(isinstance(one, OrderFilled | OrderCompleted) for one in told) == (case.status is S.FILLED)
            replaced = [one.request for one in told if isinstance(one, OrderReplaced)]
            assert replaced[-1:] == ([now.request] if case.broker_id == "b1" else [])
            refused = sum(isinstance(one, OrderReplaceRefused) for one in told)
            assert refused == (case.broker_id == "b0") or (case.status is S.REJECTED and refused <= 1)
            assert life.changing is None
            assert not life.missing_qty


def test_somebody_else_changed_it_and_the_order_is_over_here() -> None:
    life = heard(OrderLife(order=order(), said=S.ACCEPTED), says(0, "replaced", qty=10), 9).life
    assert life.order.status is S.CANCELLED


def test_a_change_that_was_given_up_and_comes_after_all_is_taken() -> None:
    sent = change_sent(OrderLife(order=order(), said=S.ACCEPTED), D(10))
    given_up = change_refused(sent, 1, RejectCode.NEVER_SENT, "It never came.", 9)
    assert [type(one) for one in given_up.told] == [OrderReplaceRefused]
    life, told = told_all(given_up.life, ((says(1, "new", qty=10, limit=95), None), (says(0, "replaced", qty=10), None)))
    assert (life.order.broker_id, [type(one) for one in told]) == ("b1", [OrderReplaced])


def test_a_change_that_was_given_up_is_in_doubt_again_once_the_order_before_it_is_replaced() -> None:
    sent = change_sent(OrderLife(order=order(), said=S.ACCEPTED), D(10))
    given_up = change_refused(sent, 1, RejectCode.NEVER_SENT, "It never came.", 9).life
    assert given_up.changing is None
    doubted, told = told_all(given_up, ((says(0, "replaced", qty=10), None),))
    assert (doubted.order.status, doubted.changing, told) == (S.ACCEPTED, 1, [])
    made, told = told_all(doubted, ((says(1, "new", qty=10, limit=95), None),))
    assert (made.order.status, made.order.broker_id, [type(one) for one in told]) == (S.ACCEPTED, "b1", [OrderReplaced])
    gone = change_refused(doubted, 1, RejectCode.NEVER_SENT, "It never came.", 9)
    assert (gone.life.order.status, gone.life.changing, [type(one) for one in gone.told]) == (S.CANCELLED, None, [OrderCancelled])


def test_a_rejected_change_is_not_taken_for_the_one_that_is_under_way() -> None:
    """The broker rejects the first change, and makes the second one: that the order is replaced is told before anything of it."""
    life = change_sent(OrderLife(order=order(), said=S.ACCEPTED), D(10))
    life = change_sent(heard(life, says(1, "rejected", qty=10, limit=95), 9).life, D(10))
    waits = heard(life, says(0, "replaced", qty=10), 9).life
    assert (waits.order.status, waits.changing) == (S.ACCEPTED, 2)
    made = heard(waits, says(2, "new", qty=10, limit=96), 9).life
    assert (made.order.status, made.order.broker_id, made.at) == (S.ACCEPTED, "b2", 2)


def test_a_rejected_change_is_not_taken_for_somebody_else_s() -> None:
    """The broker names who took the order's place, and it is none of ours."""
    life = change_sent(OrderLife(order=order(), said=S.ACCEPTED), D(10))
    news = (says(1, "rejected", qty=10, limit=95), msgspec.structs.replace(says(0, "replaced", qty=10), replaced_by="x"))
    for each in permutations(news):
        after, _ = told_all(life, tuple((one, None) for one in each))
        assert (after.order.status, after.order.broker_id) == (S.CANCELLED, "b0")


@pytest.mark.parametrize("end", ["expired", "canceled", "rejected"])
def test_an_order_that_is_over_is_not_rejected_after_it(end: str) -> None:
    life = heard(OrderLife(order=order(), said=S.ACCEPTED), says(0, end, qty=10, status=END_OF[end]), 9).life
    again = refused(life, RejectCode.NEVER_SENT, "The broker does not have it.", 9)
    assert (again.life.order.status, again.told) == (END_OF[end], ())


def test_what_the_broker_said_earlier_of_an_exits_size_does_not_count_when_it_comes_late() -> None:
    exit_order = msgspec.structs.replace(order(), sibling_id="run-2")
    new, smaller = says(0, "new", qty=10), msgspec.structs.replace(says(0, "new", qty=6), updated_ns=2)
    for news in permutations((new, smaller)):
        life, _ = told_all(OrderLife(order=exit_order, said=S.ACCEPTED), tuple((one, None) for one in news))
        assert (life.over_qty, life.left_qty) == (D(6), D(6))


def test_an_order_of_which_the_other_of_its_pair_left_nothing_keeps_its_terms() -> None:
    life = change_sent(OrderLife(order=order()), D(10))
    for news in (says(0, "replaced", qty=10), says(1, "new", qty=10, limit=91), says(1, "canceled", qty=0, limit=91)):
        life = heard(life, news, 9).life
    assert (life.order.status, life.order.request.qty) == (S.CANCELLED, D(10))


def test_a_refusal_of_a_change_that_was_made_does_nothing() -> None:
    sent = change_sent(OrderLife(order=order(), said=S.ACCEPTED), D(10))
    made, _ = told_all(sent, CASES[0].news[:2])
    assert change_refused(made, 1, RejectCode.NEVER_SENT, "No.", 9).told == ()


def test_a_stored_order_is_gone_on_with_before_all_of_its_parts_are_known() -> None:
    stored = OrderLife(
        order=msgspec.structs.replace(order(13, 3), broker_id="b1", status=S.PARTIALLY_FILLED), said=S.ACCEPTED, at=1,
        changes=change_sent(OrderLife(order=order()), D(10)).changes,
    )  # fmt: skip
    life, told = told_all(stored, ((says(1, "new", qty=10, limit=95), None),))
    assert (life.order.request.qty, told) == (D(13), [])
    life, told = told_all(life, ((says(0, "replaced", qty=10, filled=3), None),))
    assert (life.order.request.qty, life.order.status, told) == (D(13), S.PARTIALLY_FILLED, [])


def test_what_an_order_is_over_too_much_follows_from_what_is_stored_and_the_end_of_the_one_before() -> None:
    grown = msgspec.structs.replace(order(12, 4), broker_id="b1", status=S.PARTIALLY_FILLED)
    stored = revived(grown, (), change_sent(OrderLife(order=order()), D(8)).changes, 1)
    assert (stored.is_unclear, stored.excess_qty) == (True, D(0))
    life, told = told_all(stored, ((says(1, "new", qty=8), None), (says(0, "replaced", qty=10, filled=4), None)))
    assert (life.is_unclear, life.excess_qty, told) == (False, D(4), [])


def test_a_stored_order_is_not_filled_before_the_part_that_works_is_known() -> None:
    """The old order filled more than was asked for, unheard, and the new one works on."""
    stored = revived(msgspec.structs.replace(order(3), broker_id="b1"), (), change_sent(OrderLife(order=order()), D(3)).changes, 1)
    life, _ = told_all(stored, ((says(0, "replaced", qty=10, filled=4), fill("x", 0, 4)),))
    assert life.order.status is S.PARTIALLY_FILLED
    life, _ = told_all(life, ((says(1, "new", qty=3), None),))
    assert (life.order.status, life.order.request.qty) == (S.PARTIALLY_FILLED, D(7))


def test_an_exit_that_the_broker_cut_off_is_cancelled_whatever_was_heard_of_its_size() -> None:
    """One unit filled before the change; of the new order's four the other of the pair sold one, and it filled three."""
    exit_order = msgspec.structs.replace(order(4), sibling_id="run-2")
    news = (
        (says(0, "replaced", qty=4, filled=1), fill("x", 0, 1)),
        (msgspec.structs.replace(says(1, "canceled", qty=3, filled=3), updated_ns=4), fill("y", 1, 3, 6)),
        (msgspec.structs.replace(says(1, "partially_filled", qty=4, filled=3), updated_ns=3), None),
    )
    for heard_of in (news, news[:2]):
        for each in permutations(heard_of):
            life, _ = told_all(change_sent(OrderLife(order=exit_order, said=S.ACCEPTED), D(4)), each)
            assert (life.order.status, life.order.request.qty, life.order.filled_qty) == (S.CANCELLED, D(4), D(4))


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (OrderTerms(qty=D(4)), "the order has filled 4 already"),
        (OrderTerms(stop_price=D(80)), "a limit order has none"),
        (OrderTerms(trail=D(1)), "a limit order has none"),
        (OrderTerms(limit_price=D(90)), "it has these terms already"),
    ],
)
def test_terms_that_are_none_are_refused_with_a_sentence(terms: OrderTerms, words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        changed_request(order(filled=4), terms)


def test_terms_of_nothing_cannot_be_made() -> None:
    with pytest.raises(InvalidValue):
        OrderTerms()
    with pytest.raises(InvalidValue):
        OrderTerms(limit_price=D(-1))


def test_new_terms_leave_the_rest_as_it_is() -> None:
    assert changed_request(order(), OrderTerms(limit_price=D(95))) == msgspec.structs.replace(order().request, limit_price=D(95))


@pytest.mark.parametrize(("id", "own"), [("run-1", "run-1"), ("run-1.r2", "run-1"), ("run-h12.stop", "run-h12.stop"), ("x.r", "x.r")])
def test_a_part_is_known_by_its_id(id: str, own: str) -> None:
    assert own_id(id) == own


@pytest.mark.parametrize("end", [S.EXPIRED, S.CANCELLED, S.REJECTED])
def test_an_order_that_is_over_stays_over_though_it_is_told_to_be_replaced(end: OrderStatus) -> None:
    life = change_sent(OrderLife(order=order(), said=S.ACCEPTED), D(12))
    life = heard(life, says(0, "expired", qty=10, status=end), 2).life
    assert life.order.status is end
    for news in (says(0, "replaced", qty=10), says(1, "new", qty=12), says(1, "partially_filled", qty=12, filled=2)):
        after = heard(life, news, 3)
        life = after.life
        assert life.order.status is end
        assert not any(isinstance(one, OrderReplaced) and one.order_id != "run-1" for one in after.told)
    done = executed(life, fill("x", 1, 2), "x", 4)
    assert (done.life.order.status, done.life.order.filled_qty) == (end, D(2))  # what it did all the same is booked
