"""A person asks twice, or the broker does not hear it the first time: a position is closed once, an order is cancelled in the end."""

import asyncio
from collections.abc import Awaitable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.errors import InvalidValue
from core.model.broker import BrokerOrderRequest
from core.model.hand import OUTSIDE, HandOrder
from core.model.order import Order, OrderSide, OrderStatus, OrderType
from core.model.risk import SwitchLevel
from tests.unit.runs.test_hand import HandScene, buy, lasting_hand

D = Decimal


async def kept(work: Awaitable[Order]) -> Order | InvalidValue:
    try:
        return await work
    except InvalidValue as error:
        return error


async def only_one(tasks: "list[asyncio.Task[Order | InvalidValue]]") -> Order:
    """Return the order of the one that was carried out; the other one was told why it was not."""
    await asyncio.wait(tasks)
    (order,) = [one for task in tasks if isinstance(one := task.result(), Order)]
    return order


def sold(hand: HandScene) -> list[Decimal]:
    return [one.qty or D(0) for one in hand.scene.broker.exchange.orders() if one.side is OrderSide.SELL]


async def test_two_closes_at_once_close_once(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand, asyncio.TaskGroup() as group:
        await hand.filled(HandOrder(symbol="DEMO/USD", side=OrderSide.BUY, qty=D(2)))
        closes = [group.create_task(kept(hand.account.close("DEMO/USD", hand.run_id))) for _ in range(2)]
        order = await only_one(closes)
        await hand.until(order, OrderStatus.FILLED)
        assert sold(hand) == [D(2)]


async def test_two_reverses_at_once_reverse_once(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand, asyncio.TaskGroup() as group:
        await hand.filled(buy(2, "DEMO"))
        turns = [group.create_task(kept(hand.account.reverse("DEMO", hand.run_id))) for _ in range(2)]
        order = await only_one(turns)
        await hand.until(order, OrderStatus.FILLED)
        assert hand.account.desk.state.positions() == {"DEMO": D(-2)}


async def test_a_reverse_while_the_last_one_is_on_its_way_turns_nothing_back_and_forth(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        await hand.filled(buy(2, "DEMO"))
        hand.scene.broker.faults.lose_updates = 3  # it fills at once, and the person has not heard of it
        first = await hand.account.reverse("DEMO", hand.run_id)
        with pytest.raises(InvalidValue, match="just now"):
            await hand.account.reverse("DEMO", hand.run_id)
        await hand.until(first, OrderStatus.FILLED)
        assert sold(hand) == [D(4)]
        assert hand.account.desk.state.positions() == {"DEMO": D(-2)}


async def test_all_is_cancelled_though_an_order_waits_with_both_its_exits(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        low: dict[str, Any] = {"type": OrderType.LIMIT, "target_price": D(90_000_000), "stop_loss_price": D("0.5")}
        first = await hand.account.place(buy(1, limit_price=D(1), **low))
        second = await hand.account.place(buy(1, type=OrderType.LIMIT, limit_price=D(2)))
        for order in (first, second):
            await hand.until(order, OrderStatus.ACCEPTED)
        assert await hand.account.cancel_all() == 4
        for order in (first, second):
            await hand.until(order, OrderStatus.CANCELLED)
        assert not (await hand.view()).working


async def test_both_exits_can_be_cancelled_one_after_the_other(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        terms: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": D(1), "target_price": D(90_000_000), "stop_loss_price": D("0.5")}
        order = await hand.until(await hand.account.place(buy(1, **terms)), OrderStatus.ACCEPTED)
        for exit_ in [one for one in (await hand.view()).working if one.id != order.id]:
            await hand.account.cancel(exit_.id)
        assert [one.id for one in (await hand.view()).working] == [order.id]


async def test_the_other_exit_is_cancelled_though_the_broker_does_not_hear_it_the_first_time(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        last = (await hand.scene.broker.market.latest_quotes(["DEMO/USD"]))["DEMO/USD"].bid
        await hand.account.place(buy(2, target_price=D(int(last * D("1.2"))), stop_loss_price=D(int(last * D("0.8")))))
        state, exchange = hand.account.desk.state, hand.scene.broker.exchange
        await hand.moved(lambda: sum(life.order.broker_id is not None for life in state.working(hand.run_id)) == 2)
        stop, target = sorted((life.order for life in state.working()), key=lambda order: order.request.type is OrderType.LIMIT)
        hand.scene.broker.faults.busy_cancels = 2
        assert target.broker_id is not None
        assert target.request.limit_price is not None
        exchange.execute(target.broker_id, D(2), target.request.limit_price)
        await hand.until(stop, OrderStatus.CANCELLED)


async def test_flatten_buys_nothing_back_that_was_closed_of_what_is_held_outside(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        exchange = hand.scene.broker.exchange
        theirs = BrokerOrderRequest(client_order_id="theirs", symbol="DEMO", side=OrderSide.BUY, qty=D(4))
        exchange.submit(theirs)
        await hand.account.desk.reconcile()
        await hand.moved(lambda: hand.account.desk.state.outside.get("DEMO") == D(4))
        await hand.until(await hand.account.close("DEMO", OUTSIDE), OrderStatus.FILLED)
        await hand.scene.throw(SwitchLevel.FLATTEN)
        (done,) = await hand.scene.until("risk.SwitchCarriedOut")
        assert (done.closed, done.left) == (0, "")
        assert exchange.positions() == []
