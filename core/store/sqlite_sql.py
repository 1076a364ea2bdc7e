"""SQL as SQLite spells it."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection

from core.store.dialect import Row, driver
from core.store.sql import BulkInsert

_SIZES: Final = (1_000, 100, 10, 1)


class SqliteSql:
    """A `Spelling`. Rows come back as one text, a JSON list that the database makes: one step, one decode."""

    for_update: Final = ""  # a writer has the whole file to itself
    by_byte: Final = ""
    now_ms: Final = "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"

    def spelled(self, statement: str) -> str:
        """See `core.store.dialect.Spelling`."""
        return statement

    def lock(self, connection: Connection, name: str) -> None:
        """See `core.store.dialect.Spelling`. A writer has the whole file to itself already."""

    def insert(self, connection: Connection, into: BulkInsert, values: list[Any]) -> None:
        """See `core.store.dialect.Spelling`."""
        start = 0
        for size in _SIZES:
            step = size * into.width
            while len(values) - start >= step:
                driver(connection).execute(_statement(into, size), values[start : start + step])
                start += step

    def rows(
        self, connection: Connection, columns: str, source: str, values: Sequence[Any], decode: Callable[[str], list[Row]]
    ) -> list[Row]:
        """See `core.store.dialect.Spelling`."""
        return _decoded(connection, f"SELECT json_array({columns}) AS line {source}", values, decode)

    def bodies(self, connection: Connection, source: str, values: Sequence[Any], decode: Callable[[str], list[Row]]) -> list[Row]:
        """See `core.store.dialect.Spelling`."""
        return _decoded(connection, f"SELECT '[' || ordinal || ',' || body || ']' AS line {source}", values, decode)


def _decoded(connection: Connection, lines: str, values: Sequence[Any], decode: Callable[[str], list[Row]]) -> list[Row]:
    statement = f"SELECT '[' || group_concat(line, ',') || ']' FROM ({lines})"  # noqa: S608 - made of our own names; values are parameters
    (text,) = driver(connection).execute(statement, values).fetchone()
    return [] if text is None else decode(text)


@cache
def _statement(into: BulkInsert, size: int) -> str:
    row = f"({', '.join(['?'] * into.width)})"
    return into.head + "VALUES " + ", ".join([row] * size) + into.tail
