"""An entry that leaves with its exits as one order, at the fake broker over real HTTP and websockets, with all that can go wrong."""

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from core.errors import InvalidValue
from core.model.hand import OrderTerms
from core.model.order import Order, OrderStatus, OrderType, RejectCode
from core.model.risk import SwitchLevel
from core.runs.hand_account import HandAccount
from core.trading.situations import Situations
from tests.broker.bench import fake_broker
from tests.broker.book import FINAL, Document
from tests.broker.faults import Fault, Mischief, Way
from tests.broker.server import FakeBroker
from tests.integration.trading.hand_over_http import by_hand, order, status, until

S, D = OrderStatus, Decimal
T = TypeVar("T")
POST = "POST /v2/orders"
REFUSAL = '{"code": 42210000, "message": "stop price must be below the base price"}'


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker() as running:
        yield running


class Bracket:
    """Buys 10 SPY at 390, with exits at 420 and 380, and both sides of it in a test's hands."""

    def __init__(self, account: HandAccount, server: FakeBroker, id: str) -> None:
        self.account, self.server, self.id = account, server, id
        self.stop, self.target = f"{id}.stop", f"{id}.target"

    def ours(self, *ids: str) -> list[OrderStatus]:
        return [self.account.desk.state.lives[each].order.status for each in ids or (self.id, self.target, self.stop)]

    def row(self, id: str) -> Order:
        return self.account.desk.state.lives[id].order

    async def until(self, entry: OrderStatus, target: OrderStatus, stop: OrderStatus) -> None:
        lives = self.account.desk.state.lives
        await until(self.account, lambda: self.stop in lives and self.ours() == [entry, target, stop])

    async def until_again(self, status: OrderStatus = S.ACCEPTED) -> None:
        """Wait until the exits have left again."""
        lives = self.account.desk.state.lives
        again = [f"{self.target}.again", f"{self.stop}.again"]
        await until(self.account, lambda: all(each in lives and lives[each].order.status is status for each in again))

    async def do(self, work: Callable[[], T]) -> T:
        return await asyncio.to_thread(self.server.do, work)

    async def docs(self) -> list[Document]:
        return await self.do(lambda: [dict(one) for one in self.server.book.orders.values()])

    async def fill(self, what: str, qty: int) -> None:
        """Let the market take a part of the entry, the target or the stop that works."""
        kinds = {"entry": ("limit", "buy"), "target": ("limit", "sell"), "stop": ("stop", "sell")}
        book = self.server.book

        def now() -> None:
            kind = kinds[what]
            (one,) = [one for one in book.orders.values() if (one["type"], one["side"]) == kind and one["status"] not in FINAL]
            book.fill(one["id"], str(qty), "400")

        await self.do(now)

    async def end(self, status: str) -> None:
        await self.do(lambda: self.server.book.end(self.server.book.by_client_id(self.id)["id"], status))

    async def assert_safe(self) -> None:
        """What is held is what our books say, and no exits at the broker are over more than that."""
        held = await self.do(lambda: sum((one.qty for one in self.server.book.holdings.values()), D(0)))
        assert self.account.desk.state.positions().get("SPY", D(0)) == held
        assert self.account.desk.state.outside == {}
        exits = [one for one in await self.docs() if one["side"] == "sell" and one["status"] not in FINAL]
        for kind in ("limit", "stop"):
            assert sum(D(one["qty"]) - D(one["filled_qty"]) for one in exits if one["type"] == kind and one["status"] != "held") <= held
            assert sum(one["type"] == kind for one in exits) <= 1

    async def posts(self) -> int:
        return await self.do(lambda: self.server.requests[POST])


async def sent(account: HandAccount, server: FakeBroker, **terms: Any) -> Bracket:
    given: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": D(390), "target_price": D(420), "stop_loss_price": D(380)}
    placed = await account.place(order(**(given | terms)))
    return Bracket(account, server, placed.id)


async def taken(account: HandAccount, server: FakeBroker) -> Bracket:
    """One that the broker has."""
    bracket = await sent(account, server)
    await bracket.until(S.ACCEPTED, S.ACCEPTED, S.ACCEPTED)
    return bracket


def found(account: HandAccount, server: FakeBroker, before: Bracket) -> Bracket:
    return Bracket(account, server, before.id)


# --- its life ---


