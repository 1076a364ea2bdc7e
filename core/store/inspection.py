"""What is at a database's address before it is opened: for whoever sets it up. Nothing is changed unless that is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from core.store.database import database_at
from core.store.dialect import Database
from core.store.faults import faults
from core.store.migration import HEAD, check_known, migrate, revision_of
from core.store.sqlite import SqliteDatabase

PATIENCE_S: Final = 3.0

Work = Callable[[Engine, Database], "Inspection"]


@dataclass(frozen=True, slots=True)
class Inspection:
    """A database as it was found. `revision`: what its tables are at, None where there are none; `facts`: as of `Store.facts`."""

    where: str
    revision: str | None
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def sentence(self) -> str:
        """What a person wants to know."""
        said = "".join(f" {name.capitalize()}: {value}." for name, value in self.facts)
        if self.revision is None:
            return f"{self.where} can be used.{said} It has no tables yet."
        if self.revision == HEAD:
            return f"{self.where} is ready.{said}"
        return f"{self.where} can be used.{said} Its tables are of an older version of the program ({self.revision}; this one has {HEAD})."


def inspect_database(url: str) -> Inspection:
    """Connect and look. Raises InputError, StoreError, DatabaseNewer."""
    return _with_engine(url, _look, make=False)


def prepare_database(url: str) -> Inspection:
    """Create the tables, or bring them to this version. Raises InputError, StoreError, DatabaseNewer."""

    def prepare(engine: Engine, database: Database) -> Inspection:
        migrate(engine, database)
        return _look(engine, database)

    return _with_engine(url, prepare, make=True)


def _with_engine(url: str, work: Work, *, make: bool) -> Inspection:
    database = database_at(url, PATIENCE_S)
    if isinstance(database, SqliteDatabase):
        if not make and not database.path.is_file():
            return Inspection(database.where, None)  # connecting would make the file
        _make_folder(database, database.path.parent)
    engine = database.writing_engine()
    try:
        with faults(database):
            return work(engine, database)
    finally:
        engine.dispose()


def _make_folder(database: Database, folder: Path) -> None:
    with faults(database):
        folder.mkdir(parents=True, exist_ok=True)


def _look(engine: Engine, database: Database) -> Inspection:
    with engine.connect() as connection:
        revision = revision_of(connection, database)
        check_known(revision, database)
        return Inspection(database.where, revision, tuple(database.facts(connection)))
