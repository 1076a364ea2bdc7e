"""Checks a run against itself: its rows, what its events say, and its result must tell the same."""

from collections.abc import Iterable, Sequence
from decimal import Decimal, localcontext
from typing import Final

import msgspec

from core.errors import WeaverError
from core.events.envelope import Envelope
from core.events.live_payloads import CoinFee, SwitchThrown
from core.events.payloads import ClockTick, RunCompleted, RunError, RunStopped, SplitApplied, SubscriberFailed
from core.model.corporate_action import PositionChange, units_after
from core.model.findings import Findings
from core.model.money import MONEY_CONTEXT, ZERO, plain
from core.model.order import Fill, Order, OrderStatus
from core.model.result import RunResult
from core.model.run import Run, RunMode
from core.ports import Store
from core.views.desk import change_of
from core.views.positions import PositionRow
from core.views.run_at import RunFold
from core.views.words import request_words

_PAGE: Final = 4_000
_ENDINGS: Final = (RunCompleted, RunStopped, RunError)


async def check_run(run: Run, store: Store, found: Findings) -> None:
    """Find what of a run does not fit together. A run that goes on changes while it is read: leave it out."""
    try:
        orders, fills = await store.runs.orders(run.id), await store.runs.fills(run.id)
        result = await store.runs.result(run.id)
        told = await _told(run, store, found)
    except (WeaverError, msgspec.MsgspecError, ValueError) as error:
        # Which row it is, is found by the check of the rows.
        found.add("runs", f"Run {run.id} cannot be looked at: {' '.join(str(error).split())}")
        return
    is_live = run.config.mode is not RunMode.BACKTEST
    if told.fold is None and (is_live or any([await store.actions.read(symbol) for symbol in run.config.symbols])):
        return  # what splits and fees in coin did to its positions was told by events that are archived
    _check_orders(orders, fills, told.splits, found)
    positions = _positions(fills, told.splits, told.coin_fees)
    if told.fold is not None:
        _check_told(run, told.fold, orders, fills, positions, found)
    if result is not None:
        _check_result(run, result, orders, positions if told.at_end is None else told.at_end, found)


class _Told:
    """What a run's events say; `fold` None where their beginning is no longer in the log."""

    def __init__(self) -> None:
        self.fold: RunFold | None = RunFold()
        self.splits: list[PositionChange] = []
        self.coin_fees: list[CoinFee] = []
        self.at_end: dict[str, Decimal] | None = None
        """What was held when the run ended: an account goes on, and what it does to a position later is not in the run's result."""


async def _told(run: Run, store: Store, found: Findings) -> _Told:
    # Of a traced run without ticks they are archived, and with them the causes of its decisions.
    told, ids, ticked, after = _Told(), await _ids_of_switches(run, store), False, 0
    while page := await store.log.read(after_seq=after, run_id=run.id, limit=_PAGE):
        if not after and page[0].type != "run.Created":
            told.fold = None  # archived, in part at least
        for event in page:
            ids.add(event.id)
            if isinstance(event.payload, SplitApplied):
                told.splits.append(change_of(event.payload, event.ts))
            if isinstance(event.payload, CoinFee):
                told.coin_fees.append(event.payload)
            if told.fold is not None:
                told.fold.fold(event)
                if isinstance(event.payload, _ENDINGS):
                    told.at_end = _held(told.fold)
        ticked |= any(isinstance(event.payload, ClockTick) for event in page)
        if told.fold is not None and (ticked or not run.config.trace):
            _check_causes(page, ids, found, run.id)
        after = page[-1].seq
    if not after:
        told.fold = None
    return told


async def _ids_of_switches(run: Run, store: Store) -> set[str]:
    """Return what besides its own events can be the cause of a run's orders: the kill switch of all."""
    ids: set[str] = set()
    after = 0
    while run.config.mode is not RunMode.BACKTEST and (
        page := await store.log.read(after_seq=after, pattern=SwitchThrown.wire, limit=_PAGE)
    ):
        ids.update(event.id for event in page)
        after = page[-1].seq
    return ids


def _check_causes(page: Sequence[Envelope], ids: set[str], found: Findings, run_id: str = "") -> None:
    for event in page:
        cause = event.causation_id
        if cause is None or cause in ids or event.payload.remembered:
            continue  # what is remembered outlives what led to it
        # Ticks and windows are stored by traced runs only; so is what was only announced.
        is_announced = isinstance(event.payload, SubscriberFailed) and not event.payload.event_seq
        if not cause.startswith(f"{run_id}@") and not is_announced:
            found.add("events", f"Event {event.seq} ({event.type}) was caused by {cause}, which is not in the log.")


def _check_orders(orders: Sequence[Order], fills: Sequence[Fill], splits: Sequence[PositionChange], found: Findings) -> None:
    by_order: dict[str, list[Fill]] = {}
    for fill in fills:
        by_order.setdefault(fill.order_id, []).append(fill)
    known = {order.id for order in orders}
    for order in orders:
        filled = _sums(by_order.get(order.id, ()), [split for split in splits if split.symbol == order.request.symbol])
        if order.filled_qty not in filled:
            found.add("orders", f"Order {order.id} says it filled {plain(order.filled_qty)}, and its fills come to {plain(filled[0])}.")
        if order.status is OrderStatus.FILLED and order.filled_qty != order.request.qty:
            found.add("orders", f"Order {order.id} is filled, with {plain(order.filled_qty)} of {plain(order.request.qty)}.")
        if order.parent_id is not None and order.parent_id not in known:
            found.add("orders", f"Order {order.id} hangs on {order.parent_id}, which is not there.")


