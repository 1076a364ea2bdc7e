"""Orders that are over are not kept; what is said of one finds it in the store, and everything is booked once all the same."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.errors import InvalidValue, UnknownName
from core.model.broker import Execution
from core.model.hand import OrderTerms
from core.model.instants import DAY_NS
from core.model.order import OrderSide, OrderStatus
from tests.unit.trading.desk import Scene, opened

S, D = OrderStatus, Decimal


def broker_at(price: int = 100) -> FakeBroker:
    broker = FakeBroker(SystemClock().now_ns)
    broker.exchange.show("DEMO", D(price))
    return broker


async def age(scene: Scene) -> None:
    """Let all that the run did be of yesterday, and so of before the account was compared."""
    orders = [
        msgspec.structs.replace(order, created_ns=order.created_ns - DAY_NS, updated_ns=order.updated_ns - DAY_NS)
        for order in await scene.store.runs.orders("run")
    ]
    async with scene.store.runs.begin() as work:
        work.put_orders(orders)


async def traded_yesterday(folder: Path, broker: FakeBroker) -> list[str]:
    """Buy and sell ten, and take back a third order; return their ids."""
    async with opened(folder, broker) as scene:
        await scene.run()
        scene.desk.state.note_price("DEMO", D(100), 1)
        ids = [await scene.place("buy"), await scene.place("sell")]
        for order_id in ids:
            await scene.until_status(order_id, S.FILLED)
        ids.append(await scene.place("buy", limit="50"))
        await scene.until_status(ids[-1], S.ACCEPTED)
        await scene.desk.cancel(ids[-1])
        await scene.until_status(ids[-1], S.CANCELLED)
        await age(scene)
    return ids


async def test_what_is_over_is_not_known_at_the_next_start_and_its_money_is(tmp_path: Path) -> None:
    await traded_yesterday(tmp_path, broker_at())
    async with opened(tmp_path, broker_at()) as scene:
        assert scene.desk.state.lives == {}
        assert scene.desk.state.books["run"].positions() == {}
        assert scene.desk.state.books["run"].holdings["DEMO"].qty == 0
        assert await scene.desk.reconcile() == ()


async def test_what_the_broker_lists_again_is_booked_already(tmp_path: Path) -> None:
    broker = broker_at()
    await traded_yesterday(tmp_path, broker)
    for _ in range(2):
        async with opened(tmp_path, broker) as scene:
            assert await scene.desk.reconcile() == ()
            assert scene.desk.state.outside == {}
            await scene.assert_books_equal()


async def test_an_execution_of_an_order_that_is_over_long_since_is_the_runs_once(tmp_path: Path) -> None:
    """The broker took it back yesterday, and lists it no more; now it tells that it was executed all the same."""
    late_ns = DAY_NS
    broker = FakeBroker(lambda: SystemClock().now_ns() - late_ns)
    broker.exchange.show("DEMO", D(100))
    async with opened(tmp_path, broker) as scene:
        await scene.run()
        order_id = await scene.place("buy", limit="50")
        await scene.until_status(order_id, S.ACCEPTED)
        broker_id = scene.broker_id(order_id)
        at_work = broker.exchange._working[broker_id]
        await scene.desk.cancel(order_id)
        await scene.until_status(order_id, S.CANCELLED)
        await age(scene)
    late_ns = 0
    async with opened(tmp_path, broker) as scene:
        assert scene.desk.state.lives == {}
        broker.exchange._working[broker_id] = at_work
        broker.exchange.execute(broker_id, D(10), D(50))
        await scene.until(lambda: scene.desk.state.books["run"].held("DEMO") == 10)
        assert scene.status(order_id) is S.FILLED
        await age(scene)
    for _ in range(2):
        async with opened(tmp_path, broker) as scene:
            assert await scene.desk.reconcile() == ()
            assert (scene.desk.state.outside, scene.desk.state.positions()) == ({}, {"DEMO": D(10)})
            assert [fill.reason for fill in await scene.store.runs.fills("run")] == ["reconciled"]
            await age(scene)


async def test_an_order_that_works_at_the_broker_and_is_over_here_is_taken_back(tmp_path: Path) -> None:
    broker = broker_at()
    async with opened(tmp_path, broker) as scene:
        await scene.run()
        order_id = await scene.place("buy", limit="50")
        order = await scene.until_status(order_id, S.ACCEPTED)
    async with opened(tmp_path, broker_at()) as scene:
        over = msgspec.structs.replace(order, status=S.CANCELLED)
        async with scene.store.runs.begin() as work:
            work.put_orders([over])
        await age(scene)
    async with opened(tmp_path, broker) as scene:
        await scene.until_told("live.Differed")
        await scene.until(lambda: not [one for one in broker.exchange.orders() if not one.status.is_final])
        assert scene.status(order_id) is S.CANCELLED


async def test_a_part_that_bears_none_of_our_ids_is_found_by_the_brokers(tmp_path: Path) -> None:
    ids = await traded_yesterday(tmp_path, broker_at())
    async with opened(tmp_path, broker_at()) as scene:
        broker_id = (await scene.store.runs.orders("run"))[2].broker_id
        assert broker_id is not None
        late = Execution(id="late", order_id=broker_id, symbol="DEMO", side=OrderSide.BUY, qty=D(1), price=D(100), cum_qty=D(1), time_ns=1)
        strange = msgspec.structs.replace(late, id="theirs", order_id="somebody's")
        await scene.desk.absent.named([], [strange])
        assert scene.desk.state.lives == {}
        await scene.desk.absent.named([], [late, strange])
        assert set(scene.desk.state.lives) == set(ids)
        assert scene.desk.state.booked == {fill.id for fill in await scene.store.runs.fills("run")}


async def test_a_person_is_told_what_became_of_an_order_that_is_over_long_since(tmp_path: Path) -> None:
    ids = await traded_yesterday(tmp_path, broker_at())
    async with opened(tmp_path, broker_at()) as scene:
        with pytest.raises(UnknownName):
            await scene.desk.change("run-77", OrderTerms(limit_price=D(95)))
        assert scene.desk.state.lives == {}
        assert await scene.desk.absent.is_stored(ids[0])
        assert not await scene.desk.absent.is_stored("run-77")
        with pytest.raises(InvalidValue, match="it is filled"):
            await scene.desk.change(ids[0], OrderTerms(limit_price=D(95)))


async def test_what_is_known_is_not_read_over(tmp_path: Path) -> None:
    ids = await traded_yesterday(tmp_path, broker_at())
    async with opened(tmp_path, broker_at()) as scene:
        await scene.run()
        working = await scene.place("buy", limit="50", id="run-9")
        await scene.until_status(working, S.ACCEPTED)
        await scene.desk.absent.bring_back("run")
        assert scene.desk.state.lives[working].parts, "what the broker said of it is not in its row"
        assert set(scene.desk.state.lives) == {*ids, working}
        assert [life.order.id for life in scene.desk.state.working()] == [working]
