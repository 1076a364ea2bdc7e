"""The one way to an account's exchange: one thing after the other, each committed before anybody is told of it.

What is committed is the truth: when a commit fails, or nobody knows what became of it, the books are read anew.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from core.brokers.paper.exchange import PaperExchange
from core.brokers.paper.floor import PaperTerms
from core.brokers.paper.hours import Hours
from core.clock.calendar import exchange_day
from core.errors import BooksMoved, BrokerRefused, BugError, StoreError
from core.model.broker import BarKind, LiveBar, OrderUpdate, Print, Quote, Tick
from core.model.broker_entry import BrokerEntry, BrokerEntryKind
from core.model.instants import DAY_NS, MINUTE_NS
from core.model.paper import PaperAccount, PaperChange
from core.ports import CorporateActionStore, LiveClock, PaperBooks

T = TypeVar("T")
AT_ONCE: Final = 200
"""Ticks taken before others get their turn."""
PAUSE_S: Final = 1.0
"""How long a database that does not answer is left alone."""
_log = logging.getLogger(__name__)


class Lost(msgspec.Struct, frozen=True):
    """The feed of these symbols was lost: what it told last stands no more."""

    symbols: tuple[str, ...]


class Keeper:
    """Keeps one account. `open` it first; `run` lets ticks and time go on until it is cancelled."""

    def __init__(self, books: PaperBooks, actions: CorporateActionStore, clock: LiveClock, terms: PaperTerms, hours: Hours) -> None:
        self._books = books
        self._actions = actions
        self._looked_day = -1
        self._clock = clock
        self._terms = terms
        self._hours = hours
        self._id = ""
        self._exchange: PaperExchange | None = None
        self._turn = asyncio.Lock()
        self._ticks: deque[Tick | Lost] = deque()
        self._has_ticks = asyncio.Event()
        self._standing: dict[str, Quote] = {}
        self._begun_anew = asyncio.Event()
        self._is_open = False
        self.listeners: Final[list[Callable[[OrderUpdate], None]]] = []
        """Told of each change, in its order, after it is committed."""
        self.entry_listeners: Final[list[Callable[[], None]]] = []
        """Told that money or units were moved without an execution, after it is committed."""

    async def open(self, account_id: str, number: str, cash: Decimal) -> None:
        """Take up the account, or open it with a deposit of `cash`. Raises StoreError."""
        self._id = account_id
        if await self._books.load(account_id) is None:
            now_ns = self._clock.now_ns()
            account = PaperAccount(
                id=account_id,
                number=number,
                kind=self._terms.kind,
                cash=cash,
                time_ns=now_ns,
                revision=1,
                day=now_ns // DAY_NS,
                day_start_equity=cash,
                actions_day=exchange_day(now_ns),
            )
            deposit = BrokerEntry(id=f"{number}-e1", kind=BrokerEntryKind.DEPOSIT, time_ns=now_ns, cash=cash)
            with suppress(BooksMoved):  # another process was faster
                await self._books.save(PaperChange(account=account, entries=(deposit,)))
        await self._look_at_actions()
        self._is_open = True

    async def do(self, work: Callable[[PaperExchange], T]) -> T:
        """Return what `work` returns, once all that it changed is committed. Raises what it raises, and StoreError."""
        async with self._turn:
            return await self._do(work, len(self._ticks))

    def take(self, tick: Tick | Lost) -> None:
        """Take what the market does; it is met in its turn."""
        self._ticks.append(tick)
        self._has_ticks.set()

    async def until_begun_anew(self) -> None:
        """Return when the books were read anew: what was told before may not be all."""
        await self._begun_anew.wait()

    async def run(self) -> None:
        """Let ticks be met and orders' times pass."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._meet_ticks(), name="paper-ticks")
            group.create_task(self._pass_time(), name="paper-time")

    async def _meet_ticks(self) -> None:
        while True:
            await self._has_ticks.wait()
            self._has_ticks.clear()
            while self._ticks:
                await self._patiently(lambda _: None)
                await asyncio.sleep(0)

    async def _pass_time(self) -> None:
        while True:
            await self._clock.sleep_until((self._clock.now_ns() // MINUTE_NS + 1) * MINUTE_NS)
            await self._patiently(lambda exchange: exchange.pass_time())
            try:
                await self._look_at_actions()
            except StoreError as error:
                _log.warning("Splits and dividends cannot be read: %s", error)

    async def _look_at_actions(self) -> None:
        """Apply the splits and dividends of a day that has begun."""
        today = exchange_day(self._clock.now_ns())
        if today > self._looked_day:
            actions = await self._actions.read_all()
            await self.do(lambda exchange: exchange.apply(actions, today))
            self._looked_day = today

    async def _patiently(self, work: Callable[[PaperExchange], None]) -> None:
        """Do what nobody waits for; a database that does not take it is asked again with the next of it."""
        try:
            async with self._turn:
                await self._do(work, AT_ONCE)
        except StoreError as error:
            _log.warning("The paper account is not kept: %s", error)
            await asyncio.sleep(PAUSE_S)

    # --- within a turn ---

    async def _do(self, work: Callable[[PaperExchange], T], ticks: int) -> T:
        while True:
            exchange = await self._current()
            taken = [self._ticks.popleft() for _ in range(min(ticks, len(self._ticks)))]
            refusal: BrokerRefused | None = None
            try:
                self._meet(exchange, taken)
                if taken:
                    exchange.settle()
                try:
                    result = work(exchange)
                except BrokerRefused as refused:
                    refusal = refused  # it changed nothing, but what came before it did
                await self._commit(exchange)
            except BooksMoved:
                self._begin_anew(taken)  # nothing of it was done: it is done again, on the books as they are
            except BaseException:
                self._begin_anew(taken)
                raise
            else:
                if refusal is not None:
                    raise refusal
                return result

    def _begin_anew(self, taken: list[Tick | Lost]) -> None:
        """Forget what is not committed; the ticks are met again."""
        self._exchange = None
        self._ticks.extendleft(reversed(taken))
        self._has_ticks.set()

    async def _current(self) -> PaperExchange:
        if self._exchange is None:
            books = await self._books.load(self._id)
            if books is None:
                raise BugError(f"The paper account {self._id} is not there any more.")
            # What an account may do is a setting, and holds from the next start on.
            account = msgspec.structs.replace(books.account, kind=self._terms.kind)
            exchange = PaperExchange(msgspec.structs.replace(books, account=account), self._clock.now_ns, self._terms, self._hours)
            for quote in self._standing.values():
                exchange.quote(quote)
            self._exchange = exchange
            if self._is_open:
                self._begun_anew.set()
                self._begun_anew = asyncio.Event()
        return self._exchange

    def _meet(self, exchange: PaperExchange, ticks: list[Tick | Lost]) -> None:
        for tick in ticks:
            if isinstance(tick, Quote):
                self._standing[tick.symbol] = tick
                exchange.quote(tick)
            elif isinstance(tick, Print):
                exchange.trade(tick)
            elif isinstance(tick, LiveBar):
                if tick.kind is BarKind.FINAL:
                    exchange.bar(tick.bar)
            else:
                for symbol in tick.symbols:
                    self._standing.pop(symbol, None)
                exchange.forget_quotes(tick.symbols)

    async def _commit(self, exchange: PaperExchange) -> None:
        step = exchange.take()
        if step.change is None:
            return
        await self._books.save(step.change)
        for update in step.updates:
            for listener in tuple(self.listeners):
                listener(update)
        for told in tuple(self.entry_listeners) if step.change.entries else ():
            told()
