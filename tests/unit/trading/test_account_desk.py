"""The order path at one account: committed before it leaves, sent once, and right after every fault."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.errors import BrokerError
from core.model.broker import BrokerOrderRequest, OrderUpdate
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, OrderType, RejectCode, TimeInForce
from core.model.risk import RiskLimits, SwitchLevel
from core.trading.entries import Entry
from core.trading.reconcile import Healing, Kind
from core.trading.service import Intent
from tests.unit.trading.desk import Scene, opened

S = OrderStatus
D = Decimal


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with opened(tmp_path) as scene:
        await scene.run()
        scene.broker.exchange.show("DEMO", D(100))
        scene.desk.state.note_price("DEMO", D(100), 1)
        yield scene


async def test_an_order_goes_all_its_way_and_each_step_has_its_cause(scene: Scene) -> None:
    order_id = await scene.place()
    order = await scene.until_status(order_id, S.FILLED)
    assert (order.filled_qty, order.avg_fill_price, order.account) == (D(10), D(100), "fake:FAKE")
    assert order.broker_id == scene.broker_id(order_id)
    assert await scene.store.runs.orders("run") == [order]
    events = [one for one in await scene.store.log.read(run_id="run", limit=100) if one.type != "live.Differed"]
    assert [one.type for one in events] == [
        "strategy.PlaceRequest",
        "orders.Created",
        "risk.Approved",
        "orders.Submitted",
        "orders.Accepted",
        "orders.Filled",
    ]
    assert [one.causation_id for one in events[1:]] == [one.id for one in events[:-1]]
    assert {one.trace_id for one in events[1:]} == {"tick"}
    await scene.assert_books_equal()


async def test_the_row_is_committed_before_it_leaves(scene: Scene) -> None:
    scene.broker.faults.answer_delay_s = 30
    order_id = await scene.place()
    (row,) = await scene.store.runs.orders("run")
    assert (row.id, row.status) == (order_id, S.SUBMITTING)
    assert scene.broker.exchange.by_client_id(order_id) is None


async def test_a_lost_answer_is_looked_up_and_never_sent_again(scene: Scene) -> None:
    scene.broker.faults.lose_answers = 1
    order_id = await scene.place(limit="90")
    await scene.until_status(order_id, S.ACCEPTED)
    assert len(scene.broker.exchange.orders()) == 1
    assert "orders.OutcomeUnknown" in await scene.types()
    await scene.assert_books_equal()


async def test_a_lost_request_is_found_to_have_never_arrived(scene: Scene) -> None:
    scene.broker.faults.lose_requests = 1
    order_id = await scene.place()
    order = await scene.until_status(order_id, S.REJECTED)
    assert order.reject_code is RejectCode.NEVER_SENT
    assert scene.broker.exchange.orders() == []


async def test_without_a_connection_nothing_is_sent(scene: Scene) -> None:
    scene.broker.faults.unreachable = True
    order = await scene.until_status(await scene.place(), S.REJECTED)
    assert (order.reject_code, order.reason) == (RejectCode.NEVER_SENT, "It was not sent: The broker cannot be reached.")


async def test_an_id_that_is_taken_means_that_the_first_succeeded(scene: Scene) -> None:
    terms: dict[str, Any] = {"symbol": "DEMO", "side": OrderSide.BUY, "qty": D(1), "limit_price": D(1), "type": OrderType.LIMIT}
    scene.broker.exchange.submit(BrokerOrderRequest(client_order_id="run-x", **terms))
    # The id is taken: the first succeeded, so it is looked up rather than refused.
    order = await scene.until_status(await scene.place(id="run-x", limit="1", qty=1), S.ACCEPTED)
    assert order.broker_id == scene.broker_id("run-x")


async def test_an_order_over_a_limit_never_leaves(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=RiskLimits(max_order_qty=D(5))) as scene:
        await scene.run(limits=RiskLimits(max_open_orders=1))
        order = await scene.until_status(await scene.place(qty=6), S.REJECTED)
        assert order.reject_code is RejectCode.RISK_ORDER_QTY
        assert order.reason == "Risk rule order size: the limit is 5 units, this order is 6 units."
        assert (await scene.types("risk.*"), scene.broker.exchange.orders()) == (["risk.EquityMarked", "risk.Refused"], [])
        first = await scene.place(qty=5, limit="90")
        second = await scene.until_status(await scene.place(qty=4, limit="90"), S.REJECTED)
        assert second.reject_code is RejectCode.RISK_OPEN_ORDERS
        await scene.until_status(first, S.ACCEPTED)


@pytest.mark.parametrize("fault", ["double_updates", "reorder_updates", "lose_updates", "cut"])
async def test_updates_twice_late_or_never_come_to_the_same(scene: Scene, fault: str) -> None:
    faults, exchange = scene.broker.faults, scene.broker.exchange
    order_id = await scene.place(limit="90")
    await scene.until_status(order_id, S.ACCEPTED)
    if fault == "lose_updates":
        faults.lose_updates = 3
    elif fault == "cut":
        faults.cut()
        await asyncio.sleep(0)
    else:
        setattr(faults, fault, True)
    for part in (3, 3, 3):
        exchange.execute(scene.broker_id(order_id), D(part), D(90))
    exchange.cancel(scene.broker_id(order_id))
    if fault == "cut":
        faults.mend()  # after it connects again, what was missed is asked for
    order = await scene.until_status(order_id, S.CANCELLED)
    await scene.until(lambda: scene.desk.state.lives[order_id].order.filled_qty == 9)
    assert order.account == "fake:FAKE"
    await scene.assert_books_equal()


async def test_a_fill_that_is_faster_than_the_answer(scene: Scene) -> None:
    scene.broker.faults.lose_answers = 1
    order_id = await scene.place()  # a market order fills while it is taken; the stream tells of it first
    await scene.until_status(order_id, S.FILLED)
    await scene.assert_books_equal()


async def test_a_cancel_counts_when_the_broker_says_so(scene: Scene) -> None:
    order_id = await scene.place(limit="90")
    await scene.until_status(order_id, S.ACCEPTED)
    await scene.desk.cancel(order_id)
    await scene.until_status(order_id, S.CANCELLED)
    await scene.until(lambda: True)
    assert (await scene.types())[-2:].count("orders.Cancelled") == 1
    await scene.assert_books_equal()


async def test_strange_orders_are_adopted_and_their_fills_counted_as_outside(scene: Scene) -> None:
    by_hand = BrokerOrderRequest(client_order_id="by-hand", symbol="DEMO", side=OrderSide.BUY, qty=D(3))
    scene.broker.exchange.submit(by_hand)
    await scene.until(lambda: scene.desk.state.outside.get("DEMO") == D(3))
    assert await scene.types("live.OrderAdopted") == ["live.OrderAdopted"]
    assert scene.desk.state.positions() == {}
    assert await scene.desk.reconcile() == ()
    assert scene.stopped == []


async def test_what_an_account_held_before_is_nobodys_of_ours(tmp_path: Path) -> None:
    broker = FakeBroker(SystemClock().now_ns)
    broker.exchange.show("DEMO", D(100))
    broker.exchange.submit(BrokerOrderRequest(client_order_id="before", symbol="DEMO", side=OrderSide.BUY, qty=D(7)))
    for _ in range(2):  # the second time it is remembered
        async with opened(tmp_path, broker) as scene:
            assert scene.desk.state.outside == {"DEMO": D(7)}
            assert await scene.desk.reconcile() == ()
            assert await scene.types("live.AccountAdopted") == ["live.AccountAdopted"]


async def test_a_position_that_nothing_explains_stops_the_run(scene: Scene) -> None:
    scene.broker.faults.silent_positions = True
    await scene.until_status(await scene.place(), S.FILLED)
    first = await scene.desk.reconcile()
    assert [(one.kind, one.healing) for one in first] == [(Kind.POSITION, Healing.WAIT)]
    assert scene.stopped == []
    assert scene.desk.comparisons._reconciler is not None
    scene.desk.comparisons._reconciler.settle_ns = 0
    await scene.desk.reconcile()
    assert scene.stopped == ["The account holds 0 DEMO, and all fills together make 10."]


async def test_the_brokers_lag_is_waited_for(scene: Scene) -> None:
    scene.broker.faults.silent_positions = True
    await scene.desk.reconcile()
    await scene.until_status(await scene.place(), S.FILLED)
    assert [one.healing for one in await scene.desk.reconcile()] == [Healing.WAIT]
    scene.broker.faults.silent_positions = False
    assert await scene.desk.reconcile() == ()
    assert scene.stopped == []


async def test_two_runs_have_their_own_positions(scene: Scene) -> None:
    await scene.run("other")
    await scene.until_status(await scene.place(qty=10), S.FILLED)
    await scene.until_status(await scene.place(qty=4, run_id="other"), S.FILLED)
    await scene.until_status(await scene.place("sell", qty=6), S.FILLED)
    books = scene.desk.state.books
    assert (books["run"].held("DEMO"), books["other"].held("DEMO")) == (D(4), D(4))
    assert books["run"].cash == D(1_000_000) - 400
    await scene.assert_books_equal()


async def test_after_a_restart_everything_is_remembered(tmp_path: Path) -> None:
    clock = SystemClock()
    broker = FakeBroker(clock.now_ns)
    async with opened(tmp_path, broker) as scene:
        await scene.run()
        order_id = await scene.place(limit="90")
        await scene.until_status(order_id, S.ACCEPTED)
        broker.exchange.execute(scene.broker_id(order_id), D(3), D(90))
        await scene.until_status(order_id, S.PARTIALLY_FILLED)
    broker.exchange.execute(broker.exchange.orders()[0].id, D(4), D(89))  # while nobody listens
    async with opened(tmp_path, broker) as scene:
        order = scene.desk.state.lives[order_id].order
        assert (order.status, order.filled_qty) == (S.PARTIALLY_FILLED, D(7))
        await scene.assert_books_equal()
        assert await scene.types("live.Differed") == ["live.Differed"]


async def test_average_cost_and_realised_profit_are_the_same_after_a_restart(tmp_path: Path) -> None:
    """The order that was placed first filled last."""
    broker = FakeBroker(SystemClock().now_ns)
    broker.exchange.show("DEMO", D(100))
    async with opened(tmp_path, broker) as scene:
        await scene.run()
        scene.desk.state.note_price("DEMO", D(100), 1)
        resting = await scene.place("buy", limit="90")
        await scene.until_status(resting, S.ACCEPTED)
        await scene.until_status(await scene.place("buy"), S.FILLED)
        broker.exchange.show("DEMO", D(110))
        await scene.until_status(await scene.place("sell"), S.FILLED)
        broker.exchange.show("DEMO", D(90))
        await scene.until_status(resting, S.FILLED)
        before = scene.desk.state.books["run"].position("DEMO")
    assert (before.avg_price, before.realised_pnl) == (D(90), D(100))
    async with opened(tmp_path, broker) as scene:
        assert scene.desk.state.books["run"].position("DEMO") == before


async def test_what_cannot_be_understood_of_one_order_is_reported_and_ends_nothing(tmp_path: Path) -> None:
    reported: list[str] = []
    async with opened(tmp_path, on_bug=lambda error, where: reported.append(where)) as scene:
        await scene.run()
        scene.broker.exchange.show("DEMO", D(100))
        scene.desk.state.note_price("DEMO", D(100), 1)
        resting = await scene.place("buy", limit="90")
        await scene.until_status(resting, S.ACCEPTED)
        theirs = scene.broker.exchange.by_client_id(resting)
        assert theirs is not None
        scene.desk._updates.hear(OrderUpdate(event="new", order=msgspec.structs.replace(theirs, status="nonsense"), time_ns=1))
        await scene.until_status(await scene.place("buy"), S.FILLED)
        assert reported == [f"an update of order {theirs.id}"]
        assert not scene.stopped


async def test_what_is_decided_while_the_broker_is_not_heard_of_does_not_leave(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=RiskLimits(max_silence_s=0.5)) as scene:
        await scene.run()
        scene.broker.faults.cut()
        await scene.until_told("live.StreamChanged")
        await asyncio.sleep(1)
        order = await scene.until_status(await scene.place(), S.REJECTED)
        assert order.reject_code is RejectCode.RISK_SILENCE
        scene.broker.faults.mend()
        await scene.until(lambda: scene.desk.state.lines.silent_s == 0.0)
        await scene.until_status(await scene.place(limit="90"), S.ACCEPTED)


# --- the kill switch ---


async def test_a_halt_lets_nothing_new_leave_and_stays_over_a_restart(tmp_path: Path) -> None:
    broker = FakeBroker(SystemClock().now_ns)
    async with opened(tmp_path, broker) as scene:
        await scene.run()
        working = await scene.place(limit="90")
        await scene.until_status(working, S.ACCEPTED)
        await scene.throw(SwitchLevel.HALT)
        await scene.until(lambda: scene.desk.level("run") is SwitchLevel.HALT)
        order = await scene.until_status(await scene.place(limit="91"), S.REJECTED)
        assert order.reject_code is RejectCode.RISK_HALTED
        assert scene.status(working) is S.ACCEPTED
    async with opened(tmp_path, broker) as scene:
        await scene.run()
        order = await scene.until_status(await scene.place(limit="92", id="run-late"), S.REJECTED)
        assert order.reject_code is RejectCode.RISK_HALTED


async def test_flatten_cancels_and_closes_and_says_when_the_broker_acknowledged_it(scene: Scene) -> None:
    await scene.run("other")
    await scene.until_status(await scene.place(qty=10), S.FILLED)
    await scene.until_status(await scene.place(qty=5, run_id="other"), S.FILLED)
    working = await scene.place(limit="90")
    await scene.until_status(working, S.ACCEPTED)
    await scene.throw(SwitchLevel.FLATTEN, "run")
    await scene.until_status(working, S.CANCELLED)
    await scene.until(lambda: not scene.desk.state.books["run"].positions())
    assert scene.desk.state.books["other"].held("DEMO") == D(5)
    done = await scene.until_told("risk.SwitchCarriedOut")
    assert (done.cancelled, done.closed, done.left) == (1, 1, "")
    assert "orders.CancelAsked" in await scene.types()
    await scene.assert_books_equal()


async def test_reduce_only_lets_positions_be_closed(scene: Scene) -> None:
    await scene.until_status(await scene.place(qty=10), S.FILLED)
    scene.desk.state.levels[None] = SwitchLevel.REDUCE_ONLY
    order = await scene.until_status(await scene.place(qty=1), S.REJECTED)
    assert order.reject_code is RejectCode.RISK_REDUCE_ONLY
    await scene.until_status(await scene.place("sell", qty=10), S.FILLED)


async def test_under_reduce_only_a_run_takes_off_its_own_and_a_person_what_others_hold(tmp_path: Path) -> None:
    broker = FakeBroker(SystemClock().now_ns)
    broker.exchange.show("DEMO", D(100))
    broker.exchange.submit(BrokerOrderRequest(client_order_id="theirs", symbol="DEMO", side=OrderSide.BUY, qty=D(100)))
    async with opened(tmp_path, broker) as scene:
        await scene.run()
        await scene.run("hand")
        scene.desk.state.hand_run_id = "hand"
        scene.desk.state.note_price("DEMO", D(100), 1)
        await scene.throw(SwitchLevel.REDUCE_ONLY)
        await scene.until(lambda: scene.desk.level("run") is SwitchLevel.REDUCE_ONLY)
        refused = await scene.until_status(await scene.place("sell", qty=5), S.REJECTED)
        assert refused.reject_code is RejectCode.RISK_REDUCE_ONLY
        await scene.until_status(await scene.place("sell", qty=100, run_id="hand"), S.FILLED)


async def test_runs_that_hold_opposite_positions_may_each_close_its_own(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=RiskLimits(max_position_value=D(1_000))) as scene:
        await scene.run("long")
        await scene.run("short")
        scene.broker.exchange.show("DEMO", D(100))
        scene.desk.state.note_price("DEMO", D(100), 1)
        await scene.until_status(await scene.place("buy", qty=10, run_id="long"), S.FILLED)
        await scene.until_status(await scene.place("sell", qty=10, run_id="short"), S.FILLED)
        await scene.throw(SwitchLevel.REDUCE_ONLY)
        await scene.until(lambda: scene.desk.level("long") is SwitchLevel.REDUCE_ONLY)
        scene.desk.state.note_price("DEMO", D(200), 2)  # what is left of the account then is worth more than its limit
        await scene.until_status(await scene.place("buy", qty=10, run_id="short"), S.FILLED)
        await scene.until_status(await scene.place("sell", qty=10, run_id="long"), S.FILLED)


async def test_nothing_leaves_an_account_that_is_not_armed(tmp_path: Path) -> None:
    async with opened(tmp_path, is_armed=False) as scene:
        await scene.run()
        refused = await scene.until_status(await scene.place(), OrderStatus.REJECTED)
        assert refused.reject_code is RejectCode.RISK_NOT_ARMED
        assert scene.broker.exchange.orders() == []
        await scene.desk.arm("Ann")
        scene.broker.exchange.show("DEMO", D(100))
        await scene.until_status(await scene.place(), OrderStatus.FILLED)
        assert (await scene.until_told("risk.Armed")).account == "fake:FAKE"


async def test_what_was_committed_before_the_desk_stood_still_does_not_leave(scene: Scene) -> None:
    scene.desk.state.may_send = lambda: False
    order = await scene.until_status(await scene.place(), S.REJECTED)
    assert (order.reject_code, order.reason) == (
        RejectCode.NEVER_SENT,
        "It was not sent: this desk was away for too long after it was decided.",
    )
    assert scene.broker.exchange.orders() == []


async def test_an_order_is_asked_about_again_when_nothing_but_its_sending_is_left(scene: Scene) -> None:
    """The desk stood still after it was asked, and before the bytes left."""
    answers = iter((True, False))
    scene.desk.state.may_send = lambda: next(answers)
    order = await scene.until_status(await scene.place(), S.REJECTED)
    assert order.reject_code is RejectCode.NEVER_SENT
    assert order.reason == (
        f"It was not sent: Order {order.id}: this machine stood still just before it left, and another desk may have the account by now."
    )
    assert scene.broker.exchange.orders() == []


async def test_an_exit_leaves_after_a_look_at_the_lease_though_the_desk_stood_still_just_before(scene: Scene) -> None:
    """Nothing of it had left: so it may be sent once more, when the account is this desk's still."""
    await scene.until_status(await scene.place(), S.FILLED)
    state, answers = scene.desk.state, iter((True, False, True))
    looks = 0

    async def still_holds() -> bool:
        nonlocal looks
        looks += 1
        return True

    state.may_send, state.still_holds = lambda: next(answers), still_holds
    now = SystemClock().now_ns()
    request = OrderRequest(symbol="DEMO", side=OrderSide.SELL, qty=D(10), type=OrderType.STOP, stop_price=D(50), reduce_only=True)
    exit_order = Order(
        id="run-1.stop",
        run_id="run",
        request=request,
        time_in_force=TimeInForce.GTC,
        status=S.CREATED,
        created_ns=now,
        updated_ns=now,
        parent_id="run-1",
    )
    await scene.desk.place([Intent(order=exit_order)])
    await scene.until_status("run-1.stop", S.ACCEPTED)
    assert looks == 1
    assert [one.client_order_id for one in scene.broker.exchange.orders()] == ["run-1.stop", "run-1"]


