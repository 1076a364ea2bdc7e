"""One bar, walked from point to point: who acts where, and with what result."""

from dataclasses import dataclass, field
from decimal import Decimal

from tests.oracle.book import Book
from tests.oracle.costs import Part, order_fee, slipped_price
from tests.oracle.market import Bar, Instrument
from tests.oracle.outcome import Fill
from tests.oracle.path import Way, points
from tests.oracle.rounding import down_to
from tests.oracle.working import WorkingOrder


@dataclass(slots=True)
class BarWalk:
    """A bar of one symbol under one way of its price. It changes `book`: give it a copy to try a way."""

    book: Book
    bar: Bar
    way: Way
    fills: list[Fill] = field(default_factory=list)
    # None: as much as one likes.
    available: Decimal | None = None

    def run(self) -> list[Fill]:
        """Walk the whole bar; its close is the symbol's last close afterwards."""
        settings, instrument = self.book.account.settings, self.instrument
        if settings.volume_cap is not None:
            share = settings.volume_cap * self.bar.volume
            self.available = share if instrument.lot is None else down_to(share, instrument.lot)
        turning = points(self.bar, self.way)
        self._at_the_open(turning[0])
        for number in (1, 2, 3):
            self._segment(turning[number - 1], turning[number], last=number == 3)
        self.book.account.last[self.bar.symbol] = self.bar.close
        return self.fills

    @property
    def instrument(self) -> Instrument:
        return self.book.account.instruments[self.bar.symbol]

    def _meeting(self) -> list[WorkingOrder]:
        """The orders that this bar exists for, in the order of their places."""
        return sorted((order for order in self.book.orders.values() if order.meets(self.bar)), key=lambda order: order.placement)

    def _at_the_open(self, price: Decimal) -> None:
        for order in self._meeting():
            # An earlier one may have ended it.
            if not order.meets(self.bar) or order.time_in_force == "cls":
                continue
            if order.time_in_force == "opg":
                if order.auction_ns == self.bar.start_ns:
                    self._auction(order, price)
                continue
            self._act_on(order, price)

    def _segment(self, start: Decimal, stop: Decimal, *, last: bool) -> None:
        """From one turning point to the next: always the nearest event, until there is none left."""
        here = start
        while True:
            events = []
            for order in self._meeting():
                where = self._event(order, here, stop, stop - start, last=last)
                if where is not None:
                    events.append((abs(where - here), order.placement, where, order))
            if not events:
                break
            _, _, where, order = min(events, key=lambda event: event[:2])
            self._follow(where)
            here = where
            self._act_inside(order, where)
        self._follow(stop)

    def _follow(self, price: Decimal) -> None:
        for order in self._meeting():
            order.follow(price)

    def _event(self, order: WorkingOrder, here: Decimal, stop: Decimal, way: Decimal, *, last: bool) -> Decimal | None:
        """The price between `here` and `stop` at which the order acts, or None. `way`: up or down, also once `here` is at the stop."""
        if order.time_in_force == "opg":
            return None
        if order.time_in_force == "cls":
            return stop if last and order.auction_ns == self.bar.start_ns else None
        rising = way > 0
        if order.is_market_now or way == 0:
            return None
        if order.is_limit_now:
            if self.available is not None and self.available <= 0:
                return None
            limit = order.limit
            assert limit is not None
            if rising == (order.side == "buy"):
                return None
            if self.book.account.settings.trade_through and limit == stop:
                return None
            return limit if min(here, stop) <= limit <= max(here, stop) else None
        trigger = order.stop_price(self.instrument)
        if trigger is None or rising != (order.side == "buy"):
            return None
        return trigger if min(here, stop) <= trigger <= max(here, stop) else None

    def _act_inside(self, order: WorkingOrder, price: Decimal) -> None:
        """An order whose price the path has just reached."""
        if order.time_in_force == "cls":
            self._auction(order, price)
        elif order.is_limit_now:
            self._attempt(order, price, slipping=False, maker=True)
        else:
            order.triggered = True
            self._at_price(order, price)

    def _act_on(self, order: WorkingOrder, price: Decimal) -> None:
        """An order that meets a price from outside the path: at the open, or as a leg at the moment it becomes live."""
        if order.stop_like and not order.triggered:
            if order.stop_is_reached(price, self.instrument):
                order.triggered = True
            else:
                order.follow(price)
        self._at_price(order, price)
        if order.time_in_force in ("ioc", "fok"):
            self.book.end(order, "cancelled")

    def _at_price(self, order: WorkingOrder, price: Decimal) -> None:
        """Take the current price, where the order may."""
        if order.is_market_now:
            self._attempt(order, price, slipping=True, maker=False)
        elif order.is_limit_now and order.limit_is_reached(price, self.book.account.settings.trade_through):
            self._attempt(order, price, slipping=False, maker=False)

    def _auction(self, order: WorkingOrder, price: Decimal) -> None:
        """The one price of an opening or a close; what it leaves is cancelled."""
        if order.type == "market" or order.limit_is_reached(price, self.book.account.settings.trade_through):
            self._attempt(order, price, slipping=False, maker=False)
        self.book.end(order, "cancelled")

    def _attempt(self, order: WorkingOrder, price: Decimal, *, slipping: bool, maker: bool) -> None:
        """Fill as much as rules, volume and account allow at `price`."""
        book, account = self.book, self.book.account
        wanted = order.remaining
        if self.available == 0 and order.time_in_force != "fok":
            return
        if order.reduce_only:
            wanted = min(wanted, account.closable(order.symbol, order.side))
            if wanted == 0:
                book.end(order, "cancelled")
                return
        qty = wanted if self.available is None else min(wanted, self.available)
        if order.time_in_force == "fok" and qty < order.remaining:
            book.end(order, "cancelled")
            return
        code = self._refusal(order, qty, price, slipping=slipping, maker=maker)
        if code is None:
            self._fill(order, qty, price, slipping=slipping, maker=maker)
            if order.reduce_only and order.open and not account.closable(order.symbol, order.side):
                book.end(order, "cancelled")
        elif order.time_in_force == "fok":
            book.end(order, "cancelled")
        else:
            closing = min(qty, account.closable(order.symbol, order.side))
            if account.settings.account == "margin" and closing > 0:
                self._fill(order, closing, price, slipping=slipping, maker=maker)
            if order.open:
                book.reject(order, code, self.bar.start_ns)

    def _quote(self, order: WorkingOrder, qty: Decimal, reference: Decimal, *, slipping: bool, maker: bool) -> tuple[Decimal, Decimal]:
        """Price and fee of a fill of `qty`."""
        settings = self.book.account.settings
        price = slipped_price(settings, self.instrument, self.bar, order.side, reference, qty) if slipping else reference
        parts = (*order.parts, Part(qty, price, maker))
        fee = order_fee(settings, self.instrument, order.side, parts) - order_fee(settings, self.instrument, order.side, order.parts)
        return price, fee

    def _refusal(self, order: WorkingOrder, qty: Decimal, reference: Decimal, *, slipping: bool, maker: bool) -> str | None:
        account = self.book.account
        price, fee = self._quote(order, qty, reference, slipping=slipping, maker=maker)
        code = account.refusal(order.symbol, order.side, qty, price, fee)
        if code is None and self.book.liquidating and qty > account.closable(order.symbol, order.side):
            return "insufficient_margin"
        return code

    def _fill(self, order: WorkingOrder, qty: Decimal, reference: Decimal, *, slipping: bool, maker: bool) -> None:
        price, fee = self._quote(order, qty, reference, slipping=slipping, maker=maker)
        self.book.account.fill(order.symbol, order.side, qty, price, fee, self.bar.start_ns)
        order.filled += qty
        order.parts = (*order.parts, Part(qty, price, maker))
        if self.available is not None:
            self.available -= qty
        fill = Fill(
            order_id=order.id,
            symbol=order.symbol,
            side=order.side,
            qty=qty,
            price=price,
            fee=fee,
            slippage=abs(price - reference) * qty,
            time_ns=self.bar.start_ns,
            maker=maker,
            reason=order.reason,
        )
        self.fills.append(fill)
        for child in self.book.after_fill(order, qty, self.bar):
            if not child.meets(self.bar) or child.time_in_force in ("opg", "cls"):
                continue
            self._act_on(child, reference)
