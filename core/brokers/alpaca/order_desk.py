"""Reading and sending orders at Alpaca."""

from decimal import Decimal
from typing import Final
from urllib.parse import quote

from core.brokers.alpaca.account import AlpacaAccount
from core.brokers.alpaca.fields import fields, parsed, rows, text_of_instant
from core.brokers.alpaca.orders import body_of, body_of_change, read_order
from core.brokers.rest import Answer, RestClient
from core.errors import BrokerRefused
from core.model.broker import BrokerOrder, BrokerOrderRequest, MayLeave, OrderChange, RefusalReason
from core.model.market import AssetClass
from core.model.money import plain
from core.model.order import OrderSide, TimeInForce

PAGE: Final = 500
"""The most orders that Alpaca puts on a page."""
_MILLISECOND_NS: Final = 1_000_000


class AlpacaOrderReader:
    """The `BrokerOrderReader` of Alpaca."""

    def __init__(self, trading: RestClient) -> None:
        self._trading = trading

    async def open_orders(self) -> list[BrokerOrder]:
        """See `core.ports.BrokerOrderReader`."""
        return await self._listed({"status": "open"})

    async def orders_since(self, since_ns: int) -> list[BrokerOrder]:
        """See `core.ports.BrokerOrderReader`."""
        return await self._listed({"status": "all", "after": text_of_instant(max(0, since_ns - 1))})

    async def order(self, id: str) -> BrokerOrder | None:
        """See `core.ports.BrokerOrderReader`."""
        return await self._one(f"/v2/orders/{quote(id, safe='')}", {"nested": "true"}, f"Looking up order {id}")

    async def order_by_client_id(self, client_order_id: str) -> BrokerOrder | None:
        """See `core.ports.BrokerOrderReader`."""
        query = {"client_order_id": client_order_id}
        return await self._one("/v2/orders:by_client_order_id", query, f"Looking up order {client_order_id}")

    async def _one(self, path: str, query: dict[str, str], what: str) -> BrokerOrder | None:
        try:
            return await self._trading.ask(path, query, _read_one, what)
        except BrokerRefused as error:
            # A door on the way (a proxy, a wrong address) says 404 too, and that says nothing of the order.
            if error.status == 404 and (error.broker_code is not None or error.reason is RefusalReason.ORDER_UNKNOWN):
                return None
            raise

    async def _listed(self, query: dict[str, str]) -> list[BrokerOrder]:
        """Return all pages. There is no page token: the next page ends where this one began, and what comes twice is dropped."""
        query |= {"limit": str(PAGE), "direction": "desc", "nested": "true"}
        found: dict[str, BrokerOrder] = {}
        while True:
            page = await self._trading.ask("/v2/orders", query, _read_many, "Listing the orders")
            fresh = [order for order in page if order.id not in found]
            found.update((order.id, order) for order in fresh)
            if len(page) < PAGE:
                return list(found.values())
            oldest_ns = min(order.submitted_ns for order in page)
            # A page may end between orders of one instant: the millisecond is read again, unless it brought nothing new.
            query["until"] = text_of_instant(oldest_ns + (_MILLISECOND_NS if fresh else 0))


class AlpacaOrderDesk:
    """The `BrokerOrderDesk` of Alpaca."""

    def __init__(self, trading: RestClient, account: AlpacaAccount) -> None:
        self._trading = trading
        self._account = account

    async def submit(self, request: BrokerOrderRequest, may_leave: MayLeave | None = None) -> BrokerOrder:
        """See `core.ports.BrokerOrderDesk`."""
        amount = plain(request.qty) if request.qty is not None else f"for {plain(request.notional or Decimal(0))}"
        what = f"Order {request.client_order_id} ({request.side} {amount} {request.symbol})"
        return await self._trading.tell("POST", "/v2/orders", {}, body_of(request), _read_one, what, request.client_order_id, may_leave)

    async def replace(self, order_id: str, change: OrderChange, may_leave: MayLeave | None = None) -> BrokerOrder:
        """See `core.ports.BrokerOrderDesk`."""
        path, what = f"/v2/orders/{quote(order_id, safe='')}", f"Changing order {order_id} into {change.client_order_id}"
        return await self._trading.tell("PATCH", path, {}, body_of_change(change), _read_one, what, change.client_order_id, may_leave)

    async def cancel(self, order_id: str) -> None:
        """See `core.ports.BrokerOrderDesk`."""
        path = f"/v2/orders/{quote(order_id, safe='')}"
        await self._trading.tell("DELETE", path, {}, None, lambda _: None, f"Cancelling order {order_id}", None)

    async def cancel_all(self) -> list[str]:
        """See `core.ports.BrokerOrderDesk`."""

        def read(answer: Answer) -> list[str]:
            return [str(row["id"]) for row in rows(parsed(answer.body)) if not 200 <= int(row["status"]) < 300]

        return await self._trading.tell("DELETE", "/v2/orders", {}, None, read, "Cancelling all orders", None)

    async def close_position(self, symbol: str, client_order_id: str, qty: Decimal | None = None) -> BrokerOrder:
        """See `core.ports.BrokerOrderDesk`. Not Alpaca's own way of closing: its orders cannot carry an id of ours."""
        held = next((position for position in await self._account.positions() if position.symbol == symbol), None)
        if held is None:
            raise BrokerRefused(
                f"There is no position in {symbol} to close.", "List the positions.", reason=RefusalReason.POSITION_UNKNOWN, status=404
            )
        return await self.submit(
            BrokerOrderRequest(
                client_order_id=client_order_id,
                symbol=symbol,
                side=OrderSide.SELL if held.qty > 0 else OrderSide.BUY,
                qty=abs(held.qty) if qty is None else qty,
                time_in_force=TimeInForce.GTC if held.asset_class is AssetClass.CRYPTO else TimeInForce.DAY,
            )
        )


def _read_one(answer: Answer) -> BrokerOrder:
    return read_order(fields(parsed(answer.body)))


def _read_many(answer: Answer) -> list[BrokerOrder]:
    return [read_order(row) for row in rows(parsed(answer.body))]
