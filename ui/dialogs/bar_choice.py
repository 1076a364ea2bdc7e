"""What a run can be made of: choices of symbol, timeframe and source from the stored bar sets."""

from collections.abc import Sequence
from itertools import combinations, islice

import msgspec

from core.model.market import Adjustment, BarSet, Timeframe

ADJUSTMENT_WORDS = {
    Adjustment.RAW: "raw prices",
    Adjustment.SPLIT: "split-adjusted",
    Adjustment.ALL: "adjusted for splits and dividends",
}


class SourceChoice(msgspec.Struct, frozen=True, kw_only=True):
    """One way to feed a run: the set of each symbol, in the run's order.

    `source` and `adjustment` go into the run's config; both are None when the symbols have different ones
    and each has only that one.
    """

    source: str | None
    adjustment: Adjustment | None
    sets: tuple[BarSet, ...]

    @property
    def label(self) -> str:
        """The choice in words."""
        simulated = " · simulated" if any(bar_set.simulated for bar_set in self.sets) else ""
        if self.source is None or self.adjustment is None:
            return " + ".join(dict.fromkeys(bar_set.key.source for bar_set in self.sets)) + simulated
        return f"{self.source} · {ADJUSTMENT_WORDS[self.adjustment]}{simulated}"

    @property
    def first_ns(self) -> int:
        """Start of the first bar from which on every symbol has some, UTC ns."""
        return max(bar_set.first_ns for bar_set in self.sets)

    @property
    def last_ns(self) -> int:
        """Start of the last bar up to which every symbol has some, UTC ns."""
        return min(bar_set.last_ns for bar_set in self.sets)

    @property
    def bars(self) -> int:
        """Stored bars of all symbols together."""
        return sum(bar_set.bars for bar_set in self.sets)


def symbols_of(sets: Sequence[BarSet]) -> list[str]:
    """Return the symbols that have bars, sorted."""
    return sorted({bar_set.key.symbol for bar_set in sets})


def timeframes_of(sets: Sequence[BarSet], symbols: Sequence[str]) -> list[str]:
    """Return the timeframes that every one of `symbols` has, shortest first."""
    each = [{bar_set.key.timeframe for bar_set in sets if bar_set.key.symbol == symbol} for symbol in symbols]
    common = set.intersection(*each) if each else set()
    return sorted(common, key=lambda text: Timeframe.parse(text).ns)


def sources_of(sets: Sequence[BarSet], symbols: Sequence[str], timeframe: str) -> list[SourceChoice]:
    """Return the ways to feed a run of `symbols`: sources that have all of them; else each symbol's only one."""
    if not symbols:
        return []
    by_symbol = [
        {
            (bar_set.key.source, bar_set.key.adjustment): bar_set
            for bar_set in sets
            if bar_set.key.symbol == symbol and bar_set.key.timeframe == timeframe
        }
        for symbol in symbols
    ]
    common = sorted(set.intersection(*(set(found) for found in by_symbol)))
    if common:
        return [
            SourceChoice(source=source, adjustment=adjustment, sets=tuple(found[source, adjustment] for found in by_symbol))
            for source, adjustment in common
        ]
    if all(len(found) == 1 for found in by_symbol):
        return [SourceChoice(source=None, adjustment=None, sets=tuple(next(iter(found.values())) for found in by_symbol))]
    return []


def sources_exist(sets: Sequence[BarSet], symbols: Sequence[str]) -> bool:
    """Tell whether a run of `symbols` has bars at some timeframe."""
    return any(sources_of(sets, symbols, timeframe) for timeframe in timeframes_of(sets, symbols))


def runnable_symbols(sets: Sequence[BarSet], count: int) -> tuple[str, ...]:
    """Return the first `count` symbols that can run together, or nothing."""
    tried = islice(combinations(symbols_of(sets), count), 1_000)
    return next((symbols for symbols in tried if sources_exist(sets, symbols)), ())
