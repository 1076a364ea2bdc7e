"""A margin account: shorts, reversals, what it must have, and what it refuses."""

from collections.abc import Iterator
from decimal import Decimal, localcontext

import pytest

from core.matching.ledger import Ledger, Refusal
from core.matching.margin import Shortfall
from core.model.market import AssetClass
from core.model.money import MONEY_CONTEXT
from core.model.order import RejectCode
from core.model.run import AccountKind, AccountTerms
from tests.unit.matching.test_ledger import told, trade

MARGIN = AccountTerms(kind=AccountKind.MARGIN, hard_to_borrow=("GME",))
NO_MARGIN, NO_SHORT = RejectCode.INSUFFICIENT_MARGIN, RejectCode.NOT_SHORTABLE


@pytest.fixture(autouse=True)
def money_context() -> Iterator[None]:
    with localcontext(MONEY_CONTEXT):
        yield


def margin(cash: str = "1000", fills: tuple[str, ...] = (), **marks: str) -> Ledger:
    ledger = Ledger(Decimal(cash), MARGIN)
    for fill in fills:
        trade(ledger, fill)
    for symbol, price in marks.items():
        ledger.mark(symbol.replace("_", "/"), Decimal(price))
    return ledger


@pytest.mark.parametrize(
    ("fills", "expected"),
    [
        # Borrowed: 1000 − 2000.
        (("buy 20 SPY 100",), "-1000 20 100 0"),
        (("sell 5 SPY 100",), "1500 -5 100 0"),
        (("sell 4 SPY 100", "sell 4 SPY 110"), "1840 -8 105 0"),
        # Bought back 2 at 100: 2 × (105 − 100) realised.
        (("sell 4 SPY 100", "sell 4 SPY 110", "buy 2 SPY 100"), "1640 -6 105 10"),
        (("sell 4 SPY 100", "buy 4 SPY 120"), "920 0 0 -80"),
        # Through flat, long to short: 4 × (110 − 100) realised, the rest costs 110.
        (("buy 4 SPY 100", "sell 7 SPY 110"), "1370 -3 110 40"),
        # Short to long: 4 × (100 − 90), the rest costs 90.
        (("sell 4 SPY 100", "buy 6 SPY 90"), "860 2 90 40"),
        (("sell 4 SPY 100", "buy 6 SPY 90", "sell 5 SPY 95 fee 1"), "1334 -3 95 50"),
    ],
)
def test_fills(fills: tuple[str, ...], expected: str) -> None:
    assert told(margin(fills=fills)) == expected


@pytest.mark.parametrize(
    ("cash", "fills", "marks", "last"),
    [
        # Equity of 1000 carries 2000 exactly.
        ("1000", (), {}, "buy 20 SPY 100"),
        ("1000", (), {}, "sell 20 SPY 100"),
        ("1000", (), {}, "buy 20 EUR/USD 100"),
        ("1000", (), {}, "sell 20 EUR/USD 100"),
        # Equity 1000 + 10 × 10 = 1100 carries 1100 + 1100.
        ("1000", ("buy 10 SPY 100",), {"SPY": "110"}, "buy 11 QQQ 100"),
        # A short that went down: equity 1000 + 10 × 10 carries 900 + 1300.
        ("1000", ("sell 10 SPY 100",), {"SPY": "90"}, "buy 13 QQQ 100"),
        # Crypto in full, equities by half: 600 + 400 ÷ 2 of 1000 (and 200 more).
        ("1000", ("buy 6 BTC/USD 100",), {}, "buy 8 SPY 100"),
        ("1000", (), {}, "buy 10 BTC/USD 100"),
        # The traded symbol counts at the fill's price: at its mark equity would be −1000 + 20 × 50 = 0.
        ("1000", (), {"SPY": "50"}, "buy 20 SPY 100"),
        # What only reduces is never refused, however little is left: here equity is below zero.
        ("1000", ("buy 20 SPY 100",), {"SPY": "40"}, "sell 5 SPY 40"),
        ("1000", ("sell 20 SPY 100",), {"SPY": "200"}, "buy 20 SPY 200 fee 10"),
        ("1000", ("buy 5 BTC/USD 100",), {"BTC_USD": "1"}, "sell 5 BTC/USD 1 fee 500"),
        # A reversal is judged after it: equity 1000 carries 2000 on the other side.
        ("1000", ("buy 20 SPY 100",), {}, "sell 40 SPY 100"),
        ("1000", ("sell 20 SPY 100",), {}, "buy 40 SPY 100"),
        # Hard to borrow may be bought, and sold down to flat.
        ("1000", ("buy 5 GME 100",), {}, "sell 5 GME 100"),
    ],
)
def test_what_it_bears(cash: str, fills: tuple[str, ...], marks: dict[str, str], last: str) -> None:
    ledger = margin(cash, fills, **marks)
    trade(ledger, last)


