"""The same rule in other engines: backtesting.py, and a bare Python loop that keeps orders, fills and equity."""

import warnings
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.bars import as_frame
from core.model.market import BarSeries

CASH = 100_000.0


def averages(close: np.ndarray[Any, Any], length: int) -> np.ndarray[Any, Any]:
    """The simple average of the last `length` closes, nan where there are fewer."""
    sums = np.cumsum(np.concatenate(([0.0], close)))
    return np.concatenate((np.full(length - 1, np.nan), (sums[length:] - sums[:-length]) / length))


def bare_loop(bars: BarSeries) -> tuple[int, float, float]:
    """A Python callback a bar with the least that can be called orders, fills and equity."""
    began = perf_counter()
    fast, slow = averages(bars.close, 10).tolist(), averages(bars.close, 30).tolist()
    cash, held, pending, above = CASH, 0.0, 0.0, None
    fills: list[tuple[int, float, float]] = []
    equity: list[float] = []
    for at, (open_, close) in enumerate(zip(bars.open.tolist(), bars.close.tolist(), strict=True)):
        if pending:
            cash -= pending * open_
            held += pending
            fills.append((at, pending, open_))
            pending = 0.0
        gap = fast[at] - slow[at]
        if gap == gap:
            now = gap > 1e-9 * slow[at]
            if above is not None and now is not above:
                pending = 1.0 if now else -held
            above = now
        equity.append(cash + held * close)
    return len(fills), equity[-1], perf_counter() - began


def backtesting_py(bars: BarSeries) -> tuple[int, float, float]:
    """backtesting.py with market orders of one unit at the next open."""
    from backtesting import Backtest, Strategy

    class SmaCross(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            close = np.asarray(self.data.Close)
            self.fast = self.I(averages, close, 10)
            self.slow = self.I(averages, close, 30)
            self.above: bool | None = None

        def next(self) -> None:
            slow = self.slow[-1]
            above = bool(self.fast[-1] - slow > 1e-9 * slow)
            if self.above is not None and above is not self.above:
                if above:
                    self.buy(size=1)
                elif self.position:
                    self.position.close()
            self.above = above

    frame = as_frame(bars)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        test = Backtest(frame, SmaCross, cash=CASH, commission=0.0, trade_on_close=False, finalize_trades=False)
        began = perf_counter()
        stats = test.run()
        seconds = perf_counter() - began
    open_trades = len(stats["_strategy"].trades)
    return 2 * int(stats["# Trades"]) + open_trades, float(stats["Equity Final [$]"]), seconds
