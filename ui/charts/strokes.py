"""Many rectangles or points in one call of the painter, straight from numpy. Pixels are device pixels.

PySide hands `QPainter` an array only as a list of objects, which costs more than the drawing. The painter also takes the address of
the first element and a count; a numpy array of the same memory layout gives both.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import QLineF, QPoint, QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from shiboken6 import Shiboken

from ui.charts.pyramid import Floats

_Number = TypeVar("_Number", np.int32, np.float64)
_Shape = TypeVar("_Shape", QRect, QLineF)

_FAR: Final = 100_000.0
"""Pixels beyond which a point is moved nearer: the rasteriser works with 24 bits before the point."""


def fill_rects(painter: QPainter, colour: QColor, left: ArrayLike, top: ArrayLike, width: ArrayLike, height: ArrayLike) -> None:
    """Fill rectangles of whole pixels with one colour, without smoothing. Arrays or numbers, broadcast; within ±10⁹, not nan."""
    count = max(np.size(left), np.size(top)) if np.size(left) and np.size(top) else 0
    if count == 0:
        return
    corners, first = _rects(_capacity(count))
    corners = corners[:count]
    corners[:, 0] = left
    corners[:, 1] = top
    corners[:, 2] = width
    corners[:, 3] = height
    corners[:, 2:] += corners[:, :2]
    corners[:, 2:] -= 1
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawRects(first, count)


def draw_lines(painter: QPainter, colour: QColor, x1: Floats, y1: Floats, x2: Floats, y2: Floats) -> None:
    """Draw separate smooth lines, one pixel wide."""
    if len(x1) == 0:
        return
    ends = np.clip(np.column_stack((x1, y1, x2, y2)), -_FAR, _FAR)
    ends = ends[np.isfinite(ends).all(axis=1)]
    memory, first = _lines(_capacity(len(ends)))
    memory[: len(ends)] = ends
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(QPen(colour, 1.0))
    painter.drawLines(first, len(ends))
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


def _capacity(count: int) -> int:
    return 1 << max(6, (count - 1).bit_length())


@cache
def _rects(capacity: int) -> tuple[NDArray[np.int32], QRect]:
    """Memory for rectangles, and its first one as Qt sees it. QRect holds x1, y1, x2, y2 as int32, the far edges included."""
    return _shared(np.int32, capacity, QRect)


@cache
def _lines(capacity: int) -> tuple[Floats, QLineF]:
    """Memory for lines, and its first one as Qt sees it: x1, y1, x2, y2 as doubles."""
    return _shared(np.float64, capacity, QLineF)


def _shared(dtype: type[_Number], capacity: int, kind: type[_Shape]) -> tuple[NDArray[_Number], _Shape]:
    """Return memory of four numbers each that Qt and numpy share. It is kept for good.

    Shiboken knows an object by its address: at memory that is given back and taken again it may still see what was there before, so
    the memory is never given back, and an address it takes for something else is passed over.
    """
    passed_over = []
    while True:
        memory = np.zeros((capacity, 4), dtype)
        first = Shiboken.wrapInstance(memory.ctypes.data, kind)
        if type(first) is kind:
            return memory, first
        passed_over.append(memory)


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


def mixed(over: QColor, under: QColor, share: float) -> QColor:
    """Return the opaque colour of `over` laid upon `under` with that share: it fills faster than a transparent one."""
    rest = 1 - share
    return QColor.fromRgbF(
        over.redF() * share + under.redF() * rest,
        over.greenF() * share + under.greenF() * rest,
        over.blueF() * share + under.blueF() * rest,
    )
