"""The migrations make the tables that the code knows."""

from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect

from core.clock.realtime import SystemClock
from core.model.corporate_action import Split
from core.model.market import BarSetKey
from core.model.run import Manifest, RunConfig
from core.store.arrays import pack
from core.store.bar_hash import content_sha256
from core.store.database import DatabaseStore
from core.store.engine import writing_engine
from core.store.migration import HEAD, _upgrade, migrate, scripts
from core.store.sql import transaction
from core.store.tables import METADATA

OLD_RUN = {
    "id": "r1",
    "config": {"strategy_id": "sma-cross", "symbols": ["SPY"], "timeframe": "1m", "cash": "100000"},
    "status": "pending",
    "created_ns": 7,
    "manifest": {"strategy_sha256": "a", "bars_sha256": "b", "engine": "0.1.0", "seed": 0},
}
"""A run as the first version wrote it: without the terms that came later."""


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


def _at_revision(path: Path, revision: str) -> Engine:
    """Return an engine on a database that an older version of the program made."""
    engine = writing_engine(path, 1.0)
    config = Config()
    config.set_main_option("script_location", str(scripts()))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return engine


async def test_a_database_of_the_first_version_keeps_its_data(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    engine = _at_revision(path, "0001")
    try:
        with engine.connect() as connection, transaction(connection):
            assert "corporate_actions" not in inspect(connection).get_table_names()
            connection.exec_driver_sql(
                "INSERT INTO runs (id, status, mode, strategy_id, created_ns, body)"
                " VALUES ('r1', 'pending', 'backtest', 'sma-cross', 7, ?)",
                (msgspec.json.encode(OLD_RUN).decode(),),
            )
            starts, prices = np.array([60_000_000_000], np.int64), [np.array([figure]) for figure in (1.0, 3.0, 0.5, 2.0, 9.0)]
            connection.exec_driver_sql("INSERT INTO bar_sets VALUES (1, 'SPY', '1m', 'file', 'raw', 1, 60000000000, 60000000000, 7, 1, 0)")
            connection.exec_driver_sql("INSERT INTO bar_chunks VALUES (1, 0, 60000000000, 60000000000, 1, ?)", (pack([starts, *prices]),))
    finally:
        engine.dispose()

    store = DatabaseStore(path, SystemClock())
    await store.open()
    try:
        (run,) = await store.runs.runs()
        assert (run.id, run.config, run.config.corporate_actions) == (
            "r1",
            RunConfig(strategy_id="sma-cross", symbols=("SPY",), timeframe="1m"),
            True,
        )
        assert run.manifest == Manifest(strategy_sha256="a", bars_sha256="b", engine="0.1.0")
        bars = await store.bars.read(BarSetKey(symbol="SPY", timeframe="1m", source="file"))
        assert [float(column[0]) for column in bars.columns()] == [1.0, 3.0, 0.5, 2.0, 9.0]
        (held,) = await store.bars.sets()
        assert (held.sha256, held.sealed) == (None, False)
        sealed = await store.bars.seal(held.key, sealed=True)
        assert sealed is not None
        assert sealed.sha256 == content_sha256(bars)
        await store.actions.put([Split(symbol="SPY", day=1, ratio=Decimal(2))])
        assert len(await store.actions.read("SPY")) == 1
    finally:
        await store.close()


def test_holes_of_an_earlier_version_are_noted_as_such(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    engine = _at_revision(path, "0002")
    try:
        with engine.connect() as connection, transaction(connection):
            for seq in (3, 4, 8):
                connection.exec_driver_sql(
                    "INSERT INTO outbox (seq, id, kind, type, version, corr_id, ts, producer, payload)"
                    " VALUES (?, ?, 'evt', 'run.Deleted', 1, 'c', 7, 'runs', '{}')",
                    (seq, f"e{seq}"),
                )
            connection.exec_driver_sql("UPDATE log_head SET seq = 9")
        migrate(engine, path)
        with engine.connect() as connection:
            noted = connection.exec_driver_sql("SELECT first_seq, last_seq, why FROM deleted_seqs ORDER BY first_seq").all()
        assert [tuple(row) for row in noted] == [(1, 2, "earlier"), (5, 7, "earlier"), (9, 9, "earlier")]
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
