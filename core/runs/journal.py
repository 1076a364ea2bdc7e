"""Gathers a run's events and rows until they are committed together."""

from typing import Final

from core.events.envelope import Envelope, Payload
from core.model.order import Fill
from core.ports import UnitOfWork
from core.trading.orders import OrderManager

_AT_A_TIME: Final = 500


class RunJournal:
    """What happened in a run since the last commit. Event ids are the run's id and a counter.

    `record` and `add_fill` run in the run's own thread, `write` and `committed` in the loop, never both at once. An event is
    put into its envelope when it is written: gathering it is a part of the simulation, and costs as little as can be.
    """

    def __init__(self, run_id: str, producer: str) -> None:
        self._run_id = run_id
        self._producer = producer
        self._prefix = f"{run_id}."
        self._count = 0
        self._gathered: list[tuple[str, Payload, int, str | None, str | None]] = []
        self._uncommitted_fills: list[Fill] = []
        self.fills: list[Fill] = []
        """All fills of the run, oldest first: its result is made from them."""

    def __len__(self) -> int:
        return len(self._gathered)

    @property
    def events(self) -> list[Envelope]:
        """The events that are not committed yet."""
        run_id, producer = self._run_id, self._producer
        return [
            Envelope(event_id, 0, payload.kind, payload.wire, payload.version, run_id, run_id, caused_by, trace_id, ts, producer, payload)
            for event_id, payload, ts, caused_by, trace_id in self._gathered
        ]

    def record(self, payload: Payload, ts: int, caused_by: str | None, trace_id: str | None, event_id: str | None = None) -> str:
        """Keep an event and return its id: the one given, or the next of the run's own. `ts` UTC ns."""
        if event_id is None:
            self._count = count = self._count + 1
            event_id = f"{self._prefix}{count}"
        self._gathered.append((event_id, payload, ts, caused_by, trace_id))
        return event_id

    def add_fill(self, fill: Fill) -> None:
        """Keep a fill's row."""
        self._uncommitted_fills.append(fill)
        self.fills.append(fill)

    def let_go(self) -> None:
        """Forget the fills, a few at a time: freeing a run's thousands in one go would hold up every other thread."""
        while self.fills:
            del self.fills[-_AT_A_TIME:]

    def write(self, work: UnitOfWork, orders: OrderManager) -> None:
        """Put everything gathered into a unit of work; call `committed` when it is."""
        work.put_orders(orders.changed())
        work.add_fills(self._uncommitted_fills)
        work.append(self.events)

    def committed(self, orders: OrderManager) -> None:
        """Let go of what is now stored."""
        orders.forget_committed()
        self._gathered, self._uncommitted_fills = [], []
