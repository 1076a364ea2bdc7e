"""Time in force, sessions, auctions, extended hours."""

import pytest

from tests.oracle.market import Bar
from tests.oracle.orders import Cancel, Order, Place, Replace, Request, TimeInForce
from tests.oracle.sessions import day_end
from tests.unit.oracle.scene import COIN, DAY, HOUR, MIDNIGHT, X, at, bar, d, ends, hourly, run, told

FOUR = ("100 101 99 100", "100 102 99 101", "101 103 100 102", "102 104 101 103")


def market(time_in_force: TimeInForce, **more: object) -> Order:
    return Order(id="a", symbol="X", side="buy", qty=d(10), time_in_force=time_in_force, **more)  # type: ignore[arg-type]


def limit(time_in_force: TimeInForce, price: str, **more: object) -> Order:
    return market(time_in_force, type="limit", limit=d(price), **more)


@pytest.mark.parametrize(
    ("asked", "status", "fills"),
    [
        # Day 0 goes down to 99 only; day 1 to 97.
        (limit("day", "98"), "expired", []),
        (limit("gtc", "98"), "filled", ["a 10 @ 98"]),
        # gtd meets bars that start before its time: bar 2 starts at it.
        (limit("gtd", "99.50", gtd_ns=at(2)), "filled", ["a 10 @ 99.5"]),
        (limit("gtd", "98", gtd_ns=at(0, 1)), "expired", []),
        (limit("gtd", "98", gtd_ns=at(0, 1) + 1), "filled", ["a 10 @ 98"]),
        # Its first open is 100.
        (limit("ioc", "99.50"), "cancelled", []),
        (limit("ioc", "100"), "filled", ["a 10 @ 100"]),
        (market("ioc", type="stop", stop=d("100.01")), "cancelled", []),
        (market("ioc", type="stop", stop=d(100)), "filled", ["a 10 @ 100"]),
        (market("fok"), "filled", ["a 10 @ 100"]),
        (market("opg"), "filled", ["a 10 @ 100"]),
        (limit("opg", "99.50"), "cancelled", []),
        (market("cls"), "filled", ["a 10 @ 103"]),
        (limit("cls", "103"), "filled", ["a 10 @ 103"]),
        (limit("cls", "102.99"), "cancelled", []),
    ],
)
def test_how_long_an_order_lives(asked: Order, status: str, fills: list[str]) -> None:
    outcome = run([*hourly(*FOUR), *hourly("100 101 97 100", day=1)], asked)
    assert (ends(outcome)["a"], told(outcome.fills)) == (status, fills)


def test_a_decision_at_the_close_is_the_next_session_s() -> None:
    asked = {at(4): [Place(limit("day", "98"))]}
    outcome = run([*hourly(*FOUR), *hourly("100 101 97 100", day=1)], asked)
    assert (ends(outcome)["a"], told(outcome.fills)) == ("filled", ["a 10 @ 98"])


def test_a_day_order_is_dead_at_the_close_even_if_no_bar_came() -> None:
    # Decided in session 0, which has no bar after; Y's bar is what tells the time.
    outcome = run([*hourly(*FOUR[:1]), *hourly("100 101 97 100", day=1)], {at(1): [Place(limit("day", "98"))]})
    assert ends(outcome) == {"a": "expired"}


def test_a_crypto_day_ends_at_midnight_utc() -> None:
    coins = [bar("100 101 99 100", MIDNIGHT + 22 * HOUR, symbol="C"), bar("100 101 99 100", MIDNIGHT + 23 * HOUR, symbol="C")]
    coins.append(bar("100 101 97 100", MIDNIGHT + 24 * HOUR, symbol="C"))
    asked = Order(id="a", symbol="C", side="buy", qty=d(1), type="limit", limit=d(98), time_in_force="day")
    before = run(coins, asked, instruments=(COIN,), start_ns=MIDNIGHT + 22 * HOUR)
    assert ends(before) == {"a": "expired"}
    # Decided at midnight it belongs to the new day, whose first bar reaches 97.
    after = run(coins, {MIDNIGHT + DAY: [Place(asked)]}, instruments=(COIN,), start_ns=MIDNIGHT + 22 * HOUR)
    assert told(after.fills) == ["a 1 @ 98"]
    assert day_end(COIN, MIDNIGHT + DAY, extended_hours=False) == MIDNIGHT + 2 * DAY


