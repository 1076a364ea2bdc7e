"""A person trades at the fake broker, over real HTTP and websockets: exits hold units back, and the program starts anew in between."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import InputError
from core.model.hand import HandOrder, OrderTerms
from core.model.order import OrderSide, OrderStatus, OrderType
from tests.broker.bench import fake_broker
from tests.broker.server import FakeBroker
from tests.integration.trading.hand_over_http import by_hand, order, status, until

S = OrderStatus
D = Decimal


@pytest.fixture
def server() -> object:
    with fake_broker() as server:
        yield server


async def test_a_preview_is_valued_at_what_the_market_asks(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        buying, selling = await account.preview(order()), await account.preview(order("sell"))
        assert (buying.price, buying.price_source, buying.cost) == (D("400.01"), "quote", D("4000.10"))
        assert selling.price == D("399.99")
        assert [one.sentence for one in (await account.preview(order(type=OrderType.LIMIT, limit_price=D("390")))).verdicts] == []
        assert server.book.orders == {}


async def test_a_position_whose_exits_hold_its_units_is_closed(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        entry = await account.place(order(stop_loss_price=D("380")))
        await status(account, entry, S.FILLED)
        lives = account.desk.state.lives
        await until(account, lambda: f"{entry.id}.stop" in lives and lives[f"{entry.id}.stop"].order.status is S.ACCEPTED)
        closing = await account.close("SPY", account.run.id)
        await status(account, closing, S.FILLED)
        assert lives[f"{entry.id}.stop"].order.status is S.CANCELLED
        assert server.book.holdings == {}


async def test_orders_and_their_exits_work_on_while_the_program_is_off(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        entry = await account.place(order(type=OrderType.LIMIT, limit_price=D("390"), target_price=D("420")))
        await status(account, entry, S.ACCEPTED)
        await account.change(entry.id, OrderTerms(limit_price=D("391")))
        await until(account, lambda: account.desk.state.lives[entry.id].at == 1)
        now = account.desk.state.lives[entry.id].order.broker_id or ""
    await asyncio.to_thread(server.do, lambda: server.book.fill(now, "10", "391"))
    assert [one["status"] for one in server.book.orders.values() if one["side"] == "sell"] == ["new"]  # nobody had to come back for it
    async with by_hand(tmp_path, server) as account:
        lives = account.desk.state.lives
        await status(account, entry, S.FILLED)
        assert lives[f"{entry.id}.target"].order.status is S.ACCEPTED
        assert lives[entry.id].order.request.limit_price == D("391")
        (held,) = (await account.view()).positions
        assert (held.owner, held.qty, held.avg_price) == ("By hand", D(10), D(391))
        assert len(server.book.orders) == 3  # the entry, its change, and the target that left with it


async def test_exits_that_no_broker_takes_with_their_entry_leave_when_the_program_is_back(tmp_path: Path, server: FakeBroker) -> None:
    part = {"type": OrderType.LIMIT, "limit_price": D("390"), "target_price": D("420")}
    async with by_hand(tmp_path, server) as account:
        entry = await account.place(HandOrder(symbol="SPY", side=OrderSide.BUY, qty=D("2.5"), **part))  # type: ignore[arg-type]  # each has its own
        await status(account, entry, S.ACCEPTED)
        now = account.desk.state.lives[entry.id].order.broker_id or ""
    await asyncio.to_thread(server.do, lambda: server.book.fill(now, "2.5", "390"))
    async with by_hand(tmp_path, server) as account:
        lives = account.desk.state.lives
        await until(account, lambda: f"{entry.id}.target" in lives and lives[f"{entry.id}.target"].order.status is S.ACCEPTED)
        assert {one["client_order_id"] for one in server.book.orders.values()} == {entry.id, f"{entry.id}.target"}


async def test_a_long_is_turned_into_a_short_in_two_steps(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await status(account, await account.place(order(qty=3)), S.FILLED)
        await account.reverse("SPY", account.run.id)
        await until(account, lambda: account.desk.state.books[account.run.id].held("SPY") == -3)
        assert [(one["side"], one["qty"]) for one in server.book.orders.values()] == [("buy", "3"), ("sell", "3"), ("sell", "3")]


async def test_what_the_broker_refuses_is_said_in_its_words(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        placed = await account.place(order(qty=100_000))
        await status(account, placed, S.REJECTED)
        assert "buying power" in (account.desk.state.lives[placed.id].order.reason or "")
        with pytest.raises(InputError):
            await account.close("SPY", account.run.id)
