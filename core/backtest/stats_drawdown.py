"""Figures of the falls from a peak."""

import numpy as np

from core.backtest.stats_returns import Figures
from core.model.instants import SECOND_NS
from core.model.market import Floats, Instants


def drawdown(equity: Floats) -> Floats:
    """Return equity ÷ its running peak − 1 at each point: 0 at a peak, below 0 under it. The peak must be above zero."""
    return equity / np.maximum.accumulate(equity) - 1.0


def drawdown_figures(equity_ns: Instants, equity: Floats) -> Figures:
    """Return depth and length of drawdowns; one runs from its peak to the first point back at it, or to the end."""
    depth = drawdown(equity)
    figures: Figures = {
        "max_drawdown": float(depth.min()),
        "max_drawdown_duration_s": 0.0,
        "avg_drawdown": None,
        "ulcer_index": float(np.sqrt((depth**2).mean())),
    }
    under = depth < 0.0
    if not under.any():
        return figures
    # The first point is its own peak, so each stretch under water has a point before it.
    edges = np.diff(under.astype(np.int8), append=np.int8(0))
    peaks = np.flatnonzero(edges == 1)
    lasts = np.flatnonzero(edges == -1)
    back = np.minimum(lasts + 1, len(equity) - 1)
    figures["max_drawdown_duration_s"] = float((equity_ns[back] - equity_ns[peaks]).max()) / SECOND_NS
    figures["avg_drawdown"] = float(np.minimum.reduceat(depth, peaks).mean())
    return figures
