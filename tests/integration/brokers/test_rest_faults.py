"""What goes wrong between a program and a broker: a question is asked again, an order never is, and its id tells what became of it."""

import asyncio
import dataclasses
import threading
import traceback
from decimal import Decimal

import msgspec
import pytest

from core.brokers.alpaca.addresses import Addresses
from core.brokers.alpaca.connection import AlpacaBroker
from core.brokers.credentials import Credentials
from core.brokers.rest import SENDERS
from core.clock.realtime import SystemClock
from core.errors import (
    AnswerUnreadable,
    BrokerRefused,
    BrokerUnreachable,
    KeysRefused,
    KnownError,
    NoKeys,
    NotSent,
    OutcomeUnknown,
    RateLimited,
)
from core.model.broker import AccountName, BrokerOrderRequest, MayLeave, OrderChange
from core.model.order import OrderSide, OrderType
from tests.broker.bench import QUICK, AlpacaBench, environment_of
from tests.broker.faults import Fault, Way
from tests.broker.server import KEY, FakeBroker

POST, GET = "POST /v2/orders", "GET /v2/account"
LOOK_UP = "GET /v2/orders:by_client_order_id"
ORDER = BrokerOrderRequest(
    client_order_id="ours-1", symbol="SPY", side=OrderSide.BUY, qty=Decimal(1), type=OrderType.LIMIT, limit_price=Decimal(390)
)


# --- questions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault(GET, Way.STATUS, 500),
        Fault(GET, Way.STATUS, 502, body="<html><h1>Bad Gateway</h1></html>", content_type="text/html"),
        Fault(GET, Way.STATUS, 503),
        Fault(GET, Way.STATUS, 504),
        Fault(GET, Way.STATUS, 429),
        Fault(GET, Way.STATUS, 429, headers={"Retry-After": "0.01"}),
        Fault(GET, Way.STATUS, 503, headers={"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}),
        Fault(GET, Way.SILENT),
        Fault(GET, Way.SLOW),
        Fault(GET, Way.RESET_BEFORE),
        Fault(GET, Way.RESET_DURING),
    ],
    ids=lambda fault: f"{fault.way.value} {fault.status} {fault.headers}",
)
async def test_a_question_is_asked_again(bench: AlpacaBench, server: FakeBroker, fault: Fault) -> None:
    server.fail(fault, fault)
    assert (await bench.broker.account.account()).cash == 100_000
    assert server.requests[GET] == 3


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        (Fault(GET, Way.STATUS, 500), BrokerUnreachable, "the broker's server fails (500), and did so 4 times"),
        (Fault(GET, Way.STATUS, 429), RateLimited, "takes no more requests for now (429)"),
        (Fault(GET, Way.SILENT), BrokerUnreachable, "there was no answer in time"),
        (Fault(GET, Way.SLOW), BrokerUnreachable, "the answer does not end"),
        (Fault(GET, Way.RESET_BEFORE), BrokerUnreachable, "127.0.0.1 cannot be reached"),
    ],
)
async def test_a_question_is_given_up_after_some_attempts(
    bench: AlpacaBench, server: FakeBroker, fault: Fault, error: type[KnownError], said: str
) -> None:
    server.fail(*[fault] * QUICK.questions)
    with pytest.raises(error) as raised:
        await bench.broker.account.account()
    assert said in str(raised.value)
    assert server.requests[GET] == QUICK.questions


async def test_advice_to_wait_for_long_is_passed_on_and_not_waited_for(bench: AlpacaBench, server: FakeBroker) -> None:
    server.fail(Fault(GET, Way.STATUS, 429, headers={"Retry-After": "3600"}))
    with pytest.raises(RateLimited, match="in 3600 seconds") as raised:
        await bench.broker.account.account()
    assert raised.value.retry_after_s == 3600
    assert server.requests[GET] == 1


