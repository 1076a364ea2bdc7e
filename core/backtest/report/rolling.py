"""Sharpe ratio and volatility over a moving window."""

from math import sqrt
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from core.backtest.stats_returns import NO_SPREAD, Returns
from core.model.report import Rolling

SHORTEST_WINDOW: Final = 20
"""Returns in the shortest window; a run with fewer than two such windows has no rolling figures."""
_BLOCK: Final = 4_096


def rolling_window(count: int, days_per_year: int) -> int | None:
    """Return how many of `count` returns a window holds: half a year of days, at most a quarter of them, at least 20; None for too few."""
    if count < 2 * SHORTEST_WINDOW:
        return None
    return max(SHORTEST_WINDOW, min(days_per_year // 2, count // 4))


def rolling_figures(returns: Returns, days_per_year: int) -> Rolling | None:
    """Return Sharpe ratio and volatility of each whole window, by the formulas of `sharpe` and `volatility_ann`."""
    window = rolling_window(len(returns.values), days_per_year)
    if window is None:
        return None
    views = sliding_window_view(returns.values, window)
    mean, spread = np.empty(len(views)), np.empty(len(views))
    for first in range(0, len(views), _BLOCK):
        # By blocks: the spread of each window is taken from a copy of it.
        block = views[first : first + _BLOCK]
        mean[first : first + _BLOCK] = block.mean(axis=1)
        spread[first : first + _BLOCK] = block.std(axis=1, ddof=1)
    still = spread <= NO_SPREAD
    root = sqrt(returns.per_year)
    sharpe = np.full(len(views), np.nan)
    np.divide(mean * root, spread, out=sharpe, where=~still)
    return Rolling(window=window, ends_ns=returns.ends_ns[window - 1 :], sharpe=sharpe, volatility=np.where(still, 0.0, spread * root))
