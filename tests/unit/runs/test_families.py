"""Exits that wait for their entry, and pairs of which one cancels the other."""

from decimal import Decimal

import msgspec
import pytest

from core.model.order import Fill, Order, OrderRequest, OrderSide, OrderStatus, TimeInForce
from core.runs.families import Families
from core.trading.order_fold import OrderLife
from core.trading.service import Intent

S = OrderStatus


def life(id: str, status: OrderStatus, filled: int = 0, told: int | None = None) -> OrderLife:
    order = Order(
        id=id,
        run_id="run",
        request=OrderRequest(symbol="DEMO", side=OrderSide.BUY, qty=Decimal(10)),
        time_in_force=TimeInForce.DAY,
        status=status,
        created_ns=1,
        updated_ns=1,
        filled_qty=Decimal(filled),
    )
    fills = (Fill("f", "run", id, "DEMO", OrderSide.BUY, Decimal(filled), Decimal(1), Decimal(0), Decimal(0), 1),) if filled else ()
    return OrderLife(order=order, said=status, fills=fills, broker_qty=Decimal(filled if told is None else told))


def waiting() -> Families:
    families = Families()
    families.wait("entry", [Intent(order=life(name, S.CREATED).order) for name in ("stop", "target")])
    return families


def due(families: Families, *lives: OrderLife) -> tuple[list[tuple[str, int]], list[str]]:
    leaving, cancels = families.due({one.order.id: one for one in lives}, lambda order_id: f"{order_id}-event", 99)
    assert all(intent.caused_by == "entry-event" for intent in leaving)
    return [(intent.order.id, int(intent.order.request.qty)) for intent in leaving], cancels


def test_exits_leave_over_what_their_entry_filled_once_it_is_over() -> None:
    families = waiting()
    assert due(families) == ([], [])
    assert due(families, life("entry", S.PARTIALLY_FILLED, 4)) == ([], [])
    assert due(families, life("entry", S.CANCELLED, 4, told=6)) == ([], [])  # two more are on their way
    assert due(families, life("entry", S.CANCELLED, 6)) == ([("stop", 6), ("target", 6)], [])
    assert due(families, life("entry", S.CANCELLED, 6)) == ([], [])
    assert families.waiting() == frozenset()


@pytest.mark.parametrize("status", [S.CANCELLED, S.REJECTED, S.EXPIRED])
def test_an_entry_that_fills_nothing_has_no_exits(status: OrderStatus) -> None:
    families = waiting()
    assert due(families, life("entry", status)) == ([], [])
    assert families.waiting() == frozenset()


@pytest.mark.parametrize("first", [life("stop", S.FILLED, 10), life("stop", S.PARTIALLY_FILLED, 1), life("stop", S.CANCELLED)])
def test_one_of_a_pair_takes_the_other_back_once(first: OrderLife) -> None:
    families = Families()
    families.pair("stop", "target")
    other = life("target", S.ACCEPTED)
    assert due(families, life("stop", S.ACCEPTED), other) == ([], [])
    assert due(families, first, other) == ([], ["target"])
    assert due(families, first, other) == ([], [])
    assert due(families, first, life("target", S.CANCELLED)) == ([], [])


def test_an_exit_that_waits_is_taken_back_with_its_sibling() -> None:
    families = waiting()
    assert families.waiting() == {"stop", "target"}
    assert families.drop("target")
    assert families.waiting() == frozenset()
    assert not families.drop("target")
    assert due(families, life("entry", S.FILLED, 10)) == ([], [])


# --- exits that left with their entry ---


def left_together(target: OrderLife, stop: OrderLife, entry: OrderLife, asked_back: frozenset[str] = frozenset()) -> Families:
    """A family whose exits have rows."""
    families = waiting()
    families.know({one.order.id: one for one in (entry, stop, target)}, asked_back)
    return families


