"""A person trades at an account of the simulated market, beside its runs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.brokers.sim import ID
from core.brokers.sim_market import SYMBOLS
from core.clock.realtime import SystemClock
from core.data.desk import DataDesk
from core.engine import Engine
from core.errors import HeldElsewhere, InputError, NotArmed, NotConnected, UnknownName
from core.model.broker import AccountName, BrokerOrderRequest
from core.model.desk import Desk, LeaseKind
from core.model.hand import OUTSIDE, AccountView, HandOrder, OrderTerms, TradingAccount
from core.model.order import Order, OrderSide, OrderStatus, OrderType, TimeInForce
from core.model.risk import RiskLimits, SwitchLevel
from core.model.run import RunMode, RunStatus
from core.ports import Broker
from core.runs.hand_account import HandAccount
from core.runs.history import RunHistories
from core.store.database import DatabaseStore
from core.strategy.loader import StrategyLoader
from tests.unit.runs.lasting import LastingSource, lasting
from tests.unit.runs.live_desk import LiveScene, live

PAPER = AccountName.PAPER


def buy(qty: int = 2, symbol: str = "DEMO/USD", **terms: Any) -> HandOrder:
    return HandOrder(symbol=symbol, side=OrderSide.BUY, qty=Decimal(qty), **terms)


class HandScene:
    """What a test holds in its hands."""

    def __init__(self, scene: LiveScene, account: HandAccount) -> None:
        self.scene, self.account = scene, account
        self.store = scene.store
        self.run_id = account.run.id

    async def until(self, order: Order, *statuses: OrderStatus) -> Order:
        lives = self.account.desk.state.lives
        await self.moved(lambda: lives[order.id].order.status in statuses)
        return lives[order.id].order

    async def moved(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            await self.account.desk.state.until(is_so)

    async def filled(self, order: HandOrder) -> Order:
        return await self.until(await self.account.place(order), OrderStatus.FILLED)

    async def view(self) -> AccountView:
        return await self.account.view()


@asynccontextmanager
async def lasting_hand(folder: Path, **options: Any) -> AsyncIterator[HandScene]:
    """At an account that outlives the program, on margin."""
    async with lasting(folder, **options) as scene:
        account = await scene.runs.connect_by_hand(ID, PAPER, "")
        while (await scene.broker.market.latest_quotes(["DEMO/USD"])) == {}:
            await account.desk.state.moved()
        yield HandScene(scene, account)


@asynccontextmanager
async def by_hand(folder: Path, **options: Any) -> AsyncIterator[HandScene]:
    async with live(folder, **options) as scene:
        account = await scene.runs.connect_by_hand(ID, PAPER, "")
        yield HandScene(scene, account)


async def test_where_a_trailing_stop_stands_is_seen(tmp_path: Path) -> None:
    async with by_hand(tmp_path) as hand:
        await hand.filled(buy(2))
        await hand.account._look()
        assert (await hand.view()).triggers == {}
        await hand.account.place(
            HandOrder(symbol="DEMO/USD", side=OrderSide.SELL, qty=Decimal(1), type=OrderType.LIMIT, limit_price=Decimal(10**6))
        )
        stop = await hand.account.place(
            HandOrder(symbol="DEMO/USD", side=OrderSide.SELL, qty=Decimal(1), type=OrderType.TRAILING_STOP, trail_percent=Decimal(50))
        )
        await hand.until(stop, OrderStatus.ACCEPTED)
        async with asyncio.timeout(20):
            while not (triggers := (await hand.view()).triggers):
                await hand.account.desk.state.moved()
                await hand.account._look()
        (price,) = [one.price for one in (await hand.view()).positions]
        assert price is not None
        assert list(triggers) == [stop.id]
        assert price * Decimal("0.4") < triggers[stop.id] < price * Decimal("0.6")


async def test_the_order_of_a_person_is_a_row_of_a_run_of_its_own(tmp_path: Path) -> None:
    async with by_hand(tmp_path) as hand:
        order = await hand.filled(buy(note="it looked cheap"))
        assert order.run_id == hand.run_id
        assert order.request.note == "it looked cheap"
        assert [one.id for one in await hand.store.runs.orders(hand.run_id)] == [order.id]
        told = [event.type for event in await hand.store.log.read(run_id=hand.run_id, pattern="*")]
        assert told[:5] == ["run.Created", "orders.AskedByHand", "orders.Created", "risk.Approved", "orders.Submitted"]
        assert told[-1] == "orders.Filled"
        position = (await hand.view()).positions[0]
        assert (position.owner, position.qty) == ("By hand", Decimal(2))
        events = await hand.store.log.read(run_id=hand.run_id, pattern="*")
        views = [await RunHistories(hand.store.log, SystemClock()).view_at(hand.run_id, event.seq) for event in events]
        assert [len(view.orders) for view in views[:3]] == [0, 0, 1]
        assert [one.qty for one in views[-1].positions] == [Decimal(2)]


async def test_from_the_fill_of_a_person_one_walks_back_to_what_was_asked(tmp_path: Path) -> None:
    async with by_hand(tmp_path) as hand:
        await hand.filled(buy())
        events = {event.id: event for event in await hand.store.log.read(run_id=hand.run_id, pattern="*")}
        at = next(event for event in events.values() if event.type == "orders.Filled")
        walked = [at.type]
        while at.causation_id in events:
            at = events[at.causation_id]
            walked.append(at.type)
        assert walked[-1] == "orders.AskedByHand"


async def test_the_book_of_a_person_is_in_no_list_of_runs_and_is_found_by_its_id(tmp_path: Path) -> None:
    async with by_hand(tmp_path) as hand:
        assert await hand.scene.runs.all() == []
        assert (await hand.scene.runs.get(hand.run_id)).config.is_by_hand


async def test_no_strategy_can_have_the_name_of_a_person_s_orders(tmp_path: Path) -> None:
    async with live(tmp_path) as scene:
        with pytest.raises(InputError, match="a person's own orders"):
            await scene.start("by-hand")


async def test_a_working_order_is_shown_and_cancelled(tmp_path: Path) -> None:
    async with by_hand(tmp_path) as hand:
        order = await hand.account.place(buy(type=OrderType.LIMIT, limit_price=Decimal(1)))
        await hand.until(order, OrderStatus.ACCEPTED)
        assert [one.id for one in (await hand.view()).working] == [order.id]
        await hand.account.cancel(order.id)
        await hand.until(order, OrderStatus.CANCELLED)
        assert (await hand.view()).working == ()


async def test_what_is_no_order_is_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    async with by_hand(tmp_path) as hand:
        with pytest.raises(InputError):
            await hand.account.place(buy(type=OrderType.LIMIT))
        with pytest.raises(UnknownName):
            await hand.account.cancel("nothing")
        with pytest.raises(UnknownName):
            await hand.account.place(buy(), run_id="nobody")
        assert await hand.store.runs.orders(hand.run_id) == []


async def test_an_account_that_is_let_go_is_not_there_and_its_orders_work_on(tmp_path: Path) -> None:
    async with by_hand(tmp_path) as hand:
        order = await hand.account.place(buy(type=OrderType.LIMIT, limit_price=Decimal(1)))
        await hand.until(order, OrderStatus.ACCEPTED)
        await hand.scene.runs.by_hand.disconnect(ID, PAPER)
        with pytest.raises(NotConnected):
            hand.scene.runs.by_hand.at(ID, PAPER)
        assert [one.status for one in await hand.store.runs.orders(hand.run_id)] == [OrderStatus.ACCEPTED]


# --- preview ---


async def test_a_preview_says_what_an_order_comes_to_and_sends_nothing(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        preview = await hand.account.preview(buy(3))
        assert (preview.qty, preview.price_source, preview.verdicts, preview.is_allowed) == (Decimal(3), "quote", (), True)
        assert preview.price is not None
        assert preview.cost == 3 * preview.price
        assert preview.buying_power_after == preview.buying_power - preview.cost
        assert preview.position_after == Decimal(3)
        assert await hand.store.runs.orders(hand.run_id) == []
        assert hand.scene.broker.exchange.orders() == []


async def test_an_order_is_never_valued_beyond_its_own_limit(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        preview = await hand.account.preview(buy(3, type=OrderType.LIMIT, limit_price=Decimal(10)))
        assert (preview.price, preview.price_source, preview.cost) == (Decimal(10), "limit", Decimal(30))
        dear = await hand.account.preview(buy(3, type=OrderType.LIMIT, limit_price=Decimal(10_000_000)))
        assert dear.price_source == "quote"


async def test_an_amount_of_money_becomes_units(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        order = HandOrder(symbol="DEMO/USD", side=OrderSide.BUY, notional=Decimal(1_000))
        preview = await hand.account.preview(order)
        assert preview.price is not None
        assert preview.qty is not None
        assert Decimal("999.99") < preview.qty * preview.price <= 1_000
        filled = await hand.filled(order)
        assert filled.filled_qty < 1


async def test_what_takes_off_a_position_gives_buying_power_back(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        await hand.filled(buy(5))
        await hand.view()
        preview = await hand.account.preview(HandOrder(symbol="DEMO/USD", side=OrderSide.SELL, qty=Decimal(2)))
        assert preview.position_after == Decimal(3)
        assert preview.buying_power_after is not None
        assert preview.cost is not None
        assert preview.buying_power_after == preview.buying_power + preview.cost


async def test_a_preview_has_the_verdicts_of_the_gate_and_the_broker_s_rules(tmp_path: Path) -> None:
    async with by_hand(tmp_path) as hand:
        hand.account.desk.state.limits = RiskLimits(max_order_qty=Decimal(1), max_orders_per_minute=1)
        for _ in range(3):  # what is only looked at is not counted
            preview = await hand.account.preview(buy(2))
            assert [(one.scope, one.code) for one in preview.verdicts] == [("account", "risk_order_qty")]
            assert preview.verdicts[0].sentence == "Risk rule order size: the limit is 1 units, this order is 2 units."
        preview = await hand.account.preview(buy(1, reduce_only=True))
        assert [(one.scope, one.code) for one in preview.verdicts] == [("broker", "insufficient_position")]
        assert not preview.is_allowed


async def test_what_the_gate_refuses_is_a_rejected_row_as_a_strategy_s(tmp_path: Path) -> None:
    async with by_hand(tmp_path) as hand:
        await hand.scene.throw(SwitchLevel.HALT)
        await hand.moved(lambda: hand.account.desk.level(hand.run_id) is SwitchLevel.HALT)
        order = await hand.account.place(buy())
        assert (order.status, order.reject_code) == (OrderStatus.REJECTED, "risk_halted")
        assert (await hand.view()).level is SwitchLevel.HALT


# --- change, close, reverse ---


async def test_a_working_order_gets_new_terms(tmp_path: Path) -> None:
    async with by_hand(tmp_path) as hand:
        order = await hand.account.place(buy(type=OrderType.LIMIT, limit_price=Decimal(1)))
        await hand.until(order, OrderStatus.ACCEPTED)
        await hand.account.change(order.id, OrderTerms(limit_price=Decimal(2), qty=Decimal(3)))
        lives = hand.account.desk.state.lives
        await hand.moved(lambda: lives[order.id].at == 1)
        (row,) = await hand.store.runs.orders(hand.run_id)
        assert (row.id, row.request.limit_price, row.request.qty) == (order.id, Decimal(2), Decimal(3))
        told = [event.type for event in await hand.store.log.read(run_id=hand.run_id, pattern="orders.*")]
        assert told[-3:] == ["orders.AskedByHand", "orders.ChangeSent", "orders.Replaced"]
        with pytest.raises(InputError):
            await hand.account.change(order.id, OrderTerms(stop_price=Decimal(2)))


async def test_a_position_is_closed_in_its_owner_s_name(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        hand.scene.strategy("self.buy(1, note='x') if not self.held() else None\n        return")
        run = await hand.scene.start("plain")
        await hand.scene.until("orders.Filled")
        (held,) = (await hand.view()).positions
        assert (held.owner_id, held.owner, held.qty) == (
            run.id,
            "Buys one and sells it at every other bar, and leaves an order working",
            Decimal(1),
        )
        order = await hand.until(await hand.account.close("DEMO/USD", run.id), OrderStatus.FILLED)
        assert (order.run_id, order.request.note, order.request.reduce_only) == (run.id, "closed by hand", True)
        await hand.scene.runs.stop(run.id)
        fills = await hand.store.runs.fills(run.id)
        assert [fill.side.value for fill in fills][:2] == ["buy", "sell"]


async def test_the_exits_of_a_position_are_taken_back_before_it_is_closed(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        entry = await hand.filled(buy(2, target_price=Decimal(10_000_000), stop_loss_price=Decimal(1)))
        lives = hand.account.desk.state.lives
        await hand.moved(
            lambda: (
                [lives[f"{entry.id}.{leg}"].order.status for leg in ("stop", "target") if f"{entry.id}.{leg}" in lives]
                == [OrderStatus.ACCEPTED] * 2
            )
        )
        closing = await hand.until(await hand.account.close("DEMO/USD", hand.run_id), OrderStatus.FILLED)
        assert closing.filled_qty == Decimal(2)
        assert (await hand.view()).positions == ()
        assert {lives[f"{entry.id}.{leg}"].order.status for leg in ("stop", "target")} == {OrderStatus.CANCELLED}
        with pytest.raises(InputError, match="DEMO/USD cannot be closed: nothing of it is held"):
            await hand.account.close("DEMO/USD", hand.run_id)


async def test_a_part_of_a_position_is_closed_and_never_more_than_there_is(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        await hand.filled(buy(3))
        await hand.until(await hand.account.close("DEMO/USD", hand.run_id, Decimal(1)), OrderStatus.FILLED)
        assert [one.qty for one in (await hand.view()).positions] == [Decimal(2)]
        with pytest.raises(InputError, match="5 DEMO/USD cannot be closed: the position is 2"):
            await hand.account.close("DEMO/USD", hand.run_id, Decimal(5))


@pytest.mark.parametrize("reverses", [True, False])
async def test_a_position_is_turned_around(tmp_path: Path, *, reverses: bool) -> None:
    async with lasting_hand(tmp_path, reverses=reverses) as hand:
        await hand.filled(buy(3, "DEMO"))
        await hand.account.reverse("DEMO", hand.run_id)
        await hand.moved(lambda: hand.account.desk.state.books[hand.run_id].held("DEMO") == -3)
        orders = await hand.store.runs.orders(hand.run_id)
        assert [order.request.qty for order in orders[1:]] == ([Decimal(6)] if reverses else [Decimal(3), Decimal(3)])


async def test_what_cannot_be_sold_short_is_not_turned_around(tmp_path: Path) -> None:
    async with by_hand(tmp_path) as hand:  # on a cash account
        await hand.filled(buy(3, "DEMO"))
        with pytest.raises(InputError, match="DEMO cannot be turned around: this account cannot sell short"):
            await hand.account.reverse("DEMO", hand.run_id)
        assert len(await hand.store.runs.orders(hand.run_id)) == 1


async def test_what_was_there_before_is_outside_and_is_closed_by_hand(tmp_path: Path) -> None:
    async with lasting(tmp_path) as scene:
        await scene.runs.connect_by_hand(ID, PAPER, "")
        strange = BrokerOrderRequest(
            client_order_id="somebody", symbol="DEMO/USD", side=OrderSide.BUY, qty=Decimal(4), time_in_force=TimeInForce.GTC
        )
        scene.broker.exchange.submit(strange)
        account = scene.runs.by_hand.at(ID, PAPER)
        hand = HandScene(scene, account)
        await account.desk.state.until(lambda: account.desk.state.outside.get("DEMO/USD") == 4)
        (held,) = (await account.view()).positions
        assert (held.owner_id, held.owner, held.qty, held.avg_price) == (OUTSIDE, "Outside", Decimal(4), None)
        closed = await hand.until(await account.close("DEMO/USD", OUTSIDE), OrderStatus.FILLED)
        assert closed.run_id == account.run.id
        assert (await account.view()).positions == ()


async def test_all_that_works_is_cancelled_whosever_it_is(tmp_path: Path) -> None:
    async with by_hand(tmp_path) as hand:
        for limit in (1, 2):
            order = await hand.account.place(buy(type=OrderType.LIMIT, limit_price=Decimal(limit), target_price=Decimal(90)))
            await hand.until(order, OrderStatus.ACCEPTED)
        assert [one.status for one in (await hand.view()).working].count(OrderStatus.CREATED) == 2
        assert await hand.account.cancel_all() == 4
        await hand.moved(lambda: not hand.account.desk.state.working())
        assert (await hand.view()).working == ()


# --- another time ---


async def test_orders_and_exits_are_found_again_when_the_program_starts_anew(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        entry = await hand.account.place(
            buy(2, type=OrderType.LIMIT, limit_price=Decimal(1), target_price=Decimal(10_000_000), stop_loss_price=Decimal("0.5"))
        )
        await hand.until(entry, OrderStatus.ACCEPTED)
        target = next(one for one in (await hand.view()).working if one.request.type is OrderType.LIMIT and one.id != entry.id)
        await hand.account.change(target.id, OrderTerms(limit_price=Decimal(20_000_000)))
        run_id = hand.run_id
    async with lasting_hand(tmp_path) as hand:
        assert hand.run_id == run_id
        assert await hand.scene.runs.recover() == []
        assert (await hand.scene.runs.get(run_id)).status is RunStatus.RUNNING
        working = {one.id: one for one in (await hand.view()).working}
        assert set(working) == {entry.id, f"{entry.id}.stop", f"{entry.id}.target"}
        assert working[target.id].request.limit_price == Decimal(20_000_000)
        hand.scene.broker.exchange.execute(working[entry.id].broker_id or "", Decimal(2), Decimal(1))
        lives = hand.account.desk.state.lives
        await hand.moved(lambda: target.id in lives and lives[target.id].order.status is OrderStatus.ACCEPTED)
        assert lives[target.id].order.request.qty == Decimal(2)
    async with lasting(tmp_path) as scene:
        assert await scene.runs.recover() == []  # nobody sees it as interrupted, at whatever moment the program starts
        assert await scene.runs.all() == []


async def test_the_book_of_a_market_that_ended_with_the_program_is_put_away_in_silence(tmp_path: Path) -> None:
    async with by_hand(tmp_path) as hand:
        order = await hand.account.place(buy(type=OrderType.LIMIT, limit_price=Decimal(1)))
        await hand.until(order, OrderStatus.ACCEPTED)
    async with live(tmp_path) as scene:
        await scene.runs.recover()
        assert [one.status for one in await scene.store.runs.orders(hand.run_id)] == [OrderStatus.CANCELLED]
        assert "run.Interrupted" not in [event.type for event in await scene.store.log.read(limit=100)]


async def test_whoever_shows_an_account_is_told_of_each_change(tmp_path: Path) -> None:
    async with by_hand(tmp_path) as hand:
        told = asyncio.Queue[str]()
        with hand.store.log.subscribe("account.Changed", lambda event: told.put_nowait(event.payload.account), owner="test"):  # type: ignore[attr-defined]
            await hand.account.place(buy())
            async with asyncio.timeout(20):
                assert await told.get() == hand.account.desk.state.key


# --- real money, and the door ---


class RealMoney(LastingSource):
    """The same account as one of real money."""

    async def accounts(self) -> Sequence[TradingAccount]:
        return (TradingAccount(broker_id=ID, account=AccountName.LIVE, title="Lasting live", is_real_money=True),)

    def open(self, broker_id: str, account: AccountName) -> AbstractAsyncContextManager[Broker]:
        return self._open()


async def test_real_money_asks_for_the_account_s_name(tmp_path: Path) -> None:
    async with lasting(tmp_path, source=RealMoney) as scene:
        for typed in ("", "paper", "Lasting live"):
            with pytest.raises(NotArmed, match="confirm it: LASTING"):
                await scene.runs.connect_by_hand(ID, AccountName.LIVE, typed)
        assert await scene.runs.all(by_hand=True) == []
        account = await scene.runs.connect_by_hand(ID, AccountName.LIVE, " lasting ")
        hand = HandScene(scene, account)
        assert (await hand.view()).is_real_money
        assert (await scene.runs.get(hand.run_id)).config.mode is RunMode.LIVE
        assert (await hand.account.preview(buy())).is_allowed
        assert (await hand.filled(buy())).filled_qty == 2


async def test_an_account_that_is_open_here_is_refused_elsewhere_by_the_desk_s_name(tmp_path: Path) -> None:
    async with by_hand(tmp_path) as hand:
        other = DatabaseStore(tmp_path / "desk.db", SystemClock(), desk=Desk(id="other", name="Berlin"))
        await other.open()
        try:
            with pytest.raises(HeldElsewhere):
                await other.leases.acquire(LeaseKind.RUN, hand.run_id, 30.0)
        finally:
            await other.close()


async def test_the_engine_s_door_to_an_account(tmp_path: Path) -> None:
    async with lasting(tmp_path) as scene:
        data, histories = DataDesk(scene.store, SystemClock()), RunHistories(scene.store.log, SystemClock())
        engine = Engine(
            clock=SystemClock(), store=scene.store, strategies=StrategyLoader([tmp_path]), runs=scene.runs, data=data, histories=histories
        )
        (about,) = await engine.trading_accounts()
        assert about == TradingAccount(broker_id=ID, account=PAPER, title="Simulated market", is_real_money=False, symbols=SYMBOLS)
        with pytest.raises(NotConnected):
            await engine.account_view(ID, PAPER)
        view = await engine.connect_account(ID, PAPER)
        assert (view.key, view.positions, view.working, view.outside_orders) == ("sim:LASTING", (), (), 0)
        assert view.reconciled_ns is not None
        assert [run.id for run in await engine.trading_runs()] == [view.hand_run_id]
        assert await engine.runs() == []
        order = await engine.place_order(ID, PAPER, buy(type=OrderType.LIMIT, limit_price=Decimal(1)))
        assert (await engine.reconcile_account(ID, PAPER)).differences == ()
        await engine.cancel_order(ID, PAPER, order.id)
        assert await engine.cancel_all_orders(ID, PAPER) in {0, 1}
        assert (await engine.halt()) == (0, True)
        await engine.disconnect_account(ID, PAPER)
        await engine.disconnect_account(ID, PAPER)
        assert await engine.trading_runs() == []
