"""What a strategy may change about an order that works, and what becomes of it; worked out by hand."""

from typing import Any

import pytest

from core.model.order import RejectCode
from core.strategy.placing import buy, replaced, sell
from core.strategy.requests import leg
from tests.scripted import COIN, bars, told

CALM = "100 101 99 100"


@pytest.mark.parametrize(
    ("rows", "asked", "lines"),
    [
        # A new price counts from the decision's time on.
        ([CALM, "100 101 97 98"], {0: buy(COIN, 1, ref="a", limit=95), 1: replaced("a", limit=98)}, ["a 1 @ 98"]),
        ([CALM, "100 101 97 98"], {0: buy(COIN, 1, ref="a", limit=95), 1: replaced("a", limit=96)}, ["a cancelled"]),
        ([CALM, "100 103 99 102"], {0: buy(COIN, 1, ref="a", stop=110), 1: replaced("a", stop=102)}, ["a 1 @ 102"]),
        # A new quantity is the new total.
        (["100 101 99 100 40", "100 101 99 100 1000"], {0: buy(COIN, 10, ref="a"), 1: replaced("a", qty=7)}, ["a 4 @ 100", "a 3 @ 100"]),
        (["100 101 99 100 40", "100 101 99 100 1000"], {0: buy(COIN, 10, ref="a"), 1: replaced("a", qty=4)}, ["a 4 @ 100", "a cancelled"]),
        # A trailing stop keeps its water mark, 104, with a new distance, and may change between price and percent.
        ([CALM, "100 104 100 103", "103 103.5 100 101"],
         {0: buy(COIN, 1, ref="in"), 1: sell(COIN, 1, ref="a", trail=2), 2: replaced("a", trail=3)}, ["in 1 @ 100", "a 1 @ 101"]),
        ([CALM, "100 104 100 103", "103 103.5 100 101"],
         {0: buy(COIN, 1, ref="in"), 1: sell(COIN, 1, ref="a", trail=2), 2: replaced("a", trail_percent=3.5)},
         ["in 1 @ 100", "a 1 @ 100.36"]),
        # A stop-limit that has triggered stays so.
        (["103 104 103 103.5", "103 103.2 101 101"], {0: buy(COIN, 1, ref="a", stop=103.5, limit=102), 1: replaced("a", limit=101.5)},
         ["a 1 @ 101.5"]),
        # The legs of an entry are orders of their own: its price may go beyond them, and theirs move alone.
        ([CALM, "100 106 99 105"], {0: buy(COIN, 1, ref="a", limit=95, target=104, stop_loss=90), 1: replaced("a", limit=105)},
         ["a 1 @ 100", "a.target 1 @ 104", "a.stop cancelled"]),
        ([CALM, "100 106 99 105"], {0: buy(COIN, 1, ref="a", target=104, stop_loss=90), 1: replaced("a.target", limit=106)},
         ["a 1 @ 100", "a.target 1 @ 106", "a.stop cancelled"]),
        # A leg that is not live yet takes a new price, but is over what its entry fills.
        ([CALM, "94 106 93 105"], {0: buy(COIN, 1, ref="a", limit=95, target=104, stop_loss=90), 1: replaced("a.target", limit=106)},
         ["a 1 @ 94", "a.target 1 @ 106", "a.stop cancelled"]),
        ([CALM, "94 106 93 105"], {0: buy(COIN, 2, ref="a", limit=95, target=104, stop_loss=90), 1: replaced("a.target", qty=1)},
         ["a.target refused invalid_order", "a 2 @ 94", "a.target 2 @ 104", "a.stop cancelled"]),
        # Taking a leg down to nothing left is cancelling it, and with it the other.
        ([CALM, "100 106 99 105", CALM], {0: buy(COIN, 2, ref="a", target=104, stop_loss=leg(stop=90)), 1: replaced("a.target", qty=1)},
         ["a 2 @ 100", "a.target 1 @ 104", "a.stop cancelled"]),
        # An order that is over, or full, stays as it is.
        ([CALM, CALM], {0: buy(COIN, 1, ref="a"), 1: replaced("a", qty=5)}, ["a 1 @ 100"]),
    ],
)  # fmt: skip
def test_an_order_is_replaced(rows: list[str], asked: Any, lines: list[str]) -> None:
    cap: dict[str, Any] = {"volume_cap": "0.1"} if " 40" in rows[0] else {}
    assert told(bars(*rows), asked, **cap).lines == lines


def test_a_replacement_loses_its_place_in_the_queue() -> None:
    rows = bars(CALM, CALM, "100 101 96 97 10")
    asked: dict[int, Any] = {0: buy(COIN, 9, ref="in"), 1: [buy(COIN, 1, ref="a", limit=90), buy(COIN, 1, ref="b", limit=97)]}
    asked[2] = replaced("a", limit=97)
    assert told(rows, asked, volume_cap="0.1").fills == ["in 9 @ 100", "b 1 @ 97"]


@pytest.mark.parametrize(
    "change",
    [
        replaced("a", limit=95.001),
        replaced("a", qty=1.5),
        replaced("a", stop=100),
        replaced("a", trail=1),
    ],
)
def test_what_an_order_cannot_be_is_refused_and_it_goes_on(change: Any) -> None:
    rows = bars(CALM, "100 101 94 95")
    ran = told(rows, {0: buy(COIN, 1, ref="a", limit=95), 1: change}, grid=True)
    assert ran.lines == ["a refused invalid_order", "a 1 @ 95"]
    (refusal,) = ran.run.rejections
    assert refusal.code is RejectCode.INVALID_ORDER
    assert refusal.time_ns == int(rows.start_ns[1])
