"""What an indicator takes: columns of equal length and whole periods, refused with a sentence where they are not."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from core.errors import InvalidValue
from core.model.market import Floats

ROUNDING: Final = 1e-12
"""The share of a price below which a difference is no difference: 25.10 + 25.09 and 25.11 + 25.08 are not quite equal in binary."""


def checked_column(values: ArrayLike) -> Floats:
    """Return the values as float64, shape (n,). Raises InvalidValue when they are no column."""
    column = np.asarray(values, np.float64)
    if column.ndim != 1:
        raise InvalidValue("column", f"shape {column.shape}", "it must be one value per bar.")
    return np.ascontiguousarray(column)


def checked_columns(*columns: ArrayLike) -> tuple[Floats, ...]:
    """Return the columns as float64. Raises InvalidValue when they differ in length."""
    checked = tuple(checked_column(column) for column in columns)
    if len({len(column) for column in checked}) > 1:
        lengths = ", ".join(str(len(column)) for column in checked)
        raise InvalidValue("columns", f"{lengths} values", "all columns of an indicator must be equally long.")
    return checked


def checked_period(period: int, least: int = 1, name: str = "period") -> int:
    """Return the period. Raises InvalidValue when it is no whole number of at least `least`."""
    if isinstance(period, bool) or not isinstance(period, (int, np.integer)):
        raise InvalidValue(name, repr(period), "it must be a whole number.")
    if period < least:
        raise InvalidValue(name, period, f"it must be at least {least}.")
    return int(period)


def followed(before: Floats, values: Floats) -> Floats:
    """Return both, one behind the other; `values` itself when nothing is before."""
    return np.concatenate((before, values)) if len(before) else values
