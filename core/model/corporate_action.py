"""Splits and dividends: what a company does to its shares."""

from decimal import Decimal

import msgspec

from core.errors import InvalidValue
from core.model.market import parse_symbol


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """`ratio` new shares for each old one, from `day` on (days since 1970, the exchange's date). 4 is four for one."""

    symbol: str
    day: int
    ratio: Decimal

    def __post_init__(self) -> None:
        parse_symbol(self.symbol)
        if not self.ratio.is_finite() or self.ratio <= 0:
            raise InvalidValue("ratio", self.ratio, "new shares for each old one: above zero.")


class Dividend(msgspec.Struct, frozen=True, kw_only=True):
    """`amount` of cash per share to who holds it before `day` (the ex-day, in days since 1970, the exchange's date)."""

    symbol: str
    day: int
    amount: Decimal

    def __post_init__(self) -> None:
        parse_symbol(self.symbol)
        if not self.amount.is_finite() or self.amount <= 0:
            raise InvalidValue("amount", self.amount, "cash per share: above zero.")


CorporateAction = Split | Dividend
