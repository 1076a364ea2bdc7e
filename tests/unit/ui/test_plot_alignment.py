"""Where the values of a plot stand among the bars of the chart."""

import numpy as np
import pytest

from core.model.instants import DAY_NS, HOUR_NS
from core.model.market import BarSeries, Instants, Timeframe
from core.model.result import PlotLine
from ui.chart_feed import aligned

HOURS = np.arange(60, dtype=np.int64) * HOUR_NS


def series(start_ns: Instants) -> BarSeries:
    level = np.full(len(start_ns), 10.0)
    return BarSeries.from_columns("BTC/USD", Timeframe(HOUR_NS), start_ns, level, level, level, level, level)


def plot(start_ns: Instants, values: list[float]) -> PlotLine:
    return PlotLine(name="line", symbol="BTC/USD", pane="price", start_ns=start_ns, values=np.array(values))


def test_a_larger_bar_is_a_step_from_its_end_on() -> None:
    days = np.arange(2, dtype=np.int64) * DAY_NS
    values = aligned(plot(days, [1.0, 2.0]), series(HOURS)).values
    assert np.isnan(values[:24]).all()
    assert values[24:48].tolist() == [1.0] * 24
    assert values[48:].tolist() == [2.0] * 12


def test_a_line_of_the_runs_own_bars_keeps_its_gaps() -> None:
    own = HOURS[[3, 4, 7]]
    values = aligned(plot(own, [1.0, 2.0, 3.0]), series(HOURS)).values
    assert values[[3, 4, 7]].tolist() == [1.0, 2.0, 3.0]
    assert np.isnan(values).sum() == 57


@pytest.mark.parametrize("count", [0, 1])
def test_a_plot_of_next_to_nothing_is_drawn_as_it_is(count: int) -> None:
    values = aligned(plot(HOURS[5 : 5 + count], [4.0] * count), series(HOURS)).values
    assert np.isfinite(values).sum() == count
