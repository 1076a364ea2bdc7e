"""The threads of an open database: one that writes and two that read. The loop never waits for a disk."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import Connection, Engine

from core.errors import BugError, DatabaseUnreachable
from core.events.envelope import Envelope
from core.store.arrays import DamagedArrays
from core.store.dialect import Database
from core.store.faults import damaged, faults
from core.store.listener import Listener
from core.store.patience import Patience
from core.store.tail import Tail
from core.store.writer import Job, Writer

_T = TypeVar("_T")
_READERS: Final = 2


class Hearer(Protocol):
    """Takes what other processes append and tell."""

    @property
    def tail(self) -> Tail: ...

    def tell(self, events: Sequence[Envelope], then: Callable[[], None] | None = None) -> None:
        """Tell subscribers in the order of the log, then call `then`."""
        ...

    def tell_live(self, text: str) -> None:
        """Tell subscribers what is not stored."""
        ...


class Threads:
    """Runs what reads and what writes, off the loop, once it is open."""

    def __init__(self, database: Database) -> None:
        self.database: Final = database
        self._writing = database.writing_engine()
        self._reading = database.reading_engine()
        self._executor: ThreadPoolExecutor | None = None
        self._writer: Writer | None = None
        self._listener: Listener | None = None
        self._opening = asyncio.Lock()
        self._is_closing = False  # and still so after a close that was cancelled: the next one goes on with it

    async def open(self, prepare: Callable[[Engine], None], hearer: Hearer) -> None:
        """Run `prepare` with the writing engine in a thread, then start; `hearer` takes, in the loop, what others do.

        Raises StoreError, AlreadyOpen; then nothing is left running.
        """
        async with self._opening:
            if self._executor is None:
                await self._open(prepare, hearer)

    async def _open(self, prepare: Callable[[Engine], None], hearer: Hearer) -> None:
        executor = ThreadPoolExecutor(_READERS, "store-reader")
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(executor, self._prepared, prepare)
        except BaseException:
            self._writing.dispose()
            executor.shutdown(wait=False)
            raise
        self._executor = executor
        self._writer = Writer(self._writing, self.database, hearer.tail, hearer.tell, loop)
        self._listener = Listener(self.database, hearer.tail, hearer.tell, hearer.tell_live, loop)

    async def close(self) -> None:
        """Finish writing and reading, and let go of the file."""
        async with self._opening:
            if self._executor is not None and self._writer is not None:
                await self._close(self._executor, self._writer)

    async def _close(self, executor: ThreadPoolExecutor, writer: Writer) -> None:
        self._is_closing = True
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.close()

        def let_go() -> None:
            executor.shutdown()  # waits for what is being read: that is why the loop does not call it
            self._reading.dispose()
            self._writing.dispose()

        await writer.close(let_go)
        self._executor = self._writer = None
        self._is_closing = False

    async def read(self, work: Callable[[Connection], _T]) -> _T:
        """Return what `work` reads from one consistent state."""
        if self._executor is None or self._is_closing:
            raise _not_open()
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._read, work)

    async def maintain(self, work: Callable[[Connection], _T]) -> _T:
        """Return what `work` does on a connection that may write and is in no transaction."""
        if self._executor is None or self._is_closing:
            raise _not_open()
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._maintain, work)

    def write(self, job: Job) -> None:
        """Queue a job for the writer."""
        if self._writer is None:
            raise _not_open()
        self._writer.submit(job)

    async def write_and_wait(self, work: Callable[[Connection], _T]) -> _T:
        """Return what `work` returns, once the transaction it ran in is committed."""
        written: asyncio.Future[_T] = asyncio.get_running_loop().create_future()

        def settle(result: Any, error: Exception | None) -> None:
            if written.done():
                return  # nobody waits any more
            if error is not None:
                written.set_exception(error)
            else:
                written.set_result(result)

        self.write(Job(work, settle))
        return await written

    def _prepared(self, prepare: Callable[[Engine], None]) -> None:
        with faults(self.database):
            prepare(self._writing)

    def _maintain(self, work: Callable[[Connection], _T]) -> _T:
        with faults(self.database), self._writing.connect() as connection:
            return work(connection.execution_options(isolation_level="AUTOCOMMIT"))

    def _read(self, work: Callable[[Connection], _T]) -> _T:
        patience = Patience(self.database.patience_s)
        patience.begin()
        while True:
            is_connected = False
            try:
                with faults(self.database), self._reading.connect() as connection, connection.begin():
                    is_connected = True
                    return work(connection)
            except DamagedArrays as error:
                raise damaged(self.database, f"a stored column of numbers ({error})") from error
            except DatabaseUnreachable:
                self._reading.dispose()  # what the pool still holds is as dead
                if is_connected:
                    patience.lost()
                if self._is_closing or not patience.wait():
                    raise


def _not_open() -> BugError:
    return BugError("The store is not open.")
