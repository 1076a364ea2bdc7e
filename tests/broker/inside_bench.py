"""Benches of the brokers inside the program: their markets are moved by hand."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from typing import Any

from core.brokers.fake import FakeBroker, HandFeed
from core.brokers.inside import InsideHistory
from core.brokers.paper.floor import PaperTerms
from core.brokers.paper.hours import ExchangeHours
from core.brokers.paper.keeper import Lost
from core.brokers.paper.source import INFO, PaperFeed, PaperSource
from core.brokers.sim import INFO as SIM_INFO
from core.clock import calendar
from core.matching.costs import fee_model
from core.model.broker import (
    AccountName,
    Asset,
    MarketClock,
    Print,
    Quote,
    RefusalReason,
    SessionDay,
    StreamState,
    StreamStatus,
    Tick,
    Watch,
)
from core.model.corporate_action import CorporateAction
from core.model.instants import HOUR_NS, MINUTE_NS, parse_instant
from core.model.market import AssetClass, Bar
from core.model.money import ZERO, to_float
from core.model.order import OrderSide, OrderStatus, OrderType, TimeInForce
from core.model.run import AccountTerms
from core.ports import Broker, CorporateActionStore, PaperBooks
from core.store.memory import MemoryCorporateActionStore
from core.store.memory_paper import MemoryPaperBooks
from tests.broker.bench import Grid, Refused, Words, buy
from tests.broker.book import CRYPTO, EQUITIES

D = Decimal
NOW_NS = parse_instant("2023-11-14T15:00:00Z")
QUOTES = {"SPY": ("399.99", "400.01"), "AAPL": ("189.99", "190.01"), "BTC/USD": ("42000.5", "42001.5")}


class HandClock:
    """Goes on a little with each look; nobody can wait for it."""

    speed = 1.0

    def __init__(self) -> None:
        self.now = NOW_NS
        self.step_ns = 1_000_001

    def now_ns(self) -> int:
        self.now += self.step_ns
        return self.now

    def monotonic_ns(self) -> int:
        return self.now

    def elapsed_ns(self) -> int:
        return self.now

    async def sleep_until(self, instant_ns: int) -> int:
        await asyncio.Event().wait()
        return 0


class HandMarket:
    """A market as it is given by hand: the market, the history and the stream of a broker."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self._feed = HandFeed()
        self.history = InsideHistory(self._feed)
        self.quotes: dict[str, Quote] = {}
        self.requests: list[tuple[str, ...]] = []
        self.error: Exception | None = None
        self.is_held = False
        """Whether nobody offers anything: trades are still known."""
        self.watched: list[Watch] = []
        self._cut = asyncio.Event()
        self._mended = asyncio.Event()
        self._mended.set()

    @property
    def market(self) -> Any:
        return self

    @property
    def streams(self) -> Any:
        return _HandStream(self)

    def quote(self, symbol: str, bid: str, ask: str, size: str = "0") -> None:
        """Move the market and tell of it."""
        made = Quote(symbol=symbol, time_ns=self._clock.now_ns(), bid=D(bid), bid_size=D(size), ask=D(ask), ask_size=D(size))
        self.quotes[symbol] = made
        self._feed.tell(made)

    def tell(self, tick: Tick) -> None:
        """Tell of something."""
        self._feed.tell(tick)

    def past(self, *bars: Bar) -> None:
        """Let the history have these minutes."""
        for bar in bars:
            self._feed.add(bar, silently=True)

    def cut(self) -> None:
        """Cut the stream until `mend`."""
        self._mended.clear()
        self._cut.set()

    def mend(self) -> None:
        """Let it connect again."""
        self._cut.clear()
        self._mended.set()

    async def assets(self, asset_class: AssetClass) -> list[Asset]:
        is_crypto = asset_class is AssetClass.CRYPTO
        grid = {"min_qty": D("0.0001"), "lot": D("0.000000001"), "tick": D("0.5")} if is_crypto else {}
        return [
            Asset(
                id=symbol,
                symbol=symbol,
                asset_class=asset_class,
                name=symbol,
                exchange="hand",
                tradable=True,
                fractionable=True,
                marginable=not is_crypto,
                shortable=not is_crypto,
                easy_to_borrow=not is_crypto,
                **grid,
            )
            for symbol in sorted(CRYPTO if is_crypto else EQUITIES)
        ]

    async def clock(self) -> MarketClock:
        return MarketClock(
            now_ns=self._clock.now_ns(),
            is_open=True,
            next_open_ns=parse_instant("2023-11-15T14:30:00Z"),
            next_close_ns=parse_instant("2023-11-14T21:00:00Z"),
        )

    async def sessions(self, first: date, last: date) -> list[SessionDay]:
        table = calendar.sessions()
        base = date(1970, 1, 1).toordinal()
        return [
            SessionDay(day=date.fromordinal(int(day) + base), open_ns=int(opens), close_ns=int(closes))
            for day, opens, closes in zip(table.days, table.opens, table.closes, strict=True)
            if first.toordinal() <= int(day) + base <= last.toordinal()
        ]

    async def latest_quotes(self, symbols: Sequence[str], feed: str | None = None) -> dict[str, Quote]:
        self.requests.append(tuple(symbols))
        if self.error is not None:
            raise self.error
        return {symbol: self.quotes[symbol] for symbol in symbols if symbol in self.quotes and not self.is_held}

    async def latest_trades(self, symbols: Sequence[str], feed: str | None = None) -> dict[str, Print]:
        return {symbol: Print(symbol=symbol, time_ns=NOW_NS, price=D("400.25"), size=D(7)) for symbol in symbols if symbol in self.quotes}

    async def close(self) -> None:
        """Nothing is held open."""


