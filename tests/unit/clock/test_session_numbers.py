"""Which session a bar belongs to."""

import numpy as np
import pytest

from core.clock.calendar import session_numbers
from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, parse_instant
from core.model.market import AssetClass, Instants

EQUITY, CRYPTO, CURRENCY = AssetClass.EQUITY, AssetClass.CRYPTO, AssetClass.CURRENCY


def numbers(asset_class: AssetClass, timeframe_ns: int, *texts: str) -> list[int]:
    """Return the numbers, counted from the first bar's."""
    found: Instants = session_numbers(np.array([parse_instant(text) for text in texts], np.int64), timeframe_ns, asset_class)
    assert found.dtype == np.int64
    return [int(number) for number in found - found[0]]


def test_a_session_begins_with_its_open_and_lasts_until_the_next_one() -> None:
    # Tuesday to Wednesday: the last minute before the open, the first, the last, one after hours, one before the next open.
    times = ("2024-01-02T14:29Z", "2024-01-02T14:30Z", "2024-01-02T20:59Z", "2024-01-02T22:00Z", "2024-01-03T14:29Z", "2024-01-03T14:30Z")
    assert numbers(EQUITY, MINUTE_NS, *times) == [0, 1, 1, 1, 1, 2]


def test_summer_time_moves_the_open() -> None:
    assert numbers(EQUITY, MINUTE_NS, "2024-07-02T13:29Z", "2024-07-02T13:30Z") == [0, 1]


def test_a_bar_in_which_the_session_opens_is_its_first() -> None:
    assert numbers(EQUITY, HOUR_NS, "2024-01-02T13:00Z", "2024-01-02T14:00Z", "2024-01-02T15:00Z") == [0, 1, 1]


def test_days_without_bars_count_and_days_without_a_session_do_not() -> None:
    # Friday; Monday; Wednesday of a week without a holiday.
    assert numbers(EQUITY, MINUTE_NS, "2024-01-05T15:00Z", "2024-01-08T15:00Z", "2024-01-10T15:00Z") == [0, 1, 3]


@pytest.mark.parametrize("stamp", ["T00:00Z", "T05:00Z"])
def test_each_daily_bar_is_a_session(stamp: str) -> None:
    assert numbers(EQUITY, DAY_NS, *(f"2024-01-0{day}{stamp}" for day in (2, 3, 4, 5, 8))) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("asset_class", [CRYPTO, CURRENCY])
def test_without_sessions_the_day_begins_at_midnight_utc(asset_class: AssetClass) -> None:
    assert numbers(asset_class, MINUTE_NS, "2024-01-06T23:59Z", "2024-01-07T00:00Z", "2024-01-07T14:30Z") == [0, 1, 1]


def test_outside_the_calendar_every_day_is_a_session() -> None:
    assert numbers(EQUITY, DAY_NS, "1962-01-02", "1962-01-03", "1962-01-05") == [0, 1, 3]
    assert numbers(EQUITY, DAY_NS, "2051-01-02", "2051-01-03") == [0, 1]
    found = session_numbers(np.arange(-40, 40) * DAY_NS, DAY_NS, EQUITY)
    assert (np.diff(found) >= 0).all()
    assert (np.diff(found[:40]) == 1).all()


def test_a_bar_has_the_same_number_alone() -> None:
    starts = parse_instant("2024-03-07T00:00Z") + np.arange(0, 9 * DAY_NS, 13 * MINUTE_NS)
    whole = session_numbers(starts, 13 * MINUTE_NS, EQUITY)
    assert [int(session_numbers(starts[at : at + 1], 13 * MINUTE_NS, EQUITY)[0]) for at in range(0, len(starts), 7)] == whole[::7].tolist()
    assert len(session_numbers(starts[:0], MINUTE_NS, EQUITY)) == 0
