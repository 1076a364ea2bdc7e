"""Each type of order along the path of a bar, worked out by hand: bars, what is asked, and the fills."""

from typing import Any

import pytest

from core.model.run import PathModel
from core.strategy.actions import Action
from core.strategy.placing import buy, sell
from tests.scripted import COIN, bars, told

CALM = "100 100 100 100"
HIGH_FIRST, LOW_FIRST = {"path": PathModel.OHLC}, {"path": PathModel.OLHC}
GRID = {"grid": True}
THROUGH = {"trade_through": True}
RISES = "100 104 100 103"
"""Low first, then up to 104: a trailing stop two below follows to 102."""


@pytest.mark.parametrize(
    ("rows", "order", "options", "fills"),
    [
        # A market order takes the next open.
        (["101 102 99 100"], buy(COIN, 1, ref="a"), {}, ["a 1 @ 101"]),
        # A limit: the open where it is better, else the limit where the path comes to it.
        (["100 101 97 98"], buy(COIN, 1, ref="a", limit=98), {}, ["a 1 @ 98"]),
        (["97 101 96 98"], buy(COIN, 1, ref="a", limit=98), {}, ["a 1 @ 97"]),
        (["100 103 99 102"], sell(COIN, 1, ref="a", limit=103), {}, ["a 1 @ 103"]),
        (["104 105 99 102"], sell(COIN, 1, ref="a", limit=103), {}, ["a 1 @ 104"]),
        (["100 101 98.01 99"], buy(COIN, 1, ref="a", limit=98), {}, []),
        # A limit never slips; a stop does, to the bar's high at most.
        (["100 101 97 98"], buy(COIN, 1, ref="a", limit=98), {"slippage": "bps:100"}, ["a 1 @ 98"]),
        (["100 103 99 102"], buy(COIN, 1, ref="a", stop=102), {"slippage": "bps:50"}, ["a 1 @ 102.51"]),
        (["100 102.2 99 102"], buy(COIN, 1, ref="a", stop=102), {"slippage": "bps:50"}, ["a 1 @ 102.2"]),
        # A stop: the gap at the open, else the stop.
        (["103 104 102 103"], buy(COIN, 1, ref="a", stop=102), {}, ["a 1 @ 103"]),
        (["100 103 99 102"], sell(COIN, 1, ref="a", stop=99.5), {}, ["a 1 @ 99.5"]),
        (["98 103 97 102"], sell(COIN, 1, ref="a", stop=99.5), {}, ["a 1 @ 98"]),
        # A stop-limit: at the trigger the market is at the stop, or at the open.
        (["100 104 98 103"], buy(COIN, 1, ref="a", stop=102, limit=103), {}, ["a 1 @ 102"]),
        (["105 106 102 104"], buy(COIN, 1, ref="a", stop=102, limit=103), {}, ["a 1 @ 103"]),
        (["105 106 104 104"], buy(COIN, 1, ref="a", stop=102, limit=103), {}, []),
        (["100 102 97 98", "98 99.5 97 99"], sell(COIN, 1, ref="a", stop=98, limit=99), {}, ["a 1 @ 99"]),
        # ... and it has triggered for good: the next bar need not reach the stop.
        (["103 104 103 103.5", "103 103.2 101 101"], buy(COIN, 1, ref="a", stop=103.5, limit=102), {}, ["a 1 @ 102"]),
        # A trailing stop: the mark starts at the first price it meets and follows the path; the stop never moves back.
        ([RISES, "103 103.5 101 101.5"], sell(COIN, 1, ref="a", trail=2), {}, ["a 1 @ 102"]),
        ([RISES, "101 102 100 101"], sell(COIN, 1, ref="a", trail=2), {}, ["a 1 @ 101"]),
        (["100 104 97 103"], sell(COIN, 1, ref="a", trail=2), HIGH_FIRST, ["a 1 @ 102"]),
        (["100 104 97 103"], sell(COIN, 1, ref="a", trail=2), LOW_FIRST, ["a 1 @ 98"]),
        (["100 101 96 96.5", "97 99 96.5 99"], buy(COIN, 1, ref="a", trail=2), {}, ["a 1 @ 98"]),
        # ... by percent, to the tick away from the market: 103.33 - 1.5 % = 101.78005; 98.77 + 1.5 % = 100.25155.
        (["100 103.33 100 103", "103 103 101 101.5"], sell(COIN, 1, ref="a", trail_percent=1.5), GRID, ["a 1 @ 101.78"]),
        (["100 101 98.77 99", "99 101 99 100"], buy(COIN, 1, ref="a", trail_percent=1.5), GRID, ["a 1 @ 100.26"]),
        # ... by price as well, where the mark is off the tick.
        (["100 103.335 100 103", "103 103 101 101.5"], sell(COIN, 1, ref="a", trail=1.5), GRID, ["a 1 @ 101.83"]),
        # Trade through: the path must go on beyond the limit; the price is the limit, or an open beyond it.
        (["100 101 99 100"], buy(COIN, 1, ref="a", limit=99), THROUGH, []),
        (["100 101 98.99 100"], buy(COIN, 1, ref="a", limit=99), THROUGH, ["a 1 @ 99"]),
        (["98 101 97 100"], buy(COIN, 1, ref="a", limit=99), THROUGH, ["a 1 @ 98"]),
        (["99 101 99 100"], buy(COIN, 1, ref="a", limit=99), THROUGH, []),
        (["99 101 98 100"], buy(COIN, 1, ref="a", limit=99), THROUGH, ["a 1 @ 99"]),
        (["100 104 98 103"], buy(COIN, 1, ref="a", stop=102, limit=102), THROUGH | LOW_FIRST, []),
        (["100 104 98 101"], buy(COIN, 1, ref="a", stop=102, limit=102), THROUGH | LOW_FIRST, ["a 1 @ 102"]),
        # Reduce-only: no further than flat, and nothing from flat.
        (["101 102 99 100"], sell(COIN, 12, ref="a", reduce_only=True), {}, ["a 10 @ 101"]),
        (["101 102 99 100"], buy(COIN, 1, ref="a", reduce_only=True), {}, []),
        # Fill or kill, immediate or cancel: the open of the first bar or never.
        (["100 101 97 98", "97 98 96 97"], buy(COIN, 1, ref="a", limit=98, time_in_force="ioc"), {}, []),
        (["97 101 97 98", "97 98 96 97"], buy(COIN, 1, ref="a", limit=98, time_in_force="ioc"), {}, ["a 1 @ 97"]),
        (["100 103 97 98", "103 104 99 103"], buy(COIN, 1, ref="a", stop=102, time_in_force="fok"), {}, []),
    ],
)  # fmt: skip
def test_an_order_meets_its_bars(rows: list[str], order: Action, options: dict[str, Any], fills: list[str]) -> None:
    ran = told(bars(CALM, *rows), {0: buy(COIN, 10, ref="held"), 1: order}, **options)
    assert [line for line in ran.fills if not line.startswith("held")] == fills


