"""A strategy leaves a position at Alpaca though its exits hold the units back: they make way, over HTTP and websockets."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import InvalidValue
from core.events.live_payloads import ExitsOwed, ExitsOwedNoMore, LeftBare
from core.model.broker import AccountName
from core.model.order import OrderStatus, RejectCode
from core.model.risk import SwitchLevel
from core.model.run import RunStatus
from core.runs import covers
from tests.broker.faults import Fault, Way
from tests.unit.runs.making_way import leaving

D, S = Decimal, OrderStatus
POST = "POST /v2/orders"
REFUSED = Fault(POST, Way.STATUS, 403, body='{"code": 40310000, "message": "account is restricted to liquidation only"}')
PAIR = {("limit", "10"), ("stop", "10")}


@pytest.mark.parametrize("how", ["self.close_position()", "self.sell(10)", "self.sell(10, limit=390)"])
@pytest.mark.parametrize("kind", ["bracket", "oco", "stop"])
async def test_all_of_it_is_closed(tmp_path: Path, kind: str, how: str) -> None:
    async with leaving(tmp_path, kind) as scene:
        scene.leave(how)
        await scene.fills(2)
        assert (await scene.held(), scene.at_broker()) == (0, 0)
        await scene.so(set())
        sales = [one for one in scene.desk.sent() if one["side"] == "sell" and one["status"] == "filled"]
        assert [one["filled_qty"] for one in sales] == ["10"]
        assert [order for order in (await scene.rows()).values() if order.status is S.REJECTED] == []
        assert len(await scene.desk.until(ExitsOwed.wire)) == len(await scene.desk.until(ExitsOwedNoMore.wire)) == 1
        await scene.desk.runs.stop(scene.run.id)


@pytest.mark.parametrize(
    ("kind", "left"), [("bracket", {("limit", "6"), ("stop", "6")}), ("oco", {("limit", "6"), ("stop", "6")}), ("stop", {("stop", "6")})]
)
async def test_a_part_of_it_is_closed_and_the_rest_keeps_its_exits(tmp_path: Path, kind: str, left: set[tuple[str, str]]) -> None:
    async with leaving(tmp_path, kind) as scene:
        scene.leave("self.sell(4)")
        await scene.fills(2)
        await scene.so(left)
        assert (await scene.held(), scene.at_broker()) == (6, 6)
        assert scene.sales() == [("4", "4", "filled")]
        await scene.desk.runs.stop(scene.run.id)


async def test_coins_are_sold_though_their_exit_works(tmp_path: Path) -> None:
    async with leaving(tmp_path, "coin", "BTC/USD") as scene:
        scene.leave("self.close_position()")
        await scene.fills(2)
        await scene.so(set())
        (sale,) = scene.sales()
        assert sale[0] == sale[1]
        assert scene.at_broker() == 0
        await scene.desk.runs.stop(scene.run.id)


async def test_a_fraction_is_sold_though_its_exit_works(tmp_path: Path) -> None:
    async with leaving(tmp_path, "fraction") as scene:
        scene.leave("self.close_position()")
        await scene.fills(2)
        await scene.so(set())
        assert (scene.sales(), scene.at_broker()) == ([("0.5", "0.5", "filled")], 0)
        await scene.desk.runs.stop(scene.run.id)


async def test_what_was_sold_short_is_bought_back(tmp_path: Path) -> None:
    async with leaving(tmp_path, "short") as scene:
        scene.leave("self.close_position()")
        await scene.fills(2)
        await scene.so(set())
        assert (await scene.held(), scene.at_broker()) == (0, 0)
        await scene.desk.runs.stop(scene.run.id)


@pytest.mark.parametrize("how", ["self.sell(10, limit=700)", "self.sell(10, time_in_force='cls')", "self.sell(20)"])
async def test_what_does_not_leave_now_takes_no_exit_away(tmp_path: Path, how: str) -> None:
    async with leaving(tmp_path, "bracket") as scene:
        scene.leave(how)
        refused = await scene.refused()
        assert refused.reject_code is RejectCode.BROKER_REFUSED
        assert scene.working() == PAIR
        assert await scene.desk.store.log.read(pattern=ExitsOwed.wire) == []
        await scene.desk.runs.stop(scene.run.id)


async def test_a_closing_that_the_broker_refuses_brings_the_exits_back(tmp_path: Path) -> None:
    async with leaving(tmp_path, "bracket") as scene:
        scene.desk.server.fail(REFUSED)
        scene.leave("self.close_position()")
        assert "restricted to liquidation" in ((await scene.refused()).reason or "")
        await scene.so(PAIR)
        assert (await scene.held(), scene.at_broker()) == (10, 10)
        notes = [one.text for one in await scene.desk.until("strategy.Noted")]
        await scene.desk.until("strategy.Noted", len(notes) + 2)
        assert [one.text for one in await scene.desk.until("strategy.Noted")][-1] == "in.stop in.target"
        await scene.desk.runs.stop(scene.run.id)


async def test_a_cancel_that_comes_too_late_leaves_the_position_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covers, "PATIENCE_S", 0.5)
    async with leaving(tmp_path, "bracket") as scene:
        scene.desk.server.book.cancel_slowly = True
        scene.leave("self.close_position()")
        refused = await scene.refused()
        assert refused.reason is not None
        assert refused.reason.startswith("SPY was not closed: the broker has not cancelled yet what works to close it")
        scene.end_cancels()
        await scene.so(PAIR)
        assert (scene.sales(), scene.at_broker()) == ([], 10)
        scene.desk.server.book.cancel_slowly = False
        await scene.desk.runs.stop(scene.run.id)


async def test_a_cancel_that_is_refused_leaves_the_position_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covers, "PATIENCE_S", 0.5)
    async with leaving(tmp_path, "bracket") as scene:
        body = '{"code": 40310000, "message": "order cannot be cancelled now"}'
        scene.desk.server.fail(*[Fault("DELETE /v2/orders", Way.STATUS, 403, body=body)] * 4)
        scene.leave("self.close_position()")
        refused = await scene.refused()
        assert (refused.reject_code, scene.sales(), scene.at_broker()) == (RejectCode.NEVER_SENT, [], 10)
        await scene.so(PAIR)  # the cancel was taken in the end, and the exits are back
        await scene.desk.runs.stop(scene.run.id)


@pytest.mark.parametrize(("filled", "sold"), [(3, [("7", "7", "filled")]), (10, [])])
async def test_what_an_exit_sells_meanwhile_is_not_sold_again(tmp_path: Path, filled: int, sold: list[tuple[str, str, str]]) -> None:
    async with leaving(tmp_path, "bracket") as scene:
        scene.desk.server.book.cancel_slowly = True
        scene.leave("self.sell(10)")
        await scene.asked_back()
        (target,) = [one["id"] for one in scene.desk.sent() if (one["type"], one["side"]) == ("limit", "sell")]
        scene.desk.fill(target, str(filled), "900")
        scene.end_cancels()
        if sold:
            await scene.fills(2)
        else:
            assert "one of its exits has closed it just now" in ((await scene.refused()).reason or "")
        await scene.so(set())
        assert (await scene.held(), scene.at_broker(), scene.sales()) == (0, 0, sold)
        scene.desk.server.book.cancel_slowly = False
        await scene.desk.runs.stop(scene.run.id)


async def test_a_strategy_that_says_it_again_sells_once_and_goes_on_deciding_meanwhile(tmp_path: Path) -> None:
    async with leaving(tmp_path, "bracket") as scene:
        scene.desk.server.book.cancel_slowly = True
        scene.leave("self.left = not self.held() or not self.sell(10, ref=f'out{bar.start_ns}')")
        await scene.asked_back()
        count = len(await scene.desk.until("strategy.Noted"))
        notes = [one.text for one in await scene.desk.until("strategy.Noted", count + 3)]
        assert sum(ref.startswith("out") for ref in notes[-1].split()) >= 2
        scene.end_cancels()
        await scene.fills(2)
        await scene.so(set())
        assert (scene.sales(), await scene.held(), scene.at_broker()) == ([("10", "10", "filled")], 0, 0)
        await scene.desk.until("orders.Rejected")
        others = [order for order in (await scene.rows()).values() if order.status is S.REJECTED]
        assert {order.reject_code for order in others} == {RejectCode.INSUFFICIENT_POSITION}
        scene.desk.server.book.cancel_slowly = False
        await scene.desk.runs.stop(scene.run.id)


async def test_a_closing_that_waits_is_taken_back_and_the_exits_return(tmp_path: Path) -> None:
    async with leaving(tmp_path, "bracket") as scene:
        scene.desk.server.book.cancel_slowly = True
        scene.leave(
            "self.n = vars(self).get('n', 0) + 1; self.left = self.n > 1; self.cancel('out') if self.left else self.sell(10, ref='out')"
        )
        await scene.asked_back()
        await scene.desk.until("strategy.CancelRequest")
        scene.end_cancels()
        assert (await scene.refused()).reason == "It was cancelled before it left."
        await scene.so(PAIR)
        assert (scene.sales(), scene.at_broker()) == ([], 10)
        scene.desk.server.book.cancel_slowly = False
        await scene.desk.runs.stop(scene.run.id)


async def test_exits_that_the_strategy_cancels_itself_do_not_come_back(tmp_path: Path) -> None:
    async with leaving(tmp_path, "bracket") as scene:
        scene.desk.server.fail(REFUSED)
        scene.leave("self.cancel('in.stop'); self.close_position()")
        await scene.refused()
        await scene.so(set())
        assert (await scene.held(), scene.at_broker()) == (10, 10)
        await scene.desk.runs.stop(scene.run.id)


async def test_what_is_wanted_of_the_symbol_meanwhile_leaves_after_it(tmp_path: Path) -> None:
    async with leaving(tmp_path, "bracket") as scene:
        scene.leave("self.sell(4); self.oco('sell', 6, limit=800, stop=200, time_in_force='gtc', reduce_only=True)")
        await scene.fills(2)
        refused = await scene.desk.until("orders.Rejected", 2)  # the exits over the rest are there already
        assert len(refused) == 2
        await scene.so({("limit", "6"), ("stop", "6")})
        assert (scene.sales(), scene.at_broker()) == ([("4", "4", "filled")], 6)
        await scene.desk.runs.stop(scene.run.id)


async def test_a_position_is_turned_around_by_two_orders_of_one_decision(tmp_path: Path) -> None:
    async with leaving(tmp_path, "bracket") as scene:
        scene.leave("self.close_position(); self.sell(5)")
        await scene.fills(3)
        await scene.so(set())
        assert (await scene.held(), scene.at_broker()) == (-5, -5)
        assert scene.sales() == [("10", "10", "filled"), ("5", "5", "filled")]
        await scene.desk.runs.stop(scene.run.id)


async def test_what_opens_the_other_way_waits_until_the_closing_has_filled(tmp_path: Path) -> None:
    async with leaving(tmp_path, "bracket") as scene:
        book = scene.desk.server.book
        book.holds_sales = True
        scene.leave("self.close_position(); self.sell(5)")
        await asyncio.to_thread(scene.desk.server.wait_for, lambda: scene.sales() == [("10", "0", "new")])
        await scene.desk.until("strategy.Noted", len(await scene.desk.until("strategy.Noted")) + 1)
        assert scene.sales() == [("10", "0", "new")]
        book.holds_sales = False
        (sale,) = [one["id"] for one in scene.desk.sent() if (one["side"], one["type"]) == ("sell", "market")]
        scene.desk.fill(sale, "10", "400")
        await scene.fills(3)
        assert (scene.sales(), scene.at_broker()) == ([("10", "10", "filled"), ("5", "5", "filled")], -5)
        await scene.desk.runs.stop(scene.run.id)


async def test_a_run_that_is_stopped_meanwhile_sells_nothing(tmp_path: Path) -> None:
    async with leaving(tmp_path, "bracket") as scene, asyncio.TaskGroup() as group:
        scene.desk.server.book.cancel_slowly = True
        scene.leave("self.sell(10)")
        await scene.asked_back()
        stopping = group.create_task(scene.desk.runs.stop(scene.run.id))
        assert (await scene.refused()).reason == "Its run ended before its exits had made way."
        scene.end_cancels()
        assert (await stopping).status is RunStatus.STOPPED
        assert (scene.sales(), scene.working(), scene.at_broker()) == ([], set(), 10)


async def test_a_person_is_told_that_it_is_under_way_and_closes_it_after_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covers, "PATIENCE_S", 2.0)
    async with leaving(tmp_path, "bracket") as scene:
        hand = await scene.desk.runs.connect_by_hand("alpaca", AccountName.PAPER, "")
        scene.desk.server.book.cancel_slowly = True
        scene.leave("self.sell(10)")
        await scene.asked_back()
        with pytest.raises(InvalidValue, match="under way already"):
            await hand.close("SPY", scene.run.id)
        await scene.refused()
        scene.desk.server.book.cancel_slowly = False
        scene.end_cancels()
        await scene.so(PAIR)
        await hand.close("SPY", scene.run.id)
        await scene.fills(2)
        await scene.so(set())
        assert (scene.sales(), scene.at_broker()) == ([("10", "10", "filled")], 0)
        await scene.desk.runs.stop(scene.run.id)


@pytest.mark.parametrize(("level", "sold"), [(SwitchLevel.HALT, 0), (SwitchLevel.CANCEL_ALL, 0), (SwitchLevel.FLATTEN, 1)])
async def test_the_kill_switch_comes_first(tmp_path: Path, level: SwitchLevel, sold: int) -> None:
    async with leaving(tmp_path, "bracket") as scene:
        hand = await scene.desk.runs.connect_by_hand("alpaca", AccountName.PAPER, "")
        scene.desk.server.book.cancel_slowly = True
        scene.leave("self.sell(10)")
        await scene.asked_back()
        await scene.throw(level)
        async with asyncio.timeout(20):
            await hand.desk.state.until(lambda: hand.desk.level(scene.run.id) is level)
        scene.desk.server.book.cancel_slowly = False
        scene.end_cancels()
        refused = await scene.refused()
        if sold:
            await scene.fills(2)
        assert refused.reject_code in {RejectCode.RISK_HALTED, RejectCode.NEVER_SENT, RejectCode.INSUFFICIENT_POSITION}
        assert (len(scene.sales()), scene.at_broker()) == (sold, 0 if sold else 10)
        if level is SwitchLevel.HALT:
            await scene.desk.until(LeftBare.wire)
            assert hand.desk.level(scene.run.id) is SwitchLevel.HALT
            await scene.throw(SwitchLevel.OFF)
            await scene.so(PAIR)
        await scene.desk.runs.stop(scene.run.id)
