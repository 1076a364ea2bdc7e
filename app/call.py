"""One call of the program: its common options, and an engine that is open for the length of one piece of work."""

import asyncio
import errno
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from app import collector
from app.config import MEMORY, Paths, SettingsFile
from core.errors import Cancelled, InvalidValue, KnownError
from core.settings import Settings

if TYPE_CHECKING:
    from core.engine import Engine

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The options that every verb has. `database_url` is `memory`, a path, or an SQLite or PostgreSQL URL."""

    paths: Paths
    database_url: str
    environment: Mapping[str, str] = field(repr=False)  # it may hold keys
    database_given: bool = False
    """Whether `--db` or WEAVER_DB named the database."""
    verbose: bool = False
    debug: bool = False

    @property
    def shows_progress(self) -> bool:
        """Progress is for people: on a terminal, or when they ask for it."""
        return self.verbose or sys.stderr.isatty()

    def make_directories(self) -> None:
        """Create the data directory. With a database in memory nothing has to be written, so there it may fail."""
        try:
            self.paths.make()
        except KnownError as error:
            if self.database_url != MEMORY:
                raise
            _log.info("No data directory: %s", error)

    def settings(self) -> Settings:
        """Return the stored settings under the environment's; what cannot be taken of them is told in the log."""
        file = SettingsFile(self.paths.settings, self.environment)
        settings = file.load()
        for warning in file.warnings:
            _log.warning("%s", warning)
        return settings

    def run(
        self,
        work: Callable[["Engine"], Awaitable[T]],
        *,
        recover: bool = True,
        speed: float = 1.0,
        seed: int = 1,
        faults: Sequence[str] = (),
        log_json: bool = False,
    ) -> T:
        """Open an engine, do `work` with it and close it. SIGINT and SIGTERM cancel the work; closing is never skipped.

        Without `recover` runs that a crash interrupted stay as they are: what looks after a database takes it as it is.
        `speed`, `seed`, `faults`: of the simulated market. `log_json`: what the log says on stderr are lines of JSON.
        """
        from app.compose import compose_accounts, compose_engine, compose_store
        from app.logs import FaultReporter, start_logging
        from core.clock.realtime import SystemClock

        self.make_directories()
        start_logging(self.paths.logs, verbose=self.verbose, as_json=log_json)
        reporter = FaultReporter(self.paths.logs, SystemClock())
        settings = self.settings()
        store = compose_store(self.database_url, self.paths, settings)
        accounts = compose_accounts(self.paths, self.environment, settings)
        engine = compose_engine(
            store, self.paths.strategies, settings, reporter.report, accounts=accounts, speed=speed, seed=seed, faults=faults
        )
        return asyncio.run(_within(engine, work, recover=recover))


async def _within(engine: "Engine", work: Callable[["Engine"], Awaitable[T]], *, recover: bool) -> T:
    task = asyncio.current_task()
    with signals_call(lambda: task.cancel() if task else None):
        try:
            await engine.open(recover=recover)
            collector.settle()
            return await work(engine)
        except asyncio.CancelledError as error:
            raise Cancelled("Stopped on request.", "What was not finished was not kept.") from error
        finally:
            await engine.close()


@contextmanager
def signals_call(callback: Callable[[], object]) -> Iterator[None]:
    """Let SIGINT and SIGTERM call `callback` in the running loop instead of killing the process in the middle of a write."""
    loop = asyncio.get_running_loop()
    installed: list[signal.Signals] = []
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, callback)
            installed.append(number)
    except NotImplementedError:
        pass  # Windows: asyncio.Runner itself cancels the main task on Ctrl+C
    try:
        yield
    finally:
        for number in installed:
            loop.remove_signal_handler(number)


def absolute(path: Path) -> Path:
    """Return the path as the person meant it, `~` and all. Raises InvalidValue for what can be no path here."""
    try:
        meant = path.expanduser().absolute()
        os.fsencode(meant)
        meant.exists()
    except (RuntimeError, ValueError) as error:  # a home of nobody; signs that no file name has
        raise InvalidValue("the path", ascii(str(path)), "no file can have that name.") from error
    except OSError as error:
        if error.errno in {errno.ENAMETOOLONG, errno.ELOOP}:
            raise InvalidValue("the path", f"{str(path)[:60]!r}…", f"{error.strerror}.") from error
    return meant
