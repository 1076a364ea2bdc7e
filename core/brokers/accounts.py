"""A person's accounts: which adapter each uses, where its keys are, and a connection to it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from core.brokers.api import Adapter, Link
from core.brokers.credentials import Credentials
from core.brokers.faulty_place import own_files, place_in
from core.brokers.held_to_ports import held_to_ports, missing_in
from core.brokers.keys import KeyVault
from core.brokers.loader import AdapterLoader
from core.clock.slices import SliceThread
from core.errors import AdapterBroken, KnownError, StrategyFailed, StrategyTooSlow, UnknownName
from core.model.broker import AccountName, AccountSetup, AdapterInfo
from core.ports import Broker, Clock

T = TypeVar("T")

CONNECT_LIMIT_S: Final = 30.0
"""Seconds that the import of an adapter may take, and that its connecting may take."""
_MEND: Final = "Correct its file, or choose another adapter in the settings."


class Accounts:
    """The accounts of this machine. `adapters_by_account`: the id of the adapter that each account uses."""

    def __init__(
        self,
        loader: AdapterLoader,
        vault: KeyVault,
        environment: Mapping[str, str],
        adapters_by_account: Mapping[AccountName, str],
        clock: Clock,
    ) -> None:
        self._loader = loader
        self._vault = vault
        self._environment = environment
        self._by_account = adapters_by_account
        self._clock = clock

    def at(self, adapter: str) -> "Accounts":
        """Return the same accounts, all of them at this adapter."""
        return Accounts(self._loader, self._vault, self._environment, dict.fromkeys(AccountName, adapter), self._clock)

    def adapters(self) -> Mapping[str, AdapterInfo]:
        """Return every adapter on disk by id, broken ones too; none is imported."""
        return self._loader.find_all()

    async def setups(self) -> list[AccountSetup]:
        """Return how each account is set up. Nothing is sent anywhere."""
        adapters = self.adapters()
        return [await asyncio.to_thread(self._setup, name, adapters) for name in AccountName]

    def adapter_of(self, name: AccountName) -> str:
        """Return the id of the adapter that an account uses."""
        return self._by_account[name]

    async def store_keys(self, name: AccountName, credentials: Credentials) -> None:
        """Keep an account's keys in the system's keyring. Raises KeyringUnusable."""
        await asyncio.to_thread(self._vault.store, self._by_account[name], name, credentials)

    async def forget_keys(self, name: AccountName) -> bool:
        """Remove an account's keys from the keyring; False when there were none. Raises KeyringUnusable."""
        return await asyncio.to_thread(self._vault.forget, self._by_account[name], name)

    @asynccontextmanager
    async def open(self, name: AccountName) -> AsyncGenerator[Broker]:
        """Connect to an account for the length of the block. Raises NoKeys, KeyringUnusable, UnknownName, AdapterBroken, InvalidValue."""
        broker = await self._connected(name)
        try:
            yield broker
        finally:
            await broker.close()

    async def _connected(self, name: AccountName) -> Broker:
        """Import the account's adapter and connect, in a thread: that takes longer than the loop may stand still, or does not end."""
        own = self._by_account[name]
        thread = SliceThread(f"adapter-{own}", self._clock, CONNECT_LIMIT_S)
        try:
            info, adapter = await _within(thread, own, lambda: self._loader.load(own))
            if name not in info.features.accounts:
                raise AdapterBroken(f"The adapter {info.id} has no {name} account.", "Choose another adapter in the settings.")
            credentials = await asyncio.to_thread(self._vault.require, info.id, name)
            # An adapter has the keys of its own account and no others, so it is not given the whole environment.
            addresses = {variable: value for variable, value in self._environment.items() if variable.endswith("_URL")}
            link = Link(account=name, credentials=credentials, addresses=addresses, clock=self._clock)
            broker = await _within(thread, own, lambda: _connection(adapter, link, info))
        finally:
            await thread.close()
        if broker is None:
            raise AdapterBroken(f"The adapter {own} cannot be used: its connect returns nothing.", _MEND)
        missing = missing_in(broker)
        if missing:
            raise AdapterBroken(f"What the adapter {own} connects has no {', '.join(missing)}.", _MEND)
        return broker if info.builtin else held_to_ports(broker, own, own_files(info.path), credentials.hidden_in)

    def _setup(self, name: AccountName, adapters: Mapping[str, AdapterInfo]) -> AccountSetup:
        adapter = self._by_account[name]
        info = adapters.get(adapter)
        error = str(UnknownName("adapter", adapter, adapters)) if info is None else info.error
        if info is not None and error is None and name not in info.features.accounts:
            error = f"The adapter {adapter} has no {name} account."
        try:
            found = self._vault.find(adapter, name)
        except KnownError as trouble:
            return AccountSetup(name=name, adapter=adapter, error=error or str(trouble))
        if found is None:
            return AccountSetup(name=name, adapter=adapter, error=error)
        return AccountSetup(name=name, adapter=adapter, keys=found[0].shown, kept=found[1], error=error)


async def _within(thread: SliceThread, own: str, work: Callable[[], T]) -> T:
    """Return what an adapter's own code returns. Raises AdapterBroken when it does not come back, or wants to end the program."""
    found: list[T] = []
    try:
        await thread.run(lambda _: found.append(work()))
    except StrategyTooSlow as error:
        raise AdapterBroken(f"The adapter {own} did not come back within {CONNECT_LIMIT_S:g} s.", _MEND) from error
    except StrategyFailed as error:
        raise AdapterBroken(f"The adapter {own} cannot be used: it tried to end the program.", _MEND) from error
    return found[0]


def _connection(adapter: Adapter, link: Link, info: AdapterInfo) -> Broker | None:
    try:
        return adapter.connect(link)
    except KnownError:
        raise
    except Exception as error:
        said, shown = " ".join(str(error).split()), link.credentials.hidden_in
        place = place_in(error, own_files(info.path))
        broken = AdapterBroken(f"The adapter {info.id} cannot connect: {type(error).__name__}: {shown(said)}{place}.", _MEND)
        # What it raised is not kept with it where that would show the keys.
        raise broken from (error if shown(said) == said else None)
