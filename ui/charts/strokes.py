"""Many rectangles or points in one call of the painter, straight from numpy. Pixels are device pixels.

PySide hands `QPainter` an array only as a list of objects, which costs more than the drawing. The painter also takes the address of
the first element and a count; a numpy array of the same memory layout gives both.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

import numpy as np
from numpy.typing import ArrayLike
from PySide6.QtCore import QLineF, QPoint, QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from shiboken6 import Shiboken

from ui.charts.pyramid import Floats, Ints

_FAR: Final = 100_000.0
"""Pixels beyond which a point is moved nearer: the rasteriser works with 24 bits before the point."""


def fill_rects(painter: QPainter, colour: QColor, left: ArrayLike, top: ArrayLike, width: ArrayLike, height: ArrayLike) -> None:
    """Fill rectangles of whole pixels with one colour, without smoothing. Arrays or numbers, broadcast; within ±10⁹, not nan."""
    count = max(np.size(left), np.size(top)) if np.size(left) and np.size(top) else 0
    if count == 0:
        return
    # QRect holds x1, y1, x2, y2 as int32, the far edges included.
    corners = np.empty((count, 4), np.int32)
    corners[:, 0] = left
    corners[:, 1] = top
    corners[:, 2] = width
    corners[:, 3] = height
    corners[:, 2:] += corners[:, :2]
    corners[:, 2:] -= 1
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawRects(cast(QRect, Shiboken.wrapInstance(corners.ctypes.data, QRect)), count)


def draw_lines(painter: QPainter, colour: QColor, x1: Floats, y1: Floats, x2: Floats, y2: Floats) -> None:
    """Draw separate smooth lines, one pixel wide."""
    if len(x1) == 0:
        return
    ends = np.clip(np.column_stack((x1, y1, x2, y2)), -_FAR, _FAR)
    ends = np.ascontiguousarray(ends[np.isfinite(ends).all(axis=1)])
    if len(ends) == 0:
        return
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(QPen(colour, 1.0))
    painter.drawLines(cast(QLineF, Shiboken.wrapInstance(ends.ctypes.data, QLineF)), len(ends))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def draw_curve(painter: QPainter, colour: QColor, x: Floats, y: Floats, *, weight: float) -> None:
    """Draw a smooth line through the points, broken where `y` is nan; a point between two holes becomes a dot.

    A wide smooth pen costs forty times a one-pixel one, so a wider line is drawn as one-pixel lines half a pixel apart.
    """
    real = np.isfinite(y)
    if not real.any():
        return
    borders = np.flatnonzero(np.diff(np.concatenate(([False], real, [False])).astype(np.int8)))
    firsts, lasts = borders[0::2], borders[1::2]
    points = np.column_stack((x, np.clip(y, -_FAR, _FAR)))
    single = lasts - firsts == 1
    if single.any():
        dots = points[firsts[single]]
        side = max(2, round(weight))
        fill_rects(painter, colour, np.floor(dots[:, 0] - side / 2), np.floor(dots[:, 1] - side / 2), side, side)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(QPen(colour, 1.0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    passes = max(1, round((weight - 1) * 2) + 1)
    for number in range(passes):
        shift = (number - (passes - 1) / 2) / 2
        painter.translate(0.0, shift)
        for first, last in zip(firsts[~single].tolist(), lasts[~single].tolist(), strict=True):
            painter.drawPolyline(_polygon(points[first:last]))
        painter.translate(0.0, -shift)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _polygon(points: Floats) -> QPolygonF:
    polygon = QPolygonF()
    polygon.resize(len(points))
    # QPolygonF is a vector of pairs of doubles.
    memory = cast(Any, Shiboken).VoidPtr(polygon.data(), points.size * 8, True)
    np.frombuffer(memory, dtype=np.float64).reshape(-1, 2)[:] = points
    return polygon


def dashed_line(painter: QPainter, colour: QColor, start: QPoint, end: QPoint, *, width: int, pattern: Sequence[float]) -> None:
    """Draw a level or upright line of dashes; `pattern`: lengths on and off, in widths of the line."""
    pen = QPen(colour, width)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    pen.setDashPattern(pattern)
    painter.setPen(pen)
    painter.drawLine(start, end)


def draw_triangles(painter: QPainter, colour: QColor, groups: Sequence[tuple[Floats, Floats, bool]], *, half: int) -> None:
    """Draw small triangles from whole pixels: x and y of their tips and whether they point up; `half` columns on each side."""
    if not groups:
        return
    rows = np.arange(half + 1)
    left = np.concatenate([np.floor(x).astype(np.int64) for x, _, _ in groups])[:, None] - rows
    top = np.concatenate([np.floor(y).astype(np.int64)[:, None] + (rows if up else -rows) for _, y, up in groups])
    fill_rects(painter, colour, left.ravel(), top.ravel(), np.tile(2 * rows + 1, len(left)), 1)


def fill_below(painter: QPainter, colour: QColor, x: Ints, y: Ints, end: int, top: int) -> None:
    """Fill from row `top` down to a line of steps: `y[i]` holds from `x[i]` to `x[i + 1]`, the last one to `end`."""
    if not len(x):
        return
    corners = np.empty((len(x) * 2 + 2, 2))
    corners[1:-1:2, 0] = x
    corners[2:-1:2, 0] = np.append(x[1:], end)
    corners[1:-1, 1] = np.repeat(y, 2)
    corners[0] = x[0], top
    corners[-1] = end, top
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawPolygon(_polygon(corners))


def mixed(over: QColor, under: QColor, share: float) -> QColor:
    """Return the opaque colour of `over` laid upon `under` with that share: it fills faster than a transparent one."""
    rest = 1 - share
    return QColor.fromRgbF(
        over.redF() * share + under.redF() * rest,
        over.greenF() * share + under.greenF() * rest,
        over.blueF() * share + under.blueF() * rest,
    )