@pytest.mark.parametrize(
    ("row", "orders", "flagged"),
    [
        # One order in the path, whichever way it goes.
        ("100 104 96 100", [sell(COIN, 1, ref="a", limit=103)], []),
        # Both fill in both orders of high and low, at the same prices.
        ("100 104 96 100", [sell(COIN, 1, ref="a", limit=103), sell(COIN, 1, ref="b", stop=97)], []),
        # A trailing stop sees another high before its low.
        ("100 104 97 103", [sell(COIN, 1, ref="a", trail=2)], ["a"]),
        # The bracket's leg that fills first cancels the other; the other is left only because of the path.
        ("100 104 96 100", [buy(COIN, 1, ref="a", target=103, stop_loss=97)], ["a.stop", "a.target?"]),
        # A stop-limit whose limit only the low after the high reaches.
        ("100 104 98 103", [buy(COIN, 1, ref="a", stop=102, limit=99)], ["a?"]),
    ],
)  # fmt: skip
def test_what_hangs_on_the_path_is_flagged(row: str, orders: list[Action], flagged: list[str]) -> None:
    ran = told(bars(CALM, row), {0: buy(COIN, 10, ref="held"), 1: orders}, path=PathModel.OLHC)
    assert ran.flagged == flagged


@pytest.mark.parametrize(
    ("path", "fills"),
    [
        # The bracket wins 3 when the high comes first and loses 3 when the low does.
        (PathModel.OHLC, ["a 1 @ 100", "a.target 1 @ 103"]),
        (PathModel.OLHC, ["a 1 @ 100", "a.stop 1 @ 97"]),
        (PathModel.OPTIMISTIC, ["a 1 @ 100", "a.target 1 @ 103"]),
        (PathModel.PESSIMISTIC, ["a 1 @ 100", "a.stop 1 @ 97"]),
        # The open is as near to the high as to the low: the low first.
        (PathModel.ADAPTIVE, ["a 1 @ 100", "a.stop 1 @ 97"]),
    ],
)
def test_the_path_decides_what_a_bracket_gives(path: PathModel, fills: list[str]) -> None:
    assert told(bars("100 104 96 100"), buy(COIN, 1, ref="a", target=103, stop_loss=97), path=path).fills == fills


def test_a_limit_that_must_be_traded_through_does_not_fill_where_the_path_turns() -> None:
    """Another order acts at that very point: the low, which is the limit."""
    asked = {0: buy(COIN, 1, ref="in"), 1: [sell(COIN, 1, ref="a", stop=99), buy(COIN, 1, ref="b", limit=99)]}
    assert told(bars(CALM, "100 101 99 100"), asked, trade_through=True).fills == ["in 1 @ 100", "a 1 @ 99"]


def test_of_two_paths_with_equal_equity_the_adaptive_one_counts() -> None:
    # The limit fills in both; the open is nearer the high.
    for path in (PathModel.OPTIMISTIC, PathModel.PESSIMISTIC):
        ran = told(bars("100 101 96 100"), [buy(COIN, 1, ref="a", limit=97), buy(COIN, 1, ref="b", stop=100.5)], path=path)
        assert ran.fills == ["b 1 @ 100.5", "a 1 @ 97"]
