"""The desks of this process, one for each account: opened for the first that trades there, closed after the last.

An account has one writer. Its lease is taken before anything is sent there, renewed with those of the runs, and fences every
unit of work of its desk. Source: docs/adr/0018.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Final

from core.clock import calendar
from core.errors import AccountTaken, HeldElsewhere, KeysRefused, KnownError, LeaseLost, NotArmed
from core.model.broker import Account, AccountName, Asset, Features
from core.model.desk import Lease, LeaseKind
from core.model.market import AssetClass, asset_class_of
from core.model.risk import RiskLimits
from core.ports import Broker, BrokerSource, Store, UnitOfWork
from core.runs.equity_marks import EquityMarks
from core.runs.leases import FencedRuns, LeaseKeeper
from core.runs.market_line import MarketLines
from core.runs.owed_exits import OwedExits
from core.runs.supervisor import Supervisor
from core.trading.service import AccountDesk
from core.trading.state import AccountState

OnBug = Callable[[BaseException, str], None]


class OpenAccount:
    """An account that is connected, with its desk, and what it owes to positions. `desk_name`: of this workstation."""

    def __init__(self, name: AccountName, number: str, broker: Broker, desk: AccountDesk, owed: OwedExits, desk_name: str) -> None:
        self.name: Final = name
        self.number: Final = number
        self.broker: Final = broker
        self.desk: Final = desk
        self.owed: Final = owed
        self.market: Final = MarketLines(broker.streams)
        self._desk_name = desk_name

    @property
    def features(self) -> Features:
        """What its adapter declares."""
        return self.desk.state.features

    async def arm(self, confirm: str, run_id: str | None = None) -> None:
        """Let orders leave there, where a person typed the account's number; on a paper account they may at any time.

        Raises NotArmed, whose `todo` says what to type; then nothing is sent.
        """
        if self.name is AccountName.PAPER:
            return
        check_typed(confirm, self.number)
        await self.desk.arm(self._desk_name, run_id)


class _AccountRows:
    """Units of work of an account's desk, each committed only while this process has the account. Raises AccountTaken."""

    def __init__(self, rows: FencedRuns, key: str) -> None:
        self._rows = rows
        self._key = key

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """See `core.ports.Rows`."""
        return self._begun()

    @asynccontextmanager
    async def _begun(self) -> AsyncGenerator[UnitOfWork]:
        try:
            async with self._rows.begin() as work:
                yield work
        except LeaseLost as error:
            if error.lost != f"{LeaseKind.ACCOUNT} {self._key}":
                raise  # a run was lost, whose order this would have been
            raise _taken(self._key) from error


class _Held:
    """An account that somebody holds open, or that is being opened."""

    def __init__(self) -> None:
        self.users = 0
        self.opened: asyncio.Future[OpenAccount] = asyncio.get_running_loop().create_future()
        self.enough = asyncio.Event()
        self.closed = asyncio.Event()
        self.is_taken = False
        self._patience: asyncio.Timeout | None = None

    @asynccontextmanager
    async def wanted(self) -> AsyncGenerator[None]:
        """Let the block end with TimeoutError as soon as nobody needs the account any more: a broker may be silent for long."""
        async with asyncio.timeout(0 if self.enough.is_set() else None) as patience:
            self._patience = patience
            try:
                yield
            finally:
                self._patience = None

    def leave(self) -> None:
        """Nobody needs the account any more."""
        self.enough.set()
        if self._patience is not None:
            self._patience.reschedule(0)

    def take(self) -> None:
        """Another desk has taken the account over."""
        self.is_taken = True
        self.enough.set()


