"""Asks the broker for everything, compares it with our books, and heals what differs."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec

from core.errors import BooksDiffer, BrokerError
from core.events.live_payloads import AccountAdopted, CoinFee, Differed, OrderAdopted, OutsideFilled
from core.model.broker import BrokerOrder
from core.model.instants import MINUTE_NS
from core.model.money import ZERO
from core.model.order import Order, RejectCode
from core.ports import Broker
from core.trading.account_entries import AccountEntries
from core.trading.brackets import legs_as_ours
from core.trading.changes import change_id, own_id
from core.trading.entries import Entry
from core.trading.order_fold import OrderLife, change_refused, executed, heard, refused
from core.trading.reconcile import SETTLE_NS, Difference, Healing, Kind, Ours, Theirs, compare
from core.trading.split_orders import by_own_id
from core.trading.state import AccountState

_BEFORE_NS: Final = MINUTE_NS
"""How much earlier than our own times the broker is asked from: its clock may be off."""
_SLICE_NS: Final = 8_000_000
"""How long it computes before the loop gets its turn."""
_TODO: Final = "Compare the account with the run's fills at the broker; then start a new run."


class Reconciler:
    """Reconciles one account. `known_ns`: when it was first met; None: never, and what it holds then is somebody else's."""

    def __init__(
        self,
        state: AccountState,
        broker: Broker,
        *,
        known_ns: int | None,
        spawn_cancel: Callable[[str], None],
        settle_ns: int = SETTLE_NS,
    ) -> None:
        self._state = state
        self._broker = broker
        self._known_ns = known_ns
        self._spawn_cancel = spawn_cancel
        self._since: dict[str, int] = {}
        # The first time everything since the account was met: who knows what happened while nobody looked.
        self._from_ns = known_ns
        self.settle_ns = settle_ns
        self._entries = AccountEntries(state)
        self._never_came: list[tuple[str, int]] = []
        # Orders that left with one that the broker has, and that it did not name.
        self._unnamed: set[str] = set()

    @property
    def is_waiting(self) -> bool:
        """Whether something is to be looked at again soon."""
        return bool(self._since)

    async def reconcile(self) -> tuple[Difference, ...]:
        """Compare and heal once; return what differed. Raises BrokerError when the broker does not answer."""
        state = self._state
        await self.take_entries()
        began_ns, asked_ns = state.clock.now_ns(), state.clock.monotonic_ns()
        theirs = await self._ask(began_ns)
        async with state.turn:
            entry = state.entry()
            if self._known_ns is None:
                self._adopt_account(theirs, entry)
            found = compare(self._ours(theirs), theirs, state.clock.monotonic_ns(), since=self._since, settle_ns=self.settle_ns)
            await self._heal_all(found, entry)
            self._refuse_changes(entry)
            state.outside_orders = sum(not one.status.is_final and own_id(one.client_order_id) not in state.lives for one in theirs.orders)
            await state.apply(entry)
        self._known_ns = began_ns if self._known_ns is None else self._known_ns
        self._from_ns = began_ns
        self._since = {
            one.key: self._since.get(one.key, asked_ns) for one in found if one.healing is Healing.WAIT or one.key in self._since
        }
        self._stop_runs([one for one in found if one.healing is Healing.STOP])
        return found

    async def take_entries(self) -> None:
        """Take into our books what the broker booked without an execution, each in its place among the executions. Raises BrokerError."""
        state = self._state
        new = [one for one in await self._broker.account.entries(after=state.last_entry) if one.id not in state.entries]
        if not new:
            return
        theirs = await self._ask(state.clock.now_ns())  # the orders as they are after all of them
        async with state.turn:
            for at, one in enumerate(new):
                if one.id in state.entries:
                    continue  # taken by another turn meanwhile
                if self._known_ns is None and one is not new[-1]:
                    continue
                if self._known_ns is None or one.time_ns < self._known_ns:
                    entry = state.entry()
                    self._entries.pass_over(one, entry)
                    await state.apply(entry)
                    continue
                await self._book_before(one.time_ns, theirs)
                is_last = not any(later.symbol == one.symbol and later.kind is one.kind for later in new[at + 1 :])
                entry = state.entry()
                after = [execution for execution in theirs.executions if execution.time_ns >= one.time_ns]
                self._entries.take(one, by_own_id(theirs.orders) if is_last else None, after, entry)
                await state.apply(entry)

    async def _book_before(self, until_ns: int, theirs: Theirs) -> None:
        """Book what was executed before an instant and had not been heard of."""
        state, early = self._state, tuple(one for one in theirs.executions if one.time_ns < until_ns)
        known = msgspec.structs.replace(theirs, executions=early)
        entry = state.entry()
        for one in compare(self._ours(known), known, state.clock.monotonic_ns()):
            if one.execution is not None:
                self._heal(one, entry)
        await state.apply(entry)

    # --- asking ---

    async def _ask(self, now_ns: int) -> Theirs:
        state, broker = self._state, self._broker
        unsettled = state.unsettled()
        since_ns = min([life.order.created_ns for life in unsettled] + [now_ns if self._from_ns is None else self._from_ns]) - _BEFORE_NS
        listed = (*await broker.orders.orders_since(since_ns), *await broker.orders.open_orders())
        orders = {order.id: self._as_ours(order) for order in (*listed, *self._legs(listed))}
        seen = {order.client_order_id for order in orders.values()}
        self._never_came = []
        self._unnamed = set()
        for life in unsettled:
            for wanted in _wanted_ids(life):
                if wanted in seen or wanted in state.in_flight:
                    continue
                # A list may be short or late; a question by the order's own id is not.
                found: BrokerOrder | None = await broker.orders.order_by_client_id(wanted)
                if found is None and wanted == life.order.id:
                    found = await self._ask_for_leg(life.order)  # it may have left with another, under no id of ours
                if found is not None:
                    # A leg bears an id of the broker's; what a change made of it bears the change's.
                    is_named = own_id(found.client_order_id) == life.order.id
                    orders[found.id] = found if is_named else msgspec.structs.replace(found, client_order_id=wanted)
                elif life.changing is not None and wanted == change_id(life.order.id, life.changing):
                    self._never_came.append((life.order.id, life.changing))
        state.note_account(await broker.account.account())
        positions = await broker.account.positions()
        # Last: an execution that is in the positions is in this list, or it is the broker's lag.
        executions = await broker.account.executions(since_ns=since_ns)
        # An order that arrived after the orders were listed may be executed already; whose it is, is asked and not guessed.
        # What a change has replaced bore no id of ours where it left with another; what it filled is booked all the same.
        executions = [one for one in executions if state.find("", one.order_id) is not None or state.fill_id(one.id) not in state.booked]
        strange = {one.order_id for one in executions if one.id not in state.known_outside and state.find("", one.order_id) is None}
        for broker_id in strange - set(orders) - state.adopted:
            late = await broker.orders.order(broker_id)
            if late is not None:
                orders[late.id] = late
        # A listing of executions may write a symbol in another way than the order does.
        symbols = {order.id: order.symbol for order in orders.values()}
        executions = [msgspec.structs.replace(one, symbol=symbols.get(one.order_id, one.symbol)) for one in executions]
        return Theirs(
            asked_ns=now_ns,
            orders=tuple(orders.values()),
            executions=tuple(executions),
            positions={one.symbol: one.qty for one in positions},
        )

    async def _ask_for_leg(self, order: Order) -> BrokerOrder | None:
        """Return an order that left with another: by the broker's id, else as a leg of that one; None where it never came."""
        reader, lead_id = self._broker.orders, self._state.leads.get(order.id)
        if order.broker_id is not None:
            return await reader.order(order.broker_id)
        lead = None if lead_id is None else await reader.order_by_client_id(lead_id)
        if lead is None:
            return None
        if not lead.legs:
            lead = await reader.order(lead.id)  # an answer by our id may leave them out
        named = [] if lead is None else [leg for leg in self._legs([lead]) if own_id(leg.client_order_id) == order.id]
        if not named:
            self._unnamed.add(order.id)  # what it left with is there: it may be, too
        return named[-1] if named else None

    def _legs(self, orders: Iterable[BrokerOrder]) -> list[BrokerOrder]:
        """Return our orders that left with another, by our ids: the broker made one order of them, and names the other parts."""
        state = self._state
        found = []
        for order in orders:
            others = state.together.get(own_id(order.client_order_id), ())
            found += legs_as_ours(order, [state.lives[each].order for each in others if each in state.lives])
        return found

    def _as_ours(self, order: BrokerOrder) -> BrokerOrder:
        """Return a leg that is listed by itself by our id: the broker gave it one of its own."""
        known = None if own_id(order.client_order_id) in self._state.lives else self._state.find("", order.id)
        return order if known is None else msgspec.structs.replace(order, client_order_id=known.order.id)

    def _refuse_changes(self, entry: Entry) -> None:
        """A change that nobody sends any more and that the broker does not have, by its own id, never came there."""
        state = self._state
        for order_id, number in self._never_came:
            life = entry.life(order_id, state.lives[order_id])
            if life.changing == number and change_id(order_id, number) not in state.in_flight:
                entry.take(change_refused(life, number, RejectCode.NEVER_SENT, "The broker never had the change.", state.clock.now_ns()))

    def _ours(self, theirs: Theirs) -> Ours:
        """Return what we know; of the orders those that matter now, however many there were."""
        state = self._state
        named = {life.order.id for life in state.unsettled()} | {own_id(order.client_order_id) for order in theirs.orders}
        executed_now = (state.find("", one.order_id) for one in theirs.executions)
        named |= {life.order.id for life in executed_now if life is not None}
        lives = {each: life for each, life in state.lives.items() if each in named or life.order.updated_ns >= theirs.asked_ns}
        return Ours(
            lives=lives,
            positions=state.positions(),
            outside=state.outside,
            known_outside=state.known_outside,
            adopted=state.adopted,
            in_flight=state.in_flight | self._unnamed,
            coin_buys=state.coin_buys(),
        )

    # --- healing ---

    async def _heal_all(self, found: Sequence[Difference], entry: Entry) -> None:
        """Heal one after the other; after an outage there may be thousands, and the loop has other things to do."""
        clock = self._state.clock
        until_ns = clock.monotonic_ns() + _SLICE_NS
        for one in found:
            self._heal(one, entry)
            if clock.monotonic_ns() > until_ns:
                await asyncio.sleep(0)
                until_ns = clock.monotonic_ns() + _SLICE_NS

    def _heal(self, one: Difference, entry: Entry) -> None:
        state, now_ns = self._state, self._state.clock.now_ns()
        if one.healing is Healing.WAIT and (one.key in self._since or one.kind in {Kind.GHOST_ORDER, Kind.COIN_FEE}):
            return  # told when it was first met, or so fresh that it says nothing
        run_id = None if one.order_id is None else state.lives[one.order_id].order.run_id
        caused_by = entry.tell(
            Differed(
                account=state.key,
                what=one.kind.value,
                healing=one.healing.value,
                symbol=one.symbol,
                reason=one.reason,
                order_id=one.order_id,
            ),
            run_id=run_id,
        )
        if one.order_id is not None:
            life = entry.life(one.order_id, state.lives[one.order_id])
            entry.caused(one.order_id, caused_by)
            if one.healing is Healing.BOOK and one.execution is not None:
                entry.take(executed(life, one.execution, state.fill_id(one.execution.id), now_ns, reason="reconciled"))
            elif one.healing is Healing.FOLD and one.order is not None:
                entry.take(heard(life, one.order, now_ns))
            elif one.healing is Healing.CLOSE:
                entry.take(refused(life, RejectCode.NEVER_SENT, one.reason, now_ns))
            elif one.healing is Healing.CANCEL and one.order is not None:
                broker_id = one.order.id
                entry.afterwards.append(lambda: self._spawn_cancel(broker_id))
        elif one.kind is Kind.COIN_FEE:
            self._charge(one, entry, caused_by)
        elif one.execution is not None:
            self._take_outside(one, entry, caused_by)
        elif one.healing is Healing.ADOPT and one.order is not None:
            self._adopt(one.order, entry, caused_by)

    def _adopt_account(self, theirs: Theirs, entry: Entry) -> None:
        """What an account holds when it is first met, beyond what was executed meanwhile for us, is nobody's of ours."""
        state = self._state
        ours = state.positions()
        executed_now: dict[str, Decimal] = {}
        counted = []
        our_ids = {order.id for order in theirs.orders if own_id(order.client_order_id) in state.lives}
        for one in theirs.executions:
            if one.order_id in our_ids:
                executed_now[one.symbol] = executed_now.get(one.symbol, ZERO) + one.qty * one.side.sign
            else:
                counted.append(one.id)
        state.known_outside.update(counted)
        held = {}
        for symbol, qty in theirs.positions.items():
            rest = qty - ours.get(symbol, ZERO) - executed_now.get(symbol, ZERO)
            if rest:
                held[symbol] = rest
        entry.tell(AccountAdopted(account=state.key, positions=tuple(sorted(held.items())), counted=tuple(counted)))
        state.outside.update(held)

    def _charge(self, one: Difference, entry: Entry, caused_by: str) -> None:
        """Book fees in coin with the fills whose they are."""
        state = self._state
        for charge in one.charges:
            buy = charge.buy
            told = CoinFee(
                account=state.key, symbol=one.symbol, fill_id=buy.fill_id, qty=charge.qty, price=buy.price, order_id=buy.order_id
            )
            run_id = None if buy.order_id is None else state.lives[buy.order_id].order.run_id
            # From a run's fee one walks back through its fill; that the account differed belongs to no run.
            fill_event = state.causes.of_order.get(buy.order_id or "")
            entry.tell(told, run_id=run_id, caused_by=caused_by if run_id is None else fill_event)
            entry.afterwards.append(partial(state.charge, told, run_id))

    def _take_outside(self, one: Difference, entry: Entry, caused_by: str) -> None:
        state, execution = self._state, one.execution
        if execution is None:
            return
        qty = execution.qty * execution.side.sign
        if one.kind is Kind.LIQUIDATION:
            qty = self._entries.liquidate(execution, entry) * execution.side.sign
        told = OutsideFilled(account=state.key, execution_id=execution.id, symbol=execution.symbol, qty=qty, price=execution.price)
        entry.tell(told, caused_by=caused_by)

        def know() -> None:
            state.known_outside.add(execution.id)
            state.outside[execution.symbol] = state.outside.get(execution.symbol, ZERO) + qty
            state.note_outside(told)

        entry.afterwards.append(know)

    def _adopt(self, order: BrokerOrder, entry: Entry, caused_by: str) -> None:
        state = self._state
        told = OrderAdopted(
            account=state.key,
            broker_id=order.id,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side.value if order.side is not None else "?",
            status=order.broker_status,
            filled_qty=order.filled_qty,
            qty=order.qty,
        )
        entry.tell(told, caused_by=caused_by)
        entry.afterwards.append(lambda: state.adopted.add(order.id))

    def _stop_runs(self, unhealed: list[Difference]) -> None:
        state = self._state
        for one in unhealed:
            concerned = {run_id for run_id, book in state.books.items() if one.symbol in book.holdings}
            concerned |= {life.order.run_id for life in state.lives.values() if life.order.request.symbol == one.symbol}
            for run_id in concerned & set(state.seats):
                state.seats[run_id].stop(BooksDiffer(one.reason, _TODO))


def _wanted_ids(life: OrderLife) -> list[str]:
    """Return the ids under which an order must be at the broker: its own, and the change whose outcome is not known."""
    ids = [life.order.id] if not life.order.status.is_final else []
    return ids if life.changing is None else [*ids, change_id(life.order.id, life.changing)]


async def cancel_stray(broker: Broker, broker_id: str) -> None:
    """Cancel an order that should not work. One that is over meanwhile is what was wanted."""
    try:
        await broker.desk.cancel(broker_id)
    except BrokerError:
        return  # it is over meanwhile, or it is met again at the next reconciliation
