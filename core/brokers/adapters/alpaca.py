"""The adapter for Alpaca."""

from core.brokers.alpaca.addresses import Addresses
from core.brokers.alpaca.connection import AlpacaBroker
from core.brokers.api import Adapter, Broker, Link


class AlpacaAdapter(Adapter):
    """US equities and crypto at Alpaca, paper and live accounts."""

    id = "alpaca"
    name = "Alpaca"
    version = "1"
    accounts = ("paper", "live")
    assets = ("equity", "crypto")
    order_types = ("market", "limit", "stop", "stop_limit", "trailing_stop")
    order_classes = ("simple", "bracket", "oco", "oto")
    times_in_force = ("day", "gtc", "opg", "cls", "ioc", "fok")
    crypto_times_in_force = ("gtc", "ioc")
    fraction_times_in_force = ("day",)
    whole_cents = True
    feeds = ("iex", "sip")
    fractional = True
    notional = True
    extended_hours = True
    streaming = True
    coin_fees = True
    holds_units = True

    def connect(self, link: Link) -> Broker:
        """See `core.brokers.api.Adapter`."""
        return AlpacaBroker(Addresses.of(link.account, link.addresses), link.credentials, link.clock)
