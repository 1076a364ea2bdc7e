"""Orders that hang together, worked out by hand: brackets, one triggers other, one cancels other."""

from typing import Any

import pytest

from core.model.order import OrderRequest, OrderSide
from core.model.run import AccountKind, AccountTerms, PathModel
from core.strategy.actions import CancelOrder, PlaceOneCancelsOther
from core.strategy.placing import buy, oco, replaced, sell
from core.strategy.requests import leg
from tests.scripted import COIN, STOCK, bars, minute, told

MARGIN = AccountTerms(kind=AccountKind.MARGIN)
ENTRY = buy(COIN, 1, ref="a", target=104, stop_loss=97)


@pytest.mark.parametrize(
    ("rows", "asked", "lines"),
    [
        # The legs act in the bar of the entry, from the entry's point of the path on.
        (["100 105 99 104"], ENTRY, ["a 1 @ 100", "a.target 1 @ 104", "a.stop cancelled"]),
        (["100 105 96 104"], ENTRY, ["a 1 @ 100", "a.stop 1 @ 97", "a.target cancelled"]),
        # The high was before the entry: the target waits for the next bar.
        (["100 105 97.5 98", "98 106 98 105"], buy(COIN, 1, ref="a", limit=98, target=104, stop_loss=97),
         ["a 1 @ 98", "a.target 1 @ 104", "a.stop cancelled"]),
        # A leg that is already through acts at once, at the price that is there.
        (["96 105 95 104"], ENTRY, ["a 1 @ 96", "a.stop 1 @ 96", "a.target cancelled"]),
        (["106 107 96 104"], ENTRY, ["a 1 @ 106", "a.target 1 @ 106", "a.stop cancelled"]),
        # One triggers other: a single leg.
        (["100 105 96 104"], buy(COIN, 1, ref="a", target=104), ["a 1 @ 100", "a.target 1 @ 104"]),
        (["100 105 96 104"], buy(COIN, 1, ref="a", stop_loss=leg(trail=3)), ["a 1 @ 100", "a.stop 1 @ 97"]),
        (["100 105 96 104"], buy(COIN, 1, ref="a", stop_loss=leg(stop=98, limit=97.5)), ["a 1 @ 100", "a.stop 1 @ 98"]),
        # A trailing leg follows from the entry's point.
        (["100 105 99 104", "104 104 101 102"], buy(COIN, 1, ref="a", stop_loss=leg(trail=3)), ["a 1 @ 100", "a.stop 1 @ 102"]),
        # An entry that is refused, killed or taken back before it fills takes its legs with it.
        (["100 105 99 104"], buy(COIN, 2000, ref="a", target=104, stop_loss=97),
         ["a rejected insufficient_cash", "a.stop cancelled", "a.target cancelled"]),
        (["100 105 99 104"], buy(COIN, 1, ref="a", limit=98, time_in_force="ioc", target=104, stop_loss=97),
         ["a cancelled", "a.stop cancelled", "a.target cancelled"]),
        (["100 105 99 104"] * 2, {0: buy(COIN, 1, ref="a", limit=98, target=104, stop_loss=97), 1: CancelOrder("a")},
         ["a cancelled", "a.stop cancelled", "a.target cancelled"]),
        # Cancelling a leg cancels the other; the position stays.
        (["100 101 99 100"] * 2, {0: ENTRY, 1: CancelOrder("a.target")}, ["a 1 @ 100", "a.target cancelled", "a.stop cancelled"]),
        # A position that something else closes leaves nothing for the legs.
        (["100 101 99 100", "100 101 99 100"], {0: ENTRY, 1: sell(COIN, 1, ref="out")},
         ["a 1 @ 100", "out 1 @ 100", "a.stop cancelled", "a.target cancelled"]),
        # One cancels other: the fill, or taking one back, cancels the other.
        (["100 101 99 100", "100 105 99 104"], {0: buy(COIN, 1, ref="in"), 1: oco(COIN, "sell", 1, limit=104, stop=97, refs=("u", "d"))},
         ["in 1 @ 100", "u 1 @ 104", "d cancelled"]),
        (["100 101 99 100", "100 103 99 102", "100 101 96 97"],
         {0: buy(COIN, 1, ref="in"), 1: oco(COIN, "sell", 1, limit=104, stop=97, refs=("u", "d"))},
         ["in 1 @ 100", "d 1 @ 97", "u cancelled"]),
        (["100 101 99 100"] * 3, {0: oco(COIN, "buy", 1, limit=90, stop=110, refs=("u", "d")), 1: CancelOrder("d")},
         ["d cancelled", "u cancelled"]),
        # ... its rejection leaves the other.
        (["100 105 96 100"], oco(COIN, "sell", 1, limit=104, stop=97, refs=("u", "d")),
         ["d rejected insufficient_position", "u rejected insufficient_position"]),
    ],
)  # fmt: skip
def test_a_family(rows: list[str], asked: Any, lines: list[str]) -> None:
    assert told(bars(*rows), asked).lines == lines


