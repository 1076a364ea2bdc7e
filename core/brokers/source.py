"""Every broker that a run can trade through: those inside the program, and the adapters of the person's accounts."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from core.brokers.accounts import Accounts
from core.errors import AdapterBroken, UnknownName
from core.model.broker import AccountName, AdapterInfo
from core.model.hand import TradingAccount
from core.ports import Broker, BrokerSource, LiveClock


class AdapterSource:
    """The adapters of `accounts`, by their ids. An adapter is found without being imported, and imported when it is opened."""

    def __init__(self, accounts: Accounts, clock: LiveClock) -> None:
        self._accounts = accounts
        self._clock = clock

    def ids(self) -> tuple[str, ...]:
        """Return the ids of the adapters that can be used."""
        return tuple(name for name, info in self._accounts.adapters().items() if info.error is None)

    def info(self, broker_id: str) -> AdapterInfo:
        """See `core.ports.BrokerSource`. Raises AdapterBroken too."""
        adapters = self._accounts.adapters()
        if broker_id not in adapters:
            raise UnknownName("broker", broker_id, self.ids())
        info = adapters[broker_id]
        if info.error is not None:
            raise AdapterBroken(info.error, "Correct the file and try again; `weaver accounts adapters` lists all of them.")
        return info

    async def accounts(self) -> Sequence[TradingAccount]:
        """See `core.ports.BrokerSource`. Keys are looked for, nothing is sent."""
        names = {name: info.name for name, info in (await asyncio.to_thread(self._accounts.adapters)).items()}
        return [
            TradingAccount(
                broker_id=setup.adapter,
                account=setup.name,
                title=f"{names.get(setup.adapter, setup.adapter)} {setup.name}",
                is_real_money=setup.name is AccountName.LIVE,
                error=setup.error or (None if setup.keys else f"The {setup.name} account has no keys."),
            )
            for setup in await self._accounts.setups()
        ]

    def clock(self, broker_id: str) -> LiveClock:
        """See `core.ports.BrokerSource`."""
        return self._clock

    def outlives_program(self, broker_id: str) -> bool:
        """See `core.ports.BrokerSource`. True of an adapter that is gone, too: its account is not."""
        return True

    @asynccontextmanager
    async def open(self, broker_id: str, account: AccountName) -> AsyncGenerator[Broker]:
        """See `core.ports.BrokerSource`. Raises what `Accounts.open` raises."""
        own = self._accounts.adapter_of(account)
        if own != broker_id:
            self.info(broker_id)
            raise AdapterBroken(
                f"The {account} account is at {own}, not at {broker_id}.",
                f"Trade through {own}, or set account.{account}_adapter to {broker_id}.",
            )
        async with self._accounts.open(account) as broker:
            yield broker


class Brokers:
    """The `BrokerSource` of the program: `inside` by their ids, and whatever adapter has another id."""

    def __init__(self, inside: Mapping[str, BrokerSource], adapters: AdapterSource) -> None:
        self._inside = dict(inside)
        self._adapters = adapters

    def info(self, broker_id: str) -> AdapterInfo:
        """See `core.ports.BrokerSource`. Raises AdapterBroken too."""
        try:
            return self._of(broker_id).info(broker_id)
        except UnknownName as error:
            raise UnknownName("broker", broker_id, (*self._inside, *self._adapters.ids())) from error

    async def accounts(self) -> Sequence[TradingAccount]:
        """See `core.ports.BrokerSource`."""
        found = [account for source in self._inside.values() for account in await source.accounts()]
        return [*found, *await self._adapters.accounts()]

    def clock(self, broker_id: str) -> LiveClock:
        """See `core.ports.BrokerSource`."""
        return self._of(broker_id).clock(broker_id)

    def outlives_program(self, broker_id: str) -> bool:
        """See `core.ports.BrokerSource`."""
        return self._of(broker_id).outlives_program(broker_id)

    def open(self, broker_id: str, account: AccountName) -> AbstractAsyncContextManager[Broker]:
        """See `core.ports.BrokerSource`."""
        return self._of(broker_id).open(broker_id, account)

    def _of(self, broker_id: str) -> BrokerSource:
        return self._inside.get(broker_id, self._adapters)
