"""The equity of the part of a run that was interrupted: fills, and what else moved its money and units, each in its time."""

from decimal import Decimal

import numpy as np

from core.events.payloads import DividendPaid, InterestCharged, SplitApplied
from core.model.order import Fill, OrderSide
from core.runs.equity_again import equity_until
from core.trading.books import BookChange, merged

D = Decimal


def test_each_move_counts_from_its_time_on() -> None:
    fill = Fill("f", "r", "o", "SPY", OrderSide.BUY, D(10), D(100), D(1), D(0), 15)
    changes: list[tuple[int, BookChange]] = [
        (25, SplitApplied(symbol="SPY", ratio=D(4), qty_before=D(10), qty=D(40), cash=D(0))),
        (35, DividendPaid(symbol="SPY", per_share=D("0.5"), qty=D(40), cash=D(20))),
        (45, InterestCharged(amount=D(3), symbol="SPY")),
    ]
    ends = {"SPY": np.arange(10, 60, 10)}
    closes = {"SPY": [100.0, 110.0, 30.0, 30.0, 30.0]}
    points = equity_until(D(2_000), merged([fill], changes), ends, closes, 0, 60)
    assert points == [
        (10, 2_000.0, False),
        (20, 999.0 + 10 * 110, True),
        (30, 999.0 + 40 * 30, True),
        (40, 1_019.0 + 40 * 30, True),
        (50, 1_016.0 + 40 * 30, True),
    ]


def test_a_close_of_before_a_split_is_worth_what_it_was_until_there_is_another() -> None:
    fill = Fill("f", "r", "o", "SPY", OrderSide.BUY, D(10), D(100), D(0), D(0), 5)
    changes: list[tuple[int, BookChange]] = [(15, SplitApplied(symbol="SPY", ratio=D(4), qty_before=D(10), qty=D(40), cash=D(0)))]
    ends = {"SPY": np.array([10, 30]), "BTC/USD": np.array([10, 20, 30])}
    closes = {"SPY": [100.0, 26.0], "BTC/USD": [1.0, 1.0, 1.0]}
    points = equity_until(D(1_000), merged([fill], changes), ends, closes, 0, 40)
    assert [equity for _, equity, _ in points] == [1_000.0, 1_000.0, 1_040.0]
