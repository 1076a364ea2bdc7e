"""Plots of the report as inline SVG: drawn by us, no script, reduced to what the pixels can show. Colours come from the style sheet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10
from typing import Final

import numpy as np

from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from core.model.market import Floats, Instants

WIDTH: Final = 1_120
HALF: Final = 548
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 24, 10, 24
_HOVERS: Final = 140
"""Strips of a plot over time that tell their values when the mouse rests on them."""
_MARKS: Final = (220, 90)
"""Cells of a scatter plot, across and up; a cell has one mark however many points fall into it."""

_FEW_MARKS: Final = 400
"""Up to so many marks are drawn larger."""

Form = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a plot over time. `style`: its class in the style sheet. `area`: filled to 0.

    `mean`: where points are more than pixels, show the mean of each pixel's instead of their range.
    """

    name: str
    style: str
    when_ns: Instants
    values: Floats
    area: bool = False
    mean: bool = False


def time_plot(label: str, lines: Sequence[Line], form: Form, *, span: tuple[int, int], height: int = 220, width: int = WIDTH) -> str:
    """Return lines over time. `form` writes a value on the axis and on hover; `span` is the axis from and to, UTC ns."""
    drawn = [_reduced(line, span, width - _LEFT - _RIGHT) for line in lines]
    finite = [values[np.isfinite(values)] for _, values in drawn]
    lowest = min((float(values.min()) for values in finite if len(values)), default=0.0)
    highest = max((float(values.max()) for values in finite if len(values)), default=0.0)
    if any(line.area for line in lines):
        lowest, highest = min(lowest, 0.0), max(highest, 0.0)
    scale = _Scale(lowest, highest, height)
    parts = [scale.axis(form, width), _time_axis(span, width, height)]
    if scale.low < 0 < scale.high:
        parts.append(f'<path class="zero" d="M{_LEFT} {scale.y(0):.1f}H{width - _RIGHT}"/>')
    for line, (at, values) in zip(lines, drawn, strict=True):
        shown = np.isfinite(values)
        x, y = _across(at[shown], span, width), scale.y(values[shown])
        if not len(x):
            continue
        points = _path(x, y)
        if line.area:
            base = scale.y(0.0)
            parts.append(f'<path class="area {line.style}" d="{points}L{x[-1]:.1f} {base:.1f}L{x[0]:.1f} {base:.1f}Z"/>')
        parts.append(f'<path class="line {line.style}" d="{points}"/>')
    parts.append(_hovers(lines, form, span, width, height))
    return _svg(label, width, height, parts)


def legend(lines: Sequence[Line]) -> str:
    """Return what each line is, for above the plot."""
    items = "".join(f'<span class="{line.style}"><i></i>{escape(line.name)}</span>' for line in lines)
    return f'<p class="legend">{items}</p>'


def bar_plot(label: str, names: Sequence[str], values: Sequence[float], tips: Sequence[str], form: Form, *, width: int = HALF) -> str:
    """Return one bar for each name, above and below 0 in their colours."""
    height = 200
    scale = _Scale(min(0.0, *values), max(0.0, *values), height)
    room = (width - _LEFT - _RIGHT) / max(len(values), 1)
    thick = min(room * 0.72, 46.0)
    every = ceil(len(names) * 34 / (width - _LEFT - _RIGHT)) if names else 1
    parts = [scale.axis(form, width), f'<path class="zero" d="M{_LEFT} {scale.y(0):.1f}H{width - _RIGHT}"/>']
    for at, (name, value, tip) in enumerate(zip(names, values, tips, strict=True)):
        middle = _LEFT + room * (at + 0.5)
        parts.append(_bar(middle - thick / 2, thick, scale.y(0.0), scale.y(value), "up" if value >= 0 else "down", tip))
        if at % every == 0:
            parts.append(f'<text class="tick" text-anchor="middle" x="{middle:.1f}" y="{height - 8}">{escape(name)}</text>')
    return _svg(label, width, height, parts)


def histogram_plot(label: str, edges: Floats, counts: Instants, form: Form, *, width: int = HALF) -> str:
    """Return a histogram; bins below 0 have the colour of losses."""
    height, left, right = 200, float(edges[0]), float(edges[-1])
    scale = _Scale(0.0, float(max(counts.max(), 1)), height)
    x = _LEFT + (edges - left) / (right - left) * (width - _LEFT - _RIGHT)
    parts = [scale.axis(lambda count: f"{count:,.0f}", width)]
    for at, count in enumerate(counts.tolist()):
        if count:
            tip = f"{form(float(edges[at]))} to {form(float(edges[at + 1]))}: {count:,}"
            style = "up" if edges[at] >= 0 else "down"
            parts.append(_bar(float(x[at]) + 0.5, float(x[at + 1] - x[at]) - 1.0, scale.y(0.0), scale.y(float(count)), style, tip))
    for tick in nice_ticks(left, right, 6):
        at_x = _LEFT + (tick - left) / (right - left) * (width - _LEFT - _RIGHT)
        parts.append(f'<text class="tick" text-anchor="middle" x="{at_x:.1f}" y="{height - 8}">{escape(form(tick))}</text>')
    return _svg(label, width, height, parts)


