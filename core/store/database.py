"""A store in a database: an SQLite file, or PostgreSQL. Several processes may have it open at once."""

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from core.errors import InputError
from core.events.codec import EventCodec
from core.model.desk import Desk, this_machine
from core.ports import BarStore, Clock
from core.store.bar_cache import BarCache, CachedBarStore
from core.store.bars import DatabaseBarStore
from core.store.care import DatabaseCare
from core.store.corporate_actions import DatabaseCorporateActionStore
from core.store.dialect import Database
from core.store.event_log import DatabaseEventLog, DatabaseRunStore
from core.store.faults import faults
from core.store.leases import DatabaseLeases
from core.store.live import LiveNews
from core.store.location import database_path, is_postgres
from core.store.migration import migrate
from core.store.ownership import Owners
from core.store.paper import DatabasePaperBooks
from core.store.sqlite import BUSY_TIMEOUT_S, SqliteDatabase
from core.store.threads import Threads


class DatabaseStore:
    """A `Store` in an SQLite file, by path or `sqlite:///` URL, or in PostgreSQL by `postgresql://` URL.

    Missing directories and tables are made when it opens. `busy_timeout_s`: how long a write waits for another's lock, or for
    a server to come back. `locks`: where the processes of this machine that use a server's database hold their locks; a file's
    are beside it. `desk`: the workstation; without one it is the machine. `hash_chain`: whether events of runs are stored with
    their hashes. `bar_cache`: a folder of this machine in which bars of a server's database are kept, so that they are fetched once.
    """

    def __init__(
        self,
        url: str | Path,
        clock: Clock,
        *,
        codec: EventCodec | None = None,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        locks: Path | None = None,
        desk: Desk | None = None,
        hash_chain: bool = False,
        bar_cache: Path | None = None,
    ) -> None:
        self._database = database_at(url, busy_timeout_s)
        self._owners = Owners(_lock_directory(self._database, locks), self._database.where)
        self._threads = Threads(self._database)
        self.desk: Final = desk or this_machine()
        self.leases: Final = DatabaseLeases(self._threads, self.desk, self._owners.name, self.is_alive)
        codec = codec or EventCodec()
        live = LiveNews(self._owners.name, codec, clock.monotonic_ns)
        times = {"now_ns": clock.now_ns, "monotonic_ns": clock.monotonic_ns}
        self.log: Final = DatabaseEventLog(self._threads, codec=codec, live=live, hash_chain=hash_chain, **times)
        self.runs: Final = DatabaseRunStore(self._threads, self.log, codec)
        bars: BarStore = DatabaseBarStore(self._threads, clock.now_ns)
        if self._database.is_shared and bar_cache is not None:
            bars = CachedBarStore(bars, BarCache(bar_cache))
        self.bars: Final = bars
        self.actions: Final = DatabaseCorporateActionStore(self._threads)
        self.paper: Final = DatabasePaperBooks(self._threads)
        self.care: Final = DatabaseCare(self._threads, codec=codec, **times)

    @property
    def where(self) -> str:
        """See `core.ports.Store`."""
        return self._database.where

    @property
    def is_shared(self) -> bool:
        """See `core.ports.Store`."""
        return self._database.is_shared

    @property
    def owner(self) -> str:
        """See `core.ports.Store`."""
        return self._owners.name

    def is_alive(self, owner: str) -> bool:
        """See `core.ports.Store`."""
        with faults(self._database):
            return self._owners.is_alive(owner)

    async def facts(self) -> Sequence[tuple[str, str]]:
        """See `core.ports.Store`."""
        return await self._threads.read(self._database.facts)

    def claim_window(self) -> None:
        """Become the one window of this database until it is closed. Raises AlreadyOpen, StoreError. Call it after `open`."""
        with faults(self._database):
            self._owners.claim_window()

    async def open(self) -> None:
        """See `core.ports.Store`."""
        await self._threads.open(self._prepare, self.log)

    async def close(self) -> None:
        """See `core.ports.Store`."""
        await self._threads.close()
        self._owners.leave()

    def _prepare(self, engine: Engine) -> None:
        if isinstance(self._database, SqliteDatabase):
            self._database.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._owners.enter()
            migrate(engine, self._database)
            with engine.connect() as connection:
                self.log.tail.start(connection)
        except BaseException:
            self._owners.leave()
            raise


def database_at(url: str | Path, patience_s: float) -> Database:
    """Return the database at a path or URL; it is not connected to yet. Raises InputError."""
    if isinstance(url, str) and is_postgres(url):
        from core.store.postgres import PostgresDatabase  # its driver takes a tenth of a second to import

        return PostgresDatabase(url, patience_s)
    path = url if isinstance(url, Path) else database_path(url)
    if path is None:
        raise InputError("A database in memory has no file.", "Use the memory store.")
    return SqliteDatabase(path.absolute(), patience_s)


def _lock_directory(database: Database, locks: Path | None) -> Path:
    if isinstance(database, SqliteDatabase):
        return database.path.with_name(database.path.name + ".owners")
    # Named by its place, so that two databases of one machine do not share a window.
    name = hashlib.sha256(database.where.encode()).hexdigest()[:16]
    return (locks or Path(tempfile.gettempdir()) / "weaver-owners") / name
