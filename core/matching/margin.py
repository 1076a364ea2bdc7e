"""What a margin account must have against what it holds: Regulation T, with crypto paid in full.

Source: docs/simulation.md, "Account".
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from core.matching.holding import Holding
from core.model.market import AssetClass, asset_class_of
from core.model.money import ZERO

_CRYPTO = AssetClass.CRYPTO

INITIAL: Final = Decimal("0.5")
"""Share of marginable exposure that equity must reach after a fill that raises exposure."""
MAINTENANCE: Final = Decimal("0.25")
"""Share of marginable exposure under which a margin call comes."""


class Shortfall(msgspec.Struct, frozen=True, kw_only=True):
    """Equity below what the positions ask for: the figures of a margin call."""

    equity: Decimal
    required: Decimal
    exposure: Decimal


class Weight(msgspec.Struct, frozen=True):
    """What positions weigh: their signed `value`, their gross `exposure`, and the equity `required` to carry them."""

    value: Decimal
    exposure: Decimal
    required: Decimal


def is_crypto(symbol: str, classes: Mapping[str, AssetClass]) -> bool:
    """Tell whether the symbol is neither shortable nor marginable; one that `classes` does not name, by its form."""
    return (classes.get(symbol) or asset_class_of(symbol)) is _CRYPTO


def weigh(
    holdings: Mapping[str, Holding],
    prices: Mapping[str, Decimal],
    classes: Mapping[str, AssetClass],
    rate: Decimal,
    after: tuple[str, Decimal, Decimal] | None = None,
) -> Weight:
    """Weigh all holdings at `prices`; with `after`, as if that symbol had that quantity at that price."""
    value = marginable = in_full = ZERO
    changed = None
    if after is not None:
        changed, qty, price = after
        value = qty * price
        if value < ZERO or not is_crypto(changed, classes):
            marginable = abs(value)
        else:
            in_full = value
    for symbol, holding in holdings.items():
        held = holding.qty
        if not held or symbol == changed:
            continue
        worth = held * prices[symbol]
        value += worth
        if worth < ZERO:  # crypto is never short
            marginable -= worth
        elif is_crypto(symbol, classes):
            in_full += worth
        else:
            marginable += worth
    return Weight(value, marginable + in_full, marginable * rate + in_full)