async def test_it_leaves_as_one_order_and_the_target_ends_the_stop(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        assert [(one["order_class"], one["status"]) for one in await bracket.docs()] == [
            ("bracket", "new"),
            ("bracket", "held"),
            ("bracket", "held"),
        ]
        assert [order.id for order in (await account.view()).working] == [bracket.id, bracket.stop, bracket.target]
        await bracket.fill("entry", 10)
        await bracket.until(S.FILLED, S.ACCEPTED, S.ACCEPTED)
        await bracket.fill("target", 4)
        await bracket.until(S.FILLED, S.PARTIALLY_FILLED, S.ACCEPTED)
        await bracket.assert_safe()
        await bracket.fill("target", 6)
        await bracket.until(S.FILLED, S.FILLED, S.CANCELLED)
        await bracket.assert_safe()
        assert await bracket.posts() == 1
        assert not [name for name in server.requests if name.startswith("DELETE")]  # nobody had to ask for it


async def test_a_stop_over_what_the_target_left_is_over_when_that_is_sold(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        await bracket.fill("entry", 10)
        await bracket.fill("target", 4)
        await bracket.fill("stop", 6)
        await bracket.until(S.FILLED, S.CANCELLED, S.CANCELLED)
        assert bracket.row(bracket.stop).reason == "The broker had made it smaller: 6 of 10 were left of it."
        assert [bracket.row(each).filled_qty for each in (bracket.target, bracket.stop)] == [4, 6]
        await bracket.assert_safe()
        assert account.desk.state.positions() == {}


async def test_that_stop_is_over_where_only_the_lists_tell_of_it(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        await bracket.do(lambda: setattr(server, "mischief", Mischief.MISSING))
        for what, qty in (("entry", 10), ("target", 4), ("stop", 6)):
            await bracket.fill(what, qty)
        await account.desk.reconcile()
        assert bracket.ours() == [S.FILLED, S.CANCELLED, S.CANCELLED]
        assert account.desk.state.positions() == {}


@pytest.mark.parametrize("which", ["target_price", "stop_loss_price"])
async def test_one_exit_leaves_with_its_entry_too(tmp_path: Path, server: FakeBroker, which: str) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await sent(account, server, **{which: None})
        left = bracket.stop if which == "target_price" else bracket.target
        await until(account, lambda: left in account.desk.state.lives and bracket.ours(bracket.id, left) == [S.ACCEPTED, S.ACCEPTED])
        assert [one["order_class"] for one in await bracket.docs()] == ["oto", "oto"]
        await bracket.fill("entry", 10)
        await bracket.fill("stop" if left == bracket.stop else "target", 10)
        await until(account, lambda: bracket.ours(bracket.id, left) == [S.FILLED, S.FILLED])
        await bracket.assert_safe()


async def test_exits_that_wait_at_the_broker_count_as_nothing_that_works(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        state = account.desk.state

        def counted() -> tuple[int, Decimal]:
            other = msgspec.structs.replace(state.lives[bracket.id].order, id="another")
            now = Situations(state).of_account(other, [], is_open=True, is_armed=True)
            return len(now.working) + now.twins, sum((one.qty for one in now.working), Decimal(0))

        assert counted() == (1, Decimal(10))
        await bracket.fill("entry", 10)
        await bracket.until(S.FILLED, S.ACCEPTED, S.ACCEPTED)
        assert counted() == (2, Decimal(10))


# --- the broker's answer ---


LOST = (
    Fault(POST, Way.RESET_AFTER),
    Fault(POST, Way.NONSENSE),
    Fault(POST, Way.DONE_THEN_STATUS, 500),
    Fault(POST, Way.DONE_THEN_STATUS, 422, body=REFUSAL),
)


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: f"{fault.way.value} {fault.status}")
async def test_an_answer_that_is_lost_is_looked_up_with_the_exits(tmp_path: Path, server: FakeBroker, fault: Fault) -> None:
    async with by_hand(tmp_path, server) as account:
        server.fail(fault)
        bracket = await taken(account, server)
        await bracket.fill("entry", 10)
        await bracket.until(S.FILLED, S.ACCEPTED, S.ACCEPTED)
        await bracket.fill("stop", 10)
        await bracket.until(S.FILLED, S.CANCELLED, S.FILLED)
        await bracket.assert_safe()
        assert (await bracket.posts(), len(await bracket.docs())) == (1, 3)


async def test_a_refusal_is_that_of_all(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        server.fail(Fault(POST, Way.STATUS, 422, body=REFUSAL))
        bracket = await sent(account, server)
        await bracket.until(S.REJECTED, S.REJECTED, S.REJECTED)
        for each in (bracket.id, bracket.target, bracket.stop):
            assert bracket.row(each).reject_code is RejectCode.BROKER_REFUSED
            assert "stop price must be below the base price" in (bracket.row(each).reason or "")
        told = await account._log.read(pattern="orders.Rejected")
        assert len(told) == 3
        assert (await bracket.posts(), await bracket.docs()) == (1, [])


# --- the entry ends ---


async def test_the_cancel_of_the_entry_takes_its_exits(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        await account.cancel(bracket.id)
        await bracket.until(S.CANCELLED, S.CANCELLED, S.CANCELLED)
        await account.desk.reconcile()
        assert (await bracket.posts(), len(await bracket.docs())) == (1, 3)


@pytest.mark.parametrize("mischief", [Mischief.NONE, Mischief.MISSING, Mischief.REVERSED], ids=lambda one: one.value)
@pytest.mark.parametrize("how", ["cancel", "canceled", "expired"])
async def test_what_a_part_filled_entry_bought_is_protected_when_it_ends(
    tmp_path: Path, server: FakeBroker, how: str, mischief: Mischief
) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        await bracket.do(lambda: setattr(server, "mischief", mischief))
        await bracket.fill("entry", 4)
        if how == "cancel":
            await account.cancel(bracket.id)
        else:
            await bracket.end(how)
            if mischief is not Mischief.NONE:
                await account.desk.reconcile()
        await bracket.until_again()
        await bracket.do(lambda: setattr(server, "mischief", Mischief.NONE))
        again = [one for one in await bracket.docs() if one["order_class"] == "oco"]
        assert [(one["type"], one["qty"], one["status"]) for one in again] == [("limit", "4", "new"), ("stop", "4", "held")]
        await bracket.assert_safe()
        assert await bracket.posts() == 2
        await bracket.fill("target", 4)
        await until(account, lambda: bracket.row(f"{bracket.stop}.again").status is S.CANCELLED)
        assert account.desk.state.positions() == {}


async def test_an_entry_that_is_done_for_the_day_goes_on_with_its_exits(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        await bracket.fill("entry", 4)

        def rest() -> None:
            lead = server.book.by_client_id(bracket.id)
            lead["status"] = "done_for_day"
            server.book._say("done_for_day", lead)

        await bracket.do(rest)
        await until(account, lambda: bracket.row(bracket.id).filled_qty == 4)
        await account.desk.reconcile()
        assert bracket.ours() == [S.PARTIALLY_FILLED, S.ACCEPTED, S.ACCEPTED]
        await bracket.fill("entry", 6)
        await bracket.until(S.FILLED, S.ACCEPTED, S.ACCEPTED)
        await bracket.assert_safe()
        assert await bracket.posts() == 1


async def test_exits_that_the_broker_lost_wait_for_their_entry(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        book = server.book

        def lose_them() -> None:
            lead = book.by_client_id(bracket.id)
            for leg in lead["legs"]:
                leg["status"] = "canceled"
                book._say("canceled", leg)

        await bracket.do(lose_them)
        await bracket.until(S.ACCEPTED, S.CANCELLED, S.CANCELLED)
        assert {one.id for one in (await account.view()).working} == {bracket.id, f"{bracket.stop}.again", f"{bracket.target}.again"}
        await bracket.fill("entry", 10)
        await bracket.until_again()
        await bracket.assert_safe()


async def test_exits_that_a_person_takes_back_never_leave_again(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        await bracket.fill("entry", 4)
        await until(account, lambda: bracket.row(bracket.id).filled_qty == 4)
        await account.cancel(bracket.stop)
        await bracket.until(S.CANCELLED, S.CANCELLED, S.CANCELLED)  # at this broker one of them ends all
        await account.desk.reconcile()
        assert await bracket.posts() == 1
    async with by_hand(tmp_path, server) as account:
        await account.desk.reconcile()
        assert account.desk.state.positions() == {"SPY": D(4)}
        assert (await account.view()).working == ()
        assert await bracket.posts() == 1


async def test_taking_all_back_takes_all_back(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        await bracket.fill("entry", 4)
        await until(account, lambda: bracket.row(bracket.id).filled_qty == 4)
        assert await account.cancel_all() == 3
        await bracket.until(S.CANCELLED, S.CANCELLED, S.CANCELLED)
        await account.desk.reconcile()
        assert (await bracket.posts(), (await account.view()).working) == (1, ())


async def test_a_position_is_closed_beside_a_bracket_that_waits(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await status(account, await account.place(order(qty=3)), S.FILLED)
        bracket = await taken(account, server)
        server.book.forbids_wash_trades = False
        await status(account, await account.close("SPY", account.run.id), S.FILLED)
        assert bracket.ours() == [S.ACCEPTED, S.ACCEPTED, S.ACCEPTED]
        await bracket.fill("entry", 10)
        await bracket.until(S.FILLED, S.ACCEPTED, S.ACCEPTED)
        await status(account, await account.close("SPY", account.run.id), S.FILLED)
        assert bracket.ours() == [S.FILLED, S.CANCELLED, S.CANCELLED]
        await bracket.assert_safe()
        assert account.desk.state.positions() == {}


async def test_what_a_bracket_has_bought_in_part_is_closed_with_all_of_it(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        await bracket.fill("entry", 4)
        await until(account, lambda: bracket.row(bracket.id).filled_qty == 4)
        await status(account, await account.close("SPY", account.run.id), S.FILLED)
        assert bracket.ours() == [S.CANCELLED, S.CANCELLED, S.CANCELLED]  # its exits would be over more than is held
        await account.desk.reconcile()
        await bracket.assert_safe()
        assert (account.desk.state.positions(), await bracket.posts()) == ({}, 2)


async def test_the_kill_switch_takes_entry_and_exits_back(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        await bracket.fill("entry", 4)
        await until(account, lambda: bracket.row(bracket.id).filled_qty == 4)
        account.desk.state.set_level(None, SwitchLevel.CANCEL_ALL)
        assert await account.desk.cancel_working(account.run.id) == 0
        await bracket.until_again(S.REJECTED)  # said, as all that the switch keeps back
        await bracket.assert_safe()
        assert await bracket.posts() == 1


# --- other terms ---


async def test_an_exit_takes_another_price_before_and_after_its_entry_filled(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        await account.change(bracket.stop, OrderTerms(stop_price=D(385)))
        await until(account, lambda: bracket.row(bracket.stop).request.stop_price == 385)
        await bracket.fill("entry", 10)
        await bracket.until(S.FILLED, S.ACCEPTED, S.ACCEPTED)
        await account.change(bracket.target, OrderTerms(limit_price=D(415)))
        await until(account, lambda: bracket.row(bracket.target).request.limit_price == 415)
        await account.desk.reconcile()
        await bracket.assert_safe()
    async with by_hand(tmp_path, server) as account:
        bracket = found(account, server, bracket)
        assert bracket.ours() == [S.FILLED, S.ACCEPTED, S.ACCEPTED]
        await bracket.fill("stop", 10)
        await bracket.until(S.FILLED, S.CANCELLED, S.FILLED)
        await bracket.assert_safe()


async def test_what_an_exit_filled_before_it_was_changed_is_ours_after_a_restart_too(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        await bracket.fill("entry", 10)
        await bracket.fill("stop", 4)
        await until(account, lambda: bracket.row(bracket.stop).filled_qty == 4)
        await account.change(bracket.stop, OrderTerms(stop_price=D(385)))
        await until(account, lambda: bracket.row(bracket.stop).request.stop_price == 385)
    async with by_hand(tmp_path, server) as account:
        bracket = found(account, server, bracket)
        await account.desk.reconcile()
        await bracket.assert_safe()
        assert account.desk.state.positions() == {"SPY": D(6)}
        await bracket.fill("stop", 6)
        await bracket.until(S.FILLED, S.CANCELLED, S.FILLED)
        await bracket.assert_safe()


async def test_an_entry_takes_another_price_with_its_exits(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        await account.change(bracket.id, OrderTerms(limit_price=D(395)))
        await until(account, lambda: bracket.row(bracket.id).request.limit_price == 395)
        await account.desk.reconcile()
        await bracket.fill("entry", 10)
        await bracket.until(S.FILLED, S.ACCEPTED, S.ACCEPTED)
        await bracket.fill("target", 10)
        await bracket.until(S.FILLED, S.FILLED, S.CANCELLED)
        await bracket.assert_safe()
        assert await bracket.posts() == 1


async def test_all_of_them_stay_over_one_quantity(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        for each in (bracket.id, bracket.target, bracket.stop):
            with pytest.raises(InvalidValue, match="over one quantity"):
                await account.change(each, OrderTerms(qty=D(7)))
        await bracket.fill("entry", 4)
        await until(account, lambda: bracket.row(bracket.id).filled_qty == 4)
        with pytest.raises(InvalidValue, match="a part of it is filled"):
            await account.change(bracket.id, OrderTerms(limit_price=D(395)))
        assert not [name for name in server.requests if name.startswith("PATCH")]


async def test_a_part_that_filled_while_the_entry_was_changed_ends_its_rest(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        await bracket.do(lambda: setattr(server, "mischief", Mischief.MISSING))
        await bracket.fill("entry", 4)  # nobody hears of it
        await account.change(bracket.id, OrderTerms(limit_price=D(395)))
        await bracket.until_again()
        assert bracket.ours() == [S.CANCELLED, S.CANCELLED, S.CANCELLED]
        assert account.desk.state.positions() == {"SPY": D(4)}
        await bracket.do(lambda: setattr(server, "mischief", Mischief.NONE))
        await bracket.assert_safe()


# --- what is not heard, and the program that is off ---


@pytest.mark.parametrize("mischief", [Mischief.DOUBLED, Mischief.MISSING, Mischief.REVERSED], ids=lambda one: one.value)
async def test_updates_that_come_twice_or_not_come_to_the_same(tmp_path: Path, server: FakeBroker, mischief: Mischief) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        await bracket.do(lambda: setattr(server, "mischief", mischief))
        for what, qty in (("entry", 4), ("entry", 6), ("target", 3), ("target", 7)):
            await bracket.fill(what, qty)
        await account.desk.reconcile()
        await bracket.until(S.FILLED, S.FILLED, S.CANCELLED)
        await bracket.assert_safe()
        assert await bracket.posts() == 1


@pytest.mark.parametrize("what", ["entry", "target", "stop"])
async def test_what_ends_with_another_is_asked_for_where_nobody_tells_of_it(tmp_path: Path, server: FakeBroker, what: str) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        tell = server.book.tell
        ended = {"n": 0}

        def keep_back(update: Document) -> None:
            """Let one end be told of, and no other."""
            ended["n"] += update["event"] == "canceled"
            if update["event"] != "canceled" or (what == "entry" and ended["n"] == 1):
                tell(update)

        await bracket.do(lambda: setattr(server.book, "tell", keep_back))
        if what == "entry":
            await bracket.end("canceled")
            await bracket.until(S.CANCELLED, S.CANCELLED, S.CANCELLED)
        else:
            await bracket.fill("entry", 10)
            await bracket.fill(what, 10)
            await bracket.until(S.FILLED, *((S.FILLED, S.CANCELLED) if what == "target" else (S.CANCELLED, S.FILLED)))


async def test_a_target_that_is_replaced_by_the_stop_is_over(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
        await bracket.fill("entry", 10)
        book = server.book

        def trigger() -> None:  # Alpaca has been seen to call it so
            target, stop = book.by_client_id(bracket.id)["legs"]
            target["status"], target["replaced_by"] = "replaced", stop["id"]
            book._say("replaced", target)
            book.fill(stop["id"], "10", "380")

        await bracket.do(trigger)
        await bracket.until(S.FILLED, S.CANCELLED, S.FILLED)
        await account.desk.reconcile()
        await bracket.assert_safe()
        assert account.desk.state.positions() == {}


@pytest.mark.parametrize(
    "steps", [("entry 4",), ("entry 10",), ("entry 10", "target 4"), ("entry 10", "target 10"), ("entry 10", "stop 10"), ("entry 4", "end")]
)
async def test_all_of_it_goes_on_while_the_program_is_off(tmp_path: Path, server: FakeBroker, steps: tuple[str, ...]) -> None:
    async with by_hand(tmp_path, server) as account:
        bracket = await taken(account, server)
    for step in steps:
        what, _, qty = step.partition(" ")
        await (bracket.fill(what, int(qty)) if qty else bracket.end("canceled"))
    for _ in range(2):  # and once more, as nothing happened
        async with by_hand(tmp_path, server) as account:
            bracket = found(account, server, bracket)
            if "end" in steps:
                await bracket.until_again()
            await account.desk.reconcile()
            await bracket.assert_safe()
            assert await bracket.posts() == 1 + ("end" in steps)
    if steps == ("entry 10", "target 4"):
        async with by_hand(tmp_path, server) as account:
            bracket = found(account, server, bracket)
            await bracket.fill("target", 3)
            await until(account, lambda: bracket.row(bracket.target).filled_qty == 7)
            await bracket.fill("stop", 3)
            await bracket.until(S.FILLED, S.CANCELLED, S.CANCELLED)
            assert not [name for name in server.requests if name.startswith("DELETE")]  # the broker minds them after a restart, too
