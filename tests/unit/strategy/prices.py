"""Bars to run strategies over: excerpts of real files, and made-up minutes of exchange sessions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from core.model.market import BarSeries, Instants, Timeframe

FOLDER: Final = Path(__file__).parents[2] / "data"
NEW_YORK: Final = ZoneInfo("America/New_York")


def excerpt(file: str, symbol: str, timeframe: str) -> BarSeries:
    """Return the sound rows of a file of `tests/data`, adjusted closes left out."""
    table = pd.read_csv(FOLDER / file, index_col=0, parse_dates=True)
    table = table[(table["High"] >= table[["Open", "Close"]].max(axis=1)) & (table["Low"] <= table[["Open", "Close"]].min(axis=1))]
    starts = table.index.as_unit("ns").asi8
    return BarSeries.from_columns(
        symbol, Timeframe.parse(timeframe), starts, *(table[name].to_numpy(float) for name in ("Open", "High", "Low", "Close", "Volume"))
    )


def wandering(symbol: str, timeframe: str, starts: Sequence[int] | Instants, seed: int, step: float) -> BarSeries:
    """Return bars of a price that wanders around 100, on a grid of cents, with volume."""
    generator = np.random.default_rng(seed)
    count = len(starts)
    pull = np.zeros(count)
    moves = generator.normal(0.0, step, count)
    for row in range(1, count):
        pull[row] = 0.99 * pull[row - 1] + moves[row]
    close = np.round(100.0 + pull, 2)
    opening = np.concatenate((close[:1], close[:-1]))
    high = np.round(np.maximum(opening, close) + np.abs(generator.normal(0.0, step / 2, count)), 2)
    low = np.round(np.minimum(opening, close) - np.abs(generator.normal(0.0, step / 2, count)), 2)
    volume = generator.integers(100, 10_000, count).astype(float)
    return BarSeries.from_columns(symbol, Timeframe.parse(timeframe), np.asarray(starts, np.int64), opening, high, low, close, volume)


def sessions(symbol: str = "SPY", *, days: int = 20, timeframe: str = "1m", seed: int = 7, step: float = 0.05) -> BarSeries:
    """Return the bars of whole sessions in October 2024 and after."""
    length = pd.Timedelta(timeframe.replace("m", "min"))
    opening, close = pd.Timedelta(hours=9, minutes=30), pd.Timedelta(hours=16)
    midnights = pd.bdate_range("2024-10-01", periods=days, tz=NEW_YORK)
    starts = [
        moment.tz_convert("UTC").value
        for midnight in midnights
        for moment in pd.date_range(midnight + opening, midnight + close, freq=length, inclusive="left")
    ]
    return wandering(symbol, timeframe, starts, seed, step)


def hours(symbol: str = "BTC/USD", *, days: int = 60, seed: int = 3, step: float = 0.6) -> BarSeries:
    """Return the hourly bars of whole days in UTC."""
    starts = pd.date_range("2024-01-01", periods=24 * days, freq="1h", tz="UTC").as_unit("ns").asi8
    return wandering(symbol, "1h", starts, seed, step)
