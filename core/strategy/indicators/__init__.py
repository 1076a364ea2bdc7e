"""Indicators as functions of arrays: float64 in, float64 of the same length out, nan until there is enough.

Value i depends on inputs 0 … i only, to the last bit: on a shorter history the values are identical, not just close, and
so they are when the bars come one at a time (core/strategy/live_indicators.py). Time and memory grow with the number of
values, not with the period. Formulas and sources: docs/indicators.md.

A window that holds a nan gives nan; later windows are not touched by it. What remembers all its past skips nans at the
start and is nan from a later nan on.
"""

from core.strategy.indicators.averages import ema, sma, wilder, wma
from core.strategy.indicators.bands import (
    bollinger_bandwidth,
    bollinger_lower,
    bollinger_middle,
    bollinger_percent_b,
    bollinger_upper,
    donchian_lower,
    donchian_middle,
    donchian_upper,
    keltner_lower,
    keltner_middle,
    keltner_upper,
)
from core.strategy.indicators.oscillators import (
    cci,
    macd,
    macd_histogram,
    macd_signal,
    rsi,
    stochastic_d,
    stochastic_k,
    williams_r,
)
from core.strategy.indicators.ranges import atr, true_range
from core.strategy.indicators.regression import regression_r2, regression_slope, regression_value
from core.strategy.indicators.rolling import momentum, roc, rolling_high, rolling_low, rolling_std, zscore
from core.strategy.indicators.trend import adx, minus_di, plus_di, supertrend
from core.strategy.indicators.volume import mfi, obv, rolling_vwap, vwap

__all__ = [
    "adx",
    "atr",
    "bollinger_bandwidth",
    "bollinger_lower",
    "bollinger_middle",
    "bollinger_percent_b",
    "bollinger_upper",
    "cci",
    "donchian_lower",
    "donchian_middle",
    "donchian_upper",
    "ema",
    "keltner_lower",
    "keltner_middle",
    "keltner_upper",
    "macd",
    "macd_histogram",
    "macd_signal",
    "mfi",
    "minus_di",
    "momentum",
    "obv",
    "plus_di",
    "regression_r2",
    "regression_slope",
    "regression_value",
    "roc",
    "rolling_high",
    "rolling_low",
    "rolling_std",
    "rolling_vwap",
    "rsi",
    "sma",
    "stochastic_d",
    "stochastic_k",
    "supertrend",
    "true_range",
    "vwap",
    "wilder",
    "williams_r",
    "wma",
    "zscore",
]
