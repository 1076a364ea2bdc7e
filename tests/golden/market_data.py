"""The real bars of the pinned runs, with the splits and dividends that belong to them."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from core.model.corporate_action import CorporateAction, Dividend, Split, day_number, in_order
from core.model.market import BarSeries, Floats, Timeframe

EXCERPTS: Final = Path(__file__).resolve().parents[1] / "data"
WHOLE: Final = Path(__file__).resolve().parents[3] / "shared" / "data"

APPLE_SPLITS: Final = ((date(2005, 2, 28), 2), (date(2014, 6, 9), 7))
MINUTES_OF_BITCOIN: Final = 30_000
"""The stretch that is run of the whole file."""


@dataclass(frozen=True, slots=True)
class Data:
    """Bars, and what happened to the shares."""

    bars: BarSeries
    actions: tuple[CorporateAction, ...] = ()


def spy(folder: Path) -> Data:
    """SPY by the day, with its dividends as the file's adjusted closes tell them."""
    table = _table(folder / "spy-1d-yahoo.csv")
    sound = (table["High"] >= table[["Open", "Close"]].max(axis=1)) & (table["Low"] <= table[["Open", "Close"]].min(axis=1))
    return Data(_bars(table[sound], "SPY", "1d"), _dividends(table, "SPY", 3, np.ones(len(table))))


def goog(folder: Path) -> Data:
    """GOOG by the day."""
    return Data(_bars(_table(folder / "goog-1d.csv"), "GOOG", "1d"))


def eurusd(folder: Path) -> Data:
    """EUR/USD by the hour."""
    return Data(_bars(_table(folder / "eurusd-1h.csv"), "EUR/USD", "1h"))


def apple(folder: Path) -> Data:
    """AAPL by the day at the prices of the day: the splits that the file's prices hold are taken out of them."""
    table = _table(folder / "aapl-1d-yahoo.csv")
    days = np.asarray([moment.date() for moment in table.index])
    factor = np.ones(len(table))
    for day, ratio in APPLE_SPLITS:
        factor[days < day] *= ratio
    dividends = _dividends(table, "AAPL", 2, factor)
    for name in ("Open", "High", "Low", "Close"):
        table[name] = np.round(table[name] * factor, 4)
    table["Volume"] = np.round(table["Volume"] / factor)
    splits = [Split(symbol="AAPL", day=day_number(day), ratio=Decimal(ratio)) for day, ratio in APPLE_SPLITS]
    return Data(_bars(table, "AAPL", "1d"), in_order([*splits, *dividends]))


def bitcoin(folder: Path) -> Data:
    """BTC/USD by the minute from the first of January 2014 on; minutes without a trade are absent."""
    names = ["time", "Open", "Close", "High", "Low", "Volume"]
    table = pd.read_csv(folder / "btcusd-1m-2014.csv.gz", header=None, names=names, nrows=MINUTES_OF_BITCOIN)
    table.index = pd.to_datetime(table["time"], unit="ms")
    return Data(_bars(table, "BTC/USD", "1m"))


def _table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, index_col=0, parse_dates=True)


def _bars(table: pd.DataFrame, symbol: str, timeframe: str) -> BarSeries:
    columns = (table[name].to_numpy(np.float64) for name in ("Open", "High", "Low", "Close", "Volume"))
    return BarSeries.from_columns(symbol, Timeframe.parse(timeframe), pd.DatetimeIndex(table.index).as_unit("ns").asi8, *columns)


def _dividends(table: pd.DataFrame, symbol: str, digits: int, factor: Floats) -> tuple[CorporateAction, ...]:
    """Return what the step between two adjusted closes says was paid, in money of the day; noise is below 0.2 percent."""
    share = (table["Adj Close"] / table["Close"]).to_numpy(np.float64)
    before = table["Close"].to_numpy(np.float64)[:-1] * factor[:-1]
    paid = (1.0 - share[:-1] / share[1:]) * before
    found = [
        Dividend(symbol=symbol, day=day_number(table.index[row + 1].date()), amount=Decimal(str(round(float(paid[row]), digits))))
        for row in np.flatnonzero(paid > 0.002 * before).tolist()
    ]
    return in_order(found)
