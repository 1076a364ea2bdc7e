"""Indicators on bars as they come: bit for bit the values that the same functions give over all bars at once.

The built-in ones go on from what they remember, at a cost that does not grow with the history. Any other function gets
the whole history again at each bar; nothing else could be right for a function that nobody knows.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np

from core.errors import InvalidValue
from core.model.market import BarSeries, Floats
from core.strategy import indicators
from core.strategy.indicators.columns import checked_columns, followed
from core.strategy.indicators.memory import Memory
from core.strategy.windows import Column, Indicator

_BUILT_IN: Final = frozenset(getattr(indicators, name) for name in indicators.__all__)


class LiveIndicator:
    """`function(*columns, *parameters)` over a history that grows.

    A built-in function takes up to half a millisecond a bar, most a tenth of one, and keeps at most twice its period, or
    8,192 values where it remembers all its past (`vwap` and `obv` a single sum). Another function costs at each bar what
    it costs over all bars so far, and the whole history is kept.
    """

    def __init__(self, function: Callable[..., Floats], *parameters: Any) -> None:
        self._function = function
        self._parameters = parameters
        self._memory = Memory() if function in _BUILT_IN else None
        self._history: tuple[Floats, ...] = ()

    @classmethod
    def of(cls, indicator: Indicator) -> "LiveIndicator":
        """Return a declared indicator as one that takes bars as they come; its columns are the inputs, in their order."""
        live = cls(indicator.compute)
        live._memory = Memory() if indicator.function in _BUILT_IN else None
        return live

    def next(self, *values: float) -> float:
        """Return the value at the next bar, given that bar's value of each column."""
        return float(self.extend(*(np.array([value], np.float64) for value in values))[-1])

    def extend(self, *columns: Floats) -> Floats:
        """Return the values at the next bars, given those bars' columns, oldest first; to warm up, all there are.

        Raises InvalidValue when the columns differ in length or the function does not return one value per bar.
        """
        new = checked_columns(*columns)
        if not new or not len(new[0]):
            return np.empty(0)
        if self._memory is not None:
            with self._memory.resumed():
                return self._function(*new, *self._parameters)
        before = self._history or tuple(np.empty(0) for _ in new)
        history = tuple(_read_only(followed(kept, column)) for kept, column in zip(before, new, strict=True))
        values = np.asarray(self._function(*history, *self._parameters), np.float64)
        if values.shape != history[0].shape:
            raise InvalidValue("indicator", f"shape {values.shape} for {len(history[0])} bars", "it must return one value per bar.")
        self._history = history
        return values[len(before[0]) :].copy()


class LiveIndicators:
    """Declared indicators, with those made from others, over bars as they come."""

    def __init__(self, declared: Iterable[Indicator]) -> None:
        self._live = [(indicator, LiveIndicator.of(indicator)) for indicator in declared]

    def extend(self, bars: BarSeries) -> dict[Indicator, Floats]:
        """Return the values at the symbol's next bars, for each indicator over bars of this timeframe, in the order declared.

        Raises StrategyFailed or NonsenseAction, as `Indicator.compute` does.
        """
        computed: dict[Indicator, Floats] = {}
        for indicator, live in self._live:
            if indicator.symbol == bars.symbol and indicator.timeframe in {None, str(bars.timeframe)}:
                inputs = [item.read(bars) if isinstance(item, Column) else computed[item] for item in indicator.inputs]
                computed[indicator] = live.extend(*inputs)
        return computed


def _read_only(column: Floats) -> Floats:
    view = column.view()
    view.flags.writeable = False
    return view
