"""The account's money, positions and deals, and its orders."""

from core.brokers.api import BrokerRefused
from core.model.broker import Account, BrokerOrder, BrokerPosition, Execution, RefusalReason
from core.model.broker_entry import BrokerEntry

from .rows import account_of, position_of
from .wire import Wire
from .words import Document, execution_of, order_of

PAGE = 100


class HarbourAccount:
    """What the account holds."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def account(self) -> Account:
        return account_of(await self._wire.get("/account"))

    async def positions(self) -> list[BrokerPosition]:
        return [position_of(row) for row in await self._wire.get("/positions")]

    async def executions(self, after: str | None = None, since_ns: int | None = None) -> list[Execution]:
        found: list[Execution] = []
        last, since = int(after or 0), (since_ns or 0) // 1_000
        while True:
            rows = await self._wire.get("/deals", after=last, since=since, max=PAGE)
            found += [execution_of(row, is_listed=True) for row in rows]
            if len(rows) < PAGE:
                return found
            last = rows[-1]["deal"]

    async def entries(self, after: str | None = None) -> list[BrokerEntry]:
        return []  # Harbour does not tell of them


class HarbourOrders:
    """Reads orders."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def open_orders(self) -> list[BrokerOrder]:
        return await self._listed(open=1)

    async def orders_since(self, since_ns: int) -> list[BrokerOrder]:
        return await self._listed(since=since_ns // 1_000)

    async def order(self, id: str) -> BrokerOrder | None:
        return await self._one(ticket=id)

    async def order_by_client_id(self, client_order_id: str) -> BrokerOrder | None:
        return await self._one(ref=client_order_id)

    async def _one(self, **query: str) -> BrokerOrder | None:
        try:
            return order_of(await self._wire.get("/order", **query))
        except BrokerRefused as error:
            if error.reason is RefusalReason.ORDER_UNKNOWN:  # Harbour's own word, not any 404
                return None
            raise

    async def _listed(self, **query: int) -> list[BrokerOrder]:
        rows: list[Document] = []
        while True:
            page = await self._wire.get("/orders", below=rows[-1]["ticket"] if rows else 0, max=PAGE, **query)
            rows += page
            if len(page) < PAGE:
                return [order_of(row) for row in rows]
