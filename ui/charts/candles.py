"""Candles and volume bars, on whole pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QPainter

from ui.charts.frame import VOLUME_SHARE, Frame
from ui.charts.ink import Ink
from ui.charts.layout import Pane
from ui.charts.pyramid import Ints
from ui.charts.strokes import fill_rects

_BODY = 0.72
"""Width of a candle's body as a share of its slot."""


@dataclass(frozen=True, slots=True)
class Stripes:
    """Horizontal places of the columns in view: the slot's cell, the body, the wick. Whole pixels, shape (n,) or one for all."""

    cell_left: Ints
    cell_width: Ints
    body_left: Ints
    body_width: Ints
    wick_left: Ints
    wick_width: Ints
    has_bodies: bool


def stripes_of(frame: Frame, line: int) -> Stripes:
    """Return where candles stand; `line` is the width of the thinnest line."""
    slot, view = frame.bars.slot, frame.view
    left = view.edges(slot)
    width = np.maximum(view.edges(slot + frame.group) - left, 1)
    cell = view.pixels_per_slot * frame.group
    if frame.group > 1 or cell < 2 * line:
        return Stripes(left, width, left, width, left, width, has_bodies=False)
    if cell < 3 * line:
        thin = np.full_like(width, line)
        return Stripes(left, width, left, thin, left, thin, has_bodies=False)
    # The body is as much wider than the wick on one side as on the other.
    side = max(1, round((cell * _BODY - line) / 2))
    while 2 * side + line > cell - 1 and side > 1:
        side -= 1
    wick = left + (width - line) // 2
    body = np.full_like(width, 2 * side + line)
    return Stripes(left, width, wick - side, body, wick, np.full_like(width, line), has_bodies=True)


def paint_volume(painter: QPainter, ink: Ink, frame: Frame, pane: Pane, stripes: Stripes) -> None:
    """Draw volume bars on the foot of the price pane; the tallest is that of the highest volume in view."""
    volume = np.nan_to_num(frame.bars.volume)
    highest = float(volume.max(initial=0.0))
    if highest <= 0:
        return
    height = np.ceil(volume / highest * pane.height * VOLUME_SHARE).astype(np.int64)
    for rising, colour in ((True, ink.up_volume), (False, ink.down_volume)):
        chosen = ((frame.bars.close >= frame.bars.open) == rising) & (height > 0)
        fill_rects(painter, colour, stripes.body_left[chosen], pane.bottom - height[chosen], stripes.body_width[chosen], height[chosen])


def paint_candles(painter: QPainter, ink: Ink, frame: Frame, pane: Pane, stripes: Stripes) -> None:
    """Draw the candles; where a column is too narrow for a body it shows its whole range in the colour of its change."""
    scale, bars = frame.scales.get(pane.name), frame.bars
    if scale is None:
        return
    drawable = np.isfinite(bars.open) & np.isfinite(bars.high) & np.isfinite(bars.low) & np.isfinite(bars.close)
    high, low = _rows(scale.ys(bars.high)), _rows(scale.ys(bars.low))
    rising = bars.close >= bars.open
    for up, colour in ((True, ink.up), (False, ink.down)):
        chosen = drawable & (rising == up)
        fill_rects(
            painter, colour, stripes.wick_left[chosen], high[chosen], stripes.wick_width[chosen], np.maximum(low - high, ink.line)[chosen]
        )
    if not stripes.has_bodies:
        return
    open_, close = _rows(scale.ys(bars.open)), _rows(scale.ys(bars.close))
    top, height = np.minimum(open_, close), np.maximum(np.abs(open_ - close), ink.line)
    for up, colour in ((True, ink.up), (False, ink.down)):
        chosen = drawable & (rising == up)
        fill_rects(painter, colour, stripes.body_left[chosen], top[chosen], stripes.body_width[chosen], height[chosen])


def _rows(y: NDArray[np.float64]) -> Ints:
    return np.floor(np.nan_to_num(np.clip(y, -1e6, 1e6)) + 0.5).astype(np.int64)
