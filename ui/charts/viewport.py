"""What part of the axes is seen, and where it lies on the screen. Pure; pixels are device pixels."""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ui.charts.pyramid import Floats, Ints

MIN_SPAN: Final = 8.0
"""Fewer slots than this are never stretched over the whole width."""
OVERSCROLL: Final = 0.8
"""Share of the view that may lie beyond the first or last slot."""


@dataclass(frozen=True, slots=True)
class TimeView:
    """`span` slots from `left` on, over `width` pixels."""

    left: float
    span: float
    width: int

    @property
    def right(self) -> float:
        """The slot at the right edge."""
        return self.left + self.span

    @property
    def pixels_per_slot(self) -> float:
        """How wide a bar is."""
        return self.width / self.span

    @property
    def offset(self) -> int:
        """The left edge in whole pixels from slot 0: subtracting it last makes panning a plain shift without jitter."""
        return round(self.left * self.pixels_per_slot)

    def x(self, slot: float) -> float:
        """Return the pixel of a place."""
        return slot * self.pixels_per_slot - self.offset

    def edges(self, slots: Ints) -> Ints:
        """Return the whole pixel at which each slot begins."""
        edges: Ints = np.floor(slots * self.pixels_per_slot + 0.5).astype(np.int64) - self.offset
        return edges

    def slot(self, x: float) -> float:
        """Return the place at a pixel; the inverse of `x`."""
        return (x + self.offset) / self.pixels_per_slot

    def panned(self, pixels: float) -> "TimeView":
        """Return the view after the content moved right by `pixels`."""
        return replace(self, left=self.left - pixels / self.pixels_per_slot)

    def zoomed(self, anchor: float, factor: float, total: int) -> "TimeView":
        """Return the view with bars `factor` times as wide; the slot `anchor` keeps its pixel."""
        widest = max(MIN_SPAN, total * 1.25)
        span = min(max(self.span / factor, MIN_SPAN), widest)
        return replace(self, left=anchor - (anchor - self.left) * span / self.span, span=span)

    def clamped(self, total: int) -> "TimeView":
        """Return the view moved so far that some bars stay in it."""
        beyond = self.span * OVERSCROLL
        left = min(max(self.left, -beyond), total - self.span + beyond)
        return replace(self, left=left)

    def resized(self, width: int) -> "TimeView":
        """Return the view for another width: bars keep theirs, the right edge stays."""
        width = max(1, width)
        span = max(MIN_SPAN, self.span * width / self.width)
        return TimeView(self.right - span, span, width)

    def fitted(self, first: float, last: float, margin: float = 0.02) -> "TimeView":
        """Return the view that shows the slots `[first, last)` with a margin, a share of them, at both sides."""
        span = max(MIN_SPAN, (last - first) * (1 + 2 * margin))
        return replace(self, left=(first + last - span) / 2, span=span)


@dataclass(frozen=True, slots=True)
class PriceScale:
    """Values from `low` at pixel `bottom` to `high` at pixel `top`; with `log` equal ratios are equally far apart."""

    low: float
    high: float
    top: float
    bottom: float
    log: bool = False

    def y(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high = self._bounds()
        place = math.log(max(value, 1e-300)) if self.log else value
        return self.bottom - (place - low) / (high - low) * (self.bottom - self.top)

    def ys(self, values: Floats) -> Floats:
        """Return the pixel of each value; nan stays nan."""
        low, high = self._bounds()
        places = np.log(np.maximum(values, 1e-300)) if self.log else values
        return self.bottom - (places - low) * ((self.bottom - self.top) / (high - low))

    def value(self, y: float) -> float:
        """Return the value at a pixel; the inverse of `y`."""
        low, high = self._bounds()
        place = low + (self.bottom - y) / (self.bottom - self.top) * (high - low)
        return math.exp(min(place, 700.0)) if self.log else place

    def _bounds(self) -> tuple[float, float]:
        return (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)


def padded(low: float, high: float, *, log: bool = False, least: float = 1e-12) -> tuple[float, float]:
    """Return a range that can be drawn: the same one, or, for a single value, a little room around it."""
    if log and low <= 0:
        low = high * 1e-3 if high > 0 else 1.0
    if high - low > abs(high) * 1e-9 and high > low:
        return low, high
    room = max(abs(high) * 0.01, least)
    return (high / 1.01, high * 1.01) if log else (low - room, high + room)
