"""One call of the program: its common options, and an engine that is open for the length of one piece of work."""

import asyncio
import errno
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from app import collector
from app.config import MEMORY, Paths, SettingsFile
from core.errors import Cancelled, InvalidValue, KnownError
from core.settings import Settings

if TYPE_CHECKING:
    from core.engine import Engine

T = TypeVar("T")

_log = logging.getLogger(__name__)
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


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
        stop: "Stop | None" = None,
    ) -> T:
        """Open an engine, do `work` with it and close it. SIGINT and SIGTERM cancel the work, once; closing is never skipped.

        Without `recover` runs that a crash interrupted stay as they are: what looks after a database takes it as it is.
        `speed`, `seed`, `faults`: of the simulated market. `log_json`: what the log says on stderr are lines of JSON.
        `stop`: of work that says itself when there is nothing left to stop. The signals stay unheard after it, so that what came of it
        can be told: see `signals_as_before`.
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
        return asyncio.run(_within(engine, work, recover=recover, stop=stop))


class Stop:
    """What a signal does to a piece of work: it is cancelled, until there is nothing left to stop."""

    def __init__(self) -> None:
        self.is_over = False
        self._task: asyncio.Task[object] | None = None

    def watch(self) -> None:
        """It is the present task that would be cancelled."""
        self._task = asyncio.current_task()

    def __call__(self) -> None:
        if self._task is not None and not self.is_over:
            self._task.cancel()


async def _within(engine: "Engine", work: Callable[["Engine"], Awaitable[T]], *, recover: bool, stop: Stop | None) -> T:
    stops = Stop() if stop is None else stop
    stops.watch()
    with signals_call(stops, unheard_afterwards=stop is not None):
        try:
            await engine.open(recover=recover)
            collector.settle()
            return await work(engine)
        except asyncio.CancelledError as error:
            raise Cancelled("Stopped on request.", "What was not finished was not kept.") from error
        finally:
            stops.is_over = True
            await engine.close()


async def unbroken(work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` does, which is done to its end: a cancel that comes meanwhile is one of the caller's next step."""
    failed: list[Exception] = []

    async def done() -> T | None:
        try:
            return await work
        except Exception as error:
            failed.append(error)  # the group would cancel the caller for it, and nobody could tell that from a signal
            return None

    task, is_cancelled = asyncio.current_task(), False
    async with asyncio.TaskGroup() as group:
        doing = group.create_task(done(), name="unbroken")
        try:
            await asyncio.wait({doing})
        except asyncio.CancelledError:
            is_cancelled = True
            if task is not None:
                task.uncancel()
            await asyncio.wait({doing})
    if failed:
        raise failed[0]
    if is_cancelled and task is not None:
        task.cancel()
    return cast("T", doing.result())


@contextmanager
def signals_call(callback: Callable[[], object], *, unheard_afterwards: bool = False) -> Iterator[None]:
    """Let SIGINT or SIGTERM call `callback` in the running loop instead of killing the process in the middle of a write.

    Once: a second one, while what the first began ends in good order, changes nothing. `unheard_afterwards`: so it stays after the block.
    """
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    installed: list[signal.Signals] = []
    is_called = False

    def call() -> None:
        nonlocal is_called
        if is_called:
            _log.warning("It is stopping already, and ends when everything is in good order.")
        else:
            is_called = True
            callback()

    try:
        for number in _SIGNALS:
            loop.add_signal_handler(number, call)
            installed.append(number)
    except NotImplementedError:
        pass  # Windows: asyncio.Runner itself cancels the main task on Ctrl+C
    try:
        yield
    finally:
        for number in installed:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN if unheard_afterwards else before[number])


@contextmanager
def signals_as_before() -> Iterator[None]:
    """Have SIGINT and SIGTERM answered after the block as they were before it, whatever it made of them."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
