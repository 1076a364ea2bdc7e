"""Everything that is known of an account now, and the one way to change it: commit first, then know it."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from decimal import Decimal, localcontext
from functools import partial
from types import MappingProxyType
from typing import Final, Protocol
from uuid import uuid4

import msgspec

from core.errors import KnownError
from core.events.live_payloads import AccountAdopted, CoinFee, DifferenceAccepted, EntryTaken, EquityMarked, OutsideFilled
from core.model.broker import Account, Features
from core.model.corporate_action import price_after
from core.model.desk import Lease
from core.model.instants import DAY_NS, MINUTE_NS, SECOND_NS
from core.model.market import AssetClass, asset_class_of
from core.model.money import MONEY_CONTEXT, ZERO
from core.model.order import Fill, Order, OrderRequest, OrderSide, OrderStatus
from core.model.risk import RiskLimits, SwitchLevel
from core.ports import Clock, Rows
from core.trading.books import RunBook, note_sent, still_open
from core.trading.changes import own_id
from core.trading.coin_fees import CoinBuy
from core.trading.entries import Causes, Entry
from core.trading.feed import Feed
from core.trading.losses import Losses, LossMark
from core.trading.order_fold import OrderLife
from core.trading.risk import Own, Sent, Situation
from core.trading.turn import Turn
from core.trading.working import beside, once

FEE_COMES_NS: Final = 15 * SECOND_NS
"""How long a fee in coin may take; what is not taken by then is not waited for."""

LATE_NS: Final = 30 * SECOND_NS
"""How long an order may wait, from its decision, and leaves all the same: for the store, and while the machine sleeps. Exits leave
however late."""

_CLOSER: Final = "-k"
_NOTHING: Final[Mapping[str, Decimal]] = MappingProxyType({})

OnChange = Callable[[], None]
OnStop = Callable[[KnownError], None]


class Waiting(Protocol):
    """Orders of a run that have not left yet."""

    def waiting_orders(self) -> list[Order]:
        """Return them."""
        ...

    def change(self, order_id: str, request: OrderRequest) -> None:
        """Give one of them other terms."""
        ...

    def pair(self, first_id: str, second_id: str) -> None:
        """Note that of two orders, which have left, one cancels the other."""
        ...


class Seat:
    """A run that trades here now. `changed` is called when one of its orders did; `stop` ends it with an error.

    `feed`: its market, and `waiting`: its orders that wait, where the run minds them. `lease`: what its desk holds while it has
    the run: without it no order of the run is committed, whoever has the account.
    """

    def __init__(
        self, changed: OnChange, stop: OnStop, feed: Feed | None = None, waiting: Waiting | None = None, lease: Lease | None = None
    ) -> None:
        self.changed = changed
        self.stop = stop
        self.feed = feed
        self.waiting = waiting
        self.lease = lease


class AccountState:
    """One account: its orders, what each run holds, what others hold, prices, and how far the kill switch is thrown.

    Whoever changes it holds `turn` from looking until `apply` returned, so that one thing happens after the other. To get the turn may
    raise what `apply` raises: see `core.trading.turn`.
    """

    def __init__(self, key: str, features: Features, limits: RiskLimits, *, runs: Rows, clock: Clock) -> None:
        self.key = key
        """`BROKER:NUMBER`."""
        self.features = features
        self.limits = limits
        self.clock = clock
        self.turn = Turn(lambda: self._runs)
        self.lives: dict[str, OrderLife] = {}
        self._open: dict[str, None] = {}
        self._unsettled: dict[str, None] = {}
        self._by_broker_id: dict[str, str] = {}
        self.books: dict[str, RunBook] = {}
        self.seats: dict[str, Seat] = {}
        self.hand_run_id: str | None = None
        """The run that holds a person's own orders, where there is one."""
        self.outside: dict[str, Decimal] = {}
        self.known_outside: set[str] = set()
        self.booked: set[str] = set()
        """Ids of all our fills."""
        self.adopted: set[str] = set()
        self.accepted: dict[str, Decimal] = {}
        """By order, units that are filled at the broker and whose executions nobody waits for: a person took it so."""
        self.accepted_symbols: set[str] = set()
        self.reconciled_ns: int | None = None
        """Up to when it was compared with the broker, as far as that is stored."""
        self.outside_orders = 0
        """How many orders of others worked when the broker was asked last."""
        self.left_over: list[str] = []
        """Orders of strategies whose runs are over, and which worked all the same when the account was opened."""
        self.in_flight: set[str] = set()
        self.may_send: Callable[[], bool] = lambda: True
        """Asked before each order leaves, in any thread: whether nobody else can have the account by now."""
        self.still_holds: Callable[[], Awaitable[bool]] = _held
        """Asked before an exit leaves where `may_send` says no: finds out whether the account is ours still."""
        self.day_of: Callable[[int], int] = lambda now_ns: now_ns // DAY_NS
        """Returns the trading day of an instant, since 1970."""
        self.together: dict[str, tuple[str, ...]] = {}
        """Orders that left as one request: the one whose id it bore, and those that left with it. See `left_together`."""
        self.leads: dict[str, str] = {}
        """The same the other way: of each that left with another, which one that was."""
        self.pairs: dict[str, str] = {}
        """Exits of which the broker minds that one cancels the other: the id of each, and that of the other, both ways."""
        self.taken_back: set[str] = set()
        """Orders whose cancel a strategy or a person asked for."""
        self.prices: dict[str, Decimal] = {}
        self.levels: dict[str | None, SwitchLevel] = {}
        self.account: Account | None = None
        self.has_ended = False
        self.is_compared = True
        """Whether the last comparison with the broker was not cut off by a bug."""
        self.causes = Causes()
        self._runs = runs
        self._losses = Losses(ZERO)
        self._told_mark: LossMark | None = None
        self._sent: deque[Sent] = deque()
        # What each working order has left, of all and of each run: an order is judged beside hundreds of others.
        self._rests: dict[str, OrderRequest] = {}
        self._rests_of: dict[str, dict[str, OrderRequest]] = {}
        self._paired: dict[str, str] = {}
        """Of those that are one of a pair the other."""
        self._moved = asyncio.Event()
        self._price_times: dict[str, int] = {}
        self._silent_since: dict[str, int] = {}
        self.entries: set[str] = set()
        """What the broker booked without an execution, as far as it is in our books, by its ids."""
        self.last_entry: str | None = None
        self.called: dict[str, str] = {}
        """The newest margin call that a run was told of, by run: the event's id."""
        self.coin_fees: dict[str, Decimal] = {}
        """Units that the broker kept of a fill, by its id."""
        self._outside_buys: dict[str, list[CoinBuy]] = {}
        self._uncharged_ns: dict[str, tuple[str, int]] = {}
        """Fills whose fee is still to come: their order, and when they were booked, by the clock that never goes back."""

    # --- changing it ---

    def entry(self) -> Entry:
        """Begin a commit."""
        return Entry(self.causes, self.clock.now_ns(), self.clock.elapsed_ns())

    def entry_of(self, run_ids: Iterable[str]) -> Entry:
        """Begin a commit of what these runs ask for: all of it, or nothing where this desk has lost one of them."""
        entry = self.entry()
        seats = (self.seats.get(run_id) for run_id in dict.fromkeys(run_ids))
        entry.leases = [seat.lease for seat in seats if seat is not None and seat.lease is not None]
        return entry

    async def apply(self, entry: Entry) -> None:
        """Commit an entry; then, and only then, know it, do what follows from it, and tell the runs concerned.

        Where it raised StoreError, or was cancelled, it may stand all the same: then all of that is done before the next turn.
        """
        mark = self._losses.mark
        if self.account is not None and mark != self._told_mark:
            entry.tell(EquityMarked(peak=mark.peak, day=mark.day, day_start=mark.day_start, account=self.key))
        try:
            await self.turn.commit(entry, partial(self._know, entry, mark))
        except BaseException:
            self._has_moved()  # whoever waits for it sees that it is not known what became of it
            raise

    def _know(self, entry: Entry, mark: LossMark) -> None:
        entry.known()
        self._told_mark = mark
        for life in entry.lives.values():
            self.recall(life)
            if life.order.status is OrderStatus.FILLED and self.has_exits(life.order.id) and life.order.id in self.causes.of_order:
                # What becomes of its exits from now on follows from its fill.
                self.causes.of_order |= dict.fromkeys(self.together[life.order.id], self.causes.of_order[life.order.id])
        for fill in entry.fills:
            self._book(fill)
        for after in entry.afterwards:
            after()
        is_late = self.clock.elapsed_ns() - entry.decided_ns > LATE_NS
        for leave in entry.leaving:
            leave(is_late)
        for run_id in {life.order.run_id for life in entry.lives.values()}:
            self.changed(run_id)
        self._has_moved()

    def recall(self, life: OrderLife) -> None:
        """Know an order as it is stored."""
        order = life.order
        self.lives[order.id] = life
        for kept, is_kept in ((self._open, not order.status.is_final), (self._unsettled, not life.is_settled or life.changing is not None)):
            if is_kept:
                kept[order.id] = None
            else:
                kept.pop(order.id, None)
        self._count_rest(life)
        for other in (*self.together.get(order.id, ()), self.pairs.get(order.id, "")):
            if other in self.lives:
                self._count_rest(self.lives[other])
        if order.broker_id is not None:
            self._by_broker_id[order.broker_id] = order.id

    def _count_rest(self, life: OrderLife) -> None:
        """Keep what an order can still fill. An exit that the broker holds for its entry fills nothing yet."""
        order = life.order
        rest, of_run = None if self.is_held(order) else still_open(life), self._rests_of.setdefault(order.run_id, {})
        if rest is not None and (qty := self.left_qty(life) + life.missing_qty) < rest.qty:
            rest = msgspec.structs.replace(rest, qty=qty) if qty else None
        if rest is not None:
            self._rests[order.id] = of_run[order.id] = rest
            if order.sibling_id is not None:
                self._paired[order.id] = order.sibling_id
        elif order.id in self._rests:
            del self._rests[order.id], of_run[order.id]
            self._paired.pop(order.id, None)

    def left_qty(self, life: OrderLife) -> Decimal:
        """Return over how many units an order still is: of two whose pair the broker minds it takes off one what the other filled."""
        other = self.lives.get(self.pairs.get(life.order.id, ""))
        if other is None:
            return life.left_qty
        # A change may have been made of what was left of one by then: the larger is what both were over.
        both = max(life.order.request.qty, other.order.request.qty) - life.known_qty - other.known_qty
        return max(ZERO, min(life.left_qty, both))

    def left_together(self, orders: Sequence[Order]) -> None:
        """Take that orders which are known leave as one request, under the id of the first; how they hang together the broker minds."""
        first, others = orders[0].id, tuple(order.id for order in orders[1:])
        self.together[first] = others
        self.leads |= dict.fromkeys(others, first)
        self.pairs |= {order.id: order.sibling_id for order in orders if order.sibling_id in {first, *others}}
        for order in orders:
            self._count_rest(self.lives[order.id])

    def recall_together(self, groups: Iterable[Sequence[str]]) -> None:
        """Know orders that left as one request as it is stored, as far as all of them are known."""
        for ids in groups:
            if ids[0] not in self.together and all(each in self.lives for each in ids):
                self.left_together([self.lives[each].order for each in ids])

    def is_held(self, order: Order) -> bool:
        """Tell whether the broker holds an exit until the entry that it left with is filled, or is over with a part filled."""
        lead = self.lives.get(self.leads.get(order.id, ""))
        if lead is None or lead.order.id != order.parent_id:
            return False
        return not lead.order.status.is_final or not lead.known_qty

    def held_before(self, order: Order) -> tuple[Decimal, Decimal]:
        """Return what an order's run and the whole account hold of its symbol, signed."""
        symbol = order.request.symbol
        return self.books[order.run_id].held(symbol), self.positions().get(symbol, ZERO) + self.outside.get(symbol, ZERO)

    def has_exits(self, order_id: str) -> bool:
        """Tell whether exits left with an order."""
        return any(self.lives[each].order.parent_id == order_id for each in self.together.get(order_id, ()))

    def ended_with(self, order: Order) -> list[str]:
        """Return the orders that left with one which is over, and that the broker ends for its sake as far as it has not said so."""
        if not order.status.is_final or (order.status is OrderStatus.FILLED and self.has_exits(order.id)):
            return []
        lead = self.leads.get(order.id, order.id)
        return [each for each in (lead, *self.together.get(lead, ())) if each in self.lives and not self.lives[each].order.status.is_final]

    def changed(self, run_id: str) -> None:
        """Tell a run that trades here that something of it changed."""
        seat = self.seats.get(run_id)
        if seat is not None:
            seat.changed()

    def set_level(self, run_id: str | None, level: SwitchLevel) -> None:
        """Take how far the kill switch is thrown, for a run or for all (None)."""
        self.levels[run_id] = level
        self._has_moved()

    def landed(self, order_id: str) -> None:
        """Take that what became of a sent order is known, or left to reconciliation."""
        self.in_flight.discard(order_id)
        self._has_moved()

    def end(self) -> None:
        """Nothing will be heard of the broker any more: whoever waits for its word waits in vain."""
        self.has_ended = True
        self._has_moved()

    def look_again(self) -> None:
        """Let whoever waits for something look whether it is so."""
        self._has_moved()

    def _has_moved(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    def _book(self, fill: Fill) -> None:
        self.booked.add(fill.id)
        book = self.books.get(fill.run_id)
        if book is None:
            book = self.books[fill.run_id] = RunBook(ZERO, RiskLimits())
        book.book(fill)
        if self._has_coin_fee(fill.symbol, fill.side) and fill.id not in self.coin_fees:
            self._uncharged_ns[fill.id] = (fill.order_id, self.clock.monotonic_ns())

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Return once `is_so`, looked at after each change."""
        while not is_so():
            await self._moved.wait()

    async def moved(self) -> None:
        """Return at the next change."""
        await self._moved.wait()

    # --- fees in coin ---

    def charge(self, fee: CoinFee, run_id: str | None) -> None:
        """Take a fee in coin that is committed."""
        self.coin_fees[fee.fill_id] = self.coin_fees.get(fee.fill_id, ZERO) + fee.qty
        self._uncharged_ns.pop(fee.fill_id, None)
        if run_id is None:
            self.outside[fee.symbol] = self.outside.get(fee.symbol, ZERO) - fee.qty
            return
        self.books.setdefault(run_id, RunBook(ZERO, RiskLimits())).charge(fee.symbol, fee.qty, fee.price)
        self.changed(run_id)

    def note_entry(self, told: EntryTaken) -> None:
        """Take that an entry of the broker is in our books."""
        self.entries.add(told.entry_id)
        self.last_entry = told.entry_id
        if told.outside is not None:
            self.outside[told.symbol] = told.outside

    def meet(self, told: AccountAdopted) -> None:
        """Take what an account held when it was met and nobody of ours had bought; what was thought of that before does not count."""
        self.known_outside.update(told.counted)
        self.outside.clear()
        self.outside.update(told.positions)
        self._outside_buys.clear()

    def accept(self, told: DifferenceAccepted) -> None:
        """Take what a person accepted as the broker has it."""
        known = self.outside if told.order_id is None else self.accepted
        key = told.symbol if told.order_id is None else told.order_id
        known[key] = known.get(key, ZERO) + told.qty
        self.accepted_symbols.add(told.symbol)

    def note_outside(self, told: OutsideFilled) -> None:
        """Take somebody else's fill, whose fee may be taken from the coin as well."""
        if self.features.coin_fees and told.qty > 0 and asset_class_of(told.symbol) is AssetClass.CRYPTO:
            buy = CoinBuy(fill_id=self.fill_id(told.execution_id), qty=told.qty, price=told.price)
            self._outside_buys.setdefault(told.symbol, []).append(buy)

    def coin_buys(self) -> dict[str, list[CoinBuy]]:
        """Return by symbol the fills whose fee the broker takes from the coin, oldest first."""
        found: dict[str, list[CoinBuy]] = {}
        if not self.features.coin_fees:
            return found
        for symbol, buys in self._outside_buys.items():
            found[symbol] = [msgspec.structs.replace(buy, fee=self.coin_fees.get(buy.fill_id)) for buy in buys]
        for life in self.lives.values():
            if self._has_coin_fee(life.order.request.symbol, life.order.request.side):
                found.setdefault(life.order.request.symbol, []).extend(
                    CoinBuy(fill_id=fill.id, qty=fill.qty, price=fill.price, fee=self.coin_fees.get(fill.id), order_id=life.order.id)
                    for fill in life.fills
                )
        return found

    def awaits_fee(self, order_ids: Container[str] | None = None) -> bool:
        """Tell whether a fee in coin is still to come, of some orders or of any: until then more seems to be held than is."""
        now_ns = self.clock.monotonic_ns()
        return any(
            (order_ids is None or order_id in order_ids) and now_ns - booked_ns < FEE_COMES_NS
            for order_id, booked_ns in self._uncharged_ns.values()
        )

    def net_qty(self, life: OrderLife) -> Decimal:
        """Return what an order's fills left, without what the broker kept of them."""
        return life.order.filled_qty - sum((self.coin_fees.get(fill.id, ZERO) for fill in life.fills), ZERO)

    def _has_coin_fee(self, symbol: str, side: OrderSide) -> bool:
        return self.features.coin_fees and side is OrderSide.BUY and asset_class_of(symbol) is AssetClass.CRYPTO

    # --- looking at it ---

    def fill_id(self, execution_id: str) -> str:
        """Return the id under which an execution is kept once."""
        return f"{self.key}/{execution_id}"

    def find(self, client_order_id: str, broker_id: str) -> OrderLife | None:
        """Return our order that the broker speaks of."""
        return self.lives.get(own_id(client_order_id)) or self.lives.get(self._by_broker_id.get(broker_id, ""))

    def working(self, run_id: str | None = None) -> list[OrderLife]:
        """Return the orders that can still fill, of a run or of all."""
        found = [self.lives[order_id] for order_id in self._open]
        return found if run_id is None else [life for life in found if life.order.run_id == run_id]

    def working_qty(self, run_id: str, symbol: str, side: OrderSide) -> Decimal:
        """Return what a run's orders on one side of a symbol can still fill. Of a pair only one will."""
        rests = self._rests_of.get(run_id, {})
        found = {order_id: rest for order_id, rest in rests.items() if (rest.symbol, rest.side) == (symbol, side)}
        once(found, self._paired)
        return sum((rest.qty for rest in found.values()), ZERO)

    def unsettled(self) -> list[OrderLife]:
        """Return the orders that are not over, or of which something is missing."""
        return [self.lives[order_id] for order_id in self._unsettled]

    def level(self, run_id: str) -> SwitchLevel:
        """Return how far the kill switch is thrown for a run: its own or everyone's, whichever is stricter."""
        order = list(SwitchLevel)
        return max(self.levels.get(run_id, SwitchLevel.OFF), self.levels.get(None, SwitchLevel.OFF), key=order.index)

    def positions(self) -> dict[str, Decimal]:
        """Return what all runs hold together."""
        total: dict[str, Decimal] = {}
        for book in self.books.values():
            for symbol, qty in book.positions().items():
                total[symbol] = total.get(symbol, ZERO) + qty
        return total

    def to_close(self) -> dict[tuple[str, str], Decimal]:
        """Return by run and symbol what of its position is in the account, signed: what was closed outside is not closed again.

        A person's own book comes first: there stands what they closed of what is held outside.
        """
        outside, found = dict(self.outside), {}
        for own in sorted(self.books, key=lambda one: one != self.hand_run_id):
            for symbol, qty in self.books[own].positions().items():
                other = outside.get(symbol, ZERO)
                closed = ZERO if qty * other >= 0 else min(abs(qty), abs(other)).copy_sign(qty)
                outside[symbol] = other + closed
                if qty != closed:
                    found[own, symbol] = qty - closed
        return found

    def note_account(self, account: Account) -> None:
        """Take what the broker says of its money."""
        self.account = account
        self._losses.watch(account.equity, self.day_of(self.clock.now_ns()))

    def recall_losses(self, before: LossMark) -> None:
        """Go on from what the account's losses were counted from before; it is stored."""
        self._losses.recall(before)
        self._told_mark = before

    def count_losses_anew(self) -> None:
        """Count the account's losses from its present equity on. It is told with the next commit."""
        self._losses = Losses(ZERO)
        if self.account is not None:
            self.note_account(self.account)

    def note_price(self, symbol: str, price: Decimal, time_ns: int) -> None:
        """Take the newest price, and when it was made."""
        self.prices[symbol] = price
        self._price_times[symbol] = time_ns

    def priced_ns(self, symbol: str) -> int:
        """Return when the newest price of a symbol was made; −1 where none is known."""
        return self._price_times.get(symbol, -1)

    def split_price(self, symbol: str, ratio: Decimal, time_ns: int) -> None:
        """Let the last price be one of the units of after a split, where it was made before it."""
        if self._price_times.get(symbol, time_ns) < time_ns:
            with localcontext(MONEY_CONTEXT):
                self.prices[symbol] = price_after(self.prices[symbol], ratio)

    def note_heard(self, what: str, *, is_heard: bool, since_ns: int | None = None) -> None:
        """Take that a line to the broker works, or does not. `since_ns`: since when it was asked in vain, by the monotonic clock."""
        if is_heard:
            self._silent_since.pop(what, None)
        else:
            self._silent_since.setdefault(what, self.clock.monotonic_ns() if since_ns is None else since_ns)

    def silent_lines(self) -> dict[str, int]:
        """Return the lines to the broker that do not work, and since when, by the monotonic clock."""
        return dict(self._silent_since)

    @property
    def silent_s(self) -> float:
        """Real seconds since one of the lines to the broker last worked; 0 while all do."""
        since = min(self._silent_since.values(), default=None)
        return 0.0 if since is None else (self.clock.monotonic_ns() - since) / SECOND_NS

    def left(self, life: OrderLife, now_ns: int) -> None:
        """Note that an order leaves."""
        kept_ns = max(MINUTE_NS, int((self.limits.duplicate_window_s or 0) * SECOND_NS))
        note_sent(self._sent, Sent(life.order.request, now_ns), kept_ns)
        self.books[life.order.run_id].left(life.order.request, now_ns)

    def account_situation(
        self, order: Order, also: list[OrderLife], *, is_open: bool, is_armed: bool, instead: Mapping[str, Decimal] = _NOTHING
    ) -> Situation:
        """Return what an order is judged in by the account's limits; `also`: those of the same decision; `instead`: see `beside`."""
        positions = self.positions()
        for symbol, qty in self.outside.items():
            positions[symbol] = positions.get(symbol, ZERO) + qty
        account, mark = self.account, self._losses.mark
        equity = ZERO if account is None else account.equity
        working, twins = self._beside(self._rests, order, also, instead)
        return Situation(
            now_ns=self.clock.now_ns(),
            equity=equity,
            # Where the broker says what the day began with, that counts.
            day_start_equity=equity if account is None else account.last_equity or mark.day_start,
            peak_equity=equity if account is None else mark.peak,
            positions=positions,
            prices=self.prices,
            working=working,
            twins=twins,
            sent=(*self._sent, *self._just_now(also)) if also else self._sent,
            level=self.level(order.run_id),
            is_open=is_open,
            silent_s=self.silent_s,
            price_times=self._price_times,
            is_armed=is_armed,
            own=self._own(order, also, instead),
            is_compared=self.is_compared,
            unjudged="" if account is not None else "the broker has not said yet what the account is worth",
        )

    def _own(self, order: Order, also: list[OrderLife], instead: Mapping[str, Decimal]) -> Own:
        """Return what is a run's; a person closes what others hold, too."""
        positions = self.books[order.run_id].positions()
        if order.run_id == self.hand_run_id:
            for symbol, qty in self.outside.items():
                positions[symbol] = positions.get(symbol, ZERO) + qty
        mine = [life for life in also if life.order.run_id == order.run_id]
        return Own(positions=positions, working=self._beside(self._rests_of.get(order.run_id, {}), order, mine, instead)[0])

    def run_situation(self, order: Order, also: list[OrderLife], *, is_open: bool, instead: Mapping[str, Decimal] = _NOTHING) -> Situation:
        """Return what it is judged in by its run's limits."""
        book, now_ns = self.books[order.run_id], self.clock.now_ns()
        equity = book.equity(self.prices)
        unpriced = book.unpriced(self.prices)
        if not unpriced:
            book.losses.watch(equity, now_ns // DAY_NS)
        working, twins = self._beside(self._rests_of.get(order.run_id, {}), order, also, instead)
        return Situation(
            now_ns=now_ns,
            equity=equity,
            day_start_equity=book.losses.mark.day_start,
            peak_equity=book.losses.mark.peak,
            positions=book.positions(),
            prices=self.prices,
            working=working,
            twins=twins,
            sent=(*book.sent, *self._just_now(also)) if also else book.sent,
            is_open=is_open,
            silent_s=self.silent_s,
            price_times=self._price_times,
            unjudged=f"no price of {', '.join(unpriced)}, which is held, is known" if unpriced else "",
        )

    def _beside(
        self, rests: Mapping[str, OrderRequest], order: Order, also: list[OrderLife], instead: Mapping[str, Decimal]
    ) -> tuple[tuple[OrderRequest, ...], int]:
        """Return what works, and what of the same decision will, as `beside` has it."""
        more = {life.order.id: rest for life in also if (rest := still_open(life)) is not None}
        pairs = {life.order.id: life.order.sibling_id for life in also if life.order.sibling_id is not None}
        return beside({**rests, **more} if more else rests, {**self._paired, **pairs} if pairs else self._paired, order, instead)

    def _just_now(self, also: list[OrderLife]) -> tuple[Sent, ...]:
        now_ns = self.clock.now_ns()
        return tuple(Sent(life.order.request, now_ns) for life in also if life.order.status is OrderStatus.SUBMITTING)


async def _held() -> bool:
    return True


def is_closer(order: Order) -> bool:
    """Tell whether an order was placed to close a position by the kill switch, or with its run."""
    return order.id.startswith(f"{order.run_id}{_CLOSER}")


def closer_id(run_id: str) -> str:
    """Return the id of a new order that closes a position of a run."""
    return f"{run_id}{_CLOSER}{uuid4().hex[:10]}"
