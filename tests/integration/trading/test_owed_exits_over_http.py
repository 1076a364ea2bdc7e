"""A closing that comes to nothing leaves no position bare: what made way for it is sent again, at a broker over HTTP."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.errors import BrokerError, InvalidValue, StoreError
from core.events.live_payloads import ExitsOwed, ExitsOwedNoMore, LeftBare
from core.model.hand import HandOrder
from core.model.instants import DAY_NS
from core.model.order import OrderSide, OrderStatus, OrderType, RejectCode
from core.model.risk import RiskLimits, SwitchLevel
from core.model.run import RunMode
from core.runs import covers
from core.runs.bare import left_bare
from core.runs.exits import read_fates
from core.runs.hand_account import HandAccount
from core.trading import history
from core.views.words import words
from tests.broker.bench import fake_broker
from tests.broker.faults import Fault, Way
from tests.broker.server import FakeBroker
from tests.heard import heard
from tests.integration.trading.hand_over_http import by_hand
from tests.integration.trading.test_partial_close_over_http import held, held_with, until, with_stop, working
from tests.strictness.log_guard import AllowLog

S, D = OrderStatus, Decimal
POST = "POST /v2/orders"
LONG_AGO = "2020-01-02T15:00:00.000000Z"
EXITS: dict[str, Any] = {"stop_loss_price": D(380), "target_price": D(420)}
REFUSED = Fault(POST, Way.STATUS, 403, body='{"code": 40310000, "message": "account is restricted to liquidation only"}')


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker() as server:
        yield server


def pair(qty: int | str, order_class: str = "oco") -> list[tuple[str, str, str]]:
    return [("limit", str(qty), order_class), ("stop", str(qty), order_class)]


async def so(account: HandAccount, server: FakeBroker, wanted: list[tuple[str, str, str]]) -> None:
    """Wait until this works at the broker, and until nothing is owed any more."""
    async with asyncio.timeout(20):
        while sorted(working(server)) != sorted(wanted) or account._owed.owes:
            await account.desk.state.moved()


async def bare(account: HandAccount) -> list[str]:
    return [one.bare for one in (await account.view()).positions]


async def told(account: HandAccount, *kinds: Any) -> list[str]:
    events = [event for kind in kinds for event in await account._log.read(pattern=kind.wire)]
    return [words(event, lambda _: None) for event in sorted(events, key=lambda one: one.seq)]


async def said_bare(account: HandAccount) -> str:
    """Wait until the position is said to stand bare, and return the words."""
    async with asyncio.timeout(20):
        while not (found := await told(account, LeftBare)):
            await account.desk.state.moved()
    return found[-1]


def end_cancels(server: FakeBroker) -> None:
    """Let the broker do what it was asked for."""
    for one in list(server.book.orders.values()):
        if one["status"] == "pending_cancel":
            server.book.end(one["id"], "canceled")


# --- the broker cancels slowly ---


@pytest.mark.parametrize("qty", [None, 4])
async def test_a_cancel_that_comes_late_brings_the_exits_back(
    tmp_path: Path, server: FakeBroker, monkeypatch: pytest.MonkeyPatch, qty: int | None
) -> None:
    monkeypatch.setattr(covers, "PATIENCE_S", 0.5)
    server.book.cancel_slowly = True
    async with by_hand(tmp_path, server) as account:
        await held_with(account, **EXITS)
        with pytest.raises((BrokerError, InvalidValue)):
            await account.close("SPY", account.run.id, None if qty is None else D(qty))
        server.do(lambda: end_cancels(server))
        await so(account, server, pair(10))
        assert held(server) == {"SPY": "10"}
        assert await bare(account) == [""]
        assert len(await told(account, ExitsOwed)) == len(await told(account, ExitsOwedNoMore)) == 1


async def test_the_late_cancel_of_a_lone_stop_brings_it_back(tmp_path: Path, server: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covers, "PATIENCE_S", 0.5)
    server.book.cancel_slowly = True
    async with by_hand(tmp_path, server) as account:
        stop = await with_stop(account)
        with pytest.raises(InvalidValue, match="which is sent again if it does"):
            await account.close("SPY", account.run.id)
        server.do(lambda: end_cancels(server))
        await so(account, server, [("stop", "10", "")])
        assert account.desk.state.lives[f"{stop.id}.back"].order.status is S.ACCEPTED


async def test_what_fills_while_its_cancel_is_slow_does_not_come_again(
    tmp_path: Path, server: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(covers, "PATIENCE_S", 0.5)
    server.book.cancel_slowly = True
    async with by_hand(tmp_path, server) as account:
        await held_with(account, **EXITS)
        with pytest.raises(InvalidValue):
            await account.close("SPY", account.run.id)
        (target,) = server.do(lambda: [one["id"] for one in server.book.orders.values() if one["type"] == "limit"])
        server.do(lambda: server.book.fill(target, "3", "420"))
        server.do(lambda: end_cancels(server))
        await so(account, server, pair(7))
        server.book.cancel_slowly = False
        await until(account, (await account.close("SPY", account.run.id)).id, S.FILLED)
        await so(account, server, [])
        assert held(server) == {}


async def test_a_program_that_starts_anew_goes_on_with_it(tmp_path: Path, server: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covers, "PATIENCE_S", 0.5)
    server.book.cancel_slowly = True
    async with by_hand(tmp_path, server) as account:
        await held_with(account, **EXITS)
        with pytest.raises(BrokerError):
            await account.close("SPY", account.run.id, D(4))
    async with by_hand(tmp_path, server) as account:
        assert await told(account, LeftBare) == [
            "10 SPY stand without the exits that they had. Their cancel is under way, and the account was let go."
        ]
        server.do(lambda: end_cancels(server))
        await so(account, server, pair(10))
    async with by_hand(tmp_path, server) as account:
        assert (working(server), account._owed.owes) == (pair(10), False)


async def test_what_stands_bare_when_the_account_is_let_go_is_said_exactly(
    tmp_path: Path, server: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(covers, "PATIENCE_S", 0.5)
    server.book.cancel_slowly = True
    async with by_hand(tmp_path, server) as account:
        await held_with(account, **EXITS)
        with pytest.raises(InvalidValue):
            await account.close("SPY", account.run.id)
        (target,) = server.do(lambda: [one["id"] for one in server.book.orders.values() if one["type"] == "limit"])
        server.do(lambda: server.book.fill(target, "3", "420"))
        async with asyncio.timeout(20):
            while account.desk.state.books[account.run.id].held("SPY") != 7:
                await account.desk.state.moved()
    async with by_hand(tmp_path, server) as account:
        said = "7 SPY stand without the exits that they had. Their cancel is under way, and the account was let go."
        assert await told(account, LeftBare) == [said]


async def test_exits_that_the_broker_holds_are_said_over_what_their_entry_bought(
    tmp_path: Path, server: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(covers, "PATIENCE_S", 0.5)
    server.book.hold = server.book.cancel_slowly = True
    async with by_hand(tmp_path, server) as account:
        entry = await account.place(HandOrder(symbol="SPY", side=OrderSide.BUY, qty=D(10), **EXITS))
        await until(account, entry.id, S.ACCEPTED)
        broker_id = account.desk.state.lives[entry.id].order.broker_id
        assert broker_id is not None
        server.do(lambda: server.book.fill(broker_id, "4", "400"))
        await until(account, entry.id, S.PARTIALLY_FILLED)
        with pytest.raises(InvalidValue):
            await account.close("SPY", account.run.id)
    async with by_hand(tmp_path, server) as account:
        said = "4 SPY stand without the exits that they had. Their cancel is under way, and the account was let go."
        assert await told(account, LeftBare) == [said]


# --- the store is away ---


@pytest.mark.parametrize("when", ["before anything is taken back", "before the pair leaves again", "before the sale leaves"])
async def test_a_store_that_is_away_for_a_moment_costs_no_exits(
    tmp_path: Path, server: FakeBroker, allow_log: AllowLog, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    for line in ("wait for the store", "was not reconciled", "were not stored", "was not stored", "is not cancelled", "cancel-"):
        allow_log(line)
    async with by_hand(tmp_path, server, busy_timeout_s=0.1) as account:
        await held_with(account, **EXITS)
        with closing(sqlite3.connect(tmp_path / "desk.db", isolation_level=None)) as other:
            place = account.desk.place
            sent: list[int] = []

            def lock() -> None:
                if not other.in_transaction:
                    other.execute("BEGIN IMMEDIATE")

            async def placing(*args: Any, **options: Any) -> None:
                sent.append(1)
                if len(sent) == (1 if when == "before the pair leaves again" else 2):
                    lock()
                await place(*args, **options)

            if when.startswith("before anything"):
                lock()
            else:
                monkeypatch.setattr(account.desk, "place", placing)
            with pytest.raises(StoreError):
                await account.close("SPY", account.run.id, D(4))
            if when == "before the pair leaves again":
                with heard("core.runs.owed_exits", "wait for the store") as waits:
                    await waits.wait()
            other.execute("ROLLBACK")
        if when.startswith("before anything"):
            assert (working(server), account._owed.owes) == (pair(10, "bracket"), False)
        elif when == "before the pair leaves again":
            await so(account, server, pair(10))
        else:
            await so(account, server, [*pair(6), *pair(4)])
        assert held(server) == {"SPY": "10"}


# --- the broker refuses the closing order ---


async def test_a_sale_that_the_broker_refuses_brings_the_exits_back(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account, **EXITS)
        server.fail(REFUSED)
        sale = await account.close("SPY", account.run.id)
        await until(account, sale.id, S.REJECTED)
        await so(account, server, pair(10))
        assert held(server) == {"SPY": "10"}


async def test_a_sale_of_a_part_that_is_refused_leaves_exits_over_all_of_it(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await with_stop(account)
        server.fail(REFUSED)
        sale = await account.close("SPY", account.run.id, D(4))
        await until(account, sale.id, S.REJECTED)
        await so(account, server, [("stop", "6", ""), ("stop", "4", "")])
        # What was two is one position still: the rest of it is closed beside both.
        await until(account, (await account.close("SPY", account.run.id, D(7))).id, S.FILLED)
        await so(account, server, [("stop", "3", "")])
        assert held(server) == {"SPY": "3"}


async def test_a_sale_that_fills_a_part_and_ends_leaves_exits_over_the_rest(tmp_path: Path, server: FakeBroker) -> None:
    server.book.holds_sales = True
    async with by_hand(tmp_path, server) as account:
        await held_with(account, **EXITS)
        sale = await account.close("SPY", account.run.id)
        await until(account, sale.id, S.ACCEPTED)
        assert account._owed.owes
        server.do(lambda: server.book.fill(server.book.by_client_id(sale.id)["id"], "3", "390"))
        await account.cancel(sale.id)
        await so(account, server, pair(7))
        assert held(server) == {"SPY": "7"}


async def test_a_reverse_that_the_broker_refuses_brings_the_exits_back(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account, **EXITS)
        server.fail(REFUSED)
        sale = await account.reverse("SPY", account.run.id)
        await until(account, sale.id, S.REJECTED)
        await so(account, server, pair(10))


async def test_exits_that_are_refused_over_the_rest_close_nothing_and_come_again_over_all(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account, **EXITS)
        server.fail(REFUSED)
        with pytest.raises(BrokerError, match=r"nothing was closed.*restricted"):
            await account.close("SPY", account.run.id, D(4))
        await so(account, server, pair(10))
        assert held(server) == {"SPY": "10"}


async def test_exits_that_never_came_leave_again(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        entry = await held_with(account, **EXITS)
        server.fail(REFUSED, Fault(POST, Way.STATUS, 429))
        await account.close("SPY", account.run.id)
        await so(account, server, pair(10))
        lives = account.desk.state.lives
        first, second = (lives[f"{entry.id}.stop.{each}"].order for each in ("back", "back2"))
        assert (first.reject_code, second.status) == (RejectCode.NEVER_SENT, S.ACCEPTED)


# --- what is said, and what is not sent ---


async def test_a_position_whose_exits_the_broker_refuses_is_said_to_stand_bare(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account, **EXITS)
        server.fail(REFUSED, REFUSED)
        await until(account, (await account.close("SPY", account.run.id)).id, S.REJECTED)
        said = await said_bare(account)
        assert said.startswith("10 SPY stand without the exits that they had. They were not taken: ")
        assert "account is restricted to liquidation only" in said
        (shown,) = await bare(account)
        assert shown.startswith("10 of it stand without the exits that they had. They were not taken: ")
        assert working(server) == []
        assert [one.reason for one in await left_bare(account._log, account._runs, "alpaca", RunMode.PAPER)] == [
            said.removeprefix("10 SPY stand without the exits that they had. ")
        ]
        assert not await left_bare(account._log, account._runs, "alpaca", RunMode.LIVE)
    # Whoever opens the account next is told as well, and it is closed for good then.
    async with by_hand(tmp_path, server) as account:
        await until(account, (await account.close("SPY", account.run.id)).id, S.FILLED)
        await so(account, server, [])
        assert await bare(account) == []
        assert not await left_bare(account._log, account._runs, "alpaca", RunMode.PAPER)


def made_long_ago(server: FakeBroker) -> None:
    """Let the broker list no more what it lists of today."""
    server.faults.clear()
    for order in server.book.orders.values():
        order["submitted_at"] = LONG_AGO
    for execution in server.book.executions:
        execution["transaction_time"] = LONG_AGO


async def test_exits_that_made_way_long_ago_are_owed_all_the_same(
    tmp_path: Path, server: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that is opened again does not keep orders that are over; those of which something is owed are read."""
    async with by_hand(tmp_path, server) as account:
        await held_with(account, **EXITS)
        server.fail(*[REFUSED] * 4)
        await until(account, (await account.close("SPY", account.run.id)).id, S.REJECTED)
        await said_bare(account)
    monkeypatch.setattr(history, "NEAR_NS", -DAY_NS)  # nothing that is over is near
    server.do(lambda: made_long_ago(server))
    async with by_hand(tmp_path, server) as account:
        await so(account, server, pair(10))
        assert held(server) == {"SPY": "10"}


