from decimal import Decimal

import pytest

from core.views.decimals import DecimalRules, decimals_in, price_decimals


@pytest.mark.parametrize(
    ("symbol", "price", "decimals"),
    [
        ("SPY", 410.5, 2),
        ("PENNY", 0.5, 4),
        ("EUR/USD", 1.1, 5),
        ("USD/JPY", 150.0, 3),
        ("BTC/USD", 45_000, 2),
        ("XRP/USD", 2.0, 4),
        ("SHIB/USD", 0.00001, 8),
    ],
)
def test_prices_by_class_and_size(symbol: str, price: float, decimals: int) -> None:
    assert price_decimals(symbol, price) == decimals


@pytest.mark.parametrize(("amount", "decimals"), [("1", 0), ("1.50", 1), ("100", 0), ("1E+3", 0), ("0.000000001", 8), ("0", 0)])
def test_decimals_in_an_amount(amount: str, decimals: int) -> None:
    assert decimals_in(Decimal(amount)) == decimals


def test_a_price_is_settled_by_the_first_seen_and_quantities_grow() -> None:
    rules = DecimalRules()
    rules.saw_price("XRP/USD", Decimal("0.5"))
    rules.saw_price("XRP/USD", Decimal("1.5"))
    assert rules.price("XRP/USD") == 6
    for qty in ("1", "0.25", "3"):
        rules.saw_qty("XRP/USD", Decimal(qty))
    assert rules.qty("XRP/USD") == 2
