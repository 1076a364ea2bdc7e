"""Grid lines, axis labels, pane borders and the last price."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QPainter

from ui.charts.figures import compact, figure, percent
from ui.charts.frame import Frame
from ui.charts.ink import Ink
from ui.charts.layout import DRAWDOWN, EQUITY, PRICE, Layout, Pane
from ui.charts.scene import Scene
from ui.charts.strokes import dashed_line, fill_rects
from ui.charts.ticks import decimals_of, log_ticks, value_ticks
from ui.charts.time_ticks import TimeTick, time_ticks
from ui.charts.viewport import PriceScale

_LONG_EQUITY: Final = 100_000.0
"""Equity from which on its axis shows no cents."""


@dataclass(frozen=True, slots=True)
class ValueTick:
    """A label of a value axis at a row."""

    y: int
    text: str


def value_text(scene: Scene, pane: str, value: float, step: float) -> str:
    """Return a value as the axis of `pane` writes it; `step` is the distance of its labels."""
    if pane == PRICE:
        return figure(value, max(scene.decimals, decimals_of(step)) if step < 10.0**-scene.decimals else scene.decimals)
    if pane == DRAWDOWN:
        return percent(value) if decimals_of(step * 100) > 0 else f"{figure(value * 100, 0)}\u2009%"
    return compact(value) if abs(value) >= 1e7 else figure(value, min(decimals_of(step), 6))


def pane_ticks(scene: Scene, pane: Pane, scale: PriceScale, ink: Ink) -> tuple[list[ValueTick], float]:
    """Return the labels of a pane's value axis, and their step."""
    top, bottom = pane.top + ink.row // 2, pane.bottom - ink.row // 2
    if bottom - top < 2:
        return [], 1.0
    low, high = scale.value(bottom), scale.value(top)
    most = max(1, int((bottom - top) / (ink.row * (2.6 if pane.name == PRICE else 1.4))))
    if scale.log:
        values = log_ticks(low, high, most)
        step = min(np.diff(values).tolist(), default=1.0)
    else:
        values, step = value_ticks(low, high, most, least=_least_step(scene, pane.name))
    return [ValueTick(round(scale.y(value)), value_text(scene, pane.name, value, step)) for value in values], step


def _least_step(scene: Scene, pane: str) -> float:
    """The step below which labels of a pane would read the same, or become too long."""
    if pane == DRAWDOWN:
        return 0.0001
    if pane == EQUITY and scene.equity is not None:
        return 0.05 if scene.equity.start_equity < _LONG_EQUITY else 1.0
    return 0.0


def axis_width(scene: Scene, ink: Ink) -> int:
    """Return how wide the value axis must be for every label that any view of this data can show."""
    texts = ["000.00"]
    data = scene.data
    if data is not None and len(data):
        texts.append(figure(max(data.highest, 1.0), scene.decimals))
    reaches = [line.reach for line in scene.lines if line.pane != PRICE]
    texts += [compact(-123.4e6) if reach >= 1e7 else figure(-reach, 2 if reach < 1000 else 0) for reach in reaches]
    if scene.equity is not None:
        start = scene.equity.start_equity
        texts.append(figure(start * 2, 2) if start < _LONG_EQUITY else figure(start * 10, 0) if start < 1e6 else compact(-123.4e6))
        texts.append("−88.88 %")
    widest = max(ink.text_width(text) for text in texts)
    return widest + 2 * ink.pad + ink.step


def paint_grid(painter: QPainter, ink: Ink, frame: Frame, ticks: dict[str, list[ValueTick]], times: list[TimeTick]) -> None:
    """Draw the faint lines at round numbers, behind everything."""
    layout = frame.layout
    columns = [round(frame.view.x(tick.slot)) for tick in times]
    fill_rects(painter, ink.grid, np.asarray(columns, np.int64), 0, ink.line, layout.plot_bottom)
    rows = [tick.y for labels in ticks.values() for tick in labels]
    fill_rects(painter, ink.grid, 0, np.asarray(rows, np.int64), layout.plot_width, ink.line)


def ticks_of_time(scene: Scene, frame: Frame, ink: Ink) -> list[TimeTick]:
    """Return the labels of the time axis."""
    if scene.data is None:
        return []
    spacing = ink.text_width("Nov 2028", bold=True) + 4 * ink.step
    view = frame.view
    return time_ticks(scene.data.timeline, view.left, view.right, view.width, spacing=spacing, zone=scene.zone)


def paint_axes(
    painter: QPainter, ink: Ink, frame: Frame, ticks: dict[str, list[ValueTick]], times: list[TimeTick], taken: int | None
) -> None:
    """Draw borders and labels; the labels of days, months and years are stronger than those of times. No label stands on row `taken`."""
    layout = frame.layout
    _paint_borders(painter, ink, layout)
    painter.setPen(ink.muted)
    for labels in ticks.values():
        for tick in labels:
            if taken is not None and abs(tick.y - taken) < ink.row:
                continue
            ink.write(painter, layout.plot_width + ink.pad, tick.y - ink.row // 2, tick.text)
    for time in times:
        x = round(frame.view.x(time.slot))
        strong = time.weight > 0
        half = ink.text_width(time.text, bold=strong) // 2
        if x - half < ink.step or x + half > layout.plot_width - ink.step:
            continue
        painter.setPen(ink.text if strong else ink.muted)
        ink.write(painter, x - half, layout.plot_bottom + ink.step, time.text, bold=strong)


def _paint_borders(painter: QPainter, ink: Ink, layout: Layout) -> None:
    painter.fillRect(layout.plot_width, 0, ink.line, layout.plot_bottom, ink.rule)
    painter.fillRect(0, layout.plot_bottom, layout.width, ink.line, ink.rule)
    for pane in layout.panes[1:]:
        painter.fillRect(0, pane.top - 1, layout.width, ink.line, ink.rule)


def last_price_row(scene: Scene, frame: Frame, ink: Ink) -> int | None:
    """Return the row of the last close, or None where it is out of view."""
    scale, data, pane = frame.scales.get(PRICE), scene.data, frame.layout.panes[0]
    if scale is None or data is None or not len(data):
        return None
    last = float(data.series.close[-1])
    if not np.isfinite(last) or (scale.log and last <= 0):
        return None
    y = round(min(max(scale.y(last), -1e6), 1e6))
    return y if pane.top + ink.row // 2 <= y <= pane.bottom - ink.row // 2 else None


def paint_last_price(painter: QPainter, ink: Ink, scene: Scene, frame: Frame, y: int) -> None:
    """Draw the last close as a dotted line and a tag on the axis."""
    if scene.data is None:
        return
    series, layout = scene.data.series, frame.layout
    colour = ink.up if series.close[-1] >= series.open[-1] else ink.down
    dashed_line(painter, colour, QPoint(0, y), QPoint(layout.plot_width - 1, y), width=ink.line, pattern=(1, 2))
    text = figure(float(series.close[-1]), scene.decimals)
    ink.tag(painter, text, layout.plot_width, y, colour, width=layout.width - layout.plot_width)


def paint_empty(painter: QPainter, ink: Ink, width: int, height: int, text: str) -> None:
    """Draw what will be here and how to fill it."""
    painter.setFont(ink.font)
    painter.setPen(ink.muted)
    margin = 4 * ink.step
    flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
    painter.drawText(QRect(margin, margin, max(1, width - 2 * margin), max(1, height - 2 * margin)), int(flags), text)
