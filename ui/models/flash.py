"""Values that changed flash once: which cells, and for how long."""

from collections.abc import Iterable
from typing import Any, Final

from core.views.columns import Column, Kind

FLASH_MS: Final = 250
MOST_ROWS: Final = 64
"""When more rows change at once, a flash would tell nothing."""

_MOST_CELLS: Final = 5_000
FLASHING_KINDS: Final = frozenset({Kind.NUMBER, Kind.PRICE, Kind.MONEY, Kind.PERCENT, Kind.STATUS})

Cell = tuple[int, int]
"""The place of a row in its view, and the column."""


class Flashes:
    """Remembers what was written on the screen, and marks cells whose text has changed since."""

    def __init__(self, columns: tuple[Column[Any], ...]) -> None:
        self.columns = tuple(place for place, column in enumerate(columns) if column.kind in FLASHING_KINDS)
        self._flashable = frozenset(self.columns)
        self._written: dict[Cell, str] = {}
        self.lit: set[Cell] = set()

    def wrote(self, place: int, column: int, text: str) -> None:
        """Take note of a text that went to the screen."""
        if column in self._flashable:
            if len(self._written) > _MOST_CELLS:
                self._written.clear()
            self._written[place, column] = text

    def compare(self, cells: Iterable[tuple[Cell, str]]) -> bool:
        """Light the cells that were on the screen with another text; tell whether there are any."""
        changed = {cell for cell, text in cells if self._written.get(cell, text) != text}
        self.lit |= changed
        return bool(changed)

    def put_out(self) -> set[Cell]:
        """Return what was lit, and light nothing any more."""
        lit, self.lit = self.lit, set()
        return lit

    def forget(self) -> None:
        """Start anew: the rows are others, or stand elsewhere in the view."""
        self._written.clear()
        self.lit.clear()
