"""A position that is held already gets a target and a stop from its owner, at a broker over HTTP."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.errors import InvalidValue
from core.events.live_payloads import OrderAskedByHand
from core.model.hand import OUTSIDE, HandExits, HandOrder
from core.model.order import Order, OrderSide, OrderStatus, RejectCode, TimeInForce
from core.model.risk import RiskLimits, SwitchLevel
from core.runs.hand_account import HandAccount
from tests.broker.bench import fake_broker
from tests.broker.book import Holding
from tests.broker.faults import Fault, Way
from tests.broker.server import FakeBroker
from tests.integration.trading.hand_over_http import by_hand
from tests.integration.trading.test_owed_exits_over_http import REFUSED, pair, said_bare, so
from tests.integration.trading.test_partial_close_over_http import held, held_with, until, working

S, D = OrderStatus, Decimal
BOTH: dict[str, Any] = {"target_price": D(420), "stop_loss_price": D(380)}


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker() as server:
        yield server


def exits(account: HandAccount, symbol: str = "SPY", **terms: Any) -> HandExits:
    return HandExits(**{"symbol": symbol, "owner_id": account.run.id, **(terms or BOTH)})


async def given(account: HandAccount, status: OrderStatus = S.ACCEPTED, **terms: Any) -> list[Order]:
    """Give the position exits, and wait for the broker's word."""
    placed = await account.protect(exits(account, **terms))
    for order in placed:
        await until(account, order.id, status)
    return [account.desk.state.lives[order.id].order for order in placed]


async def test_a_target_and_a_stop_leave_as_one_order_that_the_broker_minds(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account)
        (position,) = (await account.view()).positions
        assert position.open_qty == 10
        preview = await account.preview_exits(exits(account))
        assert (preview.exits_leave, preview.qty, preview.is_allowed) == ("as one order", D(10), True)
        cost = position.avg_price or D(0)
        assert (preview.at_target, preview.at_stop_loss) == (10 * (D(420) - cost), 10 * (D(380) - cost))
        assert working(server) == []

        stop, target = await given(account)
        assert working(server) == pair(10)
        assert (stop.sibling_id, target.sibling_id, stop.time_in_force) == (target.id, stop.id, TimeInForce.GTC)
        assert all(order.request.reduce_only for order in (stop, target))
        asked = [event.payload for event in await account._log.read(pattern=OrderAskedByHand.wire)]
        assert asked[-2:] == [OrderAskedByHand(order_id=order.id, what="place") for order in (stop, target)]
        (position,) = (await account.view()).positions
        assert position.open_qty == 0

        server.do(lambda: server.book.fill(target.broker_id or "", "10", "420"))
        await until(account, target.id, S.FILLED)
        await until(account, stop.id, S.CANCELLED)
        assert (held(server), working(server)) == ({}, [])


@pytest.mark.parametrize(("terms", "left"), [({"target_price": D(420)}, "limit"), ({"stop_loss_price": D(380)}, "stop")])
async def test_one_of_the_two_leaves_alone(tmp_path: Path, server: FakeBroker, terms: dict[str, Any], left: str) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account)
        (order,) = await given(account, qty=D(4), **terms)
        assert (working(server), order.sibling_id) == ([(left, "4", "")], None)
        assert (await account.preview_exits(exits(account))).open_qty == 6
        await given(account, **BOTH)
        assert sorted(working(server)) == sorted([(left, "4", ""), *pair(6)])


