"""What goes wrong with a stream: it comes back by itself, and says so, because nothing is replayed."""

import asyncio
import dataclasses
import logging
from decimal import Decimal
from typing import Any

import pytest

from core.errors import BrokerRefused, KeysRefused
from core.model.broker import BrokerOrderRequest, Quote, StreamState, StreamStatus, Watch
from core.model.order import OrderSide, OrderType
from tests.broker.bench import QUICK_STREAM, AlpacaBench, Ear, listening
from tests.broker.faults import Fault, Mischief, StreamMood, Way
from tests.broker.server import KEY, SECRET, FakeBroker

WATCH = Watch(quotes=("SPY",))
PLACED = {"symbol": "SPY", "side": "buy", "type": "limit", "qty": "1", "limit_price": "390", "time_in_force": "day"}


def order(id: str) -> BrokerOrderRequest:
    return BrokerOrderRequest(
        client_order_id=id, symbol="SPY", side=OrderSide.BUY, qty=Decimal(1), type=OrderType.LIMIT, limit_price=Decimal(390)
    )


def in_mood(server: FakeBroker, mood: StreamMood) -> None:
    server.do(lambda: setattr(server, "mood", mood))


async def test_a_dropped_connection_comes_back_and_what_was_missed_can_be_asked_for(bench: AlpacaBench, server: FakeBroker) -> None:
    async with listening(bench.broker.streams.order_updates) as ear:
        server.drop_streams(and_place={"client_order_id": "while-away", **PLACED})
        lost = await ear.until(StreamState.LOST)
        assert lost.said.startswith("The stream ended: ")
        await ear.until(StreamState.LISTENING)
        assert await bench.broker.orders.order_by_client_id("while-away") is not None
        assert ear.items.empty()
        await bench.broker.desk.submit(order("after"))
        assert (await ear.next()).order.client_order_id == "after"


async def test_states_follow_one_another(bench: AlpacaBench, server: FakeBroker) -> None:
    ear = Ear()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bench.broker.streams.market(WATCH, ear.items.put_nowait, ear.states.put_nowait))
        states = [(await ear.states.get()).state for _ in range(3)]
        server.drop_streams()
        states += [(await ear.states.get()).state for _ in range(4)]
        task.cancel()
    assert " ".join(states) == "connecting authenticated listening lost connecting authenticated listening"
    assert [message["quotes"] for message in server.subscribed] == [["SPY"], ["SPY"]]


@pytest.mark.parametrize("of_orders", [True, False], ids=["orders", "market"])
async def test_a_stream_that_is_open_and_silent_is_found_out_by_a_question(server: FakeBroker, of_orders: bool) -> None:
    bench = AlpacaBench(server, stream_patience=_with(silence_s=0.05, answer_s=0.1))
    try:
        async with listening(_listen(bench, of_orders)) as ear:
            in_mood(server, StreamMood.SAYS_NOTHING)
            stale = await ear.until(StreamState.STALE)
            assert "answers no question" in stale.said
            in_mood(server, StreamMood.WELL)
            await ear.until(StreamState.LISTENING)
    finally:
        await bench.broker.close()


async def test_a_stream_without_news_that_answers_is_left_alone(server: FakeBroker) -> None:
    bench = AlpacaBench(server, stream_patience=_with(silence_s=0.02, answer_s=5))
    try:
        async with listening(bench.broker.streams.order_updates) as ear:
            asked = server.requests["GET /stream"]
            await asyncio.to_thread(server.wait_for, lambda: server.listens >= 5)
            assert ear.states.empty()
            assert server.requests["GET /stream"] == asked == 1
    finally:
        await bench.broker.close()


async def test_a_dead_peer_is_found_out_by_a_ping(server: FakeBroker) -> None:
    bench = AlpacaBench(server, stream_patience=_with(ping_s=0.1, silence_s=60))
    try:
        async with listening(bench.broker.streams.order_updates) as ear:
            server.play_dead()
            assert "ping" in (await ear.until(StreamState.LOST)).said
            await ear.until(StreamState.LISTENING)
    finally:
        await bench.broker.close()


