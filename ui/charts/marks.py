"""Which trades and fills are in view, and how they are thinned. numpy only."""

from dataclasses import dataclass

import numpy as np

from ui.charts.data import FillMarks, TradeMarks
from ui.charts.pyramid import Floats, Ints
from ui.charts.timeline import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Marks merged to stretches of the axis.

    `slot`: int64, the mean slot of their marks; `buys`, `sells`: counts; `pnl`: sum; all shape (n,).
    """

    slot: Ints
    buys: Ints
    sells: Ints
    pnl: Floats


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
        self._by_size: dict[int, Buckets] = {}
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
        """Return the marks in view merged to stretches of `size` slots; quick when the same size was asked for before."""
        every = self._by_size.get(size)
        if every is None:
            every = self._by_size[size] = self._merged(size)
        first, last = (int(edge) for edge in np.searchsorted(every.slot, (left - size, right + size)))
        cut = slice(first, last)
        return Buckets(slot=every.slot[cut], buys=every.buys[cut], sells=every.sells[cut], pnl=every.pnl[cut])

    def _merged(self, size: int) -> Buckets:
        entries, exits, long = self.entry_slot // size, self.exit_slot // size, self.trades.direction > 0
        slots = np.concatenate((self.entry_slot, self.exit_slot))
        keys, place = np.unique(np.concatenate((entries, exits)), return_inverse=True)
        entered, left = place[: len(entries)], place[len(entries) :]
        count = len(keys)
        return Buckets(
            slot=np.rint(np.bincount(place, weights=slots) / np.bincount(place)).astype(np.int64),
            buys=np.bincount(entered[long], minlength=count) + np.bincount(left[~long], minlength=count),
            sells=np.bincount(entered[~long], minlength=count) + np.bincount(left[long], minlength=count),
            pnl=np.bincount(left, weights=self.trades.pnl, minlength=count).astype(np.float64),
        )

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