async def test_exits_are_over_no_more_than_is_held_and_nothing_closes_yet(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        with pytest.raises(InvalidValue, match=r"SPY cannot be given exits: nothing of it is held\."):
            await account.protect(exits(account))
        await held_with(account)
        with pytest.raises(InvalidValue, match=r"The quantity cannot be 11: the position is 10\."):
            await account.protect(exits(account, qty=D(11), **BOTH))
        await given(account, qty=D(6), **BOTH)
        with pytest.raises(InvalidValue, match=r"The quantity cannot be 5: 10 are held, and orders that close them are over all but 4\."):
            await account.protect(exits(account, qty=D(5), **BOTH))
        await given(account)
        with pytest.raises(InvalidValue, match="orders that close it are over all of it already, or are owed to it; change"):
            await account.protect(exits(account, target_price=D(430)))
        assert sorted(working(server)) == sorted([*pair(6), *pair(4)])


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"target_price": D(380), "stop_loss_price": D(390)}, "The target cannot be 380: it must be above the stop loss, which is 390."),
        ({"target_price": D(390)}, r"The target cannot be 390: SPY is at .*, where it would fill at once; it must be above that"),
        ({"stop_loss_price": D(410)}, r"The stop loss cannot be 410: SPY is at .*, where it would fill at once; it must be below that"),
        ({"stop_loss_price": D(0)}, "The stop loss cannot be 0: it must be above zero."),
        ({"qty": D(1)}, "give a target, a stop loss, or both."),
    ],
)
async def test_prices_on_the_wrong_side_are_refused(tmp_path: Path, server: FakeBroker, terms: dict[str, Any], words: str) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account)
        for asked in (account.preview_exits, account.protect):
            with pytest.raises(InvalidValue, match=words):
                await asked(exits(account, **terms))
        assert working(server) == []


async def test_a_short_position_has_its_exits_the_other_way_round(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        short = await account.place(HandOrder(symbol="SPY", side=OrderSide.SELL, qty=D(10)))
        await until(account, short.id, S.FILLED)
        with pytest.raises(InvalidValue, match="it must be below the stop loss, which is 380"):
            await account.protect(exits(account))
        stop, target = await given(account, target_price=D(380), stop_loss_price=D(420))
        assert {stop.request.side, target.request.side} == {OrderSide.BUY}
        assert sorted(working(server)) == sorted(pair(10))


async def test_the_kill_switch_refuses_them_at_halt_and_lets_them_go_where_only_reducing_is_allowed(
    tmp_path: Path, server: FakeBroker
) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account)
        account.desk.state.set_level(None, SwitchLevel.HALT)
        preview = await account.preview_exits(exits(account))
        assert [one.code for one in preview.verdicts] == [RejectCode.RISK_HALTED]
        refused = await given(account, S.REJECTED)
        assert [order.reject_code for order in refused] == 2 * [RejectCode.RISK_HALTED]
        account.desk.state.set_level(None, SwitchLevel.REDUCE_ONLY)
        assert (await account.preview_exits(exits(account))).is_allowed
        await given(account)
        assert working(server) == pair(10)


async def test_all_or_nothing_leaves_where_the_gate_refuses_one_of_them(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account)
        account.desk.state.limits = RiskLimits(max_orders_per_minute=2)  # the entry was one
        (verdict,) = (await account.preview_exits(exits(account))).verdicts
        assert verdict.code == RejectCode.RISK_ORDER_RATE
        with pytest.raises(InvalidValue, match="SPY cannot be given both exits: Risk rule orders per minute: the limit is 2"):
            await account.protect(exits(account))
        assert working(server) == []


async def test_what_the_broker_refuses_is_said_of_both(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account)
        server.fail(Fault("POST /v2/orders", Way.STATUS, 403, body='{"code": 40310000, "message": "restricted"}'))
        refused = await given(account, S.REJECTED)
        assert ["restricted" in (order.reason or "") for order in refused] == [True, True]
        await given(account)
        assert working(server) == pair(10)


async def test_closing_a_part_sends_them_again_over_what_stays(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account)
        await given(account)
        closing = await account.close("SPY", account.run.id, D(4))
        await until(account, closing.id, S.FILLED)
        await so(account, server, pair(6))
        assert held(server) == {"SPY": "6"}


async def test_a_closing_that_is_refused_brings_them_back(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account)
        await given(account)
        server.fail(Fault("POST /v2/orders", Way.STATUS, 403, body='{"code": 40310000, "message": "restricted"}'))
        closing = await account.close("SPY", account.run.id)
        await until(account, closing.id, S.REJECTED)
        await so(account, server, pair(10))


async def test_closing_and_reversing_take_them_away(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account)
        await given(account)
        await account.reverse("SPY", account.run.id)
        async with asyncio.timeout(20):
            while account.desk.state.books[account.run.id].held("SPY") != -10 or account._owed.owes:
                await account.desk.state.moved()
        assert (held(server), working(server)) == ({"SPY": "-10"}, [])
        await given(account, target_price=D(380), stop_loss_price=D(420))
        closing = await account.close("SPY", account.run.id)
        await until(account, closing.id, S.FILLED)
        await so(account, server, [])
        assert held(server) == {}