@pytest.mark.parametrize("advice", ["inf", "nan", "soon", "-5", "1e400"])
async def test_advice_that_is_none_is_not_taken(bench: AlpacaBench, server: FakeBroker, advice: str) -> None:
    server.fail(Fault(GET, Way.STATUS, 429, headers={"Retry-After": advice}))
    assert (await bench.broker.account.account()).cash == 100_000
    server.fail(Fault(POST, Way.STATUS, 429, headers={"Retry-After": advice}))
    with pytest.raises(RateLimited, match=r"Try again in (a minute|0 seconds)\."):
        await bench.broker.desk.submit(ORDER)


async def test_nonsense_is_told_and_not_asked_for_again(bench: AlpacaBench, server: FakeBroker) -> None:
    server.fail(Fault(GET, Way.NONSENSE))
    with pytest.raises(AnswerUnreadable, match="cannot be read"):
        await bench.broker.account.account()
    assert server.requests[GET] == 1


@pytest.mark.parametrize("body", ["[]", "null", '"x"', '{"cash": 1.5}', '{"account_number": 1, "status": 1, "cash": "NaN"}'])
async def test_a_success_of_another_form_is_told(bench: AlpacaBench, server: FakeBroker, body: str) -> None:
    server.fail(Fault(GET, Way.STATUS, 200, body=body))
    with pytest.raises(AnswerUnreadable, match="Reading the account: the broker's answer cannot be read"):
        await bench.broker.account.account()


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        (Fault(GET, Way.STATUS, 403, body='{"message": "forbidden."}'), KeysRefused, "does not accept the keys (403)"),
        (Fault(GET, Way.STATUS, 401, body='{"code": 40110000, "message": "request is not authorized"}'), KeysRefused, "(401, 40110000)"),
        (
            Fault(
                GET, Way.STATUS, 403, body="<html><head><title>403</title></head><h1>Forbidden</h1>nginx</html>", content_type="text/html"
            ),
            BrokerRefused,
            "403 Forbidden nginx",
        ),
        (Fault(GET, Way.STATUS, 400, body="not json at all"), BrokerRefused, "not json at all (400)"),
        (Fault(GET, Way.STATUS, 404, body=""), BrokerRefused, "it gave no reason (404)"),
        (Fault(GET, Way.STATUS, 302, body="", headers={"Location": "http://127.0.0.1:1/"}), BrokerRefused, "(302)"),
    ],
)
async def test_a_refusal_may_have_no_code_or_be_no_json(
    bench: AlpacaBench, server: FakeBroker, fault: Fault, error: type[KnownError], said: str
) -> None:
    server.fail(fault)
    with pytest.raises(error) as raised:
        await bench.broker.account.account()
    assert said in str(raised.value)
    assert server.requests[GET] == 1


# --- orders -----------------------------------------------------------------------------------------------

LOST_AFTER = [Way.DONE_THEN_SILENT, Way.RESET_DURING, Way.RESET_AFTER, Way.SLOW, Way.NONSENSE]


@pytest.mark.parametrize("way", LOST_AFTER, ids=lambda way: way.value)
async def test_an_order_whose_answer_is_lost_is_found_by_its_id_and_is_there_once(bench: AlpacaBench, server: FakeBroker, way: Way) -> None:
    server.fail(Fault(POST, way))
    with pytest.raises(OutcomeUnknown) as raised:
        await bench.broker.desk.submit(ORDER)
    assert raised.value.client_order_id == "ours-1"
    assert "not sent again" in str(raised.value)
    found = await bench.broker.orders.order_by_client_id("ours-1")
    assert found is not None
    assert [order.id for order in await bench.broker.orders.open_orders()] == [found.id]
    assert server.requests[POST] == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("way", [Way.STATUS, Way.DONE_THEN_STATUS], ids=["not done", "done"])
