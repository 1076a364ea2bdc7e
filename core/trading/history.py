"""What the store remembers of an account: its orders, fills, positions of others, and how the kill switch was left."""

from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import NamedTuple

import msgspec

from core.errors import BugError
from core.events.envelope import Envelope
from core.events.live_payloads import (
    AccountAdopted,
    CoinFee,
    DifferenceAccepted,
    EntryTaken,
    OrderAdopted,
    OrderChangeSent,
    OrdersLeftTogether,
    OutsideFilled,
    Reconciled,
    SwitchCarriedOut,
    SwitchThrown,
)
from core.events.payloads import DividendPaid, InterestCharged, OrderReplaced, OrderReplaceRefused, SplitApplied
from core.events.registry import payload_class
from core.model.money import ZERO
from core.model.order import Fill
from core.model.risk import SwitchLevel
from core.model.run import RunMode, RunStatus
from core.ports import EventLog, RunStore
from core.trading.books import BookChange, RunBook, merged
from core.trading.changes import number_of
from core.trading.order_fold import accepted, revived
from core.trading.parts import Change
from core.trading.split_orders import split_change
from core.trading.state import AccountState

_PAGE = 1_000
_OVER = frozenset({RunStatus.COMPLETED, RunStatus.STOPPED, RunStatus.ERROR})


class Thrown(NamedTuple):
    """How the kill switch was set, for a run or for all (None), and the event that says so."""

    run_id: str | None
    level: SwitchLevel
    event_id: str


