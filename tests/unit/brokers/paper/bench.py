"""A paper exchange whose market and time the test moves."""

from decimal import Decimal
from typing import Any

import msgspec

from core.brokers.paper.exchange import PaperExchange
from core.brokers.paper.floor import PaperTerms
from core.brokers.paper.hours import ExchangeHours, Hours
from core.clock.calendar import exchange_day
from core.matching.costs import fee_model
from core.model.broker import BrokerOrder, BrokerOrderRequest, OrderUpdate, Print, Quote
from core.model.instants import DAY_NS, MINUTE_NS, parse_instant
from core.model.market import Bar
from core.model.money import plain
from core.model.order import OrderSide, OrderType, TimeInForce
from core.model.paper import AccountBooks, PaperAccount, PaperChange
from core.model.run import AccountKind, AccountTerms
from core.store.memory_paper import MemoryPaperBooks

D = Decimal
BUY, SELL = OrderSide.BUY, OrderSide.SELL
OPEN = "2023-11-14T14:30:00Z"
"""The opening of a Tuesday."""


class PaperBench:
    """An exchange of 10,000 on New York's hours; every step is kept in `books`, and told in `told`."""

    def __init__(
        self,
        *,
        kind: str = "cash",
        fees: str = "none",
        caps: bool = False,
        hours: Hours | None = None,
        at: str = "2023-11-14T15:00:00Z",
        account: AccountTerms | None = None,
    ) -> None:
        self.now_ns = parse_instant(at)
        self.terms = PaperTerms(account=account or AccountTerms(kind=AccountKind(kind)), fees=fee_model(fees), caps_size=caps)
        self.hours = hours or ExchangeHours()
        self.books = MemoryPaperBooks()
        self.told: list[OrderUpdate] = []
        self.changes: list[PaperChange] = []
        start = PaperAccount(
            id="p",
            number="P",
            kind=self.terms.kind,
            cash=D(10_000),
            time_ns=self.now_ns,
            day=self.now_ns // DAY_NS,
            day_start_equity=D(10_000),
            actions_day=exchange_day(self.now_ns),
        )
        self.exchange = self._on(AccountBooks(account=start))

    def _on(self, books: AccountBooks) -> PaperExchange:
        return PaperExchange(books, lambda: self.now_ns, self.terms, self.hours)

    def keep(self) -> None:
        """Commit and tell."""
        step = self.exchange.take()
        if step.change is not None:
            self.changes.append(step.change)
            held = self.books.contents()
            assert step.change.account.revision == (held[0].account.revision if held else 0) + 1
            self.books.restore([self._after(held[0] if held else AccountBooks(account=step.change.account), step.change)])
        self.told += step.updates

    @staticmethod
    def _after(before: AccountBooks, change: PaperChange) -> AccountBooks:
        orders = {one.order.id: one for one in (*before.orders, *change.orders)}
        return AccountBooks(
            account=change.account,
            orders=tuple(orders.values()),
            executions=before.executions + change.executions,
            entries=before.entries + change.entries,
        )

    def restart(self) -> None:
        """Begin again from what is kept, by way of its text."""
        self.keep()
        held = self.books.contents()
        if held:
            self.exchange = self._on(msgspec.json.decode(msgspec.json.encode(held[0]), type=AccountBooks))

    def at(self, instant: str) -> None:
        """Let it be that time."""
        self.now_ns = parse_instant(instant)
        self.exchange.pass_time()
        self.keep()

    def quote(self, bid: str, ask: str, symbol: str = "SPY", sizes: tuple[str, str] = ("0", "0"), time_ns: int | None = None) -> None:
        """Move the market; `time_ns`: when the quote came to stand, None for now."""
        bid_size, ask_size = sizes
        since_ns = self.now_ns if time_ns is None else time_ns
        self.exchange.quote(Quote(symbol=symbol, time_ns=since_ns, bid=D(bid), bid_size=D(bid_size), ask=D(ask), ask_size=D(ask_size)))
        self.exchange.settle()
        self.keep()

    def trade(self, price: str, symbol: str = "SPY") -> None:
        """Let somebody trade."""
        self.exchange.trade(Print(symbol=symbol, time_ns=self.now_ns, price=D(price), size=D(1)))
        self.exchange.settle()
        self.keep()

    def bar(self, opened: float, high: float, low: float, close: float, symbol: str = "SPY") -> None:
        """Let the minute before now be over."""
        self.exchange.bar(Bar(symbol, self.now_ns - MINUTE_NS, self.now_ns, opened, high, low, close, 1_000.0))
        self.exchange.settle()
        self.keep()

    def send(self, id: str, side: OrderSide = BUY, qty: str | None = "10", symbol: str = "SPY", **terms: Any) -> BrokerOrder:
        """Send an order; a price alone makes it a limit, or a stop."""
        terms = {
            name: D(value) if isinstance(value, str) and name.endswith(("price", "percent", "limit")) else value
            for name, value in terms.items()
        }
        if "limit_price" in terms and "type" not in terms:
            terms["type"] = OrderType.LIMIT
        elif "stop_price" in terms and "type" not in terms:
            terms["type"] = OrderType.STOP
        elif ("trail_price" in terms or "trail_percent" in terms) and "type" not in terms:
            terms["type"] = OrderType.TRAILING_STOP
        if "/" in symbol:
            terms.setdefault("time_in_force", TimeInForce.GTC)
        request = BrokerOrderRequest(client_order_id=id, symbol=symbol, side=side, qty=None if qty is None else D(qty), **terms)
        sent = self.exchange.submit(request)
        self.keep()
        return sent

    def order(self, id: str) -> BrokerOrder:
        """An order as it is."""
        return self.exchange.notes.listed(self.exchange.notes.ids[id])

    def state(self, id: str) -> tuple[str, str, str | None]:
        """Its state, how much is filled, and at what price."""
        order = self.order(id)
        average = order.avg_fill_price
        return order.broker_status, plain(order.filled_qty), None if average is None else plain(average)

    def held(self, symbol: str = "SPY") -> Decimal:
        """What is held."""
        return next((one.qty for one in self.exchange.positions() if one.symbol == symbol), D(0))
