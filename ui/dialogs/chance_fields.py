"""The field of the new-run dialog that concerns chance: what the strategy's random numbers start from."""

from typing import Any

from PySide6.QtWidgets import QWidget

from core.errors import InvalidValue
from ui.dialogs.entry_grid import EntryGrid
from ui.theme import Sizes


class ChanceFields(EntryGrid):
    """One line; a strategy that draws no random numbers gives the same run with any seed."""

    def __init__(self, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(sizes, parent)
        self.seed = self.add_line("seed", "Seed", _hint)
        self.seed.setPlaceholderText("0")
        self.seed.setToolTip("What the strategy's random numbers start from; the same seed gives the same run.")

    def terms(self) -> dict[str, Any]:
        """Return the field as that of a RunConfig. Raises InvalidValue."""
        return {"seed": _seed(self.seed.text())}


def _seed(text: str) -> int:
    digits = text.strip()
    if not digits:
        return 0
    if not (digits.isascii() and digits.isdecimal()):
        raise InvalidValue("seed", digits, "it is a whole number from 0 on.")
    return int(digits)


def _hint(text: str) -> str:
    try:
        _seed(text)
    except InvalidValue:
        return "A whole number from 0 on."
    return ""
