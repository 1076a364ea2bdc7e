"""A store without any database: gone when the program ends."""

import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec

from core.errors import BugError, SealedBars
from core.events.codec import EventCodec
from core.events.envelope import Envelope
from core.events.memory import MemoryEventLog
from core.model.account_snapshot import AccountSnapshot, RunEnd
from core.model.corporate_action import ActionIdentity, ActionMerge, CorporateAction, identity_of, in_order
from core.model.desk import Desk, LeaseKind, this_machine
from core.model.market import BarSeries, BarSet, BarSetKey, MergeReport, Timeframe
from core.model.order import Fill, Order
from core.model.result import RunResult
from core.model.risk import EquityMark
from core.model.run import Run, RunMode
from core.ports import Clock, RunTail
from core.store.bar_hash import content_sha256
from core.store.memory_care import MemoryCare
from core.store.memory_carried import Carried
from core.store.memory_leases import MemoryLeases
from core.store.memory_paper import MemoryPaperBooks
from core.store.merging import check_mergeable, merge_actions, merge_bars
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

if TYPE_CHECKING:
    from core.store.memory_rows import MemoryContents


class MemoryStore:
    """A `Store` in the memory of this process; the reference that the database is compared with."""

    where: Final = "memory"
    is_shared: Final = False

    def __init__(self, clock: Clock, *, codec: EventCodec | None = None, desk: Desk | None = None, hash_chain: bool = False) -> None:
        self._hash_chain = hash_chain
        self._carried = Carried()
        self.owner: Final = f"memory-{secrets.token_hex(6)}"
        self.desk: Final = desk or this_machine()
        self.leases: Final = MemoryLeases(self.desk, self.owner, clock.now_ns)
        self.log: Final = MemoryEventLog(now_ns=clock.now_ns, monotonic_ns=clock.monotonic_ns, codec=codec or EventCodec())
        self.runs: Final = MemoryRunStore(self.log, self.leases)
        self.bars: Final = MemoryBarStore(clock)
        self.actions: Final = MemoryCorporateActionStore()
        self.paper: Final = MemoryPaperBooks()
        self.care: Final = MemoryCare(self, clock, codec or EventCodec())

    def is_alive(self, owner: str) -> bool:
        """See `core.ports.Store`."""
        return owner == self.owner

    async def facts(self) -> Sequence[tuple[str, str]]:
        """See `core.ports.Store`."""
        return []

    def contents(self) -> "MemoryContents":
        """Return all that is held."""
        from core.store.memory_rows import MemoryContents  # brings SQLAlchemy, which memory does not need to run

        events, head, offsets, deleted = self.log.contents()
        return MemoryContents(
            head=head,
            events=events,
            offsets=offsets,
            deleted=deleted,
            carried=self._carried,
            hash_chain=self._hash_chain,
            **self.runs.contents(),
            bars=self.bars.contents(),
            actions=self.actions.contents(),
            paper=self.paper.contents(),
        )

    def restore(self, contents: "MemoryContents") -> None:
        """Hold these contents and nothing else. Nobody is told."""
        self.log.restore(contents.events, contents.head, contents.offsets, contents.deleted)
        self._carried = contents.carried
        self.runs.restore(contents)
        self.bars.restore(contents.bars)
        self.actions.restore(contents.actions)
        self.paper.restore(contents.paper)

    def claim_window(self) -> None:
        """Nobody else can have this store open."""

    async def open(self) -> None:
        """See `core.ports.Store`."""

    async def close(self) -> None:
        """See `core.ports.Store`."""


