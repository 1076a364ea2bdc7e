"""Colours, fonts and lengths of a chart in device pixels, made from the theme once for each theme, size and screen."""

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QStaticText, QTransform

from ui.charts.strokes import mixed
from ui.theme import Sizes, Theme

_LINE_TOKENS: Final = ("accent", "warning", "paper", "text", "muted")

_TEXTS: Final = 2_000
"""Texts whose shape and width are remembered."""


class Ink:
    """What to draw with. `ratio`: device pixels per device-independent pixel."""

    def __init__(self, theme: Theme, sizes: Sizes, ratio: float, family: str) -> None:
        self.theme = theme
        self.ratio = ratio
        self.line = max(1, int(ratio))
        self.step = max(1, round(sizes.step * ratio))
        self.weight = max(ratio, 1.5)
        self.font = _font(family, max(7, round((sizes.table_font - 1) * ratio)), bold=False)
        self.bold = _font(family, max(7, round((sizes.table_font - 1) * ratio)), bold=True)
        self.metrics = QFontMetrics(self.font)
        self.bold_metrics = QFontMetrics(self.bold)
        self._texts: dict[tuple[str, bool], QStaticText] = {}
        self._widths: dict[tuple[str, bool], int] = {}
        self.row = self.metrics.height() + self.step
        self.background = theme.colour("panel")
        self.text = theme.colour("text")
        self.muted = theme.colour("muted")
        self.faint = theme.colour("faint")
        self.rule = theme.colour("line")
        self.accent = theme.colour("accent")
        self.raised = theme.colour("raised")
        self.up = theme.colour("up")
        self.down = theme.colour("down")
        self.grid = mixed(self.rule, self.background, 0.5)
        self.up_volume = mixed(self.up, self.background, 0.32)
        self.down_volume = mixed(self.down, self.background, 0.32)
        self.down_area = mixed(self.down, self.background, 0.28)
        self.band = mixed(self.accent, self.background, 0.13)
        self.tag_fill = mixed(self.muted, self.background, 0.35) if theme.is_dark else mixed(self.text, self.background, 0.82)
        self.lines = [theme.colour(token) for token in _LINE_TOKENS]

    def text_width(self, text: str, *, bold: bool = False) -> int:
        """Return how many pixels a text takes; remembered, since axes write the same texts frame after frame."""
        key = text, bold
        known = self._widths.get(key)
        if known is None:
            if len(self._widths) > _TEXTS:
                self._widths.clear()
            known = self._widths[key] = (self.bold_metrics if bold else self.metrics).horizontalAdvance(text)
        return known

    def write(self, painter: QPainter, left: int, top: int, text: str, *, bold: bool = False) -> None:
        """Write a text with the painter's pen, in a row that begins at `top`; its shape is remembered."""
        key = text, bold
        known = self._texts.get(key)
        if known is None:
            if len(self._texts) > _TEXTS:
                self._texts.clear()
            known = self._texts[key] = QStaticText(text)
            known.setTextFormat(Qt.TextFormat.PlainText)
            known.prepare(QTransform(), self.bold if bold else self.font)
        painter.setFont(self.bold if bold else self.font)
        painter.drawStaticText(left, top + (self.row - self.metrics.height()) // 2, known)

    def line_colour(self, number: int) -> QColor:
        """Return the colour of the n-th indicator line."""
        return self.lines[number % len(self.lines)]

    def of_sign(self, value: float) -> QColor:
        """Return the colour of a gain or a loss; muted for neither."""
        return self.up if value > 0 else self.down if value < 0 else self.muted

    def dim(self, colour: QColor) -> QColor:
        """Return a colour for what there is a crowd of."""
        return mixed(colour, self.background, 0.6)

    def on(self, fill: QColor) -> QColor:
        """Return the one of text and background that is easier to read upon `fill`."""
        dark, light = sorted((self.text, QColor(self.theme.background)), key=_luminance)
        ground = _luminance(fill)
        return light if (_luminance(light) + 0.05) / (ground + 0.05) >= (ground + 0.05) / (_luminance(dark) + 0.05) else dark

    def tag(self, painter: QPainter, text: str, left: int, middle: int, fill: QColor, *, width: int | None = None) -> None:
        """Draw a filled label whose left edge and middle row are given; `width` is that of its text without one."""
        wide = width if width is not None else self.text_width(text) + 2 * self.pad
        top = middle - self.row // 2
        painter.fillRect(left, top, wide, self.row, fill)
        painter.setPen(self.on(fill))
        self.write(painter, left + self.pad, top, text)

    @property
    def pad(self) -> int:
        """Space between a label's text and its border."""
        return self.step + self.step // 2


def _font(family: str, pixels: int, *, bold: bool) -> QFont:
    font = QFont(family)
    font.setPixelSize(pixels)
    font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    # Figures of one width: a read-out that changes must not shake.
    font.setFeature(QFont.Tag("tnum"), 1)
    return font


def _luminance(colour: QColor) -> float:
    red, green, blue = (_linear(part) for part in (colour.redF(), colour.greenF(), colour.blueF()))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
