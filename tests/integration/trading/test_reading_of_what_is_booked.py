"""How what Alpaca books is read, over HTTP: pages, rows that come late, faults in the middle."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.errors import AnswerUnreadable, BrokerError
from core.model.order import OrderStatus
from tests.broker.bench import fake_broker
from tests.broker.book import Document
from tests.broker.desk import WireScene, wired
from tests.broker.server import FakeBroker
from tests.integration.trading.booked import Begin, Later, assert_at_rest, bought, entries
from tests.strictness.log_guard import AllowLog

D, S = Decimal, OrderStatus


@pytest.fixture
def clock() -> Later:
    return Later()


@pytest.fixture
def server(clock: Later) -> Iterator[FakeBroker]:
    with fake_broker(clock.now_ns) as running:
        running.book.forbids_wash_trades = False
        yield running


@pytest.fixture
def begin(tmp_path: Path, server: FakeBroker, clock: Later) -> Callable[..., AbstractAsyncContextManager[WireScene]]:
    """Start the program on the account, again and again."""
    return lambda **options: wired(tmp_path, server, clock=clock, settle_ns=0, **options)


async def test_what_counts_for_a_day_long_before_it_was_booked_is_not_lost(begin: Begin, server: FakeBroker, clock: Later) -> None:
    async with begin() as scene:
        await bought(scene, "one", 10)
        server.do(lambda: server.activities.money("CSD", "1"))
        await scene.desk.reconcile()
        clock.pass_days(2)
        for is_again in (False, True):
            server.do(lambda: server.activities.earlier(server.activities.money("CSD", "20"), 100))
            await scene.desk.reconcile()
            assert [one.cash for one in await entries(scene)] == [D(1), D(20), D(20)][: 2 + is_again]
        await assert_at_rest(scene)
    clock.pass_days(40)
    server.do(lambda: server.activities.earlier(server.activities.money("CSD", "300"), 200))
    async with begin() as scene:
        await scene.run("one")
        assert [one.cash for one in await entries(scene)] == [D(1), D(20), D(20), D(300)]
        await assert_at_rest(scene)


@pytest.mark.parametrize(("days", "is_again"), [(2, False), (20, True)])
async def test_what_is_listed_some_days_after_it_was_made_is_not_lost(
    begin: Begin, server: FakeBroker, clock: Later, days: int, *, is_again: bool
) -> None:
    """A row that was pending, or that the broker's list lacked."""
    async with begin() as scene:
        await bought(scene, "one", 10)
        clock.pass_days(1)

        def is_not_listed_yet() -> Document:
            row = server.activities.money("CSD", "20")
            server.activities.rows.remove(row)
            return row

        slow = server.do(is_not_listed_yet)
        clock.pass_days(days)
        server.do(lambda: server.activities.money("CSD", "1"))
        for _ in range(2):
            await scene.desk.reconcile()
        server.do(lambda: server.activities.rows.append(slow))
        if not is_again:
            await scene.desk.reconcile()
            assert [one.cash for one in await entries(scene)] == [D(1), D(20)]
    async with begin() as scene:
        await scene.run("one")
        assert [one.cash for one in await entries(scene)] == [D(1), D(20)]
        await assert_at_rest(scene)


async def test_thousands_are_read_page_by_page_and_taken_once(begin: Begin, server: FakeBroker, clock: Later) -> None:
    def many(count: int) -> None:
        for number in range(count):
            server.activities.add("FEE", net_amount="-0.01", description=f"{number}")

    server.do(lambda: many(1_000))  # of before it was met
    clock.pass_days(90)
    async with begin() as scene:
        await bought(scene, "one", 10)
        assert len(await entries(scene)) == 1
    clock.pass_days(20)
    server.do(lambda: many(1_500))
    server.do(lambda: server.activities.dividend("SPY", "1"))
    server.do(lambda: many(1_500))
    before = server.activities.pages
    async with begin() as scene:
        await scene.run("one")
        found = await entries(scene)
        assert len(found) == 3_002
        assert server.activities.pages - before >= 31
        await assert_at_rest(scene)
        clock.pass_days(10)
        server.do(lambda: many(1))
        await scene.desk.reconcile()
        before = server.activities.pages
        await scene.desk.reconcile()  # what was read before is not read again and again
        assert server.activities.pages - before == 1
        await assert_at_rest(scene)


@pytest.mark.parametrize("way", ["no JSON", "500", "no list"])
async def test_a_page_that_fails_in_the_middle_leaves_nothing_half_taken(begin: Begin, server: FakeBroker, way: str) -> None:
    async with begin() as scene:
        await bought(scene, "one", 10)

        def many() -> None:
            for _ in range(250):
                server.activities.add("CSD", net_amount="1")

        server.do(many)
        answer = {"no JSON": (200, '[{"id": "2023'), "500": (500, '{"message": "internal server error"}'), "no list": (200, '"a word"')}[
            way
        ]
        server.do(lambda: server.activities.break_page(2, *answer))
        with contextlib.suppress(BrokerError):  # or it was asked again at once
            await scene.desk.reconcile()
            assert len(await entries(scene)) == 250
        assert len(await entries(scene)) in {0, 250}
        await assert_at_rest(scene)
        assert sum(one.cash for one in await entries(scene)) == 250


async def test_pages_that_go_round_in_a_circle_are_an_error_and_no_end(begin: Begin, server: FakeBroker) -> None:
    async with begin() as scene:
        await bought(scene, "one", 10)
        row: Any = {"id": "20240101000000000::1", "activity_type": "CSD", "net_amount": "1", "created_at": "2024-01-01T00:00:00Z"}
        server.do(lambda: server.activities.rows.extend([row] * 300))
        with pytest.raises(AnswerUnreadable, match="go round in a circle"):
            await scene.link.account.entries()


async def test_a_server_that_does_not_answer_this_question_is_traded_with_all_the_same(
    begin: Begin, server: FakeBroker, allow_log: AllowLog
) -> None:
    allow_log("is not told")
    server.do(lambda: server.activities.break_page(1, 404, '{"code": 40410000, "message": "endpoint not found"}', times=1_000))
    async with begin() as scene:
        await bought(scene, "one", 10)
        server.do(lambda: server.activities.money("CSD", "5"))
        await assert_at_rest(scene)
        assert await entries(scene) == []
        server.do(lambda: server.activities.break_page(1, 200, "[]", times=0))
        await assert_at_rest(scene)
        assert [one.cash for one in await entries(scene)] == [D(5)]
