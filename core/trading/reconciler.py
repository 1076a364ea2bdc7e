"""Asks the broker for everything, compares it with our books, and heals what differs."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec

from core.errors import BrokerError
from core.events.live_payloads import AccountAdopted, Reconciled
from core.model.broker import BrokerOrder
from core.model.instants import HOUR_NS, MINUTE_NS, SECOND_NS
from core.model.money import ZERO
from core.model.order import Order, RejectCode
from core.ports import Broker
from core.trading.absent_orders import AbsentOrders
from core.trading.account_entries import AccountEntries
from core.trading.brackets import legs_as_ours
from core.trading.changes import change_id, own_id
from core.trading.entries import Entry
from core.trading.healer import Healer
from core.trading.order_fold import OrderLife, change_refused, heard
from core.trading.reconcile import SETTLE_NS, Difference, Healing, Kind, Ours, Theirs, compare, moving
from core.trading.split_orders import by_own_id
from core.trading.state import AccountState

_BEFORE_NS: Final = MINUTE_NS
"""How much earlier than our own times the broker is asked from: its clock may be off."""
MEET_S: Final = 20.0
"""How long a new account is asked in vain what it holds, until it is said that it cannot be opened."""
_FIRST_LOOKS: Final = 6
"""How often a new account is looked at, at the most, until it is at rest."""
_MARK_NS: Final = HOUR_NS
"""How often it is stored up to when it was compared."""


class Reconciler:
    """Reconciles one account. `known_ns`: when it was first met; None: never, and what it holds then is somebody else's."""

    def __init__(
        self,
        state: AccountState,
        broker: Broker,
        *,
        known_ns: int | None,
        absent: AbsentOrders,
        spawn_cancel: Callable[[str], None],
        settle_ns: int = SETTLE_NS,
    ) -> None:
        self._state = state
        self._broker = broker
        self._known_ns = known_ns
        self._absent = absent
        self._since: dict[str, int] = {}
        self._before: dict[str, Difference] = {}
        self._first_looks: list[Theirs] = []
        # The first time everything since it was compared last, or met: who knows what happened while nobody looked.
        self._from_ns = self._marked_ns = known_ns if state.reconciled_ns is None else state.reconciled_ns
        self.settle_ns = settle_ns
        self._entries = AccountEntries(state)
        self._healer = Healer(state, self._entries, spawn_cancel)
        self._meet_until_ns = state.clock.monotonic_ns() + int(MEET_S * SECOND_NS)
        self._never_came: list[tuple[str, int]] = []
        # Orders that left with one that the broker has, and that it did not name.
        self._unnamed: set[str] = set()

    @property
    def is_waiting(self) -> bool:
        """Whether something is to be looked at again soon. What was looked at for long enough, and nothing heals, is not."""
        return any(one.healing is Healing.WAIT for one in self._before.values())

    @property
    def marked_ns(self) -> int | None:
        """When it was compared last, as far as that is stored, or met; None: never."""
        return self._marked_ns

    @property
    def has_met(self) -> bool:
        """Whether it is known what the account held before anything of ours was done there."""
        return self._known_ns is not None

    @property
    def gives_up(self) -> bool:
        """Whether a new account was asked in vain for so long that nothing can be opened there."""
        return not self.has_met and self._state.clock.monotonic_ns() >= self._meet_until_ns

    async def reconcile(self, *, accepts: str | None = None) -> tuple[Difference, ...]:
        """Compare and heal once; return what differed. Raises BrokerError when the broker does not answer.

        `accepts`: why a person takes what nothing else heals as the broker has it.
        """
        while (found := await self._look(accepts)) is None:
            pass
        return found

    async def _look(self, accepts: str | None) -> tuple[Difference, ...] | None:
        """Ask, compare and heal; None: the account is new and was not at rest, so that it must be asked again."""
        state = self._state
        await self.take_entries()
        began_ns, asked_ns = state.clock.now_ns(), state.clock.monotonic_ns()
        theirs = await self._ask(began_ns)
        async with state.turn:
            entry, ours = state.entry(), self._ours(theirs)
            if self._known_ns is None:
                if not self._is_at_rest(theirs):
                    return None
                met = self._adopt_account(theirs, entry)
                ours = msgspec.structs.replace(ours, outside=dict(met.positions), known_outside=frozenset(met.counted))
            found = compare(ours, theirs, state.clock.monotonic_ns(), since=self._since, settle_ns=self.settle_ns)
            if accepts is not None:
                found = tuple(_as_accepted(one) for one in found)
            await self._healer.heal_all(found, entry, self._before, accepts or "")
            self._refuse_changes(entry)
            self._learn(theirs, entry)
            state.outside_orders = sum(not one.status.is_final and own_id(one.client_order_id) not in state.lives for one in theirs.orders)
            # What the broker's lists lack may be listed later, with its time.
            is_whole = not any(one.healing is Healing.WAIT and one.kind in {Kind.POSITION, Kind.FILL_WITHOUT_DETAILS} for one in found)
            is_marked = is_whole and self._marked_ns is not None and began_ns - self._marked_ns >= _MARK_NS
            if is_marked:
                entry.tell(Reconciled(account=state.key, until_ns=began_ns))

            def know() -> None:
                self._marked_ns = began_ns if is_marked or self._marked_ns is None else self._marked_ns
                self._known_ns = began_ns if self._known_ns is None else self._known_ns
                if is_whole or self._from_ns is None:
                    self._from_ns = began_ns
                self._note(found, moving(ours, theirs), asked_ns)
                self._healer.stop_runs([one for one in found if one.healing is Healing.STOP])

            entry.afterwards.append(know)
            await state.apply(entry)
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
                self._healer.heal(one, entry, self._before, "")
        await state.apply(entry)

    def _note(self, found: Sequence[Difference], unseen: Set[str], asked_ns: int) -> None:
        """Remember what differs and since when; `unseen`: symbols of which nothing could be said."""
        now = {key: one for key, one in self._before.items() if one.symbol in unseen and one.kind is Kind.POSITION}
        now |= {one.key: one for one in found if one.healing is not Healing.ACCEPT}
        self._since = {key: self._since.get(key, asked_ns) for key, one in now.items() if one.healing is Healing.WAIT or key in self._since}
        self._before = now

    # --- asking ---

    async def _ask(self, now_ns: int) -> Theirs:
        state, broker = self._state, self._broker
        unsettled = state.unsettled()
        since_ns = (now_ns if self._from_ns is None else self._from_ns) - _BEFORE_NS
        listed = (*await broker.orders.orders_since(since_ns), *await broker.orders.open_orders())
        await self._absent.named(listed)
        orders = {order.id: self._as_ours(order) for order in (*listed, *self._legs(listed))}
        for order in listed:
            if (own := await self._replaced(order, orders)) is not None:
                orders[order.id] = own
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
        for life in unsettled:
            await self._ask_for_first(life, orders)
        state.note_account(await broker.account.account())
        positions = await broker.account.positions()
        # Last: an execution that is in the positions is in this list, or it is the broker's lag.
        executions = await broker.account.executions(since_ns=self._executed_since(since_ns, orders.values()))
        await self._absent.named(listed, executions)  # a late one may be of an order that is over long since
        # An order that arrived after the orders were listed may be executed already; whose it is, is asked and not guessed.
        # What a change has replaced bore no id of ours where it left with another; what it filled is booked all the same.
        executions = [one for one in executions if state.find("", one.order_id) is not None or state.fill_id(one.id) not in state.booked]
        strange = {one.order_id for one in executions if one.id not in state.known_outside and state.find("", one.order_id) is None}
        strange -= set(orders) | state.adopted
        if strange:
            # So may one that left with it, and of that not even our id is at the broker: what they left with names it.
            for life in state.unsettled():
                if (
                    life.order.id in state.groups.leads
                    and life.order.broker_id is None
                    and (leg := await self._ask_for_leg(life.order)) is not None
                ):
                    orders.setdefault(leg.id, leg)
        for broker_id in strange - set(orders):
            late = await broker.orders.order(broker_id)
            if late is not None:
                await self._absent.named([late])
                orders[late.id] = await self._replaced(late, orders) or late
        # A listing of executions may write a symbol in another way than the order does.
        symbols = {order.id: order.symbol for order in orders.values()}
        executions = [msgspec.structs.replace(one, symbol=symbols.get(one.order_id, one.symbol)) for one in executions]
        return Theirs(
            asked_ns=now_ns,
            orders=tuple(orders.values()),
            executions=tuple(executions),
            positions={one.symbol: one.qty for one in positions},
        )

    def _executed_since(self, since_ns: int, orders: Iterable[BrokerOrder]) -> int:
        """Return from when on executions are asked for: since the last look, unless one of before is missing of an order of ours.

        An order that rests for months must not make every look ask for all that was executed since it was made.
        """
        lives = self._state.lives
        told: dict[str, Decimal] = {}
        for order in orders:
            told[own_id(order.client_order_id)] = told.get(own_id(order.client_order_id), ZERO) + order.filled_qty
        missing = [
            life.order.created_ns - _BEFORE_NS
            for life in (lives[each] for each in told if each in lives)
            if max(told[life.order.id], life.broker_qty) > life.order.filled_qty + self._state.accepted.get(life.order.id, ZERO)
        ]
        return min(since_ns, *missing) if missing else since_ns

    async def _ask_for_leg(self, order: Order) -> BrokerOrder | None:
        """Return an order that left with another: by the broker's id, else as a leg of that one; None where it never came."""
        reader, lead_id = self._broker.orders, self._state.groups.leads.get(order.id)
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

    async def _ask_for_first(self, life: OrderLife, known: dict[str, BrokerOrder]) -> None:
        """Add what the first change of an order replaced, where that bore no id of ours: only what took its place names it."""
        first = next((one for one in known.values() if life.at and one.client_order_id == change_id(life.order.id, 1)), None)
        if first is None or first.replaces is None or first.replaces in known or not life.is_unclear or 0 in life.parts:
            return
        found = await self._broker.orders.order(first.replaces)
        if found is not None:
            known[found.id] = msgspec.structs.replace(found, client_order_id=life.order.id)

    def _legs(self, orders: Iterable[BrokerOrder]) -> list[BrokerOrder]:
        """Return our orders that left with another, by our ids: the broker made one order of them, and names the other parts."""
        state = self._state
        found = []
        for order in orders:
            others = state.groups.together.get(own_id(order.client_order_id), ())
            found += legs_as_ours(order, [state.lives[each].order for each in others if each in state.lives])
        return found

    def _as_ours(self, order: BrokerOrder) -> BrokerOrder:
        """Return a leg that is listed by itself by our id: the broker gave it one of its own."""
        known = None if own_id(order.client_order_id) in self._state.lives else self._state.find("", order.id)
        return order if known is None else msgspec.structs.replace(order, client_order_id=known.order.id)

    async def _replaced(self, order: BrokerOrder, known: Mapping[str, BrokerOrder]) -> BrokerOrder | None:
        """Return as ours what a change of ours replaced and that bears an id of the broker's; None where it is not that.

        It left with another. After a restart only what took its place names it.
        """
        state = self._state
        if order.replaced_by is None or order.id in state.adopted or state.find(known.get(order.id, order).client_order_id, "") is not None:
            return None
        after = known.get(order.replaced_by) or await self._broker.orders.order(order.replaced_by)
        own = None if after is None else state.lives.get(own_id(after.client_order_id))
        return None if own is None else msgspec.structs.replace(order, client_order_id=own.order.id)

    def _refuse_changes(self, entry: Entry) -> None:
        """A change that nobody sends any more and that the broker does not have, by its own id, never came there."""
        state = self._state
        for order_id, number in self._never_came:
            life = entry.life(order_id, state.lives[order_id])
            if life.changing == number and change_id(order_id, number) not in state.in_flight:
                entry.take(change_refused(life, number, RejectCode.NEVER_SENT, "The broker never had the change.", state.clock.now_ns()))

    def _learn(self, theirs: Theirs, entry: Entry) -> None:
        """Know of the parts of changed orders what is no difference and says how they stand: after a restart it is not known."""
        state = self._state
        for order in theirs.orders:
            life = state.lives.get(own_id(order.client_order_id))
            if life is None or not life.changes or life.order.id in entry.lives:
                continue
            step = heard(life, order, life.order.updated_ns)
            if not step.told and step.life.order == life.order:
                entry.afterwards.append(partial(self._know_part, order))

    def _know_part(self, order: BrokerOrder) -> None:
        life = self._state.lives[own_id(order.client_order_id)]
        self._state.recall(heard(life, order, life.order.updated_ns).life)

    def _ours(self, theirs: Theirs) -> Ours:
        """Return what we know; of the orders those that matter now, however many there were."""
        state = self._state
        named = {life.order.id for life in state.unsettled()} | {own_id(order.client_order_id) for order in theirs.orders}
        executed = {one.order_id: life.order.id for one in theirs.executions if (life := state.find("", one.order_id)) is not None}
        named |= set(executed.values())
        lives = {each: life for each, life in state.lives.items() if each in named or life.order.updated_ns >= theirs.asked_ns}
        return Ours(
            lives=lives,
            positions=state.positions(),
            outside=state.outside,
            known_outside=state.known_outside,
            adopted=state.adopted,
            in_flight=state.in_flight | self._unnamed,
            coin_buys=state.coins.buys(state.lives.values()),
            accepted=state.accepted,
            executed=executed,
        )

    # --- the first meeting ---

    def _is_at_rest(self, theirs: Theirs) -> bool:
        """Tell whether two looks at a new account show the same: its lists are asked one after the other, and may not fit together."""
        looks = self._first_looks
        looks.append(theirs)
        if len(looks) < 2:
            return False
        before = looks[-2]
        has_moved = any(life.order.updated_ns >= before.asked_ns for life in self._state.lives.values())
        is_same = before.positions == theirs.positions and {one.id for one in before.executions} == {one.id for one in theirs.executions}
        return (is_same and not has_moved) or len(looks) >= _FIRST_LOOKS

    def _adopt_account(self, theirs: Theirs, entry: Entry) -> AccountAdopted:
        """What an account holds when it is first met, beyond what is booked as ours and what is about to be, is nobody's of ours."""
        state = self._state
        ours = state.positions()
        counted = []
        our_ids = {order.id: own_id(order.client_order_id) for order in theirs.orders}
        for one in {each.id: each for each in theirs.executions}.values():
            life = state.lives.get(our_ids.get(one.order_id, "")) or state.find("", one.order_id)
            if life is None:
                counted.append(one.id)
            elif state.fill_id(one.id) not in state.booked:
                ours[one.symbol] = ours.get(one.symbol, ZERO) + one.qty * one.side.sign
        rests = {symbol: theirs.positions.get(symbol, ZERO) - ours.get(symbol, ZERO) for symbol in {*theirs.positions, *ours}}
        held = {symbol: rest for symbol, rest in rests.items() if rest}
        told = AccountAdopted(account=state.key, positions=tuple(sorted(held.items())), counted=tuple(counted))
        entry.tell(told)
        entry.afterwards.append(partial(state.meet, told))
        return told


def _as_accepted(one: Difference) -> Difference:
    """Return a difference as one that a person takes as it is, where nothing else heals it."""
    return msgspec.structs.replace(one, healing=Healing.ACCEPT) if one.healing is Healing.STOP else one


def _wanted_ids(life: OrderLife) -> list[str]:
    """Return the ids under which an order must be at the broker: its own, those of its changes, and of one whose outcome is not known."""
    ids = [] if life.order.status.is_final else [life.order.id, *(change_id(life.order.id, number) for number in _made(life))]
    return ids if life.changing is None else [*ids, change_id(life.order.id, life.changing)]


def _made(life: OrderLife) -> list[int]:
    """Return the changes that were made, of which more is to be known: the one that works, and those whose end was not heard."""
    before = [number for number in range(1, life.at) if number not in life.parts and not life.changes[number - 1].is_refused]
    return [*before, life.at] if life.at else []


async def cancel_stray(broker: Broker, broker_id: str) -> None:
    """Cancel an order that should not work. One that is over meanwhile is what was wanted."""
    try:
        await broker.desk.cancel(broker_id)
    except BrokerError:
        return  # it is over meanwhile, or it is met again at the next reconciliation
