"""The read-out line: a bar's values in words, with their colours."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtGui import QColor, QPainter

from ui.charts.figures import compact, figure, percent, signed
from ui.charts.ink import Ink
from ui.charts.layout import DRAWDOWN, EQUITY, PRICE, Pane
from ui.charts.scene import Scene


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


def place_words(ink: Ink, words: Sequence[Word], width: int) -> list[tuple[int, int, Word]]:
    """Return each word with its left edge and its row, broken into rows of `width` pixels; a label stays with its value."""
    left = 2 * ink.step
    placed: list[tuple[int, int, Word]] = []
    x, row = left, 0
    for number, word in enumerate(words):
        wide = ink.text_width(word.text, bold=word.kind == "title")
        follows = words[number + 1].text if word.kind == "label" and number + 1 < len(words) else ""
        needed = wide + (ink.step + ink.text_width(follows) if follows else 0)
        if x > left and x + needed > width - ink.step:
            x, row = left, row + 1
        placed.append((x, row, word))
        x += wide + (ink.step if word.kind == "label" else 3 * ink.step if word.kind == "title" else 2 * ink.step)
    return placed


def paint_words(painter: QPainter, ink: Ink, words: Sequence[Word], pane: Pane, width: int, rows: int) -> None:
    """Draw the first `rows` rows of a read-out at the top left of a pane."""
    top = pane.top + ink.step // 2
    for x, row, word in place_words(ink, words, width):
        if row >= rows:
            return
        painter.setPen(_colour(ink, word))
        ink.write(painter, x, top + row * (ink.row - ink.step // 2), word.text, bold=word.kind == "title")


def _colour(ink: Ink, word: Word) -> QColor:
    by_kind = {"title": ink.text, "label": ink.muted, "value": ink.text, "up": ink.up, "down": ink.down}
    return ink.line_colour(word.number) if word.kind == "line" else by_kind[word.kind]
