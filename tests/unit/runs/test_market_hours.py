"""Which minutes count: sessions, half days, extended hours, and markets that never close."""

from datetime import UTC, datetime

import numpy as np
import pytest

from core.model.instants import MINUTE_NS, to_ns
from core.model.market import BarSeries, Timeframe
from core.runs.market_hours import MarketHours


def at(text: str) -> int:
    return to_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("start", "regular", "extended"),
    [
        ("2026-11-25T14:29", "2026-11-25T14:30", "2026-11-25T14:29"),  # a Wednesday, a minute before the bell
        ("2026-11-25T14:30", "2026-11-25T14:30", "2026-11-25T14:30"),
        ("2026-11-25T20:59", "2026-11-25T20:59", "2026-11-25T20:59"),
        ("2026-11-25T21:00", "2026-11-27T14:30", "2026-11-25T21:00"),  # then Thanksgiving
        ("2026-11-26T01:00", "2026-11-27T14:30", "2026-11-27T09:00"),
        ("2026-11-27T17:59", "2026-11-27T17:59", "2026-11-27T17:59"),  # a half day
        ("2026-11-27T18:00", "2026-11-30T14:30", "2026-11-27T18:00"),
        ("2026-11-27T22:00", "2026-11-30T14:30", "2026-11-30T09:00"),
        ("2026-07-06T13:30", "2026-07-06T13:30", "2026-07-06T13:30"),  # summer time
    ],
)
def test_the_next_minute_that_counts(start: str, regular: str, extended: str) -> None:
    for wanted, is_extended in ((regular, False), (extended, True)):
        hours = MarketHours(("SPY",), always_open=False, extended=is_extended)
        assert hours.opens(at(start)) == at(wanted)
        assert hours.counts("SPY", at(start)) is (start == wanted)


def test_what_never_closes_counts_at_any_time_and_keeps_a_run_awake() -> None:
    night = at("2026-11-26T03:00")
    mixed = MarketHours(("SPY", "BTC/USD"), always_open=False, extended=False)
    assert mixed.opens(night) == night
    assert (mixed.counts("SPY", night), mixed.counts("BTC/USD", night)) == (False, True)
    assert MarketHours(("DEMO",), always_open=True, extended=False).counts("DEMO", night)


def test_minutes_outside_are_left_out() -> None:
    starts = np.arange(at("2026-11-27T14:28"), at("2026-11-27T18:03"), MINUTE_NS)
    column = np.arange(len(starts), dtype=float)
    bars = BarSeries.from_columns("SPY", Timeframe(MINUTE_NS), starts, column, column, column, column, column)
    kept = MarketHours(("SPY",), always_open=False, extended=False).inside(bars)
    assert (kept.start_ns[0], kept.start_ns[-1], len(kept)) == (at("2026-11-27T14:30"), at("2026-11-27T17:59"), 210)
    assert kept.close[0] == 2.0
    assert len(MarketHours(("SPY",), always_open=False, extended=True).inside(bars)) == len(bars)