class _HandStream:
    """The stream of a `HandMarket`."""

    def __init__(self, market: HandMarket) -> None:
        self._market = market

    async def market(self, watch: Watch, on_tick: Callable[[Tick], None], on_status: Callable[[StreamStatus], None]) -> None:
        market = self._market
        while True:
            await market._mended.wait()
            if market.error is not None:
                raise market.error
            market.watched.append(watch)
            end = market._feed.listen(watch, on_tick)
            try:
                on_status(StreamStatus(state=StreamState.LISTENING))
                await market._cut.wait()
            finally:
                end()
            on_status(StreamStatus(state=StreamState.LOST, said="It was cut."))


def hand_source(
    market: HandMarket,
    clock: HandClock,
    books: PaperBooks,
    *,
    fees: str = "none",
    account: AccountTerms | None = None,
    actions: CorporateActionStore | None = None,
) -> PaperSource:
    """A paper account of 100,000 on a market that is moved by hand."""

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Any]:
        yield market

    feed = PaperFeed(id="hand", open=opened, clock=clock, hours=ExchangeHours())
    return PaperSource(
        feed,
        books,
        actions or MemoryCorporateActionStore(),
        lambda: PaperTerms(account=account or AccountTerms(), fees=fee_model(fees), caps_size=True),
        D(100_000),
    )


class PaperBench:
    """The paper account."""

    features = INFO.features
    buying_power = D(100_000)
    coin_fee = ZERO
    cancels_slowly = refuses_own_opposite = False
    judges_at_once = has_sessions = has_spread = has_companies = True
    coin_grid: Grid = (D("0.000000001"), D("0.5"), D("0.0001"))
    last_trade = D("400.25")
    finest_bid, instants_ns, words = "399.1234567890123456", 1, Words()
    clock_says: tuple[str, str] | None = None
    refused: Sequence[Refused] = (
        (buy("a", qty="10000"), RefusalReason.BUYING_POWER, 403, 40310000, "insufficient buying power"),
        (buy("a", "NOPE"), RefusalReason.ASSET_UNKNOWN, 422, 42210000, 'asset "NOPE" not found'),
        (buy("a", type=OrderType.LIMIT, limit_price=D("390.123")), RefusalReason.PRICE_INCREMENT, 422, 42210000, "sub-penny"),
        (buy("a", "BTC/USD", "0.1", time_in_force=TimeInForce.OPG), RefusalReason.TIME_IN_FORCE, 422, 42210000, "has no auctions"),
        (buy("a", qty="0.1234567891"), RefusalReason.FRACTION, 422, 42210000, "at most nine decimals"),
        (buy("a", extended_hours=True), RefusalReason.EXTENDED_HOURS, 422, 42210000, "extended hours"),
    )

    def __init__(self, broker: Any, market: HandMarket, clock: HandClock, actions: CorporateActionStore) -> None:
        self.broker: Broker = broker
        self._actions = actions
        self.market = market
        self.clock = clock
        self._keeper = broker.account._keeper

    def hold(self) -> None:
        self.market.is_held = True
        self._keeper.take(Lost(tuple(QUOTES)))

    def fill(self, broker_order_id: str, qty: str, price: str) -> None:
        side = self._keeper._exchange.notes.orders[broker_order_id].order.side
        bid, ask = (price, "0") if side is OrderSide.SELL else ("0", price)
        made = Quote(symbol="SPY", time_ns=self.clock.now_ns(), bid=D(bid), bid_size=D(qty), ask=D(ask), ask_size=D(qty))
        self._keeper.take(made)
        self.hold()

    def end(self, broker_order_id: str, status: str) -> None:
        assert status == "rejected"
        self.fill(broker_order_id, "1", "1000000")  # what the account cannot bear

    def quote(self, symbol: str, bid: str, ask: str) -> None:
        self.market.quote(symbol, bid, ask)

    def one_instant(self) -> None:
        self.clock.step_ns = 0

    def grant_cancels(self, *, slowly: bool) -> None:
        raise AssertionError("it grants them at once")

    async def place_many(self, count: int, step_ns: int) -> None:
        for number in range(count):
            self.clock.step_ns = step_ns if number % 400 else 1_000_001
            request = buy(f"o{number}", qty="1", type=OrderType.LIMIT, limit_price=D(1), time_in_force=TimeInForce.GTC)
            await self.broker.desk.submit(request)

    def past(self, *bars: Bar) -> None:
        self.market.past(*bars)

    def tell(self, *ticks: Tick) -> None:
        for tick in ticks:
            self.market.tell(tick)

    async def happens(self, action: CorporateAction) -> None:
        await self._actions.put([action])
        self.clock.now = max(self.clock.now, calendar.day_start(action.day, AssetClass.EQUITY) + HOUR_NS)
        await self._keeper.do(lambda exchange: exchange.pass_time())  # its clock does not wake it: nobody waits in a test
        await self._keeper._look_at_actions()


