"""What one database does otherwise than another: how it is reached, how its SQL is spelled, what its driver raises.

A connection of the store knows its database (`database_of`), so a job stays a function of a connection. Everything that is
not named here is SQLAlchemy Core, or plain SQL that all of them understand.
"""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import Connection, Engine

from core.errors import BugError, InvalidValue, StoreError

if TYPE_CHECKING:
    from core.store.sql import BulkInsert

Row = tuple[Any, ...]
_OPTION: Final = "store_database"


class Spelling(Protocol):
    """SQL in the words of one database. Statements of the store mark a value by `?`."""

    @property
    def for_update(self) -> str:
        """Ends a SELECT whose row is to stay as it is until the commit."""
        ...

    @property
    def by_byte(self) -> str:
        """Follows a text column that is compared byte by byte, whatever the language of the database."""
        ...

    @property
    def now_ms(self) -> str:
        """The present instant by the database's clock, UTC ms since 1970."""
        ...

    def spelled(self, statement: str) -> str:
        """Return a statement with the driver's own mark for a value."""
        ...

    def lock(self, connection: Connection, name: str) -> None:
        """Let nobody else who locks `name` go on before this transaction ends: for what is read first and then written."""
        ...

    def insert(self, connection: Connection, into: "BulkInsert", values: list[Any]) -> None:
        """Insert many rows by few steps; `values` holds all their cells, one row after the other."""
        ...

    def rows(
        self, connection: Connection, columns: str, source: str, values: Sequence[Any], decode: Callable[[str], list[Row]]
    ) -> list[Row]:
        """Return the rows of `source` (FROM … ORDER BY … LIMIT …) in any order; `decode` takes them as one JSON text."""
        ...

    def bodies(self, connection: Connection, source: str, values: Sequence[Any], decode: Callable[[str], list[Row]]) -> list[Row]:
        """Return the pairs of `ordinal` and decoded `body` of `source` in any order."""
        ...


@dataclass(frozen=True, slots=True)
class Begun:
    """A transaction that was opened. `mark`: what `Database.was_committed` asks for; `head`: the last seq, where the log is locked."""

    mark: str = ""
    head: int | None = None


@dataclass(frozen=True, slots=True)
class News:
    """What a listener was told. `head`: the last seq there is, None if that is open; `live`: texts of `Database.tell_live`."""

    head: int | None
    live: tuple[str, ...] = ()


class Database(Protocol):
    """A database that can be opened."""

    @property
    def sql(self) -> Spelling: ...

    @property
    def where(self) -> str:
        """In words for a person; never with a password."""
        ...

    @property
    def is_shared(self) -> bool:
        """Whether other machines may have it open too."""
        ...

    @property
    def patience_s(self) -> float:
        """How long a write waits for another's lock, or for the server to come back."""
        ...

    @property
    def late_events(self) -> int:
        """So many events of a transaction are better written in one step with its commit."""
        ...

    def writing_engine(self) -> Engine:
        """Return the engine of the writer, whose transactions are those of `core.store.transaction`."""
        ...

    def reading_engine(self) -> Engine:
        """Return an engine whose connections each see one consistent state, and cannot write."""
        ...

    def begin(self, connection: Connection, *, alone: bool, appends: bool) -> Begun:
        """Open a transaction. `alone`: no other program migrates meanwhile; `appends`: the log is locked at once."""
        ...

    def commit(self, connection: Connection, begun: Begun, head: int | None, late: Sequence[Any]) -> None:
        """Commit what `begin` returned. `head` is the last seq that the transaction appended, to be kept, and told to other processes.

        `late`: the cells of events that are still to be written, one row after the other.
        """
        ...

    def new_mark(self, connection: Connection) -> str:
        """Return what `was_committed` asks for, for `append`."""
        ...

    def append(self, connection: Connection, mark: str, cells: Sequence[Any]) -> int:
        """Append events in a transaction of their own, commit it, tell other processes, and return the last seq.

        `cells`: of their rows, one after the other; in the place of each seq is a 0. On an error the caller rolls back.
        """
        ...

    def rollback(self, connection: Connection) -> None:
        """Undo; harmless where the database has done so by itself, or is gone."""
        ...

    def between_commits(self, connection: Connection) -> None:
        """Do what makes the next commits faster; the writer calls it after each. What hinders it hinders nothing else."""
        ...

    def was_committed(self, connection: Connection, mark: str) -> bool | None:
        """Tell, over a new connection, what became of a transaction whose commit was not answered; None: not yet known."""
        ...

    def listen(self, connection: Connection) -> None:
        """Ask to be told what others append, over this connection of the writing engine."""
        ...

    def wait_for_news(self, connection: Connection, wake: socket.socket) -> News:
        """Wait until others may have appended or told something, or `wake` can be read."""
        ...

    def tell_live(self, connection: Connection, text: str) -> bool:
        """Send a text to the listeners, when the transaction is committed; False where that cannot be done."""
        ...

    def facts(self, connection: Connection) -> list[tuple[str, str]]:
        """Return what a person may want to know about it: pairs of a name and a sentence."""
        ...

    def fault(self, error: BaseException) -> StoreError | BugError | InvalidValue | None:
        """Return the known error for what the driver or the file system said, or None for what is neither's."""
        ...


def mark_engine(engine: Engine, database: Database, **options: Any) -> Engine:
    """Return the engine with connections that know their database."""
    return engine.execution_options(**{_OPTION: database}, **options)


def database_of(connection: Connection) -> Database:
    """Return the database that a connection of the store leads to."""
    found: Database = connection.get_execution_options()[_OPTION]
    return found


def driver(connection: Connection) -> Any:
    """Return the driver's own connection: a statement through SQLAlchemy costs as much as a quarter of a commit."""
    found = connection.connection.driver_connection
    if found is None:
        raise BugError("The store's connection is closed.")
    return found


def execute(connection: Connection, statement: str, values: Sequence[Any] = ()) -> Any:
    """Run one statement, `?` for each value, and return the driver's cursor."""
    return driver(connection).execute(database_of(connection).sql.spelled(statement), values)
