"""Every built-in indicator with what it takes, read from its signature, and bars to give to it."""

import inspect
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from core.model.market import Floats
from core.strategy import indicators

COLUMN_NAMES = ("values", "high", "low", "close", "volume", "session")
Formula = Callable[..., Floats]

FORMULAS: dict[str, Formula] = {name: getattr(indicators, name) for name in indicators.__all__}
NAMES = sorted(FORMULAS)
# Least whole number that a setting may be, where it is not 1.
LEAST = {"regression_value": 2, "regression_slope": 2, "regression_r2": 2}


def columns_of(name: str) -> list[str]:
    """Return the columns that the indicator takes, in their order."""
    return [item for item in inspect.signature(FORMULAS[name]).parameters if item in COLUMN_NAMES]


def settings_of(name: str) -> dict[str, type]:
    """Return its other parameters with their types, in their order."""
    found = inspect.signature(FORMULAS[name]).parameters.values()
    return {item.name: item.annotation for item in found if item.name not in COLUMN_NAMES}


def periods_of(name: str) -> list[str]:
    """Return the names of its settings that are numbers of bars."""
    return [setting for setting, kind in settings_of(name).items() if kind is int]


def walk(count: int, *, seed: int = 1, level: float = 1_000.0, digits: int = 2) -> dict[str, Floats]:
    """Return random bars: prices in cents, whole volumes of which some are 0, sessions of 39 bars."""
    random = np.random.default_rng(seed)
    close = np.round(level + np.cumsum(random.normal(0.0, level / 2_000.0, count)), digits)
    opening = np.concatenate((close[:1], close[:-1]))
    high = np.round(np.maximum(opening, close) + random.exponential(level / 4_000.0, count), digits)
    low = np.round(np.minimum(opening, close) - random.exponential(level / 4_000.0, count), digits)
    session = (np.arange(count) // 39).astype(np.float64)
    volume = random.integers(0, 1_000, count).astype(np.float64)
    return {"values": close, "close": close, "high": high, "low": low, "volume": volume, "session": session}


def call(name: str, bars: Mapping[str, Floats], settings: Sequence[float] = ()) -> Floats:
    """Return the indicator over the bars; without `settings`, 5 for those that have no default."""
    given = settings or [5 for item in inspect.signature(FORMULAS[name]).parameters.values()
                         if item.name not in COLUMN_NAMES and item.default is item.empty]  # fmt: skip
    return FORMULAS[name](*(bars[column] for column in columns_of(name)), *given)


def cut(bars: Mapping[str, Floats], first: int | None, last: int | None) -> dict[str, Floats]:
    """Return bars `first` to `last` (exclusive)."""
    return {name: column[first:last] for name, column in bars.items()}


def bits(values: Floats) -> bytes:
    """Return the exact bits; one nan is like another, whatever its sign."""
    return np.where(np.isnan(values), np.nan, values).tobytes()
