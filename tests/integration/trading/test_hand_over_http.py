"""A person trades at the fake broker, over real HTTP and websockets: exits hold units back, and the program starts anew in between."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from core.brokers.loader import AdapterLoader
from core.clock.realtime import ScaledClock, SystemClock
from core.errors import InputError
from core.model.broker import AccountName, AdapterInfo
from core.model.hand import HandOrder, OrderTerms, TradingAccount
from core.model.order import Order, OrderSide, OrderStatus, OrderType
from core.ports import Broker, LiveClock
from core.runs.hand_account import HandAccount
from core.runs.manager import RunManager
from core.store.database import DatabaseStore
from core.strategy.loader import StrategyLoader
from tests.broker.bench import AlpacaBench, fake_broker
from tests.broker.book import START_NS
from tests.broker.server import FakeBroker

S = OrderStatus
D = Decimal
ID, PAPER = "alpaca", AccountName.PAPER


class HttpSource:
    """Opens the adapter for Alpaca on the fake broker; see `core.ports.BrokerSource`."""

    def __init__(self, server: FakeBroker) -> None:
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
        broker = AlpacaBench(self._server).broker
        try:
            yield broker
        finally:
            await broker.close()


@asynccontextmanager
async def by_hand(folder: Path, server: FakeBroker) -> AsyncIterator[HandAccount]:
    store, bugs = DatabaseStore(folder / "desk.db", SystemClock()), list[str]()
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


@pytest.fixture
def server() -> object:
    with fake_broker() as server:
        yield server


def order(side: str = "buy", qty: int = 10, **terms: object) -> HandOrder:
    return HandOrder(symbol="SPY", side=OrderSide(side), qty=D(qty), **terms)  # type: ignore[arg-type]  # each has its own


async def until(account: HandAccount, is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        await account.desk.state.until(is_so)


async def status(account: HandAccount, placed: Order, *wanted: OrderStatus) -> None:
    lives = account.desk.state.lives
    await until(account, lambda: placed.id in lives and lives[placed.id].order.status in wanted)


async def test_a_preview_is_valued_at_what_the_market_asks(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        buying, selling = await account.preview(order()), await account.preview(order("sell"))
        assert (buying.price, buying.price_source, buying.cost) == (D("400.01"), "quote", D("4000.10"))
        assert selling.price == D("399.99")
        assert [one.sentence for one in (await account.preview(order(type=OrderType.LIMIT, limit_price=D("390")))).verdicts] == []
        assert server.book.orders == {}


async def test_a_position_whose_exits_hold_its_units_is_closed(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        entry = await account.place(order(stop_loss_price=D("380")))
        await status(account, entry, S.FILLED)
        lives = account.desk.state.lives
        await until(account, lambda: f"{entry.id}.stop" in lives and lives[f"{entry.id}.stop"].order.status is S.ACCEPTED)
        closing = await account.close("SPY", account.run.id)
        await status(account, closing, S.FILLED)
        assert lives[f"{entry.id}.stop"].order.status is S.CANCELLED
        assert server.book.holdings == {}


async def test_orders_and_their_exits_work_on_while_the_program_is_off(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        entry = await account.place(order(type=OrderType.LIMIT, limit_price=D("390"), target_price=D("420")))
        await status(account, entry, S.ACCEPTED)
        await account.change(entry.id, OrderTerms(limit_price=D("391")))
        await until(account, lambda: account.desk.state.lives[entry.id].at == 1)
        now = account.desk.state.lives[entry.id].order.broker_id or ""
    await asyncio.to_thread(server.do, lambda: server.book.fill(now, "10", "391"))
    assert [one["status"] for one in server.book.orders.values() if one["side"] == "sell"] == ["new"]  # nobody had to come back for it
    async with by_hand(tmp_path, server) as account:
        lives = account.desk.state.lives
        await status(account, entry, S.FILLED)
        assert lives[f"{entry.id}.target"].order.status is S.ACCEPTED
        assert lives[entry.id].order.request.limit_price == D("391")
        (held,) = (await account.view()).positions
        assert (held.owner, held.qty, held.avg_price) == ("By hand", D(10), D(391))
        assert len(server.book.orders) == 3  # the entry, its change, and the target that left with it


async def test_exits_that_no_broker_takes_with_their_entry_leave_when_the_program_is_back(tmp_path: Path, server: FakeBroker) -> None:
    part = {"type": OrderType.LIMIT, "limit_price": D("390"), "target_price": D("420")}
    async with by_hand(tmp_path, server) as account:
        entry = await account.place(HandOrder(symbol="SPY", side=OrderSide.BUY, qty=D("2.5"), **part))  # type: ignore[arg-type]  # each has its own
        await status(account, entry, S.ACCEPTED)
        now = account.desk.state.lives[entry.id].order.broker_id or ""
    await asyncio.to_thread(server.do, lambda: server.book.fill(now, "2.5", "390"))
    async with by_hand(tmp_path, server) as account:
        lives = account.desk.state.lives
        await until(account, lambda: f"{entry.id}.target" in lives and lives[f"{entry.id}.target"].order.status is S.ACCEPTED)
        assert {one["client_order_id"] for one in server.book.orders.values()} == {entry.id, f"{entry.id}.target"}


async def test_a_long_is_turned_into_a_short_in_two_steps(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        await status(account, await account.place(order(qty=3)), S.FILLED)
        await account.reverse("SPY", account.run.id)
        await until(account, lambda: account.desk.state.books[account.run.id].held("SPY") == -3)
        assert [(one["side"], one["qty"]) for one in server.book.orders.values()] == [("buy", "3"), ("sell", "3"), ("sell", "3")]


async def test_what_the_broker_refuses_is_said_in_its_words(tmp_path: Path, server: FakeBroker) -> None:
    async with by_hand(tmp_path, server) as account:
        placed = await account.place(order(qty=100_000))
        await status(account, placed, S.REJECTED)
        assert "buying power" in (account.desk.state.lives[placed.id].order.reason or "")
        with pytest.raises(InputError):
            await account.close("SPY", account.run.id)
