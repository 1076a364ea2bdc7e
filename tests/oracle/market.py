"""What the market gives: bars, instruments with their sessions, splits and dividends."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

AssetClass = Literal["equity", "crypto"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of its symbol's finest timeframe. `start_ns` stamps it, at `end_ns` it is known; both UTC."""

    symbol: str
    start_ns: int
    end_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = Decimal(0)
    regular: bool = True

    def __post_init__(self) -> None:
        if not self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            raise ValueError(f"open and close leave the range: {self}")
        if self.end_ns <= self.start_ns:
            raise ValueError(f"the bar ends before it starts: {self}")


@dataclass(frozen=True, slots=True)
class Session:
    """Regular hours of one day of an exchange, UTC. `extended_close_ns`: None is 20:00 New York of the day that `open_ns` falls on."""

    open_ns: int
    close_ns: int
    extended_close_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A symbol of the run. `tick` and `lot`: None has none. `sessions` ascend; crypto has none (its days end at 00:00 UTC)."""

    symbol: str
    asset_class: AssetClass = "equity"
    tick: Decimal | None = None
    lot: Decimal | None = None
    sessions: tuple[Session, ...] = field(default=())
    hard_to_borrow: bool = False

    @property
    def crypto(self) -> bool:
        return self.asset_class == "crypto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """`ratio` new units for one old, from `day_ns` on: the UTC instant at which the exchange's day begins."""

    symbol: str
    day_ns: int
    ratio: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Dividend:
    """`amount` of cash for each unit held into `day_ns`, the UTC instant at which the exchange's (ex-)day begins."""

    symbol: str
    day_ns: int
    amount: Decimal


Action = Split | Dividend
