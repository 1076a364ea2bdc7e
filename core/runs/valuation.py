"""What a person's orders and holdings are valued at: what the market offers now, else the last price that is known."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal, localcontext
from typing import Final

from core.errors import BrokerError, InvalidValue
from core.model.hand import HandOrder
from core.model.money import MONEY_CONTEXT, floor_to, plain
from core.model.order import OrderSide, OrderType
from core.ports import BrokerMarket
from core.trading.state import AccountState

QUOTE_S: Final = 2.0
"""How long an order waits for a price that only its valuation needs."""
_NINE_DECIMALS: Final = Decimal("0.000000001")
_ONE: Final = Decimal(1)


class Valuation:
    """Of one account."""

    def __init__(self, state: AccountState, market: BrokerMarket) -> None:
        self._state = state
        self._market = market
        self._prices: dict[str, Decimal] = {}

    def know(self, prices: Mapping[str, Decimal]) -> None:
        """Take the broker's own prices of what is held."""
        self._prices |= prices

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price of a symbol: the broker's own of what is held, else the newest that was heard of."""
        return self._prices.get(symbol) or self._state.prices.get(symbol)

    async def valued(self, symbol: str, order: HandOrder) -> tuple[Decimal | None, str]:
        """Return the price an order is valued at, and where it is from: what the market offers, but never beyond its own limit."""
        own = order.limit_price or (order.stop_price if order.type is OrderType.STOP else None)
        offered = await self._offered(symbol, order.side)
        if offered is not None:
            limit = order.limit_price
            is_beyond = limit is not None and (offered > limit if order.side is OrderSide.BUY else offered < limit)
            return (limit, "limit") if is_beyond else (offered, "quote")
        if own is not None:
            return own, "limit"
        last = self.price(symbol)
        return (None, "none") if last is None else (last, "last")

    def units(self, order: HandOrder, price: Decimal | None) -> Decimal | None:
        """Return an order's quantity; None for an amount of money that no price turns into units. Raises InvalidValue."""
        if order.qty is not None or order.notional is None:
            return order.qty
        if price is None:
            return None
        step = _NINE_DECIMALS if self._state.features.fractional else _ONE
        with localcontext(MONEY_CONTEXT):
            qty = floor_to(order.notional / price, step)
        if not qty:
            raise InvalidValue("notional", order.notional, f"it buys less than the smallest quantity; one unit costs {plain(price)}.")
        return qty

    async def market_price(self, symbol: str, side: OrderSide) -> Decimal | None:
        """Return what an order on a side would get at the market now, or the last price; None where nobody knows."""
        return await self._offered(symbol, side) or self.price(symbol)

    async def know_price(self, symbol: str) -> None:
        """Let the risk gate have a price of a symbol that nobody traded yet."""
        if symbol not in self._state.prices:
            await self._offered(symbol, OrderSide.BUY)

    async def _offered(self, symbol: str, side: OrderSide) -> Decimal | None:
        """Return what the market asks for a buy, or bids for a sale, now; None where nobody knows."""
        with suppress(BrokerError, TimeoutError):
            async with asyncio.timeout(QUOTE_S):
                quote = (await self._market.latest_quotes([symbol])).get(symbol)
            if quote is not None:
                if quote.bid and quote.ask:
                    with localcontext(MONEY_CONTEXT):
                        self._state.note_price(symbol, (quote.bid + quote.ask) / 2, quote.time_ns)
                return (quote.ask if side is OrderSide.BUY else quote.bid) or None
        return None