@pytest.mark.parametrize("of_orders", [True, False], ids=["orders", "market"])
async def test_refused_keys_end_a_stream_for_good(bench: AlpacaBench, server: FakeBroker, of_orders: bool) -> None:
    in_mood(server, StreamMood.REFUSES)
    with pytest.raises(KeysRefused, match="does not accept the keys"):
        await _listen(bench, of_orders)(lambda _: None, lambda _: None)


@pytest.mark.parametrize("of_orders", [True, False], ids=["orders", "market"])
async def test_keys_revoked_while_it_listens_end_it_at_the_next_connection(bench: AlpacaBench, server: FakeBroker, of_orders: bool) -> None:
    async def until_the_end() -> None:
        async with listening(_listen(bench, of_orders)) as ear:
            server.do(lambda: setattr(server, "revoked", True))
            server.drop_streams()
            await ear.until(StreamState.LISTENING)

    with pytest.raises(ExceptionGroup) as raised:
        await until_the_end()
    assert raised.group_contains(KeysRefused)


async def test_a_door_that_is_shut_is_knocked_at_again(bench: AlpacaBench, server: FakeBroker) -> None:
    server.fail(Fault("GET /stream", Way.STATUS, 503), Fault("GET /stream", Way.RESET_BEFORE), Fault("GET /stream", Way.STATUS, 500))
    async with listening(bench.broker.streams.order_updates):
        assert server.requests["GET /stream"] == 4


async def test_a_door_that_refuses_the_keys_is_not(bench: AlpacaBench, server: FakeBroker) -> None:
    server.fail(Fault("GET /stream", Way.STATUS, 401))
    with pytest.raises(KeysRefused):
        await bench.broker.streams.order_updates(lambda _: None, lambda _: None)


async def test_a_flood_is_heard_to_its_end_and_in_order(bench: AlpacaBench, server: FakeBroker) -> None:
    many = 20_000
    async with listening(_listen(bench, False)) as ear:
        for first in range(0, many, 1_000):
            server.send_ticks(*[_quote(number) for number in range(first, first + 1_000)])
        heard = [await ear.next() for _ in range(many)]
    assert [quote.bid_size for quote in heard if isinstance(quote, Quote)] == list(range(many))


async def test_a_frame_of_thousands_lets_the_loop_turn(bench: AlpacaBench, server: FakeBroker) -> None:
    many, turns = 50_000, 0
    seen: list[int] = []
    over, listening = asyncio.Event(), asyncio.Event()

    def on_tick(_: object) -> None:
        seen.append(turns)
        if len(seen) == many:
            over.set()

    def on_status(status: StreamStatus) -> None:
        if status.state is StreamState.LISTENING:
            listening.set()

    async def turn() -> None:
        nonlocal turns
        while not over.is_set():
            await asyncio.sleep(0)
            turns += 1

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        task = group.create_task(bench.broker.streams.market(WATCH, on_tick, on_status))
        await listening.wait()
        server.send_ticks(*[_quote(number) for number in range(many)])
        group.create_task(turn())
        await over.wait()
        task.cancel()
    assert len(set(seen)) > 2  # not all of them in one turn


@pytest.mark.parametrize(
    "frame", [b"\xff\xfe", b"{", b'{"stream": "trade_updates", "data": {}}', b'{"stream": "trade_updates", "data": null}', b"[1]"]
)
async def test_a_message_that_cannot_be_read_makes_it_connect_anew(bench: AlpacaBench, server: FakeBroker, frame: bytes) -> None:
    async with listening(bench.broker.streams.order_updates) as ear:
        server.send_raw_update(frame)
        assert "could not be read" in (await ear.until(StreamState.LOST)).said
        await ear.until(StreamState.LISTENING)


async def test_a_stream_that_will_not_tell_of_orders_is_tried_again(bench: AlpacaBench, server: FakeBroker) -> None:
    async with listening(bench.broker.streams.order_updates) as ear:
        server.send_raw_update(b'{"stream": "listening", "data": {"streams": [], "error": "internal"}}')
        assert "does not let us hear of orders" in (await ear.until(StreamState.LOST)).said
        await ear.until(StreamState.LISTENING)


