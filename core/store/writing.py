"""The writer's connection: made anew when the database dropped it, and asked what became of a commit that was not answered."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine

from core.errors import DatabaseUnreachable, StoreError
from core.events.envelope import Envelope
from core.store.dialect import Database
from core.store.faults import faults
from core.store.patience import Patience
from core.store.tail import Tail
from core.store.transaction import Transaction

Work = Callable[[Connection], Any]
Hand = Callable[[Sequence[Envelope], list[Any] | None], None]
"""Takes events of other processes, and the results of the work when it is committed, on their way to the loop."""


class WritingConnection:
    """Carries out work, one transaction after the other. Of the writer's thread, but for `give_up`."""

    def __init__(self, engine: Engine, database: Database, tail: Tail) -> None:
        self._engine = engine
        self._database = database
        self._tail = tail
        self._patience = Patience(database.patience_s)
        self._connection: Connection | None = None
        self.may_be_committed = False
        """Whether the work that raised last may stand all the same: then it must not be done again."""

    def carry_out(self, work: Sequence[Work], hand: Hand, *, appends: bool) -> None:
        """Do `work` in one transaction and hand its results on. Raises what the work raised, or StoreError.

        Then nothing was done, or it `may_be_committed`. A connection that is lost is made anew, and the work done again, unless
        it turns out to be committed. `appends`: whether some of it appends to the log.
        """
        self._patience.begin()
        self.may_be_committed = False
        with ExitStack() as locked:
            self._carry_out(work, hand, locked, appends=appends)

    def _carry_out(self, work: Sequence[Work], hand: Hand, locked: ExitStack, *, appends: bool) -> None:
        unsure: tuple[Transaction, list[Any]] | None = None
        while True:
            try:
                with faults(self._database):
                    connection = self._connected()
                    if unsure is not None and self._is_settled(connection, *unsure, hand):
                        return
                    unsure, self.may_be_committed = None, False
                    locked.close()
                    transaction = Transaction(connection, appends=appends)
                    results = transaction.carry_out(work)
                    self._patience.answered()
                    # Until it is known what became of the commit: the listener would take what it wrote for another's.
                    locked.enter_context(self._tail.lock)
                    unsure = transaction, results
                    transaction.commit()
                    self.may_be_committed = True
                    self._hand(connection, transaction, results, hand)
            except DatabaseUnreachable as error:
                self.may_be_committed = unsure is not None
                if self._connection is not None:
                    self._patience.lost()
                self.drop()
                if not self._patience.wait():
                    raise (_unsure(error) if unsure is not None else error) from error
            else:
                return

    def drop(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def give_up(self) -> None:
        """Wait no more for a database that does not answer."""
        self._patience.give_up()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _is_settled(self, connection: Connection, transaction: Transaction, results: list[Any], hand: Hand) -> bool:
        """Tell whether the transaction was committed after all; then its results are handed on."""
        while (outcome := self._database.was_committed(connection, transaction.mark)) is None:
            if not self._patience.wait():
                raise DatabaseUnreachable(f"{self._database.where} does not say what became of the last change.")
        if outcome:
            self._hand(connection, transaction, results, hand)
        return outcome

    def _hand(self, connection: Connection, transaction: Transaction, results: list[Any], hand: Hand) -> None:
        if transaction.appended is not None:
            first, last = transaction.appended
            with self._missable():
                while (events := self._tail.page(connection, first)) is not None:
                    hand(events, None)
            self._tail.told(first, last)
        hand((), results)

    @contextmanager
    def _missable(self) -> Iterator[None]:
        """What others appended can be read later; what was committed here counts now."""
        try:
            with faults(self._database):
                yield
        except StoreError:
            self.drop()


def _unsure(error: DatabaseUnreachable) -> DatabaseUnreachable:
    return DatabaseUnreachable(f"{error.what} Whether the last change was made is not known.", error.todo)
