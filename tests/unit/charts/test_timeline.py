import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, parse_instant
from ui.charts.timeline import Timeline

STARTS = st.lists(st.integers(0, 5000), min_size=1, max_size=60, unique=True).map(lambda minutes: np.array(sorted(minutes)) * MINUTE_NS)


@given(starts=STARTS, compress=st.booleans(), inside=st.floats(0, 0.99))
def test_an_instant_inside_a_bar_goes_to_its_slot_and_back(starts: np.ndarray, inside: float, *, compress: bool) -> None:
    timeline = Timeline(starts.astype(np.int64), MINUTE_NS, compress_gaps=compress)
    for bar, start in enumerate(timeline.start_ns.tolist()):
        moment = start + int(inside * MINUTE_NS)
        slot = timeline.slot_of(moment)
        assert timeline.slots[bar] <= slot < timeline.slots[bar] + 1
        assert abs(timeline.time_at(slot) - moment) < MINUTE_NS / 1000
        assert timeline.bar_at(slot) == bar


@given(starts=STARTS, compress=st.booleans())
def test_slots_ascend_beyond_both_ends(starts: np.ndarray, *, compress: bool) -> None:
    timeline = Timeline(starts.astype(np.int64), MINUTE_NS, compress_gaps=compress)
    first, last = int(starts[0]), int(starts[-1])
    moments = [first - HOUR_NS, first - 1, first, last, last + MINUTE_NS, last + HOUR_NS]
    slots = [timeline.slot_of(moment) for moment in moments]
    assert slots == sorted(slots)
    assert slots[0] == -60.0
    assert slots[-1] - slots[3] == pytest.approx(60.0)


def test_gaps_take_room_only_when_they_are_shown() -> None:
    starts = np.array([0, 1, 2, 100, 101], np.int64) * MINUTE_NS
    assert Timeline(starts, MINUTE_NS, compress_gaps=True).slots.tolist() == [0, 1, 2, 3, 4]
    shown = Timeline(starts, MINUTE_NS, compress_gaps=False)
    assert shown.slots.tolist() == [0, 1, 2, 100, 101]
    assert shown.total == 102
    assert shown.bar_at(40.0) == 2
    assert shown.bar_at(60.0) == 3


def test_day_bars_keep_their_day_over_a_change_of_the_clock() -> None:
    # New York midnight: 05:00 UTC in winter, 04:00 in summer.
    starts = [parse_instant(f"2024-03-{day:02}T05:00:00Z") for day in (8, 9, 10)]
    starts += [parse_instant(f"2024-03-{day:02}T04:00:00Z") for day in (11, 12)]
    assert Timeline(np.array(starts, np.int64), DAY_NS, compress_gaps=False).slots.tolist() == [0, 1, 2, 3, 4]


@given(starts=STARTS, compress=st.booleans())
def test_an_equity_point_belongs_to_the_bar_that_ended(starts: np.ndarray, *, compress: bool) -> None:
    starts = starts.astype(np.int64)
    timeline = Timeline(starts, MINUTE_NS, compress_gaps=compress)
    assert timeline.slots_of_ends(starts + MINUTE_NS).tolist() == timeline.slots.tolist()
    # The equity before the first bar stands at the first slot.
    with_start = np.concatenate((starts[:1], starts + MINUTE_NS))
    assert timeline.slots_of_ends(with_start).tolist() == [0, *timeline.slots.tolist()]
    doubled = np.repeat(starts, 2) + MINUTE_NS
    assert timeline.slots_of_ends(doubled).tolist() == np.repeat(timeline.slots, 2).tolist()


def test_no_bars() -> None:
    timeline = Timeline(np.empty(0, np.int64), MINUTE_NS, compress_gaps=True)
    assert (timeline.total, timeline.slot_of(5), timeline.time_at(3.0), timeline.bar_at(0.0)) == (0, 0.0, 0, None)
