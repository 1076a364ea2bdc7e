"""Symbols, timeframes and bars."""

import hashlib
import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidValue
from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

Floats = NDArray[np.float64]
Instants = NDArray[np.int64]


class AssetClass(StrEnum):
    """What is traded; decides on sessions and on the number of trading days in a year."""

    EQUITY = "equity"
    CRYPTO = "crypto"
    CURRENCY = "currency"

    @property
    def has_sessions(self) -> bool:
        """Equities trade in sessions of an exchange; for the others a day ends at 00:00 UTC."""
        return self is AssetClass.EQUITY

    @property
    def days_per_year(self) -> int:
        """Trading days by which daily figures are annualised."""
        return 365 if self is AssetClass.CRYPTO else 252


_FIAT: Final = frozenset("USD EUR GBP JPY CHF AUD NZD CAD SEK NOK DKK PLN CZK HUF TRY ZAR MXN SGD HKD CNH".split())
_SYMBOL: Final = re.compile(r"[A-Z0-9][A-Z0-9.^\-_]*(/[A-Z0-9]+)?")


def parse_symbol(text: str) -> str:
    """Return the symbol in upper case. Raises InvalidValue when it cannot be one."""
    symbol = text.strip().upper()
    if len(symbol) > 24 or not _SYMBOL.fullmatch(symbol):
        raise InvalidValue("symbol", repr(text), "write it like SPY, BRK.B or BTC/USD.")
    return symbol


def asset_class_of(symbol: str) -> AssetClass:
    """Return the class a symbol's form tells: A/B of two national currencies, any other A/B, or an equity."""
    base, slash, quote = symbol.partition("/")
    if not slash:
        return AssetClass.EQUITY
    return AssetClass.CURRENCY if base in _FIAT and quote in _FIAT else AssetClass.CRYPTO


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """A tradable thing. `tick` and `lot` are None where they are not known: then there is no grid."""

    symbol: str
    asset_class: AssetClass
    tick: Decimal | None = None
    lot: Decimal | None = None

    @classmethod
    def of(cls, symbol: str) -> Self:
        """Return the instrument that a symbol's form tells, without a known tick or lot."""
        return cls(symbol=symbol, asset_class=asset_class_of(symbol))


_UNITS: Final = {"s": SECOND_NS, "m": MINUTE_NS, "h": HOUR_NS, "d": DAY_NS, "w": 7 * DAY_NS}
USUAL_TIMEFRAMES: Final = ("1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w")


