"""When the symbols of a paper or live run trade: which minutes count, and when the next one begins."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from core.clock import calendar
from core.model.instants import HOUR_NS, MINUTE_NS
from core.model.market import BarSeries, asset_class_of

_BEFORE_NS: Final = 5 * HOUR_NS + 30 * MINUTE_NS
"""How long before a session orders may trade in extended hours: from 04:00 New York time on."""
_AFTER_NS: Final = 4 * HOUR_NS
"""How long after it: until 20:00, of a half day until 17:00."""


class MarketHours:
    """Of the symbols of one run. `always_open`: of a market that has no sessions at all. The calendar must be loaded.

    `extended`: the hours before and after a session count too.
    """

    def __init__(self, symbols: Sequence[str], *, always_open: bool, extended: bool) -> None:
        self._in_sessions = frozenset(symbol for symbol in symbols if not always_open and asset_class_of(symbol).has_sessions)
        self._never_closes = any(symbol not in self._in_sessions for symbol in symbols)
        if self._in_sessions:
            table = calendar.sessions()
            self._opens = table.opens - (_BEFORE_NS if extended else 0)
            self._closes = table.closes + (_AFTER_NS if extended else 0)

    def counts(self, symbol: str, start_ns: int) -> bool:
        """Tell whether a minute of a symbol that starts then lies in its hours."""
        return symbol not in self._in_sessions or self._opens_after(start_ns) == start_ns

    def opens(self, start_ns: int) -> int:
        """Return when the first minute of any symbol begins that lies in its hours: `start_ns` itself while one is open."""
        return start_ns if self._never_closes else self._opens_after(start_ns)

    def inside(self, minutes: BarSeries) -> BarSeries:
        """Return the minutes of a symbol that lie in its hours."""
        if minutes.symbol not in self._in_sessions or not len(minutes):
            return minutes
        at = np.searchsorted(self._opens, minutes.start_ns, side="right") - 1
        kept = (at >= 0) & (minutes.start_ns < self._closes[at])
        columns = (column[kept] for column in minutes.columns())
        return BarSeries.from_columns(minutes.symbol, minutes.timeframe, minutes.start_ns[kept], *columns)

    def _opens_after(self, start_ns: int) -> int:
        at = int(self._closes.searchsorted(start_ns, side="right"))
        return start_ns if at == len(self._closes) else max(start_ns, int(self._opens[at]))
