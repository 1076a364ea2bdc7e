"""Lines that a strategy draws point by point."""

from array import array
from typing import Final

import numpy as np

from core.errors import InvalidValue
from core.model.market import Floats
from core.strategy.windows import Cursor

_NAN: Final = float("nan")


class Plot:
    """A line of one symbol: at most one value per bar, nan where none was set; the last one set at a bar counts.

    `pane`: `price`, or the name of a pane of its own.
    """

    __slots__ = ("_at", "_points", "name", "pane", "symbol")

    def __init__(self, name: str, symbol: str, pane: str) -> None:
        self.name = name
        self.symbol = symbol
        self.pane = pane
        self._points = array("d")
        self._at = Cursor()

    def set(self, value: float) -> None:
        """Set the value at its symbol's newest bar. Raises InvalidValue while there is none."""
        at = self._at
        now = at.block + at.in_block
        if now < 0:
            raise InvalidValue("plot", self.name, f"a point belongs to a bar, and {self.symbol} has none yet.")
        self._points[now] = value

    def attach(self, cursor: Cursor) -> None:
        """Give it the cursor that says which bar is the newest."""
        self._points = array("d", [_NAN]) * cursor.bars
        self._at = cursor

    def grow(self) -> None:
        """Make room for the bars that its cursor has got since."""
        self._points.extend([_NAN] * (self._at.bars - len(self._points)))

    @property
    def values(self) -> Floats:
        """The line: float64, one value per bar of its symbol."""
        return np.frombuffer(self._points, np.float64) if self._points else np.empty(0)
