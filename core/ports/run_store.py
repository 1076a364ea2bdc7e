"""The ports by which runs are kept and read, and by which rows and events are committed together."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from core.events.envelope import Envelope
from core.model.desk import Lease
from core.model.order import Fill, Order
from core.model.result import RunResult
from core.model.risk import EquityMark
from core.model.run import Run
from core.ports.account_rows import AccountRows, AccountWork


class UnitOfWork(AccountWork, Protocol):
    """Rows and events that are committed together, or not at all."""

    def fence(self, lease: Lease) -> None:
        """Commit only while `lease` is held; leaving the block raises LeaseLost where another has taken over."""
        ...

    def advance(self, consumer: str, after_seq: int, seq: int) -> None:
        """Move a consumer's offset from `after_seq` to `seq`; leaving the block raises OffsetMoved where it is not there any more."""
        ...

    def unless_stored(self, event: Envelope) -> None:
        """Commit only while `event`, of this id and run, is not in the log; leaving the block raises AlreadyStored where it is.

        A commit that is under way is waited for: what is not there then never will be.
        """
        ...

    def put_run(self, run: Run) -> None:
        """Insert or update the run's row."""
        ...

    def put_orders(self, orders: Sequence[Order]) -> None:
        """Insert or update the orders' rows."""
        ...

    def add_fills(self, fills: Sequence[Fill]) -> None:
        """Insert fills. A fill id that is already there is left as it is."""
        ...

    def put_result(self, result: RunResult) -> None:
        """Insert or replace the result of a run."""
        ...

    def delete_run(self, run_id: str) -> None:
        """Remove a run with its orders, fills, result and events."""
        ...

    def put_equity_mark(self, mark: EquityMark) -> None:
        """Insert or replace what the losses of a run or an account are counted from."""
        ...

    def append(self, events: Sequence[Envelope]) -> None:
        """Append events; their subscribers are told after the commit."""
        ...


class Rows(Protocol):
    """Where what happened is put: the store's runs, as far as this desk may write to them; or somebody who only looks at it."""

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a unit of work."""
        ...


class RunStore(AccountRows, Protocol):
    """Runs, orders, fills and results, as committed."""

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a unit of work: leaving the block commits all of it, then tells subscribers; an exception commits nothing."""
        ...

    async def runs(self) -> list[Run]:
        """Return all runs, newest first."""
        ...

    async def run(self, run_id: str) -> Run | None:
        """Return one run."""
        ...

    async def orders(self, run_id: str) -> list[Order]:
        """Return a run's orders in the order they were made."""
        ...

    async def fills(self, run_id: str) -> list[Fill]:
        """Return a run's fills, oldest first."""
        ...

    async def result(self, run_id: str) -> RunResult | None:
        """Return a run's result, or None while it has none."""
        ...

    async def equity_mark(self, owner: str) -> EquityMark | None:
        """Return what the losses of a run (its id) or an account (its key) are counted from, or None while nothing is."""
        ...
