"""Columns as data: what a table shows, how wide, and how its values are to be written."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

Row = TypeVar("Row")


class Kind(StrEnum):
    """How a value is written, sorted and coloured."""

    TEXT = "text"
    ID = "id"
    """Shortened in the middle on the screen, whole in the tooltip and when copied."""
    NUMBER = "number"
    PRICE = "price"
    MONEY = "money"
    """Account currency; a loss is coloured."""
    PERCENT = "percent"
    """A fraction; 0.012 is written as 1.20 %."""
    TIME = "time"
    """UTC ns; written in the reader's zone, which the header names."""
    DURATION = "duration"
    """Seconds."""
    STATUS = "status"
    """A word of a status, with a dot."""
    MODE = "mode"
    """Paper or live, in the mode's own colour: whether money is at risk is seen at once."""
    SIDE = "side"
    PROGRESS = "progress"
    """A fraction from 0 to 1, drawn as a bar; None draws nothing."""
    SPARK = "spark"
    """A tuple of floats, drawn as a small line."""

    @property
    def is_numeric(self) -> bool:
        """Whether it stands at the right and sorts as a number."""
        return self in _NUMERIC


_NUMERIC: Final = frozenset({Kind.NUMBER, Kind.PRICE, Kind.MONEY, Kind.PERCENT, Kind.DURATION, Kind.PROGRESS})

PRICE_DECIMALS: Final = "price"
QTY_DECIMALS: Final = "qty"


# No slots: on Python 3.11 a generic, frozen class with slots cannot be made through `Column[Row](…)`.
@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column. `value` gives the raw value of a row, None where it has none.

    `decimals`: a number; `price` or `qty` follow the instrument; None writes the value as it is. `width` in pixels at
    normal scale. `signed` colours a loss and writes a plus. `hidden` columns are there to be switched on. `gives_way`: where the
    panel has no room for all, columns with the highest number are left out first; those with 0 never are.
    """

    key: str
    title: str
    kind: Kind
    value: Callable[[Row], Any]
    width: int
    _: KW_ONLY
    decimals: int | str | None = None
    signed: bool = False
    hidden: bool = False
    gives_way: int = 0
    tip: str = ""
