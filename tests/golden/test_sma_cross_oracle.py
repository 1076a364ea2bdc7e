"""`sma-cross` against two independent oracles: a direct numpy computation, and backtesting.py."""

import warnings
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.model.instants import MINUTE_NS
from core.model.market import BarSeries, Timeframe
from core.strategy.plugins.sma_cross import SmaCross
from tests.backtests import Backtest, backtest


def walk(n: int, seed: int) -> BarSeries:
    """Return a random walk of minutes on a grid of cents, some minutes missing."""
    rng = np.random.default_rng(seed)
    close = (200 + np.cumsum(rng.normal(0, 0.05, n))).round(2)
    open_ = np.concatenate(([200.0], close[:-1])) + rng.choice([0, 0.01, -0.01], n)
    open_ = open_.round(2)
    high = (np.maximum(open_, close) + rng.integers(0, 5, n) / 100).round(2)
    low = (np.minimum(open_, close) - rng.integers(0, 5, n) / 100).round(2)
    starts = np.sort(rng.choice(np.arange(2 * n), n, replace=False)).astype(np.int64) * MINUTE_NS
    return BarSeries.from_columns("X/Y", Timeframe.parse("1m"), starts, open_, high, low, close, np.ones(n))


def oracle(bars: BarSeries, fast: int, slow: int, cash: float, fee: float) -> tuple[list[tuple[int, str, float]], float]:
    """Return (bar, side, price) of each fill, and the end equity, straight from the rule."""
    close = bars.close
    # Sums of integers of millionths: exact, so that a tie is a tie.
    millionths = np.round(close * 1_000_000).astype(np.int64)
    sums = np.concatenate(([0], np.cumsum(millionths)))
    n = len(close)

    def mean(period: int, i: int) -> float:
        return (int(sums[i + 1]) - int(sums[i + 1 - period])) / period / 1_000_000

    fills: list[tuple[int, str, float]] = []
    above, held = None, False
    for i in range(max(fast, slow) - 1, n):
        # As fractions: fast − slow > 1e-9 × slow
        now = mean(fast, i) - mean(slow, i) > 1e-9 * mean(slow, i)
        if above is not None and now is not above and i + 1 < n:
            price = float(bars.open[i + 1])
            if now:
                fills.append((i + 1, "buy", price))
                cash -= price * (1 + fee)
                held = True
            elif held:
                fills.append((i + 1, "sell", price))
                cash += price * (1 - fee)
                held = False
        above = now
    return fills, cash + (float(close[-1]) if held else 0.0)


def weaver(bars: BarSeries, fast: int, slow: int, fees: str = "none", cash: str = "100000") -> Backtest:
    return backtest(SmaCross(), bars, params={"fast": fast, "slow": slow, "qty": 1.0}, fees=fees, cash=cash)


@pytest.mark.parametrize(("fast", "slow", "fees", "fee"), [(10, 30, "none", 0.0), (5, 7, "none", 0.0), (1, 2, "bps:10", 0.001)])
def test_fills_equal_a_direct_computation(fast: int, slow: int, fees: str, fee: float) -> None:
    bars = walk(20_000, seed=fast)
    run = weaver(bars, fast, slow, fees)
    expected, end_equity = oracle(bars, fast, slow, 100_000.0, fee)
    assert len(expected) > 500
    index = {int(start): at for at, start in enumerate(bars.start_ns)}
    assert [(index[fill.time_ns], fill.side.value, float(fill.price)) for fill in run.fills] == expected
    assert run.equity[-1] == pytest.approx(end_equity, abs=0.005)


def by_backtesting_py(bars: BarSeries, fast: int, slow: int) -> tuple[list[tuple[int, float, int, float]], float]:
    """Return (entry bar, entry price, exit bar, exit price) of each trade and the end equity, by backtesting.py 0.6.6."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import backtesting

        def average(values: object, period: int) -> object:
            return pd.Series(values).rolling(period).mean()

        class Cross(backtesting.Strategy):  # type: ignore[misc]
            def init(self) -> None:
                self.fast = self.I(average, self.data.Close, fast)
                self.slow = self.I(average, self.data.Close, slow)
                self.above: bool | None = None

            def next(self) -> None:
                if np.isnan(self.slow[-1]) or np.isnan(self.fast[-1]):
                    return
                above = bool(self.fast[-1] - self.slow[-1] > 1e-9 * self.slow[-1])
                if self.above is not None and above is not self.above:
                    if above:
                        self.buy(size=1)
                    elif self.position:
                        self.position.close()
                self.above = above

        frame = pd.DataFrame(
            {"Open": bars.open, "High": bars.high, "Low": bars.low, "Close": bars.close, "Volume": bars.volume},
            index=pd.to_datetime(bars.start_ns),
        )
        stats = backtesting.Backtest(frame, Cross, cash=100_000, commission=0, trade_on_close=False, finalize_trades=False).run()
    trades = stats["_trades"]
    rows = zip(trades["EntryBar"], trades["EntryPrice"], trades["ExitBar"], trades["ExitPrice"], strict=True)
    return [(int(a), float(b), int(c), float(d)) for a, b, c, d in rows], float(stats["Equity Final [$]"])


@pytest.mark.parametrize(("fast", "slow"), [(10, 30), (20, 50)])
def test_trades_and_end_equity_equal_backtesting_py(fast: int, slow: int) -> None:
    bars = walk(8_000, seed=fast)
    trades, end_equity = by_backtesting_py(bars, fast, slow)
    run = weaver(bars, fast, slow)
    index = {int(start): at for at, start in enumerate(bars.start_ns)}
    ours = [(index[fill.time_ns], float(fill.price)) for fill in run.fills]
    pairs = [(*entry, *leave) for entry, leave in zip(ours[::2], ours[1::2], strict=False)]
    assert len(pairs) > 50
    assert pairs == trades
    assert run.equity[-1] == pytest.approx(end_equity, abs=0.005)


def test_real_bars_of_btc(shared_data: Callable[[str], Path]) -> None:
    """The first 50,000 minutes of 2014: real gaps, real prices, the exact rule."""
    import polars as pl

    frame = pl.read_csv(shared_data("btcusd-1m-2014.csv.gz"), has_header=False, n_rows=50_000)
    time_ms, open_, close, high, low, volume = (frame.get_column(name).to_numpy() for name in frame.columns)
    columns = [np.asarray(column, float) for column in (open_, high, low, close, volume)]
    bars = BarSeries.from_columns("BTC/USD", Timeframe.parse("1m"), np.asarray(time_ms, np.int64) * 1_000_000, *columns)
    run = weaver(bars, 10, 30, fees="bps:10")
    expected, end_equity = oracle(bars, 10, 30, 100_000.0, 0.001)
    index = {int(start): at for at, start in enumerate(bars.start_ns)}
    assert [(index[fill.time_ns], fill.side.value, float(fill.price)) for fill in run.fills] == expected
    assert run.equity[-1] == pytest.approx(end_equity, abs=0.005)
    spent = sum((fill.qty * fill.price * fill.side.sign + fill.fee for fill in run.fills), Decimal(0))
    assert run.venue.cash + spent == Decimal(100_000)