async def test_exits_of_an_entry_that_was_cut_off_by_the_closing_come_again_by_one_hand_alone(tmp_path: Path, server: FakeBroker) -> None:
    server.book.hold = True
    async with by_hand(tmp_path, server) as account:
        entry = await account.place(HandOrder(symbol="SPY", side=OrderSide.BUY, qty=D(10), **EXITS))
        await until(account, entry.id, S.ACCEPTED)
        server.do(lambda: server.book.fill(server.book.by_client_id(entry.id)["id"], "6", "400"))
        await until(account, entry.id, S.PARTIALLY_FILLED)
        server.fail(REFUSED, REFUSED)
        await until(account, (await account.close("SPY", account.run.id)).id, S.REJECTED)
        assert (await said_bare(account)).startswith("6 SPY stand without the exits that they had.")
        fates = await read_fates(account._log, account.run.id)
        assert {each.rpartition(".")[2]: request for each, request in fates.items()} == {"stop": None, "target": None}
    async with by_hand(tmp_path, server) as account:
        await so(account, server, pair(6))  # it is tried again at once
        # Those that were to come again where the broker ends them before their entry is filled are not wanted beside them.
        assert sorted(each.rpartition(".stop")[2] for each in account.desk.state.lives if ".stop" in each) == ["", ".back", ".back2"]
        assert not account._families.waiting()
        server.book.hold = False
        await until(account, (await account.close("SPY", account.run.id)).id, S.FILLED)
        await so(account, server, [])
        assert held(server) == {}


