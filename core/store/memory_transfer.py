"""Everything of a memory store to a portable file, and back."""

from pathlib import Path

from core import ENGINE_VERSION
from core.errors import StoreError
from core.events.codec import EventCodec
from core.model.care import Transfer
from core.store.memory_rows import MemoryContents, MemoryLoader, rows_of
from core.store.migration import HEAD
from core.store.portable import FORM, Head, portable_reader, portable_writer
from core.store.transfer import NOT_EMPTY, carried_tables, known_columns


def export_contents(contents: MemoryContents, path: Path, now_ns: int, codec: EventCodec) -> Transfer:
    """Write everything to `path`."""
    head = Head(form=FORM, program=ENGINE_VERSION, revision=HEAD, created_ns=now_ns)
    with portable_writer(path, head) as writer:
        for table in carried_tables():
            writer.write(table.name, table.columns.keys(), rows_of(contents, table.name, codec), lambda _: None)
        counts = writer.rows
    return Transfer(file=str(path), rows=counts)


def import_contents(held: MemoryContents, path: Path, codec: EventCodec) -> tuple[MemoryContents, Transfer]:
    """Return what `path` holds; `held` is what the store has now, which must be nothing."""
    if not held.is_empty:
        raise StoreError(*NOT_EMPTY)
    loader = MemoryLoader(codec)
    with portable_reader(path, HEAD) as reader:
        for table in carried_tables():
            rows = reader.read(table.name)
            columns = next(rows, None)
            if columns is not None:
                known_columns(table, columns, path)
                for row in rows:
                    loader.take(table.name, dict(zip(columns, row, strict=True)))
        return loader.finish(), Transfer(file=str(path), rows=reader.rows)
