"""Each order type against one or a few bars."""

import pytest

from tests.oracle.market import Bar
from tests.oracle.orders import Order, Place
from tests.unit.oracle.scene import at, bar, d, ends, hourly, run, told


def order(side: str, type: str, **prices: str) -> Order:
    return Order(id="a", symbol="X", side=side, qty=d(10), type=type, **{name: d(value) for name, value in prices.items()})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "bars", "expected"),
    [
        # The open, whatever follows.
        (order("buy", "market"), hourly("100 105 95 102"), ["a 10 @ 100"]),
        # 98 lies in 95..105: the path reaches it.
        (order("buy", "limit", limit="98"), hourly("100 105 95 102"), ["a 10 @ 98"]),
        # The open is at or under the limit: the open.
        (order("buy", "limit", limit="101"), hourly("100 105 95 102"), ["a 10 @ 100"]),
        # A touch of the low is enough.
        (order("buy", "limit", limit="95"), hourly("100 105 95 102"), ["a 10 @ 95"]),
        # Not reached.
        (order("buy", "limit", limit="94.99"), hourly("100 105 95 102"), []),
        # Reached in the second bar, whose open gaps through: the open.
        (order("buy", "limit", limit="94"), hourly("100 105 95 96", "93 97 92 95"), ["a 10 @ 93"]),
        (order("sell", "limit", limit="104"), hourly("100 105 95 102"), ["a 10 @ 104"]),
        (order("sell", "limit", limit="99"), hourly("100 105 95 102"), ["a 10 @ 100"]),
        (order("buy", "stop", stop="103"), hourly("100 105 95 102"), ["a 10 @ 103"]),
        # The open is over the stop: the gap's price.
        (order("buy", "stop", stop="99"), hourly("100 105 95 102"), ["a 10 @ 100"]),
        (order("buy", "stop", stop="105.01"), hourly("100 105 95 102"), []),
        (order("sell", "stop", stop="97"), hourly("100 105 95 102"), ["a 10 @ 97"]),
        (order("sell", "stop", stop="101"), hourly("100 105 95 102"), ["a 10 @ 100"]),
        # At the trigger the market is 103, the limit 104 is above: filled there.
        (order("buy", "stop_limit", stop="103", limit="104"), hourly("100 105 95 102"), ["a 10 @ 103"]),
        # O-H-L-C: 100 up to 105 triggers at 103; down to 95 it comes to the limit 101.
        (order("buy", "stop_limit", stop="103", limit="101"), hourly("100 105 91 102"), ["a 10 @ 101"]),
        # O-L-H-C (the low is nearer): 100, 99, 105, 104: triggered on the way up, 102 is not reached any more.
        (order("buy", "stop_limit", stop="103", limit="102"), hourly("100 105 99 104"), []),
        # Triggered for good: in the next bar it is a limit order, whose open 101 is better than 102.
        (order("buy", "stop_limit", stop="103", limit="102"), hourly("100 105 99 104", "101 101 101 101"), ["a 10 @ 101"]),
        # Gap over the stop, the open 106 is over the limit: waits, and the low 104 reaches it.
        (order("buy", "stop_limit", stop="103", limit="105"), hourly("106 107 104 106"), ["a 10 @ 105"]),
        (order("sell", "stop_limit", stop="97", limit="96"), hourly("100 105 95 102"), ["a 10 @ 97"]),
        # Mark 100 at the open, O-L-H-C: 99 (stop 98), then 105 (stop 103), down to 102: at 103.
        (order("sell", "trailing_stop", trail_price="2"), hourly("100 105 99 102"), ["a 10 @ 103"]),
        # O-H-L-C: 100, 102 (stop 99), 95: at 99.
        (order("sell", "trailing_stop", trail_price="3"), hourly("100 102 95 96"), ["a 10 @ 99"]),
        # O-L-H-C: the open is the mark, 97 is met on the way down.
        (order("sell", "trailing_stop", trail_price="3"), hourly("100 106 95 96"), ["a 10 @ 97"]),
        # Mark 101 from the first bar (stop 98); the second opens at 97: the open, by the mark of before.
        (order("sell", "trailing_stop", trail_price="3"), hourly("100 101 99 100", "97 99 96 98"), ["a 10 @ 97"]),
        # The first price it meets only sets the mark.
        (order("sell", "trailing_stop", trail_price="3"), hourly("100 101 99 100"), []),
        # 5 % under 101.11 is 96.0545, down to the tick: 96.05.
        (order("sell", "trailing_stop", trail_percent="5"), hourly("100 101.11 95 96"), ["a 10 @ 96.05"]),
        # A buy trails from below: mark 99 (5 %: 103.95), up to 105. O-L-H-C.
        (order("buy", "trailing_stop", trail_percent="5"), hourly("100 106 99 102"), ["a 10 @ 103.95"]),
        # 5 % over 99.01 is 103.9605, up to the tick: 103.97.
        (order("buy", "trailing_stop", trail_percent="5"), hourly("100 106 99.01 102"), ["a 10 @ 103.97"]),
    ],
)
def test_where_an_order_fills(asked: Order, bars: list[Bar], expected: list[str]) -> None:
    outcome = run(bars, asked, account="margin")
    assert told(outcome.fills) == expected
    assert ends(outcome) == {"a": "filled" if expected else "working"}


