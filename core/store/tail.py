"""The end of the log as this process knows it: what others appended is told in its place, and nothing twice."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from core.errors import DatabaseNewer
from core.events.codec import EventCodec
from core.events.envelope import Envelope
from core.store.dialect import database_of, execute
from core.store.rows import EVENT_LIST, PAGE, EventRow, decode_events, event_of

_END: Final = 2**63 - 1

_log = logging.getLogger(__name__)


class Tail:
    """How far the log was told here. The writer's thread and the listener's hand events to the loop, one at a time, by its lock.

    seq order is commit order: whoever has just committed seqs from `first` on finds everything before them in the log.
    """

    def __init__(self, codec: EventCodec, is_heard: Callable[[], bool]) -> None:
        self._codec = codec
        self._is_heard = is_heard
        self.lock = threading.Lock()
        """Held from before a commit until its events are on their way to the loop."""
        self.seq = 0
        self._strange: set[str] = set()
        self._own: list[tuple[int, int]] = []
        """Ranges beyond `seq` that were told before what comes between: it could not be read then."""

    def start(self, connection: Connection) -> None:
        """Begin at the present end: what is there already was told to those who were there."""
        (self.seq,) = execute(connection, "SELECT seq FROM log_head").fetchone()
        self._own.clear()

    def told(self, first: int, last: int) -> None:
        """Events of this process are on their way."""
        if first <= self.seq + 1:
            self.seq = max(self.seq, last)
            self._join()
        else:
            self._own.append((first, last))

    def page(self, connection: Connection, before: int = _END) -> list[Envelope] | None:
        """Return what others appended after the last told seq, oldest first, as told; None when that was all. Hold the lock.

        A page may be empty though more follow. `before`: a seq of our own, where it ends.
        """
        if self.seq >= before - 1:
            return None
        rows: list[EventRow] = []
        if self._is_heard():
            source = "FROM outbox WHERE seq > ? AND seq < ? ORDER BY seq LIMIT ?"
            rows = sorted(database_of(connection).sql.rows(connection, EVENT_LIST, source, (self.seq, before, PAGE), decode_events))
        events = [event for row in rows if not self._is_own(row[0]) for event in self._known(row)]
        if len(rows) == PAGE:
            self.seq = rows[-1][0]
        elif before < _END:
            self.seq = before - 1  # also past what was removed
        elif rows:
            self.seq = rows[-1][0]
        elif not self._is_heard():
            (head,) = execute(connection, "SELECT seq FROM log_head").fetchone()
            if not self._is_heard():  # still: who has begun to listen meanwhile reads the log up to where we began
                self.seq = head  # what nobody hears need not be read
        self._join()
        return events if rows else None

    def _known(self, row: EventRow) -> list[Envelope]:
        """Return the event; nothing of a type that only a newer version of the program knows, on another desk."""
        try:
            return [event_of(row, self._codec)]
        except DatabaseNewer as error:
            if row[3] not in self._strange:
                self._strange.add(row[3])
                _log.warning("%s Such events of other desks are not shown.", error)
            return []

    def _is_own(self, seq: int) -> bool:
        return any(first <= seq <= last for first, last in self._own)

    def _join(self) -> None:
        """Take in the ranges that `seq` has reached."""
        for first, last in sorted(self._own):
            if first <= self.seq + 1:
                self.seq = max(self.seq, last)
        self._own = [(first, last) for first, last in self._own if last > self.seq]
