import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.instants import MINUTE_NS
from core.model.market import BarSeries, Timeframe
from ui.charts.data import ChartData
from ui.charts.pyramid import Grid


def series_with_gaps(seed: int, bars: int, *, gappy: bool) -> BarSeries:
    random = np.random.default_rng(seed)
    steps = random.choice([1, 1, 1, 2, 7, 300], bars) if gappy else np.ones(bars, np.int64)
    start_ns = np.cumsum(steps).astype(np.int64) * MINUTE_NS
    close = random.uniform(1, 100, bars)
    open_ = random.uniform(1, 100, bars)
    high = np.maximum(open_, close) + random.uniform(0, 5, bars)
    low = np.minimum(open_, close) - random.uniform(0, 0.9, bars)
    return BarSeries.from_columns("X", Timeframe(MINUTE_NS), start_ns, open_, high, low, close, random.uniform(0, 9, bars))


@given(
    seed=st.integers(0, 2**32 - 1),
    bars=st.integers(1, 1500),
    group=st.integers(1, 400),
    place=st.floats(-0.3, 1.1),
    share=st.floats(0.001, 1.5),
    gappy=st.booleans(),
    compress=st.booleans(),
)
def test_merged_columns_say_what_brute_force_says(
    seed: int, bars: int, group: int, place: float, share: float, *, gappy: bool, compress: bool
) -> None:
    series = series_with_gaps(seed, bars, gappy=gappy)
    data = ChartData.build(series, compress_gaps=compress)
    slots = data.timeline.slots
    left = place * data.timeline.total
    right = left + share * data.timeline.total
    columns = data.columns(left, right, group)
    assert columns.group >= group
    # Every bar in view belongs to exactly one column, the one that stands on its slot.
    for number, slot in enumerate(columns.slot.tolist()):
        inside = np.flatnonzero((slots >= slot) & (slots < slot + columns.group))
        assert columns.open[number] == series.open[inside[0]]
        assert columns.high[number] == series.high[inside].max()
        assert columns.low[number] == series.low[inside].min()
        assert columns.close[number] == series.close[inside[-1]]
        assert columns.volume[number] == pytest.approx(series.volume[inside].sum())
    seen = slots[(slots >= left) & (slots < right)] // columns.group * columns.group
    assert set(seen.tolist()) <= set(columns.slot.tolist())


@given(bars=st.integers(100, 3000), group=st.integers(1, 200), shift=st.floats(0, 500))
def test_columns_stay_the_same_while_panning(bars: int, group: int, shift: float) -> None:
    data = ChartData.build(series_with_gaps(3, bars, gappy=False), compress_gaps=True)
    before = data.columns(0, bars, group)
    after = data.columns(shift, bars, group)
    known = dict(zip(before.slot.tolist(), before.high.tolist(), strict=True))
    assert all(known[slot] == high for slot, high in zip(after.slot.tolist(), after.high.tolist(), strict=True))


def test_a_group_is_not_much_larger_than_asked_for() -> None:
    grid = Grid(np.arange(1_000_000, dtype=np.int64))
    for group in (1, 3, 16, 17, 100, 823, 5_000):
        assert group <= grid.columns(0, 1_000_000, group).group <= group * 1.26 + 1


def test_a_hole_in_a_line_does_not_hide_its_neighbours() -> None:
    values = np.arange(300.0)
    values[::2] = np.nan
    grid = Grid(np.arange(300, dtype=np.int64))
    columns = grid.columns(0, 300, 4)
    assert columns.highest(grid.maxima(values)).tolist()[:3] == [3.0, 7.0, 11.0]
    assert columns.lowest(grid.minima(values)).tolist()[:3] == [1.0, 5.0, 9.0]


@pytest.mark.parametrize("bars", [0, 1, 2])
def test_few_bars(bars: int) -> None:
    data = ChartData.build(
        series_with_gaps(1, bars, gappy=False) if bars else BarSeries.empty("X", Timeframe(MINUTE_NS)), compress_gaps=True
    )
    assert len(data.columns(-10, 10, 1)) == bars
    assert len(data.columns(-10, 10, 50)) == min(bars, 1)
