"""The ports to a broker: one account at it, in six parts, and where accounts are opened."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date
from decimal import Decimal
from typing import Protocol

from core.model.broker import (
    Account,
    AccountName,
    AdapterInfo,
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
    SessionDay,
    StreamStatus,
    Tick,
    Watch,
)
from core.model.broker_entry import BrokerEntry
from core.model.hand import TradingAccount
from core.model.market import Adjustment, AssetClass, BarSeries, Timeframe
from core.ports.clock import LiveClock


class BrokerAccount(Protocol):
    """What an account holds, and what happened in it."""

    async def account(self) -> Account:
        """Return the account's money."""
        ...

    async def positions(self) -> list[BrokerPosition]:
        """Return its holdings, by symbol."""
        ...

    async def executions(self, after: str | None = None, since_ns: int | None = None) -> list[Execution]:
        """Return executions, oldest first, all pages: after a `page_token`, or from an instant on."""
        ...

    async def entries(self, after: str | None = None) -> list[BrokerEntry]:
        """Return what moved its money or units without an execution, oldest first, after the entry of that id; None: all.

        A broker whose adapter does not read them has none here: what a split does to an account differs then, and is told.
        """
        ...


class BrokerOrderReader(Protocol):
    """The orders of an account, legs inside their parent."""

    async def open_orders(self) -> list[BrokerOrder]:
        """Return every order that is not final, newest first."""
        ...

    async def orders_since(self, since_ns: int) -> list[BrokerOrder]:
        """Return every order submitted at or after an instant, whatever became of it, newest first."""
        ...

    async def order(self, id: str) -> BrokerOrder | None:
        """Return an order by the broker's id; None when it has none."""
        ...

    async def order_by_client_id(self, client_order_id: str) -> BrokerOrder | None:
        """Return an order by our id; None when the broker never took one: what answers an `OutcomeUnknown`."""
        ...


class BrokerOrderDesk(Protocol):
    """Sends orders. Each request leaves once: nothing here is ever sent again by itself.

    All raise BrokerRefused, KeysRefused, RateLimited and BrokerUnreachable when the broker took nothing, and
    OutcomeUnknown when nobody can tell. `may_leave` is asked last of all; where it says no, NotSent is raised and nothing has left.
    """

    async def submit(self, request: BrokerOrderRequest, may_leave: MayLeave | None = None) -> BrokerOrder:
        """Send an order; return it as the broker took it."""
        ...

    async def replace(self, order_id: str, change: OrderChange, may_leave: MayLeave | None = None) -> BrokerOrder:
        """Ask for other terms; return the new order that the broker makes of it. A fill may come first."""
        ...

    async def cancel(self, order_id: str) -> None:
        """Ask for a cancel; that it was asked for is all this tells. The order may still fill."""
        ...

    async def cancel_all(self) -> list[str]:
        """Ask for the cancel of every open order; return the broker's ids of those that it would not cancel."""
        ...

    async def close_position(self, symbol: str, client_order_id: str, qty: Decimal | None = None) -> BrokerOrder:
        """Send a market order of ours that closes a position, or `qty` of it (unsigned)."""
        ...


class BrokerMarket(Protocol):
    """What a broker trades, and when."""

    async def assets(self, asset_class: AssetClass) -> list[Asset]:
        """Return what can be traded, by symbol."""
        ...

    async def clock(self) -> MarketClock:
        """Return the broker's clock."""
        ...

    async def sessions(self, first: date, last: date) -> list[SessionDay]:
        """Return the exchange's sessions of these dates, both included."""
        ...

    async def latest_quotes(self, symbols: Sequence[str], feed: str | None = None) -> dict[str, Quote]:
        """Return the newest quotes; a symbol without one is not in it."""
        ...

    async def latest_trades(self, symbols: Sequence[str], feed: str | None = None) -> dict[str, Print]:
        """Return the newest trades; a symbol without one is not in it."""
        ...


class BarHistory(Protocol):
    """A broker's historical bars."""

    def source_of(self, symbol: str, feed: str | None) -> str:
        """Return the name under which bars of this feed are stored; feeds never share one. Raises InvalidValue for an unknown feed."""
        ...

    def pages(
        self, symbol: str, timeframe: Timeframe, start_ns: int, end_ns: int, *, adjustment: Adjustment, feed: str | None
    ) -> AsyncGenerator[BarSeries, None]:
        """Yield the bars that start in `[start_ns, end_ns)` in pages, oldest first. An interval without a trade has no bar.

        Raises InvalidValue for a timeframe that the broker does not have.
        """
        ...


class BrokerStreams(Protocol):
    """What a broker tells by itself. Each call goes on, over every reconnect, until its task is cancelled.

    Callbacks are called in the loop's thread and must return at once. Raises KeysRefused and BrokerRefused: what no
    second attempt would change.
    """

    async def order_updates(self, on_update: Callable[[OrderUpdate], None], on_status: Callable[[StreamStatus], None]) -> None:
        """Tell of every order of the account, whoever sent it."""
        ...

    async def market(self, watch: Watch, on_tick: Callable[[Tick], None], on_status: Callable[[StreamStatus], None]) -> None:
        """Tell of bars, quotes and trades."""
        ...


class Broker(Protocol):
    """A connection to one account of one broker. What it offers is in its adapter's features."""

    @property
    def account(self) -> BrokerAccount: ...
    @property
    def orders(self) -> BrokerOrderReader: ...
    @property
    def desk(self) -> BrokerOrderDesk: ...
    @property
    def market(self) -> BrokerMarket: ...
    @property
    def history(self) -> BarHistory: ...
    @property
    def streams(self) -> BrokerStreams: ...

    async def close(self) -> None:
        """End every request and let go of every connection."""
        ...


class BrokerSource(Protocol):
    """The brokers that a run can trade through, by the id of their adapter."""

    async def accounts(self) -> Sequence[TradingAccount]:
        """Return the accounts there are, with what keeps one from being used; nothing is connected."""
        ...

    def info(self, broker_id: str) -> AdapterInfo:
        """Return what a broker declares. Raises UnknownName."""
        ...

    def clock(self, broker_id: str) -> LiveClock:
        """Return the time in which its market lives: real time, but for a simulated one."""
        ...

    def outlives_program(self, broker_id: str) -> bool:
        """Tell whether its account goes on when the program ends."""
        ...

    def open(self, broker_id: str, account: AccountName) -> AbstractAsyncContextManager[Broker]:
        """Connect to an account for the length of the block. Raises BrokerError, UnknownName."""
        ...
