"""The ports by which bars, splits and dividends are kept and read."""

from collections.abc import Sequence
from typing import Protocol

from core.model.corporate_action import ActionMerge, CorporateAction
from core.model.market import BarSeries, BarSet, BarSetKey, MergeReport


class BarStore(Protocol):
    """Stored bars, by set."""

    async def sets(self) -> list[BarSet]:
        """Return what is stored, by symbol and timeframe."""
        ...

    async def read(self, key: BarSetKey, start_ns: int | None = None, end_ns: int | None = None) -> BarSeries:
        """Return the bars that start in `[start_ns, end_ns)`; empty when there are none."""
        ...

    async def merge(self, key: BarSetKey, bars: BarSeries, *, simulated: bool = False) -> MergeReport:
        """Add `bars` in one transaction; identical bars are a no-op, different ones replace and are counted. Raises SealedBars."""
        ...

    async def delete(self, key: BarSetKey) -> bool:
        """Remove a set; False when there was none. Raises SealedBars."""
        ...

    async def seal(self, key: BarSetKey, *, sealed: bool) -> BarSet | None:
        """Make a set immutable, or open it again, and return it as it is then; None when there is none."""
        ...


class CorporateActionStore(Protocol):
    """Stored splits and dividends. A symbol has one split and one dividend a day at most."""

    async def put(self, actions: Sequence[CorporateAction]) -> ActionMerge:
        """Add `actions` in one transaction; an identical one is a no-op, another value replaces and is counted.

        Raises BugError when two of them are of one symbol, day and kind.
        """
        ...

    async def read(self, symbol: str) -> tuple[CorporateAction, ...]:
        """Return a symbol's actions by day, the split of a day before its dividend."""
        ...

    async def read_all(self) -> tuple[CorporateAction, ...]:
        """Return all of them, by symbol and day."""
        ...

    async def delete(self, symbol: str) -> int:
        """Remove a symbol's actions; return how many there were."""
        ...
