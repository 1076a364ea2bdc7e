"""Many rectangles or points in one call of the painter, straight from numpy. Pixels are device pixels.

PySide hands `QPainter` an array only as a list of objects, which costs more than the drawing. The painter also takes the address of
the first element and a count; a numpy array of the same memory layout gives both.
"""

from typing import Any, Final, cast

import numpy as np
from numpy.typing import ArrayLike
from PySide6.QtCore import QLineF, QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from shiboken6 import Shiboken

from ui.charts.pyramid import Floats

_FAR: Final = 100_000.0
"""Pixels beyond which a point is moved nearer: the rasteriser works with 24 bits before the point."""


def fill_rects(painter: QPainter, colour: QColor, left: ArrayLike, top: ArrayLike, width: ArrayLike, height: ArrayLike) -> None:
    """Fill rectangles of whole pixels with one colour, without smoothing. Arrays or numbers, broadcast; nan is not allowed."""
    left, top, width, height = np.broadcast_arrays(left, top, width, height)
    if left.size == 0:
        return
    # QRect holds x1, y1, x2, y2 as int32, the far edges included.
    corners = np.empty((left.size, 4), np.int32)
    corners[:, 0] = np.clip(left, -_FAR, _FAR)
    corners[:, 1] = np.clip(top, -_FAR, _FAR)
    corners[:, 2] = np.clip(np.add(left, width) - 1, -_FAR, _FAR)
    corners[:, 3] = np.clip(np.add(top, height) - 1, -_FAR, _FAR)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawRects(cast(QRect, Shiboken.wrapInstance(corners.ctypes.data, QRect)), left.size)


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


def dotted_across(painter: QPainter, colour: QColor, left: int, right: int, y: int, unit: int) -> None:
    """Draw a level dotted line of `unit` pixels on, two units off."""
    fill_rects(painter, colour, np.arange(left, right, unit * 3), y, unit, unit)


def mixed(over: QColor, under: QColor, share: float) -> QColor:
    """Return the opaque colour of `over` laid upon `under` with that share: it fills faster than a transparent one."""
    rest = 1 - share
    return QColor.fromRgbF(
        over.redF() * share + under.redF() * rest,
        over.greenF() * share + under.greenF() * rest,
        over.blueF() * share + under.blueF() * rest,
    )
