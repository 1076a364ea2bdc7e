"""Prices across splits and dividends: as if one had held all the time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import log
from typing import Final

import numpy as np

from core.clock import calendar
from core.model.corporate_action import CorporateAction, Split
from core.model.market import BarSeries, Floats, asset_class_of
from core.model.money import to_float

Actions = Mapping[str, Sequence[CorporateAction]]
"""Splits and dividends by symbol."""

NO_ACTIONS: Final[Actions] = {}
LEAST_STEP: Final = 1.25


def split_factors(bars: BarSeries, actions: Sequence[CorporateAction]) -> Floats | None:
    """Return how many units one unit of before the first bar has become, at each bar; None where there are no splits within."""
    return _factors(bars, [action for action in actions if isinstance(action, Split)])


def in_first_units(bars: BarSeries, actions: Sequence[CorporateAction]) -> BarSeries:
    """Return the bars with their prices per unit of before the first bar: a split makes no step in them."""
    return _scaled(bars, split_factors(bars, actions))


def as_held(bars: BarSeries, actions: Sequence[CorporateAction]) -> BarSeries:
    """Return what one unit of before the first bar is worth when it is held, dividends put into more of it at that day's open."""
    return _scaled(bars, _factors(bars, actions))


def splits_without_step(bars: BarSeries, actions: Sequence[CorporateAction]) -> list[Split]:
    """Return the splits at which the price stayed where it was: they are in the prices already.

    A split of less than `LEAST_STEP` is not told from a night's move and never returned.
    """
    found: list[Split] = []
    for action, row in zip(actions, _first_bars(bars, actions), strict=True):
        if not isinstance(action, Split) or not 0 < row < len(bars):
            continue
        wanted, before, opened = log(to_float(action.ratio)), float(bars.close[row - 1]), float(bars.open[row])
        if abs(wanted) >= log(LEAST_STEP) and before > 0 and opened > 0:
            step = log(before / opened)
            if abs(step) < abs(step - wanted):
                found.append(action)
    return found


def _scaled(bars: BarSeries, factors: Floats | None) -> BarSeries:
    if factors is None:
        return bars
    return replace(bars, open=bars.open * factors, high=bars.high * factors, low=bars.low * factors, close=bars.close * factors)


def _factors(bars: BarSeries, actions: Sequence[CorporateAction]) -> Floats | None:
    steps = np.ones(len(bars))
    for action, row in zip(actions, _first_bars(bars, actions), strict=True):
        # What happened before the first bar is in all of its prices; what comes after the last is in none.
        if 0 < row < len(bars):
            if isinstance(action, Split):
                steps[row] *= to_float(action.ratio)
            elif bars.open[row] > 0:
                steps[row] *= 1.0 + to_float(action.amount) / float(bars.open[row])
    return None if bool((steps == 1.0).all()) else np.asarray(np.cumprod(steps), np.float64)


def _first_bars(bars: BarSeries, actions: Sequence[CorporateAction]) -> list[int]:
    """Return the first bar that starts on each action's day or after."""
    if not actions or not len(bars):
        return [0] * len(actions)
    asset_class = asset_class_of(bars.symbol)
    if bars.timeframe.is_daily and asset_class.has_sessions:
        days = calendar.session_days(bars.start_ns)
        return [int(np.searchsorted(days, action.day, side="left")) for action in actions]
    begins = [calendar.day_start(action.day, asset_class) for action in actions]
    return [int(row) for row in np.searchsorted(bars.start_ns, begins, side="left")]
