"""The moving part of the chart: crosshair, its tags on the axes, the read-out line and the label of a mark."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from PySide6.QtCore import QPoint
from PySide6.QtGui import QPainter

from ui.charts.axes import value_text
from ui.charts.ink import Ink
from ui.charts.layout import PRICE
from ui.charts.picture import Picture
from ui.charts.readout import paint_words, pane_readout, readout
from ui.charts.scene import Scene
from ui.charts.strokes import dashed_line
from ui.charts.time_ticks import instant_text

_DASHES: Final = (4.0, 3.0)


@dataclass(frozen=True, slots=True)
class Crosshair:
    """Where the crosshair stands: a bar, and a row (device pixels) unless it was set from the keyboard or another chart."""

    bar: int
    y: float | None = None


def paint_crosshair(painter: QPainter, ink: Ink, scene: Scene, picture: Picture, at: Crosshair | None, label: str) -> None:
    """Draw the read-outs, and the crosshair where there is one; `label` is that of the mark under the pointer."""
    data, frame = scene.data, picture.frame
    if data is None or not len(data):
        return
    layout = frame.layout
    bar = min(at.bar, len(data) - 1) if at is not None else len(data) - 1
    if at is not None:
        _paint_lines(painter, ink, scene, picture, bar, at)
    painter.setClipRect(0, 0, layout.plot_width, layout.plot_bottom)
    for pane in layout.panes:
        words = readout(scene, bar) if pane.name == PRICE else pane_readout(scene, pane.name, bar)
        rows = picture.rows if pane.name == PRICE else 1
        paint_words(painter, ink, words, pane, layout.plot_width, rows)
    painter.setClipping(False)
    if label and at is not None and at.y is not None:
        _paint_label(painter, ink, label, _middle_of(picture, scene, bar), round(at.y), layout.plot_width)


def _middle_of(picture: Picture, scene: Scene, bar: int) -> int:
    view = picture.frame.view
    if scene.data is None:
        return 0
    slot = np.asarray([scene.data.timeline.slots[bar]], np.int64)
    left, right = int(view.edges(slot)[0]), int(view.edges(slot + 1)[0])
    return left + (max(right - left, 1) - 1) // 2


def _paint_lines(painter: QPainter, ink: Ink, scene: Scene, picture: Picture, bar: int, at: Crosshair) -> None:
    layout, data = picture.frame.layout, scene.data
    if data is None:
        return
    x = _middle_of(picture, scene, bar)
    if 0 <= x < layout.plot_width:
        # Below the read-out, which it would cross.
        top = picture.rows * (ink.row - ink.step // 2) + ink.step
        dashed_line(painter, ink.faint, QPoint(x, top), QPoint(x, layout.plot_bottom - 1), width=ink.line, pattern=_DASHES)
    pane = layout.pane_at(at.y) if at.y is not None else None
    if at.y is not None and pane is not None and pane.name in picture.frame.scales:
        y = round(at.y)
        dashed_line(painter, ink.faint, QPoint(0, y), QPoint(layout.plot_width - 1, y), width=ink.line, pattern=_DASHES)
        value = picture.frame.scales[pane.name].value(at.y)
        text = value_text(scene, pane.name, value, picture.steps[pane.name] / 10)
        middle = min(max(y, ink.row // 2), layout.plot_bottom - ink.row // 2)
        ink.tag(painter, text, layout.plot_width, middle, ink.tag_fill, width=layout.width - layout.plot_width)
    timeline = data.timeline
    seconds = timeline.timeframe_ns % 60_000_000_000 != 0
    text = instant_text(int(timeline.start_ns[bar]), scene.zone, daily=timeline.is_daily, seconds=seconds)
    wide = ink.text_width(text) + 2 * ink.pad
    if -wide < x < layout.plot_width + wide:
        left = min(max(0, x - wide // 2), max(0, layout.plot_width - wide))
        ink.tag(painter, text, left, layout.plot_bottom + ink.step + ink.row // 2, ink.tag_fill)


def _paint_label(painter: QPainter, ink: Ink, text: str, x: int, y: int, width: int) -> None:
    wide = ink.text_width(text) + 2 * ink.pad
    left = x + 3 * ink.step if x + 3 * ink.step + wide < width else max(0, x - 3 * ink.step - wide)
    middle = max(y - 2 * ink.row // 2 - ink.step, ink.row // 2 + ink.line)
    painter.fillRect(left - ink.line, middle - ink.row // 2 - ink.line, wide + 2 * ink.line, ink.row + 2 * ink.line, ink.rule)
    ink.tag(painter, text, left, middle, ink.raised)
