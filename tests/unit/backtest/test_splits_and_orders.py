"""What a split does to orders that work, worked out by hand; the bars are of days, the split falls before the third."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from core.model.corporate_action import Dividend, Split, day_number
from core.strategy.placing import buy, sell
from tests.scripted import STOCK, Told, bars, told

SPLIT_DAY = day_number(date(2026, 1, 7))
MONDAY_NS = (SPLIT_DAY - 2) * 24 * 3600 * 10**9
CALM = "100 101 99 100"
HALF = "50 50.5 49.5 50"


def _told(rows: list[str], asked: Any, ratio: str = "2", **options: Any) -> Told:
    series = bars(*rows, symbol=STOCK, timeframe="1d", start_ns=MONDAY_NS)
    actions = {STOCK: [Split(symbol=STOCK, day=SPLIT_DAY, ratio=Decimal(ratio))]}
    return told(series, asked, grid=True, actions=actions, **options)


@pytest.mark.parametrize(
    ("ratio", "rows", "asked", "fills"),
    [
        # Quantity times the ratio, prices divided by it.
        ("2", [CALM, CALM, "50 51 44 45"], buy(STOCK, 3, ref="a", limit=90, time_in_force="gtc"), ["a 6 @ 45"]),
        ("2", [CALM, CALM, "50 56 49 55"], buy(STOCK, 3, ref="a", stop=110, time_in_force="gtc"), ["a 6 @ 55"]),
        # To the tick away from the market: 90.01 ÷ 2 is 45.005; a buy waits at 45.00, a sell at 45.01.
        ("2", [CALM, CALM, "50 51 45 45"], buy(STOCK, 3, ref="a", limit=90.01, time_in_force="gtc"), ["a 6 @ 45"]),
        # What is left of a lot is cut: 7 × 0.25 = 1.75.
        ("0.25", [CALM, CALM, "400 401 360 380"], buy(STOCK, 7, ref="a", limit=90, time_in_force="gtc"), ["a 1 @ 360"]),
        ("0.25", [CALM, CALM, "400 401 350 380"], buy(STOCK, 3, ref="a", limit=90, time_in_force="gtc"), []),
        # A trailing stop's mark too: 101 ÷ 2, two below, the distance halved: 49.50.
        ("2", [CALM, CALM, "50 50.5 49 49.2"], [buy(STOCK, 1, ref="i", time_in_force="ioc"), sell(STOCK, 1, ref="t", trail=3,
         time_in_force="gtc")], ["i 1 @ 100", "t 2 @ 49"]),
        # The legs of an entry that waits: 120 and 80 become 60 and 40.
        ("2", [CALM, CALM, "45 61 44 60"], buy(STOCK, 1, ref="a", limit=90, target=120, stop_loss=80, time_in_force="gtc"),
         ["a 2 @ 45", "a.target 2 @ 60"]),
        # The legs that are live.
        ("2", [CALM, CALM, "50 61 44 60"], buy(STOCK, 1, ref="a", target=120, stop_loss=80, time_in_force="gtc"),
         ["a 1 @ 100", "a.target 2 @ 60"]),
    ],
)  # fmt: skip
def test_orders_are_adjusted(ratio: str, rows: list[str], asked: Any, fills: list[str]) -> None:
    assert _told(rows, asked, ratio).fills == fills


def test_of_a_partly_filled_order_the_rest_is_cut_to_the_lot() -> None:
    # 3 of 10 filled before; 7 × 0.25 = 1.75: one more. The fee of the three is what it was: 4 × 0.5 less 1.5 are due.
    rows = ["100 101 99 100 30", "100 101 99 100 0", "400 401 390 400 1000"]
    ran = _told(rows, buy(STOCK, 10, ref="a", time_in_force="gtc"), "0.25", volume_cap="0.1", fees="per-share:0.5:1")
    assert ran.fills == ["a 3 @ 100", "a 1 @ 400"]
    assert [fill.fee for fill in ran.run.fills] == [Decimal("1.5"), Decimal("0.5")]


def test_an_order_whose_time_was_over_before_is_not_adjusted() -> None:
    ran = _told([CALM, CALM, HALF], buy(STOCK, 3, ref="a", limit=90, expires=MONDAY_NS + 1))
    assert ran.lines == ["a expired"]
    assert ran.run.orders["run-1"].request.qty == 3


def test_a_split_that_leaves_nothing_of_a_position_leaves_nothing_for_its_legs() -> None:
    ran = _told([CALM, CALM, "400 401 390 400"], buy(STOCK, 1, ref="a", target=120, stop_loss=80, time_in_force="gtc"), "0.25")
    assert ran.lines == ["a 1 @ 100", "a.stop cancelled", "a.target cancelled"]
    assert ran.run.venue.held(STOCK) == 0
    assert ran.run.venue.cash == Decimal(100_000) - 100 + 100  # a quarter of a unit, paid at 400


def test_a_dividend_of_the_same_day_is_paid_on_the_new_units() -> None:
    series = bars(CALM, CALM, HALF, symbol=STOCK, timeframe="1d", start_ns=MONDAY_NS)
    actions = {STOCK: [Split(symbol=STOCK, day=SPLIT_DAY, ratio=Decimal(2)), Dividend(symbol=STOCK, day=SPLIT_DAY, amount=Decimal("0.5"))]}
    ran = told(series, buy(STOCK, 10, ref="a"), actions=actions)
    assert ran.run.venue.cash == Decimal(100_000) - 1000 + 10


def test_what_was_before_the_run_is_in_its_prices() -> None:
    series = bars("50 50.5 49.5 50", "50 51 44 45", symbol=STOCK, timeframe="1d", start_ns=MONDAY_NS)
    actions = {STOCK: [Split(symbol=STOCK, day=SPLIT_DAY - 5, ratio=Decimal(2))]}
    assert told(series, buy(STOCK, 3, ref="a", limit=45, time_in_force="gtc"), actions=actions).fills == ["a 3 @ 45"]


def test_legs_that_are_larger_than_what_is_left_go_with_the_position() -> None:
    # Four bought, three sold: the legs are over four still, a unit after the split, of which nothing is held.
    asked = {0: buy(STOCK, 4, ref="a", target=120, stop_loss=80, time_in_force="gtc"), 1: sell(STOCK, 3, ref="s")}
    ran = _told([CALM, CALM, "400 401 390 400"], asked, "0.25")
    assert ran.fills == ["a 4 @ 100", "s 3 @ 100"]
    assert {ran.run.orders[name].reason for name in ("run-2", "run-3")} == {"The position it was to close is flat."}
