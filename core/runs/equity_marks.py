"""What a run's losses are counted from outlives the program: told as it moves, kept in a table by a consumer of the log."""

from typing import Final

from core.events.envelope import Envelope
from core.events.live_payloads import EquityMarked
from core.model.risk import EquityMark
from core.ports import EventLog, RunStore, UnitOfWork
from core.runs.consumer import Consumer
from core.runs.journal import RunJournal
from core.trading.books import RunBook

CONSUMER: Final = "equity-marks"


class EquityMarks:
    """The marks of runs. The table holds the newest of each, also of those whose events were archived."""

    def __init__(self, log: EventLog, runs: RunStore) -> None:
        self._runs = runs
        self._consumer = Consumer(CONSUMER, EquityMarked.wire, _keep, log=log, runs=runs)

    async def recall(self, run_id: str, book: RunBook) -> None:
        """Let a run that is taken up again count its losses from where it did. Raises StoreError."""
        await self._consumer.catch_up()
        mark = await self._runs.equity_mark(run_id)
        if mark is not None:
            book.recall(mark.peak, mark.day, mark.day_start)


class MarkTeller:
    """Tells a run's mark when it has moved, as an event that is committed with the run's next ones."""

    def __init__(self, book: RunBook, journal: RunJournal) -> None:
        self._book = book
        self._journal = journal
        self._told = book.mark

    def tell(self, now_ns: int) -> None:
        """Tell it, unless it is where it was."""
        if self._book.mark != self._told:
            self._told = peak, day, day_start = self._book.mark
            self._journal.record(EquityMarked(peak=peak, day=day, day_start=day_start), now_ns, None, None)


def _keep(event: Envelope, work: UnitOfWork) -> None:
    marked = event.payload
    if isinstance(marked, EquityMarked) and event.run_id is not None:
        mark = EquityMark(run_id=event.run_id, peak=marked.peak, day=marked.day, day_start=marked.day_start, seq=event.seq)
        work.put_equity_mark(mark)
