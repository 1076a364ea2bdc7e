"""Sessions, half days and daylight saving, against instants written by hand."""

from datetime import UTC, datetime

import numpy as np
import pytest

from core.clock import calendar
from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, parse_instant
from core.model.market import AssetClass, Instants

EQUITY, CRYPTO, CURRENCY = AssetClass.EQUITY, AssetClass.CRYPTO, AssetClass.CURRENCY


def at(*texts: str) -> Instants:
    return np.array([parse_instant(text) for text in texts], np.int64)


def ends(asset_class: AssetClass, timeframe_ns: int, *texts: str) -> list[str]:
    found = calendar.bar_ends(at(*texts), timeframe_ns, asset_class)
    return [datetime.fromtimestamp(int(end) // 10**9, UTC).strftime("%Y-%m-%dT%H:%MZ") for end in found]


def test_a_bar_of_minutes_ends_after_its_timeframe() -> None:
    assert ends(EQUITY, MINUTE_NS, "2019-11-05T14:30Z", "2019-11-05T20:59Z") == ["2019-11-05T14:31Z", "2019-11-05T21:00Z"]


def test_the_last_hour_of_a_session_ends_at_its_close() -> None:
    starts = ("2019-11-05T19:30Z", "2019-11-05T20:30Z", "2019-11-06T14:30Z")
    assert ends(EQUITY, HOUR_NS, *starts) == ["2019-11-05T20:30Z", "2019-11-05T21:00Z", "2019-11-06T15:30Z"]


def test_a_half_day_closes_at_one() -> None:
    assert ends(EQUITY, HOUR_NS, "2019-11-29T17:30Z") == ["2019-11-29T18:00Z"]
    assert ends(EQUITY, DAY_NS, "2019-11-29") == ["2019-11-29T18:00Z"]


def test_summer_and_winter_time_differ_by_an_hour() -> None:
    assert ends(EQUITY, DAY_NS, "2019-11-01", "2019-11-04") == ["2019-11-01T20:00Z", "2019-11-04T21:00Z"]
    # 13:30Z is inside the session in summer and before it in winter.
    assert calendar.regular_bars(at("2019-11-01T13:30Z", "2019-11-04T13:30Z"), MINUTE_NS, EQUITY).tolist() == [True, False]


def test_a_bar_outside_regular_hours_ends_after_its_timeframe() -> None:
    assert ends(EQUITY, HOUR_NS, "2019-11-05T13:30Z", "2019-11-05T21:30Z") == ["2019-11-05T14:30Z", "2019-11-05T22:30Z"]


def test_a_daily_bar_is_the_session_of_its_stamp() -> None:
    # The UTC date, the exchange's midnight, and the session's open are three ways to stamp the same day.
    assert ends(EQUITY, DAY_NS, "2019-11-05") == ["2019-11-05T21:00Z"]
    assert ends(EQUITY, DAY_NS, "2019-11-05T05:00Z") == ["2019-11-05T21:00Z"]
    assert ends(EQUITY, DAY_NS, "2019-11-05T14:30Z") == ["2019-11-05T21:00Z"]


def test_a_date_without_a_session_ends_after_its_timeframe() -> None:
    assert ends(EQUITY, DAY_NS, "2019-11-09", "2019-11-28") == ["2019-11-10T00:00Z", "2019-11-29T00:00Z"]


def test_a_weekly_bar_is_not_known_before_its_last_session_is_over() -> None:
    assert ends(EQUITY, 7 * DAY_NS, "2019-11-04", "2019-11-25") == ["2019-11-08T21:00Z", "2019-11-29T18:00Z"]


def test_without_sessions_a_bar_ends_after_its_timeframe() -> None:
    for asset_class in (CRYPTO, CURRENCY):
        assert ends(asset_class, HOUR_NS, "2019-11-05T20:30Z") == ["2019-11-05T21:30Z"]
        assert ends(asset_class, DAY_NS, "2019-11-05") == ["2019-11-06T00:00Z"]
        assert calendar.regular_bars(at("2019-11-09T03:00Z"), MINUTE_NS, asset_class).all()


@pytest.mark.parametrize("day", ["1931-03-02", "2055-03-01"])
def test_years_the_calendar_does_not_know_have_no_sessions(day: str) -> None:
    assert ends(EQUITY, DAY_NS, day) == [datetime.fromisoformat(day).replace(day=int(day[-2:]) + 1).strftime("%Y-%m-%dT00:00Z")]
    assert ends(EQUITY, MINUTE_NS, f"{day}T15:00Z") == [f"{day}T15:01Z"]
    assert not calendar.regular_bars(at(f"{day}T15:00Z"), MINUTE_NS, EQUITY).any()
    assert calendar.session_end(parse_instant(f"{day}T15:00Z"), EQUITY) % DAY_NS == 0


def test_no_bars_have_no_ends() -> None:
    nothing = np.empty(0, np.int64)
    assert len(calendar.bar_ends(nothing, MINUTE_NS, EQUITY)) == len(calendar.regular_bars(nothing, MINUTE_NS, EQUITY)) == 0
    assert len(calendar.bar_ends(nothing, DAY_NS, EQUITY)) == 0


@pytest.mark.parametrize(
    ("decision", "end"),
    [
        ("2019-11-05T15:00Z", "2019-11-05T21:00Z"),  # inside a session
        ("2019-11-05T10:00Z", "2019-11-05T21:00Z"),  # before it opens
        ("2019-11-05T20:59:59Z", "2019-11-05T21:00Z"),
        ("2019-11-05T21:00Z", "2019-11-06T21:00Z"),  # exactly at the close: the next one
        ("2019-11-08T22:00Z", "2019-11-11T21:00Z"),  # over the weekend
        ("2019-11-27T21:00Z", "2019-11-29T18:00Z"),  # over Thanksgiving to a half day
        ("2004-08-19T14:00Z", "2004-08-19T20:00Z"),
    ],
)
def test_a_day_order_dies_at_the_end_of_its_session(decision: str, end: str) -> None:
    assert calendar.session_end(parse_instant(decision), EQUITY) == parse_instant(end)
    assert calendar.session_ends(at(decision), EQUITY).tolist() == [parse_instant(end)]


def test_a_day_without_sessions_ends_at_the_next_midnight() -> None:
    for asset_class in (CRYPTO, CURRENCY):
        assert calendar.session_end(parse_instant("2019-11-05T23:59Z"), asset_class) == parse_instant("2019-11-06")
        assert calendar.session_end(parse_instant("2019-11-06"), asset_class) == parse_instant("2019-11-07")
        assert calendar.session_ends(at("2019-11-06"), asset_class).tolist() == [parse_instant("2019-11-07")]


def test_every_minute_of_a_month_agrees_with_the_sessions_themselves() -> None:
    starts = np.arange(parse_instant("2019-11-01"), parse_instant("2019-12-01"), MINUTE_NS, dtype=np.int64)
    table = calendar.sessions()
    index = np.searchsorted(table.opens, starts, side="right") - 1
    inside = starts < table.closes[index]
    assert (calendar.regular_bars(starts, MINUTE_NS, EQUITY) == inside).all()
    expected = np.where(inside, np.minimum(starts + HOUR_NS, table.closes[index]), starts + HOUR_NS)
    assert (calendar.bar_ends(starts, HOUR_NS, EQUITY) == expected).all()
    assert int(inside.sum()) == 19 * 390 + 210


async def test_the_table_can_be_made_ahead_in_a_worker_thread() -> None:
    await calendar.load(EQUITY)
    assert calendar.sessions() is calendar.sessions()


def test_the_trading_day_of_an_instant_is_that_of_the_session_that_goes_on_or_comes_next() -> None:
    days = [
        calendar.trading_day(parse_instant(text), EQUITY) - parse_instant("2019-11-28") // DAY_NS
        # Before the open of Wednesday, at its close, on Thanksgiving, and on Friday after an early close at 18:00Z.
        for text in ("2019-11-27T09:00Z", "2019-11-27T21:00Z", "2019-11-28T15:00Z", "2019-11-29T17:59Z", "2019-11-29T18:00Z")
    ]
    assert days == [-1, 1, 1, 1, 4]
    assert calendar.trading_day(parse_instant("2019-11-29T18:00Z"), CRYPTO) == parse_instant("2019-11-29") // DAY_NS
