"""Where the panes and axes of a chart lie. Pure; device pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PRICE: Final = "price"
EQUITY: Final = "equity"
DRAWDOWN: Final = "drawdown"

_WEIGHTS: Final = {PRICE: 6.0, EQUITY: 1.7, DRAWDOWN: 1.3}
_OTHER_WEIGHT: Final = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pane:
    """A stripe of the chart with a value axis of its own: pixels `[top, bottom)`."""

    name: str
    top: int
    bottom: int

    @property
    def height(self) -> int:
        """Rows of the pane."""
        return self.bottom - self.top

    def holds(self, y: float) -> bool:
        """Whether a row is inside."""
        return self.top <= y < self.bottom


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Panes from top to bottom in `[0, plot_width)`, value axes right of them, the time axis below `plot_bottom`."""

    width: int
    height: int
    plot_width: int
    plot_bottom: int
    panes: tuple[Pane, ...]

    def pane(self, name: str) -> Pane | None:
        """Return the pane of that name, or None where there was no room for it."""
        return next((pane for pane in self.panes if pane.name == name), None)

    def pane_at(self, y: float) -> Pane | None:
        """Return the pane that holds a row."""
        return next((pane for pane in self.panes if pane.holds(y)), None)


def lay_out(
    names: Sequence[str], width: int, height: int, *, axis_width: int, axis_height: int, least: int, weights: dict[str, float] | None = None
) -> Layout:
    """Return the layout for panes `names`, the price pane first; those at the end go where none would be `least` pixels high.

    `weights`: shares of the height that differ from the usual ones.
    """
    plot_bottom = max(1, height - axis_height)
    shares = [(weights or {}).get(name, _WEIGHTS.get(name, _OTHER_WEIGHT)) for name in names]
    while len(shares) > 1 and min(shares) / sum(shares) * plot_bottom < least:
        shares.pop()
    panes: list[Pane] = []
    top, done = 0, 0.0
    for name, share in zip(names, shares, strict=False):
        done += share
        bottom = round(done / sum(shares) * plot_bottom)
        panes.append(Pane(name=name, top=top, bottom=bottom))
        top = bottom + 1
    return Layout(width=width, height=height, plot_width=max(1, width - axis_width), plot_bottom=plot_bottom, panes=tuple(panes))
