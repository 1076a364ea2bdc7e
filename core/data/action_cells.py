"""The cells of a file of splits and dividends: dates, kinds, ratios and amounts."""

import re
from datetime import date
from decimal import Context, Decimal
from typing import Final

from core.model.corporate_action import ActionKind, day_number

_YEAR_FIRST: Final = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ].*)?")
_YEAR_LAST: Final = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?:[T ].*)?")
_DIGITS: Final = re.compile(r"((?:19|20)\d{2})(\d{2})(\d{2})")
_FIRST_YEAR: Final = 1900

_KINDS: Final = {
    ActionKind.SPLIT: ("split", "splits", "stock split", "forward split", "reverse split"),
    ActionKind.DIVIDEND: ("dividend", "dividends", "div", "cash dividend", "special dividend"),
}
_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,15}(?:\.\d{0,24})?|\.\d{1,24})")
_THOUSANDS: Final = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
_RATIO: Final = re.compile(r"(.+?)\s*(?::|/|-?\s*for\s*-?)\s*(.+)", re.IGNORECASE)
_DIVISION: Final = Context(prec=28)


def reads_as_date(cell: str) -> bool:
    """Tell whether a cell is a date, whichever of month and day comes first."""
    return read_day(cell, day_first=False) is not None or read_day(cell, day_first=True) is not None


def read_day(cell: str, *, day_first: bool) -> int | None:
    """Return the day (since 1970) of a date as it is written; a time of day and a zone behind it change nothing. None: no date."""
    text = cell.strip()
    if match := _YEAR_FIRST.fullmatch(text) or _DIGITS.fullmatch(text):
        year, month, day = (int(part) for part in match.groups())
    elif match := _YEAR_LAST.fullmatch(text):
        first, second, year = (int(part) for part in match.groups())
        month, day = (second, first) if day_first else (first, second)
    else:
        return None
    try:
        return day_number(date(year, month, day)) if year >= _FIRST_YEAR else None
    except ValueError:
        return None


def is_year_last(cell: str) -> bool:
    """Tell whether a date is written so that month and day might be confused."""
    return _YEAR_LAST.fullmatch(cell.strip()) is not None


def reads_as_kind(cell: str) -> ActionKind | None:
    """Return the kind of action a cell names, or None."""
    folded = " ".join(cell.casefold().replace("_", " ").replace("-", " ").split())
    return next((kind for kind, words in _KINDS.items() if folded in words), None)


def read_amount(cell: str) -> Decimal | None:
    """Return the number in a cell, below zero too; its fraction may stand after a comma. None: no number.

    `1,234` is refused: it may be thousands, and a wrong guess would move the decimal point.
    """
    text = cell.strip().removeprefix("$").strip()
    if not _THOUSANDS.fullmatch(text):
        text = text.replace(",", ".")
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def read_ratio(cell: str) -> Decimal | None:
    """Return new shares for each old one: `4`, `4:1`, `4/1`, `4-for-1` and `1:10` (a tenth), to 28 digits. None: no ratio."""
    match = _RATIO.fullmatch(cell.strip())
    if match is None:
        return read_amount(cell)
    new, old = (read_amount(part) for part in match.groups())
    if new is None or old is None or old <= 0:
        return None
    return _DIVISION.divide(new, old)
