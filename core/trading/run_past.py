"""What a run traded at an account: folded from its rows and events, and on from where that was folded before.

Most orders are over and nothing is ever heard of them again: what they came to is in the run's book, and the orders are not
kept. Kept are those that work, those of which the broker may still list something, and those that hang together with one.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from decimal import Decimal
from typing import Final

import msgspec

from core.errors import BugError
from core.events.live_payloads import OrderChangeSent, OrdersLeftTogether
from core.events.payloads import DividendPaid, InterestCharged, OrderReplaced, OrderReplaceRefused, SplitApplied
from core.events.registry import payload_class
from core.matching.holding import Holding
from core.model.account_snapshot import RunEnd
from core.model.market import AssetClass, asset_class_of
from core.model.money import ZERO
from core.model.order import Fill, Order, OrderSide
from core.model.run import Run
from core.ports import RunTail
from core.trading.books import BookChange, RunBook, merged
from core.trading.changes import number_of
from core.trading.order_fold import OrderLife, revived
from core.trading.parts import Change
from core.trading.split_orders import split_change

VERSION: Final = 2
"""Of the way a run is folded: what an earlier way left is not gone on with."""

PAST_TYPES: Final = tuple(
    kind.wire
    for kind in (SplitApplied, DividendPaid, InterestCharged, OrdersLeftTogether, OrderChangeSent, OrderReplaced, OrderReplaceRefused)
)
"""What a run's past is made of beside its rows."""


class Changes(msgspec.Struct, frozen=True):
    """The changes of one order, as the log has them; `at`: the last that was made, `over`: how many units it was over then.

    `splits`: how many it went through.
    """

    changes: tuple[Change, ...] = ()
    at: int = 0
    over: Decimal = ZERO
    splits: int = 0

    def sent(self, payload: OrderChangeSent) -> "Changes":
        """Return them with one more."""
        return msgspec.structs.replace(self, changes=(*self.changes, Change(qty=payload.qty)))

    def settled(self, payload: OrderReplaced | OrderReplaceRefused) -> "Changes":
        """Return them with what became of one."""
        number, is_made = number_of(payload.client_order_id or ""), isinstance(payload, OrderReplaced)
        changes, at, over, splits = list(self.changes), self.at, self.over, self.splits
        if isinstance(payload, OrderReplaced):
            at = max(at, number)
            if payload.filled_qty is not None and over:  # a split: what was asked for is in the units of before
                after, ratio = payload.request.qty, payload.request.qty / over
                changes = [split_change(one, ratio, over, after) for one in changes]
            over = payload.request.qty
            splits += payload.filled_qty is not None
        if 0 < number <= len(changes):
            changes[number - 1] = msgspec.structs.replace(changes[number - 1], is_refused=not is_made)
        return Changes(tuple(changes), at, over, splits)


class HeldSum(msgspec.Struct, frozen=True):
    """What is held of one symbol; see `core.matching.holding`."""

    qty: Decimal
    cost: Decimal
    realised: Decimal


class BookSum(msgspec.Struct, frozen=True):
    """What a run's book has come to; see `core.trading.books.RunBook`."""

    cash: Decimal
    fees: Decimal
    holdings: dict[str, HeldSum]
    splits: dict[str, list[tuple[int, Decimal]]]


