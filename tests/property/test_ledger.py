"""Any sequence of fills, nights, splits and dividends, against an account kept in the plainest way, in exact fractions."""

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.matching.ledger import Ledger, Refusal
from core.model.market import AssetClass
from core.model.money import MONEY_CONTEXT
from core.model.order import OrderSide, RejectCode
from core.model.run import AccountKind, AccountTerms
from tests.examples import examples

SYMBOLS = ("SPY", "GME", "BTC/USD")
CLASSES = {"SPY": AssetClass.EQUITY, "GME": AssetClass.EQUITY, "BTC/USD": AssetClass.CRYPTO}

# Few symbols, sizes that close and reverse each other, and prices that move an account of a few thousand to its limits.
symbols = st.sampled_from(SYMBOLS)
quantities = st.sampled_from([Decimal(text) for text in ("1", "2.5", "10", "12.5", "20", "35")])
prices = st.integers(5_000, 15_000).map(lambda cents: Decimal(cents) / 100)
fees = st.sampled_from([Decimal(0), Decimal("0.0005"), Decimal("1.01")])
rates = st.sampled_from([Decimal(0), Decimal("0.03"), Decimal("3.6")])
fills = st.tuples(st.just("fill"), symbols, st.sampled_from(OrderSide), quantities, prices, fees)
# As many as the account just bears, and the last close at which a margin call just comes.
limits = st.one_of(
    st.tuples(st.just("limit"), symbols, st.sampled_from(OrderSide), prices, fees),
    st.tuples(st.just("edge"), symbols),
)
marks = st.tuples(st.just("mark"), symbols, st.integers(1, 40_000).map(lambda cents: Decimal(cents) / 100))
events = st.one_of(
    st.tuples(st.just("night")),
    # Ratios by which a mark can be divided without a rest, so that both keep the same last close.
    st.tuples(st.just("split"), symbols, st.sampled_from([Decimal(2), Decimal("1.25"), Decimal("0.1")]), prices),
    st.tuples(st.just("dividend"), symbols, st.integers(1, 500).map(lambda cents: Decimal(cents) / 100)),
    st.tuples(st.just("restrict"), st.booleans()),
)
steps = st.lists(st.one_of(fills, fills, limits, marks, events), min_size=15, max_size=60)


