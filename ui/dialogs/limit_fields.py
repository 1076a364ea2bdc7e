"""The fields of the new-run dialog that hold a paper or live run's orders back: its own risk limits, each off while it is empty."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from PySide6.QtWidgets import QLineEdit, QWidget

from core.errors import InvalidValue
from core.model.money import parse_money
from core.model.risk import RiskLimits
from ui.dialogs.entry_grid import EntryGrid
from ui.dialogs.fractions import read_fraction
from ui.theme import Sizes


def _amount(text: str, field: str) -> Decimal:
    return parse_money(text.replace(",", ""), field=field)


def _count(text: str, field: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise InvalidValue(field, text, "it is a whole number.")
    return int(text)


def _seconds(text: str, field: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InvalidValue(field, text, "it is a number of seconds.") from error


_Read = Callable[[str, str], Decimal | int | float]
_LIMITS: Final[tuple[tuple[str, str, str, _Read], ...]] = (
    ("max_order_qty", "Order, units", "Most units in one order.", _amount),
    ("max_order_value", "Order, money", "Most money in one order.", _amount),
    ("max_order_share", "Order, share", "The same as a share of the equity, like 0.05 or 5 %.", read_fraction),
    ("max_price_distance", "Price away", "How far a price may lie from the last one, like 0.02 or 2 %.", read_fraction),
    ("max_position_value", "Position", "Most that one symbol's position may be worth.", _amount),
    ("max_gross_exposure", "Exposure", "Most that all positions may be worth, longs and shorts added.", _amount),
    ("max_orders_per_minute", "Orders a minute", "", _count),
    ("max_open_orders", "Open orders", "", _count),
    ("duplicate_window_s", "Same order", "Seconds within which the same order again is a mistake.", _seconds),
    ("max_daily_loss", "Loss in a day", "Money lost since 00:00 UTC at which only closing leaves.", _amount),
    ("max_drawdown", "Drawdown", "The same as a share of the highest equity.", read_fraction),
)


class LimitFields(EntryGrid):
    """Beside these the account has limits of its own. `terms` are checked when they are asked for."""

    def __init__(self, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(sizes, parent)
        for name, title, tip, _ in _LIMITS:
            line = self.add_line(name, title, "")
            line.setPlaceholderText("off")
            line.setToolTip(tip)
        self.hours = self.add_check("regular_hours_only", "Hours", "Regular session only")

    def terms(self) -> dict[str, Any]:
        """Return the fields as those of a RunConfig. Raises InvalidValue with the name of the field."""
        limits: dict[str, Any] = {"regular_hours_only": self.hours.isChecked()}
        for name, _, _, read in _LIMITS:
            control = self.rows()[name].control
            text = control.text().strip() if isinstance(control, QLineEdit) else ""
            if text:
                limits[name] = read(text, name)
        return {"limits": RiskLimits(**limits)}
