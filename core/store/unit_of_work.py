"""A unit of work collects its steps; the store that opened it carries them out at once, or none of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import BugError
from core.events.envelope import Envelope
from core.model.account_snapshot import AccountSnapshot
from core.model.desk import Lease
from core.model.order import Fill, Order
from core.model.result import RunResult
from core.model.risk import EquityMark
from core.model.run import Run


@dataclass(frozen=True, slots=True)
class PutRun:
    """Insert or update a run."""

    run: Run


@dataclass(frozen=True, slots=True)
class PutOrders:
    """Insert or update orders."""

    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class AddFills:
    """Insert fills that are not there yet."""

    fills: tuple[Fill, ...]


@dataclass(frozen=True, slots=True)
class PutResult:
    """Insert or replace a run's result."""

    result: RunResult


@dataclass(frozen=True, slots=True)
class PutEquityMark:
    """Insert or replace what the losses of a run or an account are counted from."""

    mark: EquityMark


@dataclass(frozen=True, slots=True)
class PutAccountSnapshot:
    """Insert or replace what the runs of an account have come to."""

    snapshot: AccountSnapshot


@dataclass(frozen=True, slots=True)
class DeleteRun:
    """Remove a run and all that belongs to it."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Append:
    """Append events to the log."""

    events: tuple[Envelope, ...]


@dataclass(frozen=True, slots=True)
class Fence:
    """Refuse all of it unless the lease is held."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class Advance:
    """Move a consumer's offset."""

    consumer: str
    after_seq: int
    seq: int


@dataclass(frozen=True, slots=True)
class UnlessStored:
    """Refuse all of it where the event is in the log."""

    event: Envelope


Rows = PutRun | PutOrders | AddFills | PutResult | PutEquityMark | PutAccountSnapshot | DeleteRun
Step = Fence | UnlessStored | Advance | Rows | Append


class CollectedWork:
    """A `UnitOfWork` as the list of its steps, in the order they were asked for."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._is_over = False

    def fence(self, lease: Lease) -> None:
        """See `core.ports.UnitOfWork`."""
        self._add(Fence(lease))

    def advance(self, consumer: str, after_seq: int, seq: int) -> None:
        """See `core.ports.UnitOfWork`."""
        self._add(Advance(consumer, after_seq, seq))

    def unless_stored(self, event: Envelope) -> None:
        """See `core.ports.UnitOfWork`."""
        self._add(UnlessStored(event))

    def put_run(self, run: Run) -> None:
        """See `core.ports.UnitOfWork`."""
        self._add(PutRun(run))

    def put_orders(self, orders: Sequence[Order]) -> None:
        """See `core.ports.UnitOfWork`."""
        if orders:
            self._add(PutOrders(tuple(orders)))

    def add_fills(self, fills: Sequence[Fill]) -> None:
        """See `core.ports.UnitOfWork`."""
        if fills:
            self._add(AddFills(tuple(fills)))

    def put_result(self, result: RunResult) -> None:
        """See `core.ports.UnitOfWork`."""
        self._add(PutResult(result))

    def delete_run(self, run_id: str) -> None:
        """See `core.ports.UnitOfWork`."""
        self._add(DeleteRun(run_id))

    def put_equity_mark(self, mark: EquityMark) -> None:
        """See `core.ports.UnitOfWork`."""
        self._add(PutEquityMark(mark))

    def put_account_snapshot(self, snapshot: AccountSnapshot) -> None:
        """See `core.ports.AccountWork`."""
        self._add(PutAccountSnapshot(snapshot))

    def append(self, events: Sequence[Envelope]) -> None:
        """See `core.ports.UnitOfWork`."""
        if events:
            self._add(Append(tuple(events)))

    def finish(self) -> list[Step]:
        """Return the steps, none where there is nothing but a fence; nothing can be added any more."""
        self._is_over = True
        return self.steps if any(not isinstance(step, Fence) for step in self.steps) else []

    def _add(self, step: Step) -> None:
        if self._is_over:
            raise BugError("A unit of work is over once its block is left; open another one.")
        self.steps.append(step)
