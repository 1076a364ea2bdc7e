"""What the kill switch asks for is done once, and until it is done: whoever presses how often, whatever the broker does meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.errors import RateLimited
from core.events.live_payloads import SwitchCarriedOut
from core.model.broker import BrokerOrderRequest
from core.model.order import OrderSide, OrderStatus
from core.model.risk import SwitchLevel
from core.model.run import AccountKind, AccountTerms
from tests.unit.trading.desk import Scene, opened

S, D = OrderStatus, Decimal


async def started(scene: Scene) -> Scene:
    await scene.run()
    scene.broker.exchange.show("DEMO", D(100))
    scene.desk.state.note_price("DEMO", D(100), 1)
    return scene


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """An account that may be short, so that a position that is closed twice turns round."""
    broker = FakeBroker(SystemClock().now_ns, terms=AccountTerms(kind=AccountKind.MARGIN))
    async with opened(tmp_path, broker) as scene:
        yield await started(scene)


async def carried_out(scene: Scene, count: int) -> list[SwitchCarriedOut]:
    """Return what was told of the carrying out once so much was."""
    told = asyncio.Event()
    with scene.store.log.subscribe(SwitchCarriedOut.wire, lambda _: told.set(), owner="test"):
        while True:
            told.clear()
            found = [event.payload for event in await scene.store.log.read(pattern=SwitchCarriedOut.wire)]
            if len(found) >= count:
                return [one for one in found if isinstance(one, SwitchCarriedOut)]
            async with asyncio.timeout(20):
                await told.wait()


def sells(scene: Scene) -> list[tuple[Decimal, str]]:
    return [(one.qty or D(0), one.broker_status) for one in scene.broker.exchange.orders() if one.side is OrderSide.SELL]


async def test_flatten_thrown_for_all_and_for_a_run_closes_once_and_answers_both(scene: Scene) -> None:
    await scene.until_status(await scene.place(), S.FILLED)
    await scene.throw(SwitchLevel.FLATTEN)
    await scene.throw(SwitchLevel.FLATTEN, "run")
    assert [one.left for one in await carried_out(scene, 2)] == ["", ""]
    assert sells(scene) == [(D(10), "filled")]
    await scene.assert_books_equal()


async def test_flatten_pressed_again_while_the_cancels_take_their_time_closes_once(scene: Scene) -> None:
    await scene.until_status(await scene.place(), S.FILLED)
    rest = await scene.place(limit="90")
    await scene.until_status(rest, S.ACCEPTED)
    scene.broker.faults.busy_cancels = 2
    await scene.throw(SwitchLevel.FLATTEN)
    await scene.until_told("orders.CancelRefused")
    await scene.throw(SwitchLevel.FLATTEN)
    assert [(one.cancelled, one.closed, one.left) for one in await carried_out(scene, 2)] == [(1, 1, "")] * 2
    assert sells(scene) == [(D(10), "filled")]
    await scene.assert_books_equal()


async def test_what_closes_the_position_already_is_counted(scene: Scene) -> None:
    """The market is closed: the first closing order waits at the broker, and a second flatten adds none."""
    await scene.until_status(await scene.place(), S.FILLED)
    scene.broker.faults.lose_updates = 100
    scene.broker.faults.lose_answers = 1  # the closing order is there, and nobody has heard of it
    scene.broker.faults.silent_positions = True
    await scene.throw(SwitchLevel.FLATTEN)
    await scene.until(lambda: any(life.order.request.side is OrderSide.SELL for life in scene.desk.state.working()))
    await scene.throw(SwitchLevel.FLATTEN)
    await scene.until(lambda: not scene.desk.state.positions())
    assert [one.left for one in await carried_out(scene, 2)] == ["", ""]
    assert sells(scene) == [(D(10), "filled")]


async def test_a_cancel_that_was_one_too_many_is_asked_for_again(scene: Scene) -> None:
    working = [await scene.place(limit=str(80 + at)) for at in range(5)]
    for order_id in working:
        await scene.until_status(order_id, S.ACCEPTED)
    scene.broker.faults.busy_cancels = 7
    await scene.throw(SwitchLevel.CANCEL_ALL)
    (done,) = await carried_out(scene, 1)
    assert (done.cancelled, done.left) == (5, "")
    assert (await scene.types()).count("orders.CancelRefused") == 5
    await scene.assert_books_equal()


async def test_flatten_while_the_broker_is_away_is_done_when_it_is_back(scene: Scene) -> None:
    await scene.until_status(await scene.place(), S.FILLED)
    scene.broker.faults.unreachable = True
    await scene.throw(SwitchLevel.FLATTEN)
    (first,) = await carried_out(scene, 1)
    assert (first.closed, first.left) == (0, "Still held: 10 DEMO.")
    scene.broker.faults.unreachable = False
    _, last = await carried_out(scene, 2)
    assert (last.closed, last.left) == (1, "")
    await scene.assert_books_equal()


async def test_flatten_is_finished_after_a_restart(tmp_path: Path) -> None:
    broker = FakeBroker(SystemClock().now_ns)
    async with opened(tmp_path, broker) as scene:
        await started(scene)
        await scene.until_status(await scene.place(), S.FILLED)
        await scene.throw(SwitchLevel.FLATTEN)  # stored; the program ends before the next look
    async with opened(tmp_path, broker) as scene:
        (done,) = await carried_out(scene, 1)
        assert (done.closed, done.left) == (1, "")
        await scene.assert_books_equal()
    async with opened(tmp_path, broker) as scene:  # what was done is not done again
        assert len(await carried_out(scene, 1)) == 1


async def test_what_is_taken_back_before_it_is_done_is_not_done(scene: Scene) -> None:
    await scene.until_status(await scene.place(), S.FILLED)
    scene.broker.faults.unreachable = True
    await scene.throw(SwitchLevel.FLATTEN)
    await carried_out(scene, 1)
    await scene.throw(SwitchLevel.OFF)
    await scene.until(lambda: scene.desk.level("run") is SwitchLevel.OFF)
    scene.broker.faults.unreachable = False
    await scene.desk.reconcile()
    await scene.until_status(await scene.place(), S.FILLED)
    assert sells(scene) == []


async def test_a_stopped_run_leaves_the_order_that_flattens_it(tmp_path: Path) -> None:
    """A closing order waits for the market to open, and the person ends the run meanwhile."""
    async with opened(tmp_path) as scene:
        await scene.run()
        bought = await scene.place()
        await scene.until_status(bought, S.ACCEPTED)
        scene.broker.exchange.execute(scene.broker_id(bought), D(10), D(100))
        await scene.until_status(bought, S.FILLED)
        await scene.throw(SwitchLevel.FLATTEN)
        await scene.until(lambda: any(life.order.broker_id for life in scene.desk.state.working("run")))
        assert await scene.desk.cancel_working("run") == 0
        assert len(scene.desk.state.working("run")) == 1
        scene.broker.exchange.show("DEMO", D(101))
        assert [one.left for one in await carried_out(scene, 1)] == [""]
        await scene.assert_books_equal()


async def test_what_was_closed_on_the_broker_s_own_page_is_not_closed_again(scene: Scene) -> None:
    await scene.until_status(await scene.place(), S.FILLED)
    scene.broker.exchange.submit(BrokerOrderRequest(client_order_id="on-the-web", symbol="DEMO", side=OrderSide.SELL, qty=D(10)))
    await scene.until(lambda: scene.desk.state.outside.get("DEMO") == -10)
    await scene.throw(SwitchLevel.FLATTEN)
    assert [(one.closed, one.left) for one in await carried_out(scene, 1)] == [(0, "")]
    assert scene.broker.exchange.positions() == []


async def test_the_switch_of_a_run_of_another_account_is_not_answered_here(scene: Scene) -> None:
    await scene.throw(SwitchLevel.CANCEL_ALL, "elsewhere")
    await scene.throw(SwitchLevel.CANCEL_ALL, "run")
    await carried_out(scene, 1)
    assert [event.run_id for event in await scene.store.log.read(pattern=SwitchCarriedOut.wire)] == ["run"]


async def test_cancels_are_asked_for_as_soon_as_the_broker_is_back(scene: Scene) -> None:
    rest = await scene.place(limit="90")
    await scene.until_status(rest, S.ACCEPTED)
    scene.broker.faults.unreachable = True
    await scene.throw(SwitchLevel.CANCEL_ALL)
    await scene.until_told("orders.CancelRefused")
    await scene.until(lambda: "requests" in scene.desk.state.lines.silent())
    scene.broker.faults.unreachable = False
    await scene.until_status(rest, S.CANCELLED)
    assert (await carried_out(scene, 1))[-1].left == ""


async def test_cancels_that_were_too_many_wait_for_the_same_instant(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        await started(scene)
        ids = [await scene.place(limit=str(60 + number)) for number in range(20)]
        for order_id in ids:
            await scene.until_status(order_id, S.ACCEPTED)
        loop, ask = asyncio.get_running_loop(), scene.broker.desk.cancel
        takes_again_s = loop.time() + 1.0

        async def cancel(order_id: str) -> None:
            if loop.time() < takes_again_s:
                raise RateLimited("Too many requests (429).", retry_after_s=takes_again_s - loop.time())
            await ask(order_id)

        scene.broker.desk.cancel = cancel  # type: ignore[method-assign]
        await scene.throw(SwitchLevel.CANCEL_ALL)
        async with asyncio.timeout(10):  # one after the other, each with its whole second, it would be twenty
            await scene.until(lambda: all(scene.status(order_id) is S.CANCELLED for order_id in ids))
