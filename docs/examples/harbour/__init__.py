"""An adapter to Harbour, a broker that does not exist. docs/adapters.md tells of it."""

from core.brokers.api import Adapter, Broker, Link

from .account import HarbourAccount, HarbourOrders
from .desk import HarbourDesk
from .market import HarbourHistory, HarbourMarket
from .streams import HarbourStreams
from .wire import Wire


class Harbour(Adapter):
    """Shares at Harbour: whole ones, in orders that stand alone."""

    id = "harbour"
    name = "Harbour"
    version = "1"
    accounts = ("paper",)
    assets = ("equity",)
    order_types = ("market", "limit", "stop")
    times_in_force = ("day", "gtc", "ioc")
    whole_cents = True
    feeds = ("main",)
    streaming = True
    holds_units = True

    def connect(self, link: Link) -> Broker:
        return HarbourBroker(Wire(link))


class HarbourBroker:
    """A connection to one account: six parts on one wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.account = HarbourAccount(wire)
        self.orders = HarbourOrders(wire)
        self.desk = HarbourDesk(wire)
        self.market = HarbourMarket(wire)
        self.history = HarbourHistory(wire)
        self.streams = HarbourStreams(wire)

    async def close(self) -> None:
        await self._wire.close()
