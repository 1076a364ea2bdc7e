"""The five path models, and what depends on them."""

import pytest

from tests.oracle.market import Bar, Instrument
from tests.oracle.orders import Order, Place, bracket
from tests.oracle.path import adaptive, points
from tests.unit.oracle.scene import X, at, bar, d, ends, hourly, run, told

BRACKET = bracket(Order(id="p", symbol="X", side="buy", qty=d(10)), take_profit=d(104), stop_loss=d(97))


@pytest.mark.parametrize(
    ("row", "way"),
    [("100 104 95 102", "ohlc"), ("100 106 95 102", "olhc"), ("100 105 95 102", "olhc"), ("0.3 0.4 0.2 0.3", "olhc")],
)
def test_adaptive_goes_to_the_nearer_extreme(row: str, way: str) -> None:
    # The last is a tie that floats would not see.
    assert adaptive(bar(row, at(0))) == way


def test_points() -> None:
    one = bar("100 105 95 102", at(0))
    assert points(one, "ohlc") == [d(100), d(105), d(95), d(102)]
    assert points(one, "olhc") == [d(100), d(95), d(105), d(102)]


@pytest.mark.parametrize(
    ("path", "leg"),
    [
        ("ohlc", "p.target 10 @ 104"),
        ("olhc", "p.stop 10 @ 97"),
        # A tie of distances.
        ("adaptive", "p.stop 10 @ 97"),
        ("pessimistic", "p.stop 10 @ 97"),
        ("optimistic", "p.target 10 @ 104"),
    ],
)
def test_the_path_decides_between_two_legs(path: str, leg: str) -> None:
    outcome = run(hourly("100 105 95 102"), BRACKET, path=path)
    assert told(outcome.fills) == ["p 10 @ 100", leg]
    assert [fill.path_dependent for fill in outcome.fills] == [False, True]
    unfilled = "p.stop" if "target" in leg else "p.target"
    assert [name for name, order in outcome.orders.items() if order.path_dependent] == [unfilled]


def test_pessimistic_is_judged_at_the_bar_s_close_after_fees() -> None:
    # A short stop entry at 97 with the close at 102 loses 5 a unit either way: no difference, so adaptive: O-H-L-C by distance.
    asked = Order(id="a", symbol="X", side="sell", qty=d(1), type="stop", stop=d(97))
    outcome = run(hourly("100 104 95 102"), asked, path="pessimistic", account="margin")
    assert (told(outcome.fills), [fill.path_dependent for fill in outcome.fills]) == (["a 1 @ 97"], [False])


def test_an_order_left_by_the_path_is_flagged() -> None:
    # The sell trails from 100 by 6: O-H-L-C 100, 105 (99), 95: sold at 99. O-L-H-C: 95 (94), 105 (99), 102: not sold.
    asked = Order(id="a", symbol="X", side="sell", qty=d(1), type="trailing_stop", trail_price=d(6))
    left = run(hourly("100 105 95 102"), asked, account="margin")
    assert (left.fills, left.orders["a"].path_dependent) == ([], True)
    sold = run(hourly("100 105 95 102"), asked, account="margin", path="ohlc")
    assert [(fill.price, fill.path_dependent) for fill in sold.fills] == [(d(99), True)]


def test_what_an_earlier_path_caused_is_not_flagged_again() -> None:
    # Bar 0 leaves the position open only in one order of high and low; bar 1's sale is the same under both.
    asked = Order(id="a", symbol="X", side="sell", qty=d(1), type="trailing_stop", trail_price=d(6))
    outcome = run(hourly("100 105 95 102", "90 91 89 90"), asked, account="margin")
    assert [(fill.price, fill.path_dependent) for fill in outcome.fills] == [(d(90), False)]


def test_symbols_are_processed_by_end_then_in_the_run_s_order() -> None:
    # Cash for one of the two: Y stands first in the run. Its long bar ends later than X's first, so there X wins.
    other = Instrument(symbol="Y", tick=X.tick, lot=X.lot, sessions=X.sessions)
    asked = [Place(Order(id=name, symbol=name, side="buy", qty=d(10))) for name in ("X", "Y")]
    both = [*hourly("100 100 100 100"), *hourly("100 100 100 100", symbol="Y")]
    assert ends(run(both, asked, instruments=(other, X), cash=d(1000))) == {"X": "rejected: insufficient_cash", "Y": "filled"}
    later: list[Bar] = [*hourly("100 100 100 100"), bar("100 100 100 100", at(0), symbol="Y", hours=2)]
    assert ends(run(later, asked, instruments=(other, X), cash=d(1000))) == {"X": "filled", "Y": "rejected: insufficient_cash"}
