"""The moving part of the chart: crosshair, its tags on the axes, the read-out line and the label of a mark."""

from dataclasses import dataclass

import numpy as np
from PySide6.QtGui import QColor, QFontMetrics, QPainter

from ui.charts.axes import value_text
from ui.charts.figures import compact, figure, percent, signed
from ui.charts.ink import Ink
from ui.charts.layout import DRAWDOWN, EQUITY, PRICE, Pane
from ui.charts.picture import Picture
from ui.charts.scene import Scene
from ui.charts.strokes import fill_rects
from ui.charts.time_ticks import instant_text


@dataclass(frozen=True, slots=True)
class Crosshair:
    """Where the crosshair stands: a bar, and a row (device pixels) unless it was set from the keyboard or another chart."""

    bar: int
    y: float | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of the read-out; a `label` is muted and stands before its value."""

    text: str
    kind: str
    number: int = 0


def readout(scene: Scene, bar: int) -> list[Word]:
    """Return the read-out of a bar: open, high, low, close, volume, change against the close before, and the price pane's lines."""
    data = scene.data
    if data is None or not 0 <= bar < len(data):
        return []
    series = data.series
    close = float(series.close[bar])
    before = float(series.close[bar - 1]) if bar > 0 else float(series.open[bar])
    change = close - before
    kind = "up" if change > 0 else "down" if change < 0 else "value"
    words = [Word(scene.title, "title")] if scene.title else []
    for letter, column in (("O", series.open), ("H", series.high), ("L", series.low), ("C", series.close)):
        words += [Word(letter, "label"), Word(figure(float(column[bar]), scene.decimals), kind)]
    fraction = change / before if before else float("nan")
    words.append(Word(f"{signed(change, scene.decimals)} ({percent(fraction)})", kind))
    words += [Word("V", "label"), Word(compact(float(series.volume[bar])), "value")]
    for number, line in enumerate(scene.lines):
        if line.pane == PRICE:
            words += [Word(line.name, "label"), Word(figure(float(line.values[bar]), scene.decimals), "line", number)]
    return words


def pane_readout(scene: Scene, pane: str, bar: int) -> list[Word]:
    """Return the read-out of another pane at a bar."""
    words: list[Word] = []
    if pane in {EQUITY, DRAWDOWN}:
        words.append(Word("Equity" if pane == EQUITY else "Drawdown", "label"))
        found = scene.equity.at(int(scene.data.timeline.slots[bar])) if scene.equity is not None and scene.data is not None else None
        if found is not None and scene.equity is not None:
            equity, drawdown = found
            if pane == DRAWDOWN:
                return [*words, Word(percent(drawdown), "down" if drawdown < 0 else "value")]
            start = scene.equity.start_equity
            change = equity / start - 1 if start else float("nan")
            words.append(Word(figure(equity, 2), "value"))
            words.append(Word(percent(change), "up" if change > 0 else "down" if change < 0 else "value"))
        return words
    for number, line in enumerate(scene.lines):
        if line.pane == pane:
            words += [Word(line.name, "label"), Word(figure(float(line.values[bar]), 2), "line", number)]
    return words


def plain_text(words: list[Word]) -> str:
    """Return a read-out as one sentence, for a screen reader."""
    return " ".join(word.text for word in words)


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
        _paint_words(painter, ink, words, pane, layout.plot_width)
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
    unit = ink.line
    dash, gap = 4 * unit, 3 * unit
    if 0 <= x < layout.plot_width:
        fill_rects(painter, ink.faint, x, np.arange(0, layout.plot_bottom, dash + gap), unit, dash)
    painter.setFont(ink.font)
    pane = layout.pane_at(at.y) if at.y is not None else None
    if at.y is not None and pane is not None and pane.name in picture.frame.scales:
        y = round(at.y)
        fill_rects(painter, ink.faint, np.arange(0, layout.plot_width, dash + gap), y, dash, unit)
        value = picture.frame.scales[pane.name].value(at.y)
        text = value_text(scene, pane.name, value, picture.steps[pane.name] / 10)
        middle = min(max(y, ink.row // 2), layout.plot_bottom - ink.row // 2)
        ink.tag(painter, text, layout.plot_width, middle, ink.tag_fill, width=layout.width - layout.plot_width)
    timeline = data.timeline
    seconds = timeline.timeframe_ns % 60_000_000_000 != 0
    text = instant_text(int(timeline.start_ns[bar]), scene.zone, daily=timeline.is_daily, seconds=seconds)
    wide = ink.metrics.horizontalAdvance(text) + 2 * ink.pad
    if -wide < x < layout.plot_width + wide:
        left = min(max(0, x - wide // 2), max(0, layout.plot_width - wide))
        ink.tag(painter, text, left, layout.plot_bottom + ink.step + ink.row // 2, ink.tag_fill)


def _paint_words(painter: QPainter, ink: Ink, words: list[Word], pane: Pane, width: int) -> None:
    left, top = 2 * ink.step, pane.top + ink.step // 2
    x = left
    for number, word in enumerate(words):
        metrics: QFontMetrics = ink.bold_metrics if word.kind == "title" else ink.metrics
        wide = metrics.horizontalAdvance(word.text)
        # A label stays with its value.
        needed = wide + (metrics.horizontalAdvance(words[number + 1].text) if word.kind == "label" and number + 1 < len(words) else 0)
        if x > left and x + needed > width - ink.step:
            x, top = left, top + ink.row - ink.step // 2
        if top + ink.row > pane.bottom:
            return
        painter.setFont(ink.bold if word.kind == "title" else ink.font)
        painter.setPen(_colour(ink, word))
        painter.drawText(x, top + ink.baseline, word.text)
        x += wide + (ink.step if word.kind == "label" else 3 * ink.step if word.kind == "title" else 2 * ink.step)


def _colour(ink: Ink, word: Word) -> QColor:
    by_kind = {"title": ink.text, "label": ink.muted, "value": ink.text, "up": ink.up, "down": ink.down}
    return ink.line_colour(word.number) if word.kind == "line" else by_kind[word.kind]


def _paint_label(painter: QPainter, ink: Ink, text: str, x: int, y: int, width: int) -> None:
    wide = ink.metrics.horizontalAdvance(text) + 2 * ink.pad
    left = x + 3 * ink.step if x + 3 * ink.step + wide < width else max(0, x - 3 * ink.step - wide)
    middle = max(y - 2 * ink.row // 2 - ink.step, ink.row // 2 + ink.line)
    painter.setFont(ink.font)
    painter.fillRect(left - ink.line, middle - ink.row // 2 - ink.line, wide + 2 * ink.line, ink.row + 2 * ink.line, ink.rule)
    ink.tag(painter, text, left, middle, ink.raised)
