"""A run spends its own money and sells what it holds: by the rules of an account in a backtest, before an order leaves."""

from decimal import Decimal
from typing import Any

import pytest

from core.model.order import Fill, OrderRequest, OrderSide, OrderType, RejectCode
from core.model.risk import RiskLimits
from core.model.run import AccountKind, AccountTerms
from core.trading.books import RunBook
from core.trading.own_account import what_is_not_borne, what_was_closed_outside, without_dust

D = Decimal
PRICES = {"SPY": D(100), "BTC/USD": D(1_000)}
MARGIN = AccountTerms(kind=AccountKind.MARGIN)


def order(side: str, qty: str, symbol: str = "SPY", **terms: Any) -> OrderRequest:
    return OrderRequest(symbol=symbol, side=OrderSide(side), qty=D(qty), **terms)


def limit(side: str, qty: str, price: str, symbol: str = "SPY") -> OrderRequest:
    return order(side, qty, symbol, type=OrderType.LIMIT, limit_price=D(price))


def book(terms: AccountTerms | None = None, **held: str) -> RunBook:
    """A run with 10,000 left, and positions that were bought at 100."""
    made = RunBook(D(10_000), RiskLimits(), terms or AccountTerms())
    for at, (symbol, qty) in enumerate(held.items()):
        symbol = symbol.replace("_", "/")
        side = OrderSide.BUY if D(qty) > 0 else OrderSide.SELL
        fill = Fill(str(at), "run", "o", symbol, side, abs(D(qty)), D(100), D(0), D(0), 0)
        made.book(fill)
        made.cash = D(10_000)
    return made


CASH, POSITION = RejectCode.INSUFFICIENT_CASH, RejectCode.INSUFFICIENT_POSITION
MARGIN_CODE, SHORT = RejectCode.INSUFFICIENT_MARGIN, RejectCode.NOT_SHORTABLE


@pytest.mark.parametrize(
    ("own", "wanted", "working", "code"),
    [
        (book(), order("buy", "100"), [], None),  # exactly all it has
        (book(), order("buy", "100.000000001"), [], CASH),
        (book(), limit("buy", "101", "99"), [], None),  # at its own limit
        (book(), limit("buy", "102", "99"), [], CASH),
        (book(), order("buy", "51"), [order("buy", "50")], CASH),  # a market order on its way is as good as filled
        (book(), order("buy", "51"), [limit("buy", "50", "99")], None),  # nothing is held back for one that waits
        (book(SPY="10"), order("buy", "110"), [order("sell", "10")], None),  # a rotation: what is sold pays for it
        (book(SPY="10"), order("sell", "10"), [], None),
        (book(SPY="10"), order("sell", "10.5"), [], POSITION),
        (book(SPY="10"), order("sell", "1"), [order("sell", "10")], POSITION),  # what is on its way is sold already
        (book(SPY="10"), order("sell", "10"), [limit("sell", "10", "120")], None),  # out, while its target waits
        (book(), limit("sell", "10", "120"), [], POSITION),
        (book(), limit("sell", "10", "120"), [limit("buy", "10", "99")], None),  # a bid and an offer
        (book(), limit("sell", "11", "120"), [order("buy", "10")], POSITION),
        (book(), order("sell", "10"), [limit("buy", "10", "99")], POSITION),
        (book(SPY="-10"), order("buy", "10"), [], None),  # out of a short that should not be there
        (book(), order("sell", "1", reduce_only=True), [], None),  # judged as one that only reduces
        (book(MARGIN), order("buy", "200"), [], None),
        (book(MARGIN), order("buy", "200.1"), [], MARGIN_CODE),
        (book(MARGIN), order("sell", "100"), [], None),
        (book(MARGIN), order("sell", "1", "BTC/USD"), [], SHORT),
    ],
)
def test_what_a_run_can_bear(own: RunBook, wanted: OrderRequest, working: list[OrderRequest], code: RejectCode | None) -> None:
    before = (own.cash, own.positions())
    account = own.own_account(PRICES)
    assert account is not None
    refused = what_is_not_borne(wanted, account, working, PRICES)
    assert (None if refused is None else refused.code) == code
    assert (own.cash, own.positions()) == before  # it was only tried
    if refused is not None:
        assert refused.sentence.startswith("Risk rule the run's own account: ")
        assert refused.sentence.count(".") < 6
        assert not refused.sentence.endswith("..")