async def test_a_server_error_on_an_order_leaves_its_outcome_open_and_the_id_closes_it(
    bench: AlpacaBench, server: FakeBroker, way: Way, status: int
) -> None:
    server.fail(Fault(POST, way, status, headers={"Retry-After": "0"}))
    with pytest.raises(OutcomeUnknown):
        await bench.broker.desk.submit(ORDER)
    assert server.requests[POST] == 1
    found = await bench.broker.orders.order_by_client_id("ours-1")
    assert (found is not None) is (way is Way.DONE_THEN_STATUS)


@pytest.mark.parametrize("way", [Way.SILENT, Way.RESET_BEFORE], ids=lambda way: way.value)
async def test_an_order_that_never_arrived_is_known_by_its_id_not_to_be_there(bench: AlpacaBench, server: FakeBroker, way: Way) -> None:
    server.fail(Fault(POST, way))
    with pytest.raises(OutcomeUnknown):
        await bench.broker.desk.submit(ORDER)
    assert server.requests[POST] == 1
    assert await bench.broker.orders.order_by_client_id("ours-1") is None


@pytest.mark.parametrize(
    "fault",
    [
        Fault(LOOK_UP, Way.STATUS, 404, body="<html><h1>404 Not Found</h1><hr>nginx</html>", content_type="text/html"),
        Fault(LOOK_UP, Way.STATUS, 404, body=""),
    ],
    ids=["a page", "nothing"],
)
async def test_a_404_that_is_not_the_brokers_does_not_say_that_an_order_is_not_there(
    bench: AlpacaBench, server: FakeBroker, fault: Fault
) -> None:
    await bench.broker.desk.submit(ORDER)
    server.fail(fault)
    with pytest.raises(BrokerRefused, match="404"):
        await bench.broker.orders.order_by_client_id("ours-1")
    assert await bench.broker.orders.order_by_client_id("ours-1") is not None


async def test_a_request_that_a_door_on_the_way_gave_up_may_have_come_through(bench: AlpacaBench, server: FakeBroker) -> None:
    server.fail(Fault(POST, Way.DONE_THEN_STATUS, 408))
    with pytest.raises(OutcomeUnknown):
        await bench.broker.desk.submit(ORDER)
    assert await bench.broker.orders.order_by_client_id("ours-1") is not None


async def test_an_order_that_waited_for_its_thread_while_the_machine_slept_does_not_leave(bench: AlpacaBench, server: FakeBroker) -> None:
    """Every thread that sends is at a request without an answer: the next order waits for one, and is asked about when it has it."""
    server.fail(*[Fault(POST, Way.SILENT)] * SENDERS)
    is_fresh = True
    asked_in = set[str]()

    def may_leave() -> bool:
        asked_in.add(threading.current_thread().name)
        return is_fresh

    async with asyncio.TaskGroup() as group:
        before = [group.create_task(_unanswered(bench, f"before-{at}")) for at in range(SENDERS)]
        await asyncio.to_thread(server.wait_for, lambda: server.requests[POST] == SENDERS)
        last = group.create_task(_withheld(bench, may_leave))
        await asyncio.sleep(0)
        is_fresh = False  # it slept
    assert all(task.result() for task in before)
    assert "stood still just before it left" in last.result()
    assert asked_in
    assert all(name.startswith("broker-sends") for name in asked_in)
    assert server.requests[POST] == SENDERS
    assert await bench.broker.orders.order_by_client_id("ours-1") is None


@pytest.mark.parametrize("answers", [(False,), (True, False)], ids=["before its headers", "before its body"])
async def test_an_order_whose_connection_stands_is_asked_about_before_its_bytes_leave(
    bench: AlpacaBench, server: FakeBroker, answers: tuple[bool, ...]
) -> None:
    await bench.broker.account.account()
    asked = iter(answers)
    assert "Order ours-1" in await _withheld(bench, lambda: next(asked))
    assert await bench.broker.orders.order_by_client_id("ours-1") is None
    assert (await bench.broker.desk.submit(ORDER, lambda: True)).client_order_id == "ours-1"
    order = await bench.broker.orders.order_by_client_id("ours-1")
    assert order is not None
    with pytest.raises(NotSent, match="Changing order"):
        await bench.broker.desk.replace(order.id, OrderChange(client_order_id="ours-2", limit_price=Decimal(391)), lambda: False)
    assert await bench.broker.orders.order_by_client_id("ours-2") is None


