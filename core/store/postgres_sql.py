"""SQL as PostgreSQL spells it."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, LargeBinary
from sqlalchemy.dialects import postgresql

from core.store.dialect import Row, driver
from core.store.sql import BulkInsert

_COPY_FROM_ROWS: Final = 20
"""From so many rows on, COPY beats one statement with an array for each column."""
_COPIED_AT_ONCE: Final = 500
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class PostgresSql:
    """A `Spelling`. Rows of plain columns come back as tuples, which the driver makes faster than JSON is decoded."""

    for_update: Final = " FOR UPDATE"
    by_byte: Final = ' COLLATE "C"'
    now_ms: Final = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"

    def spelled(self, statement: str) -> str:
        """See `core.store.dialect.Spelling`."""
        return statement.replace("?", "%s")

    def lock(self, connection: Connection, name: str) -> None:
        """See `core.store.dialect.Spelling`. Two names of one hash only wait for each other."""
        driver(connection).execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))

    def insert(self, connection: Connection, into: BulkInsert, values: list[Any]) -> None:
        """See `core.store.dialect.Spelling`."""
        if len(values) == into.width:
            driver(connection).execute(_one(into), values)
        elif not into.tail and len(values) >= _COPY_FROM_ROWS * into.width and not _has_bytes(into):
            _copy(connection, into, values)
        else:
            columns = [values[at :: into.width] for at in range(into.width)]
            driver(connection).execute(_statement(into), columns)

    def rows(
        self, connection: Connection, columns: str, source: str, values: Sequence[Any], decode: Callable[[str], list[Row]]
    ) -> list[Row]:
        """See `core.store.dialect.Spelling`."""
        found: list[Row] = driver(connection).execute(self.spelled(f"SELECT {columns} {source}"), values).fetchall()
        return found

    def bodies(self, connection: Connection, source: str, values: Sequence[Any], decode: Callable[[str], list[Row]]) -> list[Row]:
        """See `core.store.dialect.Spelling`."""
        lines = f"SELECT '[' || ordinal || ',' || body || ']' AS line {source}"
        statement = f"SELECT '[' || string_agg(line, ',') || ']' FROM ({lines}) AS lines"  # noqa: S608 - made of our own names
        (text,) = driver(connection).execute(self.spelled(statement), values).fetchone()
        return [] if text is None else decode(text)


def _copy(connection: Connection, into: BulkInsert, values: list[Any]) -> None:
    statement = f"COPY {into.table.name} ({', '.join(into.columns)}) FROM STDIN"
    with driver(connection).cursor() as cursor, cursor.copy(statement) as copy:
        for start in range(0, len(values), _COPIED_AT_ONCE * into.width):
            copy.write(copied_text(values[start : start + _COPIED_AT_ONCE * into.width], into.width))


class NumberedLines:
    """Rows as COPY reads them, but for their first cell: the number that comes before it is said last. `width`: cells of a row."""

    def __init__(self, cells: Sequence[Any], width: int) -> None:
        others = list(cells)
        del others[::width]
        self._lines = copied_text(others, width - 1).encode().split(b"\n")[:-1]

    def pieces(self, last: int) -> Iterator[bytes]:
        """Yield the text of some rows at a time; the last row has the number `last`, those before it the numbers before."""
        first = last - len(self._lines) + 1
        for start in range(0, len(self._lines), _COPIED_AT_ONCE):
            lines = self._lines[start : start + _COPIED_AT_ONCE]
            yield b"".join([b"%d\t%b\n" % (number, line) for number, line in enumerate(lines, first + start)])


def copied_text(values: Sequence[Any], width: int) -> str:
    """Return rows as COPY reads them; a third of the time that the driver takes for it cell by cell."""
    cells = ["\\N" if value is None else value if value.__class__ is str else str(value) for value in values]
    lines = ["\t".join(cells[start : start + width]) for start in range(0, len(cells), width)]
    text = "\n".join(lines) + "\n"
    # Signs of COPY's own inside a cell are rare: then it is done again, cell by cell.
    strange = text.count("\t") != len(cells) - len(lines) or text.count("\n") != len(lines)
    if strange or "\r" in text or text.count("\\") != values.count(None):
        escaped = [cell if value is None else _escaped(cell) for cell, value in zip(cells, values, strict=True)]
        text = "".join("\t".join(escaped[start : start + width]) + "\n" for start in range(0, len(cells), width))
    return text


def _escaped(cell: str) -> str:
    return cell.translate(_ESCAPES) if "\\" in cell or "\t" in cell or "\n" in cell or "\r" in cell else cell


@cache
def _has_bytes(into: BulkInsert) -> bool:
    return any(isinstance(into.table.c[name].type, LargeBinary) for name in into.columns)


@cache
def _one(into: BulkInsert) -> str:
    return f"{into.head}VALUES ({', '.join(['%s'] * into.width)}){into.tail}"


@cache
def _statement(into: BulkInsert) -> str:
    spoken = postgresql.dialect()  # type: ignore[no-untyped-call]
    # Binary (%b): an array of text is several times faster than its quoted form.
    arrays = ", ".join(f"%b::{into.table.c[name].type.compile(dialect=spoken)}[]" for name in into.columns)
    return f"{into.head}SELECT * FROM unnest({arrays}){into.tail}"  # noqa: S608 - made of our own names; values are parameters