@pytest.mark.parametrize(
    ("asked", "when", "fills", "status"),
    [
        # Asked within session 0: its opening is over, the next one is day 1's.
        ("opg", at(2), ["a 10 @ 105"], "filled"),
        # Asked in the last bar: no bar of session 0 is left.
        ("cls", at(3) + 1, [], "cancelled"),
        ("cls", at(3), ["a 10 @ 103"], "filled"),
        # At the close it belongs to day 1, whose data end before its close: no closing price.
        ("cls", at(4), [], "working"),
    ],
)
def test_which_auction(asked: TimeInForce, when: int, fills: list[str], status: str) -> None:
    outcome = run([*hourly(*FOUR), *hourly("105 106 104 105", day=1)], {when: [Place(market(asked))]})
    assert (told(outcome.fills), ends(outcome)["a"]) == (fills, status)


def test_a_session_s_last_bar_is_its_close_when_the_data_go_on() -> None:
    # Bar 3 is missing: bar 2's close 102 is the last of session 0.
    outcome = run([*hourly(*FOUR[:3]), *hourly("105 106 104 105", day=1)], market("cls"))
    assert told(outcome.fills) == ["a 10 @ 102"]


def test_an_auction_has_no_slippage_and_obeys_the_cap() -> None:
    # 10 % of 50 is 5; the rest is cancelled.
    outcome = run(hourly(*FOUR, volume=50), market("opg"), slippage="bps:100", volume_cap=d("0.1"))
    assert (told(outcome.fills), ends(outcome)["a"]) == (["a 5 @ 100"], "cancelled")


def test_auctions_are_not_for_coins() -> None:
    coin = Order(id="a", symbol="C", side="buy", qty=d(1), time_in_force="opg")
    outcome = run([bar("100 101 99 100", MIDNIGHT, symbol="C")], coin, instruments=(COIN,), start_ns=MIDNIGHT)
    assert ends(outcome) == {"a": "rejected: invalid_order"}


def _around_the_close() -> list[Bar]:
    """The last regular bar, one bar after the close, and the next session's first."""
    return [bar("100 101 99 100", at(3)), bar("100 101 96 100", at(4), regular=False), bar("100 101 95 100", at(0, 1))]


@pytest.mark.parametrize(
    ("asked", "time_ns"),
    [
        # It sees the late bar's low of 96.
        (limit("day", "97", extended_hours=True), at(4)),
        # For these the late bar does not exist.
        (limit("gtc", "97"), at(0, 1)),
        (market("gtc", type="stop", stop=d("100.50")), at(3)),
    ],
)
def test_bars_outside_regular_hours(asked: Order, time_ns: int) -> None:
    assert [fill.time_ns for fill in run(_around_the_close(), asked, start_ns=at(3)).fills] == [time_ns]


def test_an_ioc_order_waits_for_the_regular_open() -> None:
    outcome = run(_around_the_close(), {at(4): [Place(market("ioc"))]}, start_ns=at(3))
    assert [fill.time_ns for fill in outcome.fills] == [at(0, 1)]


def test_a_late_bar_marks_equity_but_no_trailing_stop() -> None:
    bars = [bar("100 101 99 100", at(3)), bar("110 110 110 110", at(4), regular=False), bar("100 101 100 101", at(0, 1))]
    trail = Order(id="t", symbol="X", side="sell", qty=d(10), type="trailing_stop", trail_price=d(5), time_in_force="gtc")
    outcome = run(bars, [Place(market("day")), Place(trail)], start_ns=at(3))
    # 10 bought at 100; with a mark of 110 the stop 105 would have sold at day 1's open.
    assert [value for _, value in outcome.equity] == [d(100_000), d(100_000), d(100_100), d(100_010)]
    assert ends(outcome)["t"] == "working"


def test_extended_day_orders_end_at_20_new_york() -> None:
    # 7 January: New York is UTC-5, 20:00 is 01:00 UTC of the 8th.
    assert day_end(X, at(0), extended_hours=True) == MIDNIGHT + 25 * HOUR
    # 17:00 New York: the extended session is still on.
    assert day_end(X, MIDNIGHT + 22 * HOUR, extended_hours=True) == MIDNIGHT + 25 * HOUR
    assert day_end(X, MIDNIGHT + 25 * HOUR, extended_hours=True) == MIDNIGHT + 49 * HOUR


