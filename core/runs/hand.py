"""The accounts that a person has open to trade by hand. Each has a run of its own, which holds the person's orders.

The run is made at the first connection and gone on with at each later one: rows, events and attribution are those of any run.
Nobody starts or stops it, and letting an account go cancels nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from core.errors import HeldElsewhere, KnownError, NotConnected, RunError, StoreError
from core.events.envelope import envelope
from core.events.payloads import RunCreated
from core.model.broker import AccountName
from core.model.desk import LeaseKind
from core.model.hand import TradingAccount
from core.model.run import BY_HAND, Run, RunConfig, RunMode, RunStatus
from core.ports import BrokerSource, Store, StrategySource
from core.runs.desks import Desks, OnBug, OpenAccount
from core.runs.hand_account import HandAccount
from core.runs.holdings import run_id_of
from core.runs.leases import FencedRuns, LeaseKeeper
from core.runs.supervisor import Supervisor

_MODES: Final = {AccountName.PAPER: RunMode.PAPER, AccountName.LIVE: RunMode.LIVE}
Key = tuple[str, AccountName]


class _Connection:
    """An account that is open for the person, or being opened."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.task: asyncio.Future[asyncio.Task[None]] = loop.create_future()
        self.opened: asyncio.Future[HandAccount] = loop.create_future()
        self.closed = asyncio.Event()

    @property
    def account(self) -> HandAccount | None:
        """The account once it is open."""
        return self.opened.result() if self.opened.done() and self.opened.exception() is None else None


