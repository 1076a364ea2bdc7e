"""Brackets, one-cancels-other, one-triggers-other, reduce-only; the volume that they share."""

import pytest

from tests.oracle.orders import Cancel, Order, Place, PlaceOco, Replace, Request, bracket
from tests.unit.oracle.scene import at, d, ends, hourly, run, told


def order(id: str, side: str, qty: int = 10, type: str = "market", **more: object) -> Order:
    return Order(id=id, symbol="X", side=side, qty=d(qty), type=type, time_in_force="gtc", **more)  # type: ignore[arg-type]


def long_bracket(target: str = "104", stop: str = "97", **more: object) -> Order:
    return bracket(order("p", "buy", **more), take_profit=d(target), stop_loss=d(stop))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        # O-H-L-C: bought at 100, 104 comes before 97.
        ("100 105 94 95", ["p 10 @ 100", "p.target 10 @ 104"]),
        # A tie of 5 and 5 is O-L-H-C: the stop first.
        ("100 105 95 102", ["p 10 @ 100", "p.stop 10 @ 97"]),
        ("100 103 98 102", ["p 10 @ 100"]),
    ],
)
def test_legs_live_from_the_parent_s_fill(row: str, expected: list[str]) -> None:
    outcome = run(hourly(row), long_bracket())
    assert told(outcome.fills) == expected
    if len(expected) == 2:
        assert sorted(ends(outcome).values()) == ["cancelled", "filled", "filled"]


def test_a_parent_filled_on_the_way_leaves_only_the_rest_of_the_path() -> None:
    # O-H-L-C: 100, 105, then down: the limit 98 fills after the high; the target 104 is not met again before the close 99.
    outcome = run(hourly("100 105 94.50 99"), long_bracket(stop="94", type="limit", limit=d(98)))
    assert told(outcome.fills) == ["p 10 @ 98"]


def test_a_leg_that_is_through_acts_at_once() -> None:
    # Bought at the open 100, under the stop 101 already: sold at 100, not at 101.
    outcome = run(hourly("100 105 95 102"), long_bracket(target="110", stop="101"))
    assert told(outcome.fills) == ["p 10 @ 100", "p.stop 10 @ 100"]
    # The target 99 is through as well; it fills at the market.
    outcome = run(hourly("100 105 95 102"), long_bracket(target="99", stop="90"))
    assert told(outcome.fills) == ["p 10 @ 100", "p.target 10 @ 100"]


def test_legs_grow_with_the_parent_s_parts_until_one_fills() -> None:
    # 4 a bar. Bar 0: 4 bought. Bar 1: 4 more; the target is reached with no volume left. Bar 2 opens at 106: the parent's rest
    # (submitted first) takes 2, the target 2 of its 10: that would cancel the parent's rest, but there is none. Bar 3: 4. Bar 4: 4.
    rows = ["100 101 99 100", "100 105 99 100", "106 107 105 106", "106 107 105 106", "106 107 105 106"]
    outcome = run(hourly(*rows[:4], volume=40) + hourly(rows[4], day=1, volume=40), long_bracket(), volume_cap=d("0.1"))
    assert told(outcome.fills) == ["p 4 @ 100", "p 4 @ 100", "p 2 @ 106", "p.target 2 @ 106", "p.target 4 @ 106", "p.target 4 @ 106"]
    assert ends(outcome) == {"p": "filled", "p.stop": "cancelled", "p.target": "filled"}


def test_a_leg_s_fill_cancels_the_parent_s_rest() -> None:
    # Bar 0: 4 bought at the limit's touch. Bar 1 opens at 106: the target sells its 4; the parent's 6 are cancelled with it.
    outcome = run(hourly("101 102 100 101", "106 107 99 100", volume=40), long_bracket(type="limit", limit=d(100)), volume_cap=d("0.1"))
    assert told(outcome.fills) == ["p 4 @ 100", "p.target 4 @ 106"]
    assert ends(outcome) == {"p": "cancelled", "p.stop": "cancelled", "p.target": "filled"}


def test_legs_stay_when_the_parent_is_cancelled_after_a_part() -> None:
    script: dict[int, list[Request]] = {at(0): [Place(long_bracket(type="limit", limit=d(100)))], at(1): [Cancel("p")]}
    outcome = run(hourly("101 102 100 101", "101 105 100 101", volume=40), script, volume_cap=d("0.1"))
    assert told(outcome.fills) == ["p 4 @ 100", "p.target 4 @ 104"]


