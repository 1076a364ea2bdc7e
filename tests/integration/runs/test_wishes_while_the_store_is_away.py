"""A strategy changes an order, and a person takes one back, while the database is away: it is waited for, and done once."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.brokers.sim import ID
from core.clock.realtime import SystemClock
from core.errors import InvalidValue
from core.model.broker import AccountName
from core.model.desk import Desk
from core.model.hand import OrderTerms
from core.model.order import OrderStatus, OrderType
from core.model.run import RunStatus
from core.runs.hand_account import HandAccount
from core.store.database import DatabaseStore
from tests.heard import Heard, heard
from tests.postgres import PostgresServer
from tests.strictness.log_guard import AllowLog
from tests.unit.runs.live_desk import live
from tests.unit.runs.test_hand import HandScene, buy

BIDS = """if not self.account.working():
            self.buy(1, limit=1, time_in_force="gtc", ref="bid")
        else:
            self.replace("bid", limit=2)
        return"""


class Away:
    """A database that can be taken away: a server that stands still, a file that another program has locked."""

    def __init__(self, store: DatabaseStore, take: Callable[[], None], give_back: Callable[[], None]) -> None:
        self.store = store
        self._take, self._give_back = take, give_back

    @asynccontextmanager
    async def taken(self, run_id: str) -> AsyncIterator[Heard]:
        """Take it away for the length of the block; what is given is heard when the run waits for it."""
        with heard("core.runs.store_away", f"Run {run_id} waits for the store") as waits:
            await asyncio.to_thread(self._take)
            try:
                yield waits
            finally:
                await asyncio.to_thread(self._give_back)


@pytest.fixture(params=["sqlite", "postgresql"])
def away(request: pytest.FixtureRequest, tmp_path: Path, allow_log: AllowLog) -> Away:
    allow_log("does not answer")
    allow_log("waits for the store")
    allow_log("was not reconciled")
    allow_log("not stored")
    if request.param == "sqlite":
        store = DatabaseStore(tmp_path / "desk.db", SystemClock(), busy_timeout_s=0.1)
        others: list[sqlite3.Connection] = []

        def lock() -> None:
            others.append(sqlite3.connect(tmp_path / "desk.db", isolation_level=None, check_same_thread=False))
            others[-1].execute("BEGIN IMMEDIATE")

        return Away(store, lock, lambda: others.pop().close())
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url: str = request.getfixturevalue("postgres_url")
    store = DatabaseStore(url, SystemClock(), busy_timeout_s=0.2, locks=tmp_path / "locks", desk=Desk(id="here", name="here"))
    return Away(store, server.pause, server.resume)


async def test_a_strategys_change_waits_for_the_database_and_is_made_once(
    away: Away, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with live(tmp_path, store=away.store, speed=300.0) as scene, scene.runs._desks.open(ID, AccountName.PAPER) as account:
        scene.strategy(BIDS)
        change, begun, is_taken = account.desk.change, asyncio.Event(), asyncio.Event()

        async def when_it_is_away(*wanted: Any, **more: Any) -> None:
            begun.set()
            await is_taken.wait()
            await change(*wanted, **more)

        monkeypatch.setattr(account.desk, "change", when_it_is_away)
        run = await scene.start()
        async with asyncio.timeout(60):
            await begun.wait()
        async with away.taken(run.id) as waits:
            is_taken.set()
            await waits.wait()
        (replaced,) = await scene.until("orders.Replaced")
        assert replaced.request.limit_price == 2
        over = await scene.runs.stop(run.id)
        assert (over.status, over.error) == (RunStatus.STOPPED, "It was stopped.")
        (order,) = await scene.store.runs.orders(run.id)
        assert [one.client_order_id for one in scene.broker.exchange.orders()[::-1]] == [order.id, f"{order.id}.r1"]
        assert len(await scene.until("orders.ChangeSent")) == 1


async def test_a_persons_cancel_reaches_the_broker_at_once_and_is_stored_once_when_the_database_is_back(away: Away, tmp_path: Path) -> None:
    async with live(tmp_path, store=away.store) as scene:
        account = await scene.runs.connect_by_hand(ID, AccountName.PAPER, "")
        hand = HandScene(scene, account)
        order = await account.place(buy(1, type=OrderType.LIMIT, limit_price=Decimal(1)))
        await hand.until(order, OrderStatus.ACCEPTED)
        told: list[str] = []
        with scene.store.log.subscribe("system.*", lambda event: told.append(event.type), owner="test"):
            async with asyncio.TaskGroup() as group, away.taken(hand.run_id) as waits:
                task = group.create_task(account.cancel(order.id))
                await waits.wait()
                async with asyncio.timeout(20):
                    while scene.broker.exchange.orders()[0].broker_status != "canceled":  # noqa: ASYNC110 - the market's word
                        await asyncio.sleep(0)
                assert told == ["system.StoreAwaited"]
                assert not task.done()
            assert told == ["system.StoreAwaited", "system.StoreBack"]
        await hand.until(order, OrderStatus.CANCELLED)
        asked = await scene.until("orders.AskedByHand", 2)
        assert [one.what for one in asked] == ["place", "cancel"]


async def test_an_order_that_is_over_when_the_database_is_back_is_not_changed_any_more(away: Away, tmp_path: Path) -> None:
    async with live(tmp_path, store=away.store) as scene:
        account = await scene.runs.connect_by_hand(ID, AccountName.PAPER, "")
        hand = HandScene(scene, account)
        order = await account.place(buy(1, type=OrderType.LIMIT, limit_price=Decimal(1)))
        await hand.until(order, OrderStatus.ACCEPTED)
        async with asyncio.TaskGroup() as group, away.taken(hand.run_id) as waits:
            task = group.create_task(_changed(account, order.id))
            await waits.wait()
            (theirs,) = scene.broker.exchange.orders()
            scene.broker.exchange.cancel(theirs.id)
        await hand.until(order, OrderStatus.CANCELLED)
        assert task.done()
        assert [(one.client_order_id, one.broker_status) for one in scene.broker.exchange.orders()] == [(order.id, "canceled")]


async def _changed(account: HandAccount, order_id: str) -> None:
    with suppress(InvalidValue):  # where the broker's word came before it was asked for
        await account._away.change(account.desk, order_id, OrderTerms(limit_price=Decimal(2)), None)