async def test_exits_of_an_entry_that_filled_a_part_come_again_over_that_part_whatever_else_is_held(
    tmp_path: Path, server: FakeBroker
) -> None:
    server.book.hold = True
    async with by_hand(tmp_path, server) as account:
        other = await account.place(HandOrder(symbol="SPY", side=OrderSide.BUY, qty=D(3)))
        await until(account, other.id, S.ACCEPTED)
        server.do(lambda: server.book.fill(server.book.by_client_id(other.id)["id"], "3", "400"))
        await until(account, other.id, S.FILLED)
        entry = await account.place(HandOrder(symbol="SPY", side=OrderSide.BUY, qty=D(10), **EXITS))
        await until(account, entry.id, S.ACCEPTED)
        server.do(lambda: server.book.fill(server.book.by_client_id(entry.id)["id"], "6", "400"))
        await until(account, entry.id, S.PARTIALLY_FILLED)
        server.fail(REFUSED)
        await until(account, (await account.close("SPY", account.run.id)).id, S.REJECTED)
        await so(account, server, pair(6))
        assert held(server) == {"SPY": "9"}


async def test_the_kill_switch_lets_nothing_leave_and_that_is_said(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account, **EXITS)
        server.book.holds_sales = True
        sale = await account.close("SPY", account.run.id)
        await until(account, sale.id, S.ACCEPTED)
        account.desk.state.set_level(None, SwitchLevel.HALT)
        await account.cancel(sale.id)
        assert await said_bare(account) == (
            "10 SPY stand without the exits that they had. The kill switch lets nothing leave; they are sent when it is off."
        )
        assert working(server) == []
        account.desk.state.set_level(None, SwitchLevel.REDUCE_ONLY)
        await so(account, server, pair(10))


