"""The event log in a database, and the units of work that commit rows and events together."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection

from core.events.codec import EventCodec
from core.events.dispatch import Callback, Dispatcher, LiveSubscription
from core.events.envelope import Envelope
from core.model.account_snapshot import AccountSnapshot, RunEnd
from core.model.order import Fill, Order
from core.model.result import RunResult
from core.model.risk import EquityMark
from core.model.run import Run
from core.ports import RunTail
from core.store import rows
from core.store.account_rows import (
    put_account_snapshot,
    read_account_snapshots,
    read_open_orders,
    read_run_ends,
    read_run_tail,
    read_runs_at_broker,
    read_runs_of,
)
from core.store.equity_marks import put_equity_mark, read_equity_mark
from core.store.leases import check_held
from core.store.live import LiveNews
from core.store.offsets import advance, read_offset
from core.store.tail import Tail
from core.store.threads import Threads
from core.store.unit_of_work import (
    AddFills,
    Advance,
    Append,
    CollectedWork,
    DeleteRun,
    Fence,
    PutAccountSnapshot,
    PutEquityMark,
    PutOrders,
    PutResult,
    PutRun,
    Step,
    UnlessStored,
)
from core.store.writer import Job

END_SEQ: Final = 2**63 - 1
"""Greater than the seq of any event."""


class DatabaseEventLog:
    """An `EventLog` in the table `outbox`. Subscribers are told in the loop's thread, in the order of the commits."""

    def __init__(
        self,
        threads: Threads,
        *,
        now_ns: Callable[[], int],
        monotonic_ns: Callable[[], int],
        codec: EventCodec,
        live: LiveNews,
        hash_chain: bool = False,
    ) -> None:
        self._threads = threads
        self._live = live
        self._codec = codec
        self._hash_chain = hash_chain
        self._dispatcher = Dispatcher(now_ns=now_ns, monotonic_ns=monotonic_ns)
        self.tail: Final = Tail(codec, self._dispatcher.is_heard)

    def tell(self, events: Sequence[Envelope], then: Callable[[], None] | None = None) -> None:
        """Tell subscribers what another process appended, then call `then`; in the loop's thread, in the order of the log."""

        def done(failures: list[Envelope]) -> None:
            if failures:
                self._submit([Append(tuple(failures))], None, [])
            if then is not None:
                then()

        self._dispatcher.tell(events, done)

    def tell_live(self, text: str) -> None:
        """Tell subscribers what another process announced; in the loop's thread."""
        event = self._live.event_of(text)
        if event is not None:
            self._dispatcher.announce([event])

    async def append(self, events: Sequence[Envelope]) -> Sequence[Envelope]:
        """See `core.ports.EventLog`."""
        return await self.commit([Append(tuple(events))]) if events else []

    def announce(self, events: Sequence[Envelope]) -> None:
        """See `core.ports.EventLog`."""
        self._dispatcher.announce(events)
        if self._threads.database.is_shared:
            for text in filter(None, map(self._live.text_of, events)):
                self._threads.write(Job(partial(self._threads.database.tell_live, text=text), lambda *_: None))

    async def read(self, *, after_seq: int = 0, run_id: str | None = None, pattern: str = "*", limit: int = 1_000) -> list[Envelope]:
        """See `core.ports.EventLog`."""

        def found(connection: Connection) -> list[Envelope]:
            return rows.read_events(connection, self._codec, after_seq=after_seq, run_id=run_id, pattern=pattern, limit=limit)

        return await self._threads.read(found)

    async def read_back(
        self, *, before_seq: int | None = None, run_id: str | None = None, pattern: str = "*", limit: int = 1_000
    ) -> list[Envelope]:
        """See `core.ports.EventLog`."""
        before = END_SEQ if before_seq is None else before_seq

        def found(connection: Connection) -> list[Envelope]:
            return rows.read_events(connection, self._codec, before_seq=before, run_id=run_id, pattern=pattern, limit=limit)

        return await self._threads.read(found)

    async def offset(self, consumer: str) -> int:
        """See `core.ports.EventLog`."""
        return await self._threads.read(lambda connection: read_offset(connection, consumer))

    async def find(self, seq: int) -> Envelope | None:
        """See `core.ports.EventLog`."""
        found = await self.read(after_seq=seq - 1, limit=1)
        return found[0] if found and found[0].seq == seq else None

    def subscribe(self, pattern: str, callback: Callback, *, owner: str, run_id: str | None = None) -> LiveSubscription:
        """See `core.ports.EventLog`."""
        return self._dispatcher.subscribe(pattern, callback, owner=owner, run_id=run_id)

    def subscriptions(self) -> tuple[LiveSubscription, ...]:
        """See `core.ports.EventLog`."""
        return self._dispatcher.subscriptions()

    def wanted(self, wire_type: str, run_id: str | None = None) -> bool:
        """See `core.ports.EventLog`."""
        return self._dispatcher.wants(wire_type, run_id)

    async def commit(self, steps: Sequence[Step]) -> list[Envelope]:
        """Carry out `steps` in one transaction, tell subscribers, and return the appended events.

        Once asked for it happens, even when the caller is cancelled while it waits.
        """
        told: asyncio.Future[list[Envelope]] = asyncio.get_running_loop().create_future()
        self._submit(steps, told, [])
        return await told

    def _submit(self, steps: Sequence[Step], told: "asyncio.Future[list[Envelope]] | None", appended: list[Envelope]) -> None:
        def settle(stored: list[Envelope] | None, error: Exception | None) -> None:
            if stored is not None:
                self._dispatcher.tell(stored, lambda failures: done(stored, failures))
            elif error is not None and told is not None and not told.done():
                told.set_exception(error)

        def done(stored: list[Envelope], failures: list[Envelope]) -> None:
            if failures:
                self._submit([Append(tuple(failures))], told, appended or stored)
            elif told is not None and not told.done():
                told.set_result(appended or stored)

        self._threads.write(self._job(steps, settle))

    def _job(self, steps: Sequence[Step], settle: Callable[[list[Envelope] | None, Exception | None], None]) -> Job:
        if len(steps) == 1 and isinstance(steps[0], Append) and not self._hash_chain:
            events = rows.EncodedEvents(steps[0].events)
            return Job(events.write, settle, prepare=partial(events.encode, self._codec), weight=len(events), appends=True, events=events)
        work = _Work(steps, self._codec, hash_chain=self._hash_chain)
        appends = any(isinstance(step, Append) for step in steps)
        return Job(work.write, settle, prepare=work.prepare, weight=work.weight, appends=appends)


