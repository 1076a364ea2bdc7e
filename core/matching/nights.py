"""What a night costs and earns: borrowed units, borrowed cash, idle cash.

Source: docs/simulation.md, "Account".
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import msgspec

from core.matching.holding import Holding
from core.model.money import ZERO
from core.model.run import AccountKind, AccountTerms

_DAYS_OF_A_YEAR: Final = 360
_CENT: Final = Decimal("0.01")


class NightCharge(msgspec.Struct, frozen=True, kw_only=True):
    """Interest of one night, in whole cents: `amount` above zero was paid, below zero earned. `symbol` None: on cash."""

    symbol: str | None
    amount: Decimal


def has_rates(terms: AccountTerms) -> bool:
    """Tell whether a night can cost or earn anything at all."""
    return terms.credit_rate > 0 or (terms.kind is AccountKind.MARGIN and (terms.borrow_rate > 0 or terms.debit_rate > 0))


def night_charges(terms: AccountTerms, cash: Decimal, holdings: Mapping[str, Holding], prices: Mapping[str, Decimal]) -> list[NightCharge]:
    """Return one night's charges that are not zero, by symbol and cash last, all on the balances as they are now.

    A cash account may earn and never pays.
    """
    charges = []
    if terms.kind is AccountKind.MARGIN and terms.borrow_rate:
        for symbol in sorted(holdings):
            qty = holdings[symbol].qty
            if qty < 0:
                charges.append(NightCharge(symbol=symbol, amount=_of_a_year(-qty * prices[symbol], terms.borrow_rate)))
    if cash > 0:
        charges.append(NightCharge(symbol=None, amount=-_of_a_year(cash, terms.credit_rate)))
    elif terms.kind is AccountKind.MARGIN:
        charges.append(NightCharge(symbol=None, amount=_of_a_year(-cash, terms.debit_rate)))
    return [charge for charge in charges if charge.amount]


def _of_a_year(balance: Decimal, rate: Decimal) -> Decimal:
    return (balance * rate / _DAYS_OF_A_YEAR).quantize(_CENT, ROUND_HALF_EVEN) if rate else ZERO
