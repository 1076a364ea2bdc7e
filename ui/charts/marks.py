"""Which trades and fills are in view, and how they are thinned. numpy only."""

from dataclasses import dataclass

import numpy as np

from ui.charts.data import FillMarks, TradeMarks
from ui.charts.pyramid import Floats, Ints
from ui.charts.timeline import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Marks merged to stretches of the axis. `slot`: int64, the middle slot; `buys`, `sells`: counts; `pnl`: sum; all shape (n,)."""

    slot: Ints
    buys: Ints
    sells: Ints
    pnl: Floats
    size: int


class TradeIndex:
    """Trades by the slots they cover, for questions about a view in the time of its answer."""

    def __init__(self, trades: TradeMarks, timeline: Timeline) -> None:
        self.trades = trades
        if len(timeline):
            entries = timeline.slots[timeline.bars_of(trades.entry_ns)]
            exits = timeline.slots[timeline.bars_of(trades.exit_ns)]
        else:
            entries, exits = np.zeros(len(trades), np.int64), np.zeros(len(trades), np.int64)
        self.entry_slot: Ints = entries
        self.exit_slot: Ints = exits
        # Tables are in order of exits; a view asks by entry.
        self._order = np.argsort(entries, kind="stable")
        self._entries = entries[self._order]
        self._reach = np.maximum.accumulate(exits[self._order]) if len(trades) else exits

    def __len__(self) -> int:
        return len(self.trades)

    def visible(self, left: float, right: float) -> Ints:
        """Return the numbers of the trades that touch the slots `[left, right]`, by entry."""
        first, last = self._range(left, right)
        numbers = self._order[first:last]
        return numbers[self.exit_slot[numbers] >= left - 1]

    def count(self, left: float, right: float) -> int:
        """Return about how many trades are in view, never too few; costs nothing."""
        first, last = self._range(left, right)
        return last - first

    def buckets(self, left: float, right: float, size: int) -> Buckets:
        """Return the trades in view merged to stretches of `size` slots."""
        first, last = self._range(left, right)
        numbers = self._order[first:last]
        base = int(left) // size - 1
        count = int(right) // size - base + 2
        buys = np.zeros(count, np.int64)
        sells = np.zeros(count, np.int64)
        pnl = np.zeros(count)
        direction = self.trades.direction[numbers]
        for slots, is_buy in ((self.entry_slot[numbers], direction > 0), (self.exit_slot[numbers], direction < 0)):
            place = slots // size - base
            inside = (place >= 0) & (place < count)
            buys += np.bincount(place[inside & is_buy], minlength=count)
            sells += np.bincount(place[inside & ~is_buy], minlength=count)
        place = self.exit_slot[numbers] // size - base
        inside = (place >= 0) & (place < count)
        pnl += np.bincount(place[inside], weights=self.trades.pnl[numbers][inside], minlength=count)
        used = np.flatnonzero(buys + sells)
        return Buckets(slot=(used + base) * size + size // 2, buys=buys[used], sells=sells[used], pnl=pnl[used], size=size)

    def _range(self, left: float, right: float) -> tuple[int, int]:
        last = int(np.searchsorted(self._entries, right + 1, side="right"))
        first = int(np.searchsorted(self._reach, left - 1, side="left"))
        return min(first, last), last


class FillIndex:
    """Fills by slot."""

    def __init__(self, fills: FillMarks, timeline: Timeline) -> None:
        self.fills = fills
        slots = timeline.slots[timeline.bars_of(fills.time_ns)] if len(timeline) else np.zeros(len(fills), np.int64)
        self._order = np.argsort(slots, kind="stable")
        self.slot: Ints = slots
        self._sorted = slots[self._order]

    def __len__(self) -> int:
        return len(self.fills)

    def visible(self, left: float, right: float) -> Ints:
        """Return the numbers of the fills in the slots `[left, right]`, by time."""
        first, last = np.searchsorted(self._sorted, (left - 1, right + 1))
        return self._order[int(first) : int(last)]
