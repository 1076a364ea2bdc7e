"""The migrations make the tables that the code knows."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from core.store.engine import writing_engine
from core.store.migration import HEAD, _upgrade, migrate, scripts
from core.store.sql import transaction
from core.store.tables import METADATA


def test_head_is_the_newest_script() -> None:
    config = Config()
    config.set_main_option("script_location", str(scripts()))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_migrations_make_the_tables_of_the_code(tmp_path: Path) -> None:
    engine = writing_engine(tmp_path / "desk.db", 1.0)
    try:
        migrate(engine, tmp_path / "desk.db")
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, METADATA) == []
            assert connection.exec_driver_sql("SELECT id, seq FROM log_head").all() == [(1, 0)]
    finally:
        engine.dispose()


def test_a_migration_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    engine = writing_engine(tmp_path / "desk.db", 1.0)

    def break_off() -> None:
        with engine.connect() as connection, transaction(connection):
            _upgrade(connection, tmp_path / "desk.db")
            raise InterruptedError

    try:
        with pytest.raises(InterruptedError):
            break_off()
        with engine.connect() as connection:
            assert inspect(connection).get_table_names() == []
    finally:
        engine.dispose()


def test_an_up_to_date_database_is_left_alone(tmp_path: Path) -> None:
    engine = writing_engine(tmp_path / "desk.db", 1.0)
    try:
        migrate(engine, tmp_path / "desk.db")
        with engine.connect() as connection:
            before = connection.exec_driver_sql("PRAGMA schema_version").scalar()
        migrate(engine, tmp_path / "desk.db")
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA schema_version").scalar() == before
    finally:
        engine.dispose()