def scatter_plot(label: str, across: Floats, up: Floats, form: Form, *, names: tuple[str, str], width: int = HALF) -> str:
    """Return a mark for each point, in the colour of the sign of `up`; points that would cover each other share one."""
    height, bottom = 230, 40
    x_low, x_high = _widened(float(across.min()), float(across.max()))
    scale = _Scale(float(up.min()), float(up.max()), height, bottom)
    cells = np.column_stack(
        ((across - x_low) / (x_high - x_low) * (_MARKS[0] - 1), (up - scale.low) / (scale.high - scale.low) * (_MARKS[1] - 1))
    ).astype(np.int64)
    _, first = np.unique(cells[:, 0] * _MARKS[1] + cells[:, 1], return_index=True)
    x = _LEFT + (across[first] - x_low) / (x_high - x_low) * (width - _LEFT - _RIGHT)
    y = scale.y(up[first])
    parts = [scale.axis(form, width)]
    if scale.low < 0 < scale.high:
        parts.append(f'<path class="zero" d="M{_LEFT} {scale.y(0):.1f}H{width - _RIGHT}"/>')
    few = " few" if len(up) <= _FEW_MARKS else ""
    for style, chosen in (("up", up[first] >= 0), ("down", up[first] < 0)):
        marks = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(x[chosen].tolist(), y[chosen].tolist(), strict=True))
        if marks:
            parts.append(f'<path class="marks {style}{few}" d="{marks}"/>')
    for tick in nice_ticks(x_low, x_high, 6):
        at_x = _LEFT + (tick - x_low) / (x_high - x_low) * (width - _LEFT - _RIGHT)
        parts.append(f'<text class="tick" text-anchor="middle" x="{at_x:.1f}" y="{height - 24}">{escape(form(tick))}</text>')
    middle = (_LEFT + width - _RIGHT) / 2
    parts.append(f'<text class="tick" text-anchor="middle" x="{middle:.0f}" y="{height - 6}">{escape(names[0])}</text>')
    parts.append(f'<text class="tick" x="{_LEFT + 6}" y="{_TOP + 10}">{escape(names[1])}</text>')
    return _svg(label, width, height, parts)