def test_legs_of_a_parent_that_never_filled_go_with_it() -> None:
    script: dict[int, list[Request]] = {at(0): [Place(long_bracket(type="limit", limit=d(90)))], at(1): [Cancel("p")]}
    assert set(ends(run(hourly("100 101 99 100"), script)).values()) == {"cancelled"}


def test_cancelling_a_leg_cancels_the_other() -> None:
    script: dict[int, list[Request]] = {at(0): [Place(long_bracket())], at(1): [Cancel("p.stop")]}
    assert ends(run(hourly("100 101 99 100"), script)) == {"p": "filled", "p.stop": "cancelled", "p.target": "cancelled"}


def test_legs_go_when_the_position_is_gone() -> None:
    script: dict[int, list[Request]] = {at(0): [Place(long_bracket())], at(1): [Place(order("out", "sell"))]}
    outcome = run(hourly("100 101 99 100", "100 101 99 100"), script)
    assert told(outcome.fills) == ["p 10 @ 100", "out 10 @ 100"]
    assert ends(outcome)["p.stop"] == ends(outcome)["p.target"] == "cancelled"


def test_a_leg_sells_no_more_than_is_left_of_the_position() -> None:
    # 4 are sold by hand; the target is over the position by 4.
    script: dict[int, list[Request]] = {at(0): [Place(long_bracket())], at(1): [Place(order("out", "sell", 4))]}
    outcome = run(hourly("100 101 99 100", "100 104 99 100"), script, account="margin")
    assert told(outcome.fills) == ["p 10 @ 100", "out 4 @ 100", "p.target 6 @ 104"]
    assert (ends(outcome)["p.target"], ends(outcome)["p.stop"]) == ("cancelled", "cancelled")


def test_the_stop_acts_before_the_target() -> None:
    # Both are through at 98, as the stop was moved over the target while it was held.
    asked = long_bracket(target="97", stop="90", type="limit", limit=d(98))
    script: dict[int, list[Request]] = {at(0): [Place(asked)], at(1): [Replace(id="p.stop", stop=d(110))]}
    outcome = run(hourly("100 101 99 100", "98 99 97.50 98"), script)
    assert told(outcome.fills) == ["p 10 @ 98", "p.stop 10 @ 98"]


def test_a_parent_that_only_covers_has_no_legs() -> None:
    outcome = run(hourly("100 105 95 102"), [Place(order("short", "sell", 10)), Place(long_bracket())], account="margin")
    assert told(outcome.fills) == ["short 10 @ 100", "p 10 @ 100"]
    assert ends(outcome)["p.stop"] == ends(outcome)["p.target"] == "cancelled"


def test_a_part_of_one_leg_is_taken_off_the_other() -> None:
    # Cap 12: bar 0 buys 10, bar 1 (cap 6) sells 6 at the target, bar 2 falls: the stop has 4 left.
    bars = [*hourly("100 101 99 100", volume=120), *hourly("100 101 99 100", "100 104 99 100", "100 100 96 96", volume=60)[1:]]
    outcome = run(bars, long_bracket(), volume_cap=d("0.1"))
    assert told(outcome.fills) == ["p 10 @ 100", "p.target 6 @ 104", "p.stop 4 @ 97"]


def test_a_day_leg_expires_with_its_session_and_leaves_the_other() -> None:
    target = Order(id="t", symbol="X", side="sell", type="limit", limit=d(104), time_in_force="day")
    stop = Order(id="s", symbol="X", side="sell", type="stop", stop=d(97))
    outcome = run([*hourly("100 101 99 100"), *hourly("100 105 99 100", day=1)], order("p", "buy", children=(target, stop)))
    assert ends(outcome) == {"p": "filled", "s": "working", "t": "expired"}


def test_a_day_leg_counts_the_session_in_which_it_becomes_live() -> None:
    # The parent, asked in session 0, is bought in session 1; there its target is met.
    target = Order(id="t", symbol="X", side="sell", type="limit", limit=d(104), time_in_force="day")
    bars = [*hourly("100 101 99 100"), *hourly("100 101 97 100", "100 105 99 100", day=1)]
    outcome = run(bars, order("p", "buy", type="limit", limit=d(98), children=(target,)))
    assert told(outcome.fills) == ["p 10 @ 98", "t 10 @ 104"]


