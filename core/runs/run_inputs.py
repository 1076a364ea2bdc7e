"""What a paper or live run was told from outside beside its bars: its replay is told the same.

What a broker or the risk gate refused, splits and dividends of the account, and the bars that were history to the run when they
came: it was interrupted, the machine slept, or the line for bars was cut.
"""

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence, Set
from typing import Any, Final, NamedTuple

import msgspec

from core.backtest.replayed_venue import Refused
from core.clock.calendar import exchange_day
from core.events.envelope import Envelope, Payload
from core.events.live_payloads import BarsPassed, EntryTaken
from core.events.payloads import CancelRequest, OrderReplaceRefused, PlaceRequest, ReplaceRequest, StrategyStateSaved
from core.model.broker_entry import BrokerEntryKind
from core.model.corporate_action import CorporateAction, Dividend, Split, in_order
from core.model.instants import DAY_NS
from core.model.market import asset_class_of
from core.model.order import Order
from core.model.run import Run
from core.ports import EventLog, Store

DECISIONS: Final[tuple[type[Payload], ...]] = (PlaceRequest, CancelRequest, ReplaceRequest)
_AGAIN: Final = re.compile(r"(.+?)(\.again\d*)+")


class Passed(NamedTuple):
    """Bars that were over after `since_ns` and up to `until_ns` came at `known_ns`, and nothing was decided on them.

    `symbols`: theirs; none where they were those of all. `is_restart`: the strategy began anew after them, with `state`, what it had saved.
    """

    since_ns: int
    until_ns: int
    known_ns: int
    symbols: tuple[str, ...]
    is_restart: bool
    state: dict[str, Any] | None


class RunInputs(NamedTuple):
    """Those of one run.

    `refused_changes`: of which order a change was refused that was decided when. `decided`: times at which its strategy asked for
    something, whatever `passed` says. `always_open`: whether its market had no sessions, whatever its symbols are.
    """

    refused: Mapping[str, Refused]
    refused_changes: frozenset[tuple[str, int]]
    actions: Mapping[str, tuple[CorporateAction, ...]]
    passed: tuple[Passed, ...]
    decided: frozenset[int]
    always_open: bool


def first_id(order_id: str) -> str:
    """Return the id of the order that the strategy placed, of it and of every exit that left in its place."""
    again = _AGAIN.fullmatch(order_id)
    return order_id if again is None else again[1]


async def inputs_of(run: Run, store: Store, *, always_open: bool) -> RunInputs:
    """Return what a run that is over was told."""
    orders, decided = await store.runs.orders(run.id), set[int]()
    asked: list[Envelope] = []
    for kind in DECISIONS:
        async for event in _events(store.log, run.id, kind.wire):
            decided.add(event.ts)
            asked += [event] if kind is ReplaceRequest else []
    asked += [event async for event in _events(store.log, run.id, OrderReplaceRefused.wire)]
    return RunInputs(
        refused=refused_of(orders),
        refused_changes=_refused_changes(asked),
        actions=await _actions(store.log, run, {order.account for order in orders}),
        passed=await _passed(store.log, run.id),
        decided=frozenset(decided),
        always_open=always_open,
    )


def refused_of(orders: Sequence[Order]) -> dict[str, Refused]:
    """Return which of a run's own orders were refused whole: none that left in the place of one was taken either."""
    last: dict[str, Order] = {}
    for order in sorted(orders, key=lambda one: (len(one.id), one.id)):  # `.again`, `.again2` … after what they stand for
        last[first_id(order.id)] = order
    taken = {first_id(order.id) for order in orders if order.filled_qty}
    return {
        root: Refused(order.reject_code, order.reason or "")
        for root, order in last.items()
        if order.reject_code is not None and root not in taken
    }


def _refused_changes(events: Iterable[Envelope]) -> frozenset[tuple[str, int]]:
    """Return of which orders changes were refused, with the times at which they had been decided: each the newest before its refusal."""
    asked, refused = dict[str, int](), set[tuple[str, int]]()
    for event in sorted(events, key=lambda one: one.seq):
        payload = event.payload
        if isinstance(payload, ReplaceRequest):
            asked[first_id(payload.order_id)] = event.ts
        elif isinstance(payload, OrderReplaceRefused) and (order_id := first_id(payload.order_id)) in asked:
            refused.add((order_id, asked[order_id]))
    return frozenset(refused)


async def _actions(log: EventLog, run: Run, accounts: Set[str | None]) -> dict[str, tuple[CorporateAction, ...]]:
    """Return the splits and dividends that the account booked while the run had a part in it, whether it held anything or not."""
    found: dict[str, dict[tuple[type, int], CorporateAction]] = {}
    async for event in _events(log, None, EntryTaken.wire):
        one = event.payload
        if not isinstance(one, EntryTaken) or one.rate is None or one.time_ns is None:
            continue
        if one.account not in accounts or one.symbol not in run.config.symbols or not _is_within(run, one.time_ns):
            continue
        day = _day_of(one.symbol, one.time_ns)
        action: CorporateAction
        if not one.is_booked or one.rate <= 0:
            continue  # it was in the books by then, or was taken back
        if one.what == BrokerEntryKind.SPLIT:
            action = Split(symbol=one.symbol, day=day, ratio=one.rate)
        elif one.what == BrokerEntryKind.DIVIDEND:
            earlier = found.get(one.symbol, {}).get((Dividend, day))  # a broker may pay in parts: income, and capital
            amount = one.rate + (earlier.amount if isinstance(earlier, Dividend) else 0)
            action = Dividend(symbol=one.symbol, day=day, amount=amount)
        else:
            continue
        found.setdefault(one.symbol, {})[type(action), day] = action
    return {symbol: in_order(actions.values()) for symbol, actions in found.items()}


def _is_within(run: Run, time_ns: int) -> bool:
    return run.first_bar_ns is not None and run.last_bar_ns is not None and run.first_bar_ns <= time_ns <= run.last_bar_ns


def _day_of(symbol: str, instant_ns: int) -> int:
    """Return the exchange's date at an instant: what happened to a share happened before any bar of that day."""
    if not asset_class_of(symbol).has_sessions:
        return instant_ns // DAY_NS
    return exchange_day(instant_ns)


async def _passed(log: EventLog, run_id: str) -> tuple[Passed, ...]:
    states = [(event.seq, event.payload.state) async for event in _events(log, run_id, StrategyStateSaved.wire)
              if isinstance(event.payload, StrategyStateSaved)]  # fmt: skip
    found = []
    async for event in _events(log, run_id, BarsPassed.wire):
        payload = event.payload
        if isinstance(payload, BarsPassed):
            before = [text for seq, text in states if seq < event.seq]
            state = msgspec.json.decode(before[-1]) if before and payload.is_restart else None
            found.append(Passed(payload.since_ns, payload.until_ns, event.ts, payload.symbols, payload.is_restart, state))
    return tuple(sorted(found, key=lambda one: one.until_ns))


async def _events(log: EventLog, run_id: str | None, wire: str) -> AsyncIterator[Envelope]:
    after = 0
    while page := await log.read(after_seq=after, run_id=run_id, pattern=wire):
        after = page[-1].seq
        for event in page:
            yield event
