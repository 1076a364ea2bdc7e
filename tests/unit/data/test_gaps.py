"""Holes against the calendar."""

import numpy as np

from core.clock.calendar import sessions
from core.data.gaps import find_gaps
from core.data.simulated import MARKETS
from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, iso, parse_instant
from core.model.market import AssetClass, Instants

EQUITY, CRYPTO, CURRENCY = AssetClass.EQUITY, AssetClass.CRYPTO, AssetClass.CURRENCY


def minutes(start: str, end: str, step_ns: int = MINUTE_NS) -> Instants:
    return np.arange(parse_instant(start), parse_instant(end), step_ns, dtype=np.int64)


def found(starts: Instants, timeframe_ns: int, asset_class: AssetClass) -> list[tuple[str, str, int]]:
    return [(iso(gap.start_ns), iso(gap.end_ns), gap.missing) for gap in find_gaps(starts, timeframe_ns, asset_class)]


def test_crypto_misses_every_minute_that_is_not_there() -> None:
    starts = minutes("2019-11-09T00:00", "2019-11-09T01:00")
    kept = np.delete(starts, [10, 11, 40])
    assert found(kept, MINUTE_NS, CRYPTO) == [
        ("2019-11-09T00:10:00Z", "2019-11-09T00:12:00Z", 2),
        ("2019-11-09T00:40:00Z", "2019-11-09T00:41:00Z", 1),
    ]
    assert found(starts, MINUTE_NS, CRYPTO) == []


def test_equities_miss_minutes_only_inside_sessions() -> None:
    days = [minutes("2019-11-05T14:30", "2019-11-05T21:00"), minutes("2019-11-06T14:30", "2019-11-06T21:00")]
    assert found(np.concatenate(days), MINUTE_NS, EQUITY) == []
    short = np.concatenate([days[0][:-5], days[1][2:]])
    assert found(short, MINUTE_NS, EQUITY) == [("2019-11-05T20:55:00Z", "2019-11-06T14:32:00Z", 7)]
    without_a_day = np.concatenate([days[0], minutes("2019-11-07T14:30", "2019-11-07T21:00")])
    assert found(without_a_day, MINUTE_NS, EQUITY) == [("2019-11-06T14:30:00Z", "2019-11-07T14:30:00Z", 390)]


def test_bars_outside_regular_hours_are_no_gap_and_hide_none() -> None:
    starts = np.concatenate([minutes("2019-11-05T13:00", "2019-11-05T14:40"), minutes("2019-11-05T14:45", "2019-11-05T22:00")])
    assert found(starts, MINUTE_NS, EQUITY) == [("2019-11-05T14:40:00Z", "2019-11-05T14:45:00Z", 5)]


def test_a_half_day_and_a_holiday_are_no_gap() -> None:
    days = [
        minutes("2019-11-27T14:30", "2019-11-27T21:00"),
        minutes("2019-11-29T14:30", "2019-11-29T18:00"),
        minutes("2019-12-02T14:30", "2019-12-02T21:00"),
    ]
    assert found(np.concatenate(days), MINUTE_NS, EQUITY) == []


def test_hours_may_begin_with_the_session_or_with_the_hour() -> None:
    for first in ("14:30", "15:00"):
        days = [minutes(f"2019-11-0{day}T{first}", f"2019-11-0{day}T21:00", HOUR_NS) for day in (4, 5, 6)]
        starts = np.concatenate(days)
        assert found(starts, HOUR_NS, EQUITY) == []
        assert [gap[2] for gap in found(np.delete(starts, 8), HOUR_NS, EQUITY)] == [1]


def test_daily_equities_follow_the_sessions() -> None:
    days = minutes("2019-11-25", "2019-12-06", DAY_NS)
    open_days = days[np.isin(days // DAY_NS, sessions().days)]
    assert len(open_days) == 8
    assert found(open_days, DAY_NS, EQUITY) == []
    assert found(np.delete(open_days, [3, 4]), DAY_NS, EQUITY) == [("2019-11-29T00:00:00Z", "2019-12-03T00:00:00Z", 2)]


def test_currencies_rest_at_the_weekend() -> None:
    days = (("2019-11-08T00:00", "2019-11-08T22:00"), ("2019-11-10T22:00", "2019-11-12T00:00"))
    week = np.concatenate([minutes(first, last, HOUR_NS) for first, last in days])
    assert found(week, HOUR_NS, CURRENCY) == []
    assert len(found(week, HOUR_NS, CRYPTO)) == 1
    assert [gap[2] for gap in found(np.delete(week, 30), HOUR_NS, CURRENCY)] == [1]
    working = minutes("2019-11-04", "2019-11-20", DAY_NS)
    working = working[(working // DAY_NS + 3) % 7 < 5]
    assert found(working, DAY_NS, CURRENCY) == []
    assert len(found(np.delete(working, 3), DAY_NS, CURRENCY)) == 1


def test_longer_bars_are_missing_where_a_step_is_too_long() -> None:
    weeks = minutes("2019-01-07", "2019-06-01", 7 * DAY_NS)
    assert found(weeks, 7 * DAY_NS, EQUITY) == []
    assert [gap[2] for gap in found(np.delete(weeks, [4, 5]), 7 * DAY_NS, EQUITY)] == [2]


def test_few_bars_have_no_gaps() -> None:
    assert found(np.empty(0, np.int64), MINUTE_NS, EQUITY) == []
    assert found(minutes("2019-11-05T15:00", "2019-11-05T15:01"), MINUTE_NS, EQUITY) == []
    # A weekend: no session between them.
    assert found(minutes("2019-11-09T15:00", "2019-11-09T16:00", 30 * MINUTE_NS), MINUTE_NS, EQUITY) == []


def test_all_holes_together_are_what_is_missing() -> None:
    for market, asset_class in ((MARKETS[0], EQUITY), (MARKETS[2], CRYPTO)):
        bars = market.make()
        missing = sum(gap.missing for gap in find_gaps(bars.start_ns, MINUTE_NS, asset_class))
        table = sessions()
        inside = (table.opens >= bars.start_ns[0]) & (table.opens <= bars.start_ns[-1])
        around_the_clock = (bars.start_ns[-1] - bars.start_ns[0]) // MINUTE_NS + 1
        expected = ((table.closes - table.opens)[inside] // MINUTE_NS).sum() if asset_class is EQUITY else around_the_clock
        assert missing + len(bars) == expected
        assert missing > 0