class _Work:
    """Steps, encoded before the transaction and written inside it. Runs in the writer's thread."""

    def __init__(self, steps: Sequence[Step], codec: EventCodec, *, hash_chain: bool) -> None:
        self._steps = steps
        self._codec = codec
        self._hash_chain = hash_chain
        self._prepared: list[Callable[[Connection], list[Envelope] | None]] = []
        self.weight = sum(_weight(step) for step in steps)

    def prepare(self) -> None:
        self._prepared = [self._prepare(step) for step in self._steps]

    def write(self, connection: Connection) -> list[Envelope]:
        stored: list[Envelope] = []
        for write in self._prepared:
            stored += write(connection) or ()
        return stored

    def _prepare(self, step: Step) -> Callable[[Connection], list[Envelope] | None]:
        match step:
            case Append(events):
                encoded = rows.EncodedEvents(events, chained=self._hash_chain)
                encoded.encode(self._codec)
                return encoded.write
            case PutOrders(orders):
                return _with_values(rows.put_orders, rows.order_values(orders))
            case AddFills(fills):
                return _with_values(rows.add_fills, rows.fill_values(fills))
            case PutResult(result):
                return _with_values(rows.put_result, rows.result_values(result))
            case Fence(lease):
                return lambda connection: check_held(connection, lease)
            case UnlessStored(event):
                return lambda connection: rows.check_new(connection, event)
            case Advance(consumer, after_seq, seq):
                return lambda connection: advance(connection, consumer, after_seq, seq)
            case PutRun(run):
                return lambda connection: rows.put_run(connection, run)
            case PutEquityMark(mark):
                return lambda connection: put_equity_mark(connection, mark)
            case PutAccountSnapshot(snapshot):
                return lambda connection: put_account_snapshot(connection, snapshot)
            case DeleteRun(run_id):
                return lambda connection: rows.delete_run(connection, run_id)


