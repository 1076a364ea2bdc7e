"""The way of the price through a bar."""

from decimal import Decimal
from typing import Literal

from tests.oracle.market import Bar

Way = Literal["ohlc", "olhc"]


def adaptive(bar: Bar) -> Way:
    """The nearer extreme first; a tie goes to the low."""
    return "ohlc" if bar.high - bar.open < bar.open - bar.low else "olhc"


def points(bar: Bar, way: Way) -> list[Decimal]:
    """The four turning points, the open first."""
    if way == "ohlc":
        return [bar.open, bar.high, bar.low, bar.close]
    return [bar.open, bar.low, bar.high, bar.close]
