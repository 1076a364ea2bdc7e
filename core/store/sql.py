"""The SQL that must be fast or that databases spell differently; everything else is SQLAlchemy Core.

SQLite gives the interpreter's lock back and takes it again at every step. While a backtest computes in the loop's thread, each
such step waits milliseconds, so a row per step would take minutes. Here many rows go in by one step, and come out by one.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Table

from core.errors import BugError

_SIZES: Final = (1_000, 100, 10, 1)


def driver(connection: Connection) -> sqlite3.Connection:
    """Return the driver's own connection: a statement through SQLAlchemy costs as much as a quarter of a commit."""
    found = connection.connection.driver_connection
    if not isinstance(found, sqlite3.Connection):
        raise BugError("The store's connection is closed.")
    return found


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Hold the write lock from the beginning; commit at the end of the block, roll back when it raises."""
    of_driver = driver(connection)
    of_driver.execute("BEGIN IMMEDIATE")
    try:
        yield
        of_driver.execute("COMMIT")
    except BaseException:
        if of_driver.in_transaction:  # after some errors SQLite has rolled back by itself
            of_driver.execute("ROLLBACK")
        raise


class BulkInsert:
    """Inserts many rows by few statements. `key` and `update` say what happens to a row that is already there.

    Without `key` it is an error, with `key` alone the old row stays, with `update` these columns are replaced.
    """

    def __init__(self, table: Table, columns: Sequence[str], *, key: str | None = None, update: Sequence[str] = ()) -> None:
        self.columns = tuple(columns)
        self._width = len(columns)
        head = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES "  # noqa: S608 - made of our own names; values are parameters
        tail = ""
        if key is not None:
            replaced = ", ".join(f"{column} = excluded.{column}" for column in update)
            tail = f" ON CONFLICT ({key}) DO " + (f"UPDATE SET {replaced}" if update else "NOTHING")
        row = f"({', '.join(['?'] * self._width)})"
        self._statements = [(size, head + ", ".join([row] * size) + tail) for size in _SIZES]

    def run(self, connection: Connection, values: list[Any]) -> None:
        """Insert rows; `values` holds all their cells, one row after the other."""
        start = 0
        for size, statement in self._statements:
            step = size * self._width
            while len(values) - start >= step:
                driver(connection).execute(statement, values[start : start + step])
                start += step


def rows_as_json(columns: Sequence[str], source: str) -> str:
    """Return SQL for one text: the rows of `source` (FROM … ORDER BY … LIMIT …) as a JSON list of lists, or NULL for none."""
    row = f"SELECT json_array({', '.join(columns)}) AS line {source}"
    return f"SELECT '[' || group_concat(line, ',') || ']' FROM ({row})"  # noqa: S608


def bodies_as_json(order: str, source: str) -> str:
    """Like `rows_as_json`, for the pair of an `order` column and the JSON in `body`."""
    row = f"SELECT '[' || {order} || ',' || body || ']' AS line {source}"
    return f"SELECT '[' || group_concat(line, ',') || ']' FROM ({row})"  # noqa: S608