def test_without_a_price_only_the_units_are_judged() -> None:
    account, again = book(SPY="10").own_account({}), book(SPY="10").own_account({})
    assert account is not None
    assert again is not None
    assert what_is_not_borne(order("buy", "1000"), account, [], {}) is None
    refused = what_is_not_borne(order("sell", "11"), again, [], {})
    assert refused is not None
    assert refused.code is POSITION


def test_a_person_may_use_all_that_is_in_the_account() -> None:
    assert RunBook(D(1), RiskLimits()).own_account(PRICES) is None


def test_what_has_no_price_yet_counts_at_its_cost() -> None:
    """A run that was resumed decides on one symbol before another's first bar."""
    own = book(MARGIN, AAA="-5").own_account(PRICES)
    assert own is not None
    assert what_is_not_borne(order("buy", "1"), own, (), PRICES) is None
    dear = book(MARGIN, AAA="-500").own_account(PRICES)
    assert dear is not None
    refused = what_is_not_borne(order("buy", "1"), dear, (), PRICES)
    assert refused is not None
    assert refused.code is MARGIN_CODE


@pytest.mark.parametrize(
    ("wanted", "held", "there", "working", "is_refused"),
    [
        (order("sell", "10"), "10", "10", [], False),
        (order("sell", "10"), "10", "0", [], True),
        (order("sell", "4"), "10", "4", [], False),
        (order("sell", "5"), "10", "4", [], True),
        (order("sell", "2"), "10", "4", [order("sell", "3")], True),  # what is on its way is closed already
        (order("sell", "1"), "10", "4", [order("sell", "3")], False),
        (order("sell", "4"), "10", "4", [limit("sell", "4", "120")], False),  # beside what waits
        (order("buy", "10"), "10", "0", [], False),  # more of it
        (order("sell", "20"), "10", "0", [], True),  # to turn around what is not there
        (order("buy", "10"), "-10", "-4", [], True),
        (order("buy", "4"), "-10", "-4", [], False),
    ],
)
def test_what_was_closed_outside_is_not_closed_again(
    wanted: OrderRequest, held: str, there: str, working: list[OrderRequest], is_refused: bool
) -> None:
    refusal = what_was_closed_outside(wanted, D(held), working, D(there))
    assert (refusal is not None) is is_refused
    if refusal is not None:
        assert refusal.code is RejectCode.INSUFFICIENT_POSITION


@pytest.mark.parametrize(
    ("wanted", "held", "there", "working", "left"),
    [
        (order("sell", "10"), "10", "9.9999", [], "9.9999"),
        (order("sell", "10"), "10", "9.99", [], "9.99"),  # a thousandth of it
        (order("sell", "10"), "10", "9.989", [], "10"),  # that is no dust: it is refused
        (order("sell", "9.9999"), "10", "9.9999", [], "9.9999"),  # what is there is asked for
        (order("sell", "4"), "10", "9.9999", [], "4"),
        (order("sell", "10"), "10", "10", [], "10"),
        (order("sell", "6"), "10", "9.9999", [order("sell", "4")], "5.9999"),  # after what is on its way
        (order("sell", "0.0001"), "10", "9.9999", [order("sell", "9.9999")], "0.0001"),  # nothing of that is there: it is refused
        (order("sell", "12"), "10", "9.9999", [], "12"),  # it means to open
        (order("buy", "1"), "10", "9.9999", [], "1"),
        (order("buy", "10"), "-10", "-9.9999", [], "9.9999"),
        (limit("sell", "10", "120"), "10", "9.9999", [], "9.9999"),
    ],
)
def test_beside_dust_an_order_is_over_what_is_there(
    wanted: OrderRequest, held: str, there: str, working: list[OrderRequest], left: str
) -> None:
    qty = without_dust(wanted, D(held), working, D(there))
    assert qty == D(left)
    if qty != wanted.qty:
        assert what_was_closed_outside(order(wanted.side, left), D(held), working, D(there)) is None