@asynccontextmanager
async def paper_bench(books: PaperBooks | None = None) -> AsyncIterator[PaperBench]:
    """A paper account whose market stands at `QUOTES`."""
    clock = HandClock()
    market = HandMarket(clock)
    for symbol, (bid, ask) in QUOTES.items():
        market.quote(symbol, bid, ask)
    actions = MemoryCorporateActionStore()
    async with hand_source(market, clock, books or MemoryPaperBooks(), actions=actions).open("paper", AccountName.PAPER) as broker:
        yield PaperBench(broker, market, clock, actions)


class SimBench:
    """The exchange and the ports of the simulated broker, on a market that is moved by hand."""

    features = SIM_INFO.features
    buying_power = D(100_000)
    coin_fee = ZERO
    cancels_slowly = refuses_own_opposite = judges_at_once = has_sessions = has_spread = has_companies = False
    coin_grid: Grid = (None, None, None)
    last_trade = D("400.01")
    finest_bid, instants_ns, words = "399.1234567890123456", 1, Words()
    clock_says: tuple[str, str] | None = None
    refused: Sequence[Refused] = (
        (buy("a", time_in_force=TimeInForce.OPG), RefusalReason.TIME_IN_FORCE, 422, 42210000, "invalid time_in_force opg"),
        (buy("a", qty=None, notional=D(10)), RefusalReason.INVALID_ORDER, 422, 42210000, "over a quantity only"),
    )

    def __init__(self) -> None:
        self.clock = HandClock()
        self._fake = FakeBroker(self.clock.now_ns, cash=D(100_000))
        self.broker: Broker = self._fake
        for symbol, (bid, ask) in QUOTES.items():
            self.quote(symbol, bid, ask)

    def hold(self) -> None:
        self._fake.exchange._prices.clear()

    def fill(self, broker_order_id: str, qty: str, price: str) -> None:
        self._fake.exchange.execute(broker_order_id, D(qty), D(price))

    def end(self, broker_order_id: str, status: str) -> None:
        self._fake.exchange._end(broker_order_id, OrderStatus(status))

    def quote(self, symbol: str, bid: str, ask: str) -> None:
        price, now_ns = to_float(D(ask)), self.clock.now_ns() // MINUTE_NS * MINUTE_NS
        self._fake.feed.add(Bar(symbol, now_ns, now_ns + MINUTE_NS, price, price, price, price, 1.0), silently=True)
        self._fake.exchange.show(symbol, D(ask))

    def one_instant(self) -> None:
        self.clock.step_ns = 0

    def grant_cancels(self, *, slowly: bool) -> None:
        raise AssertionError("it grants them at once")

    async def place_many(self, count: int, step_ns: int) -> None:
        for number in range(count):
            self.clock.step_ns = step_ns if number % 400 else 1_000_001
            request = buy(f"o{number}", qty="1", type=OrderType.LIMIT, limit_price=D(1), time_in_force=TimeInForce.GTC)
            await self.broker.desk.submit(request)

    def past(self, *bars: Bar) -> None:
        for bar in bars:
            self._fake.feed.add(bar, silently=True)

    def tell(self, *ticks: Tick) -> None:
        for tick in ticks:
            self._fake.feed.tell(tick)

    async def happens(self, action: CorporateAction) -> None:
        """Its market has no companies."""
