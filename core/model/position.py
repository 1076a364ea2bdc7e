"""Positions and round trips."""

from decimal import Decimal
from enum import StrEnum

import msgspec


class PositionSide(StrEnum):
    """Whether one owns or owes."""

    LONG = "long"
    SHORT = "short"


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Net holding of one symbol at average cost. `qty` is signed, in units; `avg_price` is 0 when flat."""

    symbol: str
    qty: Decimal = Decimal(0)
    avg_price: Decimal = Decimal(0)
    realised_pnl: Decimal = Decimal(0)


class Trade(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A round trip: one entry part × one exit part, first in first out. `pnl` is net of `fees` (shared pro rata).

    `mae`, `mfe`: the worst and the best price while it was open as a fraction of the entry price, ≤ 0 and ≥ 0, for a
    short as for a long; None where the bars are not known.
    """

    symbol: str
    side: PositionSide
    qty: Decimal
    entry_ns: int
    exit_ns: int
    entry_price: Decimal
    exit_price: Decimal
    pnl: Decimal
    fees: Decimal
    entry_order_id: str
    exit_order_id: str
    mae: float | None = None
    mfe: float | None = None
