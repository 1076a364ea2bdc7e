"""What a model of costs is asked, and what it answers: fees and slippage, the program's own and a strategy's.

A model is pure: the same question always has the same answer, and it keeps nothing between two of them. Who calls it
enters `MONEY_CONTEXT`, so that sums of `Decimal` are exact.
"""

from decimal import Decimal
from typing import Protocol, runtime_checkable

import msgspec

from core.model.market import AssetClass
from core.model.money import ZERO
from core.model.order import OrderSide


class Part(msgspec.Struct, gc=False):
    """A part of an order that fills now, and what its order did before. Quantities in units, money in quote currency.

    `price` includes slippage. `is_maker`: a limit order filled at its limit inside the bar, not at an open or a trigger.
    It is valid during the call only: whoever asks may use it again.
    """

    symbol: str
    asset_class: AssetClass
    side: OrderSide
    qty: Decimal
    price: Decimal
    is_maker: bool = False
    qty_before: Decimal = ZERO
    """Units that earlier parts of the order filled."""
    money_before: Decimal = ZERO
    """Quantity × price of earlier parts."""
    fees_before: Decimal = ZERO
    """Fees of earlier parts: a minimum counts once per order."""


@runtime_checkable
class FeeModel(Protocol):
    """What the broker charges."""

    def fee(self, part: Part) -> Decimal:
        """Return what this part costs on top of `part.fees_before`, in quote currency, exact and never negative."""
        ...


@runtime_checkable
class SlippageModel(Protocol):
    """How far a market, stop or triggered trailing order fills from the price that the path reached."""

    def distance(self, price: Decimal, qty: Decimal, volume: Decimal) -> Decimal:
        """Return the distance against the trader, in quote currency per unit, never negative.

        `qty`: what fills now; `volume`: the bar's. The venue moves the price to the tick and keeps it inside the bar.
        """
        ...
