"""The only places where a number is rounded; exact fractions inside, so that no digit is lost before."""

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

CENT = Decimal("0.01")
TEN_DECIMALS = Decimal("1e-10")


def up_to(value: Fraction | Decimal, step: Decimal) -> Decimal:
    """The least multiple of `step` that is not below `value`."""
    return step * ceil(Fraction(value) / Fraction(step))


def down_to(value: Fraction | Decimal, step: Decimal) -> Decimal:
    """The greatest multiple of `step` that is not above `value`."""
    return step * floor(Fraction(value) / Fraction(step))


def toward_zero(value: Decimal, step: Decimal) -> Decimal:
    """`value` cut down to a multiple of `step`, whatever its sign."""
    return down_to(value, step) if value >= 0 else -down_to(-value, step)


def half_even_cent(value: Fraction) -> Decimal:
    """To the cent; `round` of a Fraction is half-even."""
    return CENT * round(value * 100)


def on_step(value: Decimal, step: Decimal | None) -> bool:
    """Whether `value` is a multiple of `step`; without one every value is."""
    return step is None or (Fraction(value) / Fraction(step)).denominator == 1