class _Changes:
    """The changes of one order, as the log has them."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.at = 0
        self._over = ZERO

    def sent(self, payload: OrderChangeSent) -> None:
        self.changes.append(Change(qty=payload.qty))

    def settled(self, payload: OrderReplaced | OrderReplaceRefused) -> None:
        number = number_of(payload.client_order_id or "")
        is_made = isinstance(payload, OrderReplaced)
        if isinstance(payload, OrderReplaced):
            self.at = max(self.at, number)
            if payload.filled_qty is not None and self._over:  # a split: what was asked for is in the units of before
                after, ratio = payload.request.qty, payload.request.qty / self._over
                self.changes = [split_change(one, ratio, self._over, after) for one in self.changes]
            self._over = payload.request.qty
        if 0 < number <= len(self.changes):
            self.changes[number - 1] = msgspec.structs.replace(self.changes[number - 1], is_refused=not is_made)


async def remember(state: AccountState, runs: RunStore, log: EventLog) -> int | None:
    """Fill `state` with all that is stored of its account; return when the account was first met, None: never."""
    await _remember_orders(state, runs, log)
    async for event in _all(log, OrdersLeftTogether.wire):
        if isinstance(event.payload, OrdersLeftTogether) and event.payload.order_id in state.lives:
            state.left_together([state.lives[each].order for each in (event.payload.order_id, *event.payload.others)])
    known_ns: int | None = None
    told = [
        event
        for kind in (AccountAdopted, OutsideFilled, OrderAdopted, DifferenceAccepted, EntryTaken)
        async for event in _all(log, kind.wire)
    ]
    for event in sorted(told, key=lambda one: one.seq):
        payload = event.payload
        if isinstance(payload, AccountAdopted) and payload.account == state.key:
            known_ns = event.ts if known_ns is None else known_ns
            state.meet(payload)
        elif isinstance(payload, OutsideFilled) and payload.account == state.key and payload.execution_id not in state.known_outside:
            state.known_outside.add(payload.execution_id)
            _add(state.outside, payload.symbol, payload.qty)
            state.note_outside(payload)
        elif isinstance(payload, OrderAdopted) and payload.account == state.key:
            state.adopted.add(payload.broker_id)
        elif isinstance(payload, DifferenceAccepted) and payload.account == state.key:
            state.accept(payload)
            if payload.order_id in state.lives:
                state.recall(accepted(state.lives[payload.order_id], payload.qty, event.ts).life)
        elif isinstance(payload, EntryTaken) and payload.account == state.key:
            state.note_entry(payload)
    for event in await log.read_back(pattern=Reconciled.wire, limit=_PAGE):
        if isinstance(event.payload, Reconciled) and event.payload.account == state.key:
            state.reconciled_ns = event.payload.until_ns
    if state.features.coin_fees:
        async for event in _all(log, CoinFee.wire):
            if isinstance(event.payload, CoinFee) and event.payload.account == state.key:
                state.charge(event.payload, event.run_id)
    return known_ns


async def read_switches(log: EventLog, after_seq: int = 0) -> tuple[list[Thrown], int]:
    """Return how the kill switch was set since an event, the newest for each run and for all, and the last event looked at."""
    newest: dict[str | None, Thrown] = {}
    while page := await log.read(after_seq=after_seq, pattern=SwitchThrown.wire, limit=_PAGE):
        after_seq = page[-1].seq
        for event in page:
            if isinstance(event.payload, SwitchThrown):
                newest[event.run_id] = Thrown(event.run_id, event.payload.level, event.id)
    return list(newest.values()), after_seq


async def read_carried_out(log: EventLog, account: str) -> set[str]:
    """Return the events that threw the kill switch and whose wish is done at an account, with nothing left."""
    done = set()
    async for event in _all(log, SwitchCarriedOut.wire):
        told = event.payload
        if isinstance(told, SwitchCarriedOut) and told.account == account and not told.left and event.causation_id is not None:
            done.add(event.causation_id)
    return done


async def _remember_changes(log: EventLog) -> dict[str, _Changes]:
    """Return what is stored of the changes of orders, by order."""
    told = [event async for event in _all(log, OrderChangeSent.wire)]
    for run_id in dict.fromkeys(event.run_id for event in told if event.run_id is not None):
        for wire in (OrderReplaced.wire, OrderReplaceRefused.wire):
            told += [event async for event in _all(log, wire, run_id)]
    found: dict[str, _Changes] = {}
    for event in sorted(told, key=lambda one: one.seq):
        payload = event.payload
        if isinstance(payload, OrderChangeSent):
            found.setdefault(payload.order_id, _Changes()).sent(payload)
        elif isinstance(payload, (OrderReplaced, OrderReplaceRefused)) and payload.order_id in found:
            found[payload.order_id].settled(payload)
    return found


async def _all(log: EventLog, wire: str, run_id: str | None = None) -> AsyncGenerator[Envelope]:
    """Give all events of a type, oldest first. Raises BugError for one that an archive may have taken."""
    if not payload_class(wire).remembered:
        raise BugError(f"Events of type {wire} may have been archived, and an account is not made of them.")
    after = 0
    while page := await log.read(after_seq=after, run_id=run_id, pattern=wire, limit=_PAGE):
        after = page[-1].seq
        for event in page:
            yield event


async def _remember_orders(state: AccountState, runs: RunStore, log: EventLog) -> None:
    changes = await _remember_changes(log)
    for run in await runs.runs():
        if run.config.mode is RunMode.BACKTEST:
            continue
        orders = [order for order in await runs.orders(run.id) if order.account == state.key]
        if not orders:
            continue
        fills: dict[str, list[Fill]] = {}
        in_time = await runs.fills(run.id)
        for fill in in_time:
            fills.setdefault(fill.order_id, []).append(fill)
        if run.config.is_by_hand:
            state.hand_run_id = run.id
        book = state.books[run.id] = RunBook(run.config.cash, run.config.limits)
        for order in orders:
            own = fills.get(order.id, [])
            changed = changes.get(order.id) or _Changes()
            state.recall(revived(order, tuple(own), tuple(changed.changes), changed.at))
            if run.status in _OVER and not order.status.is_final and order.id.removeprefix(f"{run.id}-").isdecimal():
                state.left_over.append(order.id)
        own_fills = [fill for order in orders for fill in fills.get(order.id, [])]
        state.booked.update(fill.id for fill in own_fills)
        for time_ns, one in merged(own_fills, await read_changes(log, run.id)):
            book.take(one, time_ns)


async def read_changes(log: EventLog, run_id: str) -> list[tuple[int, BookChange]]:
    """Return what changed a run's money or units without a fill, and when, UTC ns: oldest first."""
    found = []
    for kind in (SplitApplied, DividendPaid, InterestCharged):
        async for event in _all(log, kind.wire, run_id):
            payload = event.payload
            if isinstance(payload, BookChange):
                happened_ns = payload.time_ns if isinstance(payload, SplitApplied) else None
                found.append((event.ts if happened_ns is None else happened_ns, event.seq, payload))
    return [(time_ns, payload) for time_ns, _, payload in sorted(found, key=lambda one: one[:2])]


def _add(positions: dict[str, Decimal], symbol: str, qty: Decimal) -> None:
    positions[symbol] = positions.get(symbol, ZERO) + qty
