"""News of a broker that come strangely: each case, and what becomes of the order."""

from decimal import Decimal

from core.events.payloads import OrderAccepted, OrderCancelled, OrderFilled, OrderPartiallyFilled, OrderRejected
from core.model.broker import Execution
from core.model.order import OrderSide, OrderStatus, RejectCode
from core.trading.order_fold import OrderLife, executed, heard, refused, revived
from tests.property.test_order_fold import said, submitted

S = OrderStatus


def execution(id: str, qty: int, cum: int, time_ns: int = 5, fee: str = "0") -> Execution:
    return Execution(
        id=id,
        order_id="b-1",
        symbol="DEMO",
        side=OrderSide.BUY,
        qty=Decimal(qty),
        price=Decimal(100),
        cum_qty=Decimal(cum),
        time_ns=time_ns,
        fee=Decimal(fee),
    )


def test_a_fill_before_the_acknowledgement() -> None:
    filled = executed(submitted(), execution("x", 10, 10), "a:x", 9)
    assert [type(one) for one in filled.told] == [OrderFilled]
    late = heard(filled.life, said(S.ACCEPTED, Decimal(0), 2), 10)
    assert (late.life.order.status, late.told) == (S.FILLED, ())
    assert late.life.order.broker_id == "b-1"


def test_a_fill_after_the_cancel() -> None:
    cancelled = heard(submitted(), said(S.CANCELLED, Decimal(4), 3), 9)
    assert [type(one) for one in cancelled.told] == [OrderCancelled]
    assert cancelled.life.missing_qty == 4
    assert not cancelled.life.is_settled
    part = executed(cancelled.life, execution("x", 4, 4), "a:x", 10)
    assert [type(one) for one in part.told] == [OrderPartiallyFilled]
    assert (part.life.order.status, part.life.order.filled_qty, part.life.is_settled) == (S.CANCELLED, Decimal(4), True)
    rest = executed(part.life, execution("y", 6, 10), "a:y", 11)
    assert [type(one) for one in rest.told] == [OrderFilled]
    assert (rest.life.order.status, rest.life.order.reason) == (S.FILLED, None)


def test_an_update_twice_tells_nothing_the_second_time() -> None:
    first = heard(submitted(), said(S.ACCEPTED, Decimal(0), 2), 9)
    assert [type(one) for one in first.told] == [OrderAccepted]
    assert heard(first.life, said(S.ACCEPTED, Decimal(0), 2), 10).told == ()
    one = executed(first.life, execution("x", 3, 3), "a:x", 11)
    assert one.fill is not None
    again = executed(one.life, execution("x", 3, 3), "a:x", 12)
    assert (again.life, again.told, again.fill) == (one.life, (), None)


def test_what_the_broker_took_for_a_fill_is_booked_with_it() -> None:
    step = executed(submitted(), execution("x", 10, 10, fee="0.25"), "a:x", 9)
    assert step.fill is not None
    assert step.fill.fee == Decimal("0.25")
    assert isinstance(step.told[0], OrderFilled)
    assert step.told[0].fee == Decimal("0.25")


def test_a_refusal_keeps_the_brokers_words() -> None:
    step = refused(
        submitted(), RejectCode.BROKER_REFUSED, "Not enough buying power.", 9, broker_code=40310000, words="insufficient buying power"
    )
    (told,) = step.told
    assert isinstance(told, OrderRejected)
    assert (told.broker_code, told.broker_words, told.reason) == (40310000, "insufficient buying power", "Not enough buying power.")
    assert (step.life.order.status, step.life.order.reject_code) == (S.REJECTED, RejectCode.BROKER_REFUSED)


def test_a_refused_order_that_was_executed_all_the_same() -> None:
    step = refused(submitted(), RejectCode.BROKER_REFUSED, "No.", 9)
    filled = executed(step.life, execution("x", 10, 10), "a:x", 10)
    assert (filled.life.order.status, filled.life.order.reject_code) == (S.FILLED, None)


def test_a_stored_order_goes_on_where_it_was() -> None:
    accepted = heard(submitted(), said(S.ACCEPTED, Decimal(0), 2), 9)
    part = executed(accepted.life, execution("x", 3, 3), "a:x", 10)
    back = revived(part.life.order, part.life.fills)
    assert executed(back, execution("x", 3, 3), "a:x", 12).told == ()
    done = executed(back, execution("y", 7, 10), "a:y", 12)
    assert done.life.order.status is S.FILLED
    assert revived(submitted().order, ()) == OrderLife(order=submitted().order)
