"""A person's accounts: which adapter each uses, where its keys are, and a connection to it."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from core.brokers.api import Link
from core.brokers.credentials import Credentials
from core.brokers.keys import KeyVault
from core.brokers.loader import AdapterLoader
from core.errors import AdapterBroken, KnownError, UnknownName
from core.model.broker import AccountName, AccountSetup, AdapterInfo
from core.ports import Broker, Clock


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
        # Importing an adapter and reading certificates take longer than the loop may stand still.
        info, adapter = await asyncio.to_thread(self._loader.load, self._by_account[name])
        if name not in info.features.accounts:
            raise AdapterBroken(f"The adapter {info.id} has no {name} account.", "Choose another adapter in the settings.")
        credentials = await asyncio.to_thread(self._vault.require, info.id, name)
        # An adapter has the keys of its own account and no others, so it is not given the whole environment.
        addresses = {variable: value for variable, value in self._environment.items() if variable.endswith("_URL")}
        link = Link(account=name, credentials=credentials, addresses=addresses, clock=self._clock)
        broker = await asyncio.to_thread(adapter.connect, link)
        try:
            yield broker
        finally:
            await broker.close()

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
