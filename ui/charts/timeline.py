"""Instants on the time axis: which slot an instant falls into, and what instant stands at a slot. numpy only."""

import numpy as np

from core.model.instants import DAY_NS
from core.model.market import Instants
from ui.charts.pyramid import Ints


class Timeline:
    """Bars on an axis of slots, each one bar wide.

    With `compress_gaps` bar `i` is at slot `i`: time without trading takes no room. Without it the slot is the time since the
    first bar in units of the timeframe, so that a hole is as wide as it was long.
    """

    def __init__(self, start_ns: Instants, timeframe_ns: int, *, compress_gaps: bool) -> None:
        self.start_ns = start_ns
        self.timeframe_ns = timeframe_ns
        self.compress_gaps = compress_gaps
        if compress_gaps or len(start_ns) == 0:
            self.slots: Ints = np.arange(len(start_ns), dtype=np.int64)
        else:
            # Rounded, not cut: a day bar may begin an hour earlier in summer.
            self.slots = np.rint((start_ns - start_ns[0]) / timeframe_ns).astype(np.int64)

    def __len__(self) -> int:
        return len(self.start_ns)

    @property
    def total(self) -> int:
        """How many slots the bars take, holes included."""
        return int(self.slots[-1]) + 1 if len(self.slots) else 0

    @property
    def is_daily(self) -> bool:
        """Whether a bar is a day or more, and has a date but no time of day."""
        return self.timeframe_ns >= DAY_NS

    def slot_of(self, time_ns: int) -> float:
        """Return the place of an instant; the start of a bar is its left edge. Goes on evenly beyond both ends."""
        if not len(self):
            return 0.0
        first_ns = int(self.start_ns[0])
        if not self.compress_gaps or time_ns < first_ns:
            return (time_ns - first_ns) / self.timeframe_ns
        bar = int(np.searchsorted(self.start_ns, time_ns, side="right")) - 1
        inside = (time_ns - int(self.start_ns[bar])) / self.timeframe_ns
        return bar + (inside if bar == len(self) - 1 else min(inside, 1.0))

    def time_at(self, slot: float) -> int:
        """Return the instant at a place, ns; the inverse of `slot_of` wherever there is a bar."""
        if not len(self):
            return 0
        if not self.compress_gaps or slot < 0:
            return int(self.start_ns[0]) + round(slot * self.timeframe_ns)
        bar = min(int(slot), len(self) - 1)
        return int(self.start_ns[bar]) + round((slot - bar) * self.timeframe_ns)

    def bar_at(self, slot: float) -> int | None:
        """Return the bar whose slot is nearest to a place, or None without bars."""
        if not len(self):
            return None
        after = int(np.searchsorted(self.slots, int(np.floor(slot)), side="left"))
        if after >= len(self):
            return len(self) - 1
        if after == 0:
            return 0
        before = after - 1
        return after if self.slots[after] + 0.5 - slot <= slot - (self.slots[before] + 0.5) else before

    def bars_of(self, time_ns: Instants) -> Ints:
        """Return the bar each instant falls into: the last one that began at or before it, at least the first."""
        return np.maximum(np.searchsorted(self.start_ns, time_ns, side="right") - 1, 0).astype(np.int64)

    def slots_of_ends(self, end_ns: Instants) -> Ints:
        """Return the slot of the bar that ended at each instant; never before the first slot."""
        if not len(self) or not len(end_ns):
            return np.zeros(len(end_ns), np.int64)
        if not self.compress_gaps:
            slots: Ints = np.maximum((end_ns - self.start_ns[0] - 1) // self.timeframe_ns, 0).astype(np.int64)
            return slots
        return np.maximum(self._last_before(end_ns), 0)

    def _last_before(self, time_ns: Instants) -> Ints:
        """The last bar that began before each instant, −1 for none. A value for each bar is the rule: guess that, and search the rest."""
        first = int(np.searchsorted(self.start_ns, time_ns[-1], side="left")) - len(time_ns)
        guess = np.arange(first, first + len(time_ns), dtype=np.int64)
        edges = np.concatenate(([np.iinfo(np.int64).min], self.start_ns, [np.iinfo(np.int64).max]))
        inside = np.clip(guess, -1, len(self) - 1)
        wrong = np.flatnonzero((edges[inside + 1] >= time_ns) | (edges[inside + 2] < time_ns))
        inside[wrong] = np.searchsorted(self.start_ns, time_ns[wrong], side="left") - 1
        return inside
