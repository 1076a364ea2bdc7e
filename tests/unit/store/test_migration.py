"""The migrations make the tables that the code knows."""

from collections.abc import Iterator
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
from sqlalchemy import Connection, Engine, event, inspect

from core.clock.realtime import SystemClock
from core.model.corporate_action import Split
from core.model.market import BarSetKey
from core.model.run import Manifest, RunConfig
from core.store.arrays import pack
from core.store.bar_hash import content_sha256
from core.store.database import DatabaseStore
from core.store.dialect import Database, execute
from core.store.migration import HEAD, _upgrade, migrate, scripts
from core.store.postgres import PostgresDatabase
from core.store.sqlite import SqliteDatabase
from core.store.tables import METADATA
from core.store.transaction import transaction
from tests.contract.paper_samples import AFTERWARDS, BUYING, OPENING

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


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return SqliteDatabase(tmp_path / "desk.db", 1.0)
    return PostgresDatabase(request.getfixturevalue("empty_postgres_url"), 1.0)


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    made = database.writing_engine()
    yield made
    made.dispose()


def test_migrations_make_the_tables_of_the_code(engine: Engine, database: Database) -> None:
    migrate(engine, database)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        assert connection.exec_driver_sql("SELECT id, seq FROM log_head").all() == [(1, 0)]


def test_a_migration_that_breaks_off_leaves_nothing(engine: Engine, database: Database) -> None:
    def break_off() -> None:
        with engine.connect() as connection, transaction(connection, alone=True):
            _upgrade(connection, database)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        break_off()
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == []


def test_an_up_to_date_database_is_left_alone(engine: Engine, database: Database) -> None:
    migrate(engine, database)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    migrate(engine, database)
    assert statements
    assert [line for line in statements if not line.lstrip().startswith(("SELECT", "PRAGMA"))] == []


def _at_revision(engine: Engine, revision: str) -> None:
    """Make the database as an older version of the program did."""
    config = Config()
    config.set_main_option("script_location", str(scripts()))
    with engine.connect() as connection, transaction(connection, alone=True):
        config.attributes["connection"] = connection
        assert inspect(connection).get_table_names() == []  # and Alembic, which finds a transaction begun, commits none of its own
        command.upgrade(config, revision)


def _insert(connection: Connection, table: str, **cells: object) -> None:
    columns = ", ".join(cells)
    execute(connection, f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(cells))})", tuple(cells.values()))


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004"])
async def test_a_database_of_an_earlier_version_keeps_its_data(
    engine: Engine, database: Database, revision: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    _at_revision(engine, revision)
    starts, prices = np.array([60_000_000_000], np.int64), [np.array([figure]) for figure in (1.0, 3.0, 0.5, 2.0, 9.0)]
    with engine.connect() as connection, transaction(connection, alone=True):
        assert "paper_orders" not in inspect(connection).get_table_names()
        body = msgspec.json.encode(OLD_RUN).decode()
        _insert(connection, "runs", id="r1", status="pending", mode="backtest", strategy_id="sma-cross", created_ns=7, body=body)
        span = {"bars": 1, "first_ns": 60_000_000_000, "last_ns": 60_000_000_000}
        of_set = {"symbol": "SPY", "timeframe": "1m", "source": "file", "adjustment": "raw"}
        _insert(connection, "bar_sets", id=1, **of_set, **span, updated_ns=7, revision=1, simulated=False)
        _insert(connection, "bar_chunks", set_id=1, period=0, **span, data=pack([starts, *prices]))

    url = database.path if isinstance(database, SqliteDatabase) else request.getfixturevalue("empty_postgres_url")
    store = DatabaseStore(url, SystemClock(), locks=tmp_path)
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
        await store.paper.save(OPENING)
        await store.paper.save(BUYING)
        assert await store.paper.load("sim") == AFTERWARDS
    finally:
        await store.close()


def test_holes_of_an_earlier_version_are_noted_as_such(engine: Engine, database: Database) -> None:
    _at_revision(engine, "0002")
    with engine.connect() as connection, transaction(connection, alone=True):
        for seq in (3, 4, 8):
            event = {"kind": "evt", "type": "run.Deleted", "version": 1, "corr_id": "c", "ts": 7, "producer": "runs", "payload": "{}"}
            _insert(connection, "outbox", seq=seq, id=f"e{seq}", **event)
        connection.exec_driver_sql("UPDATE log_head SET seq = 9")
    migrate(engine, database)
    with engine.connect() as connection:
        noted = connection.exec_driver_sql("SELECT first_seq, last_seq, why FROM deleted_seqs ORDER BY first_seq").all()
    assert [tuple(row) for row in noted] == [(1, 2, "earlier"), (5, 7, "earlier"), (9, 9, "earlier")]
