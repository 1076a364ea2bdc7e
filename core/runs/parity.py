"""Replays the bars that a paper or live run saw through Greta, and compares decision by decision, then fill by fill."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from core.errors import InputError, KnownError, NoBars, RunError, StrategyBroken
from core.events.envelope import Envelope
from core.events.payloads import PlaceRequest
from core.model.instants import SECOND_NS, iso
from core.model.money import ZERO, plain, to_float
from core.model.order import Fill, Order, OrderType
from core.model.parity import Parity
from core.model.run import Run, RunMode, RunStatus
from core.model.verification import Difference
from core.ports import Store
from core.runs.kept_rows import KeptRows
from core.runs.manager import RunManager
from core.runs.run_inputs import DECISIONS, first_id

_PAGE: Final = 5_000


async def parity_of(run_id: str, *, runs: RunManager, store: Store) -> Parity:
    """Replay a run that is over and compare. Raises RunError for a backtest, one that goes on, or one that never began."""
    run = await runs.get(run_id)
    if run.config.mode is RunMode.BACKTEST:
        raise RunError(f"Run {run.id} is a backtest.", f"Repeat it with `weaver runs verify {run.id}`.")
    if not run.status.is_final or run.manifest is None or run.first_bar_ns is None:
        raise RunError(f"Run {run.id} is {run.status} and cannot be compared.", "Only a run that began and is over can be.")
    told = Parity(run_id=run.id)
    info = runs.strategy_of(run)
    if info.sha256 != run.manifest.strategy_sha256:
        sentence = f"The strategy's file has changed since: {run.config.strategy_id} is no longer the code that was run."
        cause = Difference(what="strategy", then=run.manifest.strategy_sha256, now=info.sha256, sentence=sentence)
        return msgspec.structs.replace(told, causes=(cause,))
    rows = KeptRows(*DECISIONS)
    try:
        work = await runs.works.replay(run, rows)
    except (InputError, NoBars, StrategyBroken) as error:
        return msgspec.structs.replace(told, causes=(_gone(run.id, error),))
    try:
        try:
            await work.load()
        except (NoBars, StrategyBroken) as error:
            return msgspec.structs.replace(told, causes=(_gone(run.id, error),))
        try:
            await work.drive(lambda: None, lambda _work: None)
        except KnownError as error:
            if error.code != run.error_code:  # it ended as the run did: then all before that is compared
                return msgspec.structs.replace(told, causes=(_gone(run.id, error),))
        await work.commit(lambda _work: None)
        replayed_fills, replayed_orders = rows.fills, rows.orders
        told = msgspec.structs.replace(told, matched_on=work.matched_on)
    finally:
        await work.close()
    ours = await _decisions(run, store)
    theirs = _until_the_end(run, ours, rows.events)
    told = _compared(told, ours, theirs)
    fills, orders = await store.runs.fills(run.id), await store.runs.orders(run.id)
    told = msgspec.structs.replace(told, fills=len(fills), replayed_fills=len(replayed_fills))
    return measured(told, orders, fills, replayed_orders, run.last_bar_ns)


async def _decisions(run: Run, store: Store) -> list[Envelope]:
    """Return what the run's strategy asked for, oldest first."""
    found: list[Envelope] = []
    after = 0
    while page := await store.log.read(after_seq=after, run_id=run.id, pattern="strategy.*", limit=_PAGE):
        after = page[-1].seq
        found += [event for event in page if isinstance(event.payload, DECISIONS)]
    return found


def _until_the_end(run: Run, ours: Sequence[Envelope], theirs: Sequence[Envelope]) -> list[Envelope]:
    """Leave out what is decided at the last bar of a run that was cut short: whether it got so far is chance."""
    if run.status is RunStatus.COMPLETED or run.last_bar_ns is None:
        return list(theirs)
    last_ns = max((event.ts for event in ours), default=0)
    return [event for event in theirs if event.ts < run.last_bar_ns or event.ts <= last_ns]


def _compared(told: Parity, ours: Sequence[Envelope], theirs: Sequence[Envelope]) -> Parity:
    same = 0
    while same < min(len(ours), len(theirs)) and _is_same(ours[same], theirs[same]):
        same += 1
    divergence = None
    if same < max(len(ours), len(theirs)):
        then = _words(ours[same]) if same < len(ours) else "nothing more"
        now = _words(theirs[same]) if same < len(theirs) else "nothing more"
        sentence = f"Decision {same + 1} is not the same. The run: {then}. Greta: {now}."
        divergence = Difference(what="decision", then=then, now=now, sentence=sentence)
    return msgspec.structs.replace(told, decisions=len(ours), replayed=len(theirs), same=same, divergence=divergence)


