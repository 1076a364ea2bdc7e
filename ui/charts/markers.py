"""Entries and exits upon the bars: ▲ a buy, under the low; ▼ a sell, above the high; joined by the trade's line. ◆ is a person's own."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap, QPolygonF

from ui.charts.figures import amount, figure
from ui.charts.frame import Frame
from ui.charts.ink import Ink
from ui.charts.layout import Pane
from ui.charts.marks import Buckets, FillIndex, TradeIndex
from ui.charts.pyramid import Floats, Ints
from ui.charts.scene import Scene
from ui.charts.strokes import draw_lines, draw_triangles, fill_rects
from ui.charts.viewport import PriceScale

_BUCKET: Final = 4
"""Width of a stretch in which crowded marks are merged, in steps of the theme."""


@dataclass(slots=True)
class Hits:
    """Marks as drawn, to be found under the pointer. `x`, `y`: centres; `number`: trade, fill or stretch, by `kind`."""

    x: list[Floats] = field(default_factory=list)
    y: list[Floats] = field(default_factory=list)
    number: list[Ints] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    buckets: Buckets | None = None

    def add(self, kind: str, x: Floats, y: Floats, number: Ints) -> None:
        """Add marks of one kind: `trade`, `fill`, `by hand` or `bucket`."""
        self.kinds.append(kind)
        self.x.append(x)
        self.y.append(y)
        self.number.append(number)

    def nearest(self, x: float, y: float, reach: float) -> tuple[str, int] | None:
        """Return kind and number of the nearest mark within `reach` pixels, or None."""
        best: tuple[float, str, int] | None = None
        for kind, xs, ys, numbers in zip(self.kinds, self.x, self.y, self.number, strict=True):
            if not len(xs):
                continue
            distance = np.hypot(xs - x, ys - y)
            at = int(np.argmin(distance))
            if distance[at] <= reach and (best is None or distance[at] < best[0]):
                best = float(distance[at]), kind, int(numbers[at])
        return None if best is None else best[1:]


class Glyphs:
    """Triangles drawn once and stamped many times. Each has a halo of the background, so that it stands off what is behind."""

    def __init__(self, ink: Ink) -> None:
        self._ink = ink
        self._made: dict[tuple[bool, bool, int, float], QPixmap] = {}
        self._diamonds: dict[tuple[int, float], QPixmap] = {}

    def stamp(self, painter: QPainter, x: Floats, y: Floats, *, up: bool, solid: bool, colour: QColor, size: float) -> None:
        """Draw the glyph with its tip at each point."""
        picture = self._glyph(up=up, solid=solid, colour=colour, size=size)
        half = picture.width() // 2
        lift = 0 if up else picture.height()
        for at_x, at_y in zip(np.floor(x).astype(int).tolist(), np.floor(y).astype(int).tolist(), strict=True):
            painter.drawPixmap(at_x - half, at_y - lift, picture)

    def stamp_diamonds(self, painter: QPainter, x: Floats, y: Floats, *, colour: QColor, size: float) -> None:
        """Draw a diamond around each point: a person's own mark, which no run has."""
        key = colour.rgba(), size
        if key not in self._diamonds:
            self._diamonds[key] = _diamond(self._ink, colour=colour, size=size)
        picture = self._diamonds[key]
        half = picture.width() // 2
        for at_x, at_y in zip(np.floor(x).astype(int).tolist(), np.floor(y).astype(int).tolist(), strict=True):
            painter.drawPixmap(at_x - half, at_y - half, picture)

    def _glyph(self, *, up: bool, solid: bool, colour: QColor, size: float) -> QPixmap:
        key = up, solid, colour.rgba(), size
        if key not in self._made:
            self._made[key] = _triangle(self._ink, up=up, solid=solid, colour=colour, size=size)
        return self._made[key]


def _triangle(ink: Ink, *, up: bool, solid: bool, colour: QColor, size: float) -> QPixmap:
    halo = ink.line
    side = math.ceil(size) + 2 * halo
    side += 1 - side % 2
    tall = math.ceil(size * 0.9) + 2 * halo
    tip, foot = (halo + 0.5, tall - halo - 0.5) if up else (tall - halo - 0.5, halo + 0.5)
    shape = QPolygonF([QPointF(side / 2, tip), QPointF(side / 2 + size / 2, foot), QPointF(side / 2 - size / 2, foot)])
    return _drawn(ink, shape, side, tall, colour=colour, solid=solid)


