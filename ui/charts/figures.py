"""Numbers as a chart writes them: a thin space between thousands, a real minus. Pure."""

import math
from typing import Final

THIN_SPACE: Final = "\u2009"
MINUS: Final = "\u2212"
MISSING: Final = "–"

_UNITS: Final = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


def figure(value: float, decimals: int) -> str:
    """Return `12 345.60`; a dash for nan."""
    if not math.isfinite(value):
        return MISSING
    text = f"{abs(value):,.{decimals}f}".replace(",", THIN_SPACE)
    return MINUS + text if value < 0 and text.strip("0.") else text


def signed(value: float, decimals: int) -> str:
    """Return the figure with its sign, `+` too."""
    return "+" + figure(value, decimals) if value > 0 else figure(value, decimals)


def amount(value: float) -> str:
    """Return a gain or loss with its sign: to the cent, or to two digits where it is less than one."""
    if not math.isfinite(value) or value == 0 or abs(value) >= 1:
        return signed(value, 2)
    return signed(value, min(12, 1 - math.floor(math.log10(abs(value)))) if abs(value) < 0.1 else 2)


def percent(fraction: float) -> str:
    """Return `+1.25 %` for 0.0125."""
    return signed(fraction * 100, 2) + THIN_SPACE + "%" if math.isfinite(fraction) else MISSING


def compact(value: float) -> str:
    """Return a quantity in at most four digits: `845`, `12.3 K`, `1.25 M`."""
    if not math.isfinite(value):
        return MISSING
    for unit, letter in _UNITS:
        if abs(value) >= unit:
            scaled = value / unit
            return f"{scaled:.{2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0}f}{THIN_SPACE}{letter}".replace("-", MINUS)
    if value == int(value):
        return figure(value, 0)
    return figure(value, 2 if abs(value) >= 1 else 4)
