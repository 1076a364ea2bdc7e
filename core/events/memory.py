"""The event log in memory: the reference that every other log is compared with."""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence

from core.errors import AlreadyStored, OffsetMoved
from core.events.codec import EventCodec
from core.events.dispatch import Callback, Dispatcher, LiveSubscription, fits
from core.events.envelope import Envelope


def with_seq(event: Envelope, seq: int) -> Envelope:
    """Return the event as appended at `seq`."""
    return Envelope(
        event.id,
        seq,
        event.kind,
        event.type,
        event.version,
        event.run_id,
        event.corr_id,
        event.causation_id,
        event.trace_id,
        event.ts,
        event.producer,
        event.payload,
    )


class MemoryEventLog:
    """An `EventLog` that keeps its events in a list; gone when the program ends."""

    def __init__(self, *, now_ns: Callable[[], int], monotonic_ns: Callable[[], int], codec: EventCodec) -> None:
        self._dispatcher = Dispatcher(now_ns=now_ns, monotonic_ns=monotonic_ns)
        self._codec = codec
        self._events: list[Envelope] = []
        self._by_run: dict[str, list[Envelope]] = {}
        self._head = 0
        self._now_ns = now_ns
        self._offsets: dict[str, tuple[int, int]] = {}
        self._deleted: list[tuple[int, int, str]] = []

    async def append(self, events: Sequence[Envelope]) -> Sequence[Envelope]:
        """See `core.ports.EventLog`."""
        self.check(events)
        return await self.tell(self.store(events))

    def announce(self, events: Sequence[Envelope]) -> None:
        """See `core.ports.EventLog`."""
        self._dispatcher.announce(events)

    async def read(self, *, after_seq: int = 0, run_id: str | None = None, pattern: str = "*", limit: int = 1_000) -> list[Envelope]:
        """See `core.ports.EventLog`."""
        events = self._events if run_id is None else self._by_run.get(run_id, [])
        found: list[Envelope] = []
        for index in range(bisect_right(events, after_seq, key=_seq), len(events)):
            if len(found) >= limit:
                break
            if fits(events[index].type, pattern):
                found.append(events[index])
        return found

    async def read_back(
        self, *, before_seq: int | None = None, run_id: str | None = None, pattern: str = "*", limit: int = 1_000
    ) -> list[Envelope]:
        """See `core.ports.EventLog`."""
        events = self._events if run_id is None else self._by_run.get(run_id, [])
        found: list[Envelope] = []
        for index in range(len(events) if before_seq is None else bisect_left(events, before_seq, key=_seq), 0, -1):
            if len(found) >= limit:
                break
            if fits(events[index - 1].type, pattern):
                found.append(events[index - 1])
        return found[::-1]

    async def offset(self, consumer: str) -> int:
        """See `core.ports.EventLog`."""
        return self._offsets.get(consumer, (0, 0))[0]

    async def find(self, seq: int) -> Envelope | None:
        """See `core.ports.EventLog`."""
        index = bisect_right(self._events, seq - 1, key=_seq)
        return self._events[index] if index < len(self._events) and self._events[index].seq == seq else None

    def subscribe(self, pattern: str, callback: Callback, *, owner: str, run_id: str | None = None) -> LiveSubscription:
        """See `core.ports.EventLog`."""
        return self._dispatcher.subscribe(pattern, callback, owner=owner, run_id=run_id)

    def subscriptions(self) -> tuple[LiveSubscription, ...]:
        """See `core.ports.EventLog`."""
        return self._dispatcher.subscriptions()

    def wanted(self, wire_type: str, run_id: str | None = None) -> bool:
        """See `core.ports.EventLog`."""
        return self._dispatcher.wants(wire_type, run_id)

    # --- for the memory store's unit of work ---

    def advance(self, consumer: str, seq: int) -> None:
        """Move a consumer's offset."""
        self._offsets[consumer] = seq, self._now_ns()

    def check_offset(self, consumer: str, after_seq: int) -> None:
        """Raise OffsetMoved unless the offset is there."""
        if self._offsets.get(consumer, (0, 0))[0] != after_seq:
            raise OffsetMoved(consumer)

    def check_new(self, event: Envelope) -> None:
        """Raise AlreadyStored where an event of this id and run is there."""
        events = self._events if event.run_id is None else self._by_run.get(event.run_id, [])
        if any((stored.id, stored.run_id) == (event.id, event.run_id) for stored in events):
            raise AlreadyStored(event.id)

    def check(self, events: Sequence[Envelope]) -> None:
        """Raise what a database would raise for these events."""
        self._codec.encode_all(events)

    def store(self, events: Sequence[Envelope]) -> list[Envelope]:
        """Append checked events without telling anyone; return them with their seq."""
        stored = [with_seq(event, seq) for seq, event in enumerate(events, self._head + 1)]
        self._head += len(stored)
        self._events += stored
        for event in stored:
            if event.run_id is not None:
                self._by_run.setdefault(event.run_id, []).append(event)
        return stored

    async def tell(self, stored: Sequence[Envelope]) -> Sequence[Envelope]:
        """Tell subscribers of stored events and return when they know."""
        told = asyncio.get_running_loop().create_future()

        def done(failures: list[Envelope]) -> None:
            if failures:
                self._dispatcher.tell(self.store(failures), done)
            elif not told.done():
                told.set_result(None)

        self._dispatcher.tell(stored, done)
        if not told.done():
            await told
        return stored

    def restore(
        self,
        events: Sequence[Envelope],
        head: int,
        offsets: Mapping[str, tuple[int, int]] | None = None,
        deleted: Sequence[tuple[int, int, str]] = (),
    ) -> None:
        """Take over a whole log with its seqs; see `contents`. Nobody is told."""
        self._offsets, self._deleted = dict(offsets or {}), list(deleted)
        self._events = list(events)
        self._by_run = {}
        for event in self._events:
            if event.run_id is not None:
                self._by_run.setdefault(event.run_id, []).append(event)
        self._head = head

    def contents(self) -> tuple[list[Envelope], int, dict[str, tuple[int, int]], list[tuple[int, int, str]]]:
        """Return all events, the last seq that was given out, consumers' offsets (with UTC ns), and what was deleted: from, to, why."""
        return list(self._events), self._head, dict(self._offsets), list(self._deleted)

    def last_seq(self, run_id: str) -> int:
        """Return the seq of a run's last event; 0 where it has none."""
        events = self._by_run.get(run_id)
        return events[-1].seq if events else 0

    def forget_run(self, run_id: str) -> None:
        """Remove a run's events, and note which they were."""
        gone = self._by_run.pop(run_id, None)
        if gone:
            for event in gone:
                is_next = bool(self._deleted) and self._deleted[-1][1] == event.seq - 1 and event is not gone[0]
                first = self._deleted.pop()[0] if is_next else event.seq
                self._deleted.append((first, event.seq, f"run {run_id}"))
            self._events = [event for event in self._events if event.run_id != run_id]


def _seq(event: Envelope) -> int:
    return event.seq
