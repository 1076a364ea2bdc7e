"""What the database driver and the file system raise, in plain words."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from core.errors import BugError, DatabaseBusy, DiskFull, InvalidValue, StoreError, StoreReadOnly

_PRIMARY_CODE = 0xFF


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Raise what happens inside as StoreError (or BugError for broken references) with `path` in its sentence."""
    try:
        yield
    except DBAPIError as error:
        raise database_fault(error.orig, path) from error
    except sqlite3.Error as error:
        raise database_fault(error, path) from error
    except OSError as error:
        raise file_fault(error, path) from error
    except UnicodeEncodeError as error:
        raise InvalidValue("text", repr(error.object[:40]), "it holds half a character.") from error


def database_fault(error: BaseException | None, path: Path) -> StoreError | BugError:
    """Return the known error for what SQLite said; a BugError for wrong SQL."""
    if isinstance(error, sqlite3.IntegrityError):
        return BugError(f"A row contradicts what is stored: {error}.")
    code = (getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY_CODE
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return DatabaseBusy(f"{path} is locked by another process.", "Close the other program, or wait until it is done, and try again.")
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(f"The disk that holds {path} is full; the last change was not made.", "Free some space and try again.")
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return _read_only(path)
    if code == sqlite3.SQLITE_CANTOPEN:
        return StoreError(
            f"{path} cannot be opened as a database.", "Check that its directory can be written, or choose another with --db."
        )
    if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return StoreError(f"{path} is not a database, or it is damaged: {error}.", "Restore it from a copy, or choose another with --db.")
    if code == sqlite3.SQLITE_IOERR:
        return StoreError(f"{path} cannot be read or written: {error}.", "Check the disk and try again.")
    return BugError(f"The database refused a statement: {error}.")


def file_fault(error: OSError, path: Path) -> StoreError:
    """Return the known error for what the file system said."""
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return _read_only(Path(error.filename) if isinstance(error.filename, str) else path)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(f"The disk that holds {path} is full.", "Free some space and try again.")
    return StoreError(f"{path} cannot be used as a database: {error.strerror or error}.", "Choose another with --db.")


def damaged(path: Path, what: str) -> StoreError:
    """Return the error for content that does not decode."""
    return StoreError(f"{path} is damaged: {what} cannot be read.", "Restore it from a copy, or import the data again.")


def _read_only(path: Path) -> StoreReadOnly:
    return StoreReadOnly(f"{path} cannot be written.", "Allow writing there, or choose another database with --db.")
