"""Everything of a database to a portable file, and back into an empty one."""

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, LargeBinary, Table, func, select, text

from core import ENGINE_VERSION
from core.errors import DatabaseNewer, StoreError
from core.model.care import Transfer
from core.store.long_work import LongWork
from core.store.migration import HEAD
from core.store.portable import FORM, Head, PortableReader, portable_reader, portable_writer
from core.store.sql import BulkInsert
from core.store.tables import LOG_HEAD, METADATA, OUTBOX

PAGE: Final = 1_000

LOCAL: Final = frozenset({"desks", "leases", "commit_marks", "account_snapshots"})
"""Tables that are not carried elsewhere: who has this very database open, and what is made anew of the others."""


NOT_EMPTY: Final = (
    "The database is not empty, and the numbers of two logs cannot be kept beside each other.",
    "Import into a new one: weaver --db FILE db import …",
)


def carried_tables() -> list[Table]:
    """Return the tables that a file of everything holds, those that are referred to first."""
    return [table for table in METADATA.sorted_tables if table.name not in LOCAL]


def export_to(connection: Connection, path: Path, now_ns: int, job: LongWork) -> Transfer:
    """Write everything to `path`. Reads one consistent state, a page at a time."""
    tables = carried_tables()
    counts = {table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables}
    total, done = sum(counts.values()), 0
    head = Head(form=FORM, program=ENGINE_VERSION, revision=HEAD, created_ns=now_ns)
    with portable_writer(path, head) as writer:
        for table in tables:
            already = done
            name = table.name

            def step(rows: int, already: int = already, name: str = name) -> None:
                job.step(already + rows, total, f"Writing {name}")

            step(0)
            writer.write(name, table.columns.keys(), rows_of(connection, table), step)
            done += counts[name]
        written = writer.rows
    return Transfer(file=str(path), rows=written)


def rows_of(connection: Connection, table: Table) -> Iterator[Sequence[Any]]:
    """Yield the rows of a table by its key, a page at a time."""
    keys = list(table.primary_key.columns)
    after: tuple[Any, ...] | None = None
    while True:
        query = select(table).order_by(*keys).limit(_page(table))
        if after is not None:
            query = query.where(_beyond(keys, after))
        page = connection.execute(query).all()
        yield from page
        if len(page) < _page(table):
            return
        after = tuple(getattr(page[-1], key.name) for key in keys)


def _beyond(keys: list[Any], after: tuple[Any, ...]) -> Any:
    condition = keys[-1] > after[-1]
    for key, value in reversed(list(zip(keys[:-1], after[:-1], strict=True))):
        condition = (key > value) | ((key == value) & condition)
    return condition


def _page(table: Table) -> int:
    """Binary cells are megabytes."""
    return 1 if any(isinstance(column.type, LargeBinary) for column in table.columns) else PAGE


def import_from(connection: Connection, path: Path, job: LongWork) -> Transfer:
    """Read everything from `path` into a database that holds nothing, in the transaction of `connection`."""
    for table in carried_tables():
        if table is not LOG_HEAD and connection.execute(select(table).limit(1)).first() is not None:
            raise StoreError(*NOT_EMPTY)
    with portable_reader(path, HEAD) as reader:
        known = {table.name for table in carried_tables()}
        unknown = sorted(set(reader.contents) - known)
        if unknown:
            raise DatabaseNewer(
                f"{path} holds {', '.join(unknown)}, which this version does not know.", "Install the version that wrote it."
            )
        total, done = sum(reader.rows.values()), 0
        for table in carried_tables():
            if table is LOG_HEAD and reader.rows.get(table.name):
                connection.execute(LOG_HEAD.delete())
            for into, values in _pages(reader, table, path):
                job.step(done, total, f"Reading {table.name}")
                into.run(connection, values)
                done += len(values) // len(into.columns)
        _go_on_numbering(connection)
        return Transfer(file=str(path), rows=reader.rows)


def _pages(reader: PortableReader, table: Table, path: Path) -> Iterator[tuple[BulkInsert, list[Any]]]:
    """Yield the cells of a few rows at a time, one row after the other, and what inserts them."""
    rows = reader.read(table.name)
    columns = next(rows, None)
    if columns is None:
        return
    known_columns(table, columns, path)
    into = BulkInsert(table, columns)
    binary = [at for at, name in enumerate(columns) if isinstance(table.columns[name].type, LargeBinary)]
    most = _page(table) * len(columns)
    values: list[Any] = []
    for row in rows:
        for at in binary:
            row[at] = base64.b64decode(row[at])
        values += row
        if len(values) >= most:
            yield into, values
            values = []
    if values:
        yield into, values


def known_columns(table: Table, columns: Sequence[str], path: Path) -> None:
    """Raise DatabaseNewer when a table of the file has columns that ours has not."""
    unknown = sorted(set(columns) - set(table.columns.keys()))
    if unknown:
        what = f"{path} holds {', '.join(unknown)} of {table.name}, which this version does not know."
        raise DatabaseNewer(what, "Install the version that wrote it.")


def _go_on_numbering(connection: Connection) -> None:
    """PostgreSQL numbers rows by sequences, which know nothing of rows that came with their number."""
    if connection.dialect.name != "postgresql":
        return
    for table in carried_tables():
        column = table.autoincrement_column
        if column is not None and table is not OUTBOX:
            found = connection.execute(select(func.pg_get_serial_sequence(table.name, column.name))).scalar()
            if found is not None:
                last = f"(SELECT coalesce(max({column.name}), 0) + 1 FROM {table.name})"  # noqa: S608 - our own names
                connection.execute(text(f"SELECT setval('{found}', {last}, false)"))
