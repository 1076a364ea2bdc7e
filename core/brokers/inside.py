"""The broker ports over an exchange inside the program, with its faults and a market of its own."""

from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Final, Protocol

from core.brokers.exchange import Exchange
from core.brokers.faults import Faults
from core.brokers.watching import is_crypto_watch
from core.errors import BrokerRefused, InvalidValue, NotSent
from core.model.broker import (
    Account,
    Asset,
    BrokerOrder,
    BrokerOrderRequest,
    BrokerPosition,
    Execution,
    MarketClock,
    MayLeave,
    OrderChange,
    OrderUpdate,
    Print,
    Quote,
    RefusalReason,
    SessionDay,
    StreamState,
    StreamStatus,
    Tick,
    Watch,
)
from core.model.broker_entry import BrokerEntry
from core.model.instants import DAY_NS, MINUTE_NS
from core.model.market import Adjustment, AssetClass, BarSeries, Timeframe, asset_class_of
from core.model.order import OrderSide

OnTick = Callable[[Tick], None]
_MINUTE: Final = Timeframe(MINUTE_NS)
PAGE: Final = 1_000


class Feed(Protocol):
    """The prices of a market inside the program."""

    @property
    def source(self) -> str:
        """Return the name under which its bars are stored."""
        ...

    def symbols(self) -> tuple[str, ...]:
        """Return what it has."""
        ...

    def last(self, symbol: str) -> tuple[int, Decimal] | None:
        """Return the newest price and when it was made, or None."""
        ...

    def bars(self, symbol: str, start_ns: int, end_ns: int) -> BarSeries:
        """Return the minutes that start in `[start_ns, end_ns)` and are over."""
        ...

    def listen(self, watch: Watch, on_tick: OnTick) -> Callable[[], None]:
        """Tell of ticks from now on; call what is returned to end it."""
        ...


class InsideBroker:
    """A `core.ports.Broker` without a network."""

    def __init__(self, exchange: Exchange, feed: Feed, faults: Faults, now_ns: Callable[[], int]) -> None:
        self.faults: Final = faults
        self.exchange: Final = exchange
        self.account: Final = InsideAccount(exchange, faults)
        self.orders: Final = InsideOrders(exchange, faults)
        self.desk: Final = InsideDesk(exchange, faults)
        self.market: Final = InsideMarket(feed, now_ns)
        self.history: Final = InsideHistory(feed)
        self.streams: Final = InsideStreams(exchange, feed, faults)

    async def close(self) -> None:
        """Nothing is held open."""


class InsideAccount:
    """See `core.ports.BrokerAccount`."""

    def __init__(self, exchange: Exchange, faults: Faults) -> None:
        self._exchange, self._faults = exchange, faults
        self._stale: list[BrokerPosition] | None = None

    async def account(self) -> Account:
        await self._faults.before_reading()
        return self._exchange.account()

    async def positions(self) -> list[BrokerPosition]:
        await self._faults.before_reading()
        if not self._faults.silent_positions or self._stale is None:
            self._stale = self._exchange.positions()
        return self._stale

    async def executions(self, after: str | None = None, since_ns: int | None = None) -> list[Execution]:
        await self._faults.before_reading()
        found = self._exchange.executions()
        if after is not None:
            return found[int(after) :]
        return [one for one in found if since_ns is None or one.time_ns >= since_ns]

    async def entries(self, after: str | None = None) -> list[BrokerEntry]:
        """A market inside the program has no companies: nothing is booked without an execution."""
        return []


class InsideOrders:
    """See `core.ports.BrokerOrderReader`."""

    def __init__(self, exchange: Exchange, faults: Faults) -> None:
        self._exchange, self._faults = exchange, faults

    async def open_orders(self) -> list[BrokerOrder]:
        await self._faults.before_reading()
        return [order for order in self._exchange.orders() if not order.status.is_final]

    async def orders_since(self, since_ns: int) -> list[BrokerOrder]:
        await self._faults.before_reading()
        return [order for order in self._exchange.orders() if order.submitted_ns >= since_ns]

    async def order(self, id: str) -> BrokerOrder | None:
        await self._faults.before_reading()
        return self._exchange.order(id)

    async def order_by_client_id(self, client_order_id: str) -> BrokerOrder | None:
        await self._faults.before_reading()
        return self._exchange.by_client_id(client_order_id)


