"""What moved an account without an execution, in the books of the runs that have a part of it: each its own.

The broker is the truth of the account; what a run has of it is worked out from what the run held at that instant. Each entry
is committed once, with an event that names it. Source: docs/live-trading.md, "Splits, dividends and interest".
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from functools import partial
from typing import Final

import msgspec

from core.events.live_payloads import EntryTaken
from core.events.payloads import DividendPaid, InterestCharged, MarginCall, OrderCreated, OrderFilled, OrderReplaced, SplitApplied
from core.model.broker import BrokerOrder, Execution
from core.model.broker_entry import BrokerEntry, BrokerEntryKind
from core.model.corporate_action import ratio_words, units_after
from core.model.money import MONEY_CONTEXT, ZERO
from core.model.order import Fill, Order, OrderRequest, OrderStatus, TimeInForce
from core.trading.books import BookChange
from core.trading.entries import Entry
from core.trading.holders import booked, expected, held_at
from core.trading.order_fold import OrderLife
from core.trading.portions import portions
from core.trading.split_orders import UNIT, is_untouched, split_life, split_request, went_through, whole
from core.trading.state import AccountState

_CENT: Final = Decimal("0.01")
_DUST: Final = Decimal("1E-18")
_TOLD: Final = frozenset({BrokerEntryKind.CORPORATE_ACTION, BrokerEntryKind.OTHER})
"""What changes nothing here by itself."""
MARGIN_CALL: Final = "margin_call"
"""Why a fill is there that no order of a run asked for."""


class AccountEntries:
    """Shares what a broker booked. Whoever calls it holds the account's turn, and has booked the executions before it."""

    def __init__(self, state: AccountState) -> None:
        self._state = state
        self._told_now: dict[tuple[str, str], int] = {}
        """When a split was told of last as what it did then, by run and symbol."""

    def take(
        self,
        one: BrokerEntry,
        orders: Mapping[str, BrokerOrder] | None,
        after: Sequence[Execution],
        entry: Entry,
        has: Decimal | None = None,
    ) -> None:
        """Add to `entry` what comes of an entry. `orders`: as they are after all entries, by our ids; `after`: executions after it.

        Of several splits of a symbol the last one comes with `orders`, the others without. `has`: what the broker says that is held
        of the symbol once the entry, and no later one, is in it; None: it was not asked.
        """
        state, symbol = self._state, one.symbol
        with localcontext(MONEY_CONTEXT):
            later: dict[str | None, Decimal] = {}
            for _, owner, qty in booked(state, symbol, after):
                later[owner] = later.get(owner, ZERO) + qty
            outside = state.outside.get(symbol, ZERO) - later.get(None, ZERO)
            held = {run_id: book.held(symbol) - later.get(run_id, ZERO) for run_id, book in state.books.items() if symbol in book.holdings}
            is_split = one.kind is BrokerEntryKind.SPLIT and one.rate is not None
            is_booked = self._is_booked(one, has, after)
            left = None
            if is_split and one.rate is not None and is_booked:
                left = self._outside_after(one, one.rate, held, outside) + later.get(None, ZERO)
            elif one.kind is BrokerEntryKind.TRANSFER and one.qty and is_booked:
                left = state.outside.get(symbol, ZERO) + one.qty  # no run bought or sold it
            told = EntryTaken(
                account=state.key,
                entry_id=one.id,
                what=one.kind.value,
                symbol=symbol,
                qty=one.qty,
                cash=one.cash,
                outside=left,
                rate=one.rate,
                time_ns=one.time_ns,
                said=one.said,
                is_booked=is_booked,
            )
            entry.tell(told)
            entry.afterwards.append(partial(state.note_entry, told))
            if is_split and one.rate is not None and is_booked:
                causes = self._split(one, one.rate, held, later, entry)
                entry.afterwards.append(partial(state.split_price, symbol, one.rate, one.time_ns))
                self._adjust(one, one.rate, orders, after, entry, causes)
            elif one.kind in {BrokerEntryKind.DIVIDEND, BrokerEntryKind.DIVIDEND_TAX} and symbol:
                self._pay(one, held_at(state, symbol, one.time_ns, after), entry)
            elif one.kind is BrokerEntryKind.INTEREST and symbol:
                # On the account's cash nobody has a part: a run's own money is not the account's.
                shorts: dict[str | None, Decimal] = {run_id: -qty for run_id, qty in held.items() if qty < 0}
                if outside < 0:
                    shorts[None] = -outside
                for owner, cash in portions(one.cash, shorts, _CENT).items():
                    if owner is not None and cash:
                        self._tell(owner, InterestCharged(amount=-cash, symbol=symbol), one.time_ns, entry)
            elif one.kind is BrokerEntryKind.MARGIN_CALL:
                called = MarginCall(equity=one.equity or ZERO, required=one.required or ZERO, exposure=one.exposure or ZERO)
                for run_id, book in state.books.items():
                    if book.positions() or state.working(run_id):
                        state.called[run_id] = entry.tell(called, run_id=run_id)

    def pass_over(self, one: BrokerEntry, entry: Entry) -> None:
        """Add that an entry is known and concerns nobody here: it is in what the account held when it was first met."""
        told = EntryTaken(
            account=self._state.key, entry_id=one.id, what=one.kind.value, symbol=one.symbol, qty=one.qty, cash=one.cash, said=one.said
        )
        entry.tell(told)
        entry.afterwards.append(partial(self._state.note_entry, told))

    def liquidate(self, execution: Execution, entry: Entry) -> Decimal:
        """Add what an order of the broker's own closed to the books of those who held it; return the units that nobody here did."""
        state, symbol, sign = self._state, execution.symbol, execution.side.sign
        held = {run_id: book.held(symbol) for run_id, book in state.books.items()}
        for fill in entry.fills:
            if fill.symbol == symbol:
                held[fill.run_id] = held.get(fill.run_id, ZERO) + fill.qty * fill.side.sign
        closing: dict[str | None, Decimal] = {run_id: abs(qty) for run_id, qty in held.items() if qty * sign < 0}
        outside = state.outside.get(symbol, ZERO)
        if outside * sign < 0:
            closing[None] = abs(outside)
        with localcontext(MONEY_CONTEXT):
            qtys = portions(min(execution.qty, sum(closing.values(), ZERO)), closing, UNIT)
            fees = portions(execution.fee, {run_id: qty for run_id, qty in qtys.items() if qty}, _DUST)
            for run_id, qty in qtys.items():
                if run_id is not None and qty:
                    self._fill(run_id, execution, qty, fees.get(run_id, ZERO), entry)
            return execution.qty - sum((qty for run_id, qty in qtys.items() if run_id is not None), ZERO)

    # --- inside ---

    def _is_booked(self, one: BrokerEntry, has: Decimal | None, after: Sequence[Execution]) -> bool:
        """Tell whether the units that an entry moved are taken from it.

        Not where they are there already, because a person accepted the difference, and not where the account does not show them.
        """
        if one.kind in _TOLD:
            return not one.qty
        if has is None or not one.qty or not one.symbol:
            return True
        known = expected(self._state, one.symbol, after)
        if one.kind is BrokerEntryKind.TRANSFER:
            return known + one.qty == has
        return known != has or one.symbol not in self._state.accepted_symbols

    def _pay(self, one: BrokerEntry, held: Mapping[str | None, Decimal], entry: Entry) -> None:
        """Give each run its part of a dividend, or of what was kept of one, by what it held then."""
        total = sum(held.values(), ZERO)
        rate = one.rate if one.rate is not None or not total else one.cash / total
        if rate is None:
            return
        exact = total * rate
        # What is paid is rounded to the cent; where it is what our books make of it, together the parts are what was paid.
        is_scaled = bool(exact) and abs(exact) != abs(one.cash) and abs(abs(exact) - abs(one.cash)) < _CENT
        is_taken_back = bool(exact) and exact * one.cash < 0
        for run_id, qty in held.items():
            if run_id is None or not qty:
                continue
            cash = (qty * rate * one.cash / exact).quantize(_DUST) if is_scaled else qty * rate * (-1 if is_taken_back else 1)
            is_tax = one.kind is BrokerEntryKind.DIVIDEND_TAX
            self._tell(run_id, DividendPaid(symbol=one.symbol, per_share=rate, qty=qty, cash=cash, is_tax=is_tax), one.time_ns, entry)

    def _outside_after(self, one: BrokerEntry, ratio: Decimal, held: Mapping[str, Decimal], outside: Decimal) -> Decimal:
        """Return what a split leaves of what is nobody's here, with the last unit that it left the account and no run has."""
        total = sum(held.values(), outside)
        exact, others = units_after(total, ratio), sum((whole(qty, ratio) for qty in held.values()), ZERO)
        has = total + one.qty
        if not any(held.values()):
            return has
        # Where our books and the account differ, that is told in its own right, and is not made ours here.
        return has - others if abs(has - exact) < UNIT else whole(outside, ratio)

    def _split(
        self, one: BrokerEntry, ratio: Decimal, held: Mapping[str, Decimal], later: Mapping[str | None, Decimal], entry: Entry
    ) -> dict[str, str]:
        """Split what each run holds; return the events that say so, by run."""
        causes = {}
        state, symbol = self._state, one.symbol
        holders = [qty for qty in held.values() if qty]
        alone = len(holders) == 1 and not state.outside.get(symbol, ZERO) - later.get(None, ZERO)
        for run_id, qty in held.items():
            book = state.books[run_id]
            if not qty and not any(life.order.filled_qty for life in state.working(run_id) if life.order.request.symbol == symbol):
                continue
            after = whole(qty, ratio)
            if alone and qty and abs(qty + one.qty - after) < 1:
                after = qty + one.qty  # whose the fraction was that the broker left out is no question
            cash = ((units_after(qty, ratio) - after) * (one.price or ZERO)).quantize(_DUST)
            since = later.get(run_id, ZERO)
            told = SplitApplied(
                symbol=symbol,
                ratio=ratio,
                qty_before=book.held(symbol),
                qty=after + since,
                cash=cash,
                # Where something is in the books that came after it, it is told of as what it does to them now.
                time_ns=None if since or self._is_overtaken(run_id, one) else one.time_ns,
            )
            if told.time_ns is None:
                self._told_now[run_id, symbol] = state.clock.now_ns()
            causes[run_id] = self._tell(run_id, told, one.time_ns, entry)
        return causes

    def _is_overtaken(self, run_id: str, one: BrokerEntry) -> bool:
        """Tell whether a split before this one is in the run's books as of a later instant: read anew, it would come after it."""
        times = (time_ns for time_ns, _ in self._state.books[run_id].splits.get(one.symbol, ()))
        return max(self._told_now.get((run_id, one.symbol), -1), *times, -1) >= one.time_ns

    def _tell(self, run_id: str, told: BookChange, time_ns: int, entry: Entry) -> str:
        # What the account as a whole came to belongs to no run, and is no cause within one.
        event_id = entry.tell(told, run_id=run_id)
        entry.afterwards.append(partial(self._know, run_id, told, time_ns))
        return event_id

    def _know(self, run_id: str, told: BookChange, time_ns: int) -> None:
        self._state.books[run_id].take(told, time_ns)
        self._state.changed(run_id)

    def _adjust(
        self,
        one: BrokerEntry,
        ratio: Decimal,
        orders: Mapping[str, BrokerOrder] | None,
        after: Sequence[Execution],
        entry: Entry,
        causes: Mapping[str, str],
    ) -> None:
        """Move the symbol's orders into the units of after: those at the broker to what it made of them, the others by the rules."""
        state = self._state
        words = f"A split, {ratio_words(ratio)}."
        for known in state.working():
            life = entry.life(known.order.id, known)
            theirs = None if orders is None else orders.get(life.order.id)
            if life.order.request.symbol != one.symbol or (orders is not None and theirs is None):
                continue  # it is on its way, or never came there
            if theirs is not None:
                unheard = self._unheard(life, theirs, after)
                if is_untouched(life, theirs, unheard) or not went_through(life, ratio, one.time_ns, theirs, unheard):
                    continue
            life = split_life(life, ratio, one.time_ns, theirs)
            entry.lives[life.order.id] = life
            told = OrderReplaced(order_id=life.order.id, request=life.order.request, reason=words, filled_qty=life.order.filled_qty)
            entry.tell_of(life.order, told, causes.get(life.order.run_id))
        for waiting in (seat.waiting for seat in state.seats.values() if seat.waiting is not None):
            for order in waiting.waiting_orders():
                if order.request.symbol == one.symbol:
                    request = split_request(order.request, ratio)
                    entry.tell_of(order, OrderReplaced(order_id=order.id, request=request, reason=words), causes.get(order.run_id))
                    entry.afterwards.append(partial(waiting.change, order.id, request))

    def _unheard(self, life: OrderLife, theirs: BrokerOrder, after: Sequence[Execution]) -> Decimal:
        known = {fill.id for fill in life.fills}
        mine = (one for one in after if one.order_id == theirs.id)
        return sum((one.qty for one in mine if self._state.fill_id(one.id) not in known), ZERO)

    def _fill(self, run_id: str, execution: Execution, qty: Decimal, fee: Decimal, entry: Entry) -> None:
        """Add an order of the run's that is filled, for what was closed of its position."""
        state, now_ns = self._state, self._state.clock.now_ns()
        request = OrderRequest(symbol=execution.symbol, side=execution.side, qty=qty, reduce_only=True, note="closed after a margin call")
        order = Order(
            id=f"{run_id}-m{execution.id}",
            run_id=run_id,
            request=request,
            time_in_force=TimeInForce.GTC,
            status=OrderStatus.CREATED,
            created_ns=now_ns,
            updated_ns=now_ns,
            account=state.key,
        )
        fill = Fill(
            id=state.fill_id(f"{execution.id}/{run_id}"),
            run_id=run_id,
            order_id=order.id,
            symbol=execution.symbol,
            side=execution.side,
            qty=qty,
            price=execution.price,
            fee=fee,
            slippage=ZERO,
            time_ns=execution.time_ns,
            reason=MARGIN_CALL,
        )
        entry.tell_of(order, OrderCreated(order=order), state.called.get(run_id))
        told = OrderFilled(
            order_id=order.id, fill_id=fill.id, qty=qty, price=fill.price, fee=fee, filled_qty=qty, time_ns=fill.time_ns, reason=MARGIN_CALL
        )
        entry.tell_of(order, told)
        filled = msgspec.structs.replace(order, status=OrderStatus.FILLED, filled_qty=qty, avg_fill_price=fill.price)
        entry.lives[order.id] = OrderLife(order=filled, said=OrderStatus.FILLED, fills=(fill,), broker_qty=qty, money=qty * fill.price)
        entry.fills.append(fill)
