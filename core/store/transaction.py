"""A write transaction, and the events it appends: numbered as they come, written in one step before the commit."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection

from core.store.dialect import Begun, database_of, execute
from core.store.hash_chain import extend_chains
from core.store.sql import BulkInsert
from core.store.tables import OUTBOX

EVENT_COLUMNS: Final = tuple(column.name for column in OUTBOX.columns)
INSERT_EVENTS: Final = BulkInsert(OUTBOX, EVENT_COLUMNS)
_PENDING: Final = "pending_events"


class PendingEvents:
    """What a transaction appends. The first to append locks the one row of `log_head` until the commit: seq order is commit order."""

    def __init__(self, head: int) -> None:
        self.before = head
        """The last seq before this transaction."""
        self.head = head
        self.values: list[Any] = []
        """The cells of the rows that are not written yet."""
        self.chained = False
        """Whether they are stored with their hashes."""

    def take(self, count: int) -> int:
        """Return the first of `count` seqs."""
        first = self.head + 1
        self.head += count
        return first


def with_seqs(cells: Sequence[Any], first: int) -> list[Any]:
    """Return the cells of events' rows with seqs from `first` on."""
    values = list(cells)
    values[:: len(EVENT_COLUMNS)] = range(first, first + len(values) // len(EVENT_COLUMNS))
    return values


def pending_events(connection: Connection) -> PendingEvents:
    """Return what the connection's transaction appends; the log is locked from the first call on."""
    held: PendingEvents | None = connection.info.get(_PENDING)
    if held is None:
        statement = "SELECT seq FROM log_head" + database_of(connection).sql.for_update  # noqa: S608
        (head,) = execute(connection, statement).fetchone()
        held = connection.info[_PENDING] = PendingEvents(head)
    return held


def write_pending(connection: Connection) -> None:
    """Write what is numbered so far: before the commit, and before a statement that looks at the log itself."""
    held: PendingEvents | None = connection.info.get(_PENDING)
    if held is not None and held.values:
        values, held.values = held.values, []
        INSERT_EVENTS.run(connection, values)
        if held.chained:
            extend_chains(connection, values)


class Transaction:
    """One transaction: `begin`, the work, then `finish` and `commit`, or `rollback`. As a `core.store.writing.Change`, with its work."""

    def __init__(
        self, connection: Connection, work: Sequence[Callable[[Connection], Any]] = (), *, alone: bool = False, appends: bool = False
    ) -> None:
        """`alone`, `appends`: see `core.store.dialect.Database.begin`."""
        self._connection = connection
        self._work = work
        self._appends = appends
        self._database = database_of(connection)
        self._alone = alone
        self._begun = Begun()
        self._late: list[Any] = []
        self.appended: tuple[int, int] | None = None
        """The first and last seq, once finished."""
        self.results: list[Any] = []
        """What each piece of work returned."""

    @property
    def mark(self) -> str:
        """What `Database.was_committed` asks for."""
        return self._begun.mark

    def begin(self) -> None:
        """Open it."""
        self._connection.info.pop(_PENDING, None)
        begun = self._begun = self._database.begin(self._connection, alone=self._alone, appends=self._appends)
        if begun.head is not None:
            self._connection.info[_PENDING] = PendingEvents(begun.head)

    def finish(self) -> None:
        """Write what is still to be written, but for a few events that go with the commit."""
        held: PendingEvents | None = self._connection.info.get(_PENDING)
        if held is not None and not held.chained and len(held.values) <= self._database.late_events * len(EVENT_COLUMNS):
            self._late, held.values = held.values, []
        write_pending(self._connection)
        self._connection.info.pop(_PENDING, None)
        if held is not None and held.head > held.before:
            self.appended = held.before + 1, held.head

    def commit(self) -> None:
        """Make it last. An answer that says no undoes it; no answer leaves it open what happened."""
        try:
            self._database.commit(self._connection, self._begun, self.appended[1] if self.appended else None, self._late)
        except BaseException:
            self.rollback()
            raise

    def rollback(self) -> None:
        """Undo it."""
        self._database.rollback(self._connection)

    def write(self) -> None:
        """Do the work, all of it written and not yet committed; an error undoes everything."""
        self.begin()
        try:
            self.results = [each(self._connection) for each in self._work]
            self.finish()
        except BaseException:
            self.rollback()
            raise

    def learn(self, connection: Connection, told: int) -> None:
        """See `core.store.writing.Change`. Its seqs are known from the beginning."""


@contextmanager
def transaction(connection: Connection, *, alone: bool = False) -> Iterator[None]:
    """Commit at the end of the block, roll back when it raises."""
    opened = Transaction(connection, alone=alone)
    opened.begin()
    try:
        yield
        opened.finish()
    except BaseException:
        opened.rollback()
        raise
    opened.commit()
