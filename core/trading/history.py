"""What the store remembers of an account: its orders, fills, positions of others, and how the kill switch was left."""

from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import NamedTuple

from core.events.envelope import Envelope
from core.events.live_payloads import (
    AccountAdopted,
    CoinFee,
    DifferenceAccepted,
    EntryTaken,
    OrderAdopted,
    OutsideFilled,
    Reconciled,
    SwitchCarriedOut,
    SwitchThrown,
)
from core.events.payloads import DividendPaid, InterestCharged, SplitApplied
from core.model.money import ZERO
from core.model.risk import SwitchLevel
from core.model.run import RunStatus
from core.ports import EventLog
from core.trading.absent_orders import AbsentOrders
from core.trading.account_past import NEAR_NS, AccountPast
from core.trading.books import BookChange
from core.trading.order_fold import accepted
from core.trading.run_past import check_remembered
from core.trading.state import AccountState

_PAGE = 1_000
_OVER = frozenset({RunStatus.COMPLETED, RunStatus.STOPPED, RunStatus.ERROR})


class Thrown(NamedTuple):
    """How the kill switch was set, for a run or for all (None), and the event that says so."""

    run_id: str | None
    level: SwitchLevel
    event_id: str


async def remember(state: AccountState, past: AccountPast, log: EventLog, absent: AbsentOrders) -> int | None:
    """Fill `state` with what is stored of its account; return when the account was first met, None: never.

    Of the orders that are over only the newest are known then; runs that have others are noted as `absent`.
    """
    known_ns = await _first_met(log, state.key)
    for event in await log.read_back(pattern=Reconciled.wire, limit=_PAGE):
        if isinstance(event.payload, Reconciled) and event.payload.account == state.key:
            state.reconciled_ns = event.payload.until_ns
    await _remember_orders(state, past, absent, state.reconciled_ns or known_ns)
    told = [
        event
        for kind in (AccountAdopted, OutsideFilled, OrderAdopted, DifferenceAccepted, EntryTaken)
        async for event in _all(log, kind.wire)
    ]
    for event in sorted(told, key=lambda one: one.seq):
        payload = event.payload
        if isinstance(payload, AccountAdopted) and payload.account == state.key:
            state.meet(payload)
        elif isinstance(payload, OutsideFilled) and payload.account == state.key and payload.execution_id not in state.known_outside:
            state.known_outside.add(payload.execution_id)
            _add(state.outside, payload.symbol, payload.qty)
            state.coins.note_outside(state.fill_id(payload.execution_id), payload)
        elif isinstance(payload, OrderAdopted) and payload.account == state.key:
            state.adopted.add(payload.broker_id)
        elif isinstance(payload, DifferenceAccepted) and payload.account == state.key:
            state.accept(payload)
            if payload.order_id in state.lives:
                state.recall(accepted(state.lives[payload.order_id], payload.qty, event.ts).life)
        elif isinstance(payload, EntryTaken) and payload.account == state.key:
            state.note_entry(payload)
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


async def _first_met(log: EventLog, account: str) -> int | None:
    met = [event async for event in _all(log, AccountAdopted.wire)]
    return next((one.ts for one in met if isinstance(one.payload, AccountAdopted) and one.payload.account == account), None)


def near_ns(compared_ns: int | None) -> int | None:
    """Return from when on orders that are over are kept, by when an account was compared last, or met; None: all of them are."""
    return None if compared_ns is None else compared_ns - NEAR_NS


async def _all(log: EventLog, wire: str, run_id: str | None = None) -> AsyncGenerator[Envelope]:
    """Give all events of a type, oldest first. Raises BugError for one that an archive may have taken."""
    check_remembered((wire,))
    after = 0
    while page := await log.read(after_seq=after, run_id=run_id, pattern=wire, limit=_PAGE):
        after = page[-1].seq
        for event in page:
            yield event


async def _remember_orders(state: AccountState, past: AccountPast, absent: AbsentOrders, compared_ns: int | None) -> None:
    async for folded in past.folded(near_ns(compared_ns)):
        run = folded.past.run
        if run.config.is_by_hand:
            state.hand_run_id = run.id
        state.books[run.id] = folded.past.book
        for life in folded.lives.values():
            order = life.order
            state.recall(life)
            state.booked.update(fill.id for fill in life.fills)
            if run.status in _OVER and not order.status.is_final and order.id.removeprefix(f"{run.id}-").isdecimal():
                state.left_over.append(order.id)
        state.recall_together(folded.past.together)
        if folded.left is not None and folded.left.is_partial:
            absent.note(run.id)


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
