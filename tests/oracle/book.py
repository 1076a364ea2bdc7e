"""All orders of a run with their families, the account they trade, and what becomes of both."""

from dataclasses import dataclass, field
from decimal import Decimal

from tests.oracle import sessions
from tests.oracle.account import Account
from tests.oracle.market import Bar, Instrument
from tests.oracle.orders import Cancel, Order, Place, PlaceOco, Replace, Request, Side, TimeInForce
from tests.oracle.outcome import Rejection, Status
from tests.oracle.rounding import down_to, on_step, up_to
from tests.oracle.validation import fault
from tests.oracle.working import WorkingOrder, from_order


@dataclass(slots=True)
class Book:
    """`bars`: each symbol's bars, oldest first; the book looks ahead in them only to find auctions and to see whether an order is dead."""

    account: Account
    bars: dict[str, list[Bar]]
    orders: dict[str, WorkingOrder] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)
    submissions: int = 0

    def copy(self) -> "Book":
        orders = {name: order.copy() for name, order in self.orders.items()}
        return Book(self.account.copy(), self.bars, orders, list(self.rejections), self.submissions)

    def instrument(self, order: WorkingOrder | Order) -> Instrument:
        return self.account.instruments[order.symbol]

    @property
    def liquidating(self) -> bool:
        return any(order.reason == "margin_call" and order.open for order in self.orders.values())

    # What a script asks for.

    def take(self, request: Request, time_ns: int) -> None:
        """Do one request of a decision made at `time_ns`."""
        match request:
            case Place(order):
                self.place(order, time_ns)
            case PlaceOco(first, second):
                self._place_oco(first, second, time_ns)
            case Cancel(name):
                working = self.orders.get(name)
                if working is not None and working.open:
                    self.cancel_by_hand(working)
            case Replace():
                self._replace(request, time_ns)

    def place(self, order: Order, time_ns: int) -> None:
        """Submit an order with its children."""
        self.submissions += 1
        parent = self._admit(order, time_ns, 0)
        code = self._submission_fault(order, time_ns)
        ranked = sorted(order.children, key=lambda child: child.type not in ("stop", "stop_limit", "trailing_stop"))
        legs = [self._admit(child, time_ns, rank) for rank, child in enumerate(ranked, 1)]
        for leg, child in zip(legs, ranked, strict=True):
            leg.status = "held"
            leg.qty = Decimal(0)
            leg.parent = parent.id
            leg.exit_leg = leg.side != parent.side
            leg.reduce_only = leg.reduce_only or leg.exit_leg
            if child.time_in_force is None and parent.time_in_force in ("day", "gtc", "gtd"):
                leg.time_in_force, leg.gtd_ns = parent.time_in_force, parent.gtd_ns
        parent.children = tuple(leg.id for leg in legs)
        if len(legs) == 2:
            legs[0].sibling, legs[1].sibling = legs[1].id, legs[0].id
        if code is not None:
            self.reject(parent, code, time_ns)
            return
        self._set_end(parent, time_ns)

    def _place_oco(self, first: Order, second: Order, time_ns: int) -> None:
        self.submissions += 1
        pair = [self._admit(order, time_ns, rank) for rank, order in enumerate((first, second))]
        pair[0].sibling, pair[1].sibling = pair[1].id, pair[0].id
        codes = [self._submission_fault(order, time_ns) for order in (first, second)]
        code = codes[0] or codes[1] or ("invalid_order" if first.children or second.children else None)
        for order in pair:
            if code is not None:
                self.reject(order, code, time_ns)
            else:
                self._set_end(order, time_ns)

    def _admit(self, order: Order, time_ns: int, rank: int) -> WorkingOrder:
        if order.id in self.orders:
            raise ValueError(f"two orders are called {order.id!r}")
        working = from_order(order, self.instrument(order), time_ns, (self.submissions, rank))
        self.orders[order.id] = working
        return working

    def _submission_fault(self, order: Order, time_ns: int) -> str | None:
        if fault(order, self.instrument(order), time_ns) is not None:
            return "invalid_order"
        if self.liquidating and not order.reduce_only and order.qty > self.account.closable(order.symbol, order.side):
            return "insufficient_margin"
        return None

    def _set_end(self, order: WorkingOrder, time_ns: int) -> None:
        """When it dies, and where its auction is, for an order that begins to live at `time_ns`."""
        instrument = self.instrument(order)
        kind: TimeInForce = order.time_in_force
        if kind == "day":
            order.expires_ns = sessions.day_end(instrument, time_ns, order.extended_hours)
        elif kind == "gtd":
            order.expires_ns = order.gtd_ns
        elif kind in ("opg", "cls"):
            find = sessions.opening_auction if kind == "opg" else sessions.closing_auction
            # A leg begins inside a bar, whose open is then behind it.
            from_ns = time_ns + 1 if kind == "opg" and order.parent is not None else time_ns
            bar, order.expires_ns = find(instrument, self.bars.get(order.symbol, []), from_ns)
            order.auction_ns = None if bar is None else bar.start_ns

    def _replace(self, request: Replace, time_ns: int) -> None:
        order = self.orders.get(request.id)
        if order is None or not order.open:
            return
        if self._replacement_is_wrong(request, order):
            self.rejections.append(Rejection(time_ns, order.id, "invalid_order"))
            return
        self.submissions += 1
        order.placement = (self.submissions, order.placement[1])
        order.decided_ns = time_ns
        order.limit = order.limit if request.limit is None else request.limit
        order.stop = order.stop if request.stop is None else request.stop
        if request.trail_price is not None or request.trail_percent is not None:
            order.trail_price, order.trail_percent = request.trail_price, request.trail_percent
        if request.qty is not None:
            order.qty = request.qty
            if order.qty <= order.filled:
                order.qty = order.filled
                self.cancel_by_hand(order)

    def _replacement_is_wrong(self, request: Replace, order: WorkingOrder) -> bool:
        instrument = self.instrument(order)
        values = {name: getattr(order, name) for name in Order.__dataclass_fields__ if name != "children"}
        new = {name: getattr(request, name) for name in ("limit", "stop", "trail_price", "trail_percent")}
        if new["trail_price"] is not None or new["trail_percent"] is not None:
            values |= {"trail_price": None, "trail_percent": None}
        values |= {name: value for name, value in new.items() if value is not None}
        # The order's time was judged when it was placed, and its quantity may be the rest that a split left.
        values |= {"time_in_force": "gtc", "gtd_ns": None}
        if fault(Order(**values), instrument, 0, leg=True) is not None:
            return True
        if request.qty is None:
            return False
        return order.status == "held" or request.qty < 0 or not on_step(request.qty, instrument.lot)

    # How orders end.

    def cancel_by_hand(self, order: WorkingOrder) -> None:
        """Cancel, and its linked leg with it."""
        self.end(order, "cancelled")
        if order.sibling is not None and self.orders[order.sibling].open:
            self.end(self.orders[order.sibling], "cancelled")

    def reject(self, order: WorkingOrder, code: str, time_ns: int) -> None:
        """Refuse an order, or what is left of it."""
        order.code = code
        self.rejections.append(Rejection(time_ns, order.id, code))
        self.end(order, "rejected")

    def end(self, order: WorkingOrder, status: Status) -> None:
        """Give an open order its last status; legs that never became live go with it, live ones stay."""
        if not order.open:
            return
        order.status = status
        self.drop_held(order)

    def drop_held(self, parent: WorkingOrder) -> None:
        for name in parent.children:
            if self.orders[name].status == "held":
                self.orders[name].status = "cancelled"

    def expire(self, time_ns: int, done_ns: int) -> None:
        """End what is dead by `time_ns`: its time is over, and no bar that ends after `done_ns`, the last that was seen, would meet it."""
        for order in self.orders.values():
            if order.status != "working" or order.expires_ns is None or time_ns < order.expires_ns:
                continue
            if not any(bar.end_ns > done_ns and order.meets(bar) for bar in self.bars.get(order.symbol, [])):
                self.end(order, "cancelled" if order.time_in_force in ("opg", "cls") else "expired")

    # What a fill does to the family.

    def after_fill(self, order: WorkingOrder, qty: Decimal, bar: Bar) -> list[WorkingOrder]:
        """Settle links, legs and children after `qty` of `order` was filled; the children born now, the stop first."""
        if order.remaining == 0:
            order.status = "filled"
        if order.sibling is not None:
            other = self.orders[order.sibling]
            if other.open:
                other.qty -= qty
                if order.remaining == 0 or other.remaining <= 0:
                    self.end(other, "cancelled")
        if order.parent is not None and self.orders[order.parent].open:
            self.end(self.orders[order.parent], "cancelled")
        self.drop_flat_legs(order.symbol)
        born = self._children_live(order, qty, bar)
        if not order.open:
            self.drop_held(order)
        return born

    def drop_flat_legs(self, symbol: str) -> None:
        """Exit legs whose position is gone go too."""
        for order in self.orders.values():
            if order.status == "working" and order.exit_leg and order.symbol == symbol and not self.account.closable(symbol, order.side):
                self.end(order, "cancelled")

    def _children_live(self, parent: WorkingOrder, qty: Decimal, bar: Bar) -> list[WorkingOrder]:
        born = []
        for name in parent.children:
            child = self.orders[name]
            if child.status == "working":
                child.qty += qty
            elif child.status == "held" and (not child.exit_leg or self.account.closable(child.symbol, child.side)):
                child.status = "working"
                child.qty = parent.filled
                child.decided_ns = bar.start_ns
                self._set_end(child, bar.start_ns)
                born.append(child)
        return born

    # What the broker and the exchange do.

    def liquidate(self, time_ns: int) -> None:
        """Cancel everything and send every position to its next open."""
        for working in self.orders.values():
            self.end(working, "cancelled")
        for symbol, instrument in self.account.instruments.items():
            held = self.account.position(symbol)
            if held == 0:
                continue
            self.submissions += 1
            name = f"margin-call-{symbol}-{time_ns}"
            side: Side = "sell" if held > 0 else "buy"
            order = Order(id=name, symbol=symbol, side=side, qty=abs(held), time_in_force="gtc", reduce_only=True)
            self.orders[name] = from_order(order, instrument, time_ns, (self.submissions, 0))
            self.orders[name].reason = "margin_call"
            # Like an exit leg it goes once there is nothing left to close.
            self.orders[name].exit_leg = True

    def split(self, symbol: str, ratio: Decimal, bar: Bar) -> None:
        """Position and working orders in the new units, before the bar whose open pays the fraction."""
        self.account.split(symbol, ratio, bar.open, bar.start_ns)
        for order in self.orders.values():
            if order.symbol == symbol and order.open:
                self._split_order(order, ratio)
        self.drop_flat_legs(symbol)

    def _split_order(self, order: WorkingOrder, ratio: Decimal) -> None:
        instrument = self.instrument(order)
        rest = order.remaining * ratio
        if instrument.lot is not None:
            rest = down_to(rest, instrument.lot)
        if rest == 0 and order.status == "working":
            self.end(order, "cancelled")
            return
        order.filled *= ratio
        order.qty = order.filled + rest
        buying = order.side == "buy"
        order.limit = _away(order.limit, ratio, instrument.tick, up=not buying)
        order.stop = _away(order.stop, ratio, instrument.tick, up=buying)
        order.trail_price = _away(order.trail_price, ratio, instrument.tick, up=True)
        if order.mark is not None:
            order.mark /= ratio


def _away(price: Decimal | None, ratio: Decimal, tick: Decimal | None, *, up: bool) -> Decimal | None:
    if price is None:
        return None
    if tick is None:
        return price / ratio
    return up_to(price / ratio, tick) if up else down_to(price / ratio, tick)
