"""Orders that were changed, alone or with exits that left with them: the broker has a new order for each change, and the books are one."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from core.clock.realtime import SystemClock
from core.errors import InvalidValue
from core.model.hand import OrderTerms
from core.model.instants import HOUR_NS
from core.model.order import OrderStatus
from tests.broker.bench import fake_broker
from tests.broker.book import Document
from tests.broker.desk import POST, WireScene, wired
from tests.broker.faults import Fault, Mischief, Way
from tests.broker.server import FakeBroker

S, D = OrderStatus, Decimal


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker(SystemClock().now_ns) as running:
        yield running


async def changed(scene: WireScene, order_id: str, **terms: Decimal) -> None:
    before = scene.desk.state.lives[order_id].at
    await scene.desk.change(order_id, OrderTerms(**terms))
    await scene.until(lambda: scene.desk.state.lives[order_id].at == before + 1)


async def taken(scene: WireScene) -> tuple[str, str, str]:
    """An entry over 10, its stop and its target, once the broker has them."""
    entry = await scene.place_with_exits()
    stop, target = scene.desk.state.groups.together[entry]
    for each in (entry, stop, target):
        await scene.until_status(each, S.ACCEPTED)
    return entry, stop, target


async def partly_sold(scene: WireScene) -> tuple[str, str]:
    """The stop and the target of an entry that filled; 4 of its 10 are sold by the target."""
    entry, stop, target = await taken(scene)
    scene.fill(entry, 10)
    await scene.until_status(entry, S.FILLED)
    first = scene.desk.state.lives[target].order.broker_id
    assert first is not None
    scene.do(lambda: scene.server.book.fill(first, "4", "420"))
    await scene.until_filled(target, 4)
    return stop, target


async def test_an_entry_and_an_exit_are_changed_and_all_end_together(tmp_path: Path, server: FakeBroker) -> None:
    async with wired(tmp_path, server) as scene:
        await scene.run()
        entry, stop, target = await taken(scene)
        await changed(scene, entry, limit_price=D(391))
        await changed(scene, target, limit_price=D(421))
        await changed(scene, entry, limit_price=D(392))
        assert len(scene.server.book.orders) == 6
        await scene.desk.cancel(entry)
        for each in (entry, stop, target):
            await scene.until_status(each, S.CANCELLED)
        await scene.desk.reconcile()
        await scene.assert_books_equal()


async def test_what_an_exit_sold_before_its_change_is_booked_with_it(tmp_path: Path, server: FakeBroker) -> None:
    async with wired(tmp_path, server) as scene:
        await scene.run()
        stop, target = await partly_sold(scene)
        await changed(scene, target, limit_price=D(421))
        await scene.assert_books_equal()
    async with wired(tmp_path, server) as scene:  # and while the program is off
        await scene.run()
        scene.fill(f"{target}.r1", 6, 421)
        await scene.until_status(target, S.FILLED)
        await scene.until_status(stop, S.CANCELLED)
        await scene.desk.reconcile()
        await scene.assert_books_equal()
        assert scene.desk.state.positions() == {}


async def test_what_an_exit_sold_unheard_before_its_change_is_booked_after_a_restart(tmp_path: Path, server: FakeBroker) -> None:
    """The order before the change bears no id of ours, and nothing that is stored names it: what took its place does."""
    async with wired(tmp_path, server, missing_s=60.0) as scene:
        await scene.run()
        entry, stop, target = await taken(scene)
        server.fail(*[Fault("GET /v2/", Way.STATUS, 503)] * 100)
        scene.fill(entry, 10)
        await scene.until_status(entry, S.FILLED)
        first = scene.desk.state.lives[target].order.broker_id
        assert first is not None
        scene.lose_updates()
        scene.do(lambda: scene.server.book.fill(first, "4", "420"))
        scene.lose_updates(Mischief.NONE)
        await changed(scene, target, limit_price=D(421))
        assert scene.desk.state.lives[target].missing_qty == 4
    server.do(server.faults.clear)
    async with wired(tmp_path, server) as scene:
        await scene.run()
        await scene.until_filled(target, 4)
        assert scene.desk.state.outside == {}
        assert scene.desk.state.adopted == set()
        await scene.desk.cancel(target)
        for each in (stop, target):
            await scene.until_status(each, S.CANCELLED)
        await scene.desk.reconcile()
        await scene.assert_books_equal()


async def test_a_changed_exit_that_fills_while_the_program_is_off_is_filled_however_long_ago_it_was_changed(
    tmp_path: Path, server: FakeBroker
) -> None:
    """What it replaced bears no id of ours, and no list of what is new has either of them: only the one that took its place names it."""
    server.do(lambda: setattr(server.book, "clock_off_ns", -2 * HOUR_NS))
    async with wired(tmp_path, server) as scene:
        await scene.run()
        entry, stop, target = await taken(scene)
        scene.fill(entry, 10)
        await scene.until_status(entry, S.FILLED)
        await changed(scene, target, limit_price=D(421))
        changed_id = scene.broker_id(f"{target}.r1")
    server.do(lambda: setattr(server.book, "clock_off_ns", 0))
    server.do(lambda: server.book.fill(changed_id, "10", "421"))
    async with wired(tmp_path, server) as scene:
        await scene.run()
        await scene.until_status(target, S.FILLED)
        await scene.until_status(stop, S.CANCELLED)
        assert scene.desk.state.adopted == set()
        await scene.assert_books_equal()


async def test_a_change_of_one_exit_leaves_it_over_what_the_other_has_not_sold(tmp_path: Path, server: FakeBroker) -> None:
    async with wired(tmp_path, server) as scene:
        await scene.run()
        stop, target = await partly_sold(scene)
        with pytest.raises(InvalidValue, match="one quantity"):
            await scene.desk.change(stop, OrderTerms(qty=D(8)))
        await changed(scene, stop, stop_price=D(381), qty=D(10))  # as a dialog sends what was not touched, too
        now = scene.at_broker(f"{stop}.r1")
        assert now is not None
        assert now["qty"] == "6"
        scene.do(lambda: scene.server.book.fill(now["id"], "1", "381"))
        await scene.until_filled(stop, 1)
        for each in (stop, target):
            with pytest.raises(InvalidValue, match="have both filled a part"):
                await scene.desk.change(each, OrderTerms(limit_price=D(421)) if each == target else OrderTerms(stop_price=D(382)))
        await scene.desk.cancel(target)
        for each in (stop, target):
            await scene.until_status(each, S.CANCELLED)
        await scene.desk.reconcile()
        await scene.assert_books_equal()
        assert scene.desk.state.positions() == {"SPY": D(5)}


async def test_an_exit_that_sold_before_anybody_named_it_is_not_somebody_elses(tmp_path: Path, server: FakeBroker) -> None:
    """The request arrives, and is filled, after the orders were listed and before the executions are."""
    async with wired(tmp_path, server, look_ups_s=(60.0,)) as scene:
        await scene.run()
        scene.lose_updates()
        book, positions = server.book, server.book.positions
        body = {"symbol": "SPY", "side": "buy", "type": "limit", "qty": "10", "limit_price": "390", "time_in_force": "day"}
        legs = {"order_class": "bracket", "take_profit": {"limit_price": "420"}, "stop_loss": {"stop_price": "380"}}

        def arrive() -> list[Document]:
            book.positions = positions  # type: ignore[method-assign]  # once
            order = book.place({**body, **legs, "client_order_id": entry})
            book.settle(order)
            book.fill(order["id"], "10", "390")
            book.fill(order["legs"][0]["id"], "4", "420")
            return positions()

        server.fail(Fault(POST, Way.RESET_BEFORE))
        entry = await scene.place_with_exits()
        stop, target = scene.desk.state.groups.together[entry]
        await scene.until_asked(POST)
        scene.do(lambda: setattr(book, "hold", True))
        scene.do(lambda: setattr(book, "positions", arrive))
        await scene.desk.reconcile()
        await scene.desk.reconcile()
        assert (scene.desk.state.outside, scene.desk.state.adopted) == ({}, set())
        assert [scene.desk.state.lives[each].order.filled_qty for each in (entry, stop, target)] == [10, 0, 4]


async def test_what_an_old_order_filled_before_its_change_is_not_taken_for_somebody_elses(tmp_path: Path, server: FakeBroker) -> None:
    """The broker lists its execution still, and no more the order: that rested for long, and another one has its place."""
    async with wired(tmp_path, server) as scene:
        await scene.run()
        order_id = await scene.working()
        scene.fill(order_id, 4)
        await scene.until_filled(order_id, 4)
        first = scene.broker_id(order_id)
        await changed(scene, order_id, limit_price=D(391))
        scene.fill(f"{order_id}.r1", 6, 391)
        await scene.until_status(order_id, S.FILLED)
        scene.do(lambda: scene.server.book.orders[first].update(submitted_at="2020-01-02T15:00:00Z"))
        await scene.desk.reconcile()
        assert scene.desk.state.outside == {}
        await scene.assert_books_equal()
