"""What goes wrong with the stream of orders, over real websockets: every fill booked once, positions equal, and it is told."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from core.clock.realtime import SystemClock
from core.errors import KeysRefused
from core.model.instants import SECOND_NS
from core.model.order import OrderStatus, RejectCode
from core.model.risk import RiskLimits
from tests.broker.bench import QUICK_STREAM, fake_broker
from tests.broker.desk import POST, WireScene, wired
from tests.broker.faults import Fault, Mischief, StreamMood, Way
from tests.broker.server import FakeBroker

S = OrderStatus
STREAM = "GET /stream"


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker(SystemClock().now_ns) as running:
        yield running


@pytest.fixture
async def scene(tmp_path: Path, server: FakeBroker) -> AsyncIterator[WireScene]:
    async with wired(tmp_path, server, soon_s=0.05) as scene:
        await scene.run()
        yield scene


def in_mood(server: FakeBroker, mood: StreamMood) -> None:
    server.do(lambda: setattr(server, "mood", mood))


# --- the connection ---


async def test_a_dropped_stream_comes_back_and_brings_what_was_missed(scene: WireScene, server: FakeBroker) -> None:
    filled, ended, working = [await scene.working() for _ in range(3)]
    ids = [scene.broker_id(each) for each in (filled, ended, working)]

    def while_nobody_listens() -> None:
        server.cut_streams()
        server.book.fill(ids[0], "10", "390")
        server.book.fill(ids[1], "4", "389")
        server.book.end(ids[1], "canceled")

    scene.do(while_nobody_listens)
    await scene.until_status(filled, S.FILLED)
    order = await scene.until_status(ended, S.CANCELLED)
    assert order.filled_qty == 4
    assert scene.status(working) is S.ACCEPTED
    await scene.until_said("the line for orders is listening")
    told = await scene.told()
    assert "the line for orders is lost. The stream ended: " in told
    assert "The broker executed buy 10 SPY at 390, and it had not been heard of." in told
    await scene.assert_books_equal()


async def test_a_stream_that_drops_again_and_again(scene: WireScene, server: FakeBroker) -> None:
    order_id = await scene.working(qty=20)
    for part in range(1, 21):
        server.drop_streams()
        scene.fill(order_id, 1)
        if part % 5 == 0:
            await scene.until_filled(order_id, part)
    await scene.until_status(order_id, S.FILLED)
    await scene.assert_books_equal()


async def test_a_stream_that_hangs_open_and_is_silent_is_found_out(tmp_path: Path, server: FakeBroker) -> None:
    quick = dataclasses.replace(QUICK_STREAM, silence_s=0.1, answer_s=0.1, enter_s=0.2)
    async with wired(tmp_path, server, RiskLimits(max_silence_s=0.05), stream_patience=quick, soon_s=0.05) as scene:
        await scene.run()
        order_id = await scene.working()
        in_mood(server, StreamMood.SAYS_NOTHING)
        scene.lose_updates()
        scene.fill(order_id, 10)
        await scene.until_said("the line for orders is stale. The server is silent and answers no question.")
        await scene.until_silent(0.05)
        refused = await scene.until_status(await scene.place(limit="390"), S.REJECTED)
        assert refused.reject_code is RejectCode.RISK_SILENCE
        in_mood(server, StreamMood.WELL)
        await scene.until_said("the line for orders is listening")
        await scene.until_status(order_id, S.FILLED)
        await scene.assert_books_equal()


async def test_a_peer_that_died_is_found_out(tmp_path: Path, server: FakeBroker) -> None:
    quick = dataclasses.replace(QUICK_STREAM, ping_s=0.1, silence_s=60)
    async with wired(tmp_path, server, stream_patience=quick) as scene:
        await scene.run()
        order_id = await scene.working()
        server.play_dead()
        await scene.until_said("the line for orders is lost")
        await scene.until_said("the line for orders is listening")
        scene.fill(order_id, 10)
        await scene.until_status(order_id, S.FILLED)
        await scene.assert_books_equal()


async def test_a_server_that_does_not_let_us_in_is_knocked_at_again(scene: WireScene, server: FakeBroker) -> None:
    order_id = await scene.working()
    knocks = scene.do(lambda: server.requests[STREAM])
    server.fail(
        Fault(STREAM, Way.STATUS, 503), Fault(STREAM, Way.RESET_BEFORE), Fault(STREAM, Way.STATUS, 429), Fault(STREAM, Way.STATUS, 500)
    )
    server.drop_streams()
    scene.fill(order_id, 6)
    await scene.until_filled(order_id, 6)
    await scene.until_asked(STREAM, knocks + 5)
    scene.fill(order_id, 4)
    await scene.until_status(order_id, S.FILLED)
    await scene.assert_books_equal()


@pytest.mark.parametrize("frame", [b"\xff\xfe", b"{", b'{"stream": "trade_updates", "data": {}}', b"[1]"])
async def test_a_message_that_cannot_be_read_costs_no_fill(scene: WireScene, server: FakeBroker, frame: bytes) -> None:
    order_id = await scene.working()
    server.send_raw_update(frame)
    scene.fill(order_id, 4)
    scene.fill(order_id, 6)
    await scene.until_status(order_id, S.FILLED)
    await scene.until_said("a message could not be read")
    await scene.assert_books_equal()


async def test_a_flood_is_folded_and_the_desk_trades_on(scene: WireScene, server: FakeBroker) -> None:
    order_id = await scene.working(qty=1_000, limit="50")
    broker_id = scene.broker_id(order_id)
    strange = {**(scene.at_broker(order_id) or {}), "id": "not-ours", "client_order_id": "not-ours"}
    noise = [json.dumps({"stream": "trade_updates", "data": {"event": "new", "order": strange}}).encode()] * 50
    for _ in range(20):
        scene.do(lambda: [server.book.fill(broker_id, "10", "50") for _ in range(2)])
        for frame in noise:
            server.send_raw_update(frame)
    while_it_floods = await scene.working(qty=1)
    scene.do(lambda: [server.book.fill(broker_id, "10", "50") for _ in range(60)])
    await scene.until_status(order_id, S.FILLED)
    scene.fill(while_it_floods, 1)
    await scene.until_status(while_it_floods, S.FILLED)
    assert len(scene.desk.state.lives[order_id].fills) == 100
    await scene.assert_books_equal()


# --- the keys ---


async def test_a_stream_that_refuses_the_keys_ends_the_runs_with_its_sentence(tmp_path: Path, server: FakeBroker) -> None:
    async def until_the_end() -> None:
        async with wired(tmp_path, server) as scene:
            await scene.run()
            await scene.working()
            in_mood(server, StreamMood.REFUSES)
            server.drop_streams()
            scene.fill("run-1", 3)
            await scene.until(lambda: bool(scene.stopped))
            assert scene.stopped == ["The stream of orders does not accept the keys."]
            await asyncio.Event().wait()

    with pytest.raises(KeysRefused, match="does not accept the keys"):
        await until_the_end()
    in_mood(server, StreamMood.WELL)
    async with wired(tmp_path, server) as scene:  # with keys that fit, all is as the broker has it
        assert scene.desk.state.lives["run-1"].order.filled_qty == 3
        await scene.assert_books_equal()


@pytest.mark.parametrize("first", ["an order", "a cancel", "a reconciliation", "the stream"])
async def test_keys_that_are_revoked_in_mid_session_end_the_runs(tmp_path: Path, server: FakeBroker, first: str) -> None:
    async def until_the_end() -> None:
        async with wired(tmp_path, server, reconcile_s=0.3 if first == "a reconciliation" else 120) as scene:
            await scene.run()
            working = await scene.working()
            server.do(lambda: setattr(server, "revoked", True))
            if first == "an order":
                order = await scene.until_status(await scene.place(limit="390"), S.REJECTED)
                assert order.reject_code is RejectCode.BROKER_REFUSED
                assert "does not accept the keys (401, 40110000)" in (order.reason or "")
            elif first == "a cancel":
                await scene.desk.cancel(working)
                await scene.until_said("does not accept the keys (401, 40110000)")
            elif first == "the stream":
                server.drop_streams()
            # A reconciliation comes by itself.
            await scene.until(lambda: bool(scene.stopped))
            assert "does not accept the keys" in scene.stopped[0]
            await asyncio.Event().wait()

    with pytest.raises(KeysRefused, match="does not accept the keys"):
        await until_the_end()
    server.do(lambda: setattr(server, "revoked", False))
    async with wired(tmp_path, server) as scene:
        # The desk may have ended before the refusal of the order was stored: then it is found to have never left.
        await scene.until(lambda: all(life.order.status is not S.SUBMITTING for life in scene.desk.state.lives.values()))
        await scene.assert_books_equal()
        assert scene.status("run-1") is S.ACCEPTED


# --- updates ---


@pytest.mark.parametrize("mischief", [Mischief.DOUBLED, Mischief.MISSING, Mischief.REVERSED], ids=lambda each: each.value)
@pytest.mark.parametrize("end", ["filled", "canceled"])
async def test_updates_twice_late_or_never_come_to_the_same(scene: WireScene, server: FakeBroker, mischief: Mischief, end: str) -> None:
    scene.lose_updates(mischief)
    order_id = await scene.working(qty=9)
    for part in (4, 3) if end == "canceled" else (4, 3, 2):
        scene.fill(order_id, part)
    if end == "canceled":
        await scene.desk.cancel(order_id)
    if mischief is Mischief.MISSING and end == "filled":
        await scene.desk.reconcile()
    if mischief is Mischief.REVERSED:
        scene.lose_updates(Mischief.NONE)
        await scene.desk.reconcile()
    order = await scene.until_status(order_id, S.CANCELLED if end == "canceled" else S.FILLED)
    await scene.until_filled(order_id, 7 if end == "canceled" else 9)
    assert order.account == "alpaca:PA3FAKE00001"
    assert await scene.desk.reconcile() == ()
    await scene.assert_books_equal()


async def test_an_order_that_fills_in_a_hundred_pieces(scene: WireScene) -> None:
    order_id = await scene.working(qty=100)
    for price in range(100):
        scene.fill(order_id, 1, price=f"389.{price:02}")
    order = await scene.until_status(order_id, S.FILLED)
    assert order.avg_fill_price == Decimal("389.495")
    assert (await scene.told()).count("Bought 1 SPY at 389") == 100
    assert await scene.desk.reconcile() == ()
    await scene.assert_books_equal()


async def test_the_last_piece_may_come_after_the_cancel(scene: WireScene, server: FakeBroker) -> None:
    order_id = await scene.working()
    broker_id = scene.broker_id(order_id)
    scene.lose_updates(Mischief.REVERSED)  # the fill, then the cancel of the rest: they arrive the other way round

    def race() -> None:
        server.book.fill(broker_id, "4", "390")
        server.book.end(broker_id, "canceled")

    scene.do(race)
    await scene.until_status(order_id, S.CANCELLED)
    await scene.until_filled(order_id, 4)
    await scene.assert_books_equal()


async def test_somebody_elses_orders_are_adopted_and_their_fills_are_outside(scene: WireScene, server: FakeBroker) -> None:
    ours = await scene.working()
    body = {"client_order_id": "by-hand", "symbol": "SPY", "side": "buy", "type": "limit", "limit_price": "391", "time_in_force": "day"}
    theirs = scene.do(lambda: server.book.place({**body, "qty": "3"}))
    scene.do(lambda: server.book.settle(theirs))
    scene.do(lambda: server.book.fill(theirs["id"], "3", "391"))
    await scene.until(lambda: scene.desk.state.outside.get("SPY") == 3)
    scene.fill(ours, 10)
    await scene.until_status(ours, S.FILLED)
    assert scene.desk.state.books["run"].held("SPY") == 10
    assert "has an order that is not ours: buy SPY" in await scene.told()
    assert await scene.desk.reconcile() == ()
    await scene.assert_books_equal()
    assert not scene.stopped


# --- the broker's clock ---


@pytest.mark.parametrize("off_s", [-30, -7.5, 7.5, 30], ids=lambda off_s: f"{off_s:+} s")
async def test_a_broker_whose_clock_is_off(tmp_path: Path, server: FakeBroker, off_s: float) -> None:
    server.do(lambda: setattr(server.book, "clock_off_ns", round(off_s * SECOND_NS)))

    def by_hand(id: str, qty: int) -> Callable[[], None]:
        body = {"client_order_id": id, "symbol": "SPY", "side": "buy", "type": "market", "time_in_force": "day", "qty": str(qty)}
        return lambda: server.book.settle(server.book.place(body))

    server.do(by_hand("before", 5))  # a moment before the account is first met
    async with wired(tmp_path, server, soon_s=0.05, settle_ns=0) as scene:
        await scene.run()
        assert scene.desk.state.outside == {"SPY": 5}
        scene.lose_updates()
        order_id = await scene.working(qty=8)
        scene.fill(order_id, 3)
        scene.do(by_hand("after", 2))
        await scene.desk.reconcile()
        await scene.until_filled(order_id, 3)
        assert scene.desk.state.outside == {"SPY": 7}
        await scene.desk.reconcile()
        await scene.assert_books_equal()
    server.do(lambda: server.book.fill(order_id_at(server, order_id), "5", "390"))  # while nobody looks
    async with wired(tmp_path, server, soon_s=0.05, settle_ns=0) as scene:
        await scene.run()
        assert scene.status(order_id) is S.FILLED
        assert scene.desk.state.outside == {"SPY": 7}
        await scene.desk.reconcile()
        assert await scene.desk.reconcile() == ()
        await scene.assert_books_equal()
        assert not scene.stopped
    assert server.requests[POST] == 1


def order_id_at(server: FakeBroker, order_id: str) -> str:
    return str(server.book.by_client_id(order_id)["id"])


async def test_a_fill_that_overtakes_its_order_is_nobody_elses(scene: WireScene, server: FakeBroker) -> None:
    scene.lose_updates()
    await scene.desk.reconcile()
    server.fail(Fault("GET /v2/positions", Way.LATE, delay_s=0.3), Fault(POST, Way.LATE, delay_s=0.7))
    asked = scene.do(lambda: server.requests["GET /v2/positions"])
    async with asyncio.TaskGroup() as group:
        group.create_task(scene.desk.reconcile())
        await scene.until_asked("GET /v2/positions", asked + 1)  # the orders are listed already, without this one
        order_id = await scene.place(limit="390")
        await scene.until_there(order_id)
        scene.fill(order_id, 10)  # and it is executed before the executions are, while its answer is on the way
    assert scene.desk.state.outside == {}
    await scene.until_status(order_id, S.FILLED)
    assert await scene.desk.reconcile() == ()
    await scene.assert_books_equal()
