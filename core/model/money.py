"""Money: `Decimal` for orders, fills, positions and cash; this is the one crossing to and from `float`."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, InvalidOperation
from typing import Final

from core.errors import InvalidValue

ZERO: Final = Decimal(0)
BASIS_POINT: Final = Decimal("0.0001")

MONEY_CONTEXT: Final = Context(prec=60)
"""Wide enough that price × quantity × rate is exact; the thread that books money must enter it."""


def exact(price: float) -> Decimal:
    """Return the shortest decimal that reads back as this float: 730.24 for 730.24. Never `Decimal(float)`."""
    return Decimal(repr(float(price)))


def parse_money(text: str | int | Decimal, *, field: str) -> Decimal:
    """Return the amount in `text`. Raises InvalidValue for anything that is not a finite decimal number."""
    try:
        amount = Decimal(str(text).strip())
    except InvalidOperation as error:
        raise InvalidValue(field, repr(text), "it is not a number.") from error
    if not amount.is_finite():
        raise InvalidValue(field, text, "it must be a finite number.")
    return amount


def to_float(amount: Decimal) -> float:
    """Return the nearest float; for arrays, statistics and charts only."""
    return float(amount)


def floor_to(amount: Decimal, step: Decimal | None) -> Decimal:
    """Return the largest multiple of `step` not above `amount`; unchanged when there is no step."""
    return amount if step is None else (amount / step).to_integral_value(ROUND_FLOOR) * step


def ceil_to(amount: Decimal, step: Decimal | None) -> Decimal:
    """Return the smallest multiple of `step` not below `amount`; unchanged when there is no step."""
    return amount if step is None else (amount / step).to_integral_value(ROUND_CEILING) * step


def is_multiple(amount: Decimal, step: Decimal | None) -> bool:
    """Tell whether `amount` lies on the grid of `step`; always true when there is no step."""
    return step is None or amount % step == 0


def plain(amount: Decimal) -> str:
    """Return the amount without exponent and without trailing zeros: `1`, `745.1`, `-0.5`."""
    text = f"{amount:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
