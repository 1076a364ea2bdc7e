"""The simulated venue of one run: takes orders, lets bars meet them, and keeps the account they are booked on.

Its methods run in the run's own thread.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from core.backtest.equity import EquitySteps
from core.backtest.feeds import NEVER, Feed
from core.backtest.order_checks import REPLACEABLE, replaced_request, what_is_wrong
from core.backtest.reports import OrderReports, TradingDays
from core.backtest.run_view import RunView
from core.clock.simulated import SimulatedClock
from core.errors import InvalidValue
from core.events.envelope import Cause
from core.matching.ledger import Ledger
from core.matching.matcher import Matching
from core.matching.orders import WorkingOrder
from core.matching.outcomes import Activated, Cancelled, Execution, Outcome, Refused, Resized
from core.model.instants import iso
from core.model.market import Bar
from core.model.money import exact, plain
from core.model.order import LegRole, OrderRequest, OrderSide, RejectCode, TimeInForce
from core.model.position import Position
from core.model.ticket import Ticket
from core.strategy.actions import ReplaceOrder

_DAY, _GTD, _GTC = TimeInForce.DAY, TimeInForce.GTD, TimeInForce.GTC
_PLAIN_TIMES: Final = frozenset({TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK})


class SimulatedVenue(RunView):
    """Orders, account and positions of a run. It is what a strategy sees as its account, too."""

    def __init__(
        self, *, feeds: Sequence[Feed], matching: Matching, ledger: Ledger, clock: SimulatedClock, days: TradingDays, reports: OrderReports
    ) -> None:
        super().__init__(feeds, ledger, clock)
        self._met = {feed.symbol: feed for feed in feeds if feed.meets}
        """The bars that orders meet, by symbol; the strategy may see larger ones alone."""
        self.orders: dict[str, WorkingOrder] = {}
        """Those that can still fill, by ref; the same dict for the whole run. Exit legs that wait are among them."""
        self._matching = matching
        self._days = days
        self._reports = reports
        self.steps = EquitySteps()
        self.point = 0
        """Number of the decision time whose bars are being met."""
        self._places = 0
        self.next_expiry_ns = NEVER
        self.stopped: str | None = None
        """Why the strategy ended the run early, when it did."""

    def working(self) -> tuple[str, ...]:
        return tuple(self.orders)

    # --- orders ---

    def place(self, ticket: Ticket, legs: Sequence[tuple[LegRole, Ticket]] = ()) -> None:
        """Take an order decided now, with its exit legs; it meets the first bar of its symbol that starts at or after now."""
        request = ticket.request
        feed = self._met[request.symbol]
        wrong = (
            what_is_wrong(request, ticket.time_in_force, feed.market.instrument, self._clock.instant_ns)
            if feed.has_grid or ticket.time_in_force not in _PLAIN_TIMES or legs
            else None
        )
        if wrong is not None or self.ledger.restricted:
            code = RejectCode.INVALID_ORDER if wrong is not None else RejectCode.INSUFFICIENT_MARGIN
            wrong = wrong or self._raises_exposure(request)
            if wrong is not None:
                self._reject(ticket, wrong, code)
                for _, leg in legs:
                    self._reports.cancel(leg.order_id, "The order it belongs to was refused.", now_ns=self._clock.instant_ns)
                return
        order = self._work(feed, ticket)
        if legs:
            order.legs = tuple([self._leg(order, role, leg, feed) for role, leg in legs])
            _pair(order.legs)

    def place_plain(self, order_id: str, ref: str, request: OrderRequest, time_in_force: TimeInForce) -> bool:
        """Take a plain market order decided now and tell nobody; False, and nothing is done, when it must be looked at first."""
        feed = self._met[request.symbol]
        if feed.has_grid or self.ledger.restricted:
            return False
        now_ns = self._clock.instant_ns
        dead_from_ns = None
        if time_in_force is not _GTC:
            _, dead_from_ns = self._life(feed, request, time_in_force, now_ns)
            if dead_from_ns is not None and dead_from_ns < self.next_expiry_ns:
                self.next_expiry_ns = dead_from_ns
        order = WorkingOrder(order_id, ref, request, now_ns, dead_from_ns, time_in_force)
        self._places = order.place = self._places + 1
        feed.book.add_plain(order)
        self.orders[ref] = order
        return True

    def place_pair(self, first: Ticket, second: Ticket) -> None:
        """Take two orders of which one cancels the other."""
        feed = self._met[first.request.symbol]
        instrument, now_ns = feed.market.instrument, self._clock.instant_ns
        wrong = what_is_wrong(first.request, first.time_in_force, instrument, now_ns)
        wrong = wrong or what_is_wrong(second.request, second.time_in_force, instrument, now_ns)
        code = RejectCode.INVALID_ORDER
        if wrong is None and self.ledger.restricted:
            wrong = self._raises_exposure(first.request) or self._raises_exposure(second.request)
            code = RejectCode.INSUFFICIENT_MARGIN
        if wrong is not None:
            self._reject(first, wrong, code)
            self._reject(second, wrong, code)
            return
        _pair((self._work(feed, first), self._work(feed, second)))

    def replace(self, wanted: ReplaceOrder) -> bool:
        """Change a working order from now on; False when it is already over, or cannot be what is wanted."""
        order = self.orders.get(wanted.ref)
        if order is None:
            return False
        now_ns, feed = self._clock.instant_ns, self._met[order.symbol]
        changes = {name: value for name in REPLACEABLE if (value := getattr(wanted, name)) is not None}
        try:
            request = replaced_request(order, changes, feed.market.instrument)
        except InvalidValue as error:
            self._reports.refuse_replacement(order.id, RejectCode.INVALID_ORDER, str(error), now_ns=now_ns)
            return False
        if request.qty <= order.filled:
            return self.cancel(wanted.ref, f"Replaced by {plain(request.qty)}, of which {plain(order.filled)} are filled already.")
        if "qty" in changes:
            order.qty = request.qty
        order.request = request
        order.price(request)
        self._reports.replace(order.id, request, wanted.note or "The strategy replaced it.", now_ns=now_ns)
        self._places += 1
        order.place = self._places
        if order.is_live:
            order.live_from_ns = max(order.live_from_ns, now_ns)
            feed.book.add(order)
        return True

    def cancel(self, ref: str, reason: str) -> bool:
        """Take back a working order, with what hangs on it; False when it is already over."""
        order = self.orders.get(ref)
        if order is None:
            return False
        self.cancel_alone(order, reason)
        if order.sibling is not None and not order.sibling.gone:
            self.cancel_alone(order.sibling, "The order it is linked with was cancelled.")
        return True

    def cancel_all(self, reason: str) -> None:
        """Take back every working order."""
        for ref in self.working():
            order = self.orders.get(ref)
            if order is not None:
                self.cancel_alone(order, reason)

    # --- bars ---

    def meet(self, feed: Feed, bar: Bar, *, is_regular: bool = True) -> None:
        """Let the symbol's working orders meet a bar, and tell what became of them."""
        start_ns, high, low = bar.start_ns, bar.high, bar.low
        if start_ns >= self.next_expiry_ns:
            self.expire(start_ns)
        book = feed.book
        if len(book.working) == 1:
            (order,) = book.working.values()
            if order.is_plain and self._matching.is_simple and is_regular and not order.legs:
                # By far the most frequent: one market order, alone.
                if order.can_meet(start_ns):
                    self._meet_alone(feed, order, bar)
                return
        reached = book.reached(high, low)
        live = [order for order in reached if order.can_meet(start_ns) and (is_regular or order.is_extended) and order.can_act(high, low)]
        if live:
            outcomes = self._matching.meet(live, book.legs, bar, self.ledger, is_regular=is_regular)
            self.report(feed, outcomes, start_ns)
            for order in live:
                for each in (order, *order.legs):
                    if each.path_dependent:
                        each.path_dependent = False
                        self._reports.flag_path_dependent(each.id)
        book.settle(reached)

    def _meet_alone(self, feed: Feed, order: WorkingOrder, bar: Bar) -> None:
        """Fill the only order of its symbol, or refuse it, at the open."""
        outcome = self._matching.filling.fill_market(order, bar, self.ledger)
        feed.book.empty()
        del self.orders[order.ref]
        if isinstance(outcome, Execution):
            self._reports.fill_whole(order.id, outcome.price, outcome.fee, outcome.slippage, bar.start_ns)
            self.step(feed)
        else:
            self._reports.reject(order.id, outcome.code, outcome.reason, now_ns=bar.start_ns)

    def report(self, feed: Feed, outcomes: Sequence[Outcome], time_ns: int) -> None:
        """Tell what became of orders in a bar that started at `time_ns`."""
        reports = self._reports
        for outcome in outcomes:
            order = outcome.order
            if isinstance(outcome, Execution):
                reports.fill(
                    order.id,
                    qty=outcome.qty,
                    price=outcome.price,
                    fee=outcome.fee,
                    slippage=outcome.slippage,
                    time_ns=time_ns,
                    path_dependent=outcome.path_dependent,
                    reason=order.reason,
                )
                self.step(feed)
                if outcome.complete:
                    self._drop(order, feed)
            elif isinstance(outcome, Refused):
                self._drop(order, feed)
                reports.reject(order.id, outcome.code, outcome.reason, now_ns=time_ns)
            elif isinstance(outcome, Cancelled):
                self._drop(order, feed)
                reports.cancel(order.id, outcome.reason, now_ns=time_ns)
            elif isinstance(outcome, Activated):
                self._go_live(order, feed, outcome.qty, time_ns)
            else:
                self._resize(outcome, time_ns)

    def step(self, feed: Feed) -> None:
        """Note the account after a change, for the equity curve."""
        self.steps.add(self.point, self.ledger.cash, feed.at, self.ledger.held(feed.symbol))

    def step_cash(self) -> None:
        """Note that the cash changed, and no position."""
        self.step(next(iter(self._met.values())))

    def orders_of(self, symbol: str) -> list[WorkingOrder]:
        """Return the symbol's orders that can still fill, exit legs that wait included."""
        return [order for order in self.orders.values() if order.symbol == symbol]

    def open_positions(self) -> tuple[Position, ...]:
        """Return what is held now."""
        return self.ledger.open_positions()

    def expire(self, now_ns: int) -> None:
        """Let the orders go whose time is over, and look when the next one's is."""
        self.next_expiry_ns = NEVER
        for feed in self._met.values():
            for order in tuple(feed.book.working.values()):
                dead_from_ns = order.dead_from_ns
                if dead_from_ns is None or order.gone:
                    continue
                if dead_from_ns > now_ns:
                    self.next_expiry_ns = min(self.next_expiry_ns, dead_from_ns)
                    continue
                last_bar_ns = feed.last_bar_to_meet(order)
                if last_bar_ns is not None:
                    self.next_expiry_ns = min(self.next_expiry_ns, last_bar_ns)
                    continue
                order.gone = True
                self._drop(order, feed)
                if order.in_auction:
                    self._reports.cancel(order.id, "The session had no bar left for its auction.", now_ns=dead_from_ns)
                elif order.time_in_force is _GTD:
                    self._reports.expire(order.id, f"Its time ended at {iso(dead_from_ns)}.", now_ns=dead_from_ns)
                else:
                    self._reports.expire(order.id, f"Its session ended at {iso(dead_from_ns)}.", now_ns=dead_from_ns)
                self._end_legs(order)

    # --- orders of the venue's own ---

    def liquidate(self, symbol: str, reason: str, caused_by: Cause) -> None:
        """Place an order that closes what is held of `symbol` at its next open, because of the event `caused_by`."""
        held = self.ledger.held(symbol)
        feed, now_ns = self._met[symbol], self._clock.instant_ns
        request = _closing(symbol, held)
        order_id = self._reports.create_own(request, _GTC, now_ns=now_ns, caused_by=caused_by)
        order = self._work(feed, Ticket(order_id, f"#{order_id}", request, _GTC))
        order.reason = reason
        order.goes_when_flat = True
        feed.book.add(order)

    def drop_idle(self, symbol: str) -> None:
        """Cancel what was there to close a position that is flat now."""
        for order in self.orders_of(symbol):
            if order.goes_when_flat and order.is_live and not self.ledger.closing_part(symbol, order.side, order.open_qty):
                self.cancel_alone(order, "The position it was to close is flat.")

    def close_at_end(self, reason: str) -> None:
        """Close what is held at the last closes, with fee and without slippage."""
        filling = self._matching.filling
        for feed in self._met.values():
            held = self.ledger.held(feed.symbol)
            bar = feed.newest
            if not held or bar is None:
                continue
            request = _closing(feed.symbol, held)
            order_id = self._reports.create_own(request, _GTC, now_ns=self._clock.instant_ns)
            order = self._work(feed, Ticket(order_id, f"#{order_id}", request, _GTC))
            order.reason = reason
            self.report(feed, filling.fill(order, exact(bar.close), bar, self.ledger, None, slips=False, is_maker=False), bar.start_ns)

    # --- one order ---

    def _work(self, feed: Feed, ticket: Ticket) -> WorkingOrder:
        now_ns, request, time_in_force = self._clock.instant_ns, ticket.request, ticket.time_in_force
        live_from_ns, dead_from_ns = now_ns, None
        if time_in_force is not _GTC:
            live_from_ns, dead_from_ns = self._life(feed, request, time_in_force, now_ns)
            if dead_from_ns is not None and dead_from_ns < self.next_expiry_ns:
                self.next_expiry_ns = dead_from_ns
        order = WorkingOrder(ticket.order_id, ticket.ref, request, live_from_ns, dead_from_ns, time_in_force)
        order.tick = feed.market.instrument.tick
        self._places += 1
        order.place = self._places
        self._reports.accept(ticket.order_id, now_ns=now_ns)
        feed.book.add(order)
        self.orders[ticket.ref] = order
        return order

    def _life(self, feed: Feed, request: OrderRequest, time_in_force: TimeInForce, now_ns: int) -> tuple[int, int | None]:
        """Return the first bar start an order decided now can meet and the first it cannot."""
        instrument = feed.market.instrument
        if time_in_force is _DAY:
            end = self._days.extended_day_end if request.extended_hours else self._days.day_end
            return now_ns, end(now_ns, instrument)
        if time_in_force is _GTD:
            return now_ns, request.expires_ns
        if time_in_force is TimeInForce.OPG:
            before_ns, close_ns = self._days.next_open(now_ns, instrument)
            return max(now_ns, before_ns), close_ns
        if time_in_force is TimeInForce.CLS:
            close_ns = self._days.day_end(now_ns, instrument)
            return feed.last_bar_of_session(now_ns, close_ns), close_ns
        return now_ns, None

    def _leg(self, parent: WorkingOrder, role: LegRole, ticket: Ticket, feed: Feed) -> WorkingOrder:
        order = WorkingOrder.leg(ticket.order_id, ticket.ref, ticket.request, role, parent, ticket.time_in_force)
        order.tick = feed.market.instrument.tick
        self._places += 1
        order.place = self._places
        if ticket.time_in_force is _GTD:
            order.dead_from_ns = ticket.request.expires_ns
        self.orders[ticket.ref] = order
        return order

    def _go_live(self, leg: WorkingOrder, feed: Feed, qty: Decimal, time_ns: int) -> None:
        self._reports.accept(leg.id, now_ns=time_ns)
        if qty != leg.request.qty:
            self._resize(Resized(leg, qty, "Its entry filled a part."), time_ns)
        leg.live_from_ns = time_ns
        if leg.time_in_force is not _GTC:
            _, leg.dead_from_ns = self._life(feed, leg.request, leg.time_in_force, time_ns)
            if leg.dead_from_ns is not None:
                self.next_expiry_ns = min(self.next_expiry_ns, leg.dead_from_ns)
        feed.book.add(leg)

    def _resize(self, outcome: Resized, time_ns: int) -> None:
        order = outcome.order
        order.request = msgspec.structs.replace(order.request, qty=outcome.qty)
        self._reports.replace(order.id, order.request, outcome.reason, now_ns=time_ns)

    def cancel_alone(self, order: WorkingOrder, reason: str) -> None:
        order.gone = True
        feed = self._met[order.symbol]
        self._drop(order, feed)
        self._reports.cancel(order.id, reason, now_ns=self._clock.instant_ns)
        self._end_legs(order)

    def _end_legs(self, order: WorkingOrder) -> None:
        """Legs that were not live when their parent ended never will be."""
        for leg in order.legs:
            if not leg.is_live and not leg.gone:
                self.cancel_alone(leg, "The order it belongs to opened nothing.")

    def _drop(self, order: WorkingOrder, feed: Feed) -> None:
        self.orders.pop(order.ref, None)
        feed.book.remove(order)

    def _reject(self, ticket: Ticket, wrong: str, code: RejectCode) -> None:
        self._reports.reject(ticket.order_id, code, wrong, now_ns=self._clock.instant_ns)

    def _raises_exposure(self, request: OrderRequest) -> str | None:
        """Return the sentence that refuses an order which would open something while a margin call is carried out, or None."""
        closes = self.ledger.closing_part(request.symbol, request.side, request.qty)
        if request.reduce_only or closes == request.qty:
            return None
        return (
            f"A {request.side} of {plain(request.qty)} {request.symbol} would raise exposure: only {plain(closes)} of it would close a "
            "position. After a margin call nothing may until all positions are closed."
        )


def _pair(orders: Sequence[WorkingOrder]) -> None:
    if len(orders) == 2:
        orders[0].sibling, orders[1].sibling = orders[1], orders[0]
        orders[0].is_plain = orders[1].is_plain = False  # its fill does something to the other


def _closing(symbol: str, held: Decimal) -> OrderRequest:
    return OrderRequest(symbol=symbol, side=OrderSide.SELL if held > 0 else OrderSide.BUY, qty=abs(held), reduce_only=True)
