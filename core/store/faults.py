"""What the database driver and the file system raise, in plain words."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from core.errors import InvalidValue, StoreError, WeaverError
from core.store.dialect import Database


@contextmanager
def faults(database: Database) -> Iterator[None]:
    """Raise what happens inside as StoreError (or BugError for broken references) with the database's name in its sentence."""
    try:
        yield
    except WeaverError:
        raise
    except UnicodeEncodeError as error:
        raise InvalidValue("text", repr(error.object[:40]), "it holds half a character.") from error
    except Exception as error:
        known = database.fault(error.orig if isinstance(error, DBAPIError) and error.orig is not None else error)
        if known is None:
            raise
        raise known from error


def damaged(database: Database, what: str) -> StoreError:
    """Return the error for content that does not decode."""
    return StoreError(f"{database.where} is damaged: {what} cannot be read.", "Restore it from a copy, or import the data again.")
