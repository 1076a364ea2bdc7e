"""A store in an SQLite file. Several processes may have it open at once."""

from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from core.errors import InputError
from core.events.codec import EventCodec
from core.ports import Clock
from core.store.bars import DatabaseBarStore
from core.store.care import DatabaseCare
from core.store.corporate_actions import DatabaseCorporateActionStore
from core.store.event_log import DatabaseEventLog, DatabaseRunStore
from core.store.faults import faults
from core.store.location import database_path
from core.store.migration import migrate
from core.store.ownership import Owners
from core.store.threads import Threads

BUSY_TIMEOUT_S: Final = 5.0


class DatabaseStore:
    """A `Store` in an SQLite file, named by path or `sqlite:///` URL; missing directories and tables are made when it opens.

    `busy_timeout_s`: how long a write waits for another process's before it raises DatabaseBusy. `hash_chain`: whether events of
    runs are stored with their hashes.
    """

    def __init__(
        self,
        url: str | Path,
        clock: Clock,
        *,
        codec: EventCodec | None = None,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        hash_chain: bool = False,
    ) -> None:
        path = url if isinstance(url, Path) else database_path(url)
        if path is None:
            raise InputError("A database in memory has no file.", "Use the memory store.")
        self.path: Final = path.absolute()
        self._owners = Owners(self.path)
        self._threads = Threads(self.path, busy_timeout_s)
        codec = codec or EventCodec()
        times = {"now_ns": clock.now_ns, "monotonic_ns": clock.monotonic_ns}
        self.log: Final = DatabaseEventLog(self._threads, codec=codec, hash_chain=hash_chain, **times)
        self.runs: Final = DatabaseRunStore(self._threads, self.log)
        self.bars: Final = DatabaseBarStore(self._threads, clock.now_ns)
        self.actions: Final = DatabaseCorporateActionStore(self._threads)
        self.care: Final = DatabaseCare(self._threads, codec=codec, **times)

    @property
    def where(self) -> str:
        """See `core.ports.Store`."""
        return str(self.path)

    @property
    def owner(self) -> str:
        """See `core.ports.Store`."""
        return self._owners.name

    def is_alive(self, owner: str) -> bool:
        """See `core.ports.Store`."""
        with faults(self.path):
            return self._owners.is_alive(owner)

    def claim_window(self) -> None:
        """Become the one window of this database until it is closed. Raises AlreadyOpen, StoreError. Call it after `open`."""
        with faults(self.path):
            self._owners.claim_window()

    async def open(self) -> None:
        """See `core.ports.Store`."""
        await self._threads.open(self._prepare)

    async def close(self) -> None:
        """See `core.ports.Store`."""
        await self._threads.close()
        self._owners.leave()

    def _prepare(self, engine: Engine) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._owners.enter()
            migrate(engine, self.path)
        except BaseException:
            self._owners.leave()
            raise
