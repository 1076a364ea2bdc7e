"""What the database driver and the file system raise, in plain words."""

from types import TracebackType

from sqlalchemy.exc import DBAPIError

from core.errors import InvalidValue, StoreError, WeaverError
from core.store.dialect import Database


class Faults:
    """See `faults`. A class: each commit enters it several times, and a generator costs three times as much."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if not isinstance(error, Exception) or isinstance(error, WeaverError):
            return
        if isinstance(error, UnicodeEncodeError):
            raise InvalidValue("text", repr(error.object[:40]), "it holds half a character.") from error
        known = self._database.fault(error.orig if isinstance(error, DBAPIError) and error.orig is not None else error)
        if known is not None:
            raise known from error


def faults(database: Database) -> Faults:
    """Raise what happens inside as StoreError (or BugError for broken references) with the database's name in its sentence."""
    return Faults(database)


def damaged(database: Database, what: str) -> StoreError:
    """Return the error for content that does not decode."""
    return StoreError(f"{database.where} is damaged: {what} cannot be read.", "Restore it from a copy, or import the data again.")