def test_an_opening_leg_waits_for_the_next_opening() -> None:
    out = Order(id="o", symbol="X", side="sell", time_in_force="opg")
    outcome = run([*hourly("100 101 99 100"), *hourly("105 106 104 105", day=1)], order("p", "buy", children=(out,)))
    assert told(outcome.fills) == ["p 10 @ 100", "o 10 @ 105"]


def test_a_part_of_one_of_two_linked_orders_is_taken_off_the_other() -> None:
    # 6 a bar: 6 bought at 103, the low leg has 4 left.
    pair = PlaceOco(order("up", "buy", type="stop", stop=d(103)), order("down", "buy", type="limit", limit=d(98)))
    outcome = run(hourly("100 103 100 101", "98 98 97 98", volume=60), [pair], volume_cap=d("0.1"))
    # The rest of the stop is first at the next open, and takes its 4; that completes it.
    assert told(outcome.fills) == ["up 6 @ 103", "up 4 @ 98"]
    pair = PlaceOco(order("down", "buy", type="limit", limit=d(98)), order("up", "buy", type="stop", stop=d(103)))
    outcome = run(hourly("100 103 100 101", "98 98 97 98", volume=60), [pair], volume_cap=d("0.1"))
    assert told(outcome.fills) == ["up 6 @ 103", "down 4 @ 98"]


def test_one_triggers_other() -> None:
    child = Order(id="c", symbol="X", side="sell", type="limit", limit=d(104))
    outcome = run(hourly("100 105 94 95"), order("p", "buy", children=(child,)))
    assert told(outcome.fills) == ["p 10 @ 100", "c 10 @ 104"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [("100 105 94 95", ["up 10 @ 103"]), ("100 106 95 95", ["down 10 @ 98"])],
)
def test_one_cancels_other(row: str, expected: list[str]) -> None:
    pair = PlaceOco(order("up", "buy", type="stop", stop=d(103)), order("down", "buy", type="limit", limit=d(98)))
    outcome = run(hourly(row), [pair])
    assert told(outcome.fills) == expected
    assert sorted(ends(outcome).values()) == ["cancelled", "filled"]


def test_the_rejection_of_one_leaves_the_other() -> None:
    # 600 of cash do not pay 10 at 103, but 10 at 50.
    pair = PlaceOco(order("up", "buy", type="stop", stop=d(103)), order("down", "buy", type="limit", limit=d(50)))
    outcome = run(hourly("100 104 99 100", "60 61 49 55"), [pair], cash=d(600))
    assert told(outcome.fills) == ["down 10 @ 50"]
    assert ends(outcome) == {"up": "rejected: insufficient_cash", "down": "filled"}


def test_legs_take_the_parent_s_gtd() -> None:
    # Until the end of bar 1: the target of bar 2 comes too late.
    parent = bracket(
        Order(id="p", symbol="X", side="buy", qty=d(10), time_in_force="gtd", gtd_ns=at(2)), take_profit=d(104), stop_loss=d(97)
    )
    outcome = run(hourly("100 101 99 100", "100 101 99 100", "100 105 99 100"), parent)
    assert told(outcome.fills) == ["p 10 @ 100"]
    assert ends(outcome)["p.stop"] == ends(outcome)["p.target"] == "expired"


def test_legs_stay_when_the_parent_expires_after_a_part() -> None:
    # 4 of 10 in session 0; the legs are gtc of their own.
    legs = long_bracket().children
    free = [Order(**{**{n: getattr(leg, n) for n in Order.__dataclass_fields__}, "time_in_force": "gtc"}) for leg in legs]
    parent = Order(id="p", symbol="X", side="buy", qty=d(10), time_in_force="day", children=tuple(free))
    bars = [*hourly("100 101 99 100", volume=40), *hourly("100 105 99 100", day=1)]
    outcome = run(bars, parent, volume_cap=d("0.1"))
    assert told(outcome.fills) == ["p 4 @ 100", "p.target 4 @ 104"]
    assert ends(outcome)["p"] == "expired"


def test_a_short_bracket_mirrors() -> None:
    asked = bracket(order("p", "sell"), take_profit=d(97), stop_loss=d(104))
    # O-H-L-C: the stop first.
    outcome = run(hourly("100 105 94 95"), asked, account="margin")
    assert told(outcome.fills) == ["p 10 @ 100", "p.stop 10 @ 104"]


