"""What a run gives back."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Status = Literal["held", "working", "filled", "cancelled", "expired", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One fill. `slippage` is money paid over the reference price, never negative. `reason`: `end_of_run`, `margin_call` or None."""

    order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    fee: Decimal
    slippage: Decimal
    time_ns: int
    maker: bool = False
    reason: str | None = None
    path_dependent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResult:
    """An order at the end. `held`: a leg whose parent has not filled. `path_dependent`: only the path left it unfilled."""

    status: Status
    filled: Decimal
    code: str | None
    path_dependent: bool


@dataclass(frozen=True, slots=True)
class Rejection:
    """An order, or a replacement, that was refused; the bar's start when judged at a fill, else the decision's time."""

    time_ns: int
    order_id: str
    code: str


@dataclass(frozen=True, slots=True)
class MarginCall:
    """Equity under the maintenance requirement at `time_ns`."""

    time_ns: int
    equity: Decimal
    required: Decimal


@dataclass(frozen=True, slots=True)
class PositionResult:
    """`qty` is negative for a short; `average_cost` is a price, positive."""

    qty: Decimal
    average_cost: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """One entry part with one exit part, first in first out; `profit` is net of `fees`."""

    symbol: str
    side: Literal["long", "short"]
    qty: Decimal
    entry_ns: int
    exit_ns: int
    entry_price: Decimal
    exit_price: Decimal
    fees: Decimal
    profit: Decimal


@dataclass(slots=True)
class Totals:
    """cash at the end = start − bought + sold − fees + interest + dividends + fractions (the last three signed)."""

    bought: Decimal = Decimal(0)
    sold: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    interest: Decimal = Decimal(0)
    dividends: Decimal = Decimal(0)
    fractions: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`equity`: the start, then each event time, marked before that time's decisions. `end_equity` counts the closing at the end."""

    fills: list[Fill]
    orders: dict[str, OrderResult]
    rejections: list[Rejection]
    margin_calls: list[MarginCall]
    equity: list[tuple[int, Decimal]]
    cash: Decimal
    positions: dict[str, PositionResult]
    trips: list[RoundTrip]
    totals: Totals
    end_equity: Decimal