async def test_a_decision_that_closes_a_position_twice_closes_it_once(scene: Scene) -> None:
    await scene.until_status(await scene.place(), S.FILLED)
    request = OrderRequest(symbol="DEMO", side=OrderSide.SELL, qty=D(10), reduce_only=True)
    now = SystemClock().now_ns()
    closes = [
        Order(id=own, run_id="run", request=request, time_in_force=TimeInForce.DAY, status=S.CREATED, created_ns=now, updated_ns=now)
        for own in ("run-a", "run-b")
    ]
    await scene.desk.place([Intent(order=one) for one in closes])
    assert (await scene.until_status("run-b", S.REJECTED)).reject_code is RejectCode.INSUFFICIENT_POSITION
    await scene.until_status("run-a", S.FILLED)
    await scene.assert_books_equal()


async def test_whoever_places_while_the_desk_closes_is_told(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        async with opened(tmp_path) as scene:
            await scene.run()
            await scene.desk.state.turn.acquire()  # another commit is under way, and the store is slow
            placing = group.create_task(refusal(scene.place()))
            for _ in range(3):
                await asyncio.sleep(0)  # it has begun, and waits for its turn
        scene.desk.state.turn.release()
        async with asyncio.timeout(20):
            assert "was closed before the order left" in str(await placing)
    assert scene.broker.exchange.orders() == []


async def refusal(work: Awaitable[str]) -> BrokerError | None:
    try:
        await work
    except BrokerError as error:
        return error
    return None


class SleepyClock(SystemClock):
    """The machine's clocks, where a test says how long it slept: those of the loop stood still."""

    slept_ns = 0

    def elapsed_ns(self) -> int:
        return super().elapsed_ns() + self.slept_ns


async def test_an_order_that_was_decided_before_the_machine_slept_does_not_leave_though_the_lease_was_renewed(scene: Scene) -> None:
    """It woke, the account is this desk's still, and what was decided hours ago is not what is wanted now."""
    scene.desk.state.clock = clock = SleepyClock()

    async def slept() -> None:
        clock.slept_ns = 3_600 * 10**9

    scene.broker.faults.before = slept  # type: ignore[method-assign]  # between the desk's own look and the sending
    order = await scene.until_status(await scene.place(), S.REJECTED)
    assert order.reject_code is RejectCode.NEVER_SENT
    assert scene.broker.exchange.orders() == []


async def test_an_order_whose_commit_the_machine_slept_through_does_not_leave(scene: Scene) -> None:
    scene.desk.state.clock = clock = SleepyClock()
    commit = Entry.commit

    async def slept(self: Entry, rows: Any) -> None:
        await commit(self, rows)
        clock.slept_ns = 3_600 * 10**9

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Entry, "commit", slept)
        order = await scene.until_status(await scene.place(), S.REJECTED)
    assert (order.reject_code, order.reason) == (
        RejectCode.NEVER_SENT,
        "It was not sent: this desk was away for too long after it was decided.",
    )
