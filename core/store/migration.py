"""Bringing a database to the present tables. Alembic is imported only when there is something to do."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Engine, inspect

from core.errors import BugError, DatabaseNewer, StoreError
from core.store.dialect import Database, execute
from core.store.transaction import transaction

if TYPE_CHECKING:
    from alembic.config import Config

HEAD: Final = "0007"
"""The newest revision in `migrations/versions`; a test compares them."""


def migrate(engine: Engine, database: Database) -> None:
    """Bring the database to `HEAD`, in one transaction. Raises DatabaseNewer, or StoreError for another program's database."""
    # Alone: of two programs that start at once, the second finds the work done.
    with engine.connect() as connection, transaction(connection, alone=True):
        if revision_of(connection, database) != HEAD:
            _upgrade(connection, database)
        yesterday = f"{database.sql.now_ms} - 86400000"
        execute(connection, f"DELETE FROM commit_marks WHERE updated_ms < {yesterday}")  # noqa: S608 - of programs that are gone


def revision_of(connection: Connection, database: Database) -> str | None:
    """Return what the tables are at, or None where there are none. Raises StoreError for another program's database."""
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" not in tables:
        if tables:
            raise StoreError(f"{database.where} is a database of another program.", "Choose another with --db.")
        return None
    revision: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return revision


def _upgrade(connection: Connection, database: Database) -> None:
    from alembic import command

    config = _config()
    check_known(revision_of(connection, database), database)
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def check_known(revision: str | None, database: Database) -> None:
    """Raise DatabaseNewer for tables that this version does not know."""
    if revision in {None, HEAD}:
        return
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision not in known:
        raise DatabaseNewer(
            f"{database.where} was written by a newer version of the program (its tables are at {revision}, this version knows {HEAD}).",
            "Install that version, or choose another database with --db.",
        )


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    return config


def scripts() -> Path:
    """Return the directory of the migrations: beside `core` in a checkout, in site-packages when installed."""
    found = importlib.util.find_spec("migrations")
    if found is None or not found.submodule_search_locations:
        raise BugError("The package `migrations` is not installed.")
    return Path(found.submodule_search_locations[0])
