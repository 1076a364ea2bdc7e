"""Indicator lines, equity and drawdown."""

from typing import Final

import numpy as np
from PySide6.QtCore import QPoint
from PySide6.QtGui import QColor, QPainter

from ui.charts.frame import Frame
from ui.charts.ink import Ink
from ui.charts.layout import DRAWDOWN, EQUITY, Pane
from ui.charts.pyramid import Floats, Ints
from ui.charts.scene import Scene
from ui.charts.strokes import dashed_line, draw_curve, fill_rects

_HIGH_RATIO: Final = 1.5
"""Device pixels per pixel from which on a line of one device pixel is too thin."""

_SWING: Final = 3
"""Height of a column, in line widths, from which on the line in it is only up and down."""


def paint_lines(painter: QPainter, ink: Ink, frame: Frame, pane: Pane) -> None:
    """Draw the indicator lines that belong to a pane."""
    for number, line in enumerate(frame.lines):
        if line.line.pane == pane.name:
            _paint(painter, ink.line_colour(number), ink, frame, pane, line.columns.slot, line.low, line.high)


def paint_equity(painter: QPainter, ink: Ink, frame: Frame, pane: Pane, scene: Scene) -> None:
    """Draw equity and, dotted, what it started with."""
    scale = frame.scales.get(EQUITY)
    if frame.equity is None or scene.equity is None or scale is None:
        return
    y = round(scale.y(scene.equity.start_equity)) if np.isfinite(scene.equity.start_equity) else -1
    if pane.holds(y):
        dashed_line(painter, ink.faint, QPoint(0, y), QPoint(frame.layout.plot_width - 1, y), width=ink.line, pattern=(1, 2))
    _paint(painter, ink.accent, ink, frame, pane, frame.equity.slot, frame.equity.low, frame.equity.high)


def paint_drawdown(painter: QPainter, ink: Ink, frame: Frame, pane: Pane) -> None:
    """Draw how far equity stands below its peak: a filled area that hangs from zero, with its lower border."""
    scale, curve = frame.scales.get(DRAWDOWN), frame.drawdown
    if curve is None or scale is None or not len(curve.slot):
        return
    real = np.isfinite(curve.low)
    slot = curve.slot[real]
    depth = np.floor(scale.ys(curve.low[real]) + 0.5).astype(np.int64)
    left = frame.view.edges(slot)
    right = np.append(left[1:], frame.view.edges(slot[-1:] + frame.group)) if len(slot) else left
    zero = round(scale.y(0.0))
    height = np.maximum(depth - zero, 0)
    width = np.maximum(right - left, 1)
    fill_rects(painter, ink.down_area, left, zero, width, height)
    fill_rects(painter, ink.down, left[height > 0], depth[height > 0], width[height > 0], ink.line)
    # The border's upright parts, so that it reads as one line.
    rise = np.abs(np.diff(height))
    fill_rects(painter, ink.down, left[1:][rise > 0], np.minimum(depth[1:], depth[:-1])[rise > 0], ink.line, rise[rise > 0])


def _paint(painter: QPainter, colour: QColor, ink: Ink, frame: Frame, pane: Pane, slot: Ints, low: Floats, high: Floats) -> None:
    scale = frame.scales.get(pane.name)
    if scale is None or len(slot) == 0:
        return
    centre = np.add(frame.view.edges(slot), frame.view.pixels_per_slot * frame.group / 2, dtype=np.float64)
    if np.array_equal(low, high, equal_nan=True):
        draw_curve(painter, colour, centre, scale.ys(low) + 0.5, weight=ink.weight)
        return
    ends = scale.ys(np.column_stack((high, low))) + 0.5
    if _swings(ends, ink):
        _paint_columns(painter, colour, ink, frame, slot, ends)
        return
    # Up a column and down the next: every extreme is touched, and the line goes on without a jump. A column that is level on the
    # screen needs one point only.
    middle = ends[:, 0] + ends[:, 1]
    falling = np.concatenate(([False], middle[1:] > middle[:-1]))
    ends[~falling] = ends[~falling][:, ::-1]
    kept = np.ones(ends.shape, bool)
    kept[:, 1] = np.abs(ends[:, 1] - ends[:, 0]) > 0.5
    weight = 1.0 if ink.ratio < _HIGH_RATIO else ink.weight
    draw_curve(painter, colour, np.repeat(centre, 2)[kept.ravel()], ends[kept], weight=weight)


def _swings(ends: Floats, ink: Ink) -> bool:
    """Whether most columns hold so much of the line that its slope cannot be seen."""
    heights = ends[:, 1] - ends[:, 0]
    return 2 * int(np.count_nonzero(heights > _SWING * ink.line)) > len(heights)


def _paint_columns(painter: QPainter, colour: QColor, ink: Ink, frame: Frame, slot: Ints, ends: Floats) -> None:
    """Draw a line as the range of each column, each reaching to its neighbour's: half the work of a smooth line."""
    real = np.isfinite(ends).all(axis=1)
    rows = np.floor(np.clip(ends[real], -1e6, 1e6)).astype(np.int64)
    top, bottom = rows[:, 0].copy(), rows[:, 1].copy()
    shown = slot[real]
    touching = np.diff(shown) == frame.group
    top[1:][touching] = np.minimum(top[1:], rows[:-1, 1])[touching]
    bottom[1:][touching] = np.maximum(bottom[1:], rows[:-1, 0])[touching]
    left = frame.view.edges(shown)
    width = np.maximum(frame.view.edges(shown + frame.group) - left, 1)
    fill_rects(painter, colour, left, top, width, np.maximum(bottom - top, ink.line))
