"""The desks of this process, one for each account: opened for the first run that trades there, closed after the last."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

from core.clock import calendar
from core.errors import KnownError
from core.model.broker import AccountName
from core.model.market import asset_class_of
from core.model.risk import RiskLimits
from core.ports import Broker, BrokerSource, Store
from core.runs.supervisor import Supervisor
from core.trading.service import AccountDesk
from core.trading.state import AccountState

OnBug = Callable[[BaseException, str], None]


class OpenAccount:
    """An account that is connected, with its desk."""

    def __init__(self, broker: Broker, desk: AccountDesk) -> None:
        self.broker: Final = broker
        self.desk: Final = desk


class _Held:
    """An account that somebody holds open, or that is being opened."""

    def __init__(self) -> None:
        self.users = 0
        self.opened: asyncio.Future[OpenAccount] = asyncio.get_running_loop().create_future()
        self.enough = asyncio.Event()
        self.closed = asyncio.Event()


class Desks:
    """Opens accounts. `limits`: of every account, beside those of its runs."""

    def __init__(self, brokers: BrokerSource, store: Store, supervisor: Supervisor, limits: RiskLimits, on_bug: OnBug) -> None:
        self._brokers = brokers
        self._store = store
        self._supervisor = supervisor
        self._limits = limits
        self._on_bug = on_bug
        self._held: dict[tuple[str, AccountName], _Held] = {}

    @asynccontextmanager
    async def open(self, broker_id: str, account: AccountName) -> AsyncGenerator[OpenAccount]:
        """Give an account with its desk for the length of the block; several may have it at once. Raises BrokerError, UnknownName."""
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
                held.enough.set()
                await held.closed.wait()

    async def _hold(self, key: tuple[str, AccountName], held: _Held) -> None:
        """Keep an account open until nobody needs it: one task, from the connection to its end."""
        broker_id, account = key
        try:
            async with self._brokers.open(broker_id, account) as broker:
                number = (await broker.account.account()).number
                clock = self._brokers.clock(broker_id)
                features = self._brokers.info(broker_id).features
                state = AccountState(f"{broker_id}:{number}", features, self._limits, runs=self._store.runs, clock=clock)
                desk = AccountDesk(
                    state,
                    broker,
                    runs=self._store.runs,
                    log=self._store.log,
                    is_open=is_regular,
                    is_armed=account is AccountName.PAPER,
                    on_bug=self._on_bug,
                )
                async with desk.open():
                    held.opened.set_result(OpenAccount(broker, desk))
                    await held.enough.wait()
        except Exception as error:
            if not held.opened.done():
                held.opened.set_exception(error)
            elif not isinstance(error, KnownError):  # who trades there was told of those by the desk
                self._on_bug(error, f"account {broker_id}")
        finally:
            del self._held[key]
            held.enough.set()
            held.closed.set()


def is_regular(symbol: str, now_ns: int) -> bool:
    """Tell whether a symbol's market is in its regular session; one without sessions always is."""
    if not asset_class_of(symbol).has_sessions:
        return True
    table = calendar.sessions()
    at = int(table.opens.searchsorted(now_ns, side="right")) - 1
    return at >= 0 and now_ns < int(table.closes[at])
