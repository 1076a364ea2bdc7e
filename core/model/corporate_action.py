"""Splits and dividends: what a company does to its shares."""

import hashlib
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import Final

import msgspec

from core.errors import InvalidValue
from core.model.market import parse_symbol
from core.model.money import plain
from core.model.price_file import BadRow

_EPOCH: Final = date(1970, 1, 1)
_CUT_DIGITS: Final = 20
"""A ratio of so many digits was cut off: nobody writes one."""
_MOST_SHARES: Final = 100_000
"""The largest number of shares on either side of a split."""


class ActionKind(StrEnum):
    """What happens to a share. Of two on one day, the split comes first: a dividend is paid on the new shares."""

    SPLIT = "split"
    DIVIDEND = "dividend"


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


class PositionChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a split did to a position: `ratio` new units for each old one, `qty` of them kept (signed), the rest paid in `cash`.

    `time_ns`: the start of the bar before which it happened, UTC.
    """

    symbol: str
    ratio: Decimal
    qty: Decimal
    cash: Decimal
    time_ns: int


class ActionMerge(msgspec.Struct, frozen=True, kw_only=True):
    """What storing actions did: those that were new, the same as before, and replaced by a different value."""

    added: int = 0
    identical: int = 0
    changed: int = 0


class ActionImport(msgspec.Struct, frozen=True, kw_only=True):
    """What an import of actions did. `rows` in the file = `taken` + `refused`; refused rows are counted by reason.

    A row may hold a split and a dividend, or neither, so `merge` may count more or fewer than `taken`.
    `bad_rows` lists the first of them (at most 1,000); `said` is what was guessed.
    """

    symbols: tuple[str, ...]
    rows: int
    taken: int
    refused: int
    merge: ActionMerge
    refused_by_reason: dict[str, int] = {}
    bad_rows: tuple[BadRow, ...] = ()
    said: tuple[str, ...] = ()


def kind_of(action: CorporateAction) -> ActionKind:
    """Return what kind of action it is."""
    return ActionKind.SPLIT if isinstance(action, Split) else ActionKind.DIVIDEND


def value_of(action: CorporateAction) -> Decimal:
    """Return the ratio of a split, the cash per share of a dividend."""
    return action.ratio if isinstance(action, Split) else action.amount


def date_of(action: CorporateAction) -> date:
    """Return the exchange's date from which it counts."""
    return _EPOCH + timedelta(days=action.day)


def day_number(day: date) -> int:
    """Return a date as days since 1970."""
    return (day - _EPOCH).days


def make_action(kind: ActionKind, symbol: str, day: int, value: Decimal) -> CorporateAction:
    """Return the action of that kind. Raises InvalidValue."""
    if kind is ActionKind.SPLIT:
        return Split(symbol=symbol, day=day, ratio=value)
    return Dividend(symbol=symbol, day=day, amount=value)


ActionIdentity = tuple[str, int, ActionKind]


def identity_of(action: CorporateAction) -> ActionIdentity:
    """Return what tells an action from another: a symbol has one split and one dividend a day at most."""
    return action.symbol, action.day, kind_of(action)


def in_order(actions: Iterable[CorporateAction]) -> tuple[CorporateAction, ...]:
    """Return actions by symbol and day, the split of a day before its dividend."""
    return tuple(sorted(actions, key=lambda action: (action.symbol, action.day, isinstance(action, Dividend))))


def actions_sha256(actions: Iterable[CorporateAction]) -> str:
    """Return the hash of what the actions say, whatever their order: 4 and 4.0 are the same ratio."""
    lines = [f"{action.symbol} {action.day} {kind_of(action)} {plain(value_of(action))}\n" for action in in_order(actions)]
    return hashlib.sha256(("actions/1\n" + "".join(lines)).encode()).hexdigest()


def units_after(qty: Decimal, ratio: Decimal) -> Decimal:
    """Return what a split makes of a quantity: 300 shares are 100 after one of 1 for 3, to the last digit.

    Within `MONEY_CONTEXT`, as is `price_after`.
    """
    new, old = _terms(ratio)
    return qty * new / old


def price_after(price: Decimal, ratio: Decimal) -> Decimal:
    """Return what a split makes of a price."""
    new, old = _terms(ratio)
    return price * old / new


def ratio_words(ratio: Decimal) -> str:
    """Return a ratio as people write it: `1.5 for 1`, `1 for 15`."""
    new, old = _terms(ratio)
    return f"{plain(new)} for {plain(old)}"


@lru_cache(maxsize=256)
def _terms(ratio: Decimal) -> tuple[Decimal, Decimal]:
    """Return new shares and old ones. A ratio with no end, such as a third, is read back as the fraction it was cut from."""
    if len(ratio.as_tuple().digits) < _CUT_DIGITS:
        return ratio, Decimal(1)
    terms = Fraction(ratio).limit_denominator(_MOST_SHARES)
    return Decimal(terms.numerator), Decimal(terms.denominator)
