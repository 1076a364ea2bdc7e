"""The writer's connection: made anew when the database dropped it, and asked what became of a commit that was not answered."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, Engine

from core.errors import DatabaseUnreachable, StoreError
from core.events.envelope import Envelope
from core.store.dialect import Database
from core.store.faults import faults
from core.store.patience import Patience
from core.store.tail import Tail

Hand = Callable[[Sequence[Envelope], list[Any] | None], None]
"""Takes events of other processes, and the results of the work when it is committed, on their way to the loop."""


class Change(Protocol):
    """What is committed in one transaction. After an error it is undone, and may be made anew on another connection."""

    @property
    def mark(self) -> str:
        """What `Database.was_committed` asks for."""
        ...

    @property
    def appended(self) -> tuple[int, int] | None:
        """The first and last seq that it appends, once they are known; None for none."""
        ...

    @property
    def results(self) -> list[Any]:
        """What is handed on once it is committed."""
        ...

    def write(self) -> None:
        """Do what comes before the commit."""
        ...

    def commit(self) -> None:
        """Make it last. An answer that says no undoes it; no answer leaves it open what happened."""
        ...

    def learn(self, connection: Connection, told: int) -> None:
        """Read what an answer that was lost would have said; it is known to be committed, with seqs after `told`."""
        ...


class WritingConnection:
    """Carries out work, one transaction after the other. Of the writer's thread, but for `give_up`."""

    def __init__(self, engine: Engine, database: Database, tail: Tail) -> None:
        self._engine = engine
        self._database = database
        self._tail = tail
        self._patience = Patience(database.patience_s)
        self._connection: Connection | None = None
        self._has_lock = False
        self.may_be_committed = False
        """Whether the change that raised last may stand all the same: then it must not be made again."""

    def carry_out(self, make: Callable[[Connection], Change], hand: Hand) -> None:
        """Commit a change and hand its results on. Raises what the change raised, or StoreError.

        Then nothing was done, or it `may_be_committed`. A connection that is lost is made anew, and the change too, unless it
        turns out to be committed.
        """
        self._patience.begin()
        self.may_be_committed = False
        try:
            self._carry_out(make, hand)
        finally:
            self._unlock()

    def _carry_out(self, make: Callable[[Connection], Change], hand: Hand) -> None:
        unsure: Change | None = None
        while True:
            try:
                with faults(self._database):
                    connection = self._connected()
                    if unsure is not None and self._is_settled(connection, unsure, hand):
                        return
                    unsure, self.may_be_committed = None, False
                    self._unlock()
                    change = make(connection)
                    change.write()
                    self._patience.answered()
                    # Until it is known what became of the commit: the listener would take what it wrote for another's.
                    self._lock()
                    unsure = change
                    change.commit()
                    self.may_be_committed = True
                    self._hand(connection, change, hand)
            except DatabaseUnreachable as error:
                self.may_be_committed = unsure is not None
                if self._connection is not None:
                    self._patience.lost()
                self.drop()
                if not self._patience.wait():
                    raise (_unsure(error) if unsure is not None else error) from error
            else:
                return

    def rest(self) -> None:
        """Do what makes the next commits faster."""
        if self._connection is not None:
            self._database.between_commits(self._connection)

    def drop(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def give_up(self) -> None:
        """Wait no more for a database that does not answer."""
        self._patience.give_up()

    def _lock(self) -> None:
        self._tail.lock.acquire()
        self._has_lock = True

    def _unlock(self) -> None:
        if self._has_lock:
            self._has_lock = False
            self._tail.lock.release()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _is_settled(self, connection: Connection, change: Change, hand: Hand) -> bool:
        """Tell whether the change was committed after all; then its results are handed on."""
        while (outcome := self._database.was_committed(connection, change.mark)) is None:
            if not self._patience.wait():
                raise DatabaseUnreachable(f"{self._database.where} does not say what became of the last change.")
        if outcome:
            change.learn(connection, self._tail.seq)
            self._hand(connection, change, hand)
        return outcome

    def _hand(self, connection: Connection, change: Change, hand: Hand) -> None:
        if change.appended is not None:
            first, last = change.appended
            if self._tail.seq < first - 1:
                self._hand_others(connection, first, hand)
            self._tail.told(first, last)
        hand((), change.results)

    def _hand_others(self, connection: Connection, first: int, hand: Hand) -> None:
        """Hand on what others appended before `first`. It can be read later; what was committed here counts now."""
        try:
            with faults(self._database):
                while (events := self._tail.page(connection, first)) is not None:
                    hand(events, None)
        except StoreError:
            self.drop()


def _unsure(error: DatabaseUnreachable) -> DatabaseUnreachable:
    return DatabaseUnreachable(f"{error.what} Whether the last change was made is not known.", error.todo)
