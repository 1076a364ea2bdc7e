"""Interest by night, splits and dividends, each figure worked out by hand beside its case."""

from collections.abc import Iterator
from decimal import Decimal, localcontext

import pytest

from core.matching.ledger import Ledger, PositionSplit
from core.matching.nights import NightCharge
from core.model.money import MONEY_CONTEXT
from core.model.run import AccountKind, AccountTerms
from tests.unit.matching.test_ledger import told, trade


@pytest.fixture(autouse=True)
def money_context() -> Iterator[None]:
    with localcontext(MONEY_CONTEXT):
        yield


def account(
    kind: AccountKind = AccountKind.MARGIN,
    cash: str = "10000",
    fills: tuple[str, ...] = (),
    borrow: str = "0",
    debit: str = "0",
    credit: str = "0",
    marks: dict[str, str] | None = None,
) -> Ledger:
    terms = AccountTerms(kind=kind, borrow_rate=Decimal(borrow), debit_rate=Decimal(debit), credit_rate=Decimal(credit))
    ledger = Ledger(Decimal(cash), terms)
    for fill in fills:
        trade(ledger, fill)
    for symbol, price in (marks or {}).items():
        ledger.mark(symbol, Decimal(price))
    return ledger


def charges(ledger: Ledger) -> dict[str | None, str]:
    return {charge.symbol: str(charge.amount) for charge in ledger.charge_night()}


@pytest.mark.parametrize(
    ("ledger", "expected", "cash"),
    [
        # 10 × 120 × 0.036 ÷ 360 = 0.12, at the last close and not at the price sold at.
        (account(fills=("sell 10 SPY 100",), borrow="0.036", marks={"SPY": "120"}), {"SPY": "0.12"}, "10999.88"),
        # 5000 × 0.072 ÷ 360 = 1.
        (account(fills=("buy 150 SPY 100",), debit="0.072"), {None: "1.00"}, "-5001"),
        # 10000 × 0.018 ÷ 360 = 0.5, earned.
        (account(credit="0.018"), {None: "-0.50"}, "10000.5"),
        # Each by itself: 0.054 → 0.05 and 0.054 → 0.05, not 0.108 → 0.11.
        (
            account(fills=("sell 10 AAA 54", "sell 10 BBB 54"), borrow="0.036"),
            {"AAA": "0.05", "BBB": "0.05"},
            "11079.9",
        ),
        # Cash earns on what it was before the borrow charge: 11000 × 0.36 ÷ 360 = 11; 1000 × 3.6 ÷ 360 = 10.
        (account(fills=("sell 10 SPY 100",), borrow="3.6", credit="0.36"), {"SPY": "10.00", None: "-11.00"}, "11001"),
        # Half-even: 0.125 → 0.12 and 0.135 → 0.14.
        (account(fills=("sell 1 AAA 12.5", "sell 1 BBB 13.5"), borrow="3.6"), {"AAA": "0.12", "BBB": "0.14"}, "10025.74"),
        # Under half a cent: nothing.
        (account(fills=("sell 1 AAA 0.5",), borrow="3.6"), {}, "10000.5"),
        # Longs pay nothing; a rate of its own for each kind of balance.
        (account(fills=("buy 150 SPY 100",), borrow="1", credit="1"), {}, "-5000"),
        (account(fills=("sell 1 SPY 100",), debit="1"), {}, "10100"),
        # A cash account may earn and never pays.
        (account(AccountKind.CASH, credit="0.018", borrow="1", debit="1"), {None: "-0.50"}, "10000.5"),
    ],
)
def test_a_night(ledger: Ledger, expected: dict[str | None, str], cash: str) -> None:
    assert charges(ledger) == expected
    assert ledger.cash == Decimal(cash)


def test_nights_add_up_on_what_the_last_one_left() -> None:
    # 5000 × 3.6 ÷ 360 = 50; 5050 → 50.5; 5100.5 → 51.005, half-even 51.00.
    ledger = account(fills=("buy 150 SPY 100",), debit="3.6")
    assert [ledger.charge_night() for _ in range(3)] == [
        [NightCharge(symbol=None, amount=Decimal(50))],
        [NightCharge(symbol=None, amount=Decimal("50.5"))],
        [NightCharge(symbol=None, amount=Decimal(51))],
    ]
    assert ledger.cash == Decimal("-5151.5")


@pytest.mark.parametrize(
    ("ledger", "expected"),
    [
        (account(), False),
        (account(borrow="0.1"), True),
        (account(debit="0.1"), True),
        (account(AccountKind.CASH, borrow="0.1", debit="0.1"), False),
        (account(AccountKind.CASH, credit="0.1"), True),
    ],
)
def test_whether_nights_matter_at_all(ledger: Ledger, expected: bool) -> None:
    assert ledger.has_rates is expected


@pytest.mark.parametrize(
    ("fill", "ratio", "opened", "lot", "qty", "fraction_cash", "line", "mark"),
    [
        # Four for one: 40 at 25, nothing left over.
        ("buy 10 SPY 100", "4", "26", "1", "40", "0", "9000 40 25 0", "25"),
        # Three for two of 5 at 120, 80 each: seven and a half, and the half goes at the open, 70.
        ("buy 5 SPY 120", "1.5", "70", "1", "7", "35", "9435 7 80 -5", "80"),
        ("sell 5 SPY 120", "1.5", "70", "1", "-7", "-35", "10565 -7 80 5", "80"),
        # One for ten of 5: all of it is a fraction and goes at the open.
        ("buy 5 SPY 10", "0.1", "90", "1", "0", "45", "9995 0 0 -5", "100"),
        # No known lot: nothing is left over.
        ("buy 5 SPY 120", "1.5", "70", None, "7.5", "0", "9400 7.5 80 0", "80"),
        # A lot of its own: 0.75 down to 0.7.
        ("buy 0.5 SPY 120", "1.5", "70", "0.1", "0.7", "3.5", "9943.5 0.7 80 -0.5", "80"),
    ],
)
def test_a_split(fill: str, ratio: str, opened: str, lot: str | None, qty: str, fraction_cash: str, line: str, mark: str) -> None:
    ledger = account(fills=(fill,))
    before = ledger.held("SPY")
    change = ledger.split("SPY", Decimal(ratio), Decimal(opened), None if lot is None else Decimal(lot))
    assert change == PositionSplit(qty_before=before, qty_after=Decimal(qty), cash=Decimal(fraction_cash))
    assert told(ledger) == line
    assert ledger.marks["SPY"] == Decimal(mark)


def test_a_split_of_nothing_held_moves_the_mark_only() -> None:
    ledger = account(marks={"SPY": "120"})
    assert ledger.split("SPY", Decimal(3), Decimal(41), Decimal(1)) is None
    assert ledger.marks == {"SPY": Decimal(40)}
    assert ledger.cash == Decimal(10_000)
    assert ledger.split("QQQ", Decimal(3), Decimal(41), Decimal(1)) is None


@pytest.mark.parametrize(
    ("fills", "paid", "cash"),
    [
        (("buy 10 SPY 100",), "12.5", "9012.5"),
        (("sell 10 SPY 100",), "-12.5", "10987.5"),
        ((), None, "10000"),
        (("buy 10 SPY 100", "sell 10 SPY 100"), None, "10000"),
    ],
)
def test_a_dividend(fills: tuple[str, ...], paid: str | None, cash: str) -> None:
    ledger = account(fills=fills)
    assert ledger.dividend("SPY", Decimal("1.25")) == (None if paid is None else Decimal(paid))
    assert ledger.cash == Decimal(cash)
