"""What one picture needs of the data: the columns in view and the scale of each pane. numpy only, no Qt."""

import math
from dataclasses import dataclass, field

import numpy as np

from core.errors import BugError
from ui.charts.data import BarColumns, DrawnLine
from ui.charts.layout import DRAWDOWN, EQUITY, PRICE, Layout, Pane
from ui.charts.pyramid import Columns, Floats, Ints, finite_range
from ui.charts.scene import Scene
from ui.charts.viewport import PriceScale, TimeView, padded

VOLUME_SHARE = 0.17
"""Height of the tallest volume bar in view, as a share of the price pane."""

LEAST_DRAWDOWN = -0.0005
"""The drawdown pane reaches down to this at least: what is written as 0.00 % does not fill it with red."""


@dataclass(frozen=True, slots=True)
class LineColumns:
    """A line in view: lowest and highest of each column; equal where a column is one bar."""

    line: DrawnLine
    columns: Columns
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class CurveColumns:
    """Equity or drawdown in view."""

    slot: Ints
    low: Floats
    high: Floats


@dataclass(slots=True, kw_only=True)
class Frame:
    """A picture's numbers. `scales` by pane; a pane without any value has none."""

    view: TimeView
    layout: Layout
    group: int
    bars: BarColumns
    has_volume: bool
    lines: list[LineColumns] = field(default_factory=list)
    equity: CurveColumns | None = None
    drawdown: CurveColumns | None = None
    scales: dict[str, PriceScale] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Pixels that a pane keeps free above its highest value, and the width of a merged column."""

    readout: int
    row: int
    marker: int
    edge: int
    column: int


def cut_frame(scene: Scene, layout: Layout, room: Room) -> Frame:
    """Return the frame for the scene's view. The scene has bars."""
    data = scene.data
    if data is None:
        raise BugError("A scene without bars has no frame.")
    view = scene.view
    group = max(1, math.ceil(room.column / view.pixels_per_slot - 1e-9))
    bars = data.columns(view.left, view.right, group)
    frame = Frame(
        view=view,
        layout=layout,
        group=bars.group,
        bars=bars,
        has_volume=len(bars) > 0 and bool(np.nanmax(bars.volume) > 0),
    )
    for line in scene.lines:
        cut = bars.columns
        frame.lines.append(LineColumns(line, cut, cut.lowest(line.envelope.low), cut.highest(line.envelope.high)))
    if scene.equity is not None:
        frame.equity = CurveColumns(*scene.equity.equity(view.left, view.right, group))
        frame.drawdown = CurveColumns(*scene.equity.drawdown(view.left, view.right, group))
    for pane in layout.panes:
        scale = _scale(scene, frame, pane, room)
        if scale is not None:
            frame.scales[pane.name] = scale
    return frame


def _scale(scene: Scene, frame: Frame, pane: Pane, room: Room) -> PriceScale | None:
    log = scene.log and pane.name == PRICE
    found = scene.manual.get(pane.name) or _range(scene, frame, pane.name)
    if found is None:
        return None
    low, high = padded(*found, log=log, least=10.0**-scene.decimals if pane.name == PRICE else 1e-9)
    if pane.name == PRICE:
        has_marks = scene.trades is not None or scene.fills is not None or scene.by_hand is not None
        marker = room.marker if has_marks else 0
        top = pane.top + room.readout + room.edge + marker
        foot = round(pane.height * (VOLUME_SHARE + 0.03)) if frame.has_volume else room.edge
        bottom = pane.bottom - foot - marker
    else:
        top, bottom = pane.top + room.row, pane.bottom - room.edge
    if bottom - top < 4:
        top, bottom = pane.top + 1, max(pane.top + 5, pane.bottom - 1)
    return PriceScale(low, high, top, bottom, log)


def _range(scene: Scene, frame: Frame, name: str) -> tuple[float, float] | None:
    if name == PRICE:
        lows = [frame.bars.low, *(line.low for line in frame.lines if line.line.pane == PRICE)]
        highs = [frame.bars.high, *(line.high for line in frame.lines if line.line.pane == PRICE)]
        if scene.log:
            lows = [part[part > 0] for part in lows]
        return finite_range([*lows, *highs])
    if name == EQUITY and frame.equity is not None and scene.equity is not None:
        return finite_range([frame.equity.low, frame.equity.high])
    if name == DRAWDOWN and frame.drawdown is not None:
        found = finite_range([frame.drawdown.low])
        return (min(found[0], LEAST_DRAWDOWN), 0.0) if found is not None else None
    return finite_range(part for line in frame.lines if line.line.pane == name for part in (line.low, line.high))