def test_exits_that_left_with_their_entry_wait_no_more() -> None:
    entry, stop, target = life("entry", S.ACCEPTED), life("stop", S.ACCEPTED), life("target", S.ACCEPTED)
    families = left_together(target, stop, entry)
    assert families.waiting() == frozenset()
    assert families.find("stop") is None
    assert not families.drop("stop")
    assert due(families, entry, stop, target) == ([], [])
    assert due(families, life("entry", S.FILLED, 10), stop, target) == ([], [])
    # One of them was filled: that is their end.
    assert due(families, life("entry", S.FILLED, 10), life("stop", S.CANCELLED), life("target", S.FILLED, 10)) == ([], [])


@pytest.mark.parametrize("status", [S.CANCELLED, S.EXPIRED])
def test_they_leave_again_over_what_was_filled_when_the_broker_ended_them_with_it(status: OrderStatus) -> None:
    entry, stop, target = life("entry", S.PARTIALLY_FILLED, 4), life("stop", S.ACCEPTED), life("target", S.ACCEPTED)
    families = left_together(target, stop, entry)
    assert due(families, life("entry", status, 4), stop, target) == ([], [])  # the broker has not said what became of the exits
    stop, target = life("stop", S.CANCELLED), life("target", status)
    assert due(families, life("entry", status, 4), stop, target) == ([("stop.again", 4), ("target.again", 4)], [])
    assert families.newest("stop") == "stop.again"
    assert due(families, life("entry", status, 4), stop, target) == ([], [])


def test_they_do_not_when_somebody_asked_for_their_end() -> None:
    entry, stop, target = life("entry", S.CANCELLED, 4), life("stop", S.CANCELLED), life("target", S.CANCELLED)
    families = left_together(target, stop, entry, asked_back=frozenset({"stop"}))
    assert due(families, entry, stop, target) == ([], [])
    assert families.newest("stop") == "stop"


def test_exits_that_a_broker_refused_are_not_sent_again_while_it_may_have_them() -> None:
    entry, stop, target = life("entry", S.FILLED, 10), life("stop", S.REJECTED), life("target", S.REJECTED)
    families = left_together(target, stop, life("entry", S.REJECTED))
    assert due(families, life("entry", S.REJECTED, 4), stop, target) == ([], [])
    assert due(families, entry, stop, target) == ([], [])


# --- exits that wait again, after a restart ---


def ended_too_early() -> tuple[Order, Order, dict[str, OrderLife]]:
    """An entry that filled a part, whose stop the broker ended before it was over; and both as they are once it is."""
    entry = life("entry", S.PARTIALLY_FILLED, 4).order
    stop = msgspec.structs.replace(life("entry.stop", S.CANCELLED).order, parent_id="entry")
    over = msgspec.structs.replace(life("entry.stop", S.CANCELLED), order=stop)
    return entry, stop, {"entry": life("entry", S.CANCELLED, 4), "entry.stop": over}


def test_an_exit_that_waited_again_and_was_taken_back_stays_so_after_a_restart() -> None:
    entry, stop, lives = ended_too_early()
    families = Families()
    families.restore([entry, stop], {"entry.stop.again": None}, 9, {"entry.stop": "entry"})
    families.know(lives, ())
    assert families.due(lives, lambda _: None, 99) == ([], [])


def test_an_exit_that_waited_again_and_was_changed_has_its_newest_terms_after_a_restart() -> None:
    entry, stop, lives = ended_too_early()
    families = Families()
    families.restore([entry, stop], {"entry.stop.again": msgspec.structs.replace(stop.request, note="changed")}, 9, {"entry.stop": "entry"})
    families.know(lives, ())
    leaving, _ = families.due(lives, lambda _: None, 99)
    assert [(one.order.id, one.order.request.note) for one in leaving] == [("entry.stop.again", "changed")]


def test_the_exits_of_an_order_that_was_never_stored_do_not_wait() -> None:
    families = Families()
    families.wait("entry", [Intent(order=life("entry.stop", S.CREATED).order), Intent(order=life("entry.target", S.CREATED).order)])
    families.forget("entry")
    assert families.waiting_orders() == []
