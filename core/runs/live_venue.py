"""The venue of a paper or live run: gathers what a decision asks for, for the desk; and what its strategy may know of its account."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Final

from core.errors import InvalidValue
from core.events.envelope import Cause, Payload
from core.events.payloads import OrderReplaced, OrderReplaceRefused
from core.model.hand import OrderTerms
from core.model.money import MONEY_CONTEXT, ZERO, exact, floor_to
from core.model.order import LegRole, Order, OrderRequest, OrderStatus, RejectCode, TimeInForce
from core.model.position import Position
from core.model.ticket import Ticket
from core.runs.families import Families
from core.runs.journal import RunJournal
from core.runs.live_bars import LiveBars
from core.strategy.actions import CashSize, EquityShare, FetchWindow, ReplaceOrder
from core.strategy.windows import Window
from core.trading.books import RunBook
from core.trading.changes import changed_request
from core.trading.service import Intent

_NINE_DECIMALS: Final = Decimal("0.000000001")


class LiveOrders:
    """The orders that the run's decisions made, until the desk has them."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._made: dict[str, Intent] = {}
        self.commands: dict[str, str | None] = {}
        """The newest command to each order."""

    def create(
        self,
        order_id: str,
        request: OrderRequest,
        time_in_force: TimeInForce,
        *,
        now_ns: int,
        caused_by: Cause,
        trace_id: str | None,
        parent_id: str | None = None,
        sibling_id: str | None = None,
    ) -> None:
        """See `core.runs.router.RunOrders`."""
        order = Order(
            id=order_id,
            run_id=self._run_id,
            request=request,
            time_in_force=time_in_force,
            status=OrderStatus.CREATED,
            created_ns=now_ns,
            updated_ns=now_ns,
            parent_id=parent_id,
            sibling_id=sibling_id,
        )
        self._made[order_id] = Intent(order=order, caused_by=self._id_of(caused_by), trace_id=trace_id)

    def take(
        self, order_id: str, request: OrderRequest, time_in_force: TimeInForce, now_ns: int, accepted_by: Cause, trace_id: str | None
    ) -> None:
        """Never called: `LiveVenue.place_plain` takes none."""

    def commanded(self, order_id: str, caused_by: Cause) -> None:
        """See `core.runs.router.RunOrders`."""
        self.commands[order_id] = self._id_of(caused_by)

    def intent(self, order_id: str) -> Intent:
        """Hand an order over."""
        return self._made.pop(order_id)

    def _id_of(self, cause: Cause) -> str | None:
        return f"{self._run_id}.{cause}" if isinstance(cause, int) else cause


