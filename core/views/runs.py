"""The table of runs."""

from dataclasses import dataclass, replace
from typing import ClassVar

from msgspec.structs import replace as struct_replace

from core.events.envelope import Envelope
from core.events.payloads import (
    RunCompleted,
    RunCreated,
    RunDeleted,
    RunError,
    RunInterrupted,
    RunProgressed,
    RunResumed,
    RunStarted,
    RunStopped,
)
from core.model.run import RUN_TRANSITIONS, Run, RunMode, RunStatus
from core.views.columns import Column, Kind
from core.views.table import RowTable

SPARK_POINTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run with what its events told besides. `equity` in account currency, `total_return` a fraction; None before the first bar.

    `spark`: equity on the way, oldest first, thinned to at most `SPARK_POINTS`.
    """

    run: Run
    equity: float | None = None
    spark: tuple[float, ...] = ()
    desk: str = ""
    """The name of the desk that runs it, or ran it; empty when it is this one."""

    @property
    def total_return(self) -> float | None:
        """Equity over start cash, less one."""
        return None if self.equity is None else self.equity / float(self.run.config.cash) - 1

    @property
    def progress(self) -> float | None:
        """Bars done, as a fraction; None when the run is not on its way."""
        if self.run.status is not RunStatus.RUNNING or not self.run.bars_total:
            return None
        return min(1.0, self.run.bars / self.run.bars_total)

    @property
    def mode(self) -> str | None:
        """`paper` or `live`; None for a backtest, in which nothing is at stake."""
        return None if self.run.config.mode is RunMode.BACKTEST else self.run.config.mode.value

    @property
    def title(self) -> str:
        """The run in a few words: `sma-cross · BTC/USD · 1m`, with the desk when it is another one."""
        config = self.run.config
        return " · ".join((config.strategy_id, ", ".join(config.symbols), config.timeframe, *([self.desk] if self.desk else ())))


def params_words(row: RunRow) -> str:
    """Return the parameters as words: `fast 10, slow 30, qty 1`."""
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in row.run.config.params.items()
    )


class RunTable(RowTable[RunRow]):
    """Runs, oldest first. Events that a loaded row already contains change nothing."""

    columns: ClassVar[tuple[Column[RunRow], ...]] = (
        Column[RunRow]("status", "Status", Kind.STATUS, lambda row: row.run.status.value, 98),
        Column[RunRow]("mode", "Mode", Kind.MODE, lambda row: row.mode, 52, gives_way=1, tip="Paper or live; a backtest has none."),
        Column[RunRow]("desk", "Desk", Kind.TEXT, lambda row: row.run.desk or "", 64, hidden=True, tip="The desk that runs it, or ran it."),
        Column[RunRow]("strategy", "Strategy", Kind.TEXT, lambda row: row.run.config.strategy_id, 78),
        Column[RunRow]("symbols", "Symbols", Kind.TEXT, lambda row: ", ".join(row.run.config.symbols), 82),
        Column[RunRow]("return", "Return", Kind.PERCENT, lambda row: row.total_return, 70, decimals=2, signed=True),
        Column[RunRow]("spark", "Equity", Kind.SPARK, lambda row: row.spark, 56, gives_way=2, tip="Equity of the run, start to end."),
        Column[RunRow]("created", "Created", Kind.TIME, lambda row: row.run.created_ns, 142, hidden=True),
        Column[RunRow]("timeframe", "Bars of", Kind.TEXT, lambda row: row.run.config.timeframe, 52, hidden=True, tip="Length of a bar."),
        Column[RunRow]("params", "Parameters", Kind.TEXT, params_words, 200, hidden=True),
        Column[RunRow]("progress", "Progress", Kind.PROGRESS, lambda row: row.progress, 72, hidden=True),
        Column[RunRow]("bars", "Bars done", Kind.NUMBER, lambda row: row.run.bars, 76, decimals=0, hidden=True),
        Column[RunRow]("elapsed", "Took", Kind.DURATION, lambda row: row.run.elapsed_s or None, 60, hidden=True),
        Column[RunRow]("id", "Run", Kind.ID, lambda row: row.run.id, 90, hidden=True),
    )  # fmt: skip

    def __init__(self, here: str = "", *, by_hand: bool = False) -> None:
        """`here`: the name of this desk. `by_hand`: whether the books of a person's orders are runs, too."""
        super().__init__()
        self._here = here
        self._by_hand = by_hand

    def key_of(self, row: RunRow) -> str:
        return row.run.id

    def put(self, row: RunRow) -> None:
        desk = self._elsewhere(row.run)
        super().put(row if row.desk == desk else replace(row, desk=desk))

    def _elsewhere(self, run: Run) -> str:
        return run.desk if run.desk is not None and run.desk != self._here else ""

    def progress_of(self, row: RunRow) -> float | None:
        return row.progress

    def tip_of(self, column: Column[RunRow], row: RunRow) -> str | None:
        if column.key == "status":
            at = f"Goes on at the desk {row.desk}." if row.desk and not row.run.status.is_final else None
            return row.run.error or at
        return f"{row.title}\n{params_words(row)}" if column.key in {"strategy", "symbols", "spark"} else None

    def words_of(self, row: RunRow) -> str:
        run = row.run
        return f"{row.title} {run.status} {run.config.mode} {run.id} {params_words(row)} {'demo' if run.demo else ''}".lower()

    def load_runs(self, runs: list[Run]) -> None:
        """Replace everything; `runs` newest first, as the engine returns them."""
        self.load(RunRow(run=run, desk=self._elsewhere(run)) for run in reversed(runs))

    def put_run(self, run: Run) -> None:
        """Take a run as the engine returns it, keeping what its events told."""
        old = self.get(run.id)
        if old is None:
            self.put(RunRow(run=run))
        elif run.status == old.run.status or run.status in _later(old.run.status):
            self.put(replace(old, run=run))

    def set_spark(self, run_id: str, equity: tuple[float, ...], last: float) -> None:
        """Take a finished run's equity on the way, oldest first, and its last value."""
        row = self.get(run_id)
        if row is not None and equity:
            self.put(replace(row, spark=thinned((*equity, last)), equity=last))

    def fold(self, event: Envelope) -> None:
        """Take one `run.*` event."""
        run_id, payload = event.run_id, event.payload
        if run_id is None:
            return
        if isinstance(payload, RunCreated):
            is_by_hand = payload.config.is_by_hand
            if run_id not in self and (self._by_hand or not is_by_hand):
                status = RunStatus.RUNNING if is_by_hand else RunStatus.PENDING  # nobody starts a person's book
                self.put(RunRow(run=Run(id=run_id, config=payload.config, status=status, created_ns=event.ts, demo=payload.demo)))
            return
        if isinstance(payload, RunDeleted):
            self.remove(run_id)
            return
        row = self.get(run_id)
        if row is None:
            return
        if isinstance(payload, RunProgressed):
            self._progressed(row, payload)
        elif isinstance(payload, RunCompleted):
            equity = float(payload.end_equity)
            told = replace(row, equity=equity, spark=(*row.spark, equity) if row.spark and row.spark[-1] != equity else row.spark)
            self._moved(told, RunStatus.COMPLETED, bars=payload.bars, elapsed_s=payload.elapsed_s, ended_ns=event.ts)
        elif isinstance(payload, RunResumed):
            of_desk = {"owner": payload.owner or row.run.owner, "desk": payload.desk or row.run.desk}
            self._moved(row, RunStatus.RUNNING, manifest=payload.manifest, ended_ns=None, error=None, error_code=None, **of_desk)
        elif isinstance(payload, RunStarted):
            of_desk = {"owner": payload.owner or row.run.owner, "desk": payload.desk or row.run.desk}
            self._moved(row, RunStatus.RUNNING, manifest=payload.manifest, bars_total=payload.bars_total, started_ns=event.ts, **of_desk)
        elif isinstance(payload, RunStopped):
            self._moved(row, RunStatus.STOPPED, bars=payload.bars, error=payload.reason, ended_ns=event.ts)
        elif isinstance(payload, RunError):
            self._moved(row, RunStatus.ERROR, error_code=payload.code, error=payload.error, ended_ns=event.ts)
        elif isinstance(payload, RunInterrupted):
            self._moved(row, RunStatus.INTERRUPTED, ended_ns=event.ts)

    def _progressed(self, row: RunRow, payload: RunProgressed) -> None:
        if row.run.status.is_final or payload.bars < row.run.bars:
            return
        run = _changed(row.run, bars=payload.bars, bars_total=payload.bars_total, elapsed_s=payload.elapsed_s)
        self.put(replace(row, run=run, equity=payload.equity, spark=thinned((*row.spark, payload.equity))))

    def _moved(self, row: RunRow, status: RunStatus, **changes: object) -> None:
        if status in RUN_TRANSITIONS[row.run.status]:
            self.put(replace(row, run=row.run.moved_to(status, **changes)))
        elif row.run.status == status:
            self.put(row)


class SharedRunTable(RunTable):
    """Runs of several desks: which one has a run is seen at once."""

    columns: ClassVar[tuple[Column[RunRow], ...]] = tuple(
        replace(column, hidden=False) if column.key == "desk" else column for column in RunTable.columns
    )


def _later(status: RunStatus) -> frozenset[RunStatus]:
    reached: set[RunStatus] = set()
    edge = set(RUN_TRANSITIONS[status])
    while edge:
        reached |= edge
        edge = {later for each in edge for later in RUN_TRANSITIONS[each]} - reached
    return frozenset(reached)


def _changed(run: Run, **changes: object) -> Run:
    return struct_replace(run, **changes)


def thinned(points: tuple[float, ...]) -> tuple[float, ...]:
    """Return at most `SPARK_POINTS` of the points, evenly, with the first and the last."""
    while len(points) > SPARK_POINTS:
        points = (*points[:-1:2], points[-1])
    return points
