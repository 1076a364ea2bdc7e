"""One change of an account after the other, each committed exactly once, also where the answer to a commit is lost.

A commit whose outcome is not known holds the next one up: whoever wants the turn first finds out what became of it. So nobody looks
at books that may be behind what is stored, and what was found missing once is not committed again.
"""

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol

from core.errors import AlreadyStored, StoreError
from core.events.envelope import Envelope
from core.ports import Rows

_log = logging.getLogger(__name__)


class Commit(Protocol):
    """What is committed at once."""

    events: list[Envelope]

    async def commit(self, runs: Rows) -> None:
        """Commit all of it or nothing. Raises StoreError, LeaseLost."""
        ...


class Turn:
    """A lock: hold it from looking until `commit` returned. To get it may raise StoreError and what a lost lease raises, as a commit may.

    `rows` returns where to commit.
    """

    def __init__(self, rows: Callable[[], Rows]) -> None:
        self._rows = rows
        self._lock: Final = asyncio.Lock()
        self._unsure: tuple[Envelope, Callable[[], None]] | None = None

    @property
    def is_unsure(self) -> bool:
        """Whether it is not known what became of the last commit."""
        return self._unsure is not None

    async def acquire(self) -> None:
        """Wait for the turn, and find out what became of the last commit."""
        await self._lock.acquire()
        try:
            await self._find_out()
        except BaseException:
            self._lock.release()
            raise

    def release(self) -> None:
        """Let the next one have it."""
        self._lock.release()

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.release()

    async def commit(self, entry: Commit, known: Callable[[], None]) -> None:
        """Commit, then `known`: now, or when it turns out that it was committed. Only for whoever has the turn."""
        try:
            await entry.commit(self._rows())
        except (StoreError, asyncio.CancelledError):
            # It may stand all the same. Rows without events say nothing that is not heard again, and come to the same when put twice.
            if entry.events:
                self._unsure = entry.events[-1], known
            raise
        known()

    async def _find_out(self) -> None:
        if self._unsure is None:
            return
        last, known = self._unsure
        try:
            async with self._rows().begin() as work:
                work.unless_stored(last)
        except AlreadyStored:
            _log.info("A commit of %s that was not answered was made.", last.type)
            self._unsure = None
            known()
        else:
            self._unsure = None  # whoever wanted it was told that it is not known, and asks again
