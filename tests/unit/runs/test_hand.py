"""A person trades at an account of the simulated market, beside its runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.brokers.sim import ID
from core.errors import InputError, NotConnected, UnknownName
from core.model.broker import AccountName
from core.model.hand import AccountView, HandOrder
from core.model.order import Order, OrderSide, OrderStatus, OrderType
from core.runs.hand_account import HandAccount
from tests.unit.runs.live_desk import LiveScene, live

PAPER = AccountName.PAPER


def buy(qty: int = 2, **terms: Any) -> HandOrder:
    return HandOrder(symbol="DEMO/USD", side=OrderSide.BUY, qty=Decimal(qty), **terms)


class HandScene:
    """What a test holds in its hands."""

    def __init__(self, scene: LiveScene, account: HandAccount) -> None:
        self.scene, self.account = scene, account
        self.store = scene.store
        self.run_id = account.run.id

    async def until(self, order: Order, *statuses: OrderStatus) -> Order:
        lives = self.account.desk.state.lives
        async with asyncio.timeout(20):
            await self.account.desk.state.until(lambda: lives[order.id].order.status in statuses)
        return lives[order.id].order

    async def filled(self, order: HandOrder) -> Order:
        return await self.until(await self.account.place(order), OrderStatus.FILLED)

    async def view(self) -> AccountView:
        return await self.account.view()


@asynccontextmanager
async def by_hand(folder: Path, **options: Any) -> AsyncIterator[HandScene]:
    async with live(folder, **options) as scene:
        account = await scene.runs.connect_by_hand(ID, PAPER, "")
        yield HandScene(scene, account)


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
