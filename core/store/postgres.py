"""A PostgreSQL database, for one desk or several: how it is reached, and its transactions."""

import itertools
import secrets
import select
import socket
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError

from core.errors import BugError, InputError, InvalidValue, StoreError
from core.store.dialect import Begun, News, driver, mark_engine
from core.store.postgres_connection import SILENCE_S, DeskConnection, Prepared, Step, first_number
from core.store.postgres_faults import postgres_fault
from core.store.postgres_sql import NumberedLines, PostgresSql
from core.store.tables import OUTBOX

PATIENCE_S: Final = 5.0
CHANNEL: Final = "weaver_log"
"""Where a commit that appended tells its last seq to the other processes."""

LIVE_CHANNEL: Final = "weaver_live"
"""Where texts go that are told and not stored."""

_AFTER_OWN_S: Final = 0.002
"""Who hears only of commits of his own looks so seldom: waking for each of them takes the processor from the next."""

_Notice = tuple[str, str, int]
"""Channel, text, and the server process of who told it."""
_HEARD: Final = "heard"
_MIGRATION_LOCK: Final = 7_262_114_390
"""Any number that no other program on the server is likely to lock by."""
_PREPARED: Final = "prepared"
_IDLE_IN_TRANSACTION_S: Final = 15
"""After so long the server undoes the transaction of a program that stands still in it: it would hold up every other desk."""

_DEFAULTS: Final[dict[str, Any]] = {
    "client_encoding": "utf8",
    "connect_timeout": 5,
    # A network that drops packets says nothing: the kernel asks, and gives up after twenty seconds.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
}

_WIDTH: Final = len(OUTBOX.columns)
_BEGIN: Final[Step] = (b"BEGIN", ())
_COMMIT: Final[Step] = (b"COMMIT", ())
_ROLLBACK: Final[Step] = (b"ROLLBACK", ())
_LOCK_HEAD: Final[Step] = (b"SELECT seq FROM log_head FOR UPDATE", ())
_KEEP_HEAD: Final = f"UPDATE log_head SET seq = $1 RETURNING pg_notify('{CHANNEL}', seq::text)".encode()  # noqa: S608 - our own names
_INSERT_EVENT: Final = (
    f"INSERT INTO outbox ({', '.join(OUTBOX.columns.keys())}) VALUES ({', '.join(f'${at}' for at in range(1, _WIDTH + 1))})".encode()  # noqa: S608
)
_INSERT_AFTER_HEAD: Final = _INSERT_EVENT.replace(b"VALUES ($1,", b"VALUES ((SELECT seq FROM log_head) - $1,")
_COPY_EVENTS: Final = f"COPY outbox ({', '.join(OUTBOX.columns.keys())}) FROM STDIN"
_MARK_AND_TAKE: Final = f"WITH mark AS (PUT_MARK) UPDATE log_head SET seq = seq + $3 RETURNING seq, pg_notify('{CHANNEL}', seq::text)"  # noqa: S608 - our own names
_PUT_MARK: Final = (
    "INSERT INTO commit_marks (writer, number, updated_ms) VALUES ($1, $2, NOW_MS)"
    " ON CONFLICT (writer) DO UPDATE SET number = excluded.number, updated_ms = excluded.updated_ms"
)


