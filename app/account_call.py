"""A piece of work with an account at a broker, for the length of one call. Needs no database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from app.call import Call, signals_call
from app.words import one_of
from core.errors import Cancelled, InputError, StoreError

if TYPE_CHECKING:
    from core.brokers.accounts import Accounts
    from core.model.broker import AccountName
    from core.ports import Broker, BrokerAccount, BrokerOrderReader

T = TypeVar("T")


def parse_account(text: str) -> "AccountName":
    """Return the account that is meant. Raises UnknownName."""
    from core.model.broker import AccountName

    return AccountName(one_of("account", text, AccountName))


def accounts_of(call: Call) -> "Accounts":
    """Return the person's accounts. Nothing is read or sent yet."""
    from app.compose import compose_accounts

    return compose_accounts(call.paths, call.environment, call.settings())


def with_accounts(call: Call, work: Callable[["Accounts"], Awaitable[T]]) -> T:
    """Do `work` with the person's accounts. SIGINT and SIGTERM cancel it."""
    from app.logs import start_logging

    call.make_directories()
    start_logging(call.paths.logs, verbose=call.verbose)
    return asyncio.run(_cancellable(work, accounts_of(call)))


def with_account(call: Call, account: str, work: Callable[["Broker"], Awaitable[T]]) -> T:
    """Connect to an account and do `work` with it. SIGINT and SIGTERM cancel it. Raises InputError and BrokerError."""
    name = parse_account(account)

    async def connected(accounts: "Accounts") -> T:
        async with accounts.open(name) as broker:
            return await work(broker)

    return with_accounts(call, connected)


class Shown(Protocol):
    """What can be looked at of an account."""

    @property
    def account(self) -> "BrokerAccount": ...
    @property
    def orders(self) -> "BrokerOrderReader": ...


def looked_at(call: Call, account: str, broker: str | None, work: Callable[[Shown], Awaitable[T]]) -> T:
    """Do `work` with an account that is only looked at: one at a broker, or with `broker` the one that is kept in the database.

    Raises InputError, BrokerError and StoreError.
    """
    if broker is None:
        return with_account(call, account, work)
    one_of("broker", broker, ("paper",))

    async def look(accounts: "Accounts") -> T:
        from app.compose import compose_store
        from app.paper import paper_source
        from core.brokers.sim import SimSource
        from core.clock.realtime import SystemClock

        settings = call.settings()
        store = compose_store(call.database_url, call.paths, settings)
        await store.open()
        try:
            glance = await paper_source(store, SimSource(SystemClock().now_ns()), settings, accounts).look()
            if glance is None:
                what = "There is no paper account of this feed in the database yet."
                raise InputError(what, "`weaver trade --broker paper` opens it; the setting paper.feed chooses the feed.")
            return await work(glance)
        finally:
            await store.close()

    return with_accounts(call, look)


def left_bare_at(call: Call, account: str, broker: str | None) -> list[str]:
    """Return in words what is held at an account without the exits that it had, as far as the store tells."""

    async def look(_: "Accounts") -> list[str]:
        from app.compose import compose_store
        from core.events.envelope import envelope
        from core.model.run import RunMode
        from core.runs.bare import left_bare
        from core.runs.live_config import account_of
        from core.views.words import words

        name = parse_account(account)
        mode = next(one for one in (RunMode.PAPER, RunMode.LIVE) if account_of(one) is name)
        store = compose_store(call.database_url, call.paths, call.settings())
        try:
            await store.open()
            found = await left_bare(store.log, store.runs, broker or accounts_of(call).adapter_of(name), mode)
        except StoreError as error:  # what the broker says is there all the same
            return [f"Whether all of it has the exits that it had is not known. {error}"]
        finally:
            await store.close()
        return [words(envelope(one, id="", ts=0, producer="trading"), lambda _: None) for one in found]

    return with_accounts(call, look)


async def _cancellable(work: Callable[["Accounts"], Awaitable[T]], accounts: "Accounts") -> T:
    task = asyncio.current_task()
    with signals_call(lambda: task.cancel() if task else None):
        try:
            return await work(accounts)
        except asyncio.CancelledError as error:
            raise Cancelled("Stopped on request.", "Nothing was changed.") from error