class MemoryRunStore:
    """A `RunStore` in dicts."""

    def __init__(self, log: MemoryEventLog, leases: MemoryLeases) -> None:
        self._log = log
        self._leases = leases
        self._runs: dict[str, Run] = {}
        self._orders: dict[str, dict[str, Order]] = {}
        self._fills: dict[str, dict[str, Fill]] = {}
        self._results: dict[str, RunResult] = {}
        self._equity_marks: dict[str, EquityMark] = {}
        self._snapshots: dict[str, AccountSnapshot] = {}

    def begin(self) -> AbstractAsyncContextManager[CollectedWork]:
        """See `core.ports.RunStore`."""
        return self._unit_of_work()

    @asynccontextmanager
    async def _unit_of_work(self) -> AsyncGenerator[CollectedWork]:
        work = CollectedWork()
        yield work
        stored = self._commit(work.finish())
        if stored:
            await self._log.tell(stored)

    def contents(self) -> dict[str, list[Any]]:
        """Return what is held, in the order it came in."""
        return {
            "runs": list(self._runs.values()),
            "orders": [order for of_run in self._orders.values() for order in of_run.values()],
            "fills": [fill for of_run in self._fills.values() for fill in of_run.values()],
            "results": list(self._results.values()),
            "equity_marks": list(self._equity_marks.values()),
        }

    def restore(self, contents: "MemoryContents") -> None:
        """Hold these rows and nothing else."""
        self._runs = {run.id: run for run in contents.runs}
        self._results = {result.run_id: result for result in contents.results}
        self._equity_marks = {mark.owner: mark for mark in contents.equity_marks}
        self._orders, self._fills, self._snapshots = {}, {}, {}
        for order in contents.orders:
            self._orders.setdefault(order.run_id, {})[order.id] = order
        for fill in contents.fills:
            self._fills.setdefault(fill.run_id, {})[fill.id] = fill

    async def runs(self) -> list[Run]:
        """See `core.ports.RunStore`."""
        newest_first = list(self._runs.values())[::-1]  # of those created at the same instant too
        newest_first.sort(key=lambda run: run.created_ns, reverse=True)
        return newest_first

    async def run(self, run_id: str) -> Run | None:
        """See `core.ports.RunStore`."""
        return self._runs.get(run_id)

    async def orders(self, run_id: str) -> list[Order]:
        """See `core.ports.RunStore`."""
        return list(self._orders.get(run_id, {}).values())

    async def fills(self, run_id: str) -> list[Fill]:
        """See `core.ports.RunStore`."""
        return sorted(self._fills.get(run_id, {}).values(), key=lambda fill: fill.time_ns)

    async def result(self, run_id: str) -> RunResult | None:
        """See `core.ports.RunStore`."""
        return self._results.get(run_id)

    async def equity_mark(self, owner: str) -> EquityMark | None:
        """See `core.ports.RunStore`."""
        return self._equity_marks.get(owner)

    async def account_snapshot(self, account: str) -> AccountSnapshot | None:
        """See `core.ports.AccountRows`."""
        return self._snapshots.get(account)

    async def account_snapshots(self) -> list[AccountSnapshot]:
        """See `core.ports.AccountRows`."""
        return [self._snapshots[account] for account in sorted(self._snapshots)]

    async def run_ends(self) -> Mapping[str, RunEnd]:
        """See `core.ports.AccountRows`."""
        return {run.id: self._end(run.id) for run in self._runs.values() if run.config.mode is not RunMode.BACKTEST}

    async def run_tail(self, run_id: str, after: RunEnd, *, also: Sequence[str], types: Sequence[str]) -> RunTail:
        """See `core.ports.AccountRows`."""
        orders = enumerate(self._orders.get(run_id, {}).values(), 1)
        fills = enumerate(self._fills.get(run_id, {}).values(), 1)
        events = await self._log.read(run_id=run_id, after_seq=after.events, limit=len(self._log.contents()[0]))
        return RunTail(
            [(number, order) for number, order in orders if number > after.orders or order.id in also],
            [(number, fill) for number, fill in fills if number > after.fills],
            [event for event in events if event.type in types],
            self._end(run_id),
        )

    async def runs_of(self, *, order_ids: Sequence[str] = (), fill_ids: Sequence[str] = ()) -> set[str]:
        """See `core.ports.AccountRows`."""
        named = ((self._orders, order_ids), (self._fills, fill_ids))
        return {run_id for rows, ids in named for run_id, of_run in rows.items() if any(each in of_run for each in ids)}

    async def open_orders(self, run_ids: Sequence[str]) -> list[Order]:
        """See `core.account_rows.AccountRows`."""
        return [order for each in run_ids for order in self._orders.get(each, {}).values() if not order.status.is_final]

    async def runs_at_broker(self, run_ids: Sequence[str], broker_ids: Sequence[str]) -> set[str]:
        """See `core.ports.AccountRows`."""
        return {each for each in run_ids if any(order.broker_id in broker_ids for order in self._orders.get(each, {}).values())}

    def _end(self, run_id: str) -> RunEnd:
        return RunEnd(len(self._orders.get(run_id, ())), len(self._fills.get(run_id, ())), self._log.last_seq(run_id))

    def _commit(self, steps: list[Step]) -> list[Envelope]:
        # First everything that can be refused, then everything that changes something: nothing is left half done.
        self._check(steps)
        stored: list[Envelope] = []
        for step in steps:
            match step:
                case Advance(consumer, _, seq):
                    self._log.advance(consumer, seq)
                case PutRun(run):
                    self._runs[run.id] = run
                case PutOrders(orders):
                    for order in orders:
                        self._orders.setdefault(order.run_id, {})[order.id] = order
                case AddFills(fills):
                    for fill in fills:
                        self._fills.setdefault(fill.run_id, {}).setdefault(fill.id, fill)
                case PutResult(result):
                    self._results[result.run_id] = result
                case PutEquityMark(mark):
                    self._equity_marks[mark.owner] = mark
                case PutAccountSnapshot(snapshot):
                    self._snapshots[snapshot.account] = snapshot
                case DeleteRun(run_id):
                    self._delete_run(run_id)
                case Append(events):
                    stored += self._log.store(events)
        return stored

    def _check(self, steps: list[Step]) -> None:
        known = set(self._runs)
        for step in steps:
            match step:
                case Fence(lease):
                    self._leases.check_held(lease)
                case UnlessStored(event):
                    self._log.check_new(event)
                case Advance(consumer, after_seq, _):
                    self._log.check_offset(consumer, after_seq)
                case PutRun(run):
                    known.add(run.id)
                case DeleteRun(run_id):
                    known.discard(run_id)
                case PutOrders(orders):
                    _check_known(known, {order.run_id for order in orders})
                case AddFills(fills):
                    _check_known(known, {fill.run_id for fill in fills})
                case PutResult(result):
                    _check_known(known, {result.run_id})
                case Append(events):
                    self._log.check(events)

    def _delete_run(self, run_id: str) -> None:
        self._runs.pop(run_id, None)
        self._orders.pop(run_id, None)
        self._fills.pop(run_id, None)
        self._results.pop(run_id, None)
        self._equity_marks.pop(run_id, None)
        self._log.forget_run(run_id)
        self._leases.forget(LeaseKind.RUN, run_id)


