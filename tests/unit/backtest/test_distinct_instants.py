"""Instants made distinct."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.backtest.timeline import distinct


@given(st.lists(st.integers(0, 6), max_size=40))
def test_each_instant_comes_once_in_order(minutes: list[int]) -> None:
    instants = np.sort(np.array(minutes, np.int64) * 60_000_000_000)
    assert distinct(instants).tolist() == sorted(set(instants.tolist()))
    assert distinct(instants).dtype == np.int64
