"""Looking after a database: checks, chains of hashes, everything to a file and back, archives, unused space."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection

from core.events.codec import EventCodec
from core.model.care import Archive, ChainReport, CheckReport, Transfer, Vacuum
from core.model.findings import Findings
from core.model.retention import EventClass
from core.ports import OnProgress
from core.store.archive import delete_archived, read_archives, write_archive
from core.store.archive_restore import restore_archive
from core.store.bar_check import check_bars
from core.store.hash_chain import chained_runs, verify_chain
from core.store.log_check import check_log
from core.store.long_work import LongWork, LongWorks
from core.store.paper_check import check_paper
from core.store.row_check import check_rows
from core.store.threads import Threads
from core.store.transfer import export_to, import_from
from core.store.vacuum import vacuum


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

    async def export_to(self, path: Path, on_progress: OnProgress) -> Transfer:
        """See `core.ports.StoreCare`."""
        now_ns = self._now_ns()
        return await self._works.read(lambda connection, job: export_to(connection, path, now_ns, job), on_progress)

    async def import_from(self, path: Path, on_progress: OnProgress) -> Transfer:
        """See `core.ports.StoreCare`."""
        return await self._works.write(lambda connection, job: import_from(connection, path, job), on_progress)

    async def archive(self, kind: EventClass, before_ns: int, folder: Path, on_progress: OnProgress) -> Archive | None:
        """See `core.ports.StoreCare`."""
        now_ns = self._now_ns()
        written = await self._works.read(
            lambda connection, job: write_archive(connection, kind, before_ns, folder, now_ns, job), on_progress
        )
        if written is None:
            return None
        archive, parts = written
        return await self._works.write(lambda connection, _job: delete_archived(connection, archive, parts), on_progress)

    async def restore_archive(self, path: Path, on_progress: OnProgress) -> Archive:
        """See `core.ports.StoreCare`."""
        return await self._works.write(lambda connection, job: restore_archive(connection, path, job), on_progress)

    async def archives(self) -> list[Archive]:
        """See `core.ports.StoreCare`."""
        return await self._threads.read(read_archives)

    async def vacuum(self) -> Vacuum:
        """See `core.ports.StoreCare`."""
        return await self._threads.maintain(vacuum)

    def _check(self, connection: Connection, job: LongWork) -> CheckReport:
        found = Findings()
        if connection.dialect.name == "sqlite":
            _check_file(connection, found)
        check_log(connection, self._codec, found, job)
        check_rows(connection, found, job)
        check_bars(connection, found, job)
        check_paper(connection, found, job)
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
