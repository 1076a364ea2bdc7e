"""What a cash account books and refuses, and what both kinds of account know about themselves."""

from collections.abc import Iterator
from decimal import Decimal, localcontext

import pytest

from core.matching.ledger import Ledger, Refusal
from core.model.money import MONEY_CONTEXT, plain
from core.model.order import OrderSide, RejectCode
from core.model.run import AccountKind, AccountTerms

B, S = OrderSide.BUY, OrderSide.SELL
SIDES = {"buy": B, "sell": S}


@pytest.fixture(autouse=True)
def money_context() -> Iterator[None]:
    with localcontext(MONEY_CONTEXT):
        yield


def trade(ledger: Ledger, text: str) -> None:
    """Book `buy 10 SPY 100` or `buy 10 SPY 100 fee 1`."""
    side, qty, symbol, price, *fee = text.split()
    ledger.book(symbol, SIDES[side], Decimal(qty), Decimal(price), Decimal(fee[1]) if fee else Decimal(0))


def told(ledger: Ledger, symbol: str = "SPY") -> str:
    """Return cash, units, average price and realised profit in one line."""
    position = ledger.position(symbol)
    return " ".join(plain(amount) for amount in (ledger.cash, position.qty, position.avg_price, position.realised_pnl))


def figures(ledger: Ledger) -> str:
    """Return equity and exposure."""
    return f"{plain(ledger.equity)} {plain(ledger.exposure)}"


@pytest.mark.parametrize(
    ("fills", "expected"),
    [
        (["buy 10 SPY 100"], "0 10 100 0"),
        (["buy 9 SPY 100 fee 1.5"], "98.5 9 100 0"),
        # 4 × 100 + 4 × 110 = 840, 105 each.
        (["buy 4 SPY 100", "buy 4 SPY 110"], "160 8 105 0"),
        # 2 × (120 − 105) = 30 realised; the average stays.
        (["buy 4 SPY 100", "buy 4 SPY 110", "sell 2 SPY 120"], "400 6 105 30"),
        (["buy 4 SPY 100", "buy 4 SPY 110", "sell 8 SPY 100"], "960 0 0 -40"),
        # Anew after flat: the profit adds up, the average begins again.
        (["buy 4 SPY 100", "sell 4 SPY 90", "buy 1 SPY 50", "sell 1 SPY 60 fee 1"], "969 0 0 -30"),
        (["buy 0.3 SPY 745.13 fee 0.0000001"], "776.4609999 0.3 745.13 0"),
    ],
)
def test_a_cash_account_books(fills: list[str], expected: str) -> None:
    ledger = Ledger(Decimal(1000))
    for fill in fills:
        trade(ledger, fill)
    assert told(ledger) == expected


@pytest.mark.parametrize(
    ("fills", "code", "reason"),
    [
        (
            ["buy 10 SPY 100 fee 0.01"],
            RejectCode.INSUFFICIENT_CASH,
            "Buying 10 SPY at 100 takes 1000.01 with fees; the account has 1000.",
        ),
        (["sell 1 SPY 100"], RejectCode.INSUFFICIENT_POSITION, "Selling 1 SPY needs as many; the account holds 0."),
        (
            ["buy 5 SPY 100", "sell 6 SPY 100"],
            RejectCode.INSUFFICIENT_POSITION,
            "Selling 6 SPY needs as many; the account holds 5.",
        ),
        (
            ["buy 10 SPY 100", "sell 1 SPY 1 fee 2"],
            RejectCode.INSUFFICIENT_CASH,
            "Selling 1 SPY at 1 brings 1 and costs 2 in fees; the account has 0.",
        ),
    ],
)
def test_a_cash_account_refuses_and_then_nothing_has_changed(fills: list[str], code: RejectCode, reason: str) -> None:
    ledger = Ledger(Decimal(1000))
    for fill in fills[:-1]:
        trade(ledger, fill)
    before = told(ledger)
    with pytest.raises(Refusal) as caught:
        trade(ledger, fills[-1])
    assert (caught.value.code, caught.value.reason) == (code, reason)
    assert told(ledger) == before


@pytest.mark.parametrize(
    ("held", "side", "qty", "closing"),
    [
        (None, "buy", "5", "0"),
        (None, "sell", "5", "0"),
        ("buy 10", "sell", "4", "4"),
        ("buy 10", "sell", "10", "10"),
        ("buy 10", "sell", "15", "10"),
        ("buy 10", "buy", "15", "0"),
        ("sell 10", "buy", "4", "4"),
        ("sell 10", "buy", "15", "10"),
        ("sell 10", "sell", "15", "0"),
    ],
)
def test_the_closing_part(held: str | None, side: str, qty: str, closing: str) -> None:
    ledger = Ledger(Decimal(10_000), AccountTerms(kind=AccountKind.MARGIN))
    if held:
        trade(ledger, f"{held} SPY 100")
    assert ledger.closing_part("SPY", SIDES[side], Decimal(qty)) == Decimal(closing)


def test_a_copy_is_independent() -> None:
    ledger = Ledger(Decimal(1000), AccountTerms(kind=AccountKind.MARGIN))
    trade(ledger, "buy 2 SPY 100")
    copy = ledger.copy()
    trade(copy, "sell 3 SPY 110")
    trade(copy, "buy 1 QQQ 50")
    copy.mark("SPY", Decimal(120))
    copy.restricted = True
    assert told(ledger) == "800 2 100 0"
    assert figures(ledger) == "1000 200"
    assert ledger.held("QQQ") == Decimal(0)
    assert not ledger.restricted
    # 1000 − 200 + 330 − 50; short 1 at 110, 2 × 10 realised.
    assert told(copy) == "1080 -1 110 20"
    # 1080 − 120 + 50, 120 + 50.
    assert figures(copy) == "1010 170"


def test_open_positions_are_by_symbol_and_leave_out_what_is_flat() -> None:
    ledger = Ledger(Decimal(1000))
    for fill in ("buy 1 SPY 100", "buy 1 AAA 50", "buy 2 QQQ 10", "sell 2 QQQ 10"):
        trade(ledger, fill)
    assert [position.symbol for position in ledger.open_positions()] == ["AAA", "SPY"]


def test_equity_and_exposure_are_at_the_marks_and_at_the_first_fill_until_there_is_one() -> None:
    ledger = Ledger(Decimal(1000), AccountTerms(kind=AccountKind.MARGIN))
    trade(ledger, "buy 4 SPY 100")
    trade(ledger, "sell 2 QQQ 50")
    assert figures(ledger) == "1000 500"
    ledger.mark("SPY", Decimal(110))
    ledger.mark("QQQ", Decimal(45))
    # 700 + 440 − 90; 440 + 90.
    assert figures(ledger) == "1050 530"
