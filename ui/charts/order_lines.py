"""Working orders upon the chart: a dashed line at the price that each waits for, with what for, and a tag on the axis.

Positions lie there the same way, dotted, at what they cost.
"""

from typing import Final

from PySide6.QtCore import QPoint
from PySide6.QtGui import QPainter

from ui.charts.data import OrderLine
from ui.charts.figures import figure
from ui.charts.frame import Frame
from ui.charts.ink import Ink
from ui.charts.layout import PRICE
from ui.charts.scene import Scene
from ui.charts.strokes import dashed_line, mixed

_MOST: Final = 40
"""Lines that are drawn; of more nobody could read one."""


def order_rows(scene: Scene, frame: Frame) -> list[tuple[int, OrderLine]]:
    """Return the rows of the orders whose price is in view."""
    scale, pane = frame.scales.get(PRICE), frame.layout.panes[0]
    if scale is None:
        return []
    lines = [line for line in scene.orders if line.price > 0 or not scale.log]
    rows = [(round(min(max(scale.y(line.price), -1e6), 1e6)), line) for line in lines]
    return [(row, line) for row, line in rows if pane.top <= row < pane.bottom][:_MOST]


def line_at(rows: list[tuple[int, OrderLine]], y: float, reach: float) -> OrderLine | None:
    """Return the line at a row that a hand can take, the nearest within `reach` pixels."""
    found = [(abs(row - y), place) for place, (row, line) in enumerate(rows) if line.order_id and abs(row - y) <= reach]
    return rows[min(found)[1]][1] if found else None


def paint_order_lines(painter: QPainter, ink: Ink, frame: Frame, rows: list[tuple[int, OrderLine]]) -> None:
    """Draw the lines, each with its words at the right end; words that would cover others are left out."""
    right = frame.layout.plot_width
    for row, line in rows:
        pattern = (2, 3) if line.is_held else (6, 4)
        dashed_line(painter, ink.of_sign(line.side), QPoint(0, row), QPoint(right - 1, row), width=ink.line, pattern=pattern)
    for row, line in _apart(rows, ink):
        left = right - ink.text_width(line.text) - 3 * ink.pad
        ink.tag(painter, line.text, left, row, mixed(ink.of_sign(line.side), ink.background, 0.35))


def _apart(rows: list[tuple[int, OrderLine]], ink: Ink) -> list[tuple[int, OrderLine]]:
    """Return those whose labels do not cover one another, the first ones first."""
    chosen: list[tuple[int, OrderLine]] = []
    for row, line in rows:
        if all(abs(row - other) >= ink.row for other, _ in chosen):
            chosen.append((row, line))
    return chosen


def paint_order_tags(painter: QPainter, ink: Ink, scene: Scene, frame: Frame, rows: list[tuple[int, OrderLine]]) -> None:
    """Draw the prices on the axis."""
    layout = frame.layout
    for row, line in _apart(rows, ink):
        fill = mixed(ink.of_sign(line.side), ink.background, 0.35)
        ink.tag(painter, figure(line.price, scene.decimals), layout.plot_width, row, fill, width=layout.width - layout.plot_width)