class LiveVenue:
    """See `core.runs.router.Venue`. It is what the strategy sees as its account, too: as it was when `look` was called last."""

    def __init__(self, bars: LiveBars, book: RunBook, orders: LiveOrders, journal: RunJournal) -> None:
        self._bars = bars
        self._book = book
        self._orders = orders
        self._journal = journal
        self._cash = book.cash
        self._equity = book.cash
        self._positions: dict[str, Position] = {}
        self._working: tuple[str, ...] = ()
        self._refs: dict[str, str] = {}
        self.now_ns = 0
        self.families: Final = Families()
        self.stopped: str | None = None
        self.intents: list[Intent] = []
        self.cancels: list[str] = []
        self.changes: list[tuple[str, OrderTerms]] = []

    def go_on_with(self, refs: Mapping[str, str]) -> None:
        """Know the orders that the run has placed already; the next `look` forgets those that are over."""
        self._refs = dict(refs)

    def look(self, now_ns: int, working: Sequence[str]) -> None:
        """Take the account as it is now; `working`: ids of the run's orders that can still fill."""
        self.now_ns = now_ns
        with localcontext(MONEY_CONTEXT):
            self._cash = self._book.cash
            self._equity = self._book.equity(self.closes())
            self._positions = {symbol: self._book.position(symbol) for symbol in self._book.holdings}
        still = frozenset(working) | self.families.waiting()
        self._refs = {ref: newest for ref, order_id in self._refs.items() if (newest := self.families.newest(order_id)) in still}
        self._working = tuple(self._refs)

    def closes(self) -> dict[str, Decimal]:
        """Return the newest closes, in the units that are held now."""
        newest = {symbol: bars.bar(-1) for symbol, bars in self._bars.own.items() if len(bars)}
        return {symbol: self._book.price_now(symbol, exact(bar.close), bar.end_ns) for symbol, bar in newest.items()}

    # --- the account ---

    @property
    def cash(self) -> Decimal:
        return self._cash

    @property
    def equity(self) -> Decimal:
        return self._equity

    def position(self, symbol: str) -> Position:
        return self._positions.get(symbol, Position(symbol=symbol))

    def held(self, symbol: str) -> Decimal:
        return self.position(symbol).qty

    def working(self) -> tuple[str, ...]:
        return self._working

    # --- the venue ---

    def place_plain(self, order_id: str, ref: str, request: OrderRequest, time_in_force: TimeInForce) -> bool:
        return False

    def place(self, ticket: Ticket, legs: Sequence[tuple[LegRole, Ticket]] = ()) -> None:
        self._refs[ticket.ref] = ticket.order_id
        self.intents.append(self._orders.intent(ticket.order_id))
        if legs:
            self._refs |= {leg.ref: leg.order_id for _, leg in legs}
            self.families.wait(ticket.order_id, [self._orders.intent(leg.order_id) for _, leg in legs])

    def place_pair(self, first: Ticket, second: Ticket) -> None:
        for ticket in (first, second):
            self._refs[ticket.ref] = ticket.order_id
            self.intents.append(self._orders.intent(ticket.order_id))
        self.families.pair(first.order_id, second.order_id)

    def replace(self, wanted: ReplaceOrder) -> bool:
        order_id = self._refs.get(wanted.ref)
        if order_id is None:
            return False
        waiting = self.families.find(order_id)
        try:
            terms = _terms_of(wanted)
            if waiting is None:
                self.changes.append((order_id, terms))
            else:
                request = changed_request(waiting, terms)
                self.families.change(order_id, request)
                self._tell(order_id, OrderReplaced(order_id=order_id, request=request, reason="It has not left yet."))
        except InvalidValue as error:
            self.refuse_change(order_id, error)
            return False
        return True

    def refuse_change(self, order_id: str, error: InvalidValue) -> None:
        """Tell that an order stays as it is."""
        self._tell(order_id, OrderReplaceRefused(order_id=order_id, code=RejectCode.INVALID_ORDER, reason=str(error)))

    def _tell(self, order_id: str, payload: Payload) -> None:
        self._journal.record(payload, self.now_ns, self._orders.commands.get(order_id), None)

    def cancel(self, ref: str, reason: str) -> bool:
        order_id = self._refs.get(ref)
        if order_id is None:
            return False
        if not self.families.drop(order_id):
            self.cancels.append(order_id)
        return True

    def units(self, symbol: str, size: CashSize | EquityShare) -> Decimal:
        close = self.closes().get(symbol)
        if close is None:
            return ZERO
        with localcontext(MONEY_CONTEXT):
            money = size.amount if isinstance(size, CashSize) else size.share * self._equity
            return max(ZERO, floor_to(money / close, _NINE_DECIMALS))

    def window(self, asked: FetchWindow) -> Window:
        return self._bars.window(asked)

    def newest(self, symbol: str) -> tuple[int, float] | None:
        bars = self._bars.own[symbol]
        if not len(bars):
            return None
        bar = bars.bar(-1)
        return bar.start_ns, bar.close


def _terms_of(wanted: ReplaceOrder) -> OrderTerms:
    """Return what a strategy wants changed. Raises InvalidValue for nothing, or for both kinds of a trail."""
    if wanted.trail_price is not None and wanted.trail_percent is not None:
        raise InvalidValue("trail", f"{wanted.trail_price} and {wanted.trail_percent} %", "an order has one of them.")
    return OrderTerms(
        qty=wanted.qty,
        limit_price=wanted.limit_price,
        stop_price=wanted.stop_price,
        trail=wanted.trail_price if wanted.trail_price is not None else wanted.trail_percent,
    )
