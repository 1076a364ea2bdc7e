"""Gathers a run's events and rows until they are committed together."""

from core.events.envelope import Envelope, Payload
from core.model.order import Fill
from core.ports import UnitOfWork
from core.trading.orders import OrderManager


class RunJournal:
    """What happened in a run since the last commit. Event ids are the run's id and a counter.

    `record`, `add_fill` and `order_changed` run in the run's own thread, `write` and `committed` in the loop, never both at once.
    """

    def __init__(self, run_id: str, producer: str) -> None:
        self._run_id = run_id
        self._producer = producer
        self._count = 0
        self.events: list[Envelope] = []
        """Events that are not committed yet."""
        self._uncommitted_fills: list[Fill] = []
        self.fills: list[Fill] = []
        """All fills of the run, oldest first: its result is made from them."""
        self._changed: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self.events)

    def record(self, payload: Payload, *, ts: int, caused_by: str | None, trace_id: str | None, event_id: str | None = None) -> str:
        """Keep an event and return its id: the one given, or the next of the run's own."""
        run_id = self._run_id
        if event_id is None:
            self._count += 1
            event_id = f"{run_id}.{self._count}"
        self.events.append(
            Envelope(
                event_id, 0, payload.kind, payload.wire, payload.version, run_id, run_id, caused_by, trace_id, ts, self._producer, payload
            )
        )
        return event_id

    def add_fill(self, fill: Fill) -> None:
        """Keep a fill's row."""
        self._uncommitted_fills.append(fill)
        self.fills.append(fill)

    def order_changed(self, order_id: str) -> None:
        """Note that an order's row must be written."""
        self._changed[order_id] = None

    def write(self, work: UnitOfWork, orders: OrderManager) -> None:
        """Put everything gathered into a unit of work; call `committed` when it is."""
        work.put_orders([orders.order(order_id) for order_id in self._changed])
        work.add_fills(self._uncommitted_fills)
        work.append(self.events)

    def committed(self, orders: OrderManager) -> None:
        """Let go of what is now stored."""
        orders.forget_final(self._changed)
        self.events, self._uncommitted_fills, self._changed = [], [], {}