def test_a_market_order_of_a_pair_cancels_the_other() -> None:
    both = [OrderRequest(symbol=COIN, side=OrderSide.BUY, qty=sell(COIN, 1).request.qty)]
    both.append(buy(COIN, 1, stop=101).request)
    asked = PlaceOneCancelsOther(both[0], both[1], first_ref="now", second_ref="later")
    # The second cannot act in the first bar, so that the market order meets it alone.
    assert told(bars("100 100.5 99 100", "100 105 99 104"), asked).lines == ["now 1 @ 100", "later cancelled"]


def test_a_leg_has_its_entrys_place_in_the_queue() -> None:
    """At one price the stop of the older entry comes before an order that was placed before that entry filled."""
    asked = {0: [buy(COIN, 1, ref="a", target=110, stop_loss=97), buy(COIN, 1, ref="in")], 1: sell(COIN, 1, ref="b", stop=97)}
    assert told(bars("100 101 99 100", "100 101 96 98"), asked).fills[2:] == ["a.stop 1 @ 97", "b 1 @ 97"]
    asked = {0: [buy(COIN, 2, ref="in")], 1: [buy(COIN, 1, ref="a", limit=98, target=110, stop_loss=97), sell(COIN, 1, ref="b", stop=97)]}
    for rows in (["100 101 99 100", "100 101 96 98"], ["100 101 99 100", "100 101 98 99", "99 100 96 97"]):
        assert told(bars(*rows), asked, path=PathModel.OHLC).fills[1:] == ["a 1 @ 98", "a.stop 1 @ 97", "b 1 @ 97"]


def test_an_entry_that_only_covers_a_short_has_nothing_for_its_legs() -> None:
    rows = bars("100 101 99 100", "100 105 99 104", symbol=STOCK)
    asked = {0: sell(STOCK, 5, ref="short"), 1: buy(STOCK, 5, ref="a", target=104, stop_loss=90)}
    # The account is flat after the entry: a leg that sold would open a short.
    assert told(rows, asked, account=MARGIN).lines == ["short 5 @ 100", "a 5 @ 100", "a.stop cancelled", "a.target cancelled"]


def test_a_reversing_entry_has_legs_over_what_it_opened_at_most() -> None:
    rows = bars("100 101 99 100", "100 105 99 104", symbol=STOCK)
    asked = {0: sell(STOCK, 5, ref="short"), 1: buy(STOCK, 8, ref="a", target=104, stop_loss=90)}
    assert told(rows, asked, account=MARGIN).lines == [
        "short 5 @ 100",
        "a 8 @ 100",
        "a.target 3 @ 104",
        "a.stop cancelled",
        "a.target cancelled",
    ]


def test_a_leg_lives_for_its_own_time_and_its_end_leaves_the_other() -> None:
    # The target is good for one session, the stop until it is cancelled: it fills on the next day.
    legs: dict[str, Any] = {"target": leg(limit=104, time_in_force="day"), "stop_loss": leg(stop=97, time_in_force="gtc")}
    rows = bars("100 101 99 100", "100 101 99 100", "100 105 96 97", symbol=STOCK, timeframe="1h", at=[0, 1, 24])
    assert told(rows, buy(STOCK, 1, ref="a", **legs)).lines == ["a 1 @ 100", "a.target expired", "a.stop 1 @ 97"]


def test_a_leg_without_a_time_of_its_own_has_its_entrys() -> None:
    asked = buy(COIN, 1, ref="a", expires=minute(2), target=104, stop_loss=97)
    rows = bars("100 101 99 100", "100 101 99 100", "100 105 96 97")
    assert told(rows, asked).lines == ["a 1 @ 100", "a.stop expired", "a.target expired"]
    # An auction's is none for a leg: a stock's leg then lives the day.
    rows = bars("100 101 99 100", "100 105 99 104", symbol=STOCK, timeframe="1h")
    assert told(rows, buy(STOCK, 1, ref="a", time_in_force="opg", target=104)).lines == ["a 1 @ 100", "a.target 1 @ 104"]


def test_a_leg_that_fills_at_once_is_a_taker() -> None:
    # 0.15 % for what rested at its limit, 0.25 % for what took the price that was there.
    ran = told(bars("106 107 96 104"), buy(COIN, 1, ref="a", target=106, stop_loss=97), fees="alpaca")
    assert ran.fills == ["a 1 @ 106", "a.target 1 @ 106"]
    assert [str(fill.fee.normalize()) for fill in ran.run.fills] == ["0.265", "0.265"]
    ran = told(bars("100 107 96 104"), buy(COIN, 1, ref="a", target=106), fees="alpaca")
    assert [str(fill.fee.normalize()) for fill in ran.run.fills] == ["0.25", "0.159"]


def test_of_two_legs_that_are_both_through_the_stop_acts() -> None:
    """Only replacing can bring them to where both are: the target at 93, the stop at 94, the entry at 93.5."""
    asked = {
        0: buy(COIN, 1, ref="a", limit=95, target=104, stop_loss=90),
        1: [replaced("a.stop", stop=94), replaced("a.target", limit=93)],
    }
    rows = bars("100 101 99 100", "93.5 94 92 93")
    assert told(rows, asked).lines == ["a 1 @ 93.5", "a.stop 1 @ 93.5", "a.target cancelled"]