@pytest.mark.parametrize("level", [SwitchLevel.CANCEL_ALL, SwitchLevel.FLATTEN])
async def test_a_kill_switch_that_takes_all_orders_back_takes_what_is_owed(tmp_path: Path, server: FakeBroker, level: SwitchLevel) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account, **EXITS)
        server.book.holds_sales = True
        sale = await account.close("SPY", account.run.id)
        await until(account, sale.id, S.ACCEPTED)
        account.desk.state.set_level(None, level)
        await account.cancel(sale.id)
        await until(account, sale.id, S.CANCELLED)
        await so(account, server, [])
        account.desk.state.set_level(None, SwitchLevel.OFF)
        assert await told(account, ExitsOwedNoMore) == ["SPY: The kill switch takes back all orders, and so what was owed."]


async def test_a_rule_that_does_not_let_them_leave_is_said_and_asked_again(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account, **EXITS)
        server.book.holds_sales = True
        sale = await account.close("SPY", account.run.id)
        await until(account, sale.id, S.ACCEPTED)
        account.desk.state.note_price("SPY", D(400), 1)
        account.desk.state.limits = RiskLimits(max_price_distance=D("0.02"))
        await account.cancel(sale.id)
        assert "Risk rule price distance" in await said_bare(account)
        rows = len(account.desk.state.lives)
        account.desk.state.limits = RiskLimits()
        await so(account, server, pair(10))
        assert len(account.desk.state.lives) == rows + 2  # nothing was sent in vain meanwhile