def test_cancel_works_at_its_decision() -> None:
    # Bar 1 reaches 99, but the order is gone at its start.
    script: dict[int, list[Request]] = {at(0): [Place(limit("gtc", "99"))], at(1): [Cancel("a")]}
    outcome = run(hourly("100 101 100 100", "100 101 99 100"), script)
    assert (told(outcome.fills), ends(outcome)) == ([], {"a": "cancelled"})


def test_replace_is_a_new_total_and_a_new_price() -> None:
    # 5 a bar: 5 at the open of bar 0; from then on the total is 8 at 99.
    script: dict[int, list[Request]] = {at(0): [Place(limit("gtc", "100"))], at(1): [Replace(id="a", qty=d(8), limit=d(99))]}
    outcome = run(hourly("100 101 100 100", "100 101 99 100", volume=50), script, volume_cap=d("0.1"))
    assert (told(outcome.fills), ends(outcome)) == (["a 5 @ 100", "a 3 @ 99"], {"a": "filled"})


def test_replace_to_no_more_than_filled_cancels() -> None:
    script: dict[int, list[Request]] = {at(0): [Place(market("gtc"))], at(1): [Replace(id="a", qty=d(5))]}
    outcome = run(hourly(*FOUR, volume=50), script, volume_cap=d("0.1"))
    assert (told(outcome.fills), ends(outcome)) == (["a 5 @ 100"], {"a": "cancelled"})


def test_replace_loses_the_place_in_the_queue() -> None:
    # Both are filled at 99 in bar 1, 5 units in all; a came first, but was replaced.
    first, second = limit("gtc", "98"), Order(id="b", symbol="X", side="buy", qty=d(10), type="limit", limit=d(99), time_in_force="gtc")
    script: dict[int, list[Request]] = {at(0): [Place(first), Place(second)], at(1): [Replace(id="a", limit=d(99))]}
    outcome = run(hourly("100 101 100 100", "100 101 99 100", volume=50), script, volume_cap=d("0.1"))
    assert told(outcome.fills) == ["b 5 @ 99"]


def test_replace_keeps_the_water_mark() -> None:
    # Mark 105 from bar 0, stop 95; bar 1 opens at 100; with a distance of 4 the stop is 101: over the open.
    trail = Order(id="a", symbol="X", side="sell", qty=d(10), type="trailing_stop", trail_price=d(10))
    script: dict[int, list[Request]] = {at(0): [Place(trail)], at(1): [Replace(id="a", trail_price=d(4))]}
    outcome = run(hourly("100 105 99 100", "100 101 99 100"), script, account="margin")
    assert told(outcome.fills) == ["a 10 @ 100"]


def test_a_decision_inside_a_coarse_bar_stops_its_fill() -> None:
    # X's bar of four hours holds 95; it is cancelled after the first of them, so it does not fill in a bar that ends later.
    script: dict[int, list[Request]] = {at(0): [Place(limit("gtc", "99"))], at(1): [Cancel("a")]}
    assert run([bar("100 101 95 100", at(0), hours=4)], script).fills == []


def test_a_replacement_inside_a_coarse_bar_meets_the_next_one() -> None:
    script: dict[int, list[Request]] = {at(0): [Place(limit("gtc", "90"))], at(1): [Replace(id="a", limit=d(99))]}
    outcome = run([bar("100 101 95 100", at(0), hours=4), bar("100 101 98 100", at(0, 1))], script)
    assert [fill.time_ns for fill in outcome.fills] == [at(0, 1)]


@pytest.mark.parametrize(
    ("asked", "fills", "status"),
    [
        (market("day"), ["a 10 @ 103"], "filled"),
        (market("opg"), ["a 10 @ 103"], "filled"),
        (market("cls"), ["a 10 @ 104"], "filled"),
        (limit("day", "99"), [], "expired"),
        (limit("gtc", "99"), ["a 10 @ 99"], "filled"),
    ],
)
def test_bars_of_a_day_are_stamped_before_their_session_opens(asked: Order, fills: list[str], status: str) -> None:
    # Three bars from 05:00 UTC to their session's close; decided at the first one's close.
    rows = ("100 101 99 100", "103 105 100 104", "104 105 98 100")
    begins = MIDNIGHT + 5 * HOUR
    bars = [bar(row, begins + day * DAY, hours=14) for day, row in enumerate(rows)]
    outcome = run(bars, {at(4): [Place(asked)]}, start_ns=MIDNIGHT)
    assert (told(outcome.fills), ends(outcome)["a"]) == (fills, status)
