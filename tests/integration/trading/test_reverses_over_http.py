"""A position is turned around in two steps, and something comes in between: never a doubled order, and never silence."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from core.events.live_payloads import NotReversed
from core.model.hand import HandOrder
from core.model.order import Order, OrderSide, OrderStatus, RejectCode
from core.runs.hand_account import HandAccount
from core.views.words import words
from tests.broker.bench import fake_broker
from tests.broker.server import FakeBroker
from tests.integration.trading.dying_by_hand import SECOND
from tests.integration.trading.hand_over_http import by_hand

S = OrderStatus
D = Decimal


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker() as server:
        yield server


async def until(account: HandAccount, order: Order, status: OrderStatus) -> None:
    async with asyncio.timeout(20):
        await account.desk.state.until(lambda: account.desk.state.lives[order.id].order.status is status)


async def long(account: HandAccount, qty: int = 3) -> None:
    await until(account, await account.place(HandOrder(symbol="SPY", side=OrderSide.BUY, qty=D(qty))), S.FILLED)


async def turning(account: HandAccount, server: FakeBroker) -> Order:
    """Begin to turn a position around whose closing the market does not fill yet."""
    await long(account)
    server.do(lambda: setattr(server.book, "hold", True))
    closing = await account.reverse("SPY", account.run.id)
    await until(account, closing, S.ACCEPTED)
    return closing


def at_broker(server: FakeBroker) -> list[tuple[str, str, str]]:
    return server.do(lambda: [(one["side"], one["qty"], one["status"]) for one in server.book.orders.values()])


async def said(account: HandAccount) -> list[str]:
    """What was said of positions that were not turned around."""
    events = await account._log.read(pattern=NotReversed.wire)
    return [words(event, lambda _: None) for event in events]


@pytest.mark.parametrize("is_filled", [False, True])
async def test_who_lets_the_account_go_is_told_that_it_goes_no_further(tmp_path: Path, server: FakeBroker, *, is_filled: bool) -> None:
    async with by_hand(tmp_path, server) as account:
        closing = await turning(account, server)
        assert await said(account) == []
    if is_filled:
        server.do(lambda: server.book.fill(server.book.by_client_id(closing.id)["id"], "3", "390"))
    for _ in range(2):
        async with by_hand(tmp_path, server) as account:
            assert await said(account) == [
                "SPY was not turned around. The account was let go before it was closed."
                " The order to sell 3 that was to follow is not sent; place it if you still want it."
            ]
            assert account.desk.state.books[account.run.id].held("SPY") == (0 if is_filled else 3)
            assert at_broker(server)[1:] == [("sell", "3", "filled" if is_filled else "new")]


async def test_a_closing_that_does_not_come_to_its_end_opens_nothing(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        closing = await turning(account, server)
        server.do(lambda: server.book.fill(server.book.by_client_id(closing.id)["id"], "1", "390"))
        await account.cancel(closing.id)
        await until(account, closing, S.CANCELLED)
        async with asyncio.timeout(20):
            while not await said(account):
                await account.desk.state.moved()
        (sentence,) = await said(account)
        assert sentence.startswith("SPY was not turned around. The order that was to close it is cancelled with 1 of 3 filled. ")
        assert len(at_broker(server)) == 2


def killed(server: FakeBroker, folder: Path, step: str) -> None:
    """Let a person turn a position around in a process that is killed at that step."""
    command = [sys.executable, "-m", "tests.integration.trading.dying_by_hand", server.url, str(folder), step]
    with subprocess.Popen(command) as process:
        if step != SECOND:
            server.wait_for(lambda: len([one for one in list(server.book.orders.values()) if one["side"] == "sell"]) == 1, seconds=30)
            process.kill()
        process.wait(60)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("is_filled", [False, True])
async def test_killed_before_the_position_was_closed_it_opens_nothing_and_says_so_once(
    tmp_path: Path, server: FakeBroker, *, is_filled: bool
) -> None:
    server.do(lambda: setattr(server.book, "holds_sales", True))
    killed(server, tmp_path, "before it was closed")
    if is_filled:
        server.do(lambda: [server.book.fill(one["id"], "3", "390") for one in list(server.book.orders.values()) if one["side"] == "sell"])
    for _ in range(2):
        async with by_hand(tmp_path, server) as account:
            (sentence,) = await said(account)
            assert sentence.startswith("SPY was not turned around. The program ended before it was done. ")
            assert account.desk.state.books[account.run.id].held("SPY") == (0 if is_filled else 3)
            assert [side for side, _, _ in at_broker(server)] == ["buy", "sell"]


async def test_killed_with_the_second_order_committed_it_is_not_sent_and_its_row_says_so(tmp_path: Path, server: FakeBroker) -> None:
    killed(server, tmp_path, SECOND)
    async with by_hand(tmp_path, server) as account:
        (second,) = [life.order for order_id, life in account.desk.state.lives.items() if order_id.endswith(".turn")]
        await until(account, second, S.REJECTED)
        row = account.desk.state.lives[second.id].order
        assert row.reject_code is RejectCode.NEVER_SENT
        assert await said(account) == []
        assert [side for side, _, _ in at_broker(server)] == ["buy", "sell"]
        assert account.desk.state.books[account.run.id].held("SPY") == 0