async def test_who_takes_them_back_by_hand_is_owed_nothing(tmp_path: Path, server: FakeBroker) -> None:
    server.book.holds_sales = True
    async with by_hand(tmp_path, server) as account:
        entry = await held_with(account, **EXITS)
        sale = await account.close("SPY", account.run.id, D(4))
        await until(account, sale.id, S.ACCEPTED)
        await account.cancel(f"{entry.id}.stop.back")
        await until(account, f"{entry.id}.target.back", S.CANCELLED)
        await account.cancel(sale.id)
        await so(account, server, [])
        assert held(server) == {"SPY": "10"}


async def test_who_takes_back_by_hand_what_is_just_making_way_is_owed_nothing(
    tmp_path: Path, server: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(covers, "PATIENCE_S", 0.5)
    server.book.cancel_slowly = True
    async with by_hand(tmp_path, server) as account:
        entry = await held_with(account, **EXITS)
        with pytest.raises(InvalidValue):
            await account.close("SPY", account.run.id)
        await account.cancel(f"{entry.id}.stop")
        assert await told(account, ExitsOwedNoMore) == ["SPY: Its exits were taken back by hand."]
        server.do(lambda: end_cancels(server))
        await until(account, f"{entry.id}.stop", S.CANCELLED)
        await so(account, server, [])
    async with by_hand(tmp_path, server) as account:  # and it stays so
        assert (working(server), account._owed.owes) == ([], False)


async def test_who_takes_back_all_orders_is_owed_nothing(tmp_path: Path, server: FakeBroker) -> None:
    server.book.holds_sales = True
    async with by_hand(tmp_path, server) as account:
        await held_with(account, **EXITS)
        sale = await account.close("SPY", account.run.id)
        await until(account, sale.id, S.ACCEPTED)
        assert await account.cancel_all() == 1
        await until(account, sale.id, S.CANCELLED)
        await so(account, server, [])


# --- whose they are ---


async def test_what_is_bought_later_gets_no_exits_of_what_was_owed(tmp_path: Path, server: FakeBroker) -> None:
    server.book.holds_sales = True
    server.book.forbids_wash_trades = False
    async with by_hand(tmp_path, server) as account:
        await held_with(account, **EXITS)
        sale = await account.close("SPY", account.run.id)
        await until(account, sale.id, S.ACCEPTED)
        await until(account, (await account.place(HandOrder(symbol="SPY", side=OrderSide.BUY, qty=D(5)))).id, S.FILLED)
        await account.cancel(sale.id)
        await so(account, server, pair(10))
        assert held(server) == {"SPY": "15"}


async def test_exits_that_stood_for_only_a_part_come_again_over_that_part(tmp_path: Path, server: FakeBroker) -> None:
    server.book.holds_sales = True
    server.book.forbids_wash_trades = False
    async with by_hand(tmp_path, server) as account:
        await held_with(account)
        stop = HandOrder(symbol="SPY", side=OrderSide.SELL, qty=D(5), type=OrderType.STOP, stop_price=D(380))
        await until(account, (await account.place(stop)).id, S.ACCEPTED)
        sale = await account.close("SPY", account.run.id, D(7))
        await until(account, sale.id, S.ACCEPTED)
        assert sorted(working(server)) == [("market", "7", ""), ("stop", "3", "")]
        await account.cancel(sale.id)
        await so(account, server, [("stop", "2", ""), ("stop", "3", "")])
