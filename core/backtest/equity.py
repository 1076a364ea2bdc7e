"""The equity curve: computed from the account's steps at the end, so that no bar pays for it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.model.market import BarSeries, Floats, Instants

_AT_A_TIME: Final = 500


class EquitySteps:
    """Where the account changed: at which decision time, to what cash, and to how many units of which symbol."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: list[tuple[int, Decimal, int, Decimal]] = []

    def add(self, point: int, cash: Decimal, symbol: int, qty: Decimal) -> None:
        """Note the account after a fill in a bar that ended at decision time number `point`."""
        self._steps.append((point, cash, symbol, qty))

    def let_go(self) -> None:
        """Forget every step, a few at a time: freeing a run's thousands in one go would hold up every other thread."""
        while self._steps:
            del self._steps[-_AT_A_TIME:]

    def curve(
        self, start_cash: float, times_ns: Instants, series: Sequence[BarSeries], ends: Sequence[Instants]
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Return equity at each of `times_ns`, and whether anything was held then; both of shape (len(times_ns),).

        Equity is cash + Σ units × the newest close known at that time.
        """
        n = len(times_ns)
        points = np.asarray([step[0] for step in self._steps], np.int64)
        symbols = np.asarray([step[2] for step in self._steps], np.int64)
        equity = _steps(n, points, np.asarray([float(step[1]) for step in self._steps]), start_cash)
        quantities = np.asarray([float(step[3]) for step in self._steps])
        held = np.zeros(n, bool)
        for at, bars in enumerate(series):
            own = symbols == at
            if not own.any():
                continue
            qty = _steps(n, points[own], quantities[own], 0.0)
            newest = np.searchsorted(ends[at], times_ns, side="right") - 1
            equity += qty * bars.close[np.maximum(newest, 0)]
            held |= qty != 0
        return equity, held


def _steps(n: int, points: NDArray[np.int64], values: Floats, start: float) -> Floats:
    """Return a step function over n points: `start`, then from each point on its value; the last of equal points counts."""
    bounds = np.concatenate(([0], np.minimum(points, n), [n]))
    return np.repeat(np.concatenate(([start], values)), np.diff(bounds))