def nice_ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers within the span, 1, 2 or 5 × a power of ten apart."""
    span = high - low
    if not span > 0 or not isfinite(span):
        return [low]
    rough = span / most
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1.0, 2.0, 5.0, 10.0) if power * factor >= rough)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def time_ticks(span: tuple[int, int], most: int = 9) -> list[tuple[int, str]]:
    """Return instants for the ticks of a time axis, with their words, all in UTC."""
    first, last = span
    for step_ns, form in _CLOCK_STEPS:
        if (last - first) / step_ns <= most:
            begin = -(-first // step_ns) * step_ns
            return [(at, _written(at, form)) for at in range(begin, last + 1, step_ns)]
    months = np.datetime64(first, "ns").astype("datetime64[M]").astype(int), np.datetime64(last, "ns").astype("datetime64[M]").astype(int)
    step = next(each for each in (1, 2, 3, 6, 12, 24, 60, 120, 240, 600) if (int(months[1]) - int(months[0])) / each <= most)
    found = []
    for month in range(-(-int(months[0]) // step) * step, int(months[1]) + 1, step):
        at = int(np.datetime64(month, "M").astype("datetime64[ns]").astype(np.int64))
        if first <= at <= last:
            found.append((at, _written(at, "year" if step >= 12 else "month")))
    return found


_CLOCK_STEPS: Final = (
    *((seconds * SECOND_NS, "second") for seconds in (10, 30)),
    *((minutes * MINUTE_NS, "minute") for minutes in (1, 5, 15, 30, 60, 180)),
    *((hours * HOUR_NS, "hour") for hours in (6, 12)),
    *((days * DAY_NS, "day") for days in (1, 2, 4)),
)
"""Distance of two ticks, and the form in which their time is written."""
_CUTS: Final = {"second": slice(11, 19), "minute": slice(11, 16), "day": slice(5, 10), "month": slice(0, 7), "year": slice(0, 4)}


def _written(at_ns: int, form: str) -> str:
    text = str(np.datetime64(at_ns, "ns"))
    return f"{text[5:10]} {text[11:16]}" if form == "hour" else text[_CUTS[form]]


class _Scale:
    """The upright axis of a plot."""

    def __init__(self, low: float, high: float, height: int, bottom: int = _BOTTOM) -> None:
        self.low, self.high = _widened(low, high)
        self._top, self._bottom = _TOP, height - bottom

    def y(self, value: Floats | float) -> Floats:
        return self._bottom - (np.asarray(value, np.float64) - self.low) / (self.high - self.low) * (self._bottom - self._top)

    def axis(self, form: Form, width: int) -> str:
        parts = []
        for tick in nice_ticks(self.low, self.high, 5):
            y = float(self.y(tick))
            parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{width - _RIGHT}"/>')
            parts.append(f'<text class="tick" text-anchor="end" x="{_LEFT - 8}" y="{y + 4:.1f}">{escape(form(tick))}</text>')
        return "".join(parts)


def _widened(low: float, high: float) -> tuple[float, float]:
    """Return the span with a little room at the ends that are not 0; never empty."""
    if not high > low:
        room = abs(low) * 0.01 or 1.0
        return low - room, high + room
    room = (high - low) * 0.03
    return low - room if low else low, high + room if high else high


def _reduced(line: Line, span: tuple[int, int], columns: int) -> tuple[Instants, Floats]:
    """Return the line with at most four points in each column of pixels: its first, lowest, highest and last."""
    finite = np.isfinite(line.values)
    when, values = line.when_ns[finite], line.values[finite]
    if len(values) <= 4 * columns or span[1] <= span[0]:
        return when, values
    edges = np.linspace(span[0], span[1], columns + 1)[1:-1].astype(np.int64)
    starts = np.unique(np.concatenate(([0], np.searchsorted(when, edges))))
    starts = starts[starts < len(values)]
    ends = np.append(starts[1:], len(values)) - 1
    if line.mean:
        return when[starts], np.add.reduceat(values, starts) / np.diff(np.append(starts, len(values)))
    lowest, highest = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    # Four points of a column stand at its first instant: their order within a pixel cannot be seen.
    reduced = np.column_stack((values[starts], lowest, highest, values[ends])).ravel()
    return np.repeat(when[starts], 4), reduced


def _across(when_ns: Instants, span: tuple[int, int], width: int) -> Floats:
    return _LEFT + (when_ns - span[0]) / max(span[1] - span[0], 1) * (width - _LEFT - _RIGHT)


def _path(x: Floats, y: Floats) -> str:
    points = [f"{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    kept = [point for at, point in enumerate(points) if at == 0 or point != points[at - 1]]
    return "M" + "L".join(kept)


def _time_axis(span: tuple[int, int], width: int, height: int) -> str:
    parts = []
    for at, words in time_ticks(span):
        x = float(_across(np.array([at]), span, width)[0])
        parts.append(f'<path class="grid" d="M{x:.1f} {_TOP}V{height - _BOTTOM}"/>')
        parts.append(f'<text class="tick" text-anchor="middle" x="{x:.1f}" y="{height - 8}">{words}</text>')
    return "".join(parts)


def _hovers(lines: Sequence[Line], form: Form, span: tuple[int, int], width: int, height: int) -> str:
    edges = np.linspace(span[0], span[1], _HOVERS + 1).astype(np.int64)
    x = _across(edges, span, width)
    parts = []
    for first, last, left, right in zip(edges[:-1].tolist(), edges[1:].tolist(), x[:-1].tolist(), x[1:].tolist(), strict=True):
        told = []
        for line in lines:
            at = int(np.searchsorted(line.when_ns, last, side="right")) - 1
            if at >= 0 and line.when_ns[at] >= first - (last - first) and isfinite(float(line.values[at])):
                told.append(f"{line.name} {form(float(line.values[at]))}")
        if told:
            moment = str(np.datetime64(last, "ns"))[:16].replace("T", " ")
            parts.append(
                f'<rect class="hover" x="{left:.1f}" y="{_TOP}" width="{right - left:.1f}" height="{height - _TOP - _BOTTOM}">'
                f"<title>{escape(moment)}\n{escape(chr(10).join(told))}</title></rect>"
            )
    return "".join(parts)


def _bar(x: float, thick: float, base: Floats, top: Floats, style: str, tip: str) -> str:
    upper, tall = min(float(base), float(top)), max(abs(float(base) - float(top)), 0.8)
    place = f'x="{x:.1f}" y="{upper:.1f}" width="{max(thick, 0.6):.1f}" height="{tall:.1f}"'
    return f'<rect class="bar {style}" {place}><title>{escape(tip)}</title></rect>'


def _svg(label: str, width: int, height: int, parts: Sequence[str]) -> str:
    plot = f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'
    # On a narrow screen a wide plot is scrolled: shrunk to it, nobody could read its axes.
    return f'<div class="scroll wide">{plot}</div>' if width == WIDTH else plot