class Naive:
    """Cash and units as sums of what came and went, in fractions; every rule spelled out anew."""

    def __init__(self, cash: Decimal, terms: AccountTerms) -> None:
        self.terms = terms
        self.cash = Fraction(cash)
        self.qty: dict[str, Fraction] = defaultdict(Fraction)
        self.average: dict[str, Fraction] = defaultdict(Fraction)
        self.realised: dict[str, Fraction] = defaultdict(Fraction)
        self.mark: dict[str, Fraction] = {}
        self.restricted = False

    def equity(self, prices_now: dict[str, Fraction]) -> Fraction:
        return self.cash + sum(qty * prices_now[symbol] for symbol, qty in self.qty.items() if qty)

    def required(self, share: Fraction, prices_now: dict[str, Fraction]) -> Fraction:
        return sum(
            (abs(qty) * prices_now[symbol] * (1 if symbol == "BTC/USD" else share) for symbol, qty in self.qty.items() if qty),
            Fraction(0),
        )

    def refusal(self, symbol: str, signed: Fraction, price: Fraction, fee: Fraction) -> RejectCode | None:
        before, after = self.qty[symbol], self.qty[symbol] + signed
        cash = self.cash - signed * price - fee
        if self.terms.kind is AccountKind.CASH:
            if after < 0:
                return RejectCode.INSUFFICIENT_POSITION
            return RejectCode.INSUFFICIENT_CASH if cash < 0 else None
        if before * signed < 0 and abs(signed) <= abs(before):
            return None
        if after < 0 and symbol in {"BTC/USD", "GME"}:
            return RejectCode.NOT_SHORTABLE
        if self.restricted and any(self.qty.values()):
            return RejectCode.INSUFFICIENT_MARGIN
        trial = Naive(Decimal(0), self.terms)
        trial.cash = cash
        trial.qty = self.qty | {symbol: after}
        prices_now = self.mark | {symbol: price}
        return RejectCode.INSUFFICIENT_MARGIN if trial.equity(prices_now) < trial.required(Fraction(1, 2), prices_now) else None

    def misses(self) -> bool:
        """Tell whether equity is under the maintenance margin."""
        is_held = self.terms.kind is AccountKind.MARGIN and any(self.qty.values())
        return is_held and self.equity(self.mark) < self.required(Fraction(1, 4), self.mark)

    def most(self, symbol: str, sign: int, price: Fraction, fee: Fraction) -> int:
        """Return how many hundredths of a unit the account bears."""
        return _last(lambda units: self.refusal(symbol, Fraction(sign * units, 100), price, fee) is None)

    def edge(self, symbol: str) -> int:
        """Return the last close in cents before a margin call begins or ends."""
        before = self.mark.get(symbol)

        def alike(cents: int) -> bool:
            self.mark[symbol] = Fraction(cents, 100)
            return self.misses() == at_first

        self.mark[symbol] = Fraction(1, 100)
        at_first = self.misses()
        found = _last(alike)
        if before is None:
            del self.mark[symbol]
        else:
            self.mark[symbol] = before
        return found

    def fill(self, symbol: str, signed: Fraction, price: Fraction, fee: Fraction) -> None:
        self.cash -= signed * price + fee
        self.mark.setdefault(symbol, price)
        if self.terms.kind is AccountKind.MARGIN and not (self.qty[symbol] * signed < 0 and abs(signed) <= abs(self.qty[symbol])):
            self.restricted = False  # whatever raises exposure is allowed once all is closed, and from then on
        self.trade(symbol, signed, price)

    def trade(self, symbol: str, signed: Fraction, price: Fraction) -> None:
        before = self.qty[symbol]
        after = before + signed
        if before * signed < 0:
            closed = min(abs(signed), abs(before)) * (1 if before > 0 else -1)
            self.realised[symbol] += closed * (price - self.average[symbol])
            if before * after < 0:
                self.average[symbol] = price
        else:
            self.average[symbol] = (before * self.average[symbol] + signed * price) / after
        if not after:
            self.average[symbol] = Fraction(0)
        self.qty[symbol] = after

    def night(self) -> dict[str | None, Fraction]:
        margin = self.terms.kind is AccountKind.MARGIN
        owed: dict[str | None, Fraction] = {}
        for symbol, qty in self.qty.items():
            if margin and qty < 0:
                owed[symbol] = -qty * self.mark[symbol] * Fraction(self.terms.borrow_rate)
        if self.cash > 0:
            owed[None] = -self.cash * Fraction(self.terms.credit_rate)
        elif margin:
            owed[None] = -self.cash * Fraction(self.terms.debit_rate)
        charges = {symbol: Fraction(round(amount / 360 * 100), 100) for symbol, amount in owed.items()}
        self.cash -= sum(charges.values())
        return {symbol: charge for symbol, charge in charges.items() if charge}

    def split(self, symbol: str, ratio: Fraction, opened: Fraction) -> None:
        if symbol in self.mark:
            self.mark[symbol] /= ratio
        if not self.qty[symbol]:
            return
        self.qty[symbol] *= ratio
        self.average[symbol] /= ratio
        exact = self.qty[symbol]
        whole = Fraction(abs(exact) // 1) * (1 if exact > 0 else -1)
        if exact != whole:
            self.cash += (exact - whole) * opened
            self.trade(symbol, whole - exact, opened)


def _last(holds: Callable[[int], bool]) -> int:
    """Return the last of 1, 2, 3 … up to a hundred thousand for which it holds; 0 for none."""
    low, high = 0, 100_000
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def apply(ledger: Ledger, naive: Naive, step: tuple[Any, ...]) -> None:
    """Do one step in both and compare what they say of it."""
    kind, *rest = step
    if kind == "fill":
        symbol, side, qty, price, fee = rest
        signed = Fraction(qty) * side.sign
        expected = naive.refusal(symbol, signed, Fraction(price), Fraction(fee))
        before = ledger.copy()
        if expected is None:
            ledger.book(symbol, side, qty, price, fee)
            naive.fill(symbol, signed, Fraction(price), Fraction(fee))
            return
        with pytest.raises(Refusal) as caught:
            ledger.book(symbol, side, qty, price, fee)
        assert caught.value.code is expected
        assert state(ledger) == state(before)
    elif kind == "limit":
        symbol, side, price, fee = rest
        most = naive.most(symbol, side.sign, Fraction(price), Fraction(fee))
        for units in (most + 1, most):
            if units:
                apply(ledger, naive, ("fill", symbol, side, Decimal(units) / 100, price, fee))
    elif kind == "edge":
        edge = naive.edge(*rest)
        for cents in (edge, edge + 1):
            if cents:
                apply(ledger, naive, ("mark", *rest, Decimal(cents) / 100))
                assert (ledger.maintenance() is not None) == naive.misses()
    elif kind == "mark":
        symbol, price = rest
        ledger.mark(symbol, price)
        naive.mark[symbol] = Fraction(price)
    elif kind == "night":
        charges = {charge.symbol: Fraction(charge.amount) for charge in ledger.charge_night()}
        assert charges == naive.night()
    elif kind == "split":
        symbol, ratio, opened = rest
        ledger.split(symbol, ratio, opened, Decimal(1))
        naive.split(symbol, Fraction(ratio), Fraction(opened))
    elif kind == "dividend":
        symbol, amount = rest
        paid = ledger.dividend(symbol, amount)
        assert Fraction(paid or 0) == naive.qty[symbol] * Fraction(amount)
        naive.cash += naive.qty[symbol] * Fraction(amount)
    else:
        ledger.restricted = naive.restricted = rest[0]


def state(ledger: Ledger) -> object:
    return ledger.cash, ledger.open_positions(), ledger.marks, ledger.restricted


def close(found: Decimal, expected: Fraction) -> bool:
    """Averages and marks are quotients: sixty digits of them."""
    return abs(Fraction(found) - expected) <= Fraction(1, 10**40) * (1 + abs(expected))


@examples(120)
@given(
    kind=st.sampled_from(AccountKind),
    cash=st.sampled_from([Decimal(1000), Decimal("2500.01"), Decimal(10_000)]),
    borrow=rates,
    debit=rates,
    credit=rates,
    steps=steps,
)
def test_money_is_conserved_and_positions_are_the_sum_of_fills(
    kind: AccountKind, cash: Decimal, borrow: Decimal, debit: Decimal, credit: Decimal, steps: list[tuple[Any, ...]]
) -> None:
    terms = AccountTerms(kind=kind, borrow_rate=borrow, debit_rate=debit, credit_rate=credit, hard_to_borrow=("GME",))
    with localcontext(MONEY_CONTEXT):
        ledger, naive = Ledger(cash, terms, CLASSES), Naive(cash, terms)
        for step in steps:
            apply(ledger, naive, step)
            assert Fraction(ledger.cash) == naive.cash
            for symbol in SYMBOLS:
                position = ledger.position(symbol)
                assert Fraction(position.qty) == naive.qty[symbol]
                assert close(position.avg_price, naive.average[symbol])
                assert close(position.realised_pnl, naive.realised[symbol])
            assert close(ledger.equity, naive.equity(naive.mark))
            shortfall = ledger.maintenance()
            assert (shortfall is not None) == naive.misses()
            if kind is AccountKind.CASH:
                assert ledger.cash >= 0
