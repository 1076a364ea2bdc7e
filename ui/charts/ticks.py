"""Round numbers for a value axis. Pure."""

import math
from typing import Final

_ROUND: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


def round_step(smallest: float) -> float:
    """Return the least of 1, 2, 2.5, 5 × 10ⁿ that is not below `smallest` (above zero)."""
    power = 10.0 ** math.floor(math.log10(smallest))
    for factor in _ROUND:
        if factor * power >= smallest * (1 - 1e-9):
            return factor * power
    return 10.0 * power


def decimals_of(step: float) -> int:
    """Return how many decimals a multiple of `step` needs, up to 12."""
    for decimals in range(12):
        scaled = step * 10**decimals
        if abs(scaled - round(scaled)) < 1e-6 * max(scaled, 1e-12):
            return decimals
    return 12


def value_ticks(low: float, high: float, most: int, *, least: float = 0.0) -> tuple[list[float], float]:
    """Return at most about `most` round values inside `[low, high]`, ascending, and their step, which is not below `least`."""
    step = round_step(max((high - low) / max(1, most), least))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    # Counted in whole steps: adding the step up again and again would drift.
    return [number * step for number in range(first, last + 1)], step


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Return round values inside `[low, high]` for a logarithmic axis, not much more than `most`; ascending."""
    if high / low < 5:
        return value_ticks(low, high, most)[0]
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1.0, 2.0, 3.0, 4.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
        ticks = [factor * 10.0**power for power in powers for factor in factors if low <= factor * 10.0**power <= high]
        if len(ticks) <= most:
            return ticks
    return ticks[:: -(-len(ticks) // max(1, most))]