@pytest.mark.parametrize(
    ("limit", "row", "expected"),
    [
        # A touch is not enough.
        ("95", "100 105 95 102", []),
        # A tick more is, and the price is the limit.
        ("95.01", "100 105 95 102", ["a 10 @ 95.01"]),
        # An open beyond: the open.
        ("100.01", "100 105 95 102", ["a 10 @ 100"]),
        # An open at the limit is no trade beyond it; the path then goes under 100.
        ("100", "100 105 95 102", ["a 10 @ 100"]),
        ("100", "100 105 100 102", []),
    ],
)
def test_a_limit_may_have_to_be_traded_through(limit: str, row: str, expected: list[str]) -> None:
    assert told(run(hourly(row), order("buy", "limit", limit=limit), trade_through=True).fills) == expected


@pytest.mark.parametrize(("limit", "expected"), [("103", []), ("103.01", ["a 10 @ 103"])])
def test_a_trigger_at_the_limit_is_no_trade_through_it(limit: str, expected: list[str]) -> None:
    # O-L-H-C: 99, 105 (triggered at 103), 104.
    asked = order("buy", "stop_limit", stop="103", limit=limit)
    assert told(run(hourly("100 105 99 104"), asked, trade_through=True).fills) == expected


def test_an_order_meets_the_first_bar_that_starts_after_its_decision() -> None:
    # Decided at the end of bar 0; bar 1 is missing; bar 2 opens at 103.
    bars = [bar("100 101 99 100", at(0)), bar("103 104 102 103", at(2))]
    outcome = run(bars, {at(1): [Place(order("buy", "market"))]})
    assert [(fill.price, fill.time_ns) for fill in outcome.fills] == [(d(103), at(2))]


def test_an_order_of_the_middle_of_a_bar_waits_for_the_next() -> None:
    half = at(0) + (at(1) - at(0)) // 2
    outcome = run(hourly("100 101 99 100", "103 104 102 103"), {half: [Place(order("buy", "market"))]})
    assert told(outcome.fills) == ["a 10 @ 103"]


@pytest.mark.parametrize(
    "wrong",
    [
        Order(id="a", symbol="X", side="buy", qty=d(0)),
        Order(id="a", symbol="X", side="buy", qty=d("1.5")),
        Order(id="a", symbol="X", side="buy", qty=d(1), type="limit"),
        Order(id="a", symbol="X", side="buy", qty=d(1), type="limit", limit=d("98.005")),
        Order(id="a", symbol="X", side="buy", qty=d(1), type="stop_limit", stop=d(98)),
        Order(id="a", symbol="X", side="buy", qty=d(1), type="trailing_stop"),
        Order(id="a", symbol="X", side="buy", qty=d(1), type="stop", stop=d(98), time_in_force="opg"),
        Order(id="a", symbol="X", side="buy", qty=d(1), time_in_force="gtd", gtd_ns=at(0)),
        Order(id="a", symbol="X", side="buy", qty=d(1), extended_hours=True),
    ],
)
def test_what_no_venue_takes_is_invalid(wrong: Order) -> None:
    outcome = run(hourly("100 105 95 102"), wrong)
    assert ends(outcome) == {"a": "rejected: invalid_order"}
    assert [(rejection.time_ns, rejection.code) for rejection in outcome.rejections] == [(at(0), "invalid_order")]
