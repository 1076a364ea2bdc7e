"""What losses are counted from outlives the program: told as it moves, kept in a table by a consumer of the log."""

from typing import Final

from core.events.envelope import Envelope
from core.events.live_payloads import EquityMarked
from core.model.risk import EquityMark
from core.ports import EventLog, RunStore, UnitOfWork
from core.runs.consumer import Consumer
from core.runs.journal import RunJournal
from core.trading.losses import Losses, LossMark

CONSUMER: Final = "equity-marks"


class EquityMarks:
    """The marks of runs and accounts. The table holds the newest of each, also of those whose events were archived."""

    def __init__(self, log: EventLog, runs: RunStore) -> None:
        self._runs = runs
        self._consumer = Consumer(CONSUMER, EquityMarked.wire, _keep, log=log, runs=runs)

    async def newest(self, owner: str) -> LossMark | None:
        """Return where a run (its id) or an account (its key) stands; None: nothing was told of it. Raises StoreError."""
        await self.catch_up()
        mark = await self._runs.equity_mark(owner)
        return None if mark is None else LossMark(mark.peak, mark.day, mark.day_start)

    async def recall(self, run_id: str, losses: Losses) -> None:
        """Let a run that is taken up again count its losses from where it did. Raises StoreError."""
        mark = await self.newest(run_id)
        if mark is not None:
            losses.recall(mark)

    async def catch_up(self) -> None:
        """Take what was told and is not in the table yet; before events are archived, for one. Raises StoreError."""
        await self._consumer.catch_up()


class MarkTeller:
    """Tells a run's mark when it has moved, as an event that is committed with the run's next ones."""

    def __init__(self, losses: Losses, journal: RunJournal) -> None:
        self._losses = losses
        self._journal = journal
        self._told = losses.mark

    def tell(self, now_ns: int) -> None:
        """Tell it, unless it is where it was."""
        if self._losses.mark != self._told:
            self._told = peak, day, day_start = self._losses.mark
            self._journal.record(EquityMarked(peak=peak, day=day, day_start=day_start), now_ns, None, None)


def _keep(event: Envelope, work: UnitOfWork) -> None:
    marked = event.payload
    if isinstance(marked, EquityMarked):
        owner = marked.account or event.run_id
        if owner is not None:
            work.put_equity_mark(EquityMark(owner=owner, peak=marked.peak, day=marked.day, day_start=marked.day_start, seq=event.seq))