async def test_an_order_that_the_broker_had_no_time_for_was_not_taken(bench: AlpacaBench, server: FakeBroker) -> None:
    server.fail(Fault(POST, Way.STATUS, 429, headers={"Retry-After": "7"}))
    with pytest.raises(RateLimited, match="in 7 seconds"):
        await bench.broker.desk.submit(ORDER)
    assert server.requests[POST] == 1


async def test_where_nothing_listens_an_order_has_not_left(server: FakeBroker) -> None:
    with_nobody = AlpacaBench(server)
    url = server.url
    server.url = "http://127.0.0.1:1"
    nowhere = AlpacaBench(server)
    server.url = url
    try:
        with pytest.raises(BrokerUnreachable, match="Nothing was sent"):
            await nowhere.broker.desk.submit(ORDER)
        assert await with_nobody.broker.orders.order_by_client_id("ours-1") is None
    finally:
        await nowhere.broker.close()
        await with_nobody.broker.close()


async def test_a_refusal_of_an_order_that_was_taken_all_the_same_is_found_by_its_id(bench: AlpacaBench, server: FakeBroker) -> None:
    server.fail(Fault(POST, Way.DONE_THEN_STATUS, 422, body='{"code": 40010001, "message": "client_order_id must be unique"}'))
    with pytest.raises(BrokerRefused):
        await bench.broker.desk.submit(ORDER)
    assert await bench.broker.orders.order_by_client_id("ours-1") is not None


async def test_a_change_and_a_cancel_are_sent_once_too(bench: AlpacaBench, server: FakeBroker) -> None:
    order = await bench.broker.desk.submit(ORDER)
    server.fail(Fault("PATCH", Way.RESET_AFTER), Fault("DELETE", Way.RESET_AFTER))
    with pytest.raises(OutcomeUnknown) as raised:
        await bench.broker.desk.replace(order.id, OrderChange(client_order_id="ours-2", limit_price=Decimal(391)))
    assert raised.value.client_order_id == "ours-2"
    changed = await bench.broker.orders.order_by_client_id("ours-2")
    assert changed is not None
    with pytest.raises(OutcomeUnknown) as raised:
        await bench.broker.desk.cancel(changed.id)
    assert raised.value.client_order_id is None
    assert [count for name, count in server.requests.items() if name.startswith(("PATCH", "DELETE"))] == [1, 1]


async def test_a_cancelled_wait_for_an_order_does_not_send_it_again(bench: AlpacaBench, server: FakeBroker) -> None:
    server.fail(Fault(POST, Way.DONE_THEN_SILENT))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bench.broker.desk.submit(ORDER))
        await asyncio.to_thread(server.wait_for, lambda: server.requests[POST] == 1)
        task.cancel()
    assert await bench.broker.orders.order_by_client_id("ours-1") is not None
    assert server.requests[POST] == 1


# --- keys, load -------------------------------------------------------------------------------------------


async def test_keys_that_are_revoked_in_mid_session_end_everything_in_plain_words(bench: AlpacaBench, server: FakeBroker) -> None:
    await bench.broker.account.account()
    server.do(lambda: setattr(server, "revoked", True))
    for call in (bench.broker.account.account(), bench.broker.desk.submit(ORDER), bench.broker.market.latest_quotes(["SPY"])):
        with pytest.raises(KeysRefused, match="does not accept the keys"):
            await call
    assert server.requests[POST] == 1


