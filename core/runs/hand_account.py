"""One account that is open for a person: what is there to see, and what the person asks for, carried out as any order is."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal, localcontext
from functools import partial
from typing import Final
from uuid import uuid4

from core.errors import BooksDiffer, BrokerError, DatabaseUnreachable, InvalidValue, KnownError, UnknownName
from core.events.envelope import envelope
from core.events.live_payloads import AccountChanged, OrderAskedByHand
from core.events.payloads import OrderReplaced
from core.model.broker import Account, Print
from core.model.hand import (
    OUTSIDE,
    AccountView,
    ExitsPreview,
    HandExits,
    HandOrder,
    HeldPosition,
    OrderPreview,
    OrderTerms,
    TradingAccount,
)
from core.model.market import parse_symbol
from core.model.money import MONEY_CONTEXT, ZERO
from core.model.order import Order, OrderRequest, OrderStatus
from core.model.run import Run
from core.ports import EventLog, RunStore
from core.runs.closing import Closing
from core.runs.closing_side import ClosingSide
from core.runs.desks import OpenAccount
from core.runs.exits import exits_of, read_fates
from core.runs.families import Families
from core.runs.hand_cancels import HandCancels
from core.runs.hand_exits import Exits, asked_by_hand
from core.runs.holdings import Holdings
from core.runs.previews import Previews
from core.runs.reverses import Reverses
from core.runs.router import default_time_in_force
from core.runs.store_away import StoreAway
from core.runs.trailing import trailing_triggers
from core.runs.valuation import Valuation
from core.trading.books import RunBook
from core.trading.changes import changed_request
from core.trading.order_fold import OrderLife
from core.trading.seat import Seat
from core.trading.service import Intent

LOOK_S: Final = 10.0
"""Real seconds after which the account's money and prices are asked for again when nothing happens."""
SOON_S: Final = 2.0
"""How soon after something happened, and how often at most."""
Names = Callable[[], Awaitable[Mapping[str, str]]]