def _diamond(ink: Ink, *, colour: QColor, size: float) -> QPixmap:
    side = math.ceil(size) + 2 * ink.line
    side += 1 - side % 2
    middle, reach = side / 2, size / 2
    corners = ((middle, middle - reach), (middle + reach, middle), (middle, middle + reach), (middle - reach, middle))
    return _drawn(ink, QPolygonF([QPointF(*corner) for corner in corners]), side, side, colour=colour, solid=True)


def _drawn(ink: Ink, shape: QPolygonF, width: int, height: int, *, colour: QColor, solid: bool) -> QPixmap:
    halo = ink.line
    picture = QPixmap(width, height)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(ink.background, 2.0 * halo + 1, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    painter.setBrush(ink.background)
    painter.drawPolygon(shape)
    painter.setPen(QPen(colour, 1.2 * ink.line, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.MiterJoin))
    painter.setBrush(colour if solid else ink.background)
    painter.drawPolygon(shape)
    painter.end()
    return picture


def paint_marks(painter: QPainter, ink: Ink, glyphs: Glyphs, scene: Scene, frame: Frame, pane: Pane) -> Hits:
    """Draw the marks in view and return where they are. Crowded ones are merged to one mark a stretch."""
    hits = Hits()
    scale = frame.scales.get(pane.name)
    if scale is None or not len(frame.bars):
        return hits
    view = frame.view
    if scene.trades is not None:
        crowded = scene.trades.count(view.left, view.right) * _BUCKET * ink.step > view.width
        if crowded:
            _paint_buckets(painter, ink, glyphs, scene.trades, frame, scale, hits)
        else:
            _paint_trades(painter, ink, glyphs, scene.trades, frame, scale, hits)
    if scene.fills is not None:
        for buy, x, y, numbers in _single(scene.fills, ink, frame, scale):
            glyphs.stamp(painter, x, y, up=buy, solid=True, colour=ink.accent, size=2.2 * ink.step)
            hits.add("fill", x, _middle(y, ink, below=buy), numbers)
    if scene.by_hand is not None:
        for buy, x, y, numbers in _single(scene.by_hand, ink, frame, scale):
            # Beyond the triangle that a run may have there.
            beyond = y + (1 if buy else -1) * 2.5 * ink.step
            glyphs.stamp_diamonds(painter, x, beyond, colour=ink.of_sign(1 if buy else -1), size=2.4 * ink.step)
            hits.add("by hand", x, beyond, numbers)
    return hits


def _single(index: FillIndex, ink: Ink, frame: Frame, scale: PriceScale) -> Iterator[tuple[bool, Floats, Floats, Ints]]:
    """Yield the buys in view, then the sells: where their tips are, and their numbers."""
    numbers = index.visible(frame.view.left, frame.view.right)
    # The newest stay where there are more than anyone could tell apart.
    numbers = numbers[-max(1, frame.view.width // ink.step) :]
    sides = index.fills.side[numbers]
    for buy in (True, False):
        chosen = numbers[(sides > 0) == buy]
        x = _centres(frame, index.slot[chosen])
        yield buy, x, _beside(frame, scale, ink, x, below=buy, reach=ink.step), chosen


def _paint_trades(painter: QPainter, ink: Ink, glyphs: Glyphs, index: TradeIndex, frame: Frame, scale: PriceScale, hits: Hits) -> None:
    numbers = index.visible(frame.view.left, frame.view.right)
    if not len(numbers):
        return
    trades = index.trades
    entry_x, exit_x = _centres(frame, index.entry_slot[numbers]), _centres(frame, index.exit_slot[numbers])
    entry_y, exit_y = scale.ys(trades.entry_price[numbers]) + 0.5, scale.ys(trades.exit_price[numbers]) + 0.5
    pnl, long = trades.pnl[numbers], trades.direction[numbers] > 0
    signs = np.sign(pnl)
    for sign in (-1, 0, 1):
        same = signs == sign
        draw_lines(painter, ink.of_sign(sign), entry_x[same], entry_y[same], exit_x[same], exit_y[same])
    # A little tick at the very price, since the triangle stands beside the bar.
    dash = ink.step // 2
    for x, y in ((entry_x, entry_y), (exit_x, exit_y)):
        for sign in (-1, 0, 1):
            same = (signs == sign) & np.isfinite(y)
            fill_rects(painter, ink.of_sign(sign), np.floor(x[same]) - dash, np.floor(y[same]), 2 * dash + 1, ink.line)
    for x, is_entry in ((entry_x, True), (exit_x, False)):
        for buy in (True, False):
            chosen = long == (buy == is_entry)
            y = np.empty(len(x))
            y[chosen] = _beside(frame, scale, ink, x[chosen], below=buy, reach=ink.step)
            for sign in (-1, 0, 1):
                same = chosen & (signs == sign)
                glyphs.stamp(painter, x[same], y[same], up=buy, solid=is_entry, colour=ink.of_sign(sign), size=2.2 * ink.step)
            hits.add("trade", x[chosen], _middle(y[chosen], ink, below=buy), numbers[chosen])


def _paint_buckets(painter: QPainter, ink: Ink, glyphs: Glyphs, index: TradeIndex, frame: Frame, scale: PriceScale, hits: Hits) -> None:
    size = 1 << max(0, math.ceil(math.log2(_BUCKET * ink.step / frame.view.pixels_per_slot)))
    buckets = hits.buckets = index.buckets(frame.view.left, frame.view.right, size)
    x = _centres(frame, buckets.slot)
    signs = np.sign(buckets.pnl)
    tips: list[tuple[Floats, Ints, bool]] = []
    for buy, counts in ((True, buckets.buys), (False, buckets.sells)):
        used = counts > 0
        y = np.full(len(x), np.nan)
        y[used] = _beside(frame, scale, ink, x[used], below=buy, reach=_BUCKET * ink.step // 2)
        number = np.flatnonzero(np.isfinite(y))
        tips.append((y, number, buy))
        hits.add("bucket", x[number], _middle(y[number], ink, below=buy), number)
    for sign in (-1, 0, 1):
        same = [(x[number], y[number], buy) for y, every, buy in tips if len(number := every[signs[every] == sign])]
        draw_triangles(painter, ink.dim(ink.of_sign(sign)), same, half=ink.step - ink.line)


def _centres(frame: Frame, slots: Ints) -> Floats:
    """The middle of the slot's cell, on the same pixel as the wick of its candle."""
    left = frame.view.edges(slots)
    centres: Floats = 0.5 + left + (np.maximum(frame.view.edges(slots + 1) - left, 1) - 1) // 2
    return centres


def _beside(frame: Frame, scale: PriceScale, ink: Ink, x: Floats, *, below: bool, reach: int) -> Floats:
    """The row at which a mark clears every candle within `reach` pixels of its middle."""
    if not len(x):
        return np.empty(0)
    left = frame.view.edges(frame.bars.slot)
    first = np.searchsorted(left, x - reach, side="right") - 1
    last = np.searchsorted(left, x + reach, side="right")
    first = np.clip(first, 0, len(left) - 1)
    last = np.maximum(last, first + 1)
    # `reduceat` over pairs; one more entry, so that a stretch may end with the last column.
    pairs = np.column_stack((first, last)).ravel()
    gap = 1.5 * ink.step
    if below:
        lows = np.append(frame.bars.low, np.nan)
        return scale.ys(np.fmin.reduceat(lows, pairs)[::2]) + gap
    highs = np.append(frame.bars.high, np.nan)
    return scale.ys(np.fmax.reduceat(highs, pairs)[::2]) - gap


def _middle(y: Floats, ink: Ink, *, below: bool) -> Floats:
    return y + (1 if below else -1) * ink.step


def bucket_text(hits: Hits, number: int) -> str:
    """Return the label of a stretch."""
    buckets = hits.buckets
    if buckets is None or number >= len(buckets.slot):
        return ""
    return f"{int(buckets.buys[number])} bought, {int(buckets.sells[number])} sold · {amount(float(buckets.pnl[number]))}"


def trade_text(scene: Scene, number: int) -> str:
    """Return the label of a trade."""
    if scene.trades is None:
        return ""
    trades = scene.trades.trades
    side = "Long" if trades.direction[number] > 0 else "Short"
    prices = f"{figure(float(trades.entry_price[number]), scene.decimals)} → {figure(float(trades.exit_price[number]), scene.decimals)}"
    return f"{side} {_qty(float(trades.qty[number]))} · {prices} · {amount(float(trades.pnl[number]))}"


def fill_text(index: FillIndex | None, decimals: int, number: int) -> str:
    """Return the label of a fill."""
    if index is None:
        return ""
    fills = index.fills
    side = "Bought" if fills.side[number] > 0 else "Sold"
    return f"{side} {_qty(float(fills.qty[number]))} at {figure(float(fills.price[number]), decimals)}"


def _qty(qty: float) -> str:
    text = f"{qty:,.8f}".rstrip("0").rstrip(".")
    return text.replace(",", "\u2009")
