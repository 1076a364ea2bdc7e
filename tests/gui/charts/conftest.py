from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from pytestqt.qtbot import QtBot

from core.model.instants import parse_instant
from core.model.market import BarSeries, Floats, Timeframe
from ui.charts.data import TradeMarks
from ui.charts.widget import ChartWidget
from ui.theme import DARK, Sizes

START_NS = parse_instant("2024-03-04T14:30:00Z")


def make_series(bars: int, *, prices: Floats | None = None, volume: float = 10.0, timeframe: str = "1m", step: int = 1) -> BarSeries:
    """Bars whose every value differs, so that a read-out can be told from its neighbour's."""
    frame = Timeframe.parse(timeframe)
    close = prices if prices is not None else 100 + np.sin(np.arange(bars) / 7) * 5 + np.arange(bars) * 0.01
    open_ = close * 0.999
    start_ns = START_NS + np.arange(bars, dtype=np.int64) * frame.ns * step
    return BarSeries.from_columns("SIM", frame, start_ns, open_, close * 1.002, close * 0.997, close, np.full(bars, volume))


def make_trades(series: BarSeries, every: int) -> TradeMarks:
    entries = np.arange(5, len(series) - every, every)
    exits = entries + every // 2
    return TradeMarks(
        entry_ns=series.start_ns[entries],
        exit_ns=series.start_ns[exits],
        entry_price=series.open[entries],
        exit_price=series.open[exits],
        direction=np.where(np.arange(len(entries)) % 2, -1, 1).astype(np.int64),
        qty=np.full(len(entries), 2.0),
        pnl=series.open[exits] - series.open[entries],
    )


@pytest.fixture
def chart(qtbot: QtBot) -> ChartWidget:
    widget = ChartWidget(None, DARK, Sizes())
    qtbot.addWidget(widget)
    widget.resize(900, 500)
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


@pytest.fixture
def filled(chart: ChartWidget) -> ChartWidget:
    chart.set_bars(make_series(1000), title="SIM · 1m", compress_gaps=True, price_decimals=2)
    return chart


@pytest.fixture
def place_of(chart: ChartWidget) -> Callable[[int, float], QPointF]:
    """Where a bar stands in the widget; the row is a share of the price pane."""

    def place(bar: int, share: float = 0.5) -> QPointF:
        assert chart.scene.data is not None
        slot = float(chart.scene.data.timeline.slots[bar]) + 0.5
        return QPointF(chart.scene.view.x(slot) / chart.ink().ratio, chart.chart_layout().panes[0].bottom * share / chart.ink().ratio)

    return place
