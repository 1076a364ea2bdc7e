"""The SQL that must be fast: many rows go in by one step, and come out by one. Everything else is SQLAlchemy Core.

SQLite gives the interpreter's lock back and takes it again at every step, and so does a driver at every answer of a server.
While a backtest computes, each such step waits milliseconds, so a row per step would take minutes.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table

from core.store.dialect import database_of


class BulkInsert:
    """Inserts many rows by few statements. `key` and `update` say what happens to a row that is already there.

    Without `key` it is an error, with `key` alone the old row stays, with `update` these columns are replaced.
    """

    def __init__(self, table: Table, columns: Sequence[str], *, key: str | None = None, update: Sequence[str] = ()) -> None:
        self.table = table
        self.columns = tuple(columns)
        self.width = len(columns)
        self.head = f"INSERT INTO {table.name} ({', '.join(columns)}) "
        self.tail = ""
        if key is not None:
            replaced = ", ".join(f"{column} = excluded.{column}" for column in update)
            self.tail = f" ON CONFLICT ({key}) DO " + (f"UPDATE SET {replaced}" if update else "NOTHING")

    def run(self, connection: Connection, values: list[Any]) -> None:
        """Insert rows; `values` holds all their cells, one row after the other."""
        if values:
            database_of(connection).sql.insert(connection, self, values)