async def test_a_brokers_clock_may_be_off_and_is_told_as_it_is(bench: AlpacaBench, server: FakeBroker) -> None:
    right = (await bench.broker.market.clock()).now_ns
    server.do(lambda: setattr(server, "clock_off_ns", -7_500_000_000))
    assert (await bench.broker.market.clock()).now_ns == right - 7_500_000_000


async def test_many_questions_at_once_are_all_answered(bench: AlpacaBench, server: FakeBroker) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(bench.broker.account.account()) for _ in range(50)]
    assert {task.result().cash for task in tasks} == {Decimal(100_000)}
    assert server.requests[GET] == 50


async def test_an_order_does_not_wait_behind_questions(server: FakeBroker) -> None:
    bench = AlpacaBench(server, dataclasses.replace(QUICK, read_s=1_000, answer_s=1_000))
    server.fail(*[Fault(GET, Way.SILENT)] * 20)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        waiting = [group.create_task(_refused(bench)) for _ in range(20)]
        await asyncio.to_thread(server.wait_for, lambda: server.requests[GET] >= 4)
        assert (await bench.broker.desk.submit(ORDER)).client_order_id == "ours-1"
        await bench.broker.close()
    assert all(isinstance(task.result(), BrokerUnreachable) for task in waiting)


async def test_an_order_does_not_wait_for_the_next_minute(server: FakeBroker) -> None:
    bench = AlpacaBench(server, dataclasses.replace(QUICK, per_minute=2))
    for _ in range(2):
        await bench.broker.account.account()
    async with asyncio.timeout(20):
        assert (await bench.broker.desk.submit(ORDER)).client_order_id == "ours-1"
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(_refused(bench))  # a third question does wait
            await asyncio.sleep(0)
            await bench.broker.close()
    assert isinstance(waiting.result(), BrokerUnreachable)
    assert server.requests[GET] == 2


async def test_what_is_asked_of_a_closed_connection_is_told_so(server: FakeBroker) -> None:
    bench = AlpacaBench(server)
    await bench.broker.close()
    for call in (bench.broker.account.account(), bench.broker.desk.submit(ORDER)):
        with pytest.raises(BrokerUnreachable, match="was closed"):
            await call
    assert not server.requests


async def test_closing_ends_a_wait_however_long_it_would_last(server: FakeBroker) -> None:
    bench = AlpacaBench(server, dataclasses.replace(QUICK, read_s=1_000, answer_s=1_000))
    server.fail(*[Fault(GET, Way.SILENT)] * 4)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        waiting = group.create_task(_refused(bench))
        await asyncio.to_thread(server.wait_for, lambda: server.requests[GET] == 1)
        await bench.broker.close()
    assert isinstance(waiting.result(), BrokerUnreachable)
    assert server.requests[GET] == 1


async def _unanswered(bench: AlpacaBench, id: str) -> bool:
    try:
        await bench.broker.desk.submit(msgspec.structs.replace(ORDER, client_order_id=id))
    except OutcomeUnknown:
        return True
    return False


async def _withheld(bench: AlpacaBench, may_leave: MayLeave) -> str:
    with pytest.raises(NotSent) as raised:
        await bench.broker.desk.submit(ORDER, may_leave)
    return str(raised.value)


async def _refused(bench: AlpacaBench) -> KnownError | None:
    try:
        await bench.broker.account.account()
    except KnownError as error:
        return error
    return None


@pytest.mark.parametrize("secret", ["secret-1\nvalue", "s\xe9cret-value", " secret-value", "secret\0value"])
def test_keys_that_fit_in_no_header_are_refused_without_being_said(server: FakeBroker, secret: str) -> None:
    addresses = Addresses.of(AccountName.PAPER, environment_of(server))
    with pytest.raises(NoKeys) as raised:
        AlpacaBroker(addresses, Credentials(KEY, secret), SystemClock())
    said = "".join(traceback.format_exception(raised.value))
    assert "signs that no key has" in said
    assert secret.strip() not in said
    assert repr(secret.strip())[1:-1] not in said