def _sums(fills: Iterable[Fill], splits: Sequence[PositionChange]) -> list[Decimal]:
    """Return what fills come to: as they are, and in the units of after each split that the order may have worked through."""
    with localcontext(MONEY_CONTEXT):
        parts = [(fill.time_ns, fill.qty) for fill in fills]
        sums = [sum((qty for _, qty in parts), ZERO)]
        for split in splits if parts else ():
            parts = [(time_ns, units_after(qty, split.ratio) if time_ns < split.time_ns else qty) for time_ns, qty in parts]
            sums.append(sum((qty for _, qty in parts), ZERO))
        return sums


def _positions(fills: Sequence[Fill], splits: Sequence[PositionChange], coin_fees: Sequence[CoinFee]) -> dict[str, Decimal]:
    """Return what fills, splits and fees in coin leave, by symbol; what is flat is left out."""
    rows: dict[str, PositionRow] = {}
    waiting = list(splits)
    for fill in fills:
        while waiting and waiting[0].time_ns <= fill.time_ns:
            _split(rows, waiting.pop(0))
        rows[fill.symbol] = (rows.get(fill.symbol) or PositionRow(symbol=fill.symbol)).after(fill)
    for split in waiting:
        _split(rows, split)
    for fee in coin_fees:
        if fee.symbol in rows:
            rows[fee.symbol] = rows[fee.symbol].after_coin_fee(fee.qty, fee.price)
    return {symbol: row.qty for symbol, row in rows.items() if row.qty}


def _split(rows: dict[str, PositionRow], change: PositionChange) -> None:
    if change.symbol in rows:
        rows[change.symbol] = rows[change.symbol].after_split(change)


def _check_told(
    run: Run, fold: RunFold, orders: Sequence[Order], fills: Sequence[Fill], positions: dict[str, Decimal], found: Findings
) -> None:
    if fold.row is not None and fold.row.run.status != run.status:
        found.add("runs", f"Run {run.id} is {run.status}, and its events say {fold.row.run.status}.")
    stored = {order.id: order for order in orders}
    for order_id in sorted(stored.keys() - fold.orders.keys()):
        found.add("orders", f"Order {order_id} of run {run.id} is stored, and no event tells of it.")
    for order_id, told in fold.orders.items():
        row = stored.get(order_id)
        if row is None:
            found.add("orders", f"Order {order_id} of run {run.id} was created by an event, and is not stored.")
        elif (row.status, row.request, row.filled_qty) != (told.status, told.request, told.filled_qty):
            found.add("orders", f"Order {order_id} is stored as {_order_words(row)}, and its events say {_order_words(told)}.")
    by_id, of_events = {fill.id: fill for fill in fills}, {fill.id: fill for fill in fold.fills}
    for fill_id in sorted(by_id.keys() - of_events.keys()):
        found.add("fills", f"Fill {fill_id} of run {run.id} is stored, and no event tells of it.")
    for fill_id, fill in of_events.items():
        if fill_id not in by_id:
            found.add("fills", f"Fill {fill_id} of run {run.id} was told by an event, and is not stored.")
        elif by_id[fill_id] != fill:
            found.add("fills", f"Fill {fill_id} is stored as {_fill_words(by_id[fill_id])}, and its event says {_fill_words(fill)}.")
    held = _held(fold)
    if held != positions:
        found.add("positions", f"The fills of run {run.id} leave {_words(positions)}, and its events leave {_words(held)}.")


def _held(fold: RunFold) -> dict[str, Decimal]:
    return {symbol: row.qty for symbol, row in fold.positions.items() if row.qty}


def _check_result(run: Run, result: RunResult, orders: Sequence[Order], positions: dict[str, Decimal], found: Findings) -> None:
    held = {position.symbol: position.qty for position in result.open_positions if position.qty}
    if held != positions:
        found.add("positions", f"The result of run {run.id} holds {_words(held)}, and its fills leave {_words(positions)}.")
    known = {order.id for order in orders}
    named = {order_id for trade in result.trades for order_id in (trade.entry_order_id, trade.exit_order_id) if order_id}
    for order_id in sorted(named - known):
        found.add("results", f"A trade in the result of run {run.id} names order {order_id}, which is not there.")


def _order_words(order: Order) -> str:
    return f"{order.status}, {request_words(order.request)}, {plain(order.filled_qty)} filled"


def _fill_words(fill: Fill) -> str:
    return f"{fill.side} {plain(fill.qty)} {fill.symbol} at {plain(fill.price)}, fee {plain(fill.fee)}"


def _words(positions: dict[str, Decimal]) -> str:
    return ", ".join(f"{plain(qty)} {symbol}" for symbol, qty in sorted(positions.items())) or "nothing"
