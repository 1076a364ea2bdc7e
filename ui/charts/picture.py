"""The still part of the chart: everything but the crosshair, drawn in device pixels."""

from dataclasses import dataclass
from typing import Final

from PySide6.QtGui import QPainter

from ui.charts import axes
from ui.charts.candles import paint_candles, paint_volume, stripes_of
from ui.charts.curves import paint_drawdown, paint_equity, paint_lines
from ui.charts.data import OrderLine
from ui.charts.frame import Frame, Room, cut_frame
from ui.charts.ink import Ink
from ui.charts.layout import DRAWDOWN, EQUITY, PRICE, Layout, lay_out
from ui.charts.markers import Glyphs, Hits, paint_marks
from ui.charts.order_lines import order_rows, paint_order_lines, paint_order_tags
from ui.charts.readout import place_words, readout
from ui.charts.scene import Scene

_LINES_BEHIND: Final = 8
"""Bars to a column from which on lines are drawn behind the candles."""
_READOUT_SHARE: Final = 0.25
"""Most of the price pane's height that the read-out may take."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What was drawn, for the crosshair and the pointer."""

    frame: Frame
    hits: Hits
    steps: dict[str, float]
    """Distance of the labels of each pane's axis, in its values."""
    rows: int
    """Rows of the price pane's read-out."""
    orders: list[tuple[int, OrderLine]]
    """Rows of orders and positions."""


def layout_of(scene: Scene, ink: Ink, width: int, height: int) -> Layout:
    """Return where the panes lie in `width` × `height` device pixels."""
    axis_height = ink.row + 2 * ink.step
    least = 2 * ink.row + 2 * ink.step
    return lay_out(
        scene.pane_names(),
        width,
        height,
        axis_width=min(axes.axis_width(scene, ink), width // 2),
        axis_height=axis_height,
        least=least,
        weights=scene.weights,
    )


def paint_picture(painter: QPainter, ink: Ink, glyphs: Glyphs, scene: Scene, layout: Layout, rows: int) -> Picture:
    """Draw the scene, which has bars, over the whole layout; the read-out gets `rows`."""
    room = Room(readout=rows * (ink.row - ink.step // 2) + ink.step, row=ink.row, marker=4 * ink.step, edge=2 * ink.step, column=ink.line)
    frame = cut_frame(scene, layout, room)
    painter.fillRect(0, 0, layout.width, layout.height, ink.background)
    ticks, steps = {}, {}
    for pane in layout.panes:
        if pane.name in frame.scales:
            ticks[pane.name], steps[pane.name] = axes.pane_ticks(scene, pane, frame.scales[pane.name], ink)
    times = axes.ticks_of_time(scene, frame, ink)
    _paint_highlight(painter, ink, scene, frame)
    axes.paint_grid(painter, ink, frame, ticks, times)
    hits, orders = Hits(), list[tuple[int, OrderLine]]()
    for pane in layout.panes:
        painter.setClipRect(0, pane.top, layout.plot_width, pane.height)
        if pane.name == PRICE:
            stripes = stripes_of(frame, ink.line)
            paint_volume(painter, ink, frame, pane, stripes)
            # Where a column holds many bars a short average lies inside its range and would hide it.
            if frame.group >= _LINES_BEHIND:
                paint_lines(painter, ink, frame, pane)
                paint_candles(painter, ink, frame, pane, stripes)
            else:
                paint_candles(painter, ink, frame, pane, stripes)
                paint_lines(painter, ink, frame, pane)
            hits = paint_marks(painter, ink, glyphs, scene, frame, pane)
            orders = order_rows(scene, frame)
            paint_order_lines(painter, ink, frame, orders)
        elif pane.name == EQUITY:
            paint_equity(painter, ink, frame, pane, scene)
        elif pane.name == DRAWDOWN:
            paint_drawdown(painter, ink, frame, pane)
        else:
            paint_lines(painter, ink, frame, pane)
    painter.setClipping(False)
    last = axes.last_price_row(scene, frame, ink)
    axes.paint_axes(painter, ink, frame, ticks, times, last)
    paint_order_tags(painter, ink, scene, frame, orders)
    if last is not None:
        axes.paint_last_price(painter, ink, scene, frame, last)
    return Picture(frame, hits, steps, rows, orders)


def readout_rows(ink: Ink, scene: Scene, layout: Layout) -> int:
    """Return how many rows the price pane's read-out gets: what it needs, but not more than its share of the pane."""
    bars = len(scene.data) if scene.data is not None else 0
    needed = place_words(ink, readout(scene, bars - 1), layout.plot_width)
    most = max(1, int(layout.panes[0].height * _READOUT_SHARE / ink.row))
    return min(most, 1 + max((row for _, row, _ in needed), default=0))


def _paint_highlight(painter: QPainter, ink: Ink, scene: Scene, frame: Frame) -> None:
    if scene.highlight is None:
        return
    left = round(frame.view.x(scene.highlight[0]))
    right = round(frame.view.x(scene.highlight[1] + 1))
    painter.fillRect(left, 0, max(ink.line, right - left), frame.layout.plot_bottom, ink.band)
