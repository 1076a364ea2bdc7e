"""The straight line of least squares through the last values."""

from core.model.market import Floats
from core.strategy.indicators.memory import quietly
from core.strategy.indicators.windows import lines, over_windows


@quietly
def regression_value(values: Floats, period: int = 14) -> Floats:
    """Return where the line through the last `period` values ends, at the newest one. `period` is at least 2."""
    return over_windows(_ends, values, period, least=2)


@quietly
def regression_slope(values: Floats, period: int = 14) -> Floats:
    """Return how much the line through the last `period` values rises per bar. `period` is at least 2."""
    return over_windows(_slopes, values, period, least=2)


@quietly
def regression_r2(values: Floats, period: int = 14) -> Floats:
    """Return how much of the variance the line explains, 0 … 1; nan where nothing moved. `period` is at least 2."""
    return over_windows(_fits, values, period, least=2)


def _ends(column: Floats, period: int) -> Floats:
    return lines(column, period).ends


def _slopes(column: Floats, period: int) -> Floats:
    return lines(column, period).slopes


def _fits(column: Floats, period: int) -> Floats:
    return lines(column, period).fits
