"""An account at the fake broker, over real HTTP and websockets, that is open for a person."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.brokers.alpaca.addresses import Addresses
from core.brokers.alpaca.connection import AlpacaBroker
from core.brokers.credentials import Credentials
from core.brokers.loader import AdapterLoader
from core.clock.realtime import ScaledClock, SystemClock
from core.model.broker import AccountName, AdapterInfo
from core.model.hand import HandOrder, TradingAccount
from core.model.order import Order, OrderSide, OrderStatus
from core.ports import Broker, LiveClock
from core.runs.hand_account import HandAccount
from core.runs.manager import RunManager
from core.store.database import DatabaseStore
from core.strategy.loader import StrategyLoader
from tests.broker.bench import QUICK, QUICK_STREAM, environment_of
from tests.broker.book import START_NS
from tests.broker.desk import At
from tests.broker.server import KEY, SECRET, FakeBroker

ID, PAPER = "alpaca", AccountName.PAPER


class HttpSource:
    """Opens the adapter for Alpaca on the fake broker; see `core.ports.BrokerSource`."""

    def __init__(self, server: FakeBroker | At) -> None:
        self._server = server
        self._clock = ScaledClock(START_NS, 1.0)  # the time of the fake broker
        self._clock.begin()

    async def accounts(self) -> Sequence[TradingAccount]:
        return (TradingAccount(broker_id=ID, account=PAPER, title="Alpaca paper", is_real_money=False),)

    def info(self, broker_id: str) -> AdapterInfo:
        return AdapterLoader(()).find_all()[broker_id]

    def clock(self, broker_id: str) -> LiveClock:
        return self._clock

    def outlives_program(self, broker_id: str) -> bool:
        return True

    def open(self, broker_id: str, account: AccountName) -> AbstractAsyncContextManager[Broker]:
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Broker]:
        addresses = Addresses.of(PAPER, environment_of(self._server))
        broker = AlpacaBroker(addresses, Credentials(KEY, SECRET), SystemClock(), QUICK, QUICK_STREAM)
        try:
            yield broker
        finally:
            await broker.close()


@asynccontextmanager
async def by_hand(folder: Path, server: FakeBroker | At, **options: Any) -> AsyncIterator[HandAccount]:
    store, bugs = DatabaseStore(folder / "desk.db", SystemClock(), **options), list[str]()
    await store.open()
    runs = RunManager(
        store=store,
        strategies=StrategyLoader([folder]),
        brokers=HttpSource(server),
        clock=SystemClock(),
        callback_limit_s=5.0,
        on_bug=lambda error, where: bugs.append(f"{where}: {error!r}"),
    )
    try:
        await runs.recover()
        yield await runs.connect_by_hand(ID, PAPER, "")
    finally:
        await runs.close()
        await store.close()
    assert bugs == []


def order(side: str = "buy", qty: int = 10, **terms: object) -> HandOrder:
    return HandOrder(symbol="SPY", side=OrderSide(side), qty=Decimal(qty), **terms)  # type: ignore[arg-type]  # each has its own


async def until(account: HandAccount, is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        await account.desk.state.until(is_so)


async def status(account: HandAccount, placed: Order, *wanted: OrderStatus) -> None:
    lives = account.desk.state.lives
    await until(account, lambda: placed.id in lives and lives[placed.id].order.status in wanted)