class PostgresDatabase:
    """A `Database` by URL, `postgresql://user:password@host:port/name`. Raises InputError for a URL that cannot be read."""

    is_shared: Final = True
    late_events: Final = 20

    def __init__(self, url: str, patience_s: float = PATIENCE_S) -> None:
        self._writer: Final = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._parameters = {**_DEFAULTS, **_parameters_of(url), "application_name": f"weaver {self._writer}"}
        self.where: Final = _in_words(self._parameters)
        self.patience_s: Final = patience_s
        # Longer than the server lets a statement wait for a lock.
        self._silence_s = min(SILENCE_S, 2 * patience_s)
        self.sql: Final = PostgresSql()
        put_mark = _PUT_MARK.replace("NOW_MS", self.sql.now_ms)
        self._put_mark: Final = put_mark.encode()
        self._mark_and_take: Final = _MARK_AND_TAKE.replace("PUT_MARK", put_mark)
        self._take_step: Final = self._mark_and_take.encode()
        self._writing_process = 0

    def connect(self) -> DeskConnection:
        """Return a new connection of the driver."""
        connection = DeskConnection.connect(**self._parameters)
        connection.parameters = self._parameters
        connection.silence_s = self._silence_s
        return connection

    def writing_engine(self) -> Engine:
        """See `core.store.dialect.Database`."""
        settings = (
            f"SET lock_timeout = '{self.patience_s}s'",
            f"SET idle_in_transaction_session_timeout = '{_IDLE_IN_TRANSACTION_S}s'",
            # What is committed survives a power cut, even where the server was told not to care.
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        )
        return mark_engine(self._engine(settings), self, isolation_level="AUTOCOMMIT")

    def reading_engine(self) -> Engine:
        """See `core.store.dialect.Database`."""
        settings = (
            "SET default_transaction_isolation = 'repeatable read'",
            "SET default_transaction_read_only = on",
        )
        return mark_engine(self._engine(settings), self)

    def begin(self, connection: Connection, *, alone: bool, appends: bool) -> Begun:
        """See `core.store.dialect.Database`. The mark is the number of the transaction and its server process."""
        of_driver: DeskConnection = driver(connection)
        mark = self.new_mark(connection)
        number = _number_of(mark)
        if alone:
            _prepared(connection).forget()  # tables may change, and then the driver lets the server forget everything
            of_driver.execute(f"BEGIN; SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            return Begun(mark)
        if not appends:
            of_driver.journey([_BEGIN, self._mark(number)], _prepared(connection))
            return Begun(mark)
        # Its number is written with the commit: until then the lock of the log tells that it is not over.
        found = of_driver.journey([_BEGIN, _LOCK_HEAD], _prepared(connection))[1].get_value(0, 0)
        return Begun(mark, int(found or 0))

    def commit(self, connection: Connection, begun: Begun, head: int | None, late: Sequence[Any] = ()) -> None:
        """See `core.store.dialect.Database`. One journey, whatever there is to do."""
        steps: list[Step] = [(_INSERT_EVENT, _as_text(late[at : at + _WIDTH])) for at in range(0, len(late), _WIDTH)]
        if begun.head is not None:
            steps.append(self._mark(_number_of(begun.mark)))
        if head is not None:
            steps.append((_KEEP_HEAD, _as_text([head])))
        driver(connection).journey([*steps, _COMMIT], _prepared(connection))

    def _mark(self, number: int) -> Step:
        return self._put_mark, _as_text([self._writer, number])

    def new_mark(self, connection: Connection) -> str:
        """See `core.store.dialect.Database`."""
        self._writing_process = driver(connection).pgconn.backend_pid
        return f"{next(self._numbers)} {self._writing_process}"

    def append(self, connection: Connection, mark: str, cells: Sequence[Any]) -> int:
        """See `core.store.dialect.Database`. One journey, or where the rows are copied two: the server numbers, and commits at its end."""
        of_driver: DeskConnection = driver(connection)
        count, number = len(cells) // _WIDTH, _number_of(mark)
        if count > self.late_events:
            take = self._mark_and_take.replace("$1", f"'{self._writer}'").replace("$2", str(number)).replace("$3", str(count))
            return of_driver.copy_journey(f"{take}; {_COPY_EVENTS}".encode(), NumberedLines(cells, _WIDTH))
        steps: list[Step] = [(self._take_step, _as_text([self._writer, number, count]))]
        for at in range(count):
            row = _as_text(cells[at * _WIDTH : (at + 1) * _WIDTH])
            row[0] = b"%d" % (count - 1 - at)
            steps.append((_INSERT_AFTER_HEAD, row))
        return first_number(of_driver.journey(steps, _prepared(connection)))

    def rollback(self, connection: Connection) -> None:
        """See `core.store.dialect.Database`."""
        if connection.invalidated:
            return  # its loss was noticed in the middle of the work, and the transaction is gone with it
        of_driver = connection.connection.driver_connection
        try:
            if of_driver is not None and not of_driver.closed and of_driver.pgconn.transaction_status != TransactionStatus.IDLE:
                # Not by `execute`: the driver would have the server forget all that was ever prepared, ours too.
                of_driver.journey([_ROLLBACK], _prepared(connection))
        except psycopg.OperationalError:
            return  # the connection is gone, and the transaction with it

    def between_commits(self, connection: Connection) -> None:
        """See `core.store.dialect.Database`. The server keeps its own house."""

    def was_committed(self, connection: Connection, mark: str) -> bool | None:
        """See `core.store.dialect.Database`. The row that the transaction wrote, if it was committed, tells; its locks, whether it is over.

        Not by the transaction's number on the server: after a crash the server gives a number that was lost to another one.
        """
        number, process = (int(part) for part in mark.split())
        of_driver = driver(connection)
        # The server process of the lost connection may not know yet that it is lost.
        lost = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND application_name = %s"
        of_driver.execute(lost, (process, self._parameters["application_name"]))
        try:
            of_driver.execute("SELECT FROM log_head FOR UPDATE")
            row = of_driver.execute("SELECT number FROM commit_marks WHERE writer = %s FOR UPDATE", (self._writer,)).fetchone()
        except psycopg.errors.LockNotAvailable:
            return None
        return row is not None and bool(row[0] == number)

    def listen(self, connection: Connection) -> None:
        """See `core.store.dialect.Database`."""
        heard: list[_Notice] = []
        connection.info[_HEARD] = heard
        of_driver = driver(connection)
        # Notices that come with the answer to a query are handed to this; all others are fetched in `wait_for_news`.
        of_driver.add_notify_handler(lambda notice: heard.append((notice.channel, notice.payload, notice.pid)))
        of_driver.execute(f"LISTEN {CHANNEL}; LISTEN {LIVE_CHANNEL}")

    def wait_for_news(self, connection: Connection, wake: socket.socket) -> News:
        """See `core.store.dialect.Database`. A silent server is asked now and then: a connection may be dead and not know it."""
        heard: list[_Notice] = connection.info[_HEARD]
        of_driver = driver(connection)
        _fetch(of_driver.pgconn, heard)
        if not heard:
            select.select([of_driver.fileno(), wake], [], [], self._silence_s)
            _fetch(of_driver.pgconn, heard)
        # What our own writer appends it tells itself: a look for each of its commits would cost half as much as the commit.
        heads = [int(payload) for channel, payload, process in heard if channel == CHANNEL and process != self._writing_process]
        live = tuple(payload for channel, payload, _ in heard if channel == LIVE_CHANNEL)
        if not heard:
            return News(None)
        heard.clear()
        if not heads and not live:
            select.select([wake], [], [], _AFTER_OWN_S)
        return News(max(heads, default=0), live)

    def tell_live(self, connection: Connection, text: str) -> bool:
        """See `core.store.dialect.Database`."""
        driver(connection).execute("SELECT pg_notify(%s, %s)", (LIVE_CHANNEL, text))
        return True

    def facts(self, connection: Connection) -> list[tuple[str, str]]:
        """See `core.store.dialect.Database`."""
        asked = "SELECT current_setting('server_version'), pg_database_size(current_database())"
        version, size = driver(connection).execute(asked).fetchone()
        return [("database server", f"PostgreSQL {version}"), ("database size", f"{size / 1e6:,.1f} MB")]

    def fault(self, error: BaseException) -> StoreError | BugError | InvalidValue | None:
        """See `core.store.dialect.Database`."""
        return postgres_fault(error, self.where)

    def _engine(self, settings: tuple[str, ...]) -> Engine:
        engine = create_engine("postgresql+psycopg://", creator=self.connect, use_native_hstore=False)

        def connected(driver_connection: Any, record: object) -> None:
            was, driver_connection.autocommit = driver_connection.autocommit, True
            driver_connection.execute("; ".join(settings))
            driver_connection.autocommit = was

        def checked_out(driver_connection: Any, record: object, proxy: object) -> None:
            if driver_connection.closed:
                raise DisconnectionError  # the pool makes another one

        event.listen(engine, "connect", connected)
        event.listen(engine, "checkout", checked_out)
        return engine


def _as_text(cells: Sequence[Any]) -> list[bytes | None]:
    return [None if cell is None else str(cell).encode() for cell in cells]


def _prepared(connection: Connection) -> Prepared:
    """Return what the connection has prepared; a new connection of the driver begins with nothing."""
    found: Prepared = connection.info.setdefault(_PREPARED, Prepared())
    return found


def _number_of(mark: str) -> int:
    return int(mark.partition(" ")[0])


def _fetch(pgconn: Any, heard: list[_Notice]) -> None:
    """Take in what has arrived; some of it may have come behind an earlier answer, and the socket shows nothing any more."""
    pgconn.consume_input()
    while (notice := pgconn.notifies()) is not None:
        heard.append((notice.relname.decode(), notice.extra.decode(), notice.be_pid))


def _parameters_of(url: str) -> dict[str, Any]:
    _, _, rest = url.strip().partition("://")
    try:
        found = dict(conninfo_to_dict(f"postgresql://{rest}"))
    except psycopg.Error:
        raise _unreadable() from None  # the library's own words repeat parts of the URL, and the password may be among them
    # A sign in the password that is not encoded moves a part of it to where it would be shown.
    if any("@" in str(found.get(name, "")) for name in ("host", "dbname")) or not str(found.get("port", "0")).replace(",", "").isdigit():
        raise _unreadable()
    return found


def _unreadable() -> InputError:
    return InputError(
        "The address of the PostgreSQL database cannot be read.",
        "Write postgresql://user:password@host/database; signs like @ / : in a password are written %40 %2F %3A.",
    )


def _in_words(parameters: dict[str, Any]) -> str:
    """Return the database's name and place: `postgresql://ann@desk:5432/weaver`, never its password."""
    user = parameters.get("user")
    host = parameters.get("host") or parameters.get("hostaddr") or "localhost"
    port = f":{parameters['port']}" if parameters.get("port") else ""
    return f"postgresql://{f'{user}@' if user else ''}{host}{port}/{parameters.get('dbname') or user or ''}"
