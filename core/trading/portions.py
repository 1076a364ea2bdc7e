"""How what happened to an account as a whole is shared by those who have a part of it. Pure."""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal, localcontext
from typing import TypeVar

from core.model.money import MONEY_CONTEXT, ZERO

K = TypeVar("K")


def portions(total: Decimal, weights: Mapping[K, Decimal], unit: Decimal) -> dict[K, Decimal]:
    """Return each one's portion of `total` by its weight, in whole `unit`s; together they are the total, to the last digit.

    What rounding leaves is the heaviest one's. No weights, or all zero: nobody has a portion.
    """
    with localcontext(MONEY_CONTEXT):
        weight = sum(weights.values(), ZERO)
        if not weight:
            return {}
        found = {key: (total * own / weight / unit).to_integral_value(ROUND_DOWN) * unit for key, own in weights.items()}
        found[max(weights, key=lambda key: weights[key])] += total - sum(found.values(), ZERO)
        return found
