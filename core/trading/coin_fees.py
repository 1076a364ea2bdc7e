"""Fees that a broker takes from a bought coin: how they are recognised, whose they are, and what is left of a fill. Pure.

No execution tells of them, and the broker's own list of them comes a day late; what the account holds tells at once. The
broker is the truth: what is missing of a coin, and is small beside what was bought, is the fee of what was bought.
Source: docs/live-trading.md, "Fees in coin".
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_DOWN, Decimal, localcontext
from typing import Final

import msgspec

from core.model.money import MONEY_CONTEXT, ZERO
from core.model.order import Fill

MOST: Final = Decimal("0.01")
"""The largest share of what was bought that is taken for a fee; what is missing beyond that has another cause."""
_UNIT: Final = Decimal("0.000000001")


class CoinBuy(msgspec.Struct, frozen=True, kw_only=True):
    """A fill that bought a coin, with the fee that is booked for it; None: none yet."""

    fill_id: str
    qty: Decimal
    price: Decimal
    fee: Decimal | None = None
    order_id: str | None = None
    """None: of somebody else's order."""


class CoinCharge(msgspec.Struct, frozen=True, kw_only=True):
    """What is booked for one fill."""

    buy: CoinBuy
    qty: Decimal


def charges(missing: Decimal, buys: Sequence[CoinBuy]) -> tuple[CoinCharge, ...]:
    """Return what explains that `missing` units of a coin are not held (below zero: more than thought); empty: no fee does."""
    with localcontext(MONEY_CONTEXT):
        if missing < ZERO:
            return _given_back(-missing, buys)
        fresh = [buy for buy in buys if buy.fee is None]
        bought = sum((buy.qty for buy in fresh), ZERO)
        if not missing or missing > bought * MOST:
            return ()
        shares = [(missing * buy.qty / bought).quantize(_UNIT, ROUND_DOWN) for buy in fresh]
        shares[-1] += missing - sum(shares, ZERO)
        return tuple(CoinCharge(buy=buy, qty=share) for buy, share in zip(fresh, shares, strict=True))


def _given_back(surplus: Decimal, buys: Sequence[CoinBuy]) -> tuple[CoinCharge, ...]:
    """Take back what was booked too much, the newest first: a list of the broker had lagged behind."""
    found = []
    for buy in reversed(buys):
        back = min(surplus, buy.fee or ZERO)
        if back > ZERO:
            found.append(CoinCharge(buy=buy, qty=-back))
            surplus -= back
    return () if surplus else tuple(found)


def net_of_fees(fills: Iterable[Fill], fees: Mapping[str, Decimal]) -> list[Fill]:
    """Return fills as what they left: the units without those that were kept, and these as money at the fill's price."""
    with localcontext(MONEY_CONTEXT):
        return [
            msgspec.structs.replace(fill, qty=fill.qty - fee, fee=fill.fee + fee * fill.price) if (fee := fees.get(fill.id, ZERO)) else fill
            for fill in fills
        ]
