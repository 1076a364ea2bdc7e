"""How long orders live, and the auctions, on hours of a real session: 14:30 to 21:00 UTC on Wednesday, 7 January 2026."""

from typing import Any

import pytest

from core.model.instants import HOUR_NS, MINUTE_NS
from core.strategy.placing import buy, sell
from tests.scripted import COIN, OPEN_NS, STOCK, bars, minute, told

CALM = "100 101 99 100"
LAST = 6
"""The number of the session's last hourly bar, of half an hour."""
NEXT_DAY = 24
TRADES_ON = "100 100 100 100"


@pytest.mark.parametrize(
    ("at", "rows", "asked", "lines"),
    [
        # A day order is dead at the session's end, also where no bar came.
        ([0, 1, NEXT_DAY], [CALM, CALM, "98 101 90 99"], buy(STOCK, 1, ref="a", limit=95), ["a expired"]),
        # Decided at the close it belongs to the next session.
        ([LAST, NEXT_DAY, 2 * NEXT_DAY], [CALM, "98 101 90 99", CALM], {1: buy(STOCK, 1, ref="a", limit=95)}, ["a 1 @ 95"]),
        ([LAST, NEXT_DAY, 2 * NEXT_DAY], [CALM, CALM, "98 101 90 99"], {1: buy(STOCK, 1, ref="a", limit=95)}, ["a expired"]),
        # Good till cancelled outlives it.
        ([0, 1, NEXT_DAY], [CALM, CALM, "98 101 90 99"], buy(STOCK, 1, ref="a", limit=95, time_in_force="gtc"), ["a 1 @ 95"]),
        # Good till a date meets bars that start before it, and then the whole of them.
        ([0, 1, 2], [CALM, CALM, "98 101 90 99"], buy(STOCK, 1, ref="a", limit=95, expires=OPEN_NS + 2 * HOUR_NS + 1), ["a 1 @ 95"]),
        ([0, 1, 2], [CALM, CALM, "98 101 90 99"], buy(STOCK, 1, ref="a", limit=95, expires=OPEN_NS + 2 * HOUR_NS), ["a expired"]),
        # At the open: the session's first bar. Asked inside a session, it waits for the next one's.
        ([0, 1, NEXT_DAY], ["101 102 99 100", CALM, "98 99 97 98"], buy(STOCK, 1, ref="a", time_in_force="opg"), ["a 1 @ 101"]),
        ([0, 1, NEXT_DAY], [CALM, CALM, "98 99 97 98"], {1: buy(STOCK, 1, ref="a", time_in_force="opg")}, ["a 1 @ 98"]),
        ([0, NEXT_DAY], [CALM, CALM], {1: buy(STOCK, 1, ref="a", limit=99, time_in_force="opg")}, ["a cancelled"]),
        ([0, NEXT_DAY + 1], [CALM, "98 99 97 98"], {1: buy(STOCK, 1, ref="a", time_in_force="opg")}, ["a 1 @ 98"]),
        ([0, 2 * NEXT_DAY], [CALM, CALM], {1: buy(STOCK, 1, ref="a", time_in_force="opg")}, ["a cancelled"]),
        # At the close: the last regular bar that exists.
        ([0, 1, LAST, NEXT_DAY], [CALM, CALM, "100 103 99 102", CALM], buy(STOCK, 1, ref="a", time_in_force="cls"), ["a 1 @ 102"]),
        ([0, 1, 3, NEXT_DAY], [CALM, CALM, "100 103 99 102", CALM], buy(STOCK, 1, ref="a", time_in_force="cls"), ["a 1 @ 102"]),
        ([0, LAST, NEXT_DAY], [CALM, "100 103 99 102", CALM], buy(STOCK, 1, ref="a", limit=101, time_in_force="cls"), ["a cancelled"]),
        # ... decided at the close it is the next session's.
        ([0, LAST, NEXT_DAY], [CALM, CALM, "98 99 97 98"], {2: buy(STOCK, 1, ref="a", time_in_force="cls")}, ["a 1 @ 98"]),
        ([0, LAST, 2 * NEXT_DAY], [CALM, CALM, CALM], {2: buy(STOCK, 1, ref="a", time_in_force="cls")}, ["a cancelled"]),
        # Immediate or cancel meets the first bar, whenever it comes.
        ([0, NEXT_DAY], [CALM, "98 99 97 98"], {1: buy(STOCK, 1, ref="a", time_in_force="ioc")}, ["a 1 @ 98"]),
        ([0, 1], [CALM, "98 99 97 98"], {1: buy(STOCK, 1, ref="a", limit=97, time_in_force="ioc")}, ["a cancelled"]),
        ([0, 1], [CALM, "98 99 97 98"], {1: buy(STOCK, 1, ref="a", limit=97, time_in_force="fok")}, ["a cancelled"]),
        ([0, 1], [CALM, "98 99 97 98"], {1: buy(STOCK, 9999, ref="a", time_in_force="fok")}, ["a cancelled"]),
        ([0, 1], [CALM, "98 99 97 98"], {1: buy(STOCK, 9999, ref="a", time_in_force="ioc")}, ["a rejected insufficient_cash"]),
    ],
)  # fmt: skip
def test_an_order_of_a_stock_lives(at: list[int], rows: list[str], asked: Any, lines: list[str]) -> None:
    # A bar long after shows that the order did not live on.
    later = bars(*rows, TRADES_ON, symbol=STOCK, timeframe="1h", at=[*at, at[-1] + 10 * NEXT_DAY])
    assert told(later, asked).lines == lines


