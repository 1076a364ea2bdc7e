"""Connections to the SQLite file: one that writes, and some that read beside it."""

import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event

_WAL: Final = "PRAGMA journal_mode=WAL"  # readers and the writer do not wait for each other
_PRAGMAS: Final = (
    _WAL,
    "PRAGMA synchronous=FULL",  # what is committed survives a power cut
    "PRAGMA foreign_keys=ON",
    "PRAGMA wal_autocheckpoint=4000",  # pages; fewer checkpoints while a backtest's events stream in
    "PRAGMA temp_store=MEMORY",
)
_BETWEEN_TRIES_S: Final = 0.005


def writing_engine(path: Path, busy_timeout_s: float) -> Engine:
    """Return the engine of the writer, whose transactions are those of `core.store.sql.transaction`."""
    engine = _engine(path, busy_timeout_s, _PRAGMAS)
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def reading_engine(path: Path, busy_timeout_s: float) -> Engine:
    """Return an engine whose connections each see one consistent state, and cannot write."""
    engine = _engine(path, busy_timeout_s, ("PRAGMA query_only=ON",))

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    event.listen(engine, "begin", begun)
    return engine


def _engine(path: Path, busy_timeout_s: float, pragmas: tuple[str, ...]) -> Engine:
    engine = create_engine(URL.create("sqlite+pysqlite", database=str(path)), connect_args={"timeout": busy_timeout_s})

    def connected(driver_connection: Any, record: object) -> None:
        driver_connection.isolation_level = None  # the driver opens no transactions of its own
        cursor = driver_connection.cursor()
        try:
            for pragma in pragmas:
                if pragma is _WAL:
                    _write_ahead(cursor, busy_timeout_s)
                else:
                    cursor.execute(pragma)
        finally:
            cursor.close()

    event.listen(engine, "connect", connected)
    return engine


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
