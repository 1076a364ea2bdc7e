"""Brings archived events back to where they were: at their numbers, with the notes of their deletion gone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete, insert, select

from core.errors import InputError, StoreError
from core.model.care import Archive
from core.model.retention import EventClass
from core.store.archive_file import COLUMNS, ArchiveReader, checked_end
from core.store.long_work import LongWork
from core.store.sql import BulkInsert
from core.store.tables import ARCHIVES, DELETED_SEQS, OUTBOX, RUNS

PAGE: Final = 1_000
_INSERT: Final = BulkInsert(OUTBOX, COLUMNS)


def restore_archive(connection: Connection, path: Path, job: LongWork) -> Archive:
    """Put the events of an archive back, in the transaction of `connection`; return it with the count of those that came back.

    Events of runs that were deleted since stay out. The file stays where it is. Raises UnreadableFile, InputError for a file that
    this database did not write or has taken back already, StoreError where an event's place is taken.
    """
    archive = _noted(connection, path)
    connection.execute(delete(DELETED_SEQS).where(DELETED_SEQS.c.why == f"archive {archive.name}"))
    connection.execute(delete(ARCHIVES).where(ARCHIVES.c.name == archive.name))
    known = None if archive.kind == EventClass.DESK else set(connection.execute(select(RUNS.c.id)).scalars())
    restored, left_out = 0, list[tuple[int, str]]()
    for rows in _pages(path):
        job.step(restored, archive.events, "Restoring events")
        wanted = [row for row in rows if known is None or row["run_id"] in known]
        left_out += [(row["seq"], row["run_id"]) for row in rows if known is not None and row["run_id"] not in known]
        _check_free(connection, [row["seq"] for row in wanted])
        _INSERT.run(connection, [row[name] for row in wanted for name in COLUMNS])
        restored += len(wanted)
    _note_deleted(connection, left_out)
    return msgspec.structs.replace(archive, events=restored)


def _noted(connection: Connection, path: Path) -> Archive:
    end = checked_end(path)
    query = select(ARCHIVES).where(ARCHIVES.c.sha256 == end.sha256, ARCHIVES.c.events == end.events)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise InputError(
            f"The events of {path.name} were not moved there from this database, or they are back already.",
            "`weaver db archives` lists the archives of this database.",
        )
    return Archive(**row)


def _pages(path: Path) -> Iterator[list[dict[str, Any]]]:
    page: list[dict[str, Any]] = []
    for row in ArchiveReader(path).rows():
        page.append(row)
        if len(page) == PAGE:
            yield page
            page = []
    yield page


def _check_free(connection: Connection, seqs: list[int]) -> None:
    taken = connection.execute(select(OUTBOX.c.seq).where(OUTBOX.c.seq.in_(seqs)).limit(1)).scalar()
    if taken is not None:
        raise StoreError(f"Event {taken} is in the database already; nothing was restored.", "Look at it with `weaver db check`.")


def _note_deleted(connection: Connection, left_out: list[tuple[int, str]]) -> None:
    """Note what does not come back as deleted with its run."""
    ranges: list[list[Any]] = []
    for seq, run_id in sorted(left_out):
        why = f"run {run_id}"
        if ranges and ranges[-1][1:] == [seq - 1, why]:
            ranges[-1][1] = seq
        else:
            ranges.append([seq, seq, why])
    if ranges:
        rows = [{"first_seq": first, "last_seq": last, "why": why} for first, last, why in ranges]
        connection.execute(insert(DELETED_SEQS), rows)
