"""What PostgreSQL and its driver raise, in plain words."""

from typing import Final

import psycopg
from psycopg import errors

from core.errors import (
    BugError,
    DatabaseBusy,
    DatabaseMissing,
    DatabaseRefused,
    DatabaseUnreachable,
    DiskFull,
    InvalidValue,
    StoreError,
    StoreReadOnly,
)

_LOST: Final = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
    errors.IdleSessionTimeout,
    errors.InvalidSqlStatementName,  # somebody in between, a pooler, had it forget what was prepared: it is as good as another one
    psycopg.InterfaceError,  # the connection is closed already
)
_BUSY: Final = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)
_TRY: Final = "Check that the server runs and can be reached, or take another database with --db."


def postgres_fault(error: BaseException, where: str) -> StoreError | BugError | InvalidValue | None:
    """Return the known error for what the server or the driver said; a BugError for wrong SQL; None for what is neither's."""
    if isinstance(error, OSError):
        return DatabaseUnreachable(f"{where} cannot be reached: {error.strerror or error}.", _TRY)
    if not isinstance(error, psycopg.Error):
        return None
    if isinstance(error, _LOST) or (isinstance(error, psycopg.OperationalError) and error.sqlstate is None):
        return _not_there(error, where)
    if isinstance(error, _BUSY):
        return DatabaseBusy(f"{where} is locked by another desk.", "Wait until it is done, and try again.")
    if isinstance(error, errors.DiskFull):
        return DiskFull(f"The disk that holds {where} is full; the last change was not made.", "Free some space and try again.")
    if isinstance(error, errors.TooManyConnections):
        return DatabaseRefused(f"{where} takes no more connections.", "Close a program that uses it, or raise max_connections.")
    if isinstance(error, (errors.ReadOnlySqlTransaction, errors.InsufficientPrivilege)):
        return StoreReadOnly(f"{where} cannot be written: {_said(error)}.", "Give the user the rights of docs/shared-postgres.md.")
    if isinstance(error, psycopg.IntegrityError):
        return BugError(f"A row contradicts what is stored: {_said(error)}.")
    if isinstance(error, psycopg.DataError) and ("NUL" in str(error) or isinstance(error, errors.CharacterNotInRepertoire)):
        return InvalidValue("text", "stored", "it holds a sign that the database does not take.")
    if isinstance(error, psycopg.OperationalError) and (error.sqlstate or "").startswith("08"):
        return _not_there(error, where)
    return BugError(f"The database refused a statement: {_said(error)}.")


def _not_there(error: psycopg.Error, where: str) -> StoreError:
    """Return the error for a connection that was refused or lost. Before it is made, the server's words are all there is."""
    said = str(error)
    if "FATAL" in said and "does not exist" in said and 'database "' in said:
        return DatabaseMissing(
            f"There is no database of that name: {where}.", "Create it on the server (createdb), or correct the address."
        )
    if any(word in said for word in ("authentication failed", "no password supplied", "pg_hba.conf", 'role "')):
        return DatabaseRefused(f"{where} refuses the user or the password.", "Correct them in the address of the database.")
    return DatabaseUnreachable(f"{where} does not answer: {_said(error)}.", _TRY)


def _said(error: psycopg.Error) -> str:
    """Return the first line of what was said: others are hints for an administrator."""
    first = str(error).strip().partition("\n")[0]
    return first.removeprefix("connection failed: ").rstrip(".")
