"""A difference that nothing heals: told once, asked for as seldom as anything else, and ended by a person who accepts it."""

from decimal import Decimal
from pathlib import Path

import msgspec

from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.events.live_payloads import Differed, DifferenceAccepted
from core.model.broker import BrokerPosition
from core.model.order import OrderStatus
from core.trading.reconcile import Healing, Kind
from tests.unit.trading.desk import Scene, opened

S, D = OrderStatus, Decimal


async def held_over_a_split(scene: Scene) -> None:
    """A run holds 10, and of 10 more that the account holds no execution tells."""
    await scene.run()
    scene.desk.state.note_price("DEMO", D(100), 1)
    await scene.until_status(await scene.place("buy"), S.FILLED)
    real = scene.broker.account.positions

    async def positions() -> list[BrokerPosition]:
        return [msgspec.structs.replace(one, qty=one.qty + 10) for one in await real()]

    scene.broker.account.positions = positions  # type: ignore[method-assign]


def split_broker() -> FakeBroker:
    broker = FakeBroker(SystemClock().now_ns)
    broker.exchange.show("DEMO", D(100))
    return broker


async def differences(scene: Scene) -> list[tuple[str, str]]:
    events = [event.payload for event in await scene.store.log.read(pattern=Differed.wire, limit=1_000)]
    return [(one.what, one.healing) for one in events if isinstance(one, Differed)]


async def test_it_is_told_when_it_is_met_and_when_it_counts_and_no_more(tmp_path: Path) -> None:
    async with opened(tmp_path, split_broker(), settle_ns=0) as scene:
        await held_over_a_split(scene)
        for _ in range(5):
            await scene.desk.reconcile()
        assert await differences(scene) == [("position", "wait"), ("position", "stop")]
        assert scene.stopped[0] == "The account holds 20 DEMO, and all fills together make 10."
        # A run that begins there later is stopped, too: it is not told again, and it counts.
        await scene.run("later")
        await scene.until_status(await scene.place("buy", run_id="later"), S.FILLED)
        told = len(scene.stopped)
        await scene.desk.reconcile()
        assert len(scene.stopped) > told


async def test_it_is_not_looked_at_more_often_than_anything_else(tmp_path: Path) -> None:
    async with opened(tmp_path, split_broker(), settle_ns=0) as scene:
        await held_over_a_split(scene)
        (first,) = await scene.desk.reconcile()
        assert first.healing is Healing.WAIT
        assert scene.desk.comparisons._next_in_s() == 2.0
        (second,) = await scene.desk.reconcile()
        assert second.healing is Healing.STOP
        assert scene.desk.comparisons._next_in_s() > 2.0


async def test_a_person_ends_it_and_that_outlives_the_program(tmp_path: Path) -> None:
    broker = split_broker()
    async with opened(tmp_path, broker, settle_ns=0) as scene:
        await held_over_a_split(scene)
        await scene.desk.reconcile()
        (found,) = await scene.desk.reconcile(accepts="2:1 split")
        assert (found.kind, found.healing, found.qty) == (Kind.POSITION, Healing.ACCEPT, D(10))
        assert await scene.desk.reconcile() == ()
        assert scene.desk.state.outside == {"DEMO": D(10)}
        (event,) = await scene.store.log.read(pattern=DifferenceAccepted.wire)
        assert event.payload == DifferenceAccepted(account="fake:FAKE", what="position", symbol="DEMO", qty=D(10), reason="2:1 split")
        cause = await scene.store.log.read(pattern=Differed.wire, limit=100)
        assert event.causation_id == cause[-1].id
    async with opened(tmp_path, broker, settle_ns=0) as scene:
        assert scene.desk.state.outside == {"DEMO": D(10)}
        assert await scene.desk.reconcile() == ()
        await scene.run("later")
        scene.desk.state.note_price("DEMO", D(100), 1)
        await scene.until_status(await scene.place("buy", run_id="later"), S.FILLED)
        await scene.desk.reconcile()
        assert scene.stopped == []


async def test_what_may_be_lag_is_not_accepted(tmp_path: Path) -> None:
    async with opened(tmp_path, split_broker()) as scene:
        await held_over_a_split(scene)
        (found,) = await scene.desk.reconcile(accepts="2:1 split")
        assert found.healing is Healing.WAIT
        assert not scene.desk.state.outside


async def test_fills_without_executions_are_accepted_with_the_position_that_they_made(tmp_path: Path) -> None:
    broker = split_broker()
    async with opened(tmp_path, broker, settle_ns=0) as scene:
        await scene.run()
        order_id = await scene.place("buy", limit="90")
        await scene.until_status(order_id, S.ACCEPTED)
        broker.faults.lose_updates = 5
        real = broker.account.executions

        async def none(*, since_ns: int) -> list[object]:
            await real(since_ns=since_ns)
            return []

        broker.account.executions = none  # type: ignore[method-assign, assignment]
        broker.exchange.execute(scene.broker_id(order_id), D(4), D(90))
        await scene.desk.reconcile()
        found = await scene.desk.reconcile()
        assert {(one.kind, one.healing) for one in found} == {(Kind.FILL_WITHOUT_DETAILS, Healing.STOP), (Kind.POSITION, Healing.STOP)}
        await scene.desk.reconcile(accepts="They will never come.")
        assert await scene.desk.reconcile() == ()
    async with opened(tmp_path, broker, settle_ns=0) as scene:
        assert scene.desk.state.accepted == {order_id: D(4)}
        assert await scene.desk.reconcile() == ()
        # What it has left works on, and fills as ever; it is over with that, though our fills never make it up.
        assert scene.desk.state.lives[order_id].left_qty == 6
        broker.faults.lose_updates = 0
        broker.exchange.execute(scene.broker_id(order_id), D(6), D(90))
        await scene.until_status(order_id, S.CANCELLED)
        assert scene.desk.state.lives[order_id].order.filled_qty == 6
        assert scene.desk.state.unsettled() == []


async def test_an_order_that_was_accepted_as_filled_works_no_more(tmp_path: Path) -> None:
    broker = split_broker()
    async with opened(tmp_path, broker, settle_ns=0) as scene:
        await scene.run()
        scene.desk.state.note_price("DEMO", D(100), 1)

        async def none(*, since_ns: int) -> list[object]:
            return []

        broker.account.executions = none  # type: ignore[method-assign, assignment]
        broker.faults.lose_updates = 50
        order_id = await scene.place("buy")
        await scene.until(lambda: scene.desk.state.lives[order_id].order.broker_id is not None)
        await scene.desk.reconcile()
        await scene.desk.reconcile()
        assert scene.desk.state.working() != []
        await scene.desk.reconcile(accepts="They will never come.")
        assert await scene.desk.reconcile() == ()
        order = scene.desk.state.lives[order_id].order
        assert (order.status, order.filled_qty) == (S.CANCELLED, D(0))
        assert order.reason == "It is over at the broker; that there are no executions of 10 filled units of it was accepted."
        assert scene.desk.state.unsettled() == []
        assert await scene.desk.cancel_working("run") == 0
    async with opened(tmp_path, broker, settle_ns=0) as scene:
        assert await scene.desk.reconcile() == ()
        assert scene.desk.state.unsettled() == []
