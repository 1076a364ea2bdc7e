"""Where paper orders meet the market: at quotes, or at bars where no quotes come, by Greta's matching.

Source: docs/live-trading.md, "The paper account".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Final

from core.brokers.paper import orders as rows
from core.brokers.paper.hours import Hours
from core.brokers.paper.notebook import Notebook
from core.brokers.paper.standing import Standing
from core.matching.costs import NoSlippage
from core.matching.fill import Filling
from core.matching.holding import Holding
from core.matching.ledger import Ledger
from core.matching.matcher import Matching
from core.matching.orders import WorkingOrder
from core.matching.outcomes import Activated, Cancelled, Outcome, Refused, Resized
from core.matching.outcomes import Execution as Matched
from core.matching.walk import Legs
from core.model.broker import BrokerOrder, Print, Quote
from core.model.broker_entry import BrokerEntryKind
from core.model.cost_models import FeeModel
from core.model.instants import DAY_NS, MINUTE_NS
from core.model.market import AssetClass, Bar, asset_class_of
from core.model.money import MONEY_CONTEXT, ZERO, exact, floor_to, to_float
from core.model.order import OrderSide, OrderStatus, OrderType, TimeInForce
from core.model.paper import AccountBooks
from core.model.run import AccountKind, AccountTerms, PathModel

NEVER: Final = 2**63 - 1
BAR_PATIENCE_NS: Final = 2 * MINUTE_NS
"""How long after its end an order may still meet a bar that began before: where no quotes come, the last bar comes late."""
_ENOUGH: Final = 1e15
"""A size that no order uses up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTerms:
    """How an account trades. `caps_size`: whether a quote fills no more than its size, where that is known."""

    account: AccountTerms
    fees: FeeModel
    caps_size: bool = False
    path: PathModel = PathModel.ADAPTIVE

    @property
    def kind(self) -> AccountKind:
        """Whether it borrows and sells short."""
        return self.account.kind


