"""Events that are appended and nothing else: what a desk commits most often, one step at the database where that can do it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from core.store.dialect import database_of, execute
from core.store.rows import EncodedEvents


class PlainAppend:
    """A `core.store.writing.Change` of events alone. The database numbers them: their seqs are known once they are committed."""

    def __init__(self, connection: Connection, lots: Sequence[EncodedEvents]) -> None:
        self._connection = connection
        self._database = database_of(connection)
        self._lots = lots
        self._count = sum(len(lot) for lot in lots)
        self.mark = self._database.new_mark(connection)
        self.appended: tuple[int, int] | None = None

    def write(self) -> None:
        """There is nothing to do before the commit."""

    def commit(self) -> None:
        """See `core.store.writing.Change`."""
        cells = self._lots[0].cells if len(self._lots) == 1 else [cell for lot in self._lots for cell in lot.cells]
        try:
            self._appended_to(self._database.append(self._connection, self.mark, cells))
        except BaseException:
            self._database.rollback(self._connection)
            raise

    def learn(self, connection: Connection, told: int) -> None:
        """See `core.store.writing.Change`. The answer that was lost said the seqs."""
        asked = "SELECT max(seq) FROM outbox WHERE seq > ? AND id = ?"
        (last,) = execute(connection, asked, (told, self._lots[-1].last_id)).fetchone()
        self._appended_to(last)

    @property
    def results(self) -> list[Any]:
        """The events of each lot with their seqs."""
        assert self.appended is not None
        found, first = [], self.appended[0]
        for lot in self._lots:
            found.append(lot.numbered(first))
            first += len(lot)
        return found

    def _appended_to(self, last: int) -> None:
        self.appended = last - self._count + 1, last