class HandDesk:
    """Opens accounts for a person, until `disconnect` or `close`."""

    def __init__(
        self,
        desks: Desks,
        brokers: BrokerSource,
        store: Store,
        strategies: StrategySource,
        supervisor: Supervisor,
        leases: LeaseKeeper,
        on_bug: OnBug,
    ) -> None:
        self._desks = desks
        self._brokers = brokers
        self._store = store
        self._strategies = strategies
        self._supervisor = supervisor
        self._leases = leases
        self._on_bug = on_bug
        self._connections: dict[Key, _Connection] = {}
        self._failures: dict[Key, str] = {}

    @property
    def is_open(self) -> bool:
        """Whether any account is open."""
        return bool(self._open())

    async def accounts(self) -> Sequence[TradingAccount]:
        """Return the accounts that a person can trade at; nothing is connected."""
        found = await self._brokers.accounts()
        return [msgspec.structs.replace(one, error=one.error or self._failures.get((one.broker_id, one.account))) for one in found]

    def holds(self, run_id: str) -> bool:
        """Tell whether a run is the book of an account that is open here."""
        return any(account.run.id == run_id for account in self._open())

    async def forget_owner(self, run: Run) -> None:
        """Take that nobody has the account of a book open any more, where the process that had it is gone."""
        if run.owner is not None and not self.holds(run.id) and not self._store.is_alive(run.owner):
            try:
                await self._let_go(run.id)
            except HeldElsewhere:
                return  # it is open at another desk

    async def _let_go(self, run_id: str) -> None:
        """Store that nobody has the account of a book open; its lease is taken anew for that, and given back."""
        await self._leases.give_back(LeaseKind.RUN, run_id)
        try:
            rows = FencedRuns(self._store.runs, await self._leases.take(LeaseKind.RUN, run_id, lambda: self.lose(run_id)))
            run = await self._store.runs.run(run_id)
            if run is not None and run.owner is not None:
                async with rows.begin() as work:
                    work.put_run(msgspec.structs.replace(run, owner=None))
        finally:
            await self._leases.give_back(LeaseKind.RUN, run_id)

    def lose(self, run_id: str) -> None:
        """Let the account go whose run another desk has taken over."""
        for account in self._open():
            if account.run.id == run_id:
                account.leave()

    async def connect(self, broker_id: str, account: AccountName, confirm: str = "") -> HandAccount:
        """Open an account for a person; harmless when it is. Raises BrokerError, UnknownName, NotArmed, HeldElsewhere."""
        key = (broker_id, account)
        connection = self._connections.get(key)
        if connection is None:
            about = await self._about(broker_id, account)
            connection = self._connections.get(key)
            if connection is None:
                connection = self._connections[key] = _Connection()
                self._failures.pop(key, None)
                work = self._hold(about, connection, confirm)
                connection.task.set_result(await self._supervisor.start(work, f"by-hand-{broker_id}-{account}"))
        return await asyncio.shield(connection.opened)

    async def disconnect(self, broker_id: str, account: AccountName) -> None:
        """Let an account go; harmless when it is not open. Its orders work on."""
        connection = self._connections.get((broker_id, account))
        if connection is None:
            return
        task = await connection.task
        if connection.account is not None:
            connection.account.leave()
            await connection.closed.wait()
            return
        task.cancel()  # a broker that says nothing is not waited for
        await asyncio.wait({task})
        self._connections.pop((broker_id, account), None)
        if not connection.opened.done():
            connection.opened.set_exception(NotConnected(f"The {account} account was let go before it was connected.", "Connect it again."))
            connection.opened.exception()

    async def close(self) -> None:
        """Let every account go."""
        for key in tuple(self._connections):
            await self.disconnect(*key)

    def at(self, broker_id: str, account: AccountName) -> HandAccount:
        """Return an account that is open. Raises NotConnected."""
        connection = self._connections.get((broker_id, account))
        found = None if connection is None else connection.account
        if found is None:
            why = self._failures.get((broker_id, account))
            raise NotConnected(f"The {account} account of {broker_id} is not connected.", why or "Connect it first.")
        return found

    # --- inside ---

    def _open(self) -> list[HandAccount]:
        return [one.account for one in self._connections.values() if one.account is not None]

    async def _about(self, broker_id: str, account: AccountName) -> TradingAccount:
        for one in await self._brokers.accounts():
            if (one.broker_id, one.account) == (broker_id, account):
                return one
        name = self._brokers.info(broker_id).name  # raises UnknownName
        return TradingAccount(broker_id=broker_id, account=account, title=f"{name} {account}", is_real_money=account is AccountName.LIVE)

    async def _hold(self, about: TradingAccount, connection: _Connection, confirm: str) -> None:
        """Keep an account open until the person lets it go, or it cannot be used any more."""
        key = (about.broker_id, about.account)
        run_id = ""
        try:
            async with self._desks.open(*key) as opened:
                await opened.arm(confirm)
                rows = await self._leased(run_id_of(opened.desk.state.key), about)
                run_id = run_id_of(opened.desk.state.key)
                run = await self._book(run_id, opened, about, rows)
                account = HandAccount(opened, run, about, self._names, runs=self._store.runs, log=self._store.log)
                await opened.desk.absent.bring_back(run.id)
                await account.remember()
                with account.seated():
                    connection.opened.set_result(account)
                    await account.go_on()
                if account.failure is not None:
                    self._failures[key] = str(account.failure)
        except Exception as error:
            if not connection.opened.done():
                connection.opened.set_exception(error)
                connection.opened.exception()  # whoever asked may be gone
            elif isinstance(error, KnownError):
                self._failures[key] = str(error)
            else:
                self._on_bug(error, f"account {about.broker_id} by hand")
        finally:
            self._connections.pop(key, None)
            if run_id:
                with suppress(StoreError, RunError):  # otherwise the next start finds that the process is gone
                    await self._let_go(run_id)
            connection.closed.set()

    async def _leased(self, run_id: str, about: TradingAccount) -> FencedRuns:
        try:
            return FencedRuns(self._store.runs, await self._leases.take(LeaseKind.RUN, run_id, lambda: self.lose(run_id)))
        except HeldElsewhere as error:
            raise HeldElsewhere(f"{about.title}, by hand,", error.desk) from error

    async def _book(self, run_id: str, opened: OpenAccount, about: TradingAccount, rows: FencedRuns) -> Run:
        """Return the account's run of the person, as one that goes on here; it is made where there is none."""
        store, now_ns = self._store, opened.desk.state.clock.now_ns()
        known = await store.runs.run(run_id)
        if known is not None:
            run = msgspec.structs.replace(known, status=RunStatus.RUNNING, owner=store.owner, desk=store.desk.name)
            async with rows.begin() as work:
                work.put_run(run)
            return run
        money = opened.desk.state.account
        config = RunConfig(strategy_id=BY_HAND, symbols=(), timeframe="1m", mode=_MODES[about.account], broker=about.broker_id)
        if money is not None and money.equity > 0:
            config = msgspec.structs.replace(config, cash=money.equity)
        run = Run(
            id=run_id,
            config=config,
            status=RunStatus.RUNNING,
            created_ns=now_ns,
            started_ns=now_ns,
            owner=store.owner,
            desk=store.desk.name,
        )
        async with rows.begin() as work:
            work.put_run(run)
            told = RunCreated(config=config)
            work.append([envelope(told, id=f"{run_id}:{told.wire}", ts=now_ns, producer="runs", run_id=run_id, corr_id=run_id)])
        return run

    async def _names(self) -> dict[str, str]:
        known = await asyncio.to_thread(self._strategies.find_all)
        return {run.id: _name_of(run, {name: info.name for name, info in known.items()}) for run in await self._store.runs.runs()}


def _name_of(run: Run, names: Mapping[str, str]) -> str:
    return "By hand" if run.config.is_by_hand else names.get(run.config.strategy_id) or run.config.strategy_id
