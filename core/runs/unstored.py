"""Ends of runs that the store refused: a full disk, a server that is away. They are stored when it takes them again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from core.errors import LeaseLost, WeaverError
from core.model.run import Run
from core.runs.leases import FencedRuns

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0

_log = logging.getLogger(__name__)

StoreEnd = Callable[[Run, FencedRuns], Awaitable[None]]
"""Stores a run as it ended, with the event that says so. Raises StoreError, LeaseLost."""


class UnstoredEnds:
    """Tries again, ever more rarely, while the program lives. After that its next start finds the runs as interrupted.

    `let_go` gives back a run's lease, which is held meanwhile: no other desk takes the run for one that goes on.
    """

    def __init__(self, store_end: StoreEnd, let_go: Callable[[str], Awaitable[None]]) -> None:
        self._store_end = store_end
        self._let_go = let_go
        self._ends: dict[str, tuple[Run, FencedRuns]] = {}
        self._closing = asyncio.Event()

    def get(self, run_id: str) -> Run | None:
        """Return a run as it ended, while the store does not say so."""
        held = self._ends.get(run_id)
        return None if held is None else held[0]

    def add(self, run: Run, rows: FencedRuns) -> None:
        """Take a run whose end was refused."""
        self._ends[run.id] = run, rows
        _log.warning("The end of run %s could not be stored: %s It is tried again.", run.id, run.error)

    async def keep(self) -> None:
        """Try until all are stored, or until `close`."""
        wait_s = FIRST_WAIT_S
        while self._ends and not self._closing.is_set():
            try:
                async with asyncio.timeout(wait_s):
                    await self._closing.wait()
            except TimeoutError:
                await self.store()
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def store(self) -> None:
        """Try once."""
        for run_id, (run, rows) in list(self._ends.items()):
            try:
                await self._store_end(run, rows)
            except LeaseLost:
                _log.warning("Run %s was taken over by another desk, which says how it ended.", run_id)
            except WeaverError:
                continue
            else:
                _log.info("The end of run %s is stored now.", run_id)
            del self._ends[run_id]
            await self._let_go(run_id)

    def close(self) -> None:
        """Let `keep` end."""
        self._closing.set()