class RunSum(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is stored of a run's past at an account, up to where the run ended then. `book` None: it has no order there."""

    run_id: str
    end: RunEnd
    book: BookSum | None = None
    last_fill_ns: int = 0
    last_change_ns: int = 0
    is_partial: bool = False
    """Whether it has orders that are not among the kept ones."""
    kept: tuple[str, ...] = ()
    """Ids of the orders that are kept."""
    fills: tuple[Fill, ...] = ()
    """Those of the kept orders."""
    changes: dict[str, Changes] = {}
    together: tuple[tuple[str, ...], ...] = ()


class RunPast:
    """Takes a run's tail: all of it, or what is new since a sum of it was made."""

    def __init__(self, run: Run, account: str, before: RunSum | None = None) -> None:
        self.run: Final = run
        self._account = account
        self._is_whole = before is None
        self._before = before or RunSum(run_id=run.id, end=RunEnd())
        self._end = self._before.end
        self.book: Final = _book_of(run, self._before.book)
        self._orders: dict[str, Order] = {}
        self._fills: dict[str, list[Fill]] = {}
        for fill in self._before.fills:
            self._fills.setdefault(fill.order_id, []).append(fill)
        self._changes = dict(self._before.changes)
        self.together: list[tuple[str, ...]] = list(self._before.together)
        self._last_fill_ns, self._last_change_ns = self._before.last_fill_ns, self._before.last_change_ns
        self._is_mixed = False

    @property
    def has_orders(self) -> bool:
        """Whether the run traded at the account."""
        return bool(self._orders) or self._before.book is not None

    def follows(self, tail: RunTail) -> bool:
        """Tell whether the sum can be gone on with: all that is new comes after what is in it, and is of the same account."""
        known = set(self._before.kept)
        if any((order.account == self._account) is (self._before.book is None) for _, order in tail.orders if order.id not in known):
            return False
        if tail.end.orders < self._end.orders or tail.end.fills < self._end.fills or not known <= {order.id for _, order in tail.orders}:
            return False  # rows are gone
        fill_ns = min((fill.time_ns for _, fill in tail.fills), default=None)
        change_ns = min((time_ns for time_ns, _ in changes_in(tail)), default=None)
        is_after = fill_ns is None or (fill_ns >= self._last_fill_ns and fill_ns > self._last_change_ns)
        return is_after and (change_ns is None or change_ns >= max(self._last_fill_ns, self._last_change_ns))

    def take(self, tail: RunTail) -> None:
        """Take what there is: fills and what else changed the book in the order of their times."""
        for event in tail.events:
            payload = event.payload
            if isinstance(payload, OrderChangeSent):
                self._changes[payload.order_id] = self._changes.get(payload.order_id, Changes()).sent(payload)
            elif isinstance(payload, OrderReplaced | OrderReplaceRefused) and payload.order_id in self._changes:
                self._changes[payload.order_id] = self._changes[payload.order_id].settled(payload)
            elif isinstance(payload, OrdersLeftTogether):
                self.together.append((payload.order_id, *payload.others))
        self._orders = {order.id: order for _, order in sorted(tail.orders, key=lambda one: one[0]) if order.account == self._account}
        self._is_mixed = len(self._orders) < len(tail.orders)
        self._end = tail.end
        if not self.has_orders:
            return
        fills = [fill for _, fill in tail.fills if not self._is_whole or fill.order_id in self._orders]
        for fill in fills:
            self._fills.setdefault(fill.order_id, []).append(fill)
            self._last_fill_ns = max(self._last_fill_ns, fill.time_ns)
        changes = changes_in(tail)
        for time_ns, one in merged(fills, changes):
            self.book.take(one, time_ns)
        self._last_change_ns = max([self._last_change_ns, *(time_ns for time_ns, _ in changes)])

    def buys_coins(self) -> bool:
        """Tell whether an order bought a coin."""
        return any(
            order.request.side is OrderSide.BUY and asset_class_of(order.request.symbol) is AssetClass.CRYPTO
            for order in self._orders.values()
        )

    def kept(self, near_ns: int | None) -> dict[str, OrderLife]:
        """Return the orders to keep. `near_ns`: of those that are over the ones that changed since then; None: all."""
        if near_ns is None:
            wanted: Set[str] = self._orders.keys()
        else:
            wanted = {each for each, order in self._orders.items() if self._matters(order, near_ns)}
            for ids in self.together:
                if not wanted.isdisjoint(ids):
                    wanted |= set(ids)
            wanted |= {other for each in wanted & self._orders.keys() for other in _relatives(self._orders[each])}
        return {each: self._life(order) for each, order in self._orders.items() if each in wanted}

    def sum(self, kept: Iterable[str]) -> RunSum | None:
        """Return what is to be stored, with the ids of the orders that are kept; None for a run of which that cannot be made."""
        if not self.has_orders:
            return RunSum(run_id=self.run.id, end=self._end)
        if self._is_mixed:
            return None
        ids = dict.fromkeys(kept)
        return RunSum(
            run_id=self.run.id,
            end=self._end,
            book=_sum_of(self.book),
            last_fill_ns=self._last_fill_ns,
            last_change_ns=self._last_change_ns,
            is_partial=self._before.is_partial or len(ids) < len(self._orders),
            kept=tuple(ids),
            fills=tuple(fill for each in ids for fill in self._fills.get(each, ())),
            changes={each: changes for each, changes in self._changes.items() if each in ids},
            together=tuple(group for group in self.together if not ids.keys().isdisjoint(group)),
        )

    def _matters(self, order: Order, near_ns: int) -> bool:
        if not order.status.is_final or order.updated_ns >= near_ns:
            return True
        return order.id in self._changes and self._life(order).changing is not None

    def _life(self, order: Order) -> OrderLife:
        changes = self._changes.get(order.id, Changes())
        since = [one for one in self.book.splits.get(order.request.symbol, ()) if one[0] >= order.created_ns]
        return revived(order, tuple(self._fills.get(order.id, ())), changes.changes, changes.at, tuple(since[: changes.splits]))


def changes_in(tail: RunTail) -> list[tuple[int, BookChange]]:
    """Return what changed a run's money or units without a fill, and when, UTC ns: oldest first."""
    found = []
    for event in tail.events:
        payload = event.payload
        if isinstance(payload, BookChange):
            happened_ns = payload.time_ns if isinstance(payload, SplitApplied) else None
            found.append((event.ts if happened_ns is None else happened_ns, event.seq, payload))
    return [(time_ns, payload) for time_ns, _, payload in sorted(found, key=lambda one: one[:2])]


def check_remembered(types: Sequence[str]) -> None:
    """Raise BugError for a type of which an archive may have taken some."""
    for wire in types:
        if not payload_class(wire).remembered:
            raise BugError(f"Events of type {wire} may have been archived, and an account is not made of them.")


def _relatives(order: Order) -> Iterable[str]:
    return (each for each in (order.parent_id, order.sibling_id) if each is not None)


def _book_of(run: Run, before: BookSum | None) -> RunBook:
    book = RunBook(run.config.cash, run.config.limits)
    if before is not None:
        book.cash, book.fees = before.cash, before.fees
        book.holdings = {symbol: Holding(one.qty, one.cost, one.realised) for symbol, one in before.holdings.items()}
        book.splits = {symbol: list(splits) for symbol, splits in before.splits.items()}
    return book


def _sum_of(book: RunBook) -> BookSum:
    holdings = {symbol: HeldSum(one.qty, one.cost, one.realised) for symbol, one in book.holdings.items()}
    return BookSum(book.cash, book.fees, holdings, {symbol: list(splits) for symbol, splits in book.splits.items()})


def read_sums(body: str) -> Mapping[str, RunSum]:
    """Return what `write_sums` wrote, by run. Raises msgspec's errors for what is none."""
    return {one.run_id: one for one in msgspec.json.decode(body, type=tuple[RunSum, ...])}


def write_sums(sums: Iterable[RunSum]) -> str:
    """Return sums as a text."""
    return msgspec.json.encode(tuple(sums)).decode()
