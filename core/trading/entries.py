"""What is committed at once in the order path: rows, fills and their events, each with its cause."""

from collections.abc import Callable
from uuid import uuid4

from core.events.envelope import Envelope, Payload, envelope
from core.model.desk import Lease
from core.model.order import Fill, Order
from core.ports import Rows
from core.trading.order_fold import Folded, OrderLife

PRODUCER = "trading"


class Causes:
    """The newest event of each order: what happens to it next was caused by that."""

    def __init__(self) -> None:
        self.of_order: dict[str, str] = {}
        self.traces: dict[str, str] = {}


class Entry:
    """A commit in the making. Nothing of it counts before `commit` returned."""

    def __init__(self, causes: Causes, now_ns: int, decided_ns: int) -> None:
        self._causes = causes
        self._now_ns = now_ns
        self.decided_ns = decided_ns
        """When what it asks for was decided, by the clock that goes on while the machine sleeps."""
        self._newest: dict[str, str] = {}
        self.lives: dict[str, OrderLife] = {}
        self.fills: list[Fill] = []
        self.events: list[Envelope] = []
        self.afterwards: list[Callable[[], None]] = []
        self.leaving: list[Callable[[bool], None]] = []
        """Each sends something, after `afterwards`. True: it is late for that; see `LATE_NS`."""
        self.leases: list[Lease] = []
        """What must be held for it to be committed, beside the account's own."""

    def life(self, order_id: str, known: OrderLife) -> OrderLife:
        """Return the order as this entry has it by now."""
        return self.lives.get(order_id, known)

    def take(self, step: Folded) -> None:
        """Add what a piece of news changed."""
        order = step.life.order
        self.lives[order.id] = step.life
        if step.fill is not None:
            self.fills.append(step.fill)
        for payload in step.told:
            self.tell_of(order, payload)

    def caused(self, order_id: str, event_id: str) -> None:
        """Note that what happens to the order next was caused by this event."""
        self._newest[order_id] = event_id

    def tell_of(self, order: Order, payload: Payload, caused_by: str | None = None) -> str:
        """Add an event of an order, caused by its last one; return its id."""
        cause = caused_by or self._newest.get(order.id) or self._causes.of_order.get(order.id)
        event_id = self.tell(payload, run_id=order.run_id, caused_by=cause, trace_id=self._causes.traces.get(order.id))
        self._newest[order.id] = event_id
        return event_id

    def tell(self, payload: Payload, *, run_id: str | None = None, caused_by: str | None = None, trace_id: str | None = None) -> str:
        """Add any event; return its id."""
        event_id = uuid4().hex
        self.events.append(
            envelope(
                payload,
                id=event_id,
                ts=self._now_ns,
                producer=PRODUCER,
                run_id=run_id,
                corr_id=run_id,
                causation_id=caused_by,
                trace_id=trace_id,
            )
        )
        return event_id

    async def commit(self, runs: Rows) -> None:
        """Commit all of it or nothing. Raises StoreError, LeaseLost; of the first it may stand all the same."""
        if self.lives or self.fills or self.events:
            async with runs.begin() as work:
                for lease in self.leases:
                    work.fence(lease)
                work.put_orders([life.order for life in self.lives.values()])
                work.add_fills(self.fills)
                work.append(self.events)

    def known(self) -> None:
        """It is committed: what comes next was caused by it."""
        self._causes.of_order.update(self._newest)