class Timeframe(msgspec.Struct, frozen=True, order=True):
    """The length of a bar. `str()` gives the largest whole unit: 60 minutes are `1h`."""

    ns: int

    def __post_init__(self) -> None:
        if self.ns < SECOND_NS or self.ns % SECOND_NS:
            raise InvalidValue("timeframe", self.ns, "it must be whole seconds.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `1m`, `15m`, `4h`, `1d` … Raises InvalidValue."""
        match = re.fullmatch(r"([1-9]\d{0,3})([smhdw])", text.strip().lower())
        if match is None:
            raise InvalidValue("timeframe", repr(text), f"write it like {', '.join(USUAL_TIMEFRAMES)}.")
        return cls(int(match[1]) * _UNITS[match[2]])

    @property
    def is_daily(self) -> bool:
        """A bar of a day or more: it is the whole session, always regular."""
        return self.ns >= DAY_NS

    def __str__(self) -> str:
        for unit, unit_ns in reversed(_UNITS.items()):
            if self.ns % unit_ns == 0:
                return f"{self.ns // unit_ns}{unit}"
        raise InvalidValue("timeframe", self.ns, "it must be whole seconds.")


class Bar(msgspec.Struct, frozen=True, gc=False):
    """One bar of one symbol: `[start_ns, start_ns + timeframe)`, known only at `end_ns`. Prices are floats."""

    symbol: str
    start_ns: int
    end_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BarSeries:
    """Bars of one symbol and timeframe as columns, oldest first, starts strictly increasing.

    `start_ns`: int64, shape (n,), UTC. `open` … `volume`: float64, shape (n,), quote currency and units.
    The arrays are shared, not copied: nobody writes to them.
    """

    symbol: str
    timeframe: Timeframe
    start_ns: Instants
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __post_init__(self) -> None:
        n = len(self.start_ns)
        if any(len(column) != n for column in self.columns()):
            raise InvalidValue("bars", self.symbol, "its columns differ in length.")

    def __len__(self) -> int:
        return len(self.start_ns)

    def columns(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Return open, high, low, close, volume."""
        return self.open, self.high, self.low, self.close, self.volume

    def between(self, start_ns: int | None, end_ns: int | None) -> "BarSeries":
        """Return the bars that start in `[start_ns, end_ns)`, as views; None is open."""
        first = 0 if start_ns is None else int(np.searchsorted(self.start_ns, start_ns, side="left"))
        last = len(self) if end_ns is None else int(np.searchsorted(self.start_ns, end_ns, side="left"))
        return self.slice(first, max(first, last))

    def slice(self, first: int, last: int) -> "BarSeries":
        """Return bars `first` to `last` (exclusive), as views."""
        cut = slice(first, last)
        return BarSeries(
            symbol=self.symbol,
            timeframe=self.timeframe,
            start_ns=self.start_ns[cut],
            open=self.open[cut],
            high=self.high[cut],
            low=self.low[cut],
            close=self.close[cut],
            volume=self.volume[cut],
        )

    @classmethod
    def empty(cls, symbol: str, timeframe: Timeframe) -> "BarSeries":
        """Return a series without bars."""
        return cls.from_columns(symbol, timeframe, np.empty(0, np.int64), *(np.empty(0) for _ in range(5)))

    @classmethod
    def from_columns(
        cls, symbol: str, timeframe: Timeframe, start_ns: Instants, open_: Floats, high: Floats, low: Floats, close: Floats, volume: Floats
    ) -> "BarSeries":
        """Return a series of these columns; they are taken as they are."""
        return cls(symbol=symbol, timeframe=timeframe, start_ns=start_ns, open=open_, high=high, low=low, close=close, volume=volume)


def bars_sha256(series: BarSeries) -> str:
    """Return the hash of the bars' content: symbol, timeframe, starts and the exact float64 of every column.

    The same on every machine. A million bars take some tens of milliseconds: call it in a thread.
    """
    content = hashlib.sha256(f"bars/1\n{series.symbol}\n{series.timeframe}\n{len(series)}\n".encode())
    content.update(np.ascontiguousarray(series.start_ns, "<i8").data)
    for column in series.columns():
        content.update(np.ascontiguousarray(column, "<f8").data)
    return content.hexdigest()


class Adjustment(StrEnum):
    """What was taken out of the prices."""

    RAW = "raw"
    SPLIT = "split"
    ALL = "all"


class BarSetKey(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Identity of a stored set of bars. Bars of different source or adjustment never mix silently."""

    symbol: str
    timeframe: str
    source: str
    adjustment: Adjustment = Adjustment.RAW


class BarSet(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored under a key: how many bars, from the first bar's start to the last bar's start, UTC.

    `sha256` is of its bars: equal sets have equal ones, wherever they are stored. None: it was last written before hashes
    were kept, and gets one with the next import or a seal. A sealed set cannot be changed or deleted.
    """

    key: BarSetKey
    bars: int
    first_ns: int
    last_ns: int
    updated_ns: int
    simulated: bool = False
    sha256: str | None = None
    sealed: bool = False


class MergeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge did: bars that were new, the same as before, and replaced by different ones."""

    added: int = 0
    identical: int = 0
    changed: int = 0
    changed_examples: tuple[int, ...] = ()
    """Starts (ns) of the first changed bars, at most 20."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A hole against the calendar: the first missing bar's start, the next present bar's start, how many are missing."""

    start_ns: int
    end_ns: int
    missing: int