class Desks:
    """Opens accounts. `limits`: of each account, beside those of its runs."""

    def __init__(
        self,
        brokers: BrokerSource,
        store: Store,
        supervisor: Supervisor,
        leases: LeaseKeeper,
        limits: Callable[[AccountName], RiskLimits],
        on_bug: OnBug,
    ) -> None:
        self._brokers = brokers
        self._store = store
        self._supervisor = supervisor
        self._leases = leases
        self._limits = limits
        self._on_bug = on_bug
        self._held: dict[tuple[str, AccountName], _Held] = {}

    def has(self, broker_id: str, account: AccountName) -> bool:
        """Tell whether somebody in this process has an account open, or opens it."""
        return (broker_id, account) in self._held

    @asynccontextmanager
    async def open(self, broker_id: str, account: AccountName) -> AsyncGenerator[OpenAccount]:
        """Give an account with its desk for the length of the block; several may have it at once.

        A live account is not armed: `OpenAccount.arm` lets orders leave. Raises BrokerError, UnknownName, HeldElsewhere.
        """
        key = (broker_id, account)
        held = self._held.get(key)
        while held is not None and held.enough.is_set():
            await held.closed.wait()  # it is just being closed: then it is opened anew
            held = self._held.get(key)
        if held is None:
            held = self._held[key] = _Held()
            await self._supervisor.start(self._hold(key, held), f"account-{broker_id}-{account}")
        held.users += 1
        try:
            yield await asyncio.shield(held.opened)
        finally:
            held.users -= 1
            if not held.users:
                held.leave()
                await held.closed.wait()

    async def key_of(self, broker_id: str, account: AccountName) -> str:
        """Return what an account is known as, its broker and number, without becoming the one that has it. Raises BrokerError."""
        opened = self._opened(broker_id, account)
        if opened is not None:
            return opened.desk.state.key
        async with self._brokers.open(broker_id, account) as broker:
            known = await broker.account.account()
        check_kind(known, account)
        return f"{broker_id}:{known.number}"

    async def assets(self, broker_id: str, account: AccountName, asset_class: AssetClass) -> list[Asset]:
        """Return what can be traded there, without becoming the one that has the account. Raises BrokerError."""
        opened = self._opened(broker_id, account)
        if opened is not None:
            return await opened.broker.market.assets(asset_class)
        async with self._brokers.open(broker_id, account) as broker:
            return await broker.market.assets(asset_class)

    def _opened(self, broker_id: str, account: AccountName) -> OpenAccount | None:
        held = self._held.get((broker_id, account))
        return held.opened.result() if held is not None and held.opened.done() and held.opened.exception() is None else None

    async def _hold(self, key: tuple[str, AccountName], held: _Held) -> None:
        """Keep an account open until nobody needs it: one task, from the connection to its end."""
        broker_id, account = key
        try:
            async with AsyncExitStack() as places:
                async with held.wanted():
                    broker = await places.enter_async_context(self._brokers.open(broker_id, account))
                    known = await broker.account.account()
                check_kind(known, account)
                name = f"{broker_id}:{known.number}"
                lease = await self._lease(name, held)
                try:
                    await self._leases.go_on()
                    await self._serve(key, held, broker, known.number, lease)
                finally:
                    await self._leases.give_back(LeaseKind.ACCOUNT, name)
        except Exception as error:
            if not held.opened.done():
                held.opened.set_exception(error)
                held.opened.exception()  # whoever asked may be gone
            elif not isinstance(error, KnownError):  # who trades there was told of those by the desk
                self._on_bug(error, f"account {broker_id}")
        finally:
            del self._held[key]
            held.enough.set()
            held.closed.set()

    async def _lease(self, name: str, held: _Held) -> Lease:
        try:
            return await self._leases.take(LeaseKind.ACCOUNT, name, held.take)
        except HeldElsewhere as error:
            where = "Another program of this desk" if error.desk == self._store.desk.name else "That desk"
            todo = f"{where} has the account open: end what trades there, or let the account go, and try again."
            raise HeldElsewhere(f"Account {name}", error.desk, todo) from error

    async def _serve(self, key: tuple[str, AccountName], held: _Held, broker: Broker, number: str, lease: Lease) -> None:
        broker_id, account = key
        features = (await asyncio.to_thread(self._brokers.info, broker_id)).features
        rows = _AccountRows(FencedRuns(self._store.runs, lease), lease.name)
        state = AccountState(lease.name, features, self._limits(account), runs=rows, clock=self._brokers.clock(broker_id))
        state.may_send = lambda: self._leases.is_fresh() and self._leases.holds(LeaseKind.ACCOUNT, lease.name)
        state.still_holds = partial(self._leases.still_holds, LeaseKind.ACCOUNT, lease.name)
        state.day_of = await _trading_days(features)
        mark = await EquityMarks(self._store.log, self._store.runs).newest(lease.name)
        if mark is not None:
            state.recall_losses(mark)
        desk = AccountDesk(
            state,
            broker,
            runs=self._store.runs,
            log=self._store.log,
            is_open=(lambda _symbol, _now_ns: True) if features.always_open else is_regular,
            is_armed=account is AccountName.PAPER,
            on_bug=self._on_bug,
        )
        async with AsyncExitStack() as places:
            async with held.wanted():
                await places.enter_async_context(desk.open())
            owed = OwedExits(desk, self._on_bug)
            await owed.recall(self._store.log, self._store.runs)
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(owed.keep(), name="owed-exits")
                held.opened.set_result(OpenAccount(account, number, broker, desk, owed, self._store.desk.name))
                await held.enough.wait()
                keeping.cancel()
            if not held.is_taken:
                with suppress(KnownError):  # what cannot be stored now goes on all the same when the account is opened again
                    await owed.give_up()
            if held.is_taken:
                raise _taken(lease.name)


def check_typed(confirm: str, number: str) -> None:
    """Raise NotArmed, whose `todo` says what to type, unless a person typed the number of a live account."""
    if confirm.strip().casefold() != number.casefold():
        what = f"{confirm.strip()!r} is not the name of the live account." if confirm.strip() else "This would trade real money."
        raise NotArmed(what, f"Type the account's name to confirm it: {number}")


def check_kind(known: Account, account: AccountName) -> None:
    """Raise KeysRefused where the broker says that an account is of the other kind: practice orders must not reach real money."""
    if known.kind is not None and known.kind is not account:
        raise KeysRefused(
            f"The keys of the {account} account are those of a {known.kind} account, {known.number}.",
            f"Store those of the {account} account with `weaver accounts set {account}`, or correct its address in the environment.",
        )


async def _trading_days(features: Features) -> Callable[[int], int]:
    """Return what tells the trading day of an instant: that of the exchange's sessions where an account can hold what has some."""
    has_sessions = not features.always_open and any(one.has_sessions for one in features.assets)
    days_of = AssetClass.EQUITY if has_sessions else AssetClass.CRYPTO
    await calendar.load(days_of)
    return lambda now_ns: calendar.trading_day(now_ns, days_of)


def is_regular(symbol: str, now_ns: int) -> bool:
    """Tell whether a symbol's market is in its regular session; one without sessions always is."""
    if not asset_class_of(symbol).has_sessions:
        return True
    table = calendar.sessions()
    at = int(table.opens.searchsorted(now_ns, side="right")) - 1
    return at >= 0 and now_ns < int(table.closes[at])


def _taken(name: str) -> AccountTaken:
    return AccountTaken(f"Another desk has taken over the account {name}.", "What works there is in its hands; look at the account there.")
