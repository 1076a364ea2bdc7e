"""Bringing a database to the present tables. Alembic is imported only when there is something to do."""

import importlib.util
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect

from core.errors import BugError, DatabaseNewer, StoreError
from core.store.sql import transaction

HEAD: Final = "0004"
"""The newest revision in `migrations/versions`; a test compares them."""


def migrate(engine: Engine, path: Path) -> None:
    """Bring the database to `HEAD`, in one transaction. Raises DatabaseNewer, or StoreError for another program's database."""
    with engine.connect() as connection, transaction(connection):
        # The write lock is held from here: of two programs that start at once, the second finds the work done.
        if _revision(connection, path) != HEAD:
            _upgrade(connection, path)


def _revision(connection: Connection, path: Path) -> str | None:
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" not in tables:
        if tables:
            raise StoreError(f"{path} is a database of another program.", "Choose another with --db.")
        return None
    revision: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return revision


def _upgrade(connection: Connection, path: Path) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    found = _revision(connection, path)
    if found is not None and found not in known:
        raise DatabaseNewer(
            f"{path} was written by a newer version of the program (its tables are at {found}, this version knows {HEAD}).",
            "Install that version, or choose another database with --db.",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def scripts() -> Path:
    """Return the directory of the migrations: beside `core` in a checkout, in site-packages when installed."""
    found = importlib.util.find_spec("migrations")
    if found is None or not found.submodule_search_locations:
        raise BugError("The package `migrations` is not installed.")
    return Path(found.submodule_search_locations[0])
