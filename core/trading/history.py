"""What the store remembers of an account: its orders, fills, positions of others, and how the kill switch was left."""

from decimal import Decimal
from typing import NamedTuple

from core.events.live_payloads import AccountAdopted, CoinFee, OrderAdopted, OutsideFilled, SwitchThrown
from core.model.money import ZERO
from core.model.order import Fill
from core.model.risk import SwitchLevel
from core.model.run import RunMode
from core.ports import EventLog, RunStore
from core.trading.books import RunBook
from core.trading.order_fold import revived
from core.trading.state import AccountState

_PAGE = 1_000


class Thrown(NamedTuple):
    """How the kill switch was set, for a run or for all (None), and the event that says so."""

    run_id: str | None
    level: SwitchLevel
    event_id: str


async def remember(state: AccountState, runs: RunStore, log: EventLog) -> int | None:
    """Fill `state` with all that is stored of its account; return when the account was first met, None: never."""
    await _remember_orders(state, runs)
    known_ns: int | None = None
    after = 0
    while page := await log.read(after_seq=after, pattern="live.*", limit=_PAGE):
        after = page[-1].seq
        for event in page:
            payload = event.payload
            if isinstance(payload, AccountAdopted) and payload.account == state.key:
                known_ns = event.ts if known_ns is None else known_ns
                for symbol, qty in payload.positions:
                    _add(state.outside, symbol, qty)
            elif isinstance(payload, OutsideFilled) and payload.account == state.key and payload.execution_id not in state.known_outside:
                state.known_outside.add(payload.execution_id)
                _add(state.outside, payload.symbol, payload.qty)
                state.note_outside(payload)
            elif isinstance(payload, OrderAdopted) and payload.account == state.key:
                state.adopted.add(payload.broker_id)
    await _remember_fees(state, log)
    return known_ns


async def _remember_fees(state: AccountState, log: EventLog) -> None:
    after = 0
    while state.features.coin_fees and (page := await log.read(after_seq=after, pattern=CoinFee.wire, limit=_PAGE)):
        after = page[-1].seq
        for event in page:
            if isinstance(event.payload, CoinFee) and event.payload.account == state.key:
                state.charge(event.payload, event.run_id)


async def read_switches(log: EventLog, after_seq: int = 0) -> tuple[list[Thrown], int]:
    """Return how the kill switch was set since an event, the newest for each run and for all, and the last event looked at."""
    newest: dict[str | None, Thrown] = {}
    while page := await log.read(after_seq=after_seq, pattern=SwitchThrown.wire, limit=_PAGE):
        after_seq = page[-1].seq
        for event in page:
            if isinstance(event.payload, SwitchThrown):
                newest[event.run_id] = Thrown(event.run_id, event.payload.level, event.id)
    return list(newest.values()), after_seq


async def _remember_orders(state: AccountState, runs: RunStore) -> None:
    for run in await runs.runs():
        if run.config.mode is RunMode.BACKTEST:
            continue
        orders = [order for order in await runs.orders(run.id) if order.account == state.key]
        if not orders:
            continue
        fills: dict[str, list[Fill]] = {}
        for fill in await runs.fills(run.id):
            fills.setdefault(fill.order_id, []).append(fill)
        book = state.books[run.id] = RunBook(run.config.cash, run.config.limits)
        for order in orders:
            own = fills.get(order.id, [])
            state.recall(revived(order, tuple(own)))
            for fill in own:
                book.book(fill)


def _add(positions: dict[str, Decimal], symbol: str, qty: Decimal) -> None:
    positions[symbol] = positions.get(symbol, ZERO) + qty
