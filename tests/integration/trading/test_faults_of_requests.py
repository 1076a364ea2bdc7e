"""What goes wrong with requests on the order path, over real HTTP: one order for one intent, every fill once, and it is told."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

from core.clock.realtime import SystemClock
from core.events.payloads import OrderRejected
from core.model.order import OrderStatus, RejectCode
from tests.broker.bench import fake_broker
from tests.broker.desk import POST, WireScene, wired
from tests.broker.faults import Fault, Way
from tests.broker.server import FakeBroker

S = OrderStatus
LOOK_UP = "GET /v2/orders:by_client_order_id"
CANCEL = "DELETE /v2/orders/"


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker(SystemClock().now_ns) as running:
        yield running


@pytest.fixture
async def scene(tmp_path: Path, server: FakeBroker) -> AsyncIterator[WireScene]:
    async with wired(tmp_path, server) as scene:
        await scene.run()
        yield scene


@dataclass(frozen=True)
class Case:
    """A fault on the way of an order, what becomes of the order, and words that a panel has of it."""

    name: str
    faults: tuple[Fault, ...]
    status: OrderStatus
    said: str
    code: RejectCode | None = None
    words: tuple[str, ...] = field(default=())


def taken(name: str, *faults: Fault, words: tuple[str, ...] = ()) -> Case:
    """The broker has it, and the answer was lost."""
    return Case(name, faults, S.ACCEPTED, "was sent and no answer came; it is looked up", words=words)


def lost(name: str, *faults: Fault, words: tuple[str, ...] = ()) -> Case:
    """The broker never had it, and nobody could tell at first."""
    words = ("was sent and no answer came; it is looked up", *words)
    return Case(name, faults, S.REJECTED, "The broker never had it.", RejectCode.NEVER_SENT, words)


HTML = "<html><h1>502 Bad Gateway</h1></html>"
CASES = (
    Case("a slow answer", (Fault(POST, Way.LATE, delay_s=0.2),), S.ACCEPTED, "sent to alpaca:PA3FAKE00001"),
    *(lost(f"{status}, not done", Fault(POST, Way.STATUS, status), words=(f"({status})",)) for status in (500, 502, 503, 504)),
    *(taken(f"{status}, done", Fault(POST, Way.DONE_THEN_STATUS, status), words=(f"({status})",)) for status in (500, 502, 503, 504)),
    lost("503 with Retry-After, not done", Fault(POST, Way.STATUS, 503, headers={"Retry-After": "1"})),
    taken("503 with Retry-After, done", Fault(POST, Way.DONE_THEN_STATUS, 503, headers={"Retry-After": "1"})),
    taken("a page of HTML, done", Fault(POST, Way.DONE_THEN_STATUS, 502, body=HTML, content_type="text/html")),
    Case(
        "429 without Retry-After",
        (Fault(POST, Way.STATUS, 429),),
        S.REJECTED,
        "It was not sent: Order run-1 (buy 10 SPY): the broker takes no more requests for now (429).",
        RejectCode.NEVER_SENT,
    ),
    Case(
        "429 with Retry-After",
        (Fault(POST, Way.STATUS, 429, headers={"Retry-After": "7"}),),
        S.REJECTED,
        "the broker takes no more requests for now (429)",
        RejectCode.NEVER_SENT,
    ),
    Case("429, done all the same", (Fault(POST, Way.DONE_THEN_STATUS, 429),), S.ACCEPTED, "sent to alpaca:PA3FAKE00001"),
    lost("reset before it was taken", Fault(POST, Way.RESET_BEFORE)),
    taken("reset in the middle of the answer", Fault(POST, Way.RESET_DURING)),
    taken("reset after it was taken", Fault(POST, Way.RESET_AFTER)),
    lost("never answered, not taken", Fault(POST, Way.SILENT), words=("there was no answer in time",)),
    taken("never answered, taken", Fault(POST, Way.DONE_THEN_SILENT), words=("there was no answer in time",)),
    taken("an answer without an end", Fault(POST, Way.SLOW), words=("the answer does not end",)),
    taken("malformed JSON", Fault(POST, Way.NONSENSE), words=("the answer cannot be read",)),
    *(
        taken(f"a success that is {body}", Fault(POST, Way.DONE_THEN_STATUS, 200, body=body), words=("the answer cannot be read",))
        for body in ("[]", "null", '"new"', '{"id": 1}', '{"id": 1, "client_order_id": "run-1", "status": "new"}')
    ),
    taken("and the look-up fails", Fault(POST, Way.RESET_AFTER), *[Fault(LOOK_UP, Way.STATUS, 500)] * 4),
    taken("and the look-up is cut", Fault(POST, Way.RESET_AFTER), *[Fault(LOOK_UP, Way.RESET_BEFORE)] * 3),
    taken("and the look-up is one too many", Fault(POST, Way.RESET_AFTER), Fault(LOOK_UP, Way.STATUS, 429, headers={"Retry-After": "60"})),
    taken("and the look-up is nonsense", Fault(POST, Way.RESET_AFTER), Fault(LOOK_UP, Way.NONSENSE)),
    taken(
        "and it is not there at the first look",
        Fault(POST, Way.RESET_AFTER),
        Fault(LOOK_UP, Way.STATUS, 404, body='{"code": 40410000, "message": "order not found"}'),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_one_order_at_the_broker_for_one_intent(scene: WireScene, server: FakeBroker, case: Case) -> None:
    server.fail(*case.faults)
    order_id = await scene.place(limit="390")
    order = await scene.until_status(order_id, case.status)
    assert order.reject_code is case.code
    await scene.until_landed()
    if case.status is S.ACCEPTED:
        scene.fill(order_id, 4)
        scene.fill(order_id, 6)
        await scene.until_status(order_id, S.FILLED)
    assert scene.do(lambda: server.requests[POST]) == 1
    await scene.desk.reconcile()
    told = await scene.told()
    assert all(words in told for words in (case.said, *case.words)), told
    assert ("rejected" in told) is (case.status is S.REJECTED)
    assert await scene.desk.reconcile() == ()
    await scene.assert_books_equal()
    assert not scene.stopped


async def test_a_fill_that_is_faster_than_a_slow_answer(scene: WireScene, server: FakeBroker) -> None:
    server.fail(Fault(POST, Way.LATE, delay_s=0.3))
    order_id = await scene.place(limit="390")
    await scene.until_there(order_id)
    scene.fill(order_id, 10)
    await scene.until_status(order_id, S.FILLED)  # the answer, which still says `pending_new`, changes nothing
    await scene.until_landed()
    await scene.assert_books_equal()
    assert (await scene.told()).count("Bought 10 SPY at 390.") == 1


async def test_an_order_without_a_connection_never_leaves(tmp_path: Path, server: FakeBroker) -> None:
    async with wired(tmp_path, server) as scene:
        await scene.run()
        with server.unreachable():
            order = await scene.until_status(await scene.place(limit="390"), S.REJECTED)
            assert order.reject_code is RejectCode.NEVER_SENT
            assert "cannot be reached" in (order.reason or "")
            assert "Nothing was sent." in (order.reason or "")
        await scene.desk.reconcile()
        await scene.assert_books_equal()


# --- refusals ---

REFUSALS = (
    (403, 40310000, "insufficient buying power"),
    (403, 40310000, "insufficient qty available for order (requested: 10, available: 0)"),
    (403, 40310000, "potential wash trade detected. use complex orders"),
    (403, 40310000, "account is restricted to liquidation only"),
    (404, 40410000, "asset not found for SPY"),
    (422, 40010001, "qty must be > 0"),
    (422, 42210000, "invalid limit_price 290.123. sub-penny increment does not fulfill minimum pricing criteria"),
    (422, 42210000, "invalid crypto time_in_force"),
    (422, 42210000, "fractional orders must be DAY orders"),
    (422, 42210000, "asset SPY is not active"),
    (422, 42210000, "extended hours order must be DAY limit orders"),
    (422, None, "something that nobody has seen before"),
    (400, 40010000, "request body format is invalid"),
)


@pytest.mark.parametrize(("status", "code", "message"), REFUSALS, ids=[row[2][:30] for row in REFUSALS])
async def test_a_refusal_keeps_the_brokers_code_and_words(
    scene: WireScene, server: FakeBroker, status: int, code: int | None, message: str
) -> None:
    body = f'{{"message": "{message}"}}' if code is None else f'{{"code": {code}, "message": "{message}"}}'
    server.fail(Fault(POST, Way.STATUS, status, body=body))
    order = await scene.until_status(await scene.place(limit="390"), S.REJECTED)
    assert order.reject_code is RejectCode.BROKER_REFUSED
    assert message.rstrip(".") in (order.reason or "")
    (event,) = [one.payload for one in await scene.events("orders.Rejected")]
    assert isinstance(event, OrderRejected)
    assert (event.broker_code, event.broker_words) == (code, message)
    assert message.rstrip(".") in await scene.told()
    assert await scene.desk.reconcile() == ()
    await scene.assert_books_equal()


async def test_the_brokers_own_rules_refuse_in_its_own_words(scene: WireScene) -> None:
    working = await scene.working()
    for terms, words in (
        ({"side": "sell", "limit": "395"}, "potential wash trade detected"),
        ({"qty": 1_000, "limit": "390"}, "insufficient buying power"),
    ):
        order = await scene.until_status(await scene.place(**terms), S.REJECTED)
        assert words in (order.reason or "")
    assert scene.status(working) is S.ACCEPTED
    await scene.assert_books_equal()


@pytest.mark.parametrize("status", [422, 403])
async def test_a_refusal_of_an_order_that_was_taken_all_the_same_is_found_out(scene: WireScene, server: FakeBroker, status: int) -> None:
    server.fail(Fault(POST, Way.DONE_THEN_STATUS, status, body='{"code": 42210000, "message": "something went wrong"}'))
    order_id = await scene.place(limit="390")
    await scene.until_status(order_id, S.ACCEPTED)
    scene.fill(order_id, 10)
    await scene.until_status(order_id, S.FILLED)
    await scene.assert_books_equal()


async def test_a_refusal_that_cannot_be_checked_and_was_none_is_made_good(scene: WireScene, server: FakeBroker) -> None:
    server.fail(
        Fault(POST, Way.DONE_THEN_STATUS, 422, body='{"code": 42210000, "message": "something went wrong"}'),
        *[Fault(LOOK_UP, Way.STATUS, 500)] * 4,
    )
    order_id = await scene.place(limit="390")
    await scene.until_status(order_id, S.REJECTED)
    await scene.desk.reconcile()  # it works at the broker, and we had said that it was over: it is taken back
    await scene.until_asked_to_cancel(order_id)
    await scene.desk.reconcile()
    assert scene.at_broker(order_id)["status"] == "canceled"  # type: ignore[index]
    assert "is rejected here and" in await scene.told()


@pytest.mark.parametrize(("end", "status"), [("rejected", S.REJECTED), ("expired", S.EXPIRED), ("canceled", S.CANCELLED)])
@pytest.mark.parametrize("filled", [0, 4])
async def test_what_the_broker_ends_after_it_took_it(
    scene: WireScene, server: FakeBroker, end: str, status: OrderStatus, filled: int
) -> None:
    order_id = await scene.working()
    if filled:
        scene.fill(order_id, filled)
    broker_id = scene.broker_id(order_id)
    scene.do(lambda: server.book.end(broker_id, end))
    order = await scene.until_status(order_id, status)
    assert order.filled_qty == filled
    assert f"The broker says {end}." in await scene.told()
    await scene.assert_books_equal()


# --- cancels ---


@pytest.mark.parametrize(
    ("fault", "is_done"),
    [
        (Fault(CANCEL, Way.STATUS, 500), False),
        (Fault(CANCEL, Way.DONE_THEN_STATUS, 500), True),
        (Fault(CANCEL, Way.STATUS, 429), False),
        (Fault(CANCEL, Way.RESET_BEFORE), False),
        (Fault(CANCEL, Way.RESET_AFTER), True),
        (Fault(CANCEL, Way.SILENT), False),
        (Fault(CANCEL, Way.DONE_THEN_SILENT), True),
        (Fault(CANCEL, Way.STATUS, 422, body='{"code": 42210000, "message": "order is not cancelable"}'), False),
    ],
    ids=lambda value: f"{value.way.value} {value.status}" if isinstance(value, Fault) else "",
)
async def test_a_cancel_counts_when_the_broker_says_so(scene: WireScene, server: FakeBroker, fault: Fault, is_done: bool) -> None:
    order_id = await scene.working()
    server.fail(fault)
    await scene.desk.cancel(order_id)
    if is_done:
        await scene.until_status(order_id, S.CANCELLED)
    else:
        await scene.until_asked(f"{CANCEL}{scene.broker_id(order_id)}")
        await scene.until_told("orders.CancelRefused") if fault.status != 422 else None
        assert scene.status(order_id) is S.ACCEPTED
        scene.fill(order_id, 10)  # it works on, and fills
        await scene.until_status(order_id, S.FILLED)
    await scene.desk.reconcile()
    await scene.assert_books_equal()


async def test_a_fill_that_is_faster_than_the_cancel(scene: WireScene, server: FakeBroker) -> None:
    order_id = await scene.working()
    scene.do(lambda: setattr(server.book, "cancel_slowly", True))
    await scene.desk.cancel(order_id)
    await scene.until_told("orders.CancelAsked")
    scene.fill(order_id, 10)
    order = await scene.until_status(order_id, S.FILLED)
    assert order.filled_qty == Decimal(10)
    await scene.assert_books_equal()


async def test_a_cancel_of_what_is_over_is_no_fault(scene: WireScene, server: FakeBroker) -> None:
    order_id = await scene.working()
    broker_id = scene.broker_id(order_id)
    scene.lose_updates()
    scene.do(lambda: server.book.end(broker_id, "expired"))  # and nobody told us yet
    await scene.desk.cancel(order_id)
    await scene.until_status(order_id, S.EXPIRED)
    await scene.assert_books_equal()


# --- questions ---


@pytest.mark.parametrize(
    "at",
    ["GET /v2/account", "GET /v2/positions", "GET /v2/orders", "GET /v2/account/activities/FILL"],
    ids=lambda at: str(at).rpartition("/")[2],
)
@pytest.mark.parametrize("way", ["500", "503", "429", "reset", "nonsense"])
async def test_a_reconciliation_that_fails_halfway_changes_nothing_and_is_made_up_for(
    tmp_path: Path, server: FakeBroker, at: str, way: str
) -> None:
    fault = {
        "500": Fault(at, Way.STATUS, 500),
        "503": Fault(at, Way.STATUS, 503, headers={"Retry-After": "3600"}),
        "429": Fault(at, Way.STATUS, 429, headers={"Retry-After": "3600"}),
        "reset": Fault(at, Way.RESET_BEFORE),
        "nonsense": Fault(at, Way.NONSENSE),
    }[way]
    async with wired(tmp_path, server, soon_s=0.05) as scene:
        await scene.run()
        order_id = await scene.working()
        scene.lose_updates()
        server.fail(*[fault] * 4)
        scene.fill(order_id, 3)
        server.drop_streams()  # it connects again, asks, and is not answered; then it is
        await scene.until_filled(order_id, 3)
        await scene.until_said("the line for requests is lost")
        await scene.until_said("the line for requests is listening")
        await scene.assert_books_equal()


async def test_many_orders_at_once_through_all_that_can_go_wrong(scene: WireScene, server: FakeBroker) -> None:
    ways = [Way.RESET_BEFORE, Way.RESET_AFTER, Way.RESET_DURING, Way.NONSENSE, Way.STATUS, Way.DONE_THEN_STATUS]
    server.fail(*(Fault(POST, way) for way in ways * 3))
    ids = [await scene.place(qty=1, limit="390") for _ in range(30)]
    async with asyncio.timeout(20):
        await scene.desk.state.until(lambda: all(scene.status(each) is not S.SUBMITTING for each in ids))
    assert sum(scene.status(each) is S.REJECTED for each in ids) == 6  # cut before, or refused with nothing done
    for each in ids:
        if scene.status(each) is S.ACCEPTED:
            scene.fill(each, 1)
    await scene.until(lambda: not scene.desk.state.working())
    await scene.assert_books_equal()
