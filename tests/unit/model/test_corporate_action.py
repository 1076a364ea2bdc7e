"""Splits and dividends: what they refuse, their order, and the hash of a run's manifest."""

from datetime import date
from decimal import Decimal, localcontext

import pytest

from core.errors import InvalidValue
from core.model.corporate_action import (
    CorporateAction,
    Dividend,
    Split,
    actions_sha256,
    date_of,
    day_number,
    in_order,
    price_after,
    units_after,
)
from core.model.money import MONEY_CONTEXT

SPLIT = Split(symbol="AAPL", day=18_505, ratio=Decimal(4))
DIVIDEND = Dividend(symbol="AAPL", day=18_505, amount=Decimal("0.2"))


@pytest.mark.parametrize("value", ["0", "-1", "NaN", "Infinity"])
def test_a_value_is_above_zero(value: str) -> None:
    with pytest.raises(InvalidValue, match="above zero"):
        Split(symbol="AAPL", day=0, ratio=Decimal(value))
    with pytest.raises(InvalidValue, match="above zero"):
        Dividend(symbol="AAPL", day=0, amount=Decimal(value))


def test_a_day_is_the_exchanges_date() -> None:
    assert date_of(SPLIT) == date(2020, 8, 31)
    assert day_number(date(2020, 8, 31)) == 18_505
    assert day_number(date(1969, 12, 31)) == -1


def test_the_split_of_a_day_comes_before_its_dividend() -> None:
    other = Split(symbol="AAA", day=99_999, ratio=Decimal(2))
    assert in_order([DIVIDEND, SPLIT, other]) == (other, SPLIT, DIVIDEND)


def test_the_hash_is_of_what_the_actions_say() -> None:
    known = "a68d8a3032564641a532270b377c229913aacbe3ae1b3043bae697a087bc0c5c"
    same = Split(symbol="AAPL", day=18_505, ratio=Decimal("4.00"))
    assert actions_sha256([SPLIT, DIVIDEND]) == actions_sha256([DIVIDEND, same])
    assert actions_sha256([SPLIT, DIVIDEND]) == known
    others: list[list[CorporateAction]] = [
        [],
        [SPLIT],
        [SPLIT, Dividend(symbol="AAPL", day=18_505, amount=Decimal("0.3"))],
        [SPLIT, Dividend(symbol="AAPL", day=18_506, amount=Decimal("0.2"))],
        [SPLIT, Dividend(symbol="MSFT", day=18_505, amount=Decimal("0.2"))],
        [Dividend(symbol="AAPL", day=18_505, amount=Decimal(4)), Split(symbol="AAPL", day=18_505, ratio=Decimal("0.2"))],
    ]
    hashes = {actions_sha256(actions) for actions in others}
    assert len(hashes | {known}) == len(others) + 1


@pytest.mark.parametrize(("old", "new"), [(3, 1), (7, 2), (15, 1), (1, 4), (40, 1), (3, 2)])
def test_a_split_is_exact_also_where_its_ratio_has_no_end(old: int, new: int) -> None:
    ratio = Decimal(new) / Decimal(old)  # to the 28 digits that an import keeps
    with localcontext(MONEY_CONTEXT):
        assert units_after(Decimal(100 * old), ratio) == 100 * new
        assert price_after(Decimal(7 * new), ratio) == 7 * old
