"""A connection to PostgreSQL that sends several statements in one journey, and gives up a server that has fallen silent."""

import time
from collections.abc import Generator, Sequence
from typing import Any, Final

import psycopg
from psycopg import errors
from psycopg.generators import copy_to
from psycopg.pq import ConnStatus, ExecStatus, PipelineStatus
from psycopg.pq.abc import PGresult
from psycopg.waiting import READY_NONE, READY_R, WAIT_R, WAIT_RW

from core.store.postgres_sql import NumberedLines

SILENCE_S: Final = 10.0
"""How long an answer may take before the server is asked, over another connection, whether it works at it."""
_IS_AT_IT: Final = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND state = 'active'"
_SENT_AT_ONCE: Final = 65_536
_DONE: Final = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)

Step = tuple[bytes, Sequence[bytes | None]]
"""A statement with `$1` for each value, and the values as text."""


class DeskConnection(psycopg.Connection[Any]):
    """A connection of the driver. `silence_s`: see `SILENCE_S`; `parameters`: of `connect`, for the question."""

    silence_s = SILENCE_S
    parameters: dict[str, Any]
    asks = True
    """Whether it asks before it gives up; the connection that is asked over does not."""

    def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        """Wait for the server. Raises psycopg.OperationalError when it is silent and does not work at it either.

        The kernel notices a network that drops packets; not a host in between that takes them and passes nothing on.
        """
        return super().wait(self._listened_to(gen), *arguments, **options)

    def journey(self, steps: Sequence[Step], prepared: "Prepared") -> list[PGresult]:
        """Carry out `steps` in one journey to the server and back. The first that fails is raised, those after it are not done.

        A COMMIT among them commits only what went well before it.
        """
        pgconn = self.pgconn
        # Not by `self.pipeline`: what it does for each statement costs as much as the statement does at the server.
        pgconn.enter_pipeline_mode()
        try:
            for statement, values in steps:
                prepared.send(pgconn, statement, values)
            pgconn.pipeline_sync()
            results: list[PGresult] = self.wait(_answers(pgconn))
            pgconn.exit_pipeline_mode()
        except BaseException:
            pgconn.finish()  # nobody knows what would come next on it
            raise
        for result in results:
            if result.status not in _DONE:
                prepared.forget()
                raise errors.error_from_result(result)
        return results

    def copy_journey(self, statements: bytes, lines: NumberedLines) -> int:
        """Carry out `statements`, which end in a COPY of `lines`, in one transaction.

        The first returns the number of the last line. Raises what the server says; then nothing was done.
        """
        pgconn = self.pgconn
        try:
            pgconn.send_query(statements)
            results: list[PGresult] = self.wait(_answers(pgconn))
            if results[-1].status == ExecStatus.COPY_IN:
                for piece in lines.pieces(first_number(results)):
                    for start in range(0, len(piece), _SENT_AT_ONCE):
                        self.wait(copy_to(pgconn, piece[start : start + _SENT_AT_ONCE], False))
                pgconn.put_copy_end()
                results[-1:] = self.wait(_answers(pgconn))
        except BaseException:
            pgconn.finish()  # nobody knows what would come next on it
            raise
        for result in results:
            if result.status not in _DONE:
                raise errors.error_from_result(result)
        return first_number(results)

    def _listened_to(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        since, is_suspect = time.monotonic(), False
        try:
            state = next(gen)
            while True:
                ready = yield state
                if ready != READY_NONE:
                    since, is_suspect = time.monotonic(), False
                elif time.monotonic() - since >= self.silence_s:
                    # Not at the first time: it may just have finished, and its answer be on the way.
                    since, was_suspect, is_suspect = time.monotonic(), is_suspect, not self._is_at_it()
                    if is_suspect and was_suspect:
                        raise self._silent()
                state = gen.send(ready)
        except StopIteration as end:
            return end.value

    def _is_at_it(self) -> bool:
        """Ask the server whether it works at what this connection waits for. Raises psycopg.OperationalError when that is silent too."""
        if not self.asks:
            raise self._silent()
        try:
            with DeskConnection.connect(**self.parameters, autocommit=True) as other:
                other.asks, other.silence_s = False, self.silence_s
                row = other.execute(_IS_AT_IT, (self.pgconn.backend_pid,)).fetchone()
        except psycopg.Error as error:
            raise self._silent() from error
        return row is not None and bool(row[0])

    def _silent(self) -> psycopg.OperationalError:
        self.pgconn.finish()
        return psycopg.OperationalError("the server has fallen silent")


class Prepared:
    """The statements that a connection has prepared at its server, by their text."""

    def __init__(self) -> None:
        self._names: dict[bytes, bytes] = {}
        self._given = 0

    def send(self, pgconn: Any, statement: bytes, values: Sequence[bytes | None]) -> None:
        """Send a statement in pipeline mode; the second time the server knows it already."""
        if not values:
            pgconn.send_query_params(statement, None)
            return
        name = self._names.get(statement)
        if name is None:
            self._given += 1
            name = self._names[statement] = b"weaver_%d" % self._given
            pgconn.send_prepare(name, statement)
        pgconn.send_query_prepared(name, values)

    def forget(self) -> None:
        """Prepare anew: a journey that failed may have prepared something or not."""
        self._names.clear()


def first_number(results: Sequence[PGresult]) -> int:
    """Return the first cell that was answered, a number; what a statement answers that is prepared or returns nothing has none."""
    return next(int(result.get_value(0, 0) or 0) for result in results if result.ntuples)


def _answers(pgconn: Any) -> Generator[Any, Any, list[PGresult]]:
    """Send what is to be sent, and return the answers up to the end of the journey, or to where the server waits for rows."""
    while pgconn.flush():
        ready = yield WAIT_RW
        if ready & READY_R:
            pgconn.consume_input()
    found: list[PGresult] = []
    while True:
        while pgconn.is_busy():
            if (yield WAIT_R):
                pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            if pgconn.status != ConnStatus.OK:
                raise psycopg.OperationalError(pgconn.get_error_message() or "the connection was lost")
            if pgconn.pipeline_status == PipelineStatus.OFF:
                return found
            continue
        if result.status == ExecStatus.PIPELINE_SYNC:
            return found
        found.append(result)
        if result.status == ExecStatus.COPY_IN:
            return found
