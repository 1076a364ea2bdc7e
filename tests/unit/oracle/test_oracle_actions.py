"""Splits and dividends."""

from tests.oracle.market import Dividend, Instrument, Split
from tests.oracle.orders import Order, Place
from tests.unit.oracle.scene import MIDNIGHT, SESSIONS, at, bar, d, ends, run, told

DAY_ONE = MIDNIGHT + 29 * 3_600_000_000_000
BARS = [bar("100 100 100 100", at(0)), bar("33 34 32 33", at(0, 1))]
LOTS = Instrument(symbol="X", tick=d("0.01"), lot=d(1), sessions=SESSIONS)


def order(id: str, side: str, qty: int, **more: object) -> Place:
    return Place(Order(id=id, symbol="X", side=side, qty=d(qty), time_in_force="gtc", **more))  # type: ignore[arg-type]


def test_a_split_changes_units_and_costs() -> None:
    outcome = run(BARS, [order("a", "buy", 10)], actions=[Split(symbol="X", day_ns=DAY_ONE, ratio=d(3))])
    assert outcome.positions["X"].qty == 30
    assert round(outcome.positions["X"].average_cost, 6) == d("33.333333")
    # 99000 + 30 x 33.
    assert outcome.equity[-1][1] == 99_990


def test_a_reverse_split_pays_the_fraction_at_the_open() -> None:
    # 10 / 4 = 2.5: two units and half a one at 400.
    bars = [BARS[0], bar("400 400 400 400", at(0, 1))]
    outcome = run(bars, [order("a", "buy", 10)], actions=[Split(symbol="X", day_ns=DAY_ONE, ratio=d("0.25"))])
    assert (outcome.positions["X"].qty, outcome.totals.fractions, outcome.cash) == (d(2), d(200), d(99_200))
    # Half a unit that cost 400 went at 400.
    assert [(trip.side, trip.qty, trip.profit) for trip in outcome.trips] == [("long", d("0.5"), d(0))]


def test_a_split_moves_order_prices_away_from_the_market() -> None:
    # 96.55 / 3 = 32.1833..: a buy limit goes down to 32.18; 100.21 / 3 = 33.4033..: a buy stop up to 33.41; a sell limit as well.
    asked = [
        order("limit", "buy", 1, type="limit", limit=d("96.55")),
        order("stop", "buy", 1, type="stop", stop=d("100.21")),
        order("in", "buy", 10),
        order("out", "sell", 2, type="limit", limit=d("100.21")),
    ]
    outcome = run(BARS, asked, actions=[Split(symbol="X", day_ns=DAY_ONE, ratio=d(3))])
    # O-L-H-C.
    assert told(outcome.fills)[1:] == ["limit 3 @ 32.18", "stop 3 @ 33.41", "out 6 @ 33.41"]


def test_a_working_order_s_quantity_goes_down_to_the_lot() -> None:
    bars = [BARS[0], bar("150 150 150 150", at(0, 1))]
    asked = [order("five", "buy", 5, type="limit", limit=d(90)), order("one", "buy", 1, type="limit", limit=d(90))]
    outcome = run(bars, asked, actions=[Split(symbol="X", day_ns=DAY_ONE, ratio=d("0.5"))])
    # 180 is the limit now, 150 the open: 2 of 2.5; half a unit is none.
    assert (told(outcome.fills), ends(outcome)["one"]) == (["five 2 @ 150"], "cancelled")


def test_dividends_are_paid_on_longs_and_charged_on_shorts() -> None:
    for side, paid in (("buy", d(5)), ("sell", d(-5))):
        outcome = run(BARS, [order("a", side, 10)], account="margin", actions=[Dividend(symbol="X", day_ns=DAY_ONE, amount=d("0.5"))])
        assert outcome.totals.dividends == paid


def test_a_dividend_of_a_day_without_bars_waits_for_the_next() -> None:
    bars = [BARS[0], bar("33 34 32 33", at(0, 3))]
    outcome = run(bars, [order("a", "buy", 10)], actions=[Dividend(symbol="X", day_ns=DAY_ONE, amount=d(1))])
    assert outcome.totals.dividends == 10


def test_what_is_bought_on_the_day_earns_no_dividend() -> None:
    outcome = run(BARS, {at(1): [order("a", "buy", 10)]}, actions=[Dividend(symbol="X", day_ns=DAY_ONE, amount=d(1))])
    assert (told(outcome.fills), outcome.totals.dividends) == (["a 10 @ 33"], d(0))


def test_legs_and_trails_are_adjusted_too() -> None:
    # A stop of 90 is 30 after the split, a trail of 10 under the mark 100 is 3.34 under 33.33..: 29.9933, down to 29.99.
    stop = Order(id="s", symbol="X", side="sell", type="stop", stop=d(90))
    parent = order("p", "buy", 10, children=(stop,))
    trail = order("t", "sell", 10, type="trailing_stop", trail_price=d(10))
    held = order("h", "buy", 10)
    bars = [BARS[0], bar("33 33 29 29.50", at(0, 1))]
    outcome = run(bars, [parent, held, trail], actions=[Split(symbol="X", day_ns=DAY_ONE, ratio=d(3))])
    # O-H-L-C.
    assert told(outcome.fills)[2:] == ["s 30 @ 30", "t 30 @ 29.99"]
