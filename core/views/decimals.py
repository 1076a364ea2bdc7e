"""How many decimals prices and quantities of an instrument are written with: fixed, so that columns line up."""

from decimal import Decimal
from typing import Final

from core.model.market import AssetClass, asset_class_of

_MOST: Final = 8
_COARSE_QUOTES: Final = frozenset({"JPY", "HUF", "KRW"})


def price_decimals(symbol: str, price: float) -> int:
    """Return the decimals of a symbol that trades around `price`: by convention of its class, finer for small prices."""
    kind = asset_class_of(symbol)
    if kind is AssetClass.CURRENCY:
        return 3 if symbol.rpartition("/")[2] in _COARSE_QUOTES else 5
    if kind is AssetClass.EQUITY:
        return 2 if price >= 1 else 4
    for floor, decimals in ((10.0, 2), (1.0, 4), (0.01, 6)):
        if price >= floor:
            return decimals
    return _MOST


def price_text(symbol: str, price: Decimal) -> str:
    """Return a price in a sentence, with the decimals of its symbol: `174.30`, `54880.90`; an average is rounded to them."""
    return f"{price:.{max(2, price_decimals(symbol, float(price)))}f}"


def decimals_in(amount: Decimal) -> int:
    """Return how many decimals an amount really has, trailing zeros aside, at most eight."""
    exponent = amount.normalize().as_tuple().exponent
    return min(_MOST, max(0, -exponent)) if isinstance(exponent, int) else 0


class DecimalRules:
    """Decimals by symbol: a price's are settled by the first one seen, a quantity's grow to the finest one seen."""

    def __init__(self) -> None:
        self._price: dict[str, int] = {}
        self._qty: dict[str, int] = {}

    def saw_price(self, symbol: str, price: Decimal | float | None) -> None:
        """Take note of a price."""
        if symbol not in self._price and price:
            self._price[symbol] = price_decimals(symbol, float(price))

    def saw_qty(self, symbol: str, qty: Decimal) -> None:
        """Take note of a quantity."""
        known = self._qty.get(symbol, 0)
        if known < _MOST:
            self._qty[symbol] = max(known, decimals_in(qty))

    def price(self, symbol: str) -> int:
        """Return the decimals of prices."""
        return self._price.get(symbol, 2)

    def qty(self, symbol: str) -> int:
        """Return the decimals of quantities."""
        return self._qty.get(symbol, 0)

    def clear(self) -> None:
        """Forget everything."""
        self._price.clear()
        self._qty.clear()
