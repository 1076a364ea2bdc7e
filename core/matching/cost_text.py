"""The text form of a cost model: a name and its figures, `per-share:0.005:1`."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from core.errors import InvalidValue, UnknownName
from core.model.money import ZERO, parse_money

LARGEST: Final = Decimal(1_000_000_000)
DECIMALS: Final = 12
BPS_BELOW: Final = Decimal(10_000)


def split_text(text: str, forms: Mapping[str, str], *, field: str, kind: str) -> tuple[str, list[str]]:
    """Return the name, in lower case, and the figures as they stand; `forms` by name tell how many there may be.

    Raises UnknownName, or InvalidValue for too few or too many figures.
    """
    name, *figures = (part.strip() for part in text.strip().lower().split(":"))
    form = forms.get(name)
    if form is None:
        raise UnknownName(kind, name, forms, f"Write one of {', '.join(forms.values())}.")
    most = form.count(":")
    if not most - form.count("[") <= len(figures) <= most:
        raise InvalidValue(field, repr(text), f"write it as {form}.")
    return name, figures


def read_figure(figure: str, *, field: str, text: str, what: str, below: Decimal | None = None) -> Decimal:
    """Read a figure that is zero or more. Raises InvalidValue with the whole text and the bound.

    Few digits keep every price × quantity × figure exact in the context that money is booked in.
    """
    try:
        amount = parse_money(figure, field=field)
    except InvalidValue as error:
        raise InvalidValue(field, repr(text), f"{what} is {figure!r}, which is not a number.") from error
    if amount < 0:
        raise InvalidValue(field, repr(text), f"{what} cannot be below zero.")
    if below is not None and amount >= below:
        raise InvalidValue(field, repr(text), f"{what} must be below {below}.")
    if amount > LARGEST:
        raise InvalidValue(field, repr(text), f"{what} cannot be above {LARGEST}.")
    exponent = amount.normalize().as_tuple().exponent
    if amount and isinstance(exponent, int) and exponent < -DECIMALS:
        raise InvalidValue(field, repr(text), f"{what} has more than {DECIMALS} decimals.")
    return amount or ZERO
