"""The broker ports over a paper account."""

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

from core.brokers.paper.checks import refused
from core.brokers.paper.exchange import PaperExchange
from core.brokers.paper.feed import Feed
from core.brokers.paper.keeper import Keeper, T
from core.errors import BrokerUnreachable, NotSent, OutcomeUnknown, StoreError
from core.model.broker import (
    Account,
    BrokerOrder,
    BrokerOrderRequest,
    BrokerPosition,
    Execution,
    MayLeave,
    OrderChange,
    OrderUpdate,
    RefusalReason,
    StreamState,
    StreamStatus,
    Tick,
    Watch,
)
from core.model.broker_entry import BrokerEntry
from core.model.market import AssetClass, asset_class_of
from core.model.order import OrderSide, TimeInForce
from core.ports import Broker


class Turns(Protocol):
    """Where an exchange can be asked."""

    async def do(self, work: Callable[[PaperExchange], T]) -> T:
        """Return what `work` returns."""
        ...


class PaperBroker:
    """A `core.ports.Broker`: orders, money and holdings are the account's, market and history the feed's."""

    def __init__(self, keeper: Keeper, feed: Feed, source: Broker) -> None:
        self.account = PaperAccountReader(keeper)
        self.orders = PaperOrderReader(keeper)
        self.desk = PaperDesk(keeper, feed)
        self.market = source.market
        self.history = source.history
        self.streams = PaperStreams(keeper, feed)

    async def close(self) -> None:
        """Nothing is held open here; the source is closed by who opened it."""


async def _asked(keeper: Turns, work: Callable[[PaperExchange], T]) -> T:
    try:
        return await keeper.do(work)
    except StoreError as error:
        raise BrokerUnreachable(f"The paper account cannot be read. {error.what}", error.todo) from error


async def _told(keeper: Keeper, work: Callable[[PaperExchange], T], client_order_id: str | None, may_leave: MayLeave | None = None) -> T:
    def last(exchange: PaperExchange) -> T:
        if may_leave is not None and not may_leave():  # whoever was before it may have been long
            raise NotSent(f"Order {client_order_id}")
        return work(exchange)

    try:
        return await keeper.do(last)
    except StoreError as error:
        what = f"Whether the paper account took it is not known. {error.what}"
        raise OutcomeUnknown(what, error.todo, client_order_id=client_order_id) from error


class PaperAccountReader:
    """See `core.ports.BrokerAccount`."""

    def __init__(self, keeper: Turns) -> None:
        self._keeper = keeper

    async def account(self) -> Account:
        return await _asked(self._keeper, lambda exchange: exchange.account())

    async def positions(self) -> list[BrokerPosition]:
        return await _asked(self._keeper, lambda exchange: exchange.positions())

    async def executions(self, after: str | None = None, since_ns: int | None = None) -> list[Execution]:
        found = await _asked(self._keeper, lambda exchange: list(exchange.notes.executions))
        if after is not None:
            return found[int(after) :]
        return [one for one in found if since_ns is None or one.time_ns >= since_ns]

    async def entries(self, after: str | None = None) -> list[BrokerEntry]:
        found = await _asked(self._keeper, lambda exchange: list(exchange.notes.entries))
        ids = [one.id for one in found]
        return found[ids.index(after) + 1 :] if after in ids else found


class PaperOrderReader:
    """See `core.ports.BrokerOrderReader`."""

    def __init__(self, keeper: Turns) -> None:
        self._keeper = keeper

    async def open_orders(self) -> list[BrokerOrder]:
        return await _asked(self._keeper, lambda exchange: exchange.open_orders())

    async def orders_since(self, since_ns: int) -> list[BrokerOrder]:
        return await _asked(self._keeper, lambda exchange: exchange.notes.orders_since(since_ns))

    async def order(self, id: str) -> BrokerOrder | None:
        return await _asked(self._keeper, lambda exchange: exchange.notes.find(id))

    async def order_by_client_id(self, client_order_id: str) -> BrokerOrder | None:
        return await _asked(self._keeper, lambda exchange: exchange.notes.find(exchange.notes.ids.get(client_order_id, "")))


class PaperDesk:
    """See `core.ports.BrokerOrderDesk`. An answer that came is committed: it holds over everything."""

    def __init__(self, keeper: Keeper, feed: Feed) -> None:
        self._keeper = keeper
        self._feed = feed

    async def submit(self, request: BrokerOrderRequest, may_leave: MayLeave | None = None) -> BrokerOrder:
        if asset_class_of(request.symbol) is not AssetClass.CURRENCY:
            await self._feed.want(request.symbol)
        return await _told(self._keeper, lambda exchange: exchange.submit(request), request.client_order_id, may_leave)

    async def replace(self, order_id: str, change: OrderChange, may_leave: MayLeave | None = None) -> BrokerOrder:
        return await _told(self._keeper, lambda exchange: exchange.replace(order_id, change), change.client_order_id, may_leave)

    async def cancel(self, order_id: str) -> None:
        await _told(self._keeper, lambda exchange: exchange.cancel(order_id), None)

    async def cancel_all(self) -> list[str]:
        def work(exchange: PaperExchange) -> list[str]:
            for order_id in exchange.working():
                if order_id in exchange.open:  # one may have taken another along
                    exchange.cancel(order_id)
            return exchange.working()

        return await _told(self._keeper, work, None)

    async def close_position(self, symbol: str, client_order_id: str, qty: Decimal | None = None) -> BrokerOrder:
        def work(exchange: PaperExchange) -> BrokerOrder:
            held = next((one.qty for one in exchange.positions() if one.symbol == symbol), Decimal(0))
            if not held:
                raise refused(RefusalReason.POSITION_UNKNOWN, "position does not exist", status=404, code=40410000)
            return exchange.submit(
                BrokerOrderRequest(
                    client_order_id=client_order_id,
                    symbol=symbol,
                    side=OrderSide.SELL if held > 0 else OrderSide.BUY,
                    qty=abs(held) if qty is None else qty,
                    time_in_force=TimeInForce.GTC if asset_class_of(symbol) is AssetClass.CRYPTO else TimeInForce.DAY,
                )
            )

        return await _told(self._keeper, work, client_order_id)


class PaperStreams:
    """See `core.ports.BrokerStreams`."""

    def __init__(self, keeper: Keeper, feed: Feed) -> None:
        self._keeper = keeper
        self._feed = feed

    async def order_updates(self, on_update: Callable[[OrderUpdate], None], on_status: Callable[[StreamStatus], None]) -> None:
        def on_entries() -> None:
            on_status(StreamStatus(state=StreamState.LISTENING))  # whoever listens asks for what no update tells of

        while True:
            self._keeper.listeners.append(on_update)
            self._keeper.entry_listeners.append(on_entries)
            try:
                on_status(StreamStatus(state=StreamState.LISTENING))
                await self._keeper.until_begun_anew()
            finally:
                self._keeper.listeners.remove(on_update)
                self._keeper.entry_listeners.remove(on_entries)
            on_status(StreamStatus(state=StreamState.LOST, said="The paper account was read anew."))

    async def market(self, watch: Watch, on_tick: Callable[[Tick], None], on_status: Callable[[StreamStatus], None]) -> None:
        await self._feed.listen(watch, on_tick, on_status)
