"""The paper account on a broker's quotes: the program's own settings, real HTTP and websockets, a database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from app.paper import paper_source
from core.brokers.accounts import Accounts
from core.brokers.keys import KeyVault
from core.brokers.loader import AdapterLoader
from core.brokers.sim import SimSource
from core.clock.realtime import SystemClock
from core.errors import BrokerRefused
from core.model.broker import AccountName, RefusalReason
from core.model.order import OrderType, TimeInForce
from core.ports import Broker
from core.settings import Settings
from core.store.database import DatabaseStore
from tests.broker.bench import buy, environment_of, fake_broker
from tests.broker.server import FakeBroker

D = Decimal
GTC = TimeInForce.GTC


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker() as running:
        yield running


@asynccontextmanager
async def opened(server: FakeBroker, folder: Path, **settings: object) -> AsyncIterator[Broker]:
    """The account as the program opens it, in the database of this folder."""
    store = DatabaseStore(folder / "desk.db", SystemClock())
    await store.open()
    chosen = Settings({"paper.feed": "alpaca", "paper.fees": "alpaca"} | settings, {})
    market = SimSource(SystemClock().now_ns())
    environment = environment_of(server)
    accounts = Accounts(
        AdapterLoader((folder,)), KeyVault(environment, None), environment, dict.fromkeys(AccountName, "another"), SystemClock()
    )
    source = paper_source(store, market, chosen, accounts)
    try:
        async with source.open("paper", AccountName.PAPER) as broker:
            yield broker
    finally:
        await store.close()


async def filled(broker: Broker, count: int) -> list[Decimal]:
    """The prices of all executions, once there are so many."""
    async with asyncio.timeout(10):
        while True:
            found = await broker.account.executions()
            if len(found) >= count:
                return [one.price for one in found]
            await asyncio.sleep(0)


async def test_it_fills_at_the_brokers_quotes_and_everything_outlives_the_connection(server: FakeBroker, tmp_path: Path) -> None:
    async with opened(server, tmp_path) as broker:
        await broker.desk.submit(buy("a", "BTC/USD", "0.1", time_in_force=GTC))
        assert await filled(broker, 1) == [D("42001.5")]
        await broker.desk.submit(buy("b", "BTC/USD", "0.1", type=OrderType.LIMIT, limit_price=D(41_000), time_in_force=GTC))
        number = (await broker.account.account()).number
    before = len(server.subscribed)
    async with opened(server, tmp_path) as broker:
        account = await broker.account.account()
        assert (account.number, account.cash) == (number, D(100_000) - D("4200.15") * D("1.0025"))
        await asyncio.to_thread(server.wait_for, lambda: len(server.subscribed) > before)
        quote = {"T": "q", "S": "BTC/USD", "t": "2026-11-27T08:00:01Z", "bp": 40998, "bs": 2, "ap": 40999, "as": 1}
        await asyncio.to_thread(server.send_ticks, quote)
        assert await filled(broker, 2) == [D("42001.5"), D(40_999)]
        assert [one.qty for one in await broker.account.positions()] == [D("0.2")]
    assert not [name for name in server.requests if name.startswith(("POST", "PATCH", "DELETE", "GET /v2/account"))]


async def test_a_symbol_that_the_broker_does_not_have_is_refused(server: FakeBroker, tmp_path: Path) -> None:
    async with opened(server, tmp_path) as broker:
        with pytest.raises(BrokerRefused) as refused:
            await broker.desk.submit(buy("a", "NOPE/USD", time_in_force=GTC))
        assert refused.value.reason is RefusalReason.ASSET_UNKNOWN


async def test_a_cut_stream_comes_back_with_the_newest_quote(server: FakeBroker, tmp_path: Path) -> None:
    async with opened(server, tmp_path) as broker:
        await broker.desk.submit(buy("b", "BTC/USD", "0.1", type=OrderType.LIMIT, limit_price=D(41_000), time_in_force=GTC))
        await asyncio.to_thread(server.wait_for, lambda: bool(server.subscribed))
        server.do(lambda: server.book.quotes.update({"BTC/USD": (D(40_000), D(40_001))}))
        server.drop_streams()
        assert await filled(broker, 1) == [D(40_001)]


async def test_each_feed_has_an_account_of_its_own(server: FakeBroker, tmp_path: Path) -> None:
    async with opened(server, tmp_path) as broker:
        await broker.desk.submit(buy("a", "BTC/USD", "0.1", time_in_force=GTC))
    async with opened(server, tmp_path, **{"paper.feed": "sim"}) as broker:
        assert await broker.account.positions() == []
        await broker.desk.submit(buy("a", "DEMO/USD", "0.1", time_in_force=GTC))
        assert len(await filled(broker, 1)) == 1