class InsideDesk:
    """See `core.ports.BrokerOrderDesk`."""

    def __init__(self, exchange: Exchange, faults: Faults) -> None:
        self._exchange, self._faults = exchange, faults

    async def submit(self, request: BrokerOrderRequest, may_leave: MayLeave | None = None) -> BrokerOrder:
        await self._faults.before()
        if may_leave is not None and not may_leave():
            raise NotSent(f"Order {request.client_order_id}")
        self._faults.request_is_lost(request.client_order_id)
        taken = self._exchange.submit(request)
        self._faults.answer_is_lost(request.client_order_id)
        return taken

    async def replace(self, order_id: str, change: OrderChange, may_leave: MayLeave | None = None) -> BrokerOrder:
        await self._faults.before()
        if may_leave is not None and not may_leave():
            raise NotSent(f"Change {change.client_order_id}")
        await self._faults.change_is_refused()
        self._faults.request_is_lost(change.client_order_id)
        made = self._exchange.replace(order_id, change)
        self._faults.answer_is_lost(change.client_order_id)
        return made

    async def cancel(self, order_id: str) -> None:
        await self._faults.before()
        self._faults.cancel_is_refused()
        self._exchange.cancel(order_id)

    async def cancel_all(self) -> list[str]:
        await self._faults.before()
        for order in self._exchange.orders():
            if not order.status.is_final:
                self._exchange.cancel(order.id)
        return []

    async def close_position(self, symbol: str, client_order_id: str, qty: Decimal | None = None) -> BrokerOrder:
        await self._faults.before()
        held = next((one.qty for one in self._exchange.positions() if one.symbol == symbol), Decimal(0))
        if not held:
            words = "position does not exist"
            raise BrokerRefused(f"The broker refused: {words}.", reason=RefusalReason.POSITION_UNKNOWN, status=404, words=words)
        side = OrderSide.SELL if held > 0 else OrderSide.BUY
        return await self.submit(BrokerOrderRequest(client_order_id=client_order_id, symbol=symbol, side=side, qty=qty or abs(held)))


class InsideMarket:
    """See `core.ports.BrokerMarket`. This market never closes."""

    def __init__(self, feed: Feed, now_ns: Callable[[], int]) -> None:
        self._feed, self._now_ns = feed, now_ns

    async def assets(self, asset_class: AssetClass) -> list[Asset]:
        return [
            Asset(
                id=symbol,
                symbol=symbol,
                asset_class=asset_class,
                name=symbol,
                exchange=self._feed.source,
                tradable=True,
                fractionable=True,
                marginable=False,
                shortable=False,
                easy_to_borrow=False,
            )
            for symbol in self._feed.symbols()
            if asset_class_of(symbol) is asset_class
        ]

    async def clock(self) -> MarketClock:
        now_ns = self._now_ns()
        midnight = (now_ns // DAY_NS + 1) * DAY_NS
        return MarketClock(now_ns=now_ns, is_open=True, next_open_ns=midnight, next_close_ns=midnight)

    async def sessions(self, first: date, last: date) -> list[SessionDay]:
        days = range(first.toordinal(), last.toordinal() + 1)
        base = date(1970, 1, 1).toordinal()
        return [SessionDay(day=date.fromordinal(day), open_ns=(day - base) * DAY_NS, close_ns=(day - base + 1) * DAY_NS) for day in days]

    async def latest_quotes(self, symbols: Sequence[str], feed: str | None = None) -> dict[str, Quote]:
        found = ((symbol, self._feed.last(symbol)) for symbol in symbols)
        size = Decimal(100)
        return {
            symbol: Quote(symbol=symbol, time_ns=last[0], bid=last[1], bid_size=size, ask=last[1], ask_size=size)
            for symbol, last in found
            if last is not None
        }

    async def latest_trades(self, symbols: Sequence[str], feed: str | None = None) -> dict[str, Print]:
        found = ((symbol, self._feed.last(symbol)) for symbol in symbols)
        return {symbol: Print(symbol=symbol, time_ns=last[0], price=last[1], size=Decimal(1)) for symbol, last in found if last is not None}


class InsideHistory:
    """See `core.ports.BarHistory`."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def source_of(self, symbol: str, feed: str | None) -> str:
        return self._feed.source

    async def pages(
        self, symbol: str, timeframe: Timeframe, start_ns: int, end_ns: int, *, adjustment: Adjustment, feed: str | None
    ) -> AsyncGenerator[BarSeries, None]:
        if timeframe != _MINUTE:
            raise InvalidValue("timeframe", timeframe, "this market has minutes only.")
        bars = self._feed.bars(symbol, start_ns, end_ns)
        for first in range(0, len(bars), PAGE):
            yield bars.slice(first, min(first + PAGE, len(bars)))


class InsideStreams:
    """See `core.ports.BrokerStreams`."""

    def __init__(self, exchange: Exchange, feed: Feed, faults: Faults) -> None:
        self._exchange, self._feed, self._faults = exchange, feed, faults

    async def order_updates(self, on_update: Callable[[OrderUpdate], None], on_status: Callable[[StreamStatus], None]) -> None:
        def take(update: OrderUpdate) -> None:
            self._faults.deliver(update, on_update)

        while True:
            on_status(StreamStatus(state=StreamState.CONNECTING))
            await self._faults.until_mended()
            self._exchange.listeners.append(take)
            try:
                on_status(StreamStatus(state=StreamState.LISTENING))
                await self._faults.until_cut()
            finally:
                self._exchange.listeners.remove(take)
            on_status(StreamStatus(state=StreamState.LOST, said="The connection ended."))

    async def market(self, watch: Watch, on_tick: OnTick, on_status: Callable[[StreamStatus], None]) -> None:
        is_crypto_watch(watch)
        while True:
            on_status(StreamStatus(state=StreamState.CONNECTING))
            await self._faults.until_mended()
            end = self._feed.listen(watch, on_tick)
            try:
                on_status(StreamStatus(state=StreamState.LISTENING))
                await self._faults.until_cut()
            finally:
                end()
            on_status(StreamStatus(state=StreamState.LOST, said="The connection ended."))