class HandAccount:
    """`remember`, then `seated`, then `go_on`, which is its one task. `names` returns what the runs are called, by id."""

    def __init__(self, opened: OpenAccount, run: Run, about: TradingAccount, names: Names, *, runs: RunStore, log: EventLog) -> None:
        self.desk: Final = opened.desk
        self.run: Final = run
        self._broker = opened.broker
        self._about = about
        self._find_names = names
        self._names: Mapping[str, str] = {}
        self._runs = runs
        self._log = log
        self._families = Families()
        self._away = StoreAway(run.id, log, self._now_ns)
        self._cancels = HandCancels(self.desk, self._families, opened.owed, self._away, self._tell)
        self._families.know(self.desk.state.lives, self.desk.state.taken_back)
        self._changed = asyncio.Event()
        self._triggers: dict[str, Decimal] = {}
        self._valuation = Valuation(self.desk.state, opened.broker.market)
        self._previews = Previews(self.desk, run.id, self._valuation, self._made, self._money)
        self._reverses = Reverses(self.desk, self._commit)
        self._owed = opened.owed
        self._holdings = Holdings(self.desk.state)
        self._closing = Closing(self.desk, self._owed, self._reverses, self._made, self._place_made, lambda: self._money().shorting_enabled)
        self._exits = Exits(self.desk, self._owed, self._made, self._valuation.market_price)
        self.failure: KnownError | None = None
        self.is_over = asyncio.Event()
        """Set when the account cannot be used any more; `failure` says why."""

    # --- life ---

    @contextmanager
    def seated(self) -> "Generator[HandAccount]":
        """Let the person's own run trade here for the length of the block."""
        desk, run = self.desk, self.run
        book = desk.state.books.get(run.id) or RunBook(run.config.cash, run.config.limits)
        desk.state.hand_run_id = run.id
        desk.sit(run.id, book, Seat(self._changed.set, self._stop, waiting=self._families))
        try:
            yield self
        finally:
            desk.rise(run.id)

    async def remember(self) -> None:
        """Take the exits that wait, and the pairs, as the run's rows have them; say what an earlier program left undone."""
        orders, fates = await self._runs.orders(self.run.id), await read_fates(self._log, self.run.id)
        self._families.restore(orders, fates, self._now_ns(), self.desk.state.groups.leads)
        await self._reverses.recall(self._log)

    async def go_on(self) -> None:
        """Mind the exits and tell of every change until the account is let go. Raises StoreError for what waiting does not mend."""
        try:
            await self._go_on()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _go_on(self) -> None:
        async with asyncio.TaskGroup() as group:
            own = [
                group.create_task(self._mind_exits(), name="exits"),
                group.create_task(self._reverses.mind(), name="reverses"),
                group.create_task(self._tell_changes(), name="account-changes"),
                group.create_task(self._look_after(), name="account-money"),
            ]
            try:
                await self.is_over.wait()
            finally:
                for task in own:
                    task.cancel()
        with suppress(KnownError):  # what cannot be stored now is said when the account is opened again
            await self._reverses.give_up()

    def leave(self) -> None:
        """Let it go; its orders work on."""
        self.is_over.set()

    def _stop(self, why: KnownError) -> None:
        if isinstance(why, BooksDiffer):
            return  # an event tells of it; what to do about the account is the person's to decide
        self.failure = why
        self.is_over.set()

    async def _mind_exits(self) -> None:
        state = self.desk.state
        while True:
            self._changed.clear()
            left_of = partial(ClosingSide(state).left_of, {})
            leaving, cancels = self._families.due(state.lives, state.causes.of_order.get, self._now_ns(), left_of, state.groups.pairs)
            if leaving:
                await self._away.place(self.desk, leaving)
            for order_id in cancels:
                await self.desk.cancel(order_id)
            with suppress(TimeoutError):
                async with asyncio.timeout(SOON_S if state.coins.awaits_fee() or self._families.owes else None):
                    await self._changed.wait()

    async def _tell_changes(self) -> None:
        while True:
            await self.desk.state.moved()
            self._tell()

    async def _look_after(self) -> None:
        """Keep the account's money and its prices fresh: after each change, and from time to time."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self.desk.state.moved()
            await asyncio.sleep(SOON_S)
            with suppress(BrokerError):  # the desk tells of a broker that does not answer
                await self._look()
                self._tell()

    async def _look(self) -> None:
        self.desk.state.note_account(await self._broker.account.account())
        self._valuation.know({one.symbol: one.price for one in await self._broker.account.positions() if one.price is not None})
        self._triggers = await trailing_triggers(self.desk.state, self._broker.orders)

    def _tell(self) -> None:
        if self._log.wanted(AccountChanged.wire):
            told = AccountChanged(account=self.desk.state.key)
            self._log.announce([envelope(told, id=uuid4().hex, ts=self._now_ns(), producer="trading")])

    # --- what there is to see ---

    async def view(self) -> AccountView:
        """Return the account as it is now. Raises BrokerError."""
        state = self.desk.state
        if state.account is None:
            await self._look()
        if not self._names.keys() >= state.books.keys():
            self._names = await self._find_names()
        working = [life.order for life in state.working()] + self._families.waiting_orders()
        return AccountView(
            broker_id=self._about.broker_id,
            account=self._about.account,
            key=state.key,
            title=self._about.title,
            is_real_money=self._about.is_real_money,
            money=self._money(),
            positions=tuple(self._positions()),
            working=tuple(sorted(working, key=lambda order: (order.created_ns, order.id))),
            outside_orders=state.outside_orders,
            features=state.features,
            level=self.desk.level(self.run.id),
            silent_s=state.lines.silent_s,
            reconciled_ns=self.desk.comparisons.newest_ns,
            hand_run_id=self.run.id,
            as_of_ns=self._now_ns(),
            held=frozenset(order.id for order in working if state.groups.is_held(order)),
            lacks_exits=self._owed.lacks,
            triggers=self._triggers,
        )

    def _money(self) -> Account:
        if self.desk.state.account is None:
            raise BrokerError("The broker has not said yet what the account holds.", "Try again in a moment.")
        return self.desk.state.account

    def _positions(self) -> list[HeldPosition]:
        outside, by_hand = self._holdings.outside()
        found = []
        for run_id, book in self.desk.state.books.items():
            for symbol, qty in book.positions().items():
                left = by_hand.get(symbol, ZERO) if run_id == self.run.id else qty
                if left:
                    found.append(self._held(symbol, run_id, self._names.get(run_id, run_id), left, book.position(symbol).avg_price))
        found += [self._held(symbol, OUTSIDE, "Outside", qty, None) for symbol, qty in outside.items() if qty]
        return sorted(found, key=lambda one: (one.symbol, one.owner_id != self.run.id, one.owner))

    def _held(self, symbol: str, owner_id: str, owner: str, qty: Decimal, avg_price: Decimal | None) -> HeldPosition:
        price = self._valuation.price(symbol)
        with localcontext(MONEY_CONTEXT):
            value = None if price is None else price * qty
            pnl = None if price is None or avg_price is None else (price - avg_price) * qty
        return HeldPosition(
            symbol=symbol,
            owner_id=owner_id,
            owner=owner,
            qty=qty,
            avg_price=avg_price,
            price=price,
            value=value,
            open_pnl=pnl,
            bare=self._owed.bare(self.run.id if owner_id == OUTSIDE else owner_id, symbol),
            open_qty=self._exits.open_qty(symbol, owner_id),
        )

    # --- orders ---

    async def preview(self, order: HandOrder) -> OrderPreview:
        """Return what an order would come to. Sends, commits and counts nothing. Raises InputError for what is no order."""
        return await self._previews.preview(order)

    async def place(self, order: HandOrder, run_id: str | None = None) -> Order:
        """Commit and send an order, in the name of `run_id` or the person's own, and return its row. Raises InputError, StoreError."""
        symbol = parse_symbol(order.symbol)
        await self._valuation.know_price(symbol)
        price, _ = await self._valuation.valued(symbol, order) if order.notional is not None else (None, "")
        qty = self._valuation.units(order, price)
        if qty is None:
            raise InvalidValue("notional", order.notional, f"nobody has a price of {symbol} now; give a quantity.")
        return await self._place(order.request(symbol, qty), run_id or self.run.id)

    async def cancel(self, order_id: str) -> None:
        """Ask the broker to cancel an order of ours, whosever; one that is over is left alone. Raises UnknownName.

        While the store is away the broker is asked all the same, and this returns when it is stored.
        """
        if self._families.is_gone(order_id):
            return  # with the one it was paired with
        order = self._families.find(order_id) or (await self._known(order_id)).order
        if not order.status.is_final:
            await self._cancels.cancel(order)

    async def change(self, order_id: str, terms: OrderTerms) -> None:
        """Ask the broker for other terms of an order of ours, whosever. Raises InputError for what cannot be changed."""
        waiting = self._families.find(order_id)
        order = waiting or (await self._known(order_id)).order
        request = changed_request(order, terms)  # before anything is stored of it
        if waiting is None and (order.status.is_final or order.broker_id is None):
            words = f"it is {order.status}." if order.status.is_final else "the broker has not taken it yet; try again in a moment."
            raise InvalidValue(f"Order {order_id}", "changed", words)
        await self._told(order, "change")
        if waiting is None:
            await self.desk.change(order_id, terms)
            return
        async with self.desk.state.turn:
            entry = self.desk.state.entry()
            entry.tell_of(order, OrderReplaced(order_id=order_id, request=request, reason="It has not left yet."))
            entry.afterwards.append(partial(self._families.change, order_id, request))
            await self.desk.state.apply(entry)
        self._tell()

    async def cancel_all(self) -> int:
        """Ask for the cancel of every working order of ours here; return how many. Raises StoreError when all were asked for."""
        return await self._cancels.cancel_all()

    async def close(self, symbol: str, owner_id: str, qty: Decimal | None = None) -> Order:
        """Close a position, or `qty` of it, at the market; see `core.runs.closing`. Raises InputError, BrokerError, StoreError."""
        return await self._closing.close(symbol, owner_id, qty)

    async def reverse(self, symbol: str, owner_id: str) -> Order:
        """Turn a position around and return the order that leaves now; see `core.runs.closing`. Raises as `close`."""
        return await self._closing.reverse(symbol, owner_id)

    async def preview_exits(self, exits: HandExits) -> ExitsPreview:
        """Return what exits of a position would be; see `core.runs.hand_exits`. Sends and commits nothing. Raises InputError."""
        return await self._exits.preview(exits)

    async def protect(self, exits: HandExits) -> tuple[Order, ...]:
        """Commit and send exits of a position that is held, and return their rows. Raises InputError, StoreError."""
        return await self._exits.place(exits)

    async def count_losses_anew(self) -> Account:
        """Count the account's losses from its equity as it is now, and return that. Raises BrokerError, StoreError."""
        state = self.desk.state
        await self._look()
        async with state.turn:
            state.count_losses_anew()
            await state.apply(state.entry())
        return self._money()

    async def last_trades(self, symbols: Sequence[str]) -> dict[str, Print]:
        """Return the market's newest trades; a symbol without one is not in it. Raises BrokerError."""
        return await self._broker.market.latest_trades(symbols)

    # --- inside ---

    async def _place(self, request: OrderRequest, run_id: str) -> Order:
        if run_id not in self.desk.state.books:
            raise UnknownName("run at this account", run_id, self.desk.state.books)
        return await self._place_made(self._made(request, run_id))

    async def _place_made(self, order: Order) -> Order:
        await self._commit(order, "place")
        return self.desk.state.lives[order.id].order

    async def _commit(self, order: Order, what: str) -> None:
        """Commit and send an order that the person asked for; `what`: see `OrderAskedByHand`."""
        asked = asked_by_hand(order, what)
        exits = exits_of(order, order.created_ns)
        if exits:
            self._families.wait(order.id, [Intent(order=leg) for leg in exits])
        try:
            await self.desk.place([self._families.with_exits(Intent(order=order, caused_by=asked.id))], [asked])
        except KnownError as error:
            if not isinstance(error, DatabaseUnreachable):  # after that one it may be stored all the same
                self._families.forget(order.id)
            raise

    async def _told(self, order: Order, what: str) -> None:
        """Commit that the person asked for something of an order: what happens to it next was caused by that."""
        state = self.desk.state
        async with state.turn:
            entry = state.entry()
            entry.tell_of(order, OrderAskedByHand(order_id=order.id, what=what))
            await state.apply(entry)

    def _made(self, request: OrderRequest, run_id: str) -> Order:
        now_ns = self._now_ns()
        return Order(
            id=f"{run_id}-h{uuid4().hex[:10]}",
            run_id=run_id,
            request=request,
            time_in_force=request.time_in_force or default_time_in_force(request.symbol),
            status=OrderStatus.CREATED,
            created_ns=now_ns,
            updated_ns=now_ns,
        )

    async def _known(self, order_id: str) -> OrderLife:
        await self.desk.absent.order(order_id)
        if order_id not in self.desk.state.lives:
            raise UnknownName("order of ours", order_id, self.desk.state.lives)
        return self.desk.state.lives[order_id]

    def _now_ns(self) -> int:
        return self.desk.state.clock.now_ns()
