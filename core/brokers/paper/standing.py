"""The market of one symbol as the paper account knows it: the quote that stands, and the last trade."""

from decimal import Decimal

from core.model.broker import Print, Quote
from core.model.money import ZERO
from core.model.order import OrderSide


class Standing:
    """A quote stands until another comes or the feed is lost. What is filled at it is gone from its size."""

    def __init__(self) -> None:
        self.is_quoted = False
        """Whether quotes come at all: where none ever did, bars are met instead."""
        self.time_ns = 0
        self._prices: dict[OrderSide, Decimal] = {}
        self._left: dict[OrderSide, Decimal] = {}
        self._last: Decimal | None = None

    def take_quote(self, quote: Quote) -> None:
        """Let a quote stand. A side without a price is not there; a size of zero is not known."""
        self.is_quoted = True
        self.time_ns = quote.time_ns
        sides = ((OrderSide.BUY, quote.ask, quote.ask_size), (OrderSide.SELL, quote.bid, quote.bid_size))
        self._prices = {side: price for side, price, _ in sides if price > 0}
        self._left = {side: size for side, _, size in sides if size > 0}

    def take_trade(self, trade: Print) -> None:
        """Note a trade of the market."""
        self._last = trade.price

    def take_close(self, price: Decimal) -> None:
        """Note the close of a bar."""
        self._last = price

    def forget(self) -> None:
        """Nothing stands any more: the feed was lost. What was last seen still says what holdings are worth."""
        self._last = self.price
        self._prices, self._left = {}, {}

    def offered(self, side: OrderSide) -> Decimal | None:
        """Return at what price an order of that side fills now: a buy at the ask, a sell at the bid; None: it does not."""
        return self._prices.get(side)

    def left(self, side: OrderSide) -> Decimal | None:
        """Return how many units there are at that price; None where that is not known."""
        return self._left.get(side)

    def use(self, side: OrderSide, qty: Decimal) -> None:
        """Take from the size what was filled."""
        if side in self._left:
            self._left[side] = max(ZERO, self._left[side] - qty)

    @property
    def price(self) -> Decimal | None:
        """What a unit is worth: the middle of the quote, else the last trade or close."""
        if len(self._prices) == 2:
            return sum(self._prices.values(), ZERO) / 2
        return self._last if self._last is not None else next(iter(self._prices.values()), None)
