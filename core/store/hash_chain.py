"""Chains of hashes over the events of a run: each hash is of its event and of the hash before, so that no event can be changed alone.

A chain begins with the first event that is stored while chains are kept; it goes on over events that were archived since.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, insert, select

from core.model.care import ChainReport
from core.store.long_work import LongWork
from core.store.tables import DELETED_SEQS, EVENT_HASHES, OUTBOX

PAGE: Final = 2_000
_WIDTH: Final = len(OUTBOX.columns)
_RUN_ID: Final = list(OUTBOX.columns.keys()).index("run_id")
_encode = msgspec.json.Encoder().encode


def first_hash(run_id: str) -> str:
    """Return what stands before the first hash of a run's chain."""
    return hashlib.sha256(f"events/1\n{run_id}".encode()).hexdigest()


def next_hash(before: str, cells: Sequence[Any]) -> str:
    """Return the hash of an event, given as the cells of its row, after the hash `before`."""
    return hashlib.sha256(before.encode() + b"\n" + _encode(cells)).hexdigest()


def extend_chains(connection: Connection, values: list[Any]) -> None:
    """Add the hashes of events that are being stored; `values` holds the cells of their rows, one row after the other."""
    newest: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for first in range(0, len(values), _WIDTH):
        cells = values[first : first + _WIDTH]
        run_id = cells[_RUN_ID]
        if run_id is None:
            continue
        if run_id not in newest:
            newest[run_id] = _newest(connection, run_id)
        newest[run_id] = next_hash(newest[run_id], cells)
        rows.append({"seq": cells[0], "run_id": run_id, "sha256": newest[run_id]})
    if rows:
        connection.execute(insert(EVENT_HASHES), rows)


def _newest(connection: Connection, run_id: str) -> str:
    query = select(EVENT_HASHES.c.sha256).where(EVENT_HASHES.c.run_id == run_id).order_by(EVENT_HASHES.c.seq.desc()).limit(1)
    return connection.execute(query).scalar() or first_hash(run_id)


def chained_runs(connection: Connection) -> list[str]:
    """Return the runs that have a chain."""
    return list(connection.execute(select(EVENT_HASHES.c.run_id).distinct().order_by(EVENT_HASHES.c.run_id)).scalars())


def verify_chain(connection: Connection, run_id: str, job: LongWork) -> ChainReport:
    """Compare the events of a run with its chain, up to the first that is not what it was."""
    archived = _Ranges(connection)
    before = first_hash(run_id)
    events = hashed = 0
    is_first = True
    for seq, cells, sha256 in _side_by_side(connection, run_id):
        if not events % PAGE:
            job.step(events, 0, "Verifying events")
        events += cells is not None
        if sha256 is None:
            if hashed or not is_first:
                why = "it was put in later, or stored while no chain was kept"
                return _changed(run_id, events, hashed, seq, f"Event {seq} is not in the chain: {why}.")
            continue
        is_first = False
        if cells is None:
            if seq not in archived:
                return _changed(run_id, events, hashed, seq, f"Event {seq} is missing.")
        else:
            hashed += 1
            if next_hash(before, cells) != sha256:
                return _changed(run_id, events, hashed, seq, f"Event {seq} ({cells[3]}) is not what it was when it was stored.")
        before = sha256
    if not hashed:
        sentence = f"Run {run_id} has no chain: none was kept when its events were stored."
    else:
        sentence = f"The {hashed:,} events of run {run_id} are as they were stored."
        if hashed < events:
            sentence += f" The first {events - hashed:,} were stored before a chain was kept."
    return ChainReport(run_id=run_id, events=events, hashed=hashed, sentence=sentence)


class _Ranges:
    """The seqs that were deleted on purpose."""

    def __init__(self, connection: Connection) -> None:
        columns = DELETED_SEQS.c
        ranges = connection.execute(select(columns.first_seq, columns.last_seq).order_by(columns.first_seq)).all()
        self._firsts = [first for first, _ in ranges]
        self._lasts = [last for _, last in ranges]

    def __contains__(self, seq: int) -> bool:
        at = bisect_right(self._firsts, seq) - 1
        return at >= 0 and seq <= self._lasts[at]


def _changed(run_id: str, events: int, hashed: int, seq: int, sentence: str) -> ChainReport:
    return ChainReport(run_id=run_id, events=events, hashed=hashed, first_changed=seq, sentence=f"Run {run_id}: {sentence}")


def _side_by_side(connection: Connection, run_id: str) -> Iterator[tuple[int, list[Any] | None, str | None]]:
    """Yield by seq the cells of each event and its hash, None where one of them is missing."""
    events, hashes = _pages(connection, OUTBOX, run_id), _pages(connection, EVENT_HASHES, run_id)
    event, sha = next(events, None), next(hashes, None)
    while event is not None or sha is not None:
        if sha is None or (event is not None and event.seq < sha.seq):
            assert event is not None
            yield event.seq, list(event), None
            event = next(events, None)
        elif event is None or sha.seq < event.seq:
            yield sha.seq, None, sha.sha256
            sha = next(hashes, None)
        else:
            yield event.seq, list(event), sha.sha256
            event, sha = next(events, None), next(hashes, None)


def _pages(connection: Connection, table: Any, run_id: str) -> Iterator[Any]:
    after = 0
    while True:
        query = select(table).where(table.c.run_id == run_id, table.c.seq > after).order_by(table.c.seq).limit(PAGE)
        page = connection.execute(query).all()
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].seq
