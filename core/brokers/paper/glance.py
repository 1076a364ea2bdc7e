"""The paper account as it is kept, to be looked at: nothing fills, nothing is written, whoever trades on it meanwhile."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from core.brokers.paper.broker import PaperAccountReader, PaperOrderReader
from core.brokers.paper.exchange import PaperExchange
from core.brokers.paper.keeper import T
from core.errors import BrokerError, NotInThisVersion
from core.ports import BrokerMarket


class PaperGlance:
    """What an account holds and its orders, at the newest prices that the feed gives."""

    def __init__(self, exchange: PaperExchange) -> None:
        self._exchange = exchange
        self.account: Final = PaperAccountReader(self)
        self.orders: Final = PaperOrderReader(self)

    async def do(self, work: Callable[[PaperExchange], T]) -> T:
        """Return what `work` sees."""
        return work(self._exchange)

    async def price(self, market: BrokerMarket) -> None:
        """Take the newest quotes of what is held; a feed that does not answer leaves holdings at what they cost."""
        symbols = sorted(self._exchange.symbols())
        if symbols:
            with suppress(BrokerError, NotInThisVersion):
                for quote in (await market.latest_quotes(symbols)).values():
                    self._exchange.standing(quote.symbol).take_quote(quote)
                    self._exchange.mark(quote.symbol)
