"""Our orders, fills and positions beside the broker's: what differs, why, and what heals it. Pure.

The broker is the truth. Its own lists can lag behind one another by seconds: what may only be lag is waited for first.
Source: docs/live-trading.md, "Reconciliation".
"""

from collections.abc import Mapping, Sequence, Set
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from core.model.broker import BrokerOrder, Execution
from core.model.instants import SECOND_NS
from core.model.money import ZERO, plain
from core.model.order import Order, OrderStatus
from core.trading.changes import number_of, own_id
from core.trading.coin_fees import CoinBuy, CoinCharge, charges
from core.trading.order_fold import OrderLife, heard

SETTLE_NS: Final = 10 * SECOND_NS
"""How long the broker's lists may contradict one another, or lack what was just sent, before it counts."""


FEE_SETTLE_NS: Final = SECOND_NS
"""The same for what looks like a fee in coin: little is lost when it was lag, for it is given back then."""


class Kind(StrEnum):
    """What differs. Stable."""

    MISSED_FILL = "missed_fill"
    """The broker executed a part of our order that we had not heard of."""
    MISSED_NEWS = "missed_news"
    """Our order is in another state at the broker than we had heard."""
    GHOST_ORDER = "ghost_order"
    """We hold an order as working that the broker never had."""
    STRAY_ORDER = "stray_order"
    """An order of ours that we hold as over works at the broker."""
    STRANGE_ORDER = "strange_order"
    """An order of the account that is not ours."""
    STRANGE_FILL = "strange_fill"
    """An execution of an order that is not ours."""
    LIQUIDATION = "liquidation"
    """The broker closed a part of a position by an order of its own."""
    FILL_WITHOUT_DETAILS = "fill_without_details"
    """The broker says that more is filled than it has executions for."""
    COIN_FEE = "coin_fee"
    """Of a bought coin a little less is held: the broker took its fee from it."""
    POSITION = "position"
    """All fills together do not make up what the account holds."""


class Healing(StrEnum):
    """What is done about a difference."""

    BOOK = "book"
    FOLD = "fold"
    CLOSE = "close"
    CANCEL = "cancel"
    ADOPT = "adopt"
    WAIT = "wait"
    """It may be the broker's lag; it is looked at again."""
    STOP = "stop"
    """Nothing heals it: the runs concerned are stopped."""
    ACCEPT = "accept"
    """Nothing else heals it, and a person takes it as the broker has it."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A difference, with the reason in words. `key` is the same whenever the same thing differs."""

    kind: Kind
    healing: Healing
    key: str
    symbol: str
    reason: str
    order_id: str | None = None
    order: BrokerOrder | None = None
    execution: Execution | None = None
    charges: tuple[CoinCharge, ...] = ()
    qty: Decimal = ZERO
    """Units that the broker has more than we know of."""


class Ours(msgspec.Struct, frozen=True, kw_only=True):
    """What we know. `lives`: by client order id, those that work and those that ended lately. `positions`: of all our fills.

    `outside`: units of the account that no order of ours bought. `known_outside`: executions counted in it. `adopted`:
    strange orders that are known. `in_flight`: orders whose answer is still awaited.
    `coin_buys`: by symbol, fills whose fee may be taken from the coin. `accepted`: by order, units that are filled at the broker and
    whose executions nobody waits for.
    """

    lives: Mapping[str, OrderLife]
    positions: Mapping[str, Decimal]
    outside: Mapping[str, Decimal] = {}
    known_outside: Set[str] = frozenset()
    adopted: Set[str] = frozenset()
    in_flight: Set[str] = frozenset()
    coin_buys: Mapping[str, Sequence[CoinBuy]] = {}
    accepted: Mapping[str, Decimal] = {}
    executed: Mapping[str, str] = {}
    """Our orders, by the ids of the broker's that are executed: also those that a change replaced, and that it lists no more."""