def _check_known(known: set[str], named: set[str]) -> None:
    unknown = sorted(named - known)
    if unknown:
        raise BugError(f"Rows of run {unknown[0]} cannot be stored: there is no such run.")


class MemoryBarStore:
    """A `BarStore` in a dict."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[BarSetKey, tuple[BarSeries, BarSet]] = {}

    def contents(self) -> list[tuple[BarSet, BarSeries]]:
        """Return what is held."""
        return [(bar_set, bars) for bars, bar_set in self._held.values()]

    def restore(self, held: Sequence[tuple[BarSet, BarSeries]]) -> None:
        """Hold these sets and nothing else."""
        self._held = {bar_set.key: (bars, bar_set) for bar_set, bars in held}

    async def sets(self) -> list[BarSet]:
        """See `core.ports.BarStore`."""
        return sorted((bar_set for _, bar_set in self._held.values()), key=by_symbol_and_length)

    async def read(self, key: BarSetKey, start_ns: int | None = None, end_ns: int | None = None) -> BarSeries:
        """See `core.ports.BarStore`."""
        if key not in self._held:
            return BarSeries.empty(key.symbol, Timeframe.parse(key.timeframe))
        return self._held[key][0].between(start_ns, end_ns)

    async def merge(self, key: BarSetKey, bars: BarSeries, *, simulated: bool = False) -> MergeReport:
        """See `core.ports.BarStore`."""
        check_mergeable(key, bars)
        if not len(bars):
            return MergeReport()
        self._check_open(key)
        held, bar_set = self._held.get(key, (BarSeries.empty(key.symbol, bars.timeframe), None))
        merged, report = merge_bars(held, bars)
        simulated = simulated or (bar_set is not None and bar_set.simulated)
        if report.added or report.changed or bar_set is None or bar_set.simulated != simulated:
            described = BarSet(
                key=key,
                bars=len(merged),
                first_ns=int(merged.start_ns[0]),
                last_ns=int(merged.start_ns[-1]),
                updated_ns=self._clock.now_ns(),
                simulated=simulated,
                sha256=content_sha256(merged),
            )
            self._held[key] = merged, described
        return report

    async def delete(self, key: BarSetKey) -> bool:
        """See `core.ports.BarStore`."""
        self._check_open(key)
        return self._held.pop(key, None) is not None

    async def seal(self, key: BarSetKey, *, sealed: bool) -> BarSet | None:
        """See `core.ports.BarStore`."""
        if key not in self._held:
            return None
        bars, bar_set = self._held[key]
        self._held[key] = bars, msgspec.structs.replace(bar_set, sealed=sealed)
        return self._held[key][1]

    def _check_open(self, key: BarSetKey) -> None:
        if key in self._held and self._held[key][1].sealed:
            raise SealedBars(key.symbol, key.timeframe, key.source)


class MemoryCorporateActionStore:
    """A `CorporateActionStore` in a dict."""

    def __init__(self) -> None:
        self._held: dict[ActionIdentity, CorporateAction] = {}

    def contents(self) -> list[CorporateAction]:
        """Return what is held."""
        return list(self._held.values())

    def restore(self, actions: Sequence[CorporateAction]) -> None:
        """Hold these actions and nothing else."""
        self._held = {identity_of(action): action for action in actions}

    async def put(self, actions: Sequence[CorporateAction]) -> ActionMerge:
        """See `core.ports.CorporateActionStore`."""
        to_write, report = merge_actions(self._held, actions)
        self._held |= to_write
        return report

    async def read(self, symbol: str) -> tuple[CorporateAction, ...]:
        """See `core.ports.CorporateActionStore`."""
        return in_order(action for action in self._held.values() if action.symbol == symbol)

    async def read_all(self) -> tuple[CorporateAction, ...]:
        """See `core.ports.CorporateActionStore`."""
        return in_order(self._held.values())

    async def delete(self, symbol: str) -> int:
        """See `core.ports.CorporateActionStore`."""
        found = [key for key, action in self._held.items() if action.symbol == symbol]
        for key in found:
            del self._held[key]
        return len(found)


def by_symbol_and_length(bar_set: BarSet) -> tuple[str, Timeframe, str, str]:
    """Sort key: by symbol, then the length of a bar, then source and adjustment."""
    key = bar_set.key
    return key.symbol, Timeframe.parse(key.timeframe), key.source, key.adjustment