def measured(
    told: Parity, orders: Sequence[Order], fills: Sequence[Fill], replayed: Mapping[str, Order], last_bar_ns: int | None = None
) -> Parity:
    """Add where the fills part, and slippage and delay over the orders that filled in both.

    What filled after `last_bar_ns` had no bar to fill on with Greta, and is not held against either. An exit that left again under
    another id is one order with what it stands for, as it is to Greta.
    """
    last_fill = {fill.order_id: fill.time_ns for fill in sorted(fills, key=lambda fill: fill.time_ns)}
    together: dict[str, list[Order]] = {}
    for order in sorted(orders, key=lambda one: (one.created_ns, one.id)):
        together.setdefault(first_id(order.id), []).append(order)
    slippage, delays = [], []
    divergence = None
    for order_id, parts in together.items():
        again = replayed.get(order_id)
        filled = [part for part in parts if part.filled_qty and part.avg_fill_price is not None]
        if again is None:
            continue  # the strategy did not place it: by hand, or by the kill switch
        qty, money = sum((part.filled_qty for part in filled), ZERO), ZERO
        for part in filled:
            money += part.filled_qty * (part.avg_fill_price or ZERO)
        is_over = last_bar_ns is None or all(last_fill.get(part.id, 0) <= last_bar_ns for part in parts)
        if qty != again.filled_qty and divergence is None and is_over:
            divergence = _fill_difference(parts[0], qty, money, again)
        if not qty or not again.filled_qty or again.avg_fill_price is None:
            continue
        cost = (money / qty - again.avg_fill_price) * again.request.side.sign / again.avg_fill_price
        slippage.append(to_float(cost) * 10_000)
        if parts[0].request.type is not OrderType.MARKET or parts[0].request.is_auction:
            continue  # how long it waited for its price, or its auction, is nobody's delay
        delays.append((max(last_fill[part.id] for part in filled if part.id in last_fill) - parts[0].created_ns) / SECOND_NS)
    told = msgspec.structs.replace(told, fill_divergence=divergence)
    if not slippage:
        return told
    return msgspec.structs.replace(
        told,
        compared_fills=len(slippage),
        slippage_bps=sum(slippage) / len(slippage),
        worst_slippage_bps=max(slippage),
        delay_s=sum(delays) / len(delays) if delays else None,
        worst_delay_s=max(delays, default=None),
    )


def _fill_difference(order: Order, qty: Decimal, money: Decimal, again: Order) -> Difference:
    then = f"{plain(qty)} at {plain(round(money / qty, 6).normalize())}" if qty else "nothing"
    now = f"{plain(again.filled_qty)} at {plain(again.avg_fill_price)}" if again.avg_fill_price is not None else "nothing"
    sentence = f"Order {order.id} ({order.request.side} {order.request.symbol}) did not fill alike. The run: {then}. Greta: {now}."
    return Difference(what="fill", then=then, now=now, sentence=sentence)


def _is_same(one: Envelope, other: Envelope) -> bool:
    mine, yours = one.payload, other.payload
    if isinstance(mine, PlaceRequest) and isinstance(yours, PlaceRequest):
        # The name of an order decides nothing, and Greta does not keep that of a plain one. What is asked for at the beginning is
        # asked on no bar, and a live run has a history by then.
        seen = {} if yours.bar_start_ns is not None else {"bar_start_ns": None, "close": None}
        mine, yours = msgspec.structs.replace(mine, ref=None, **seen), msgspec.structs.replace(yours, ref=None)
    return one.ts == other.ts and mine == yours


def _words(event: Envelope) -> str:
    payload = event.payload
    at = f"at {iso(event.ts)}"
    if isinstance(payload, PlaceRequest):
        request = payload.request
        return f"{request.side} {request.qty} {request.symbol} {request.type} {at}, on a close of {payload.close}"
    return f"{payload.wire.partition('.')[2]} of order {getattr(payload, 'order_id', '')} {at}"


def _gone(run_id: str, error: KnownError) -> Difference:
    if isinstance(error, NoBars):
        return Difference(
            what="bars", then="there", now="not there", sentence=f"The bars that run {run_id} saw are not stored, or it saw none."
        )
    what = "strategy" if isinstance(error, StrategyBroken) else "run"
    return Difference(what=what, then="there", now="not there", sentence=str(error))
