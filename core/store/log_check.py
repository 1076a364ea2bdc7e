"""Checks the log: its sequence, its ids, and that every event can be read."""

from collections.abc import Iterator
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select

from core.errors import WeaverError
from core.events.codec import EventCodec
from core.events.payloads import SubscriberFailed
from core.model.findings import Findings
from core.store.long_work import LongWork
from core.store.tables import CONSUMER_OFFSETS, DELETED_SEQS, LOG_HEAD, OUTBOX

PAGE: Final = 2_000


def check_log(connection: Connection, codec: EventCodec, found: Findings, job: LongWork) -> None:
    """Look at the sequence of the log, then at each event."""
    head = connection.execute(select(func.max(LOG_HEAD.c.seq))).scalar() or 0
    last = connection.execute(select(func.max(OUTBOX.c.seq))).scalar() or 0
    if last > head:
        found.add("events", f"The log counts up to {head}, and its newest event is {last}: the next ones would get numbers that are taken.")
    _check_sequence(connection, max(head, last), found)
    _check_ids(connection, found)
    for row in connection.execute(select(CONSUMER_OFFSETS).where(CONSUMER_OFFSETS.c.seq > max(head, last))):
        found.add("offsets", f"The offset of {row.consumer} is {row.seq}, beyond the last event, {max(head, last)}.")
    _check_payloads(connection, codec, max(head, last), found, job)
    _check_causes_of_desk(connection, codec, found)


def _check_sequence(connection: Connection, head: int, found: Findings) -> None:
    noted = connection.execute(select(DELETED_SEQS.c.first_seq, DELETED_SEQS.c.last_seq).order_by(DELETED_SEQS.c.first_seq))
    deleted = _joined((first, last) for first, last in noted)
    gap: tuple[int, int] | None = next(deleted, None)
    for first, last in _holes(connection, head):
        start = first
        while start <= last:
            while gap is not None and gap[1] < start:
                gap = next(deleted, None)
            if gap is None or gap[0] > last:
                _tell_missing(found, start, last)
                break
            if gap[0] > start:
                _tell_missing(found, start, gap[0] - 1)
            start = gap[1] + 1


def _holes(connection: Connection, head: int) -> Iterator[tuple[int, int]]:
    seq = OUTBOX.c.seq
    before = func.lag(seq, 1, 0).over(order_by=seq)
    numbered = select(seq.label("seq"), before.label("before")).subquery()
    last = connection.execute(select(func.max(seq))).scalar() or 0
    for row in connection.execute(select(numbered).where(numbered.c.seq > numbered.c.before + 1).order_by(numbered.c.seq)):
        yield row.before + 1, row.seq - 1
    if head > last:
        yield last + 1, head


def _joined(ranges: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield ranges that touch each other as one."""
    held: tuple[int, int] | None = None
    for first, last in ranges:
        if held is None:
            held = first, last
        elif first <= held[1] + 1:
            held = held[0], max(held[1], last)
        else:
            yield held
            held = first, last
    if held is not None:
        yield held


def _tell_missing(found: Findings, first: int, last: int) -> None:
    if first == last:
        found.add("events", f"Event {first} is missing, and nothing says that it was deleted.")
    else:
        found.add("events", f"Events {first} to {last} are missing, and nothing says that they were deleted.")


def _check_ids(connection: Connection, found: Findings) -> None:
    twice = select(OUTBOX.c.id, func.min(OUTBOX.c.seq), func.max(OUTBOX.c.seq)).group_by(OUTBOX.c.id).having(func.count() > 1)
    for event_id, first, last in connection.execute(twice):
        found.add("events", f"The id {event_id} stands twice in the log, at events {first} and {last}.")


def _check_causes_of_desk(connection: Connection, codec: EventCodec, found: Findings) -> None:
    """Look at the causes of what belongs to no run; those inside a run are looked at with the run."""
    columns = OUTBOX.c
    unknown = columns.causation_id.not_in(select(OUTBOX.alias("causes").c.id))
    query = select(OUTBOX).where(columns.run_id.is_(None), columns.causation_id.is_not(None), unknown)
    for row in connection.execute(query):
        payload = codec.decode(row.type, row.version, row.payload)
        # What was only announced is not in the log, and what is remembered outlives what led to it.
        if not payload.remembered and not (isinstance(payload, SubscriberFailed) and not payload.event_seq):
            found.add("events", f"Event {row.seq} ({row.type}) was caused by {row.causation_id}, which is not in the log.")


def _check_payloads(connection: Connection, codec: EventCodec, head: int, found: Findings, job: LongWork) -> None:
    columns = OUTBOX.c
    after = 0
    while True:
        job.step(after, head, "Reading events")
        query = select(columns.seq, columns.type, columns.version, columns.payload).where(columns.seq > after).order_by(columns.seq)
        page = connection.execute(query.limit(PAGE)).all()
        for row in page:
            try:
                codec.decode(row.type, row.version, row.payload)
            except (WeaverError, msgspec.MsgspecError, ValueError) as error:
                found.add("events", f"Event {row.seq} ({row.type}) cannot be read: {_brief(error)}")
        found.count("events", len(page))
        if len(page) < PAGE:
            return
        after = page[-1].seq


def _brief(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if text.endswith(".") else text + "."