async def test_cancelling_one_by_hand_takes_the_other_back(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account)
        stop, target = await given(account)
        await account.cancel(target.id)
        await until(account, stop.id, S.CANCELLED)
        assert (await account.view()).positions[0].open_qty == 10
        await given(account)
        assert working(server) == pair(10)


async def test_a_program_that_starts_anew_knows_the_pair(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account)
        stop, target = await given(account)
    async with by_hand(tmp_path, server) as account:
        assert (await account.view()).positions[0].open_qty == 0
        server.do(lambda: server.book.fill(target.broker_id or "", "10", "420"))
        await until(account, target.id, S.FILLED)
        await until(account, stop.id, S.CANCELLED)
        assert account.desk.state.books[account.run.id].held("SPY") == 0


async def test_what_was_bought_elsewhere_takes_one_of_the_two(tmp_path: Path, server: FakeBroker) -> None:
    server.book.holdings["SPY"] = Holding(qty=D(10), cost=D(4_000))
    async with by_hand(tmp_path, server) as account:
        with pytest.raises(InvalidValue, match="SPY cannot be given both exits: what no order of ours bought takes one of the two"):
            await account.protect(exits(account, owner_id=OUTSIDE, **BOTH))
        (stop,) = await given(account, owner_id=OUTSIDE, stop_loss_price=D(380))
        assert (working(server), stop.request.reduce_only) == ([("stop", "10", "")], False)


async def test_a_pair_that_the_broker_takes_as_two_orders_the_program_minds(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        state = account.desk.state
        state.features = msgspec.structs.replace(state.features, order_classes=frozenset())
        short = await account.place(HandOrder(symbol="SPY", side=OrderSide.SELL, qty=D(10)))
        await until(account, short.id, S.FILLED)
        terms: dict[str, Any] = {"target_price": D(380), "stop_loss_price": D(420)}
        assert (await account.preview_exits(exits(account, **terms))).exits_leave == "each by itself"
        stop, target = await given(account, **terms)
        assert sorted(working(server)) == [("limit", "10", ""), ("stop", "10", "")]
        assert (await account.view()).positions[0].open_qty == 0
        server.do(lambda: server.book.fill(target.broker_id or "", "10", "380"))
        await until(account, stop.id, S.CANCELLED)
        assert (held(server), working(server)) == ({}, [])


async def test_of_fractions_the_stop_stands_where_the_broker_holds_their_units_back(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        entry = await account.place(HandOrder(symbol="SPY", side=OrderSide.BUY, qty=D("2.5")))
        await until(account, entry.id, S.FILLED)
        stop, target = await account.protect(exits(account))
        await until(account, stop.id, S.ACCEPTED)
        await until(account, target.id, S.REJECTED)
        assert (working(server), stop.time_in_force) == ([("stop", "2.5", "")], TimeInForce.DAY)


async def test_what_is_owed_its_exits_gets_no_others(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await held_with(account)
        await given(account)
        server.fail(*[REFUSED] * 4)
        await until(account, (await account.close("SPY", account.run.id)).id, S.REJECTED)
        await said_bare(account)
        assert (await account.view()).positions[0].open_qty == 0
        with pytest.raises(InvalidValue, match="or are owed to it"):
            await account.protect(exits(account))


async def test_exits_that_wait_for_their_entry_count_over_what_it_has_filled(tmp_path: Path, server: FakeBroker) -> None:
    server.book.hold = True
    async with by_hand(tmp_path, server) as account:
        account.desk.state.features = msgspec.structs.replace(account.desk.state.features, order_classes=frozenset())
        entry = await account.place(HandOrder(symbol="SPY", side=OrderSide.BUY, qty=D(10), **BOTH))
        await until(account, entry.id, S.ACCEPTED)
        server.do(lambda: server.book.fill(server.book.by_client_id(entry.id)["id"], "6", "400"))
        await until(account, entry.id, S.PARTIALLY_FILLED)
        (position,) = (await account.view()).positions
        assert (position.qty, position.open_qty) == (D(6), D(0))
