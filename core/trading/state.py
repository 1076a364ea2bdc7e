"""Everything that is known of an account now, and the one way to change it: commit first, then know it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal, localcontext
from functools import partial
from typing import Final

import msgspec

from core.errors import StoreError
from core.events.envelope import Payload
from core.events.live_payloads import AccountAdopted, CoinFee, DifferenceAccepted, EntryTaken, EquityMarked
from core.model.broker import Account, Features
from core.model.corporate_action import price_after
from core.model.instants import DAY_NS, SECOND_NS
from core.model.money import MONEY_CONTEXT, ZERO
from core.model.order import Fill, Order, OrderStatus
from core.model.risk import RiskLimits, SwitchLevel
from core.ports import Clock, Rows
from core.trading.books import RunBook, still_open
from core.trading.broker_lines import BrokerLines
from core.trading.changes import own_id
from core.trading.coin_charges import CoinCharges
from core.trading.entries import Causes, Entry
from core.trading.losses import Losses, LossMark
from core.trading.order_fold import OrderLife
from core.trading.order_groups import OrderGroups
from core.trading.seat import Seat
from core.trading.turn import Turn
from core.trading.working import Rests

LATE_NS: Final = 30 * SECOND_NS
"""How long an order may wait, from its decision, and leaves all the same: for the store, and while the machine sleeps. Exits leave
however late."""

_log = logging.getLogger(__name__)


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
        self.groups: Final = OrderGroups(self.lives)
        self.taken_back: set[str] = set()
        """Orders whose cancel a strategy or a person asked for."""
        self.prices: dict[str, Decimal] = {}
        self.price_times: dict[str, int] = {}
        """When each of the prices was made."""
        self.levels: dict[str | None, SwitchLevel] = {}
        self.account: Account | None = None
        self.has_ended = False
        self.is_compared = True
        """Whether the last comparison with the broker was not cut off by a bug."""
        self.causes = Causes()
        self._runs = runs
        self._losses = Losses(ZERO)
        self._told_mark: LossMark | None = None
        self.rests: Final = Rests()
        self._moved = asyncio.Event()
        self.lines: Final = BrokerLines(clock)
        self.entries: set[str] = set()
        """What the broker booked without an execution, as far as it is in our books, by its ids."""
        self.last_entry: str | None = None
        self.called: dict[str, str] = {}
        """The newest margin call that a run was told of, by run: the event's id."""
        self.coins: Final = CoinCharges(clock, are_taken=features.coin_fees)

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

    async def tell(self, payload: Payload) -> None:
        """Tell of the account. Where the store does not take it nothing is lost but the line in the log."""
        try:
            async with self.turn:
                entry = self.entry()
                entry.tell(payload)
                await self.apply(entry)
        except StoreError as error:
            _log.warning("%s was not stored: %s", payload, error)

    def _know(self, entry: Entry, mark: LossMark) -> None:
        entry.known()
        self._told_mark = mark
        for life in entry.lives.values():
            self.recall(life)
            if life.order.status is OrderStatus.FILLED and self.groups.has_exits(life.order.id) and life.order.id in self.causes.of_order:
                # What becomes of its exits from now on follows from its fill.
                self.causes.of_order |= dict.fromkeys(self.groups.together[life.order.id], self.causes.of_order[life.order.id])
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
        for other in self.groups.hanging_on(order.id):
            self._count_rest(other)
        if order.broker_id is not None:
            self._by_broker_id[order.broker_id] = order.id

    def _count_rest(self, life: OrderLife) -> None:
        """Keep what an order can still fill. An exit that the broker holds for its entry fills nothing yet."""
        order = life.order
        rest = None if self.groups.is_held(order) else still_open(life)
        if rest is not None and (qty := self.groups.left_qty(life) + life.missing_qty) < rest.qty:
            rest = msgspec.structs.replace(rest, qty=qty) if qty else None
        self.rests.note(order, rest)

    def left_together(self, orders: Sequence[Order]) -> None:
        """Take that orders which are known leave as one request, under the id of the first; how they hang together the broker minds."""
        self.groups.join(orders)
        for order in orders:
            self._count_rest(self.lives[order.id])

    def recall_together(self, groups: Iterable[Sequence[str]]) -> None:
        """Know orders that left as one request as it is stored, as far as all of them are known."""
        for ids in groups:
            if ids[0] not in self.groups.together and all(each in self.lives for each in ids):
                self.left_together([self.lives[each].order for each in ids])

    def held_before(self, order: Order) -> tuple[Decimal, Decimal]:
        """Return what an order's run and the whole account hold of its symbol, signed."""
        symbol = order.request.symbol
        return self.books[order.run_id].held(symbol), self.positions().get(symbol, ZERO) + self.outside.get(symbol, ZERO)

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
        self.coins.note_fill(fill)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Return once `is_so`, looked at after each change."""
        while not is_so():
            await self._moved.wait()

    async def moved(self) -> None:
        """Return at the next change."""
        await self._moved.wait()

    # --- what else is booked ---

    def charge(self, fee: CoinFee, run_id: str | None) -> None:
        """Take a fee in coin that is committed."""
        self.coins.charge(fee)
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
        self.coins.forget_outside()

    def accept(self, told: DifferenceAccepted) -> None:
        """Take what a person accepted as the broker has it."""
        known = self.outside if told.order_id is None else self.accepted
        key = told.symbol if told.order_id is None else told.order_id
        known[key] = known.get(key, ZERO) + told.qty

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

    @property
    def loss_mark(self) -> LossMark:
        """What the account's losses are counted from."""
        return self._losses.mark

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
        self.price_times[symbol] = time_ns

    def priced_ns(self, symbol: str) -> int:
        """Return when the newest price of a symbol was made; −1 where none is known."""
        return self.price_times.get(symbol, -1)

    def split_price(self, symbol: str, ratio: Decimal, time_ns: int) -> None:
        """Let the last price be one of the units of after a split, where it was made before it."""
        if self.price_times.get(symbol, time_ns) < time_ns:
            with localcontext(MONEY_CONTEXT):
                self.prices[symbol] = price_after(self.prices[symbol], ratio)


async def _held() -> bool:
    return True
