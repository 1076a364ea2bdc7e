"""One-minute bars to measure on: a seeded random walk in cents, the same on every machine."""

from typing import Any

import numpy as np

from core.model.market import BarSeries, BarSetKey, Floats, Timeframe

SEED = 20_140_101
START_NS = 1_388_534_400_000_000_000
MINUTE_NS = 60_000_000_000
SYMBOL = "SIM/USD"
KEY = BarSetKey(symbol=SYMBOL, timeframe="1m", source="benchmark")


def random_walk(count: int) -> BarSeries:
    """`count` bars around 100, prices on the cent; no session, no gap."""
    random = np.random.default_rng(SEED)
    walk: Floats = np.maximum(100.0 + np.cumsum(random.normal(0.0, 0.02, count)), 5.0)
    close = np.round(walk, 2)
    open_ = np.round(np.concatenate(([100.0], close[:-1])) + random.normal(0.0, 0.01, count), 2)
    spread = np.abs(random.normal(0.0, 0.02, (2, count)))
    high = np.round(np.maximum(open_, close) + spread[0], 2)
    low = np.round(np.minimum(open_, close) - spread[1], 2)
    start_ns = START_NS + MINUTE_NS * np.arange(count, dtype=np.int64)
    volume = random.integers(1, 500, count).astype(np.float64)
    return BarSeries.from_columns(SYMBOL, Timeframe(MINUTE_NS), start_ns, open_, high, low, close, volume)


def renamed(bars: BarSeries, symbol: str) -> BarSeries:
    """The same bars under another symbol."""
    return BarSeries.from_columns(symbol, bars.timeframe, bars.start_ns, *bars.columns())


def as_frame(bars: BarSeries) -> Any:
    """The bars as backtesting.py wants them."""
    import pandas as pd

    columns: dict[str, Any] = {"Open": bars.open, "High": bars.high, "Low": bars.low, "Close": bars.close, "Volume": bars.volume}
    return pd.DataFrame(columns, index=pd.DatetimeIndex(pd.to_datetime(bars.start_ns)))
