"""An entry leaves with its exits to the paper account, too: there they grow with each part of it, and stay when it is taken back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.brokers.paper.source import INFO
from core.clock.realtime import SystemClock
from core.model.broker import AccountName, AdapterInfo
from core.model.hand import HandOrder, TradingAccount
from core.model.order import OrderSide, OrderStatus, OrderType
from core.ports import Broker, LiveClock
from core.runs.hand_account import HandAccount
from core.runs.manager import RunManager
from core.store.database import DatabaseStore
from core.strategy.loader import StrategyLoader
from tests.broker.inside_bench import PaperBench, paper_bench

D, S = Decimal, OrderStatus
PAPER = AccountName.PAPER


class PaperBenchSource:
    """Opens the bench's account, which goes on between; see `core.ports.BrokerSource`."""

    def __init__(self, bench: PaperBench) -> None:
        self._bench = bench

    async def accounts(self) -> Sequence[TradingAccount]:
        return (TradingAccount(broker_id="paper", account=PAPER, title="Paper", is_real_money=False),)

    def info(self, broker_id: str) -> AdapterInfo:
        return INFO

    def clock(self, broker_id: str) -> LiveClock:
        return self._bench.clock

    def outlives_program(self, broker_id: str) -> bool:
        return True

    def open(self, broker_id: str, account: AccountName) -> AbstractAsyncContextManager[Broker]:
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Broker]:
        yield self._bench.broker


@asynccontextmanager
async def by_hand(folder: Path, bench: PaperBench) -> AsyncIterator[HandAccount]:
    store, bugs = DatabaseStore(folder / "desk.db", SystemClock()), list[str]()
    await store.open()
    runs = RunManager(
        store=store,
        strategies=StrategyLoader([folder]),
        brokers=PaperBenchSource(bench),
        clock=SystemClock(),
        callback_limit_s=5.0,
        on_bug=lambda error, where: bugs.append(f"{where}: {error!r}"),
    )
    try:
        await runs.recover()
        yield await runs.connect_by_hand("paper", PAPER, "")
    finally:
        await runs.close()
        await store.close()
    assert bugs == []


async def until(account: HandAccount, is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        await account.desk.state.until(is_so)


def statuses(account: HandAccount, entry_id: str) -> list[OrderStatus]:
    lives = account.desk.state.lives
    return [lives[each].order.status for each in (entry_id, f"{entry_id}.target", f"{entry_id}.stop") if each in lives]


async def placed(account: HandAccount, bench: PaperBench, **terms: Any) -> str:
    given: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": D(390), "target_price": D(420), "stop_loss_price": D(380)}
    entry = await account.place(HandOrder(symbol="SPY", side=OrderSide.BUY, qty=D(10), **(given | terms)))
    await until(account, lambda: statuses(account, entry.id) == [S.ACCEPTED] * 3)
    return entry.id


async def test_the_target_ends_the_stop(tmp_path: Path) -> None:
    async with paper_bench() as bench, by_hand(tmp_path, bench) as account:
        entry = await placed(account, bench)
        assert {order.id for order in (await account.view()).working if order.id in (await account.view()).held} == {
            f"{entry}.stop",
            f"{entry}.target",
        }
        bench.quote("SPY", "389.99", "390.00")
        await until(account, lambda: statuses(account, entry) == [S.FILLED, S.ACCEPTED, S.ACCEPTED])
        bench.quote("SPY", "420.00", "420.01")
        await until(account, lambda: statuses(account, entry) == [S.FILLED, S.FILLED, S.CANCELLED])
        await account.desk.reconcile()
        assert account.desk.state.positions() == {}


async def test_a_part_is_protected_at_once_and_stays_so_when_the_rest_is_taken_back(tmp_path: Path) -> None:
    async with paper_bench() as bench:
        async with by_hand(tmp_path, bench) as account:
            entry = await placed(account, bench)
            bench.hold()
            bench.fill(account.desk.state.lives[entry].order.broker_id or "", "4", "390")
            await until(account, lambda: account.desk.state.lives[entry].order.filled_qty == 4)
            await account.cancel(entry)
            await until(account, lambda: statuses(account, entry) == [S.CANCELLED, S.ACCEPTED, S.ACCEPTED])
        async with by_hand(tmp_path, bench) as account:
            await account.desk.reconcile()
            assert len(account.desk.state.lives) == 3  # the exits are there: none leave again
            bench.quote("SPY", "420.00", "420.01")
            await until(account, lambda: statuses(account, entry) == [S.CANCELLED, S.CANCELLED, S.CANCELLED])
            assert account.desk.state.lives[f"{entry}.target"].order.filled_qty == 4
            await account.desk.reconcile()
            assert account.desk.state.positions() == {}
            assert len(account.desk.state.lives) == 3