class Theirs(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker says: orders that work and that were submitted since our oldest working one; executions since then.

    `asked_ns`: when it was asked first, by our clock: what happened to us since then may not be in it.
    """

    asked_ns: int
    orders: tuple[BrokerOrder, ...]
    executions: tuple[Execution, ...]
    positions: Mapping[str, Decimal]


def compare(
    ours: Ours, theirs: Theirs, now_ns: int, *, since: Mapping[str, int] | None = None, settle_ns: int = SETTLE_NS
) -> tuple[Difference, ...]:
    """Return what differs, in the order in which to heal it. `since`: when each key was first met, by the same clock as `now_ns`."""
    seen = since or {}
    orders: dict[str, list[BrokerOrder]] = {}
    for order in theirs.orders:
        orders.setdefault(own_id(order.client_order_id), []).append(order)
    by_broker_id = {**ours.executed, **{order.id: own_id(order.client_order_id) for order in theirs.orders}}
    by_broker_id |= {life.order.broker_id: order_id for order_id, life in ours.lives.items() if life.order.broker_id is not None}
    found: list[Difference] = []
    # What a change made of an order comes first: an execution of the new part is only then understood.
    for order_id, parts in orders.items():
        life = ours.lives.get(order_id)
        if life is not None and (len(parts) > 1 or life.changes):
            _parts(life, parts, theirs.asked_ns, found)
    missed = _executions(ours, theirs, by_broker_id, found)
    for order_id, parts in orders.items():
        life = ours.lives.get(order_id)
        if life is None:
            found += [_strange(order) for order in parts if order.id not in ours.adopted]
            continue
        is_old = _is_old(f"details:{life.order.id}", seen, now_ns, settle_ns)
        explained = missed.get(order_id, ZERO) + ours.accepted.get(order_id, ZERO)
        if len(parts) == 1 and not life.changes:
            _order(life, parts[0], explained, found, is_old, theirs.asked_ns)
        else:
            _details(life, parts[-1], sum((part.filled_qty for part in parts), ZERO), explained, found, is_old)
    for order_id, life in ours.lives.items():
        if not life.order.status.is_final and order_id not in orders and order_id not in ours.in_flight:
            found.append(_ghost(life, is_old=theirs.asked_ns - life.order.updated_ns >= settle_ns))
    found += _positions(ours, theirs, missed, by_broker_id, seen, now_ns, settle_ns)
    return tuple(found)


def _executions(ours: Ours, theirs: Theirs, by_broker_id: Mapping[str, str], found: list[Difference]) -> dict[str, Decimal]:
    """Add the executions that nobody had heard of; return what they add to each of our orders."""
    missed: dict[str, Decimal] = {}
    liquidating = {order.id for order in theirs.orders if order.liquidates}
    done: set[str] = set()
    booked: dict[str, set[str]] = {}
    for execution in sorted(theirs.executions, key=lambda one: (one.time_ns, one.cum_qty)):
        if execution.id in done:
            continue
        done.add(execution.id)
        order_id = by_broker_id.get(execution.order_id, "")
        life = ours.lives.get(order_id)
        what = f"{execution.side} {plain(execution.qty)} {execution.symbol} at {plain(execution.price)}"
        if life is not None:
            if order_id not in booked:
                booked[order_id] = {fill.id.partition("/")[2] for fill in life.fills}
            if execution.id not in booked[order_id]:
                missed[order_id] = missed.get(order_id, ZERO) + execution.qty
                found.append(
                    Difference(
                        kind=Kind.MISSED_FILL,
                        healing=Healing.BOOK,
                        key=f"fill:{execution.id}",
                        symbol=life.order.request.symbol,
                        reason=f"The broker executed {what}, and it had not been heard of.",
                        order_id=order_id,
                        execution=execution,
                    )
                )
        elif execution.id not in ours.known_outside:
            closes = execution.order_id in liquidating
            who = "After a margin call the broker" if closes else "Somebody else's order"
            found.append(
                Difference(
                    kind=Kind.LIQUIDATION if closes else Kind.STRANGE_FILL,
                    healing=Healing.BOOK if closes else Healing.ADOPT,
                    key=f"outside:{execution.id}",
                    symbol=execution.symbol,
                    reason=f"{who} executed {what}.",
                    execution=execution,
                )
            )
    return missed


def _parts(life: OrderLife, parts: list[BrokerOrder], asked_ns: int, found: list[Difference]) -> None:
    """Add what is news of an order whose terms were changed: all its parts are heard then, for only together they say what it is."""
    ours, after, told = life.order, life, 0
    in_order = sorted(parts, key=lambda one: number_of(one.client_order_id))
    for part in in_order:
        step = heard(after, part, asked_ns)
        after, told = step.life, told + len(step.told)
    is_news = bool(told) or after.order != ours or after.broker_qty > life.broker_qty or after.over_qty < life.over_qty
    for part in in_order:
        if ours.status.is_final and not part.status.is_final:
            if ours.updated_ns < asked_ns:
                found.append(_stray(ours, part))
        elif is_news:
            found.append(
                Difference(
                    kind=Kind.MISSED_NEWS,
                    healing=Healing.FOLD,
                    key=f"news:{part.client_order_id}",
                    symbol=ours.request.symbol,
                    reason=f"Order {part.client_order_id} is {part.broker_status} at the broker.",
                    order_id=ours.id,
                    order=part,
                )
            )


def _order(life: OrderLife, order: BrokerOrder, missed: Decimal, found: list[Difference], is_old: bool, asked_ns: int) -> None:
    ours, symbol = life.order, life.order.request.symbol
    _details(life, order, order.filled_qty, missed, found, is_old)
    is_news = ours.updated_ns >= asked_ns  # what the broker said is older than what we know
    if ours.status.is_final and not order.status.is_final and ours.status is not OrderStatus.FILLED and not is_news:
        found.append(_stray(ours, order))
    elif not ours.status.is_final and _differs(life, order, missed):
        now, before = f"{order.broker_status}", f"{ours.status}"
        if order.qty is not None and _is_made_smaller(life, order):
            now, before = f"{now} over {plain(order.qty)}", f"{before} over {plain(life.over_qty)}"
        found.append(
            Difference(
                kind=Kind.MISSED_NEWS,
                healing=Healing.FOLD,
                key=f"news:{ours.id}",
                symbol=symbol,
                reason=f"Order {ours.id} is {now} at the broker and was {before} here.",
                order_id=ours.id,
                order=order,
            )
        )


def _stray(ours: Order, order: BrokerOrder) -> Difference:
    return Difference(
        kind=Kind.STRAY_ORDER,
        healing=Healing.CANCEL,
        key=f"stray:{order.client_order_id}",
        symbol=ours.request.symbol,
        reason=f"Order {ours.id} is {ours.status} here and {order.broker_status} at the broker.",
        order_id=ours.id,
        order=order,
    )


def _details(life: OrderLife, order: BrokerOrder, filled: Decimal, missed: Decimal, found: list[Difference], is_old: bool) -> None:
    """Add that the broker speaks of more than there are executions of."""
    ours, symbol = life.order, life.order.request.symbol
    if filled > ours.filled_qty + missed:
        gap = filled - ours.filled_qty - missed
        found.append(
            Difference(
                kind=Kind.FILL_WITHOUT_DETAILS,
                healing=Healing.STOP if is_old else Healing.WAIT,
                key=f"details:{ours.id}",
                symbol=symbol,
                reason=f"The broker says that {plain(gap)} {symbol} more of order {ours.id} are filled, and has no executions of them.",
                order_id=ours.id,
                order=order,
                qty=gap,
            )
        )


def _differs(life: OrderLife, order: BrokerOrder, missed: Decimal) -> bool:
    """Tell whether the broker's state is news: one that ended, or one that it took while we did not know that it had."""
    ended = order.status.is_final and order.status is not OrderStatus.FILLED
    is_smaller = order.status is OrderStatus.FILLED and (
        order.filled_qty == life.order.filled_qty + missed < life.order.request.qty or bool(life.accepted_qty)
    )
    is_new = life.order.status is OrderStatus.SUBMITTING or life.order.broker_id is None
    return ended or is_smaller or is_new or _is_made_smaller(life, order)


def _is_made_smaller(life: OrderLife, order: BrokerOrder) -> bool:
    """Tell whether the broker took units off an exit that works, and that was not heard: after a restart it is not."""
    return heard(life, order, life.order.updated_ns).life.over_qty < life.over_qty


def _ghost(life: OrderLife, *, is_old: bool) -> Difference:
    ours = life.order
    waiting = "" if is_old else " It was sent a moment ago."
    return Difference(
        kind=Kind.GHOST_ORDER,
        healing=Healing.CLOSE if is_old else Healing.WAIT,
        key=f"ghost:{ours.id}",
        symbol=ours.request.symbol,
        reason=f"The broker does not have order {ours.id}, which was {ours.status} here.{waiting}",
        order_id=ours.id,
    )


def _strange(order: BrokerOrder) -> Difference:
    return Difference(
        kind=Kind.STRANGE_ORDER,
        healing=Healing.ADOPT,
        key=f"strange:{order.id}",
        symbol=order.symbol,
        reason=f"The account has an order that is not ours: {order.side or '?'} {order.symbol}, {order.broker_status}.",
        order=order,
    )


def moving(ours: Ours, theirs: Theirs) -> set[str]:
    """Return the symbols in which something happened while the broker was asked: of these nothing can be said now."""
    return {life.order.request.symbol for life in ours.lives.values() if life.order.updated_ns >= theirs.asked_ns}


def _positions(
    ours: Ours,
    theirs: Theirs,
    missed: Mapping[str, Decimal],
    by_broker_id: Mapping[str, str],
    seen: Mapping[str, int],
    now_ns: int,
    settle_ns: int,
) -> list[Difference]:
    """Return the positions that do not add up once all the executions are booked."""
    expected = {symbol: ours.positions.get(symbol, ZERO) + ours.outside.get(symbol, ZERO) for symbol in {*ours.positions, *ours.outside}}
    for order_id, qty in missed.items():
        request = ours.lives[order_id].order.request
        expected[request.symbol] = expected.get(request.symbol, ZERO) + qty * request.side.sign
    counted: set[str] = set()
    for execution in theirs.executions:
        is_strange = by_broker_id.get(execution.order_id, "") not in ours.lives
        if is_strange and execution.id not in ours.known_outside and execution.id not in counted:
            counted.add(execution.id)
            expected[execution.symbol] = expected.get(execution.symbol, ZERO) + execution.qty * execution.side.sign
    # A symbol in which something happened while the broker was asked is looked at the next time.
    found = []
    for symbol in sorted({*expected, *theirs.positions} - moving(ours, theirs)):
        want, has = expected.get(symbol, ZERO), theirs.positions.get(symbol, ZERO)
        if want != has:
            key = f"position:{symbol}:{plain(has - want)}"
            fees = charges(want - has, ours.coin_buys.get(symbol, ()))
            if fees:
                found.append(_coin_fee(symbol, fees, is_old=_is_old(key, seen, now_ns, min(settle_ns, FEE_SETTLE_NS)), key=key))
                continue
            old = _is_old(key, seen, now_ns, settle_ns)
            found.append(
                Difference(
                    kind=Kind.POSITION,
                    healing=Healing.STOP if old else Healing.WAIT,
                    key=key,
                    symbol=symbol,
                    reason=f"The account holds {plain(has)} {symbol}, and all fills together make {plain(want)}.",
                    qty=has - want,
                )
            )
    return found


def _coin_fee(symbol: str, fees: tuple[CoinCharge, ...], *, is_old: bool, key: str) -> Difference:
    qty = sum((fee.qty for fee in fees), ZERO)
    taken = (
        f"took {plain(qty)} {symbol} as the fee of what was bought"
        if qty > 0
        else f"took {plain(-qty)} {symbol} less of fees than was booked"
    )
    return Difference(
        kind=Kind.COIN_FEE,
        healing=Healing.BOOK if is_old else Healing.WAIT,
        key=key,
        symbol=symbol,
        reason=f"The broker {taken}.",
        charges=fees,
    )


def _is_old(key: str, seen: Mapping[str, int], now_ns: int, settle_ns: int) -> bool:
    return key in seen and now_ns - seen[key] >= settle_ns
