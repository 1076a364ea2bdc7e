from datetime import UTC, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, parse_instant
from ui.charts.figures import MISSING, amount, compact, figure, percent, signed
from ui.charts.ticks import decimals_of, log_ticks, round_step, value_ticks
from ui.charts.time_ticks import TimeTick, instant_text, time_ticks
from ui.charts.timeline import Timeline

NEW_YORK = ZoneInfo("America/New_York")


@given(place=st.floats(-1e5, 1e5), span=st.floats(1e-9, 1e6), most=st.integers(1, 20))
def test_value_ticks_are_round_inside_and_not_too_many(place: float, span: float, most: int) -> None:
    low = place * span
    ticks, step = value_ticks(low, low + span, most)
    room = step * 1e-6
    assert all(low - room <= tick <= low + span + room for tick in ticks)
    assert len(ticks) <= most + 1
    mantissa = step / 10 ** np.floor(np.log10(step) + 1e-9)
    assert min(abs(mantissa - known) for known in (1, 2, 2.5, 5)) < 1e-6
    assert all(abs(tick / step - round(tick / step)) < 1e-6 for tick in ticks)


@given(low=st.floats(1e-8, 1e5), reach=st.floats(1.01, 1e6), most=st.integers(2, 12))
def test_log_ticks_are_inside_and_ascend(low: float, reach: float, most: int) -> None:
    ticks = log_ticks(low, low * reach, most)
    assert ticks == sorted(ticks)
    assert all(low * (1 - 1e-6) <= tick <= low * reach * (1 + 1e-6) for tick in ticks)
    assert len(ticks) <= most + 1


@pytest.mark.parametrize(("smallest", "step"), [(0.9, 1), (1.1, 2), (2.1, 2.5), (2.6, 5), (7, 10), (0.00021, 0.00025)])
def test_round_step(smallest: float, step: float) -> None:
    assert round_step(smallest) == pytest.approx(step)


@pytest.mark.parametrize(("step", "decimals"), [(5, 0), (0.5, 1), (0.25, 2), (1e-8, 8), (2.5e-7, 8), (20, 0)])
def test_decimals_of(step: float, decimals: int) -> None:
    assert decimals_of(step) == decimals


def texts(ticks: list[TimeTick]) -> list[str]:
    return [tick.text for tick in ticks]


def session_minutes(days: list[str]) -> Timeline:
    """09:30 to 16:00 in New York on each day."""
    opens = [parse_instant(f"{day}T14:30:00Z") for day in days]
    starts = np.concatenate([np.arange(390, dtype=np.int64) * MINUTE_NS + opened for opened in opens])
    return Timeline(starts, MINUTE_NS, compress_gaps=True)


def test_a_new_day_is_labelled_with_its_date_where_trading_begins() -> None:
    timeline = session_minutes(["2019-11-07", "2019-11-08"])
    ticks = time_ticks(timeline, 0, 780, 1200, spacing=60, zone=NEW_YORK)
    by_text = {tick.text: tick for tick in ticks}
    assert by_text["8 Nov"].slot == 390.5
    assert by_text["8 Nov"].weight == 1
    assert by_text["12:00"].slot in {150.5, 540.5}
    assert "00:00" not in by_text


def test_times_are_those_of_the_zone() -> None:
    timeline = session_minutes(["2019-11-07"])
    assert "12:00" in texts(time_ticks(timeline, 0, 390, 1200, spacing=60, zone=NEW_YORK))
    utc = {tick.text: tick.slot for tick in time_ticks(timeline, 0, 390, 1200, spacing=60, zone=UTC)}
    assert utc["17:00"] == 150.5


def test_day_bars_have_dates_only() -> None:
    starts = np.arange(30, dtype=np.int64) * DAY_NS + parse_instant("2016-12-20")
    for compress in (True, False):
        ticks = time_ticks(Timeline(starts, DAY_NS, compress_gaps=compress), 0, 30, 1500, spacing=50, zone=NEW_YORK)
        assert not [text for text in texts(ticks) if ":" in text]
        assert {tick.slot for tick in ticks if tick.text == "1 Jan 2017"} == {12.5}


@given(
    span=st.floats(20, 5e5), left=st.floats(0, 4e5), compress=st.booleans(), zone=st.sampled_from([UTC, NEW_YORK, ZoneInfo("Asia/Kolkata")])
)
def test_labels_never_meet(span: float, left: float, zone: tzinfo, *, compress: bool) -> None:
    random = np.random.default_rng(5)
    starts = np.cumsum(random.choice([1, 1, 2, 60, 700], 20_000)).astype(np.int64) * MINUTE_NS + parse_instant("2014-01-01")
    timeline = Timeline(starts, MINUTE_NS, compress_gaps=compress)
    ticks = time_ticks(timeline, left, left + span, 1200, spacing=70, zone=zone)
    slots = [tick.slot for tick in ticks]
    assert slots == sorted(slots)
    assert all(left <= slot <= left + span for slot in slots)
    assert all((b - a) * 1200 / span >= 70 - 1e-6 for a, b in pairwise(slots))
    assert len(ticks) <= 1200 / 70 + 1


def test_of_several_hours_that_passed_in_a_closed_gap_the_last_is_named() -> None:
    minutes = np.concatenate((np.arange(60), np.arange(300, 360)))
    timeline = Timeline(minutes.astype(np.int64) * MINUTE_NS + parse_instant("2024-05-01"), MINUTE_NS, compress_gaps=True)
    ticks = time_ticks(timeline, 0, 120, 600, spacing=40, zone=UTC)
    assert [tick.text for tick in ticks if tick.slot == 60.5] == ["05:00"]


def test_shown_gaps_keep_labels_evenly_apart() -> None:
    starts = (np.array([0, 1, 2, 900, 901, 1439], np.int64)) * MINUTE_NS + parse_instant("2024-05-01")
    ticks = time_ticks(Timeline(starts, MINUTE_NS, compress_gaps=False), 0, 1440, 1200, spacing=60, zone=UTC)
    apart = np.diff([tick.slot for tick in ticks])
    assert len(ticks) > 5
    assert np.allclose(apart, apart[0])


def test_instants_in_words() -> None:
    moment = parse_instant("2019-11-08T14:30:00Z")
    assert instant_text(moment, NEW_YORK, daily=False) == "Fri 8 Nov 2019  09:30"
    assert instant_text(moment - moment % DAY_NS, NEW_YORK, daily=True) == "Fri 8 Nov 2019"
    assert instant_text(moment + 5 * HOUR_NS, UTC, daily=False, seconds=True) == "Fri 8 Nov 2019  19:30:00"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (figure(1234567.891, 2), "1\u2009234\u2009567.89"),
        (figure(-0.5, 1), "−0.5"),
        (figure(-0.0001, 2), "0.00"),
        (figure(float("nan"), 2), MISSING),
        (figure(1e-8, 8), "0.00000001"),
        (signed(2, 0), "+2"),
        (amount(-0.00667), "−0.0067"),
        (amount(0.5), "+0.50"),
        (amount(1234.5), "+1\u2009234.50"),
        (amount(0.0), "0.00"),
        (percent(-0.0125), "−1.25\u2009%"),
        (compact(845), "845"),
        (compact(1_250_000), "1.25\u2009M"),
        (compact(-12_345), "−12.3\u2009K"),
        (compact(0.7197), "0.7197"),
        (compact(0), "0"),
    ],
)
def test_figures(text: str, expected: str) -> None:
    assert text == expected
