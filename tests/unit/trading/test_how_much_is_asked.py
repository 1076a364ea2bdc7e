"""What a reconciliation asks for: what was executed since the last one, and more only of an order that lacks something."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.events.live_payloads import Reconciled
from core.model.broker import Execution
from core.model.instants import HOUR_NS, MINUTE_NS
from core.model.order import OrderStatus
from tests.unit.trading.desk import Scene, opened

S, D = OrderStatus, Decimal


class Later(SystemClock):
    """A clock that can be set on."""

    ahead_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.ahead_ns


class Executions:
    """The broker's list of executions; `since_ns` as it was asked last, `since`: how much of the past that was."""

    def __init__(self, broker: FakeBroker) -> None:
        self._real, self.since_ns = broker.account.executions, 0
        broker.account.executions = self.ask  # type: ignore[method-assign]

    async def ask(self, after: str | None = None, since_ns: int | None = None) -> list[Execution]:
        assert since_ns is not None
        self.since_ns = since_ns
        return await self._real(after, since_ns)


async def resting(scene: Scene) -> str:
    """An order of long ago that still works."""
    await scene.run()
    scene.broker.exchange.show("DEMO", D(100))
    scene.desk.state.note_price("DEMO", D(100), 1)
    order_id = await scene.place("buy", limit="90")
    await scene.until_status(order_id, S.ACCEPTED)
    return order_id


def at_a_later_time(scene: Scene, ahead_ns: int) -> Later:
    clock = Later()
    clock.ahead_ns = ahead_ns
    scene.desk.state.clock = clock
    return clock


async def test_an_order_that_rests_does_not_make_it_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        await resting(scene)
        asked = Executions(scene.broker)
        clock = at_a_later_time(scene, HOUR_NS // 2)
        await scene.desk.reconcile()
        looked_ns = clock.now_ns()
        clock.ahead_ns += HOUR_NS // 4
        await scene.desk.reconcile()
        assert looked_ns - 2 * MINUTE_NS < asked.since_ns <= looked_ns


async def test_an_execution_of_before_is_asked_for_when_an_order_lacks_it(tmp_path: Path) -> None:
    async with opened(tmp_path, missing_s=60.0) as scene:
        order_id = await resting(scene)
        created_ns = scene.desk.state.lives[order_id].order.created_ns
        scene.broker.faults.lose_updates = 9
        scene.broker.exchange.execute(scene.broker_id(order_id), D(4), D(90))
        asked = Executions(scene.broker)
        at_a_later_time(scene, HOUR_NS)
        assert scene.desk.comparisons._reconciler is not None
        scene.desk.comparisons._reconciler._from_ns = scene.desk.state.clock.now_ns()  # a look of then had not seen it in the broker's list
        found = await scene.desk.reconcile()
        assert [one.kind for one in found] == ["missed_fill"]
        assert asked.since_ns <= created_ns
        assert scene.desk.state.lives[order_id].order.filled_qty == D(4)
        assert await scene.desk.reconcile() == ()


async def test_what_may_be_lag_is_asked_for_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        await resting(scene)
        asked = Executions(scene.broker)
        await scene.desk.reconcile()
        real = scene.broker.account.positions

        async def positions() -> list[Any]:
            return [msgspec.structs.replace(one, qty=one.qty + 10) for one in await real()]

        scene.broker.account.positions = positions  # type: ignore[method-assign]
        await scene.until_status(await scene.place("buy"), S.FILLED)
        clock = at_a_later_time(scene, HOUR_NS // 4)
        await scene.desk.reconcile()  # ten more are held than all executions make
        since_ns = asked.since_ns
        clock.ahead_ns += HOUR_NS // 4
        await scene.desk.reconcile()
        assert asked.since_ns == since_ns


async def test_a_start_asks_from_where_it_was_compared_last(tmp_path: Path) -> None:
    broker = FakeBroker(SystemClock().now_ns)
    async with opened(tmp_path, broker) as scene:
        await resting(scene)
        clock = at_a_later_time(scene, HOUR_NS // 2)
        await scene.desk.reconcile()
        assert await scene.types(Reconciled.wire) == []
        clock.ahead_ns += HOUR_NS
        before_ns = clock.now_ns()
        for _ in range(3):
            await scene.desk.reconcile()
        (event,) = await scene.store.log.read(pattern=Reconciled.wire)
        assert isinstance(event.payload, Reconciled)
        assert before_ns <= event.payload.until_ns <= clock.now_ns()
    asked = Executions(broker)
    async with opened(tmp_path, broker, clock=clock):
        assert asked.since_ns == event.payload.until_ns - MINUTE_NS
    async with opened(tmp_path, broker):  # by a clock that is behind that nobody can tell when it was
        assert asked.since_ns < event.payload.until_ns - HOUR_NS