def _with_values(write: Callable[[Connection, list[Any]], None], values: list[Any]) -> Callable[[Connection], None]:
    return lambda connection: write(connection, values)


def _weight(step: Step) -> int:
    match step:
        case Append(events):
            return len(events)
        case PutOrders(orders):
            return len(orders)
        case AddFills(fills):
            return len(fills)
        case _:
            return 1


class DatabaseRunStore:
    """A `RunStore` in the tables `runs`, `orders`, `fills` and `results`."""

    def __init__(self, threads: Threads, log: DatabaseEventLog, codec: EventCodec) -> None:
        self._threads = threads
        self._log = log
        self._codec = codec
        # A run's rows by the ten thousand: two threads that make them at once would leave the loop too little of the interpreter.
        self._long_read = asyncio.Lock()

    def begin(self) -> AbstractAsyncContextManager[CollectedWork]:
        """See `core.ports.RunStore`."""
        return self._unit_of_work()

    @asynccontextmanager
    async def _unit_of_work(self) -> AsyncGenerator[CollectedWork]:
        work = CollectedWork()
        yield work
        steps = work.finish()
        if steps:
            await self._log.commit(steps)

    async def runs(self) -> list[Run]:
        """See `core.ports.RunStore`."""
        return await self._threads.read(rows.read_runs)

    async def run(self, run_id: str) -> Run | None:
        """See `core.ports.RunStore`."""
        return await self._threads.read(lambda connection: rows.read_run(connection, run_id))

    async def orders(self, run_id: str) -> list[Order]:
        """See `core.ports.RunStore`."""
        async with self._long_read:
            return await self._threads.read(lambda connection: rows.read_orders(connection, run_id))

    async def fills(self, run_id: str) -> list[Fill]:
        """See `core.ports.RunStore`."""
        async with self._long_read:
            return await self._threads.read(lambda connection: rows.read_fills(connection, run_id))

    async def result(self, run_id: str) -> RunResult | None:
        """See `core.ports.RunStore`."""
        async with self._long_read:
            return await self._threads.read(lambda connection: rows.read_result(connection, run_id))

    async def equity_mark(self, owner: str) -> EquityMark | None:
        """See `core.ports.RunStore`."""
        return await self._threads.read(lambda connection: read_equity_mark(connection, owner))

    # --- see `core.ports.AccountRows` ---

    async def account_snapshot(self, account: str) -> AccountSnapshot | None:
        """See `core.ports.AccountRows`."""
        found = await self._threads.read(lambda connection: read_account_snapshots(connection, account))
        return found[0] if found else None

    async def account_snapshots(self) -> list[AccountSnapshot]:
        """See `core.ports.AccountRows`."""
        return await self._threads.read(read_account_snapshots)

    async def run_ends(self) -> Mapping[str, RunEnd]:
        """See `core.ports.AccountRows`."""
        return await self._threads.read(read_run_ends)

    async def run_tail(self, run_id: str, after: RunEnd, *, also: Sequence[str], types: Sequence[str]) -> RunTail:
        """See `core.ports.AccountRows`."""
        async with self._long_read:
            return await self._threads.read(lambda connection: read_run_tail(connection, self._codec, run_id, after, also, types))

    async def runs_of(self, *, order_ids: Sequence[str] = (), fill_ids: Sequence[str] = ()) -> set[str]:
        """See `core.ports.AccountRows`."""
        return await self._threads.read(lambda connection: read_runs_of(connection, order_ids, fill_ids))

    async def open_orders(self, run_ids: Sequence[str]) -> list[Order]:
        """See `core.account_rows.AccountRows`."""
        return await self._threads.read(lambda connection: read_open_orders(connection, run_ids))

    async def runs_at_broker(self, run_ids: Sequence[str], broker_ids: Sequence[str]) -> set[str]:
        """See `core.ports.AccountRows`."""
        async with self._long_read:
            return await self._threads.read(lambda connection: read_runs_at_broker(connection, run_ids, broker_ids))