def test_a_stop_leg_with_a_limit_waits_over_it() -> None:
    # O-L-H-C: bought at 100, the stop 97 triggers, its limit 98 is over the market there; on the way up it sells at 98.
    asked = bracket(order("p", "buy"), take_profit=d(110), stop_loss=d(97), stop_loss_limit=d(98))
    assert told(run(hourly("100 105 95 102"), asked).fills) == ["p 10 @ 100", "p.stop 10 @ 98"]


def test_wrong_legs_refuse_the_whole() -> None:
    outcome = run(hourly("100 105 94 95"), long_bracket(target="97", stop="104"))
    assert ends(outcome) == {"p": "rejected: invalid_order", "p.stop": "cancelled", "p.target": "cancelled"}


def test_reduce_only_stops_at_flat() -> None:
    asked = [Place(order("in", "buy", 6)), Place(order("out", "sell", 10, reduce_only=True))]
    outcome = run(hourly("100 101 99 100"), asked, account="margin")
    assert (told(outcome.fills), ends(outcome)["out"]) == (["in 6 @ 100", "out 6 @ 100"], "cancelled")


def test_what_the_path_reaches_first_happens_first() -> None:
    # O-H-L-C: the stop 103, submitted last, is met before the limit 98.
    asked = [Place(order("low", "buy", type="limit", limit=d(98))), Place(order("high", "buy", type="stop", stop=d(103)))]
    assert told(run(hourly("100 105 94 95"), asked).fills) == ["high 10 @ 103", "low 10 @ 98"]
    # On one stretch too: up from 100, 102 comes before 104.
    asked = [Place(order("far", "sell", type="limit", limit=d(104))), Place(order("near", "buy", type="stop", stop=d(102)))]
    assert told(run(hourly("100 105 94 95"), asked).fills) == ["near 10 @ 102", "far 10 @ 104"]
    # At one point the place in the queue decides.
    asked = [Place(order("one", "sell", type="stop", stop=d(98))), Place(order("two", "buy", type="limit", limit=d(98)))]
    assert told(run(hourly("100 105 94 95"), asked, account="margin").fills) == ["one 10 @ 98", "two 10 @ 98"]


def test_the_volume_of_a_bar_is_shared() -> None:
    # 10 % of 79 is 7.9: 7 units. a takes 5, b 2; b's rest goes on at the next open.
    asked = [Place(order("a", "buy", 5)), Place(order("b", "buy", 5))]
    outcome = run(hourly("100 101 99 100", "101 102 100 101", volume=79), asked, volume_cap=d("0.1"))
    assert told(outcome.fills) == ["a 5 @ 100", "b 2 @ 100", "b 3 @ 101"]


def test_a_stop_triggers_without_volume_and_goes_on_at_the_next_open() -> None:
    # a takes the bar's 5 units; the stop 103 triggers on the way, fills at the next open, far under it.
    asked = [Place(order("a", "buy", 5)), Place(order("s", "buy", 5, type="stop", stop=d(103)))]
    outcome = run(hourly("100 105 94 95", "95 96 94 95", volume=50), asked, volume_cap=d("0.1"))
    assert told(outcome.fills) == ["a 5 @ 100", "s 5 @ 95"]


@pytest.mark.parametrize(
    ("tif", "expected", "end"), [("ioc", ["a 5 @ 100"], "cancelled"), ("fok", [], "cancelled"), ("gtc", ["a 5 @ 100"], "working")]
)
def test_the_cap_and_the_time_in_force(tif: str, expected: list[str], end: str) -> None:
    asked = Order(id="a", symbol="X", side="buy", qty=d(10), time_in_force=tif)  # type: ignore[arg-type]
    outcome = run(hourly("100 101 99 100", volume=50), asked, volume_cap=d("0.1"))
    assert (told(outcome.fills), ends(outcome)["a"]) == (expected, end)


def test_no_volume_fills_nothing() -> None:
    assert run(hourly("100 101 99 100", volume=0), order("a", "buy"), volume_cap=d("0.1")).fills == []
    assert told(run(hourly("100 101 99 100", volume=0), order("a", "buy")).fills) == ["a 10 @ 100"]
