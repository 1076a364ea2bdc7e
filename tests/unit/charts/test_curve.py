from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.instants import MINUTE_NS
from ui.charts import curve as curve_module
from ui.charts.curve import EquityCurve
from ui.charts.timeline import Timeline


def timeline_of(bars: int) -> Timeline:
    return Timeline(np.arange(bars, dtype=np.int64) * MINUTE_NS, MINUTE_NS, compress_gaps=True)


@given(cuts=st.lists(st.integers(1, 700), max_size=6), group=st.integers(1, 90), seed=st.integers(0, 99))
def test_a_grown_curve_is_the_curve_built_at_once(cuts: list[int], group: int, seed: int) -> None:
    values = 1000 + np.cumsum(np.random.default_rng(seed).normal(0, 5, 700))
    timeline = timeline_of(700)
    ends = timeline.start_ns + MINUTE_NS
    whole = EquityCurve(timeline, ends, values, 1000.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curve_module, "_PIECE", 64)
        grown = EquityCurve(timeline, ends[:0], values[:0], 1000.0)
        edges = [0, *sorted(set(cuts)), 700]
        for first, last in pairwise(edges):
            grown.append(ends[first:last], values[first:last])
    assert len(grown) == len(whole) == 700
    for slot in (0, 63, 64, 350, 699):
        assert grown.at(slot) == pytest.approx(whole.at(slot))
    for cut in ("equity", "drawdown"):
        slots, low, high = getattr(grown, cut)(0, 700, group)
        expected_slots, expected_low, expected_high = getattr(whole, cut)(0, 700, group)
        assert set(slots.tolist()) == set(expected_slots.tolist())
        for number, slot in enumerate(expected_slots.tolist()):
            assert np.min(low[slots == slot]) == pytest.approx(expected_low[number])
            assert np.max(high[slots == slot]) == pytest.approx(expected_high[number])


def test_drawdown_counts_from_the_start_equity() -> None:
    timeline = timeline_of(4)
    curve = EquityCurve(timeline, timeline.start_ns + MINUTE_NS, np.array([90.0, 120.0, 60.0, 120.0]), 100.0)
    assert [curve.at(slot) for slot in range(4)] == [
        pytest.approx((90.0, -0.1)),
        pytest.approx((120.0, 0.0)),
        pytest.approx((60.0, -0.5)),
        pytest.approx((120.0, 0.0)),
    ]


def test_an_empty_curve_has_nothing() -> None:
    timeline = timeline_of(4)
    curve = EquityCurve(timeline, np.empty(0, np.int64), np.empty(0), 100.0)
    assert curve.at(2) is None
    assert len(curve.equity(0, 4, 1)[0]) == 0
