"""Looking after a database: checks, chains of hashes, everything to a file and back, archives, unused space."""

from collections.abc import Callable

from sqlalchemy import Connection

from core.events.codec import EventCodec
from core.model.care import ChainReport, CheckReport
from core.model.findings import Findings
from core.ports import OnProgress
from core.store.bar_check import check_bars
from core.store.hash_chain import chained_runs, verify_chain
from core.store.log_check import check_log
from core.store.long_work import LongWork, LongWorks
from core.store.row_check import check_rows
from core.store.threads import Threads


class DatabaseCare:
    """A `StoreCare` of a database."""

    def __init__(self, threads: Threads, *, codec: EventCodec, now_ns: Callable[[], int], monotonic_ns: Callable[[], int]) -> None:
        self._works = LongWorks(threads, monotonic_ns)
        self._threads = threads
        self._codec = codec
        self._now_ns = now_ns

    async def check(self, on_progress: OnProgress) -> CheckReport:
        """See `core.ports.StoreCare`."""
        return await self._works.read(self._check, on_progress)

    async def verify_chain(self, run_id: str, on_progress: OnProgress) -> ChainReport:
        """See `core.ports.StoreCare`."""
        return await self._works.read(lambda connection, job: verify_chain(connection, run_id, job), on_progress)

    def _check(self, connection: Connection, job: LongWork) -> CheckReport:
        found = Findings()
        if connection.dialect.name == "sqlite":
            _check_file(connection, found)
        check_log(connection, self._codec, found, job)
        check_rows(connection, found, job)
        check_bars(connection, found, job)
        for run_id in chained_runs(connection):
            report = verify_chain(connection, run_id, job)
            found.count("chains")
            if report.first_changed is not None:
                found.add("chain", report.sentence)
        return found.report()


def _check_file(connection: Connection, found: Findings) -> None:
    """SQLite looks at its own pages and indexes."""
    for (line,) in connection.exec_driver_sql("PRAGMA integrity_check(20)").all():
        if line != "ok":
            found.add("file", f"The file is damaged: {line}.")
