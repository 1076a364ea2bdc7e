import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.charts.viewport import MIN_SPAN, PriceScale, TimeView, padded

VIEWS = st.builds(TimeView, st.floats(-1e6, 1e6), st.floats(MIN_SPAN, 1e6), st.integers(50, 4000))


@given(view=VIEWS, x=st.floats(0, 4000))
def test_a_pixel_goes_to_a_slot_and_back(view: TimeView, x: float) -> None:
    assert view.x(view.slot(x)) == pytest.approx(x, abs=1e-3)


@given(view=VIEWS, share=st.floats(0, 1), factor=st.floats(0.2, 5))
def test_zoom_keeps_the_place_under_the_pointer(view: TimeView, share: float, factor: float) -> None:
    anchor = view.left + share * view.span
    zoomed = view.zoomed(anchor, factor, 2_000_000)
    assert zoomed.x(anchor) == pytest.approx(view.x(anchor), abs=1.5)
    assert zoomed.span >= MIN_SPAN


@given(view=VIEWS, pixels=st.integers(-500, 500))
def test_pan_moves_every_bar_by_the_same_whole_pixels(view: TimeView, pixels: int) -> None:
    slots = np.arange(round(view.left), round(view.left) + 50)
    moved = view.panned(pixels).edges(slots) - view.edges(slots)
    assert len(set(moved.tolist())) == 1
    assert abs(int(moved[0]) - pixels) <= 1


@given(view=VIEWS, total=st.integers(0, 100_000))
def test_clamped_view_keeps_bars_in_sight(view: TimeView, total: int) -> None:
    clamped = view.clamped(total)
    assert clamped.span == view.span
    if view.span <= total:
        assert clamped.left < total
        assert clamped.right > 0


def test_resize_keeps_bar_width_and_right_edge() -> None:
    view = TimeView(10.0, 100.0, 500).resized(1000)
    assert (view.span, view.right, view.pixels_per_slot) == (200.0, 110.0, 5.0)


@given(low=st.floats(1e-8, 1e6), reach=st.floats(1.001, 1e3), log=st.booleans(), share=st.floats(0, 1))
def test_a_value_goes_to_a_row_and_back(low: float, reach: float, share: float, *, log: bool) -> None:
    scale = PriceScale(low, low * reach, 20.0, 400.0, log)
    value = low + share * (low * reach - low)
    assert scale.value(scale.y(value)) == pytest.approx(value, rel=1e-6)
    assert 20 - 1e-6 <= scale.y(value) <= 400 + 1e-6
    assert scale.ys(np.array([value]))[0] == pytest.approx(scale.y(value))


def test_nan_stays_nan() -> None:
    assert math.isnan(PriceScale(0, 1, 0, 100).ys(np.array([np.nan]))[0])


@given(value=st.floats(-1e9, 1e9))
def test_a_single_value_gets_room(value: float) -> None:
    low, high = padded(value, value)
    assert low < value < high
