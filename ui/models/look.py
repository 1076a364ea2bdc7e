"""What a model needs to write and colour its cells, in one object that the window exchanges when the theme changes."""

from dataclasses import dataclass
from typing import Any, Final

from core.views.columns import Column, Kind
from ui.format import MISSING, Zone
from ui.theme import Sizes, Theme


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Theme, sizes and the zone of times."""

    theme: Theme
    sizes: Sizes
    zone: Zone
    flash: bool = True


_STATUS_TOKENS: Final = {
    "running": "accent",
    "completed": "up",
    "filled": "up",
    "good": "up",
    "accepted": "accent",
    "submitting": "accent",
    "partially_filled": "accent",
    "info": "faint",
    "stopped": "warning",
    "interrupted": "warning",
    "expired": "warning",
    "warning": "warning",
    "error": "danger",
    "rejected": "danger",
    "disabled": "danger",
}

_SIDE_TOKENS: Final = {"buy": "up", "long": "up", "sell": "down", "short": "down"}


def status_token(status: str) -> str:
    """Return the theme's token for a status' dot; what is over or waiting without a verdict is faint."""
    return _STATUS_TOKENS.get(status, "faint")


def text_token(column: Column[Any], value: Any, text: str) -> str | None:
    """Return the token of a cell's text, or None for the ordinary one. Colour is kept for meaning."""
    if text == MISSING:
        return "faint"
    if column.kind is Kind.SIDE:
        return _SIDE_TOKENS.get(value, "muted")
    if column.kind is Kind.MODE:
        return str(value)
    if column.signed and value:
        return "up" if value > 0 else "down"
    return "muted" if column.kind in {Kind.ID, Kind.TIME} else None
