"""A part of a position is closed at a broker that holds units back for each working sale, over real HTTP and websockets."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.errors import BrokerError, InputError
from core.model.hand import HandOrder
from core.model.order import Order, OrderSide, OrderStatus, OrderType
from core.model.risk import RiskLimits
from core.runs import covers
from core.runs.hand_account import HandAccount
from tests.broker.bench import fake_broker
from tests.broker.faults import Fault, Way
from tests.broker.server import FakeBroker
from tests.integration.trading.hand_over_http import by_hand

S = OrderStatus
D = Decimal


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker() as server:
        yield server


async def until(account: HandAccount, order_id: str, status: OrderStatus) -> None:
    lives = account.desk.state.lives
    async with asyncio.timeout(20):
        await account.desk.state.until(lambda: order_id in lives and lives[order_id].order.status is status)


async def held_with(account: HandAccount, **exits: Any) -> Order:
    """Buy ten, and wait until the exits are at the broker."""
    entry = await account.place(HandOrder(symbol="SPY", side=OrderSide.BUY, qty=D(10), **exits))
    await until(account, entry.id, S.FILLED)
    for leg in exits:
        await until(account, f"{entry.id}.{'stop' if leg.startswith('stop') else 'target'}", S.ACCEPTED)
    return entry


async def with_stop(account: HandAccount) -> Order:
    """Buy ten, and place a stop by itself."""
    await held_with(account)
    wanted = HandOrder(symbol="SPY", side=OrderSide.SELL, qty=D(10), type=OrderType.STOP, stop_price=D(380))
    stop = await account.place(wanted)
    await until(account, stop.id, S.ACCEPTED)
    return stop


def working(server: FakeBroker) -> list[tuple[str, str, str]]:
    """What works at the broker: its type, how many units, and its class."""
    open_ = {"new", "held", "pending_new", "partially_filled"}
    return server.do(
        lambda: [(one["type"], one["qty"], one["order_class"]) for one in server.book.orders.values() if one["status"] in open_]
    )


def held(server: FakeBroker) -> dict[str, str]:
    return server.do(lambda: {symbol: str(one.qty) for symbol, one in server.book.holdings.items()})


async def test_a_stop_is_changed_before_the_sale_leaves(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        stop = await with_stop(account)
        closing = await account.close("SPY", account.run.id, D(4))
        await until(account, closing.id, S.FILLED)
        assert (held(server), working(server)) == ({"SPY": "6"}, [("stop", "6", "")])
        assert account.desk.state.lives[stop.id].order.request.qty == 6
        await account.close("SPY", account.run.id, D(4))
        assert working(server) == [("stop", "2", "")]


async def test_a_pair_that_the_broker_minds_is_sent_again_over_what_stays(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account, stop_loss_price=D("380"), target_price=D("420"))
        assert working(server) == [("limit", "10", "bracket"), ("stop", "10", "bracket")]
        closing = await account.close("SPY", account.run.id, D(4))
        await until(account, closing.id, S.FILLED)
        assert (held(server), working(server)) == ({"SPY": "6"}, [("limit", "6", "oco"), ("stop", "6", "oco")])
        (target,) = server.do(
            lambda: [one["id"] for one in server.book.orders.values() if (one["type"], one["status"]) == ("limit", "new")]
        )
        server.do(lambda: server.book.fill(target, "6", "420"))
        async with asyncio.timeout(20):
            await account.desk.state.until(lambda: not account.desk.state.working())
        assert (held(server), working(server)) == ({}, [])
        assert account.desk.state.books[account.run.id].held("SPY") == 0


async def test_a_pair_of_which_one_sold_a_part_is_over_the_rest_alone(tmp_path: Path, server: FakeBroker) -> None:
    server.book.forbids_wash_trades = False
    async with by_hand(tmp_path, server) as account:
        entry = await held_with(account, stop_loss_price=D("380"), target_price=D("420"))
        target = account.desk.state.lives[f"{entry.id}.target"].order
        server.do(lambda: server.book.fill(target.broker_id or "", "6", "420"))
        await until(account, target.id, S.PARTIALLY_FILLED)
        more = await account.place(HandOrder(symbol="SPY", side=OrderSide.BUY, qty=D(5)))
        await until(account, more.id, S.FILLED)
        for closed, left in (("2", "7"), ("4", "3")):
            closing = await account.close("SPY", account.run.id, D(closed))
            await until(account, closing.id, S.FILLED)
            assert held(server) == {"SPY": left}
            # Four are left of it while that is held; what was bought without exits gets none.
            over = min(D(4), D(left))
            assert [
                (type_, D(qty) - (6 if order_class == "bracket" and type_ == "limit" else 0)) for type_, qty, order_class in working(server)
            ] == [
                ("limit", over),
                ("stop", over),
            ]


async def test_an_exit_that_the_broker_does_not_change_is_taken_back_and_sent_again(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        stop = await with_stop(account)
        server.fail(Fault("PATCH", Way.STATUS, 422, body='{"code": 42210000, "message": "cannot replace order"}'))
        closing = await account.close("SPY", account.run.id, D(4))
        await until(account, closing.id, S.FILLED)
        assert account.desk.state.lives[stop.id].order.status is S.CANCELLED
        assert (held(server), working(server)) == ({"SPY": "6"}, [("stop", "6", "")])


async def test_nothing_is_sold_while_the_exits_are_over_more_than_would_stay(
    tmp_path: Path, server: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(covers, "PATIENCE_S", 0.5)
    server.book.cancel_slowly = True
    async with by_hand(tmp_path, server) as account:
        await held_with(account, stop_loss_price=D("380"), target_price=D("420"))
        with pytest.raises(BrokerError, match="nothing was closed"):
            await account.close("SPY", account.run.id, D(4))
        assert held(server) == {"SPY": "10"}
        assert [one["side"] for one in server.book.orders.values()] == ["buy", "sell", "sell"]


async def test_an_exit_that_left_with_its_entry_is_sent_again_over_what_stays(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account, stop_loss_price=D("380"))
        assert working(server) == [("stop", "10", "oto")]
        closing = await account.close("SPY", account.run.id, D(4))
        await until(account, closing.id, S.FILLED)
        assert (held(server), working(server)) == ({"SPY": "6"}, [("stop", "6", "")])


async def test_while_its_entry_still_fills_a_part_is_not_closed_and_that_is_said(tmp_path: Path, server: FakeBroker) -> None:
    server.book.hold = True
    async with by_hand(tmp_path, server) as account:
        entry = await account.place(HandOrder(symbol="SPY", side=OrderSide.BUY, qty=D(10), stop_loss_price=D("380")))
        await until(account, entry.id, S.ACCEPTED)
        server.do(lambda: server.book.fill(server.book.by_client_id(entry.id)["id"], "6", "400"))
        await until(account, entry.id, S.PARTIALLY_FILLED)
        with pytest.raises(InputError, match="still fills, with exits over all of it that left with it; cancel that order first"):
            await account.close("SPY", account.run.id, D(4))
        await account.cancel(entry.id)
        await until(account, f"{entry.id}.stop.again", S.ACCEPTED)
        assert working(server) == [("stop", "6", "")]
        server.book.hold = False
        closing = await account.close("SPY", account.run.id, D(4))
        await until(account, closing.id, S.FILLED)
        assert (held(server), working(server)) == ({"SPY": "2"}, [("stop", "2", "")])


async def test_exits_that_the_gate_would_not_let_leave_again_are_not_taken_back(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account, stop_loss_price=D(380), target_price=D(420))
        before = working(server)
        account.desk.state.note_price("SPY", D(400), 1)
        account.desk.state.limits = RiskLimits(max_price_distance=D("0.02"))  # the market has moved away from them since
        with pytest.raises(InputError, match="its exits could not be sent again over what would be left of it"):
            await account.close("SPY", account.run.id, D(4))
        assert (working(server), held(server)) == (before, {"SPY": "10"})
        await until(account, (await account.close("SPY", account.run.id)).id, S.FILLED)
        assert (working(server), held(server)) == ([], {})
