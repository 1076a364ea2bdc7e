"""An SQLite file: one connection that writes, and some that read beside it. What its driver raises, in plain words."""

import errno
import select
import socket
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event

from core.errors import BugError, DatabaseBusy, DiskFull, InvalidValue, StoreError, StoreReadOnly
from core.store.dialect import Begun, News, driver, mark_engine
from core.store.sqlite_sql import SqliteSql
from core.store.transaction import EVENT_COLUMNS, INSERT_EVENTS, with_seqs
from core.store.write_ahead import CHECKPOINT_PAGES, WriteAheadRoom

BUSY_TIMEOUT_S: Final = 5.0

_WAL: Final = "PRAGMA journal_mode=WAL"  # readers and the writer do not wait for each other
_PRAGMAS: Final = (
    _WAL,
    "PRAGMA synchronous=FULL",  # what is committed survives a power cut
    "PRAGMA foreign_keys=ON",
    f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}",  # fewer checkpoints while a backtest's events stream in
    "PRAGMA temp_store=MEMORY",
)
_BETWEEN_TRIES_S: Final = 0.005
_BETWEEN_LOOKS_S: Final = 0.2
_PRIMARY_CODE: Final = 0xFF


class SqliteDatabase:
    """A `Database` in a file. `patience_s`: how long a write waits for another process's before it raises DatabaseBusy."""

    is_shared: Final = False
    late_events: Final = 0

    def __init__(self, path: Path, patience_s: float = BUSY_TIMEOUT_S) -> None:
        self.path: Final = path
        self.where: Final = str(path)
        self.patience_s: Final = patience_s
        self.sql: Final = SqliteSql()
        self._room: Final = WriteAheadRoom(path)

    def writing_engine(self) -> Engine:
        """See `core.store.dialect.Database`."""
        return mark_engine(self._engine(_PRAGMAS), self, isolation_level="AUTOCOMMIT")

    def reading_engine(self) -> Engine:
        """See `core.store.dialect.Database`."""
        engine = self._engine(("PRAGMA query_only=ON",))

        def begun(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN")

        event.listen(engine, "begin", begun)
        return mark_engine(engine, self)

    def begin(self, connection: Connection, *, alone: bool, appends: bool) -> Begun:
        """See `core.store.dialect.Database`. Holds the write lock from the beginning."""
        driver(connection).execute("BEGIN IMMEDIATE")
        return Begun()

    def commit(self, connection: Connection, begun: Begun, head: int | None, late: Sequence[Any]) -> None:
        """See `core.store.dialect.Database`."""
        of_driver = driver(connection)
        if head is not None:
            of_driver.execute("UPDATE log_head SET seq = ?", (head,))
        of_driver.execute("COMMIT")

    def new_mark(self, connection: Connection) -> str:
        """See `core.store.dialect.Database`."""
        return ""

    def append(self, connection: Connection, mark: str, cells: Sequence[Any]) -> int:
        """See `core.store.dialect.Database`."""
        of_driver = driver(connection)
        of_driver.execute("BEGIN IMMEDIATE")
        (before,) = of_driver.execute("SELECT seq FROM log_head").fetchone()
        head: int = before + len(cells) // len(EVENT_COLUMNS)
        INSERT_EVENTS.run(connection, with_seqs(cells, before + 1))
        of_driver.execute("UPDATE log_head SET seq = ?", (head,))
        of_driver.execute("COMMIT")
        return head

    def rollback(self, connection: Connection) -> None:
        """See `core.store.dialect.Database`."""
        of_driver = driver(connection)
        if of_driver.in_transaction:  # after some errors SQLite has rolled back by itself
            of_driver.execute("ROLLBACK")

    def between_commits(self, connection: Connection) -> None:
        """See `core.store.dialect.Database`."""
        self._room.make(driver(connection))

    def was_committed(self, connection: Connection, mark: str) -> bool | None:
        """See `core.store.dialect.Database`. A commit in a file is always answered."""
        return False

    def listen(self, connection: Connection) -> None:
        """See `core.store.dialect.Database`. A file tells nothing."""

    def wait_for_news(self, connection: Connection, wake: socket.socket) -> News:
        """See `core.store.dialect.Database`. Looks a few times a second, which costs a hundredth of a thousandth of a processor."""
        select.select([wake], [], [], _BETWEEN_LOOKS_S)
        (head,) = driver(connection).execute("SELECT seq FROM log_head").fetchone()
        return News(int(head))

    def tell_live(self, connection: Connection, text: str) -> bool:
        """See `core.store.dialect.Database`."""
        return False

    def facts(self, connection: Connection) -> list[tuple[str, str]]:
        """See `core.store.dialect.Database`."""
        return [("database size", f"{self.path.stat().st_size / 1e6:,.1f} MB")]

    def fault(self, error: BaseException) -> StoreError | BugError | InvalidValue | None:
        """See `core.store.dialect.Database`."""
        if isinstance(error, sqlite3.Error):
            return self._database_fault(error)
        return self._file_fault(error) if isinstance(error, OSError) else None

    def _engine(self, pragmas: tuple[str, ...]) -> Engine:
        engine = create_engine(URL.create("sqlite+pysqlite", database=str(self.path)), connect_args={"timeout": self.patience_s})

        def connected(driver_connection: Any, record: object) -> None:
            driver_connection.isolation_level = None  # the driver opens no transactions of its own
            cursor = driver_connection.cursor()
            try:
                for pragma in pragmas:
                    if pragma is _WAL:
                        _write_ahead(cursor, self.patience_s)
                    else:
                        cursor.execute(pragma)
            finally:
                cursor.close()

        event.listen(engine, "connect", connected)
        return engine

    def _database_fault(self, error: sqlite3.Error) -> StoreError | BugError:
        path = self.path
        if isinstance(error, sqlite3.IntegrityError):
            return BugError(f"A row contradicts what is stored: {error}.")
        code = (getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY_CODE
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return DatabaseBusy(
                f"{path} is locked by another process.", "Close the other program, or wait until it is done, and try again."
            )
        if code == sqlite3.SQLITE_FULL:
            return DiskFull(f"The disk that holds {path} is full; the last change was not made.", "Free some space and try again.")
        if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
            return _read_only(path)
        if code == sqlite3.SQLITE_CANTOPEN:
            return StoreError(
                f"{path} cannot be opened as a database.", "Check that its directory can be written, or choose another with --db."
            )
        if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
            return StoreError(
                f"{path} is not a database, or it is damaged: {error}.", "Restore it from a copy, or choose another with --db."
            )
        if code == sqlite3.SQLITE_IOERR:
            return StoreError(f"{path} cannot be read or written: {error}.", "Check the disk and try again.")
        return BugError(f"The database refused a statement: {error}.")

    def _file_fault(self, error: OSError) -> StoreError:
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            return _read_only(Path(error.filename) if isinstance(error.filename, str) else self.path)
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return DiskFull(f"The disk that holds {self.path} is full.", "Free some space and try again.")
        return StoreError(f"{self.path} cannot be used as a database: {error.strerror or error}.", "Choose another with --db.")


def _read_only(path: Path) -> StoreReadOnly:
    return StoreReadOnly(f"{path} cannot be written.", "Allow writing there, or choose another database with --db.")


def _write_ahead(cursor: sqlite3.Cursor, busy_timeout_s: float) -> None:
    """Switch to the write-ahead log; of programs that create one file at once, all but one must ask again.

    SQLite answers "locked" to this switch without waiting for its own busy timeout.
    """
    deadline = time.monotonic() + busy_timeout_s
    while True:
        try:
            cursor.execute(_WAL)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            threading.Event().wait(_BETWEEN_TRIES_S)  # nobody sets it: SQLite offers nothing else to wait for
        else:
            return
