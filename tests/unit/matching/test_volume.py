"""A share of each bar's volume, worked out by hand: all orders of a bar have it together, and rests go on."""

from typing import Any

import pytest

from core.strategy.actions import Action, CancelOrder
from core.strategy.placing import buy, sell
from tests.scripted import COIN, Told, bars, told

TENTH = {"volume_cap": "0.1"}


def _told(rows: list[str], asked: Any, **options: Any) -> Told:
    return told(bars(*rows), asked, **(TENTH | options))


@pytest.mark.parametrize(
    ("rows", "asked", "lines"),
    [
        # A market order takes its share of each bar at the open.
        (["100 101 99 100 100", "101 102 100 101 100", "102 103 101 102 1000"], [buy(COIN, 25, ref="a")],
         ["a 10 @ 100", "a 10 @ 101", "a 5 @ 102"]),
        # The orders of a bar share it, the first submitted first.
        (["100 101 99 100 100", "101 102 100 101 100"], [buy(COIN, 8, ref="a"), buy(COIN, 8, ref="b")],
         ["a 8 @ 100", "b 2 @ 100", "b 6 @ 101"]),
        # A bar without volume fills nothing.
        (["100 101 99 100 0", "101 102 100 101 100"], [buy(COIN, 5, ref="a")], ["a 5 @ 101"]),
        # A stop triggers although the volume is used up; the rest goes on at the next open, wherever that is.
        (["100 103 99 102 100", "95 96 94 95 100"], [buy(COIN, 10, ref="a"), buy(COIN, 3, ref="b", stop=102)],
         ["a 10 @ 100", "b 3 @ 95"]),
        (["100 103 99 102 100", "95 96 94 95 100"], [buy(COIN, 12, ref="a", stop=102)], ["a 10 @ 102", "a 2 @ 95"]),
        # A limit's rest waits at its limit.
        (["100 101 98 100 100", "100 101 99 100 100", "98 99 97 98 100"], [buy(COIN, 15, ref="a", limit=98.5)],
         ["a 10 @ 98.5", "a 5 @ 98"]),
        # Immediate or cancel takes what there is; fill or kill takes all or nothing.
        (["100 101 98 100 100", "100 101 99 100 100"], [buy(COIN, 15, ref="a", time_in_force="ioc")], ["a 10 @ 100", "a cancelled"]),
        (["100 101 98 100 100", "100 101 99 100 1000"], [buy(COIN, 15, ref="a", time_in_force="fok")], ["a cancelled"]),
        (["100 101 98 100 150"], [buy(COIN, 15, ref="a", time_in_force="fok")], ["a 15 @ 100"]),
        # The legs grow with each part, until one fills: that takes back what is left of the entry.
        (["100 101 99 100 100", "100 101 99 100 50", "103 106 103 105 1000"],
         [buy(COIN, 15, ref="a", limit=100.5, target=105, stop_loss=95)],
         ["a 10 @ 100", "a 5 @ 100", "a.target 15 @ 105", "a.stop cancelled"]),
        (["100 101 99 100 100", "103 106 103 105 1000"], [buy(COIN, 15, ref="a", limit=100.5, target=105, stop_loss=95)],
         ["a 10 @ 100", "a.target 10 @ 105", "a cancelled", "a.stop cancelled"]),
        # What a leg fills comes off the other.
        (["100 101 99 100 1000", "103 106 103 105 60", "103 104 94 95 1000"], [buy(COIN, 10, ref="a", target=105, stop_loss=95)],
         ["a 10 @ 100", "a.target 6 @ 105", "a.stop 4 @ 95", "a.target cancelled"]),
    ],
)  # fmt: skip
def test_a_share_of_the_volume(rows: list[str], asked: list[Action], lines: list[str]) -> None:
    assert [line for line in _told(rows, asked).lines if not line.startswith("end")] == lines


def test_the_share_is_rounded_down_to_the_lot() -> None:
    rows = ["100 101 99 100 109", "101 102 100 101 1000"]
    assert _told(rows, buy(COIN, 12, ref="a"), grid=True).fills == ["a 10 @ 100", "a 2 @ 101"]


def test_slippage_by_volume_counts_what_this_fill_takes() -> None:
    # 100 × 0.1 × (10 ÷ 100)² = 0.1, then 5 of 50: the same share.
    ran = _told(["100 101 99 100 100", "101 102 100 101 50"], buy(COIN, 15, ref="a"), slippage="volume:0.1")
    assert ran.fills == ["a 10 @ 100.1", "a 5 @ 101.101"]


def test_the_minimum_fee_counts_once_for_all_parts() -> None:
    ran = _told(["100 101 99 100 100", "101 102 100 101 1000"], buy(COIN, 15, ref="a"), fees="per-share:0.05:0.6")
    assert [str(fill.fee.normalize()) for fill in ran.run.fills] == ["0.6", "0.15"]


def test_an_entry_taken_back_after_a_part_leaves_its_legs() -> None:
    rows = ["100 101 99 100 100", "100 101 99 100 0", "103 106 103 105 1000"]
    asked = {0: buy(COIN, 15, ref="a", limit=100.5, target=105, stop_loss=95), 1: CancelOrder("a")}
    assert _told(rows, asked).lines == ["a 10 @ 100", "a cancelled", "a.target 10 @ 105", "a.stop cancelled"]


def test_where_the_volume_is_used_up_a_reducing_order_is_not_judged() -> None:
    """It would not fill at that price, so it is not cancelled there either."""
    rows = ["100 101 99 100 1000", "100 103 99 100 20", "100 103 99 100 100"]
    asked = {0: buy(COIN, 2, ref="in"), 1: [sell(COIN, 2, ref="out"), sell(COIN, 1, ref="a", limit=102, reduce_only=True)]}
    assert _told(rows, asked).lines == ["in 2 @ 100", "out 2 @ 100", "a cancelled"]
    assert _told(rows[:2], asked).run.orders["run-3"].reason == "The run ended."


def test_closing_at_the_end_does_not_obey_the_share() -> None:
    ran = _told(["100 101 99 100 1000", "100 103 99 102 0"], buy(COIN, 50, ref="a"), close_at_end=True)
    assert ran.fills == ["a 50 @ 100", "broker:X/Y 50 @ 102"]