class Floor:
    """One account's working orders, what it holds, and the market as far as it is known."""

    def __init__(self, books: AccountBooks, now_ns: Callable[[], int], terms: PaperTerms, hours: Hours) -> None:
        self.notes: Final = Notebook(books, now_ns)
        self.hours = hours
        self.ledger = _ledger(books, terms.account)
        self.standings: dict[str, Standing] = {}
        self.classes: dict[str, AssetClass] = {one.order.symbol: asset_class_of(one.order.symbol) for one in books.orders}
        filling = Filling(
            slippage=NoSlippage(), fees=terms.fees, ticks={}, classes=self.classes, may_reverse=terms.kind is AccountKind.MARGIN
        )
        self._by_quote = Matching(path=terms.path, filling=filling, volume_cap=Decimal(1) if terms.caps_size else None)
        self._by_bar = Matching(path=terms.path, filling=filling)
        open_rows = {id_: row for id_, row in self.notes.orders.items() if not row.order.status.is_final}
        self.open: dict[str, WorkingOrder] = {}
        """Those that can still fill, legs that wait included."""
        self._by_symbol: dict[str, dict[str, WorkingOrder]] = {}
        self._next_due_ns = 0
        made = {id_: rows.working(row) for id_, row in open_rows.items()}
        rows.relate(made, open_rows)
        for order in made.values():
            self.admit(order)

    # --- what the market does ---

    def quote(self, quote: Quote) -> None:
        """Let a quote stand, and what it reaches fill."""
        with localcontext(MONEY_CONTEXT):
            self.elapse()
            self.standing(quote.symbol).take_quote(quote)
            self.mark(quote.symbol)
            self.meet(quote.symbol)

    def trade(self, trade: Print) -> None:
        """Note a trade of the market: it triggers stops, which then fill at the quote."""
        with localcontext(MONEY_CONTEXT):
            self.elapse()
            self.standing(trade.symbol).take_trade(trade)
            self.mark(trade.symbol)
            if not self._by_symbol.get(trade.symbol):
                return
            open_now = {extended: since is not None for extended, since in self._opened(trade.symbol).items()}
            for order in self._now_meeting(trade.symbol, open_now):
                if not order.triggered and _reaches(order, trade.price):
                    order.triggered = True
                    self.notes.touch(order.id)
            self.meet(trade.symbol)

    def bar(self, bar: Bar) -> None:
        """Let a bar that is over be met, where no quotes of its symbol come."""
        with localcontext(MONEY_CONTEXT):
            self.elapse()
            standing = self.standing(bar.symbol)
            if standing.is_quoted:
                return
            self.pass_nights(bar.end_ns)
            is_regular = self.hours.opened_ns(bar.symbol, bar.start_ns, extended=False) is not None
            met = [order for order in self.orders_of(bar.symbol) if self._may_meet_bar(order, bar, is_regular)]
            for order in met:
                self._give_qty(order, exact(bar.open))
            acting = [order for order in met if order.can_act(bar.high, bar.low)]
            if acting:
                legs = self._legs(bar.symbol)
                self._report(self._by_bar.meet(acting, legs, bar, self.ledger, is_regular=is_regular), bar.start_ns)
            self._touch(met, acting)
            standing.take_close(exact(bar.close))
            self.mark(bar.symbol)
            self._expire(
                [order for order in self.orders_of(bar.symbol) if order.dead_from_ns is not None and order.dead_from_ns <= bar.end_ns]
            )

    def forget_quotes(self, symbols: Sequence[str] | None = None) -> None:
        """The feed was lost: nothing fills at what stood until a new quote comes. None: of every symbol."""
        for symbol, standing in self.standings.items():
            if symbols is None or symbol in symbols:
                standing.forget()

    def pass_time(self) -> None:
        """Let go of what is over its time, fill what waits for a close, charge the nights, and begin a new day."""
        with localcontext(MONEY_CONTEXT):
            self.elapse()
            if self.ledger.terms.borrow_rate and any(one.qty < 0 for one in self.ledger.holdings.values()):
                self.notes.keep_marks(self.ledger)

    def pass_nights(self, until_ns: int) -> None:
        """Charge each UTC midnight before `until_ns` that was not charged yet, on the balance then, and begin the day after it."""
        while (midnight_ns := (self.notes.account.day + 1) * DAY_NS) < until_ns:
            for charge in self.ledger.charge_night():
                self.notes.enter(BrokerEntryKind.INTEREST, charge.symbol or "", cash=-charge.amount, time_ns=midnight_ns)
            self.notes.begin_day(self.ledger)

    def elapse(self) -> None:
        """See `pass_time`; within the context of money."""
        now_ns = self.notes.now_ns()
        if now_ns >= self._next_due_ns:
            ends = [(order.dead_from_ns, order) for order in self.open.values() if order.dead_from_ns is not None and order.is_live]
            self._expire([order for dead_ns, order in ends if now_ns >= dead_ns + self._patience_ns(order.symbol)])
            self._next_due_ns = min((dead_ns for dead_ns, order in ends if not order.gone), default=NEVER)
        if now_ns // DAY_NS > self.notes.account.day:
            # What a bar that ends at midnight does comes before the night is charged, and that bar comes late.
            symbols = {one.symbol for one in self.ledger.open_positions()} | {order.symbol for order in self.open.values()}
            self.pass_nights(now_ns + 1 - max((self._patience_ns(symbol) for symbol in symbols), default=0))

    def _patience_ns(self, symbol: str) -> int:
        return 0 if self.standing(symbol).is_quoted else BAR_PATIENCE_NS

    # --- the orders ---

    def admit(self, order: WorkingOrder) -> None:
        """Let an order meet the market from now on."""
        self.open[order.id] = order
        self._by_symbol.setdefault(order.symbol, {})[order.id] = order
        self._next_due_ns = 0

    # --- meeting the market ---

    def standing(self, symbol: str) -> Standing:
        return self.standings.setdefault(symbol, Standing())

    def mark(self, symbol: str) -> None:
        price = self.standing(symbol).price
        if price is not None:
            self.ledger.mark(symbol, price)

    def orders_of(self, symbol: str) -> list[WorkingOrder]:
        """Return the symbol's orders in the order in which they act at one price."""
        return sorted(self._by_symbol.get(symbol, {}).values(), key=lambda order: order.place)

    def _legs(self, symbol: str) -> Legs:
        exits = [order for order in self.orders_of(symbol) if order.goes_when_flat and order.is_live]
        return Legs([order for order in exits if order.is_buy], [order for order in exits if not order.is_buy])

    def offered(self, symbol: str, side: OrderSide, extended: bool) -> Decimal | None:
        """Return the price at which a side fills now; a quote of an earlier session does not stand."""
        opened_ns = self.hours.opened_ns(symbol, self.notes.now_ns(), extended=extended)
        standing = self.standing(symbol)
        return None if opened_ns is None or standing.time_ns < opened_ns else standing.offered(side)

    def _now_meeting(self, symbol: str, stands: Mapping[bool, bool]) -> list[WorkingOrder]:
        """Return the orders that may meet the market now; `stands`: whether there is one for those of regular and of extended hours."""
        now_ns = self.notes.now_ns()
        return [
            order
            for order in self.orders_of(symbol)
            if order.is_live and stands[order.is_extended] and not order.in_closing_auction and order.can_meet(now_ns)
        ]

    def _opened(self, symbol: str) -> dict[bool, int | None]:
        """Return when the hours that go on began, by whether they are the extended ones."""
        now_ns = self.notes.now_ns()
        return {extended: self.hours.opened_ns(symbol, now_ns, extended=extended) for extended in (False, True)}

    def _may_meet_bar(self, order: WorkingOrder, bar: Bar, is_regular: bool) -> bool:
        if not order.is_live or not order.can_meet(bar.start_ns) or not (is_regular or order.is_extended):
            return False
        return not order.in_closing_auction or (order.dead_from_ns is not None and bar.end_ns >= order.dead_from_ns)

    def meet(self, symbol: str) -> None:
        """Let the symbol's orders meet the standing quote, until nothing more happens: an exit lives from its entry's fill on."""
        if not self._by_symbol.get(symbol):
            return
        time_ns = self.standing(symbol).time_ns
        # Outside the session a quote of the morning is one for who trades then; one of an earlier session is none.
        stands = {extended: since is not None and since <= time_ns for extended, since in self._opened(symbol).items()}
        while self._meet_once(symbol, stands):
            pass

    def _meet_once(self, symbol: str, stands: Mapping[bool, bool]) -> bool:
        happened = False
        mine = self._now_meeting(symbol, stands)
        for side in dict.fromkeys(order.side for order in mine):
            orders = [order for order in mine if order.side is side and not order.gone]
            happened = self._meet_side(symbol, side, orders) or happened
        return happened

    def _meet_side(self, symbol: str, side: OrderSide, orders: list[WorkingOrder]) -> bool:
        standing = self.standing(symbol)
        price = standing.offered(side)
        if price is None:
            return False
        near = to_float(price)
        for order in orders:
            self._give_qty(order, price)
        acting = [order for order in orders if order.can_act(near, near)]
        self._touch(orders, acting)
        if not acting:
            self._rest(orders)
            return False
        now_ns = self.notes.now_ns()
        left = standing.left(side)
        bar = Bar(symbol, now_ns, now_ns, near, near, near, near, _ENOUGH if left is None else to_float(left))
        # Legs wait: what the ask has let in leaves at the bid.
        outcomes = self._by_quote.meet(acting, self._legs(symbol), bar, self.ledger, is_regular=False)
        for outcome in outcomes:
            if isinstance(outcome, Matched):
                standing.use(side, outcome.qty)
        self._report(outcomes)
        self._rest(orders)
        return bool(outcomes)

    def _rest(self, met: Sequence[WorkingOrder]) -> None:
        """Note which limit orders have met a quote and wait now: from here on the market comes to them."""
        for order in met:
            if order.acts_as_limit and not order.rested and not order.gone:
                order.rested = True
                self.notes.touch(order.id)

    def _touch(self, met: Sequence[WorkingOrder], acting: Sequence[WorkingOrder]) -> None:
        """Note whose state may have moved: of what acted, and the marks that followed the market."""
        for order in (*acting, *(order for order in met if order.type is OrderType.TRAILING_STOP)):
            self.notes.touch(order.id)

    def _give_qty(self, order: WorkingOrder, price: Decimal) -> None:
        """Let an order over an amount of money be over the units that it buys at its first price."""
        notional = self.notes.orders[order.id].order.notional
        if notional is not None and not order.qty:
            order.qty = floor_to(notional / price, rows.UNIT) or rows.UNIT

    def _report(self, outcomes: Sequence[Outcome], since_ns: int | None = None) -> None:
        """Write down what happened; `since_ns`: the start of the bar in which it did, None: just now."""
        for outcome in outcomes:
            order = outcome.order
            if isinstance(outcome, Matched):
                self.notes.fill(order, outcome.qty, outcome.price, outcome.fee, complete=outcome.complete)
                if outcome.complete:
                    self.gone(order)
            elif isinstance(outcome, Refused):
                self.end(order, OrderStatus.REJECTED)
            elif isinstance(outcome, Cancelled):
                self.end(order, OrderStatus.CANCELLED)
            elif isinstance(outcome, Activated):
                order.live_from_ns, order.dead_from_ns = self.life(self.notes.orders[order.id].order, since_ns)
                self._next_due_ns = 0
                self.notes.go_live(order.id, outcome.qty)
            elif isinstance(outcome, Resized):
                self.notes.resize(order.id, outcome.qty)

    def _expire(self, orders: Sequence[WorkingOrder]) -> None:
        for order in orders:
            if order.gone:
                continue
            if order.in_closing_auction:
                self._close(order)
            if not order.gone:
                self.end(order, OrderStatus.CANCELLED if order.in_auction else OrderStatus.EXPIRED)

    def _close(self, order: WorkingOrder) -> None:
        """Let an order take part in the closing auction, at the quote that stood last."""
        standing, closed_ns = self.standing(order.symbol), order.dead_from_ns or 0
        opened_ns = self.hours.opened_ns(order.symbol, closed_ns - 1, extended=False)
        price = standing.offered(order.side)
        if price is None or opened_ns is None or not opened_ns <= standing.time_ns < closed_ns:
            return
        if order.limit is not None and (price > order.limit if order.is_buy else price < order.limit):
            return
        near = to_float(price)
        bar = Bar(order.symbol, closed_ns, closed_ns, near, near, near, near, _ENOUGH)
        left = standing.left(order.side) if self._by_quote.volume_cap is not None else None
        outcomes = self._by_quote.filling.fill(order, price, bar, self.ledger, left, slips=False, is_maker=False)
        for outcome in outcomes:
            if isinstance(outcome, Matched):
                standing.use(order.side, outcome.qty)
        self._report(outcomes)

    def gone(self, order: WorkingOrder) -> None:
        order.gone = True
        if self.open.pop(order.id, None) is not None:
            del self._by_symbol[order.symbol][order.id]
            self.notes.keep(order)

    def end(self, order: WorkingOrder, status: OrderStatus) -> None:
        """Let an order go, with the legs that never lived; one that is over already is left alone."""
        if order.id not in self.open:
            return
        self.gone(order)
        self.notes.end(order.id, status)
        for leg in order.legs:
            if not leg.is_live and not leg.gone:
                self.end(leg, OrderStatus.CANCELLED)

    def life(self, order: BrokerOrder, since_ns: int | None = None) -> tuple[int, int | None]:
        """Return the first instant at which an order can fill that lives from then on (None: now), and the first at which it cannot."""
        in_force, symbol, now_ns = order.time_in_force, order.symbol, self.notes.now_ns() if since_ns is None else since_ns
        if in_force is TimeInForce.DAY:
            return now_ns, self.hours.day_end(symbol, now_ns, extended=order.extended_hours)
        if in_force is TimeInForce.GTD:
            return now_ns, order.expires_ns
        session = self.hours.next_session(symbol, now_ns)
        if in_force is TimeInForce.OPG and session is not None:
            return session
        if in_force is TimeInForce.CLS:
            return now_ns, self.hours.day_end(symbol, now_ns, extended=False)
        return now_ns, None


def _reaches(order: WorkingOrder, price: Decimal) -> bool:
    """Tell whether a trade is at a stop, or beyond it. A trailing stop follows the quote alone."""
    if not order.type.has_stop or order.stop is None:
        return False
    return price >= order.stop if order.is_buy else price <= order.stop


def _ledger(books: AccountBooks, terms: AccountTerms) -> Ledger:
    account = books.account
    ledger = Ledger(account.cash, terms)
    ledger.restricted = account.restricted
    with localcontext(MONEY_CONTEXT):
        for one in account.holdings:
            ledger.holdings[one.symbol] = Holding(one.qty, one.cost, one.realised)
            ledger.marks[one.symbol] = one.mark if one.mark is not None else one.cost / one.qty if one.qty else ZERO
    return ledger
