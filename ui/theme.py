"""Colours and sizes: the only file that names one. Everything else takes a `Theme`."""

from dataclasses import dataclass, replace
from typing import Final

from PySide6.QtGui import QColor


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The tokens of one theme, as `#rrggbb`. Colour is kept for meaning."""

    name: str
    background: str
    panel: str
    raised: str
    line: str
    text: str
    muted: str
    faint: str
    accent: str
    up: str
    down: str
    warning: str
    danger: str
    backtest: str
    paper: str
    live: str
    on_accent: str

    @property
    def is_dark(self) -> bool:
        """Whether the background is dark."""
        return QColor(self.background).lightnessF() < 0.5

    def colour(self, token: str, alpha: float = 1.0) -> QColor:
        """Return a token as QColor; `alpha` from 0 to 1."""
        colour = QColor(getattr(self, token))
        colour.setAlphaF(alpha)
        return colour

    def for_colour_blind(self) -> "Theme":
        """Return the theme with blue and orange for up and down."""
        up, down = ("#4c9aff", "#ff9f40") if self.is_dark else ("#1769d2", "#c96a00")
        return replace(self, up=up, down=down)


DARK: Final = Theme(
    name="dark",
    background="#0f1318",
    panel="#151b22",
    raised="#1d2530",
    line="#263140",
    text="#e6ebf1",
    muted="#9aa7b5",
    faint="#64717f",
    accent="#4c9aff",
    up="#26a69a",
    down="#ef5350",
    warning="#f2b84b",
    danger="#ff5c5c",
    backtest="#64717f",
    paper="#8f7bff",
    live="#ff5c5c",
    on_accent="#0f1318",
)

LIGHT: Final = Theme(
    name="light",
    background="#f4f6f8",
    panel="#ffffff",
    raised="#ffffff",
    line="#d7dde4",
    text="#17202a",
    muted="#56636f",
    faint="#8b97a3",
    accent="#1769d2",
    up="#0b8a7a",
    down="#d93636",
    warning="#a86700",
    danger="#c62828",
    backtest="#8b97a3",
    paper="#5f48d6",
    live="#c62828",
    on_accent="#ffffff",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Lengths in device-independent pixels; `scaled` multiplies all of them."""

    font: int = 13
    table_font: int = 12
    row: int = 24
    dense_row: int = 20
    step: int = 4
    radius: int = 4
    icon: int = 16

    def scaled(self, percent: float) -> "Sizes":
        """Return these sizes at `percent` of normal."""
        factor = percent / 100
        names = ("font", "table_font", "row", "dense_row", "step", "radius", "icon")
        return Sizes(**{name: max(1, round(getattr(self, name) * factor)) for name in names})