@pytest.mark.parametrize(
    ("fills", "marks", "last", "code", "reason"),
    [
        (
            (),
            {},
            "buy 20 SPY 100 fee 0.01",
            NO_MARGIN,
            "Buying 20 SPY at 100 with 0.01 in fees would leave equity of 999.99; an exposure of 2000 requires 1000.",
        ),
        (
            (),
            {},
            "sell 21 SPY 100",
            NO_MARGIN,
            "Selling 21 SPY at 100 with 0 in fees would leave equity of 1000; an exposure of 2100 requires 1050.",
        ),
        # Equity 1000 − 10 × 10 = 900; exposure 900 + 950.
        (
            ("buy 10 SPY 100",),
            {"SPY": "90"},
            "sell 9.5 QQQ 100",
            NO_MARGIN,
            "Selling 9.5 QQQ at 100 with 0 in fees would leave equity of 900; an exposure of 1850 requires 925.",
        ),
        # At its mark equity would be −1050 + 41 × 100, enough by far.
        (
            (),
            {"SPY": "100"},
            "buy 41 SPY 50",
            NO_MARGIN,
            "Buying 41 SPY at 50 with 0 in fees would leave equity of 1000; an exposure of 2050 requires 1025.",
        ),
        # 600 of crypto in full and 900 of equities by half.
        (
            ("buy 6 BTC/USD 100",),
            {},
            "buy 9 SPY 100",
            NO_MARGIN,
            "Buying 9 SPY at 100 with 0 in fees would leave equity of 1000; an exposure of 1500 requires 1050.",
        ),
        # Crypto alone: cash may not go below zero.
        (
            (),
            {},
            "buy 10 BTC/USD 100 fee 0.01",
            NO_MARGIN,
            "Buying 10 BTC/USD at 100 with 0.01 in fees would leave equity of 999.99; an exposure of 1000 requires 1000.",
        ),
        (
            (),
            {},
            "sell 1 BTC/USD 100",
            NO_SHORT,
            "Selling 1 BTC/USD at 100 would leave -1: crypto cannot be sold short; the account holds 0.",
        ),
        (
            ("buy 2 BTC/USD 100",),
            {},
            "sell 3 BTC/USD 100",
            NO_SHORT,
            "Selling 3 BTC/USD at 100 would leave -1: crypto cannot be sold short; the account holds 2.",
        ),
        (
            ("buy 5 GME 100",),
            {},
            "sell 8 GME 100",
            NO_SHORT,
            "Selling 8 GME at 100 would leave -3: the symbol is hard to borrow and cannot be sold short; the account holds 5.",
        ),
        # A reversal that opens too much is refused whole; its closing part is the matcher's to book.
        (
            ("buy 20 SPY 100",),
            {},
            "sell 41 SPY 100",
            NO_MARGIN,
            "Selling 41 SPY at 100 with 0 in fees would leave equity of 1000; an exposure of 2100 requires 1050.",
        ),
    ],
)
def test_what_it_refuses_and_then_nothing_has_changed(
    fills: tuple[str, ...], marks: dict[str, str], last: str, code: RejectCode, reason: str
) -> None:
    ledger = margin(fills=fills, **marks)
    symbol = last.split()[2]
    before = told(ledger, symbol), dict(ledger.marks), ledger.equity
    with pytest.raises(Refusal) as caught:
        trade(ledger, last)
    assert (caught.value.code, caught.value.reason) == (code, reason)
    assert (told(ledger, symbol), ledger.marks, ledger.equity) == before