async def test_words_of_tomorrow_are_understood_as_far_as_they_go(bench: AlpacaBench, server: FakeBroker) -> None:
    async with listening(bench.broker.streams.order_updates) as ear:
        sent = await bench.broker.desk.submit(order("a"))
        await ear.next()

        def change() -> None:
            row = server.book.orders[sent.id]
            row.update({"type": "iceberg", "time_in_force": "moon", "order_class": "swarm"})
            server.book.end(sent.id, "pondering")

        server.do(change)
        update = await ear.next()
    assert (update.event, update.order.broker_status, str(update.order.status)) == ("pondering", "pondering", "accepted")
    assert (update.order.type, update.order.broker_type) == (None, "iceberg")
    assert (update.order.time_in_force, update.order.broker_time_in_force) == (None, "moon")


@pytest.mark.parametrize(
    ("mischief", "events"),
    [
        (Mischief.DOUBLED, ["new", "new", "partial_fill", "partial_fill", "fill", "fill"]),
        (Mischief.MISSING, []),
        (Mischief.REVERSED, ["partial_fill", "new"]),
    ],
    ids=lambda value: str(value),
)
async def test_updates_come_as_they_come_and_the_executions_tell_the_truth(
    bench: AlpacaBench, server: FakeBroker, mischief: Mischief, events: list[str]
) -> None:
    server.do(lambda: setattr(server, "mischief", mischief))
    async with listening(bench.broker.streams.order_updates) as ear:
        sent = await bench.broker.desk.submit(order("a"))
        bench.fill(sent.id, "0.5", "390")
        bench.fill(sent.id, "0.5", "390")
        heard = [await ear.next() for _ in events]
    assert [update.event for update in heard] == events
    executions = await bench.broker.account.executions()
    assert sum(execution.qty for execution in executions) == 1
    assert {update.execution.id for update in heard if update.execution} <= {execution.id for execution in executions}


async def test_too_many_symbols_end_a_market_stream_and_a_taken_place_is_waited_for(bench: AlpacaBench, server: FakeBroker) -> None:
    async with listening(_listen(bench, False)) as ear:
        server.send_ticks({"T": "error", "code": 406, "msg": "connection limit exceeded"})
        assert "connection limit exceeded" in (await ear.until(StreamState.LOST)).said
        await ear.until(StreamState.LISTENING)

    async def until_the_end() -> None:
        async with listening(_listen(bench, False)) as ear:
            server.send_ticks({"T": "error", "code": 405, "msg": "symbol limit exceeded"})
            await ear.until(StreamState.LOST)

    with pytest.raises(ExceptionGroup) as raised:
        await until_the_end()
    assert raised.group_contains(BrokerRefused, match="symbol limit exceeded")


async def test_a_listener_that_fails_ends_the_stream(bench: AlpacaBench, server: FakeBroker) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    ear = Ear()

    async def until_the_end() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(bench.broker.streams.order_updates(broken, ear.states.put_nowait))
            await ear.until(StreamState.LISTENING)
            await bench.broker.desk.submit(order("a"))
            await ear.until(StreamState.LOST)

    with pytest.raises(ExceptionGroup) as raised:
        await until_the_end()
    assert raised.group_contains(ZeroDivisionError)


@pytest.mark.parametrize("of_orders", [True, False], ids=["orders", "market"])
async def test_the_keys_are_in_no_log_however_much_is_logged(
    bench: AlpacaBench, server: FakeBroker, of_orders: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with listening(_listen(bench, of_orders)) as ear:
        server.drop_streams()
        await ear.until(StreamState.LISTENING)
    assert "Stream lost" in caplog.text
    assert SECRET not in caplog.text
    assert KEY not in caplog.text


def _with(**limits: float) -> Any:
    return dataclasses.replace(QUICK_STREAM, **limits)


def _listen(bench: AlpacaBench, of_orders: bool) -> Any:
    streams = bench.broker.streams
    return streams.order_updates if of_orders else lambda on_tick, on_status: streams.market(WATCH, on_tick, on_status)


def _quote(number: int) -> dict[str, object]:
    return {"T": "q", "S": "SPY", "t": "2023-11-14T15:00:01Z", "bp": 399.99, "bs": number, "ap": 400.01, "as": 1}
