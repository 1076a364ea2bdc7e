"""What a run is told: account, costs, path, marks of the rules that may be chosen."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

PathModel = Literal["adaptive", "ohlc", "olhc", "pessimistic", "optimistic"]
AccountKind = Literal["cash", "margin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlpacaFees:
    """Rates of the `alpaca` fee model: published figures of the first volume tier. Fractions of money, but `taf_*`, which is money."""

    sec_rate: Decimal = Decimal("0.0000278")
    taf_per_share: Decimal = Decimal("0.000166")
    taf_maximum: Decimal = Decimal("8.30")
    maker_rate: Decimal = Decimal("0.0015")
    taker_rate: Decimal = Decimal("0.0025")
    # The rules round nothing but interest; a broker rounds each regulatory fee of an order up to the cent.
    round_up_to_cent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`slippage` and `fees` as on the command line (`bps:5`, `per-share:0.005:1`). Rates are a year's fractions: 0.03 is three percent."""

    cash: Decimal = Decimal(100_000)
    account: AccountKind = "cash"
    path: PathModel = "adaptive"
    slippage: str = "none"
    fees: str = "none"
    alpaca: AlpacaFees = AlpacaFees()
    volume_cap: Decimal | None = None
    trade_through: bool = False
    borrow_rate: Decimal = Decimal(0)
    debit_rate: Decimal = Decimal(0)
    credit_rate: Decimal = Decimal(0)
    initial_margin: Decimal = Decimal("0.5")
    maintenance_margin: Decimal = Decimal("0.25")
    # What cannot be lent against is paid in full.
    unmarginable: Decimal = Decimal(1)
    close_at_end: bool = False