def test_the_closing_part_of_a_refused_reversal_can_be_booked() -> None:
    ledger = margin(fills=("buy 20 SPY 100",))
    with pytest.raises(Refusal):
        trade(ledger, "sell 41 SPY 100")
    trade(ledger, "sell 20 SPY 100")
    assert told(ledger) == "1000 0 0 0"


@pytest.mark.parametrize("last", ["buy 1 SPY 100", "sell 1 QQQ 100", "sell 3 SPY 100", "buy 1 BTC/USD 1"])
def test_after_a_margin_call_nothing_raises_exposure(last: str) -> None:
    ledger = margin("100000", ("buy 2 SPY 100",))
    ledger.restricted = True
    with pytest.raises(Refusal) as caught:
        trade(ledger, last)
    assert caught.value.code is NO_MARGIN
    trade(ledger, "sell 1 SPY 100")
    trade(ledger, "sell 1 SPY 100")
    ledger.restricted = False
    trade(ledger, "buy 1 SPY 100")


def test_a_restricted_account_tells_its_figures() -> None:
    ledger = margin(fills=("buy 2 SPY 100",))
    ledger.restricted = True
    with pytest.raises(Refusal) as caught:
        trade(ledger, "buy 3 SPY 100")
    assert caught.value.reason == (
        "Buying 3 SPY at 100 would raise exposure to 500 with equity of 1000; "
        "after a margin call nothing may until all positions are closed."
    )


@pytest.mark.parametrize(
    ("fills", "marks", "expected"),
    [
        ((), {}, None),
        # Equity 1000 − 20 × (100 − p) against 5 × p: even at 66⅔.
        (("buy 20 SPY 100",), {"SPY": "66.67"}, None),
        (("buy 20 SPY 100",), {"SPY": "66.66"}, ("333.2", "333.3", "1333.2")),
        # Short: 1000 − 20 × (p − 100) against 5 × p: even at 120.
        (("sell 20 SPY 100",), {"SPY": "120"}, None),
        (("sell 20 SPY 100",), {"SPY": "120.01"}, ("599.8", "600.05", "2400.2")),
        # Crypto in full beside borrowed equities: −400 + 600 + 640 = 840 against 600 + 160; −400 + 600 + 360 against 600 + 90.
        (("buy 6 BTC/USD 100", "buy 8 SPY 100"), {"SPY": "80"}, None),
        (("buy 6 BTC/USD 100", "buy 8 SPY 100"), {"SPY": "45"}, ("560", "690", "960")),
        # Nothing is borrowed: no price can bring a call.
        (("buy 10 SPY 100",), {"SPY": "0.01"}, None),
        (("buy 10 BTC/USD 100",), {"BTC_USD": "0.01"}, None),
        # Nothing is held any more, though the account owes.
        (("buy 20 SPY 100", "sell 20 SPY 40"), {}, None),
    ],
)
def test_maintenance(fills: tuple[str, ...], marks: dict[str, str], expected: tuple[str, str, str] | None) -> None:
    shortfall = margin(fills=fills, **marks).maintenance()
    if expected is None:
        assert shortfall is None
    else:
        equity, required, exposure = map(Decimal, expected)
        assert shortfall == Shortfall(equity=equity, required=required, exposure=exposure)


def test_a_cash_account_has_no_maintenance() -> None:
    ledger = Ledger(Decimal(1000))
    trade(ledger, "buy 10 SPY 100")
    ledger.mark("SPY", Decimal(1))
    assert ledger.maintenance() is None


def test_the_runs_own_classes_come_before_what_a_form_tells() -> None:
    ledger = Ledger(Decimal(1000), MARGIN, {"COIN": AssetClass.CRYPTO, "A/B": AssetClass.EQUITY})
    trade(ledger, "buy 20 A/B 100")
    ledger = Ledger(Decimal(1000), MARGIN, {"COIN": AssetClass.CRYPTO, "A/B": AssetClass.EQUITY})
    with pytest.raises(Refusal, match="crypto cannot be sold short"):
        trade(ledger, "sell 1 COIN 1")
