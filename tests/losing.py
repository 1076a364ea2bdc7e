"""A store that does not answer: the commit was made, or it was not, and whoever asked for it is told that nobody knows."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from enum import Enum

from core.errors import AlreadyStored, DatabaseUnreachable
from core.ports import Rows, UnitOfWork
from core.store.unit_of_work import CollectedWork, Step


class Outcome(Enum):
    """What becomes of one unit of work."""

    ANSWERED = "made, and answered"
    LOST = "made, and not answered"
    UNDONE = "not made, and not answered"


class LosingRows:
    """Rows whose units of work have these outcomes, one after the other; when there are no more all are answered.

    `is_meant`: of which units, by their steps; of others all are answered. What asks for the fate of one before is always meant.
    """

    def __init__(self, rows: Rows, outcomes: Iterable[Outcome], is_meant: Callable[[list[Step]], bool] = bool) -> None:
        self._rows = rows
        self._outcomes: Iterator[Outcome] = iter(outcomes)
        self._is_meant = is_meant
        self.lost = 0

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        """See `core.ports.Rows`."""
        wanted = CollectedWork()
        yield wanted
        steps = wanted.finish()
        outcome = next(self._outcomes, Outcome.ANSWERED) if self._is_meant(steps) else Outcome.ANSWERED
        if outcome is not Outcome.UNDONE:
            try:
                async with self._rows.begin() as work:
                    assert isinstance(work, CollectedWork)
                    work.steps.extend(steps)
            except AlreadyStored:
                if outcome is Outcome.ANSWERED:
                    raise
        if outcome is not Outcome.ANSWERED:
            self.lost += 1
            raise DatabaseUnreachable("The server is away. Whether the last change was made is not known.")
