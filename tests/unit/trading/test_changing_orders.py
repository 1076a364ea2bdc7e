"""Working orders whose terms are changed at an account: committed before it leaves, sent once, and right after every fault."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.errors import InvalidValue, UnknownName
from core.model.hand import OrderTerms
from core.model.instants import HOUR_NS
from core.model.order import Order, OrderStatus
from core.model.risk import RiskLimits, SwitchLevel
from core.trading.excess import Excess
from core.views.orders import OrderTable
from tests.unit.trading.desk import Scene, opened

S = OrderStatus
D = Decimal


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with opened(tmp_path) as scene:
        await ready(scene)
        yield scene


async def ready(scene: Scene, limits: RiskLimits | None = None) -> None:
    await scene.run(limits=limits)
    scene.broker.exchange.show("DEMO", D(100))
    scene.desk.state.note_price("DEMO", D(100), 1)


async def working(scene: Scene, limit: str = "90") -> str:
    order_id = await scene.place(limit=limit)
    await scene.until_status(order_id, S.ACCEPTED)
    return order_id


async def settled(scene: Scene, order_id: str) -> Order:
    await scene.until(lambda: scene.desk.state.lives[order_id].changing is None)
    return scene.desk.state.lives[order_id].order


async def assert_events_tell_the_rows(scene: Scene) -> None:
    """Whoever folds the events sees the orders as they are stored."""
    seen = OrderTable()
    for event in await scene.store.log.read(run_id="run", pattern="orders.*", limit=1_000):
        seen.fold(event)
    for row in await scene.store.runs.orders("run"):
        told = seen.get(row.id)
        assert told is not None
        assert (told.request, told.status, told.filled_qty) == (row.request, row.status, row.filled_qty)


def at_the_broker(scene: Scene) -> list[tuple[str, str, Decimal | None, Decimal | None]]:
    """What is there of each order, the oldest first: our id, its state, its quantity and its limit."""
    return [(one.client_order_id, one.broker_status, one.qty, one.limit_price) for one in scene.broker.exchange.orders()[::-1]]


async def test_an_order_gets_new_terms_and_stays_one_order(scene: Scene) -> None:
    order_id = await working(scene)
    await scene.desk.change(order_id, OrderTerms(limit_price=D(95), qty=D(12)), caused_by="a-wish")
    order = await settled(scene, order_id)
    assert (order.status, order.request.limit_price, order.request.qty) == (S.ACCEPTED, D(95), D(12))
    assert await scene.store.runs.orders("run") == [order]
    assert at_the_broker(scene) == [(order_id, "replaced", D(10), D(90)), (f"{order_id}.r1", "new", D(12), D(95))]
    scene.broker.exchange.show("DEMO", D(94))
    order = await scene.until_status(order_id, S.FILLED)
    assert order.filled_qty == D(12)
    await scene.assert_books_equal()
    events = await scene.store.log.read(run_id="run", pattern="orders.*")
    by_id = {event.id: event.type for event in events}
    chain = [(event.type, by_id.get(event.causation_id or "", event.causation_id)) for event in events[-4:]]
    assert chain == [
        ("orders.Accepted", "orders.Submitted"),
        ("orders.ChangeSent", "a-wish"),
        ("orders.Replaced", "orders.ChangeSent"),
        ("orders.Filled", "orders.Replaced"),
    ]


async def test_what_filled_before_is_not_bought_again(scene: Scene) -> None:
    order_id = await working(scene)
    scene.broker.exchange.execute(scene.broker_id(order_id), D(4), D(90))
    await scene.until_status(order_id, S.PARTIALLY_FILLED)
    await scene.desk.change(order_id, OrderTerms(limit_price=D(95)))
    order = await settled(scene, order_id)
    assert (order.request.qty, order.filled_qty) == (D(10), D(4))
    assert at_the_broker(scene)[-1] == (f"{order_id}.r1", "new", D(6), D(95))
    scene.broker.exchange.show("DEMO", D(94))
    assert (await scene.until_status(order_id, S.FILLED)).filled_qty == D(10)
    await scene.assert_books_equal()
    await assert_events_tell_the_rows(scene)


async def test_an_order_is_changed_again_and_again_and_then_cancelled(scene: Scene) -> None:
    order_id = await working(scene)
    for limit in (91, 92, 93):
        await scene.desk.change(order_id, OrderTerms(limit_price=D(limit)))
        assert (await settled(scene, order_id)).request.limit_price == D(limit)
    await scene.desk.cancel(order_id)
    await scene.until_status(order_id, S.CANCELLED)
    assert [state for _, state, _, _ in at_the_broker(scene)] == ["replaced", "replaced", "replaced", "canceled"]


async def test_an_answer_that_is_lost_is_looked_up_and_the_change_never_sent_again(scene: Scene) -> None:
    order_id = await working(scene)
    scene.broker.faults.lose_answers, scene.broker.faults.lose_updates = 1, 2
    await scene.desk.change(order_id, OrderTerms(limit_price=D(95)))
    assert (await settled(scene, order_id)).request.limit_price == D(95)
    assert len(scene.broker.exchange.orders()) == 2
    assert "orders.OutcomeUnknown" in await scene.types()


async def test_a_change_that_never_arrived_is_told_and_the_order_goes_on(scene: Scene) -> None:
    order_id = await working(scene)
    scene.broker.faults.lose_requests = 1
    await scene.desk.change(order_id, OrderTerms(limit_price=D(95)))
    order = await settled(scene, order_id)
    assert (order.status, order.request.limit_price) == (S.ACCEPTED, D(90))
    refused = await scene.until_told("orders.ReplaceRefused")
    assert (refused.code, refused.order_id) == ("never_sent", order_id)
    await scene.desk.change(order_id, OrderTerms(limit_price=D(96)))
    assert (await settled(scene, order_id)).request.limit_price == D(96)
    assert at_the_broker(scene)[-1][0] == f"{order_id}.r2"  # an id is never used twice


async def test_a_fill_is_faster_than_the_change(scene: Scene) -> None:
    order_id = await working(scene)
    scene.broker.faults.lose_updates = 1  # nobody has heard of it when the change leaves
    scene.broker.exchange.execute(scene.broker_id(order_id), D(10), D(90))
    await scene.desk.change(order_id, OrderTerms(limit_price=D(95)))
    order = await scene.until_status(order_id, S.FILLED)
    assert order.request.limit_price == D(90)
    assert (await scene.until_told("orders.ReplaceRefused")).code == "broker_refused"
    await scene.assert_books_equal()


async def test_what_fills_while_the_change_is_on_its_way_makes_the_rest_smaller(scene: Scene) -> None:
    order_id = await working(scene)
    scene.broker.faults.lose_updates = 1
    scene.broker.exchange.execute(scene.broker_id(order_id), D(4), D(90))
    await scene.desk.change(order_id, OrderTerms(qty=D(8)))  # it is sent as eight, for nobody knows of the four
    await scene.until(lambda: scene.desk.state.lives[order_id].at == 2)
    assert at_the_broker(scene)[1:] == [(f"{order_id}.r1", "replaced", D(8), D(90)), (f"{order_id}.r2", "new", D(4), D(90))]
    order = await scene.until_status(order_id, S.PARTIALLY_FILLED)
    assert (order.request.qty, order.filled_qty) == (D(8), D(4))
    await assert_events_tell_the_rows(scene)


async def test_updates_that_come_twice_and_in_another_order_come_to_the_same(scene: Scene) -> None:
    scene.broker.faults.double_updates = scene.broker.faults.reorder_updates = True
    order_id = await working(scene)
    await scene.desk.change(order_id, OrderTerms(limit_price=D(95)))
    order = await settled(scene, order_id)
    scene.broker.exchange.show("DEMO", D(94))
    order = await scene.until_status(order_id, S.FILLED)
    assert (order.request.qty, order.filled_qty) == (D(10), D(10))
    assert (await scene.types()).count("orders.Replaced") == 1
    await scene.assert_books_equal()


async def test_the_gate_judges_the_new_terms_and_not_the_order_beside_its_own_change(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        await ready(scene, RiskLimits(max_order_value=D(1_000), max_open_orders=1))
        order_id = await working(scene)
        await scene.desk.change(order_id, OrderTerms(qty=D(11)))
        assert (await settled(scene, order_id)).request.qty == D(11)
        await scene.desk.change(order_id, OrderTerms(qty=D(12)))
        refused = await scene.until_told("orders.ReplaceRefused")
        assert (refused.code, refused.reason) == ("risk_order_value", "Risk rule order value: the limit is 1000, this order is 1080.")
        assert scene.desk.state.lives[order_id].order.request.qty == D(11)
        assert len(scene.broker.exchange.orders()) == 2


async def test_no_change_leaves_while_the_kill_switch_is_thrown(scene: Scene) -> None:
    order_id = await working(scene)
    await scene.throw(SwitchLevel.HALT)
    await scene.until(lambda: scene.desk.level("run") is SwitchLevel.HALT)
    await scene.desk.change(order_id, OrderTerms(limit_price=D(95)))
    assert (await scene.until_told("orders.ReplaceRefused")).code == "risk_halted"
    assert len(scene.broker.exchange.orders()) == 1


async def test_what_cannot_be_changed_is_said_at_once(scene: Scene) -> None:
    order_id = await scene.place()
    await scene.until_status(order_id, S.FILLED)
    with pytest.raises(InvalidValue, match="it is filled"):
        await scene.desk.change(order_id, OrderTerms(qty=D(20)))
    with pytest.raises(UnknownName):
        await scene.desk.change("nothing", OrderTerms(qty=D(20)))
    assert "orders.ChangeSent" not in await scene.types()


@pytest.mark.parametrize("is_taken", [True, False])
async def test_a_change_whose_answer_nobody_waits_for_any_more_is_found_after_a_restart(tmp_path: Path, *, is_taken: bool) -> None:
    broker = FakeBroker(SystemClock().now_ns)
    async with opened(tmp_path, broker, look_ups_s=(60.0,)) as scene:
        await ready(scene)
        order_id = await working(scene)
        broker.faults.lose_answers, broker.faults.lose_requests = (1, 0) if is_taken else (0, 1)
        broker.faults.lose_updates = 2
        await scene.desk.change(order_id, OrderTerms(limit_price=D(95)))
        await scene.until_told("orders.OutcomeUnknown")
    broker.faults.lose_updates = 0
    async with opened(tmp_path, broker) as scene:
        await scene.run()
        order = await settled(scene, order_id)
        assert (order.status, order.request.limit_price) == (S.ACCEPTED, D(95 if is_taken else 90))
        told = await scene.types()
        assert (told.count("orders.Replaced"), told.count("orders.ReplaceRefused")) == ((1, 0) if is_taken else (0, 1))
        broker.exchange.show("DEMO", D(89))
        await scene.until_status(order_id, S.FILLED)
        await scene.assert_books_equal()


async def test_a_changed_order_is_gone_on_with_after_a_restart(tmp_path: Path) -> None:
    broker = FakeBroker(SystemClock().now_ns)
    async with opened(tmp_path, broker) as scene:
        await ready(scene)
        order_id = await working(scene)
        broker.exchange.execute(scene.broker_id(order_id), D(4), D(90))
        await scene.until_status(order_id, S.PARTIALLY_FILLED)
        await scene.desk.change(order_id, OrderTerms(limit_price=D(95)))
        await settled(scene, order_id)
    broker.exchange.show("DEMO", D(94))  # it fills while nobody is there
    async with opened(tmp_path, broker) as scene:
        await scene.run()
        order = await scene.until_status(order_id, S.FILLED)
        assert (order.request.qty, order.filled_qty, order.request.limit_price) == (D(10), D(10), D(95))
        assert (await scene.types()).count("orders.Replaced") == 1
        await scene.assert_books_equal()
        await scene.desk.reconcile()
        assert await scene.desk.reconcile() == ()
        await assert_events_tell_the_rows(scene)


@pytest.mark.parametrize(("filled", "starts"), [(4, 1), (4, 2), (9, 1)])
async def test_what_filled_on_the_way_makes_the_rest_smaller_after_a_restart_too(tmp_path: Path, filled: int, starts: int) -> None:
    """The program ends before it is known that the change was made, and that something had filled before; or right after it."""
    broker = FakeBroker(SystemClock().now_ns)
    async with opened(tmp_path, broker, look_ups_s=(60.0,)) as scene:
        await ready(scene)
        order_id = await working(scene)
        broker.faults.lose_updates, broker.faults.lose_answers = 9, 1
        broker.exchange.execute(scene.broker_id(order_id), D(filled), D(90))
        await scene.desk.change(order_id, OrderTerms(qty=D(8)))
        await scene.until_told("orders.OutcomeUnknown")
    broker.faults.lose_updates = 0
    for _ in range(1, starts):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Excess, "found", lambda _: [])
            async with opened(tmp_path, broker) as scene:
                await scene.run()
                await scene.until(lambda: scene.desk.state.lives[order_id].order.request.qty == D(12))
    async with opened(tmp_path, broker) as scene:
        await scene.run()
        if filled < 8:
            await scene.until(lambda: scene.desk.state.lives[order_id].at == 2)
            assert at_the_broker(scene)[1:] == [(f"{order_id}.r1", "replaced", D(8), D(90)), (f"{order_id}.r2", "new", D(4), D(90))]
            assert scene.desk.state.lives[order_id].order.request.qty == D(8)
        else:
            order = await scene.until_status(order_id, S.CANCELLED)  # nothing is left of what was asked for
            assert (order.filled_qty, order.request.qty) == (D(9), D(17))
        await assert_events_tell_the_rows(scene)


async def test_what_became_of_a_changed_order_of_long_ago_is_asked_for(tmp_path: Path) -> None:
    """It ends while the program is off, and was submitted before all that a list of what is new has."""
    ago_ns = [2 * HOUR_NS]
    broker = FakeBroker(lambda: SystemClock().now_ns() - ago_ns[0])
    async with opened(tmp_path, broker) as scene:
        await ready(scene)
        order_id = await working(scene)
        for limit in (95, 96):
            await scene.desk.change(order_id, OrderTerms(limit_price=D(limit)))
            await settled(scene, order_id)
    ago_ns[0] = 0
    broker.exchange.cancel(scene.broker_id(f"{order_id}.r2"))
    async with opened(tmp_path, broker) as scene:
        await scene.run()
        await scene.until_status(order_id, S.CANCELLED)
        assert scene.desk.state.lives[order_id].parts.keys() == {0, 1, 2}
        assert await scene.desk.reconcile() == ()


async def test_it_is_asked_what_the_order_before_filled_and_then_it_is_over(tmp_path: Path) -> None:
    """The stream tells of the new order's fill, of the old one's end never, and the answer does not come."""
    async with opened(tmp_path, look_ups_s=(60.0,)) as scene:
        await ready(scene)
        order_id = await working(scene)
        scene.broker.exchange.show("DEMO", D(94))
        scene.broker.faults.lose_updates, scene.broker.faults.lose_answers = 2, 1  # that it is replaced, and the new one
        await scene.desk.change(order_id, OrderTerms(limit_price=D(95)))  # it fills at once
        await scene.until_status(order_id, S.FILLED)
        told = await scene.types()
        assert (told.count("orders.PartiallyFilled"), told.count("orders.Completed"), told.count("orders.Filled")) == (1, 1, 0)
        await scene.assert_books_equal()
        await assert_events_tell_the_rows(scene)


@pytest.mark.parametrize("is_made", [True, False])
async def test_a_cancel_does_not_wait_for_a_change_whose_answer_is_lost(tmp_path: Path, *, is_made: bool) -> None:
    async with opened(tmp_path, look_ups_s=(0.05,) if is_made else (60.0,)) as scene:
        await ready(scene)
        order_id = await working(scene)
        faults = scene.broker.faults
        faults.lose_answers, faults.lose_requests, faults.lose_updates = (1, 0, 2) if is_made else (0, 1, 0)
        await scene.desk.change(order_id, OrderTerms(limit_price=D(95)))
        await scene.until_told("orders.OutcomeUnknown")
        await scene.desk.cancel(order_id)
        await scene.until_status(order_id, S.CANCELLED)
        assert [state for _, state, _, _ in at_the_broker(scene)] == (["replaced", "canceled"] if is_made else ["canceled"])
        await scene.assert_books_equal()


async def test_a_change_that_was_committed_before_the_desk_stood_still_does_not_leave(scene: Scene) -> None:
    order_id = await working(scene)
    scene.desk.state.may_send = lambda: False
    await scene.desk.change(order_id, OrderTerms(limit_price=D(91)))
    order = await settled(scene, order_id)
    assert order.request.limit_price == D(90)
    assert at_the_broker(scene) == [(order_id, "new", D(10), D(90))]
    told = await scene.until_told("orders.ReplaceRefused")
    assert told.reason == "The change was not sent: this desk was away for too long after it was decided."


async def test_a_change_is_asked_about_again_when_nothing_but_its_sending_is_left(scene: Scene) -> None:
    order_id = await working(scene)
    answers = iter((True, False))
    scene.desk.state.may_send = lambda: next(answers)
    await scene.desk.change(order_id, OrderTerms(limit_price=D(91)))
    assert (await settled(scene, order_id)).request.limit_price == D(90)
    assert at_the_broker(scene) == [(order_id, "new", D(10), D(90))]
    assert "stood still just before it left" in (await scene.until_told("orders.ReplaceRefused")).reason


async def test_a_cancel_that_a_change_stood_in_the_way_of_is_asked_for_again(scene: Scene) -> None:
    """The broker calls an order that is being changed over, and then refuses the change."""
    order_id = await working(scene)
    scene.broker.faults.refuse_change = True
    await scene.desk.change(order_id, OrderTerms(limit_price=D(91)))
    await scene.desk.cancel(order_id)
    await scene.until_status(order_id, S.CANCELLED)
    assert "orders.ReplaceRefused" in await scene.types()
