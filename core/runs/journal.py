"""Gathers a run's events and rows until they are committed together."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from core.events.envelope import Cause, Envelope, Payload
from core.model.order import Fill, Order
from core.ports import UnitOfWork
from core.trading.orders import OrderManager

_AT_A_TIME: Final = 500


class Late(Protocol):
    """Payloads at one instant, each caused by the one before, that are made when they are written."""

    def payloads(self) -> Sequence[Payload]:
        """Return them in their order, as many as was said when they were kept."""
        ...


class Batch(NamedTuple):
    """What is committed at once."""

    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    events: tuple[Envelope, ...]


class RunJournal:
    """What happened in a run since the last commit. Event ids are the run's id and a counter.

    What gathers runs in the run's own thread, what writes between its slices, never both at once. An event gets its id, its
    envelope and, where it can, its payload when it is written: gathering it is a part of the simulation, and costs as little
    as can be. Until then an event of the run's own is known by its number.
    """

    def __init__(self, run_id: str, producer: str) -> None:
        self._run_id = run_id
        self._producer = producer
        self._count = 0
        self._named = 0
        self._committed = 0
        self._gathered: list[tuple[str | int, Payload | Late, int, Cause, str | None]] = []
        self._uncommitted_fills: list[Fill] = []
        self._batch = Batch((), (), ())
        self.fills: list[Fill] = []
        """All fills of the run, oldest first: its result is made from them."""

    def go_on_after(self, count: int) -> None:
        """Number what comes from here on after `count`, that of the newest event that is stored of the run."""
        self._count = self._committed = count

    def __len__(self) -> int:
        return self._count + self._named - self._committed

    @property
    def events(self) -> list[Envelope]:
        """The events that are not committed yet."""
        return list(self._envelopes())

    def record(self, payload: Payload, ts: int, caused_by: Cause, trace_id: str | None, event_id: str | None = None) -> Cause:
        """Keep an event and return what it is known by: the id given, or the next number of the run's own. `ts` UTC ns."""
        if event_id is None:
            self._count = known_by = self._count + 1
            self._gathered.append((known_by, payload, ts, caused_by, trace_id))
            return known_by
        self._named += 1
        self._gathered.append((event_id, payload, ts, caused_by, trace_id))
        return event_id

    def record_late(self, late: Late, count: int, ts: int, caused_by: Cause, trace_id: str | None) -> int:
        """Keep `count` events of one instant, of which each causes the next; return the number of the last."""
        self._gathered.append((self._count + 1, late, ts, caused_by, trace_id))
        self._count = last = self._count + count
        return last

    def add_fill(self, fill: Fill) -> None:
        """Keep a fill's row."""
        self._uncommitted_fills.append(fill)
        self.fills.append(fill)

    def let_go(self) -> None:
        """Forget the fills, a few at a time: freeing a run's thousands in one go would hold up every other thread."""
        while self.fills:
            del self.fills[-_AT_A_TIME:]

    def make_batch(self, orders: OrderManager) -> None:
        """Make the rows and events of everything gathered, for `write`."""
        self._batch = Batch(tuple(orders.changed()), tuple(self._uncommitted_fills), tuple(self._envelopes()))

    def write(self, work: UnitOfWork) -> None:
        """Put the batch into a unit of work. In the loop; call `committed` when the unit is."""
        work.put_orders(self._batch.orders)
        work.add_fills(self._batch.fills)
        work.append(self._batch.events)

    def committed(self, orders: OrderManager) -> None:
        """Let go of the batch, which is stored now; nothing was gathered since it was made."""
        orders.forget_committed()
        self._gathered, self._uncommitted_fills = [], []
        self._batch = Batch((), (), ())
        self._committed = self._count + self._named

    def _envelopes(self) -> Iterator[Envelope]:
        run_id, producer, prefix = self._run_id, self._producer, f"{self._run_id}."
        for known_by, what, ts, cause, trace_id in self._gathered:
            caused_by = f"{prefix}{cause}" if isinstance(cause, int) else cause
            payloads = (what,) if isinstance(what, Payload) else what.payloads()
            for at, one in enumerate(payloads):
                own = f"{prefix}{known_by + at}" if isinstance(known_by, int) else known_by
                yield Envelope(own, 0, one.kind, one.wire, one.version, run_id, run_id, caused_by, trace_id, ts, producer, one)
                caused_by = own
