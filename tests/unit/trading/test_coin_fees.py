"""Fees that are taken from a bought coin: told by nothing but the position, and booked to the fills whose they are."""

from decimal import Decimal

import pytest

from core.model.instants import SECOND_NS
from core.model.order import Fill, OrderSide
from core.model.risk import RiskLimits
from core.trading.books import RunBook
from core.trading.coin_fees import CoinBuy, charges, net_of_fees
from core.trading.reconcile import Healing, Kind, Ours, Theirs, compare

D = Decimal


def buy(fill_id: str, qty: str, fee: str | None = None) -> CoinBuy:
    return CoinBuy(fill_id=fill_id, qty=D(qty), price=D(100), fee=None if fee is None else D(fee), order_id="o")


@pytest.mark.parametrize(
    ("missing", "buys", "booked"),
    [
        ("0.0025", [buy("a", "1")], {"a": "0.0025"}),
        ("0.0025", [buy("a", "1", "0.0025"), buy("b", "1")], {"b": "0.0025"}),  # what is charged is charged
        ("0.01", [buy("a", "1"), buy("b", "3")], {"a": "0.0025", "b": "0.0075"}),
        ("0.000000001", [buy("a", "1"), buy("b", "1")], {"a": "0", "b": "0.000000001"}),  # exact to the last digit
        ("0.0101", [buy("a", "1")], {}),  # more than any fee
        ("0.0025", [], {}),
        ("0", [buy("a", "1")], {}),
        ("-0.001", [buy("a", "1", "0.0025")], {"a": "-0.001"}),  # a list had lagged: too much was booked
        ("-0.003", [buy("a", "1", "0.0025"), buy("b", "1", "0.002")], {"b": "-0.002", "a": "-0.001"}),
        ("-0.003", [buy("a", "1", "0.0025")], {}),  # more came than was ever taken
    ],
)
def test_what_explains_that_a_coin_is_missing(missing: str, buys: list[CoinBuy], booked: dict[str, str]) -> None:
    found = charges(D(missing), buys)
    assert {charge.buy.fill_id: charge.qty for charge in found} == {name: D(qty) for name, qty in booked.items()}


def compared(held: str, seen_s: float | None, *buys: CoinBuy) -> list[tuple[Kind, Healing]]:
    ours = Ours(lives={}, positions={"BTC/USD": D(1)}, coin_buys={"BTC/USD": buys})
    theirs = Theirs(asked_ns=0, orders=(), executions=(), positions={"BTC/USD": D(held)})
    key = f"position:BTC/USD:{D(held) - 1}"
    now_ns = 100 * SECOND_NS
    since = {} if seen_s is None else {key: now_ns - int(seen_s * SECOND_NS)}
    return [(one.kind, one.healing) for one in compare(ours, theirs, now_ns, since=since)]


def test_it_is_booked_when_it_was_seen_twice_and_anything_else_stops_the_runs() -> None:
    assert compared("0.9975", None, buy("a", "1")) == [(Kind.COIN_FEE, Healing.WAIT)]
    assert compared("0.9975", 0.9, buy("a", "1")) == [(Kind.COIN_FEE, Healing.WAIT)]
    assert compared("0.9975", 1.0, buy("a", "1")) == [(Kind.COIN_FEE, Healing.BOOK)]
    assert compared("0.9", 1.0, buy("a", "1")) == [(Kind.POSITION, Healing.WAIT)]
    assert compared("0.9", 10.0, buy("a", "1")) == [(Kind.POSITION, Healing.STOP)]
    assert compared("0.9975", 10.0) == [(Kind.POSITION, Healing.STOP)]
    assert compared("1", None, buy("a", "1")) == []


def fill(fill_id: str, side: OrderSide, qty: str) -> Fill:
    return Fill(
        id=fill_id, run_id="r", order_id="o", symbol="BTC/USD", side=side, qty=D(qty), price=D(100), fee=D(0), slippage=D(0), time_ns=1
    )


def test_a_run_has_what_is_left_at_the_same_price_and_paid_the_fee_in_money() -> None:
    book = RunBook(D(1_000), RiskLimits())
    book.book(fill("a", OrderSide.BUY, "1"))
    book.charge("BTC/USD", D("0.0025"), D(100))
    assert (book.held("BTC/USD"), book.position("BTC/USD").avg_price, book.fees) == (D("0.9975"), D(100), D("0.25"))
    assert book.equity({"BTC/USD": D(100)}) == D("999.75")
    book.book(fill("b", OrderSide.SELL, "0.9975"))
    assert (book.held("BTC/USD"), book.cash) == (D(0), D("999.75"))
    (left,) = net_of_fees([fill("a", OrderSide.BUY, "1")], {"a": D("0.0025")})
    assert (left.qty, left.fee) == (D("0.9975"), D("0.25"))
