"""Splits as Alpaca books them: one row takes the old shares away, another brings the new ones, some minutes apart. Pure.

No row says the ratio. The two quantities do, to the ninth decimal, and the two prices, to the fourth.
Source: samples in https://docs.alpaca.markets/us/docs/activities.md, "Event Samples".
"""

from collections.abc import Iterable
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Final

from core.brokers.alpaca.bookings import Booking
from core.model.broker_entry import BrokerEntry, BrokerEntryKind
from core.model.corporate_action import ratio_words
from core.model.money import MONEY_CONTEXT

_UNIT: Final = Fraction(1, 10**9)
_CENTS: Final = Fraction(1, 10_000)
"""How far a price that is told may be from what it was worked out to be: twice what rounding takes."""


def split_entries(rows: Iterable[tuple[Booking, int]]) -> list[BrokerEntry]:
    """Return splits, each of two rows, with when these were booked; of one alone it is told that the other is missing (`rate` is None)."""
    groups: dict[tuple[str, str], list[tuple[Booking, int]]] = {}
    for one, at_ns in rows:
        groups.setdefault((one.symbol, one.group or f"{one.day_ns}"), []).append((one, at_ns))
    return [entry for group in groups.values() for entry in _entries_of(group)]


def _entries_of(group: list[tuple[Booking, int]]) -> list[BrokerEntry]:
    first, at_ns = group[0]
    if len(group) == 1:
        return [_entry(first, at_ns, first.qty)]
    old, new = _in_turn(group)
    ratio = None if len(group) > 2 or old.qty * new.qty >= 0 else ratio_of(old, new)
    if ratio is None:
        return [_entry(one, booked_ns, one.qty, BrokerEntryKind.CORPORATE_ACTION) for one, booked_ns in group]
    booked_ns = max(booked_ns for _, booked_ns in group)
    return [_entry(old, booked_ns, old.qty + new.qty, rate=ratio, said=f"Split ({old.type}), {ratio_words(ratio)}")]


def _entry(
    one: Booking,
    at_ns: int,
    qty: Decimal,
    kind: BrokerEntryKind = BrokerEntryKind.SPLIT,
    *,
    rate: Decimal | None = None,
    said: str = "",
) -> BrokerEntry:
    # No `price`: what a fraction is paid at is not told here, and its cash comes by itself.
    return BrokerEntry(id=one.id, kind=kind, time_ns=at_ns, symbol=one.symbol, qty=qty, rate=rate, said=said or one.said)


def _in_turn(group: list[tuple[Booking, int]]) -> tuple[Booking, Booking]:
    """Return the row that takes away, and the one that brings. Where neither says it, a long position was split."""
    rows = sorted((one for one, _ in group), key=lambda one: (one.qty, one.id))
    first, last = rows[0], rows[-1]
    larger, smaller = (first, last) if abs(first.qty) > abs(last.qty) else (last, first)
    if first.sub_type == last.sub_type == "FSPLIT":
        return smaller, larger
    if first.sub_type == last.sub_type == "RSPLIT":
        return larger, smaller
    is_short = first.description.startswith("ADD") or last.description.startswith("REMOVE")
    return (last, first) if is_short else (first, last)


def ratio_of(old: Booking, new: Booking) -> Decimal | None:
    """Return the new shares for each old one: the simplest that makes the new quantity of the old one, to the digit that is told.

    Where the prices say another, a fraction of a share was left out and is paid in cash: then theirs. None: nothing fits both.
    """
    before, after = Fraction(abs(old.qty)), Fraction(abs(new.qty))
    ratio = _simplest((after - _UNIT) / before, (after + _UNIT) / before)
    if old.price and new.price:
        told = Fraction(old.price), Fraction(new.price)
        low, high = (told[0] - _CENTS) / (told[1] + _CENTS), (told[0] + _CENTS) / max(told[1] - _CENTS, _CENTS)
        if not low <= ratio <= high:
            ratio = _simplest(max(low, _UNIT), high)
            if after.denominator > 1 or not 0 < before * ratio - after < 1:
                return None
    with localcontext(MONEY_CONTEXT):
        return Decimal(ratio.numerator) / Decimal(ratio.denominator)


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    """Return the fraction with the smallest numbers from `low` to `high`; both above zero."""
    whole = low.numerator // low.denominator
    if whole == low:
        return Fraction(whole)
    if whole + 1 <= high:
        return Fraction(whole + 1)
    return whole + 1 / _simplest(1 / (high - whole), 1 / (low - whole))
