"""The real bars that both engines run over: SPY and GOOG by the day, EUR/USD by the hour."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from core.model.market import BarSeries, Timeframe

EXCERPTS: Final = Path(__file__).resolve().parents[1] / "data"
WHOLE: Final = Path(__file__).resolve().parents[3] / "shared" / "data"


@dataclass(frozen=True, slots=True)
class Market:
    """A market, and what an order in it is like: `qty` units, prices of `digits` decimals, moves of about `step` a bar."""

    symbol: str
    file: str
    timeframe: str
    qty: int
    digits: int
    step: float
    """The usual range of a bar as a share of the price; what the strategies' distances are told in."""


SPY: Final = Market("SPY", "spy-1d-yahoo.csv", "1d", 100, 2, 0.01)
GOOG: Final = Market("GOOG", "goog-1d.csv", "1d", 50, 2, 0.02)
EURUSD: Final = Market("EUR/USD", "eurusd-1h.csv", "1h", 20_000, 5, 0.001)
MARKETS: Final = (SPY, GOOG, EURUSD)


def read_bars(market: Market, folder: Path) -> BarSeries:
    """Return the sound rows of a market's file, adjusted closes left out."""
    table = pd.read_csv(folder / market.file, index_col=0, parse_dates=True)
    table = table[(table["High"] >= table[["Open", "Close"]].max(axis=1)) & (table["Low"] <= table[["Open", "Close"]].min(axis=1))]
    columns = (table[name].to_numpy(float) for name in ("Open", "High", "Low", "Close", "Volume"))
    return BarSeries.from_columns(market.symbol, Timeframe.parse(market.timeframe), table.index.as_unit("ns").asi8, *columns)
