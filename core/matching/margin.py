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
    return (classes.get(symbol) or asset_class_of(symbol)) is AssetClass.CRYPTO


def weigh(
    holdings: Mapping[str, Holding],
    prices: Mapping[str, Decimal],
    classes: Mapping[str, AssetClass],
    rate: Decimal,
    after: tuple[str, Decimal, Decimal] | None = None,
) -> Weight:
    """Weigh all holdings at `prices`; with `after`, as if that symbol had that quantity at that price."""
    value = exposure = required = ZERO
    changed = None
    if after is not None:
        changed, qty, price = after
        value = qty * price
        exposure = abs(value)
        required = exposure if is_crypto(changed, classes) else exposure * rate
    for symbol, holding in holdings.items():
        if not holding.qty or symbol == changed:
            continue
        worth = holding.qty * prices[symbol]
        gross = abs(worth)
        value += worth
        exposure += gross
        required += gross if is_crypto(symbol, classes) else gross * rate
    return Weight(value, exposure, required)
