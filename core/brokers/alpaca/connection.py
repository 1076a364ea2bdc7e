"""One account at Alpaca, connected."""

from collections.abc import Mapping
from typing import Final

from core.brokers.alpaca.account import AlpacaAccount
from core.brokers.alpaca.addresses import Addresses
from core.brokers.alpaca.history import AlpacaHistory
from core.brokers.alpaca.market import AlpacaMarket
from core.brokers.alpaca.order_desk import AlpacaOrderDesk, AlpacaOrderReader
from core.brokers.alpaca.refusals import refusal
from core.brokers.alpaca.streams import AlpacaStreams
from core.brokers.credentials import Credentials
from core.brokers.patience import Patience
from core.brokers.rest import RestClient
from core.brokers.stream import StreamPatience
from core.ports import Clock

_AGENT: Final = "weaver"


class AlpacaBroker:
    """The `Broker` of Alpaca. Nothing is sent before something is asked for."""

    def __init__(
        self,
        addresses: Addresses,
        credentials: Credentials,
        clock: Clock,
        patience: Patience | None = None,
        stream_patience: StreamPatience | None = None,
    ) -> None:
        headers: Mapping[str, str] = {
            "APCA-API-KEY-ID": credentials.key,
            "APCA-API-SECRET-KEY": credentials.secret,
            "User-Agent": _AGENT,
            "Accept": "application/json",
        }
        limits = patience or Patience()
        hide = credentials.hidden_in_bytes
        self._trading = RestClient(addresses.trading, headers, refusal, clock, limits, hide)
        self._data = RestClient(addresses.data, headers, refusal, clock, limits, hide)
        self.account = AlpacaAccount(self._trading)
        self.orders = AlpacaOrderReader(self._trading)
        self.desk = AlpacaOrderDesk(self._trading, self.account)
        self.market = AlpacaMarket(self._trading, self._data)
        self.history = AlpacaHistory(self._data)
        self.streams = AlpacaStreams(addresses, credentials, stream_patience or StreamPatience())

    async def close(self) -> None:
        """See `core.ports.Broker`."""
        await self._trading.close()
        await self._data.close()
