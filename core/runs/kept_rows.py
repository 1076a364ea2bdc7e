"""What a run would have stored, kept in memory for whoever compares it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from core.events.envelope import Envelope, Payload
from core.model.account_snapshot import AccountSnapshot
from core.model.desk import Lease
from core.model.order import Fill, Order
from core.model.result import RunResult
from core.model.risk import EquityMark
from core.model.run import Run
from core.ports import UnitOfWork


class KeptRows:
    """Orders, fills, and the events of some payloads. A `UnitOfWork`, and the `Rows` that open it."""

    def __init__(self, *kinds: type[Payload]) -> None:
        self._kinds = kinds
        self.orders: dict[str, Order] = {}
        self.fills: list[Fill] = []
        self.events: list[Envelope] = []

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        yield self

    def fence(self, lease: Lease) -> None:
        pass

    def advance(self, consumer: str, after_seq: int, seq: int) -> None:
        pass

    def unless_stored(self, event: Envelope) -> None:
        pass

    def put_run(self, run: Run) -> None:
        pass

    def put_orders(self, orders: Sequence[Order]) -> None:
        self.orders.update((order.id, order) for order in orders)

    def add_fills(self, fills: Sequence[Fill]) -> None:
        self.fills.extend(fills)

    def put_result(self, result: RunResult) -> None:
        pass

    def delete_run(self, run_id: str) -> None:
        pass

    def put_equity_mark(self, mark: EquityMark) -> None:
        pass

    def put_account_snapshot(self, snapshot: AccountSnapshot) -> None:
        pass

    def append(self, events: Sequence[Envelope]) -> None:
        if self._kinds:
            self.events += [event for event in events if isinstance(event.payload, self._kinds)]