@pytest.mark.parametrize(("last", "lines"), [(3, ["a cancelled"]), (LAST, ["a 1 @ 102"])])
def test_where_the_data_end_before_the_close_nobody_knows_what_it_was(last: int, lines: list[str]) -> None:
    rows = bars(CALM, "100 103 99 102", symbol=STOCK, timeframe="1h", at=[0, last])
    assert told(rows, buy(STOCK, 1, ref="a", time_in_force="cls")).lines == lines


def test_an_auction_is_refused_where_there_is_none() -> None:
    assert told(bars(CALM), buy(COIN, 1, ref="a", time_in_force="opg")).lines == ["a rejected invalid_order"]
    assert told(bars(CALM), buy(COIN, 1, ref="a", time_in_force="cls")).lines == ["a rejected invalid_order"]


def test_an_auction_slips_nothing() -> None:
    asked = [buy(STOCK, 1, ref="o", time_in_force="opg"), buy(STOCK, 1, ref="c", time_in_force="cls"), buy(STOCK, 1, ref="m")]
    rows = bars("100 110 99 105", "100 103 99 102", symbol=STOCK, timeframe="1h", at=[0, LAST])
    assert told(rows, asked, slippage="bps:100").fills == ["o 1 @ 100", "m 1 @ 101", "c 1 @ 102"]


def test_at_the_close_the_auction_takes_its_turn() -> None:
    """A trailing stop that the last stretch of the path reaches just at the close stands in one queue with the auction."""
    rows = bars(CALM, "100 104 99 102", symbol=STOCK, timeframe="1h", at=[0, LAST])
    one, two = sell(STOCK, 1, ref="a", trail=2), sell(STOCK, 1, ref="b", time_in_force="cls")
    asked = {0: buy(STOCK, 1, ref="in"), 1: [one, two]}
    assert told(rows, asked).lines == ["in 1 @ 100", "a 1 @ 102", "b rejected insufficient_position"]
    asked = {0: buy(STOCK, 1, ref="in"), 1: [two, one]}
    assert told(rows, asked).lines == ["in 1 @ 100", "b 1 @ 102", "a rejected insufficient_position"]


def test_in_an_auction_the_market_must_trade_through_as_anywhere() -> None:
    rows = bars(CALM, "100 103 99 102", symbol=STOCK, timeframe="1h", at=[0, LAST])
    for limit, fills in ((102, []), (102.5, ["a 1 @ 102"])):
        asked = {1: buy(STOCK, 1, ref="a", limit=limit, time_in_force="cls")}
        assert told(rows, asked, trade_through=True).fills == fills


def test_an_order_for_extended_hours_meets_bars_of_the_evening_until_eight() -> None:
    # Regular to 21:00; then 21:30, 00:30 and 01:30 UTC: 19:30 and 20:30 in New York.
    at = [LAST, LAST + 1, LAST + 4, LAST + 5, NEXT_DAY]
    rows = bars(CALM, "100 101 98 99", "97 98 96 97", "97 98 95 97", "95 96 94 95", symbol=STOCK, timeframe="1h", at=at)
    asked = {1: [buy(STOCK, 1, ref="e", limit=96.5, extended_hours=True), buy(STOCK, 1, ref="r", limit=96.5)]}
    assert told(rows, asked).lines == ["e 1 @ 96.5", "r 1 @ 95"]
    asked = {1: [buy(STOCK, 1, ref="e", limit=95.5, extended_hours=True)]}
    assert told(rows, asked).lines == ["e expired"]


def test_a_leg_does_not_act_outside_the_session() -> None:
    at = [LAST, LAST + 1, NEXT_DAY]
    rows = bars(CALM, "100 105 98 104", "104 106 103 105", symbol=STOCK, timeframe="1h", at=at)
    asked = {1: buy(STOCK, 1, ref="e", limit=100, extended_hours=True, time_in_force="gtc", target=103, stop_loss=90)}
    assert told(rows, asked).lines == ["e 1 @ 100", "e.target 1 @ 104", "e.stop cancelled"]


def test_an_end_inside_a_bar_waits_for_it_whatever_another_symbol_tells() -> None:
    """A coin's hour that began before the order's end is still to come when a stock's half hour ends."""
    half = bars(*[CALM] * 3, symbol=STOCK, timeframe="30m")
    hour = bars("100 101 99 100", "100 101 90 95", timeframe="1h", start_ns=OPEN_NS)
    asked = {0: buy(COIN, 1, ref="a", limit=95, expires=OPEN_NS + HOUR_NS + 10 * MINUTE_NS)}
    assert told([half, hour], asked).lines == ["a 1 @ 95"]


def test_an_order_that_is_over_takes_no_part_in_what_its_partner_fills() -> None:
    first = buy(COIN, 1, ref="a", limit=95, expires=minute(2), target=110)
    rows = bars(CALM, CALM, "94 95 93 94")
    assert told(rows, first).lines == ["a expired", "a.target cancelled"]
