"""Moves old events to files. Nothing is deleted before its archive is complete, on the disk, and was read again and found the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select

from core.errors import BugError, KnownError
from core.events.registry import event_types
from core.model.care import Archive
from core.model.retention import EventClass
from core.model.run import Run, RunMode, RunStatus
from core.store import rows
from core.store.archive_file import ArchiveEnd, ArchiveWriter, checked_end
from core.store.deletions import delete_events
from core.store.long_work import LongWork
from core.store.portable import sync, unwritable
from core.store.tables import ARCHIVES, OUTBOX, RUNS

PAGE: Final = 2_000
_MODES: Final = {
    EventClass.BACKTEST: RunMode.BACKTEST,
    EventClass.TRACE: RunMode.BACKTEST,
    EventClass.PAPER: RunMode.PAPER,
    EventClass.LIVE: RunMode.LIVE,
}

_IS_FORGOTTEN: Final = OUTBOX.c.type.not_in([wire for wire, payload in event_types().items() if payload.remembered])
"""Of an event: that nothing is made of it when an account opens."""


@dataclass(frozen=True, slots=True)
class Part:
    """Events that are archived together: those of one run, or of the desk. `last_seq` and `events` as they were when they were read."""

    condition: ColumnElement[bool]
    last_seq: int
    events: int


def write_archive(
    connection: Connection, kind: EventClass, before_ns: int, folder: Path, now_ns: int, job: LongWork
) -> tuple[Archive, list[Part]] | None:
    """Write the events of a class that are older than `before_ns` to a file, and return what is to be deleted now; None for no events."""
    parts = [part for part in _parts(connection, kind, before_ns) if part.events]
    if not parts:
        return None
    first_seq = min(connection.execute(select(func.min(OUTBOX.c.seq)).where(part.condition)).scalar_one() for part in parts)
    last_seq = max(part.last_seq for part in parts)
    total = sum(part.events for part in parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{kind.value}-{first_seq}-{last_seq}"
        unfinished = folder / f"{stem}.part"
        writer = ArchiveWriter(unfinished, kind, now_ns)
        try:
            for part in parts:
                for cells in _events(connection, part):
                    if not writer.events % PAGE:
                        job.step(writer.events, total, "Archiving")
                    writer.write(cells)
            end = writer.finish()
            path = _placed(unfinished, folder, stem, end)
        finally:
            writer.close()
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(error, folder) from error
    archive = Archive(
        name=path.name,
        kind=kind.value,
        file=str(path),
        events=end.events,
        first_seq=first_seq,
        last_seq=last_seq,
        sha256=end.sha256,
        created_ns=now_ns,
    )
    return archive, parts


def delete_archived(connection: Connection, archive: Archive, parts: list[Part]) -> Archive:
    """Delete what was archived and note it, in the transaction of `connection`. Raises BugError when it is not what was written."""
    deleted = sum(
        delete_events(connection, and_(part.condition, OUTBOX.c.seq <= part.last_seq), f"archive {archive.name}") for part in parts
    )
    if deleted != archive.events:
        raise BugError(f"{archive.events} events were archived, and {deleted} would have been deleted.")
    noted = {name: getattr(archive, name) for name in archive.__struct_fields__}
    connection.execute(insert(ARCHIVES).values(**noted))
    return archive


def read_archives(connection: Connection) -> list[Archive]:
    """Return the files that events were moved to, oldest first."""
    found = connection.execute(select(ARCHIVES).order_by(ARCHIVES.c.created_ns, ARCHIVES.c.name))
    return [Archive(**row) for row in found.mappings()]


def _parts(connection: Connection, kind: EventClass, before_ns: int) -> Iterator[Part]:
    if kind is EventClass.DESK:
        of_no_run = or_(OUTBOX.c.run_id.is_(None), OUTBOX.c.run_id.not_in(select(RUNS.c.id)))
        yield _part(connection, and_(of_no_run, OUTBOX.c.ts < before_ns, _IS_FORGOTTEN))
        return
    for run in rows.read_runs(connection):
        if run.config.mode is _MODES[kind] and _is_over(run, before_ns):
            condition = OUTBOX.c.run_id == run.id
            if kind is EventClass.TRACE:
                condition = and_(condition, OUTBOX.c.type.in_(_traced_types()))
            elif kind is not EventClass.BACKTEST:
                condition = and_(condition, _IS_FORGOTTEN)
            yield _part(connection, condition)


def _part(connection: Connection, condition: ColumnElement[bool]) -> Part:
    last, events = connection.execute(select(func.max(OUTBOX.c.seq), func.count()).where(condition)).one()
    return Part(condition, last or 0, events)


def _is_over(run: Run, before_ns: int) -> bool:
    ended_ns = run.ended_ns if run.ended_ns is not None else run.created_ns
    may_go_on = run.status is RunStatus.INTERRUPTED and run.config.mode is not RunMode.BACKTEST
    return run.status.is_final and not may_go_on and ended_ns < before_ns


def _traced_types() -> list[str]:
    return [wire for wire, payload in event_types().items() if not payload.durable]


def _events(connection: Connection, part: Part) -> Iterator[Any]:
    after = 0
    while True:
        query = select(OUTBOX).where(part.condition, OUTBOX.c.seq > after, OUTBOX.c.seq <= part.last_seq)
        page = connection.execute(query.order_by(OUTBOX.c.seq).limit(PAGE)).all()
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].seq


def _placed(unfinished: Path, folder: Path, stem: str, end: ArchiveEnd) -> Path:
    """Give a complete file its name and return it. A file of that name stays: it may be another database's only copy."""
    number = 1
    while True:
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}.jsonl.zst"
        if not path.exists():
            unfinished.rename(path)
            sync(folder)
            return path
        if _holds(path, end):
            return path  # an earlier call wrote it, and did not come to the deletion
        number += 1


def _holds(path: Path, end: ArchiveEnd) -> bool:
    try:
        return checked_end(path) == end
    except KnownError:
        return False
