"""Opens the paper account: an account inside the program that outlives it, filled at the prices of a feed."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from core.brokers.paper.broker import PaperBroker
from core.brokers.paper.exchange import PaperExchange
from core.brokers.paper.feed import Feed
from core.brokers.paper.floor import PaperTerms
from core.brokers.paper.glance import PaperGlance
from core.brokers.paper.hours import Hours, RoundTheClock
from core.brokers.paper.keeper import Keeper
from core.clock import calendar
from core.errors import AdapterBroken, BrokerError, InputError, UnknownName
from core.model.broker import AccountName, AdapterInfo, Features, OrderClass
from core.model.hand import TradingAccount
from core.model.market import AssetClass
from core.model.order import OrderType, TimeInForce
from core.model.run import AccountKind
from core.ports import Broker, CorporateActionStore, LiveClock, PaperBooks

ID: Final = "paper"
INFO: Final = AdapterInfo(
    id=ID,
    name="Paper account",
    version="1",
    description="An account inside the program, filled at the prices of a feed; no order leaves the machine.",
    path=__file__,
    class_name="PaperBroker",
    builtin=True,
    features=Features(
        accounts=(AccountName.PAPER,),
        assets=(AssetClass.EQUITY, AssetClass.CRYPTO),
        order_types=tuple(OrderType),
        order_classes=tuple(OrderClass),
        times_in_force=tuple(TimeInForce),
        fractional=True,
        notional=True,
        extended_hours=True,
        streaming=True,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFeed:
    """Where prices come from. `open` connects to it; each feed has an account of its own, under the feed's `id`."""

    id: str
    open: Callable[[], AbstractAsyncContextManager[Broker]]
    clock: LiveClock
    hours: Hours
    symbols: tuple[str, ...] = ()
    """What it has prices of, where that is little enough to be named."""


class PaperSource:
    """See `core.ports.BrokerSource`; of the paper account and no other. `cash`: what it is opened with, the first time.

    `terms` raises InputError where they cannot be; it is asked when the account is opened.
    """

    def __init__(
        self, feed: PaperFeed, books: PaperBooks, actions: CorporateActionStore, terms: Callable[[], PaperTerms], cash: Decimal
    ) -> None:
        self._feed = feed
        self._books = books
        self._actions = actions
        self._terms = terms
        self._cash = cash

    async def accounts(self) -> Sequence[TradingAccount]:
        """See `core.ports.BrokerSource`."""
        account = TradingAccount(broker_id=ID, account=AccountName.PAPER, title=INFO.name, is_real_money=False, symbols=self._feed.symbols)
        return (account,)

    def info(self, broker_id: str) -> AdapterInfo:
        """See `core.ports.BrokerSource`."""
        if broker_id != ID:
            raise UnknownName("broker", broker_id, (ID,))
        features = msgspec.structs.replace(
            INFO.features, always_open=isinstance(self._feed.hours, RoundTheClock), reverses=self._may_reverse()
        )
        return msgspec.structs.replace(INFO, features=features)

    def _may_reverse(self) -> bool:
        try:
            return self._terms().kind is AccountKind.MARGIN
        except InputError:
            return False  # it is not opened then, and that says why

    def clock(self, broker_id: str) -> LiveClock:
        """See `core.ports.BrokerSource`."""
        return self._feed.clock

    def outlives_program(self, broker_id: str) -> bool:
        """See `core.ports.BrokerSource`."""
        return True

    def open(self, broker_id: str, account: AccountName) -> AbstractAsyncContextManager[Broker]:
        """See `core.ports.BrokerSource`."""
        if account not in self.info(broker_id).features.accounts:
            raise AdapterBroken(f"The broker {broker_id} has no {account} account.", "Use its paper account.")
        return self._open()

    async def look(self) -> PaperGlance | None:
        """Return the account as it is kept, with the prices that its feed has now; None when it was never opened. Raises StoreError."""
        books = await self._books.load(self._feed.id)
        if books is None:
            return None
        await calendar.load(AssetClass.EQUITY)
        glance = PaperGlance(PaperExchange(books, self._feed.clock.now_ns, self._terms(), self._feed.hours))
        with suppress(BrokerError):
            async with self._feed.open() as source:
                await glance.price(source.market)
        return glance

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[Broker]:
        terms = self._terms()
        await calendar.load(AssetClass.EQUITY)
        async with self._feed.open() as source:
            keeper = Keeper(self._books, self._actions, self._feed.clock, terms, self._feed.hours)
            await keeper.open(self._feed.id, f"PAPER{secrets.token_hex(4).upper()}", self._cash)
            feed = Feed(source, keeper.take)
            feed.watch(sorted(await keeper.do(lambda exchange: exchange.symbols())))
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(keeper.run(), name="paper-account"), group.create_task(feed.run(), name="paper-feed")]
                    try:
                        yield PaperBroker(keeper, feed, source)
                    finally:
                        for task in tasks:
                            task.cancel()
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None  # of the block's own
