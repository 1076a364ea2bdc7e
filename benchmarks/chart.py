"""Frames of the chart while panning, and the time to build its data. Run: `python -m benchmarks.chart`.

Offscreen, 1280 × 720, one device pixel per pixel. A frame is one step of the view and of the crosshair, and the whole widget painted;
nothing is reused from the frame before. Times are wall clock, median, 99th percentile and worst of all frames of a case; `cpu` is the
median of the processor time of the same frames, which other programs on the machine disturb less.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtGui import QFont, QPixmap
from PySide6.QtWidgets import QApplication

from core.model.instants import MINUTE_NS
from core.model.market import BarSeries, Timeframe
from ui.charts.data import ChartData, Line, TradeMarks
from ui.charts.pyramid import Floats
from ui.charts.viewport import TimeView
from ui.charts.widget import ChartWidget
from ui.theme import DARK, Sizes

WIDTH, HEIGHT = 1280, 720
SIZES = (10_000, 100_000, 1_000_000)
TRADE_EVERY = 50
"""Bars between two entries: 20,000 round trips, 40,000 marks, in a million bars."""


def synthetic(bars: int) -> BarSeries:
    """Return a seeded random walk in one-minute bars."""
    random = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(random.normal(0, 4e-4, bars)))
    open_ = np.concatenate(([100.0], close[:-1]))
    reach = np.abs(random.normal(0, 3e-4, (2, bars)))
    high = np.maximum(open_, close) * (1 + reach[0])
    low = np.minimum(open_, close) * (1 - reach[1])
    start_ns = np.arange(bars, dtype=np.int64) * MINUTE_NS + 1_388_534_400_000_000_000
    return BarSeries.from_columns("SIM", Timeframe(MINUTE_NS), start_ns, open_, high, low, close, random.gamma(1.2, 900, bars))


def average(values: Floats, length: int) -> Floats:
    """Return the simple moving average, nan before it is full."""
    total = np.cumsum(np.concatenate(([0.0], values)))
    return np.concatenate((np.full(length - 1, np.nan), (total[length:] - total[:-length]) / length))


def fill_chart(chart: ChartWidget, series: BarSeries, *, compress_gaps: bool, equity: bool) -> dict[str, float]:
    """Give the chart bars, two lines, trades and, if asked, equity; return the milliseconds each took."""
    entries = np.arange(40, len(series) - TRADE_EVERY, TRADE_EVERY)
    exits = entries + TRADE_EVERY // 2
    pnl = series.open[exits] - series.open[entries]
    trades = TradeMarks(
        entry_ns=series.start_ns[entries],
        exit_ns=series.start_ns[exits],
        entry_price=series.open[entries],
        exit_price=series.open[exits],
        direction=np.ones(len(entries), np.int64),
        qty=np.ones(len(entries)),
        pnl=pnl,
    )
    lines = [Line(name="SMA 10", values=average(series.close, 10)), Line(name="SMA 30", values=average(series.close, 30))]
    took: dict[str, float] = {}
    began = time.perf_counter()
    data = ChartData.build(series, compress_gaps=compress_gaps)
    took["bars"] = (time.perf_counter() - began) * 1e3
    chart.set_data(data, title="SIM · 1m", price_decimals=2)
    began = time.perf_counter()
    chart.set_lines(lines)
    took["lines"] = (time.perf_counter() - began) * 1e3
    began = time.perf_counter()
    chart.set_trades(trades)
    took["trades"] = (time.perf_counter() - began) * 1e3
    if equity:
        began = time.perf_counter()
        chart.set_equity(series.start_ns + MINUTE_NS, 100_000 + series.close * 10, 100_000.0)
        took["equity"] = (time.perf_counter() - began) * 1e3
    return took


def frames(chart: ChartWidget, in_view: int, count: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of each of `count` frames while the view moves through the bars: by the clock, and of the processor."""
    total = len(chart.scene.data) if chart.scene.data is not None else 0
    width = chart.chart_layout().plot_width
    left = max(0.0, (total - in_view) / 2)
    screen = QPixmap(WIDTH, HEIGHT)
    chart.set_view(TimeView(left, float(in_view), width))
    chart.render(screen)
    took: list[float] = []
    cpu: list[float] = []
    for number in range(count):
        # Seven pixels a frame, there and back, as a hand would drag.
        chart_left = left + (number % 100 - 50) * 7 * in_view / width
        began, began_cpu = time.perf_counter(), time.thread_time()
        chart.set_view(TimeView(chart_left, float(in_view), width))
        bar = min(max(int(chart_left + in_view * (0.2 + 0.6 * number / count)), 0), total - 1)
        chart.point_at(bar, 150.0 + number % 200)
        chart.render(screen)
        cpu.append((time.thread_time() - began_cpu) * 1e3)
        took.append((time.perf_counter() - began) * 1e3)
    return took, cpu


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--bars", type=int, nargs="*", default=list(SIZES))
    chosen = parser.parse_args()
    app = QApplication.instance() or QApplication([])
    app.setProperty("benchmark", True)
    QApplication.setFont(QFont("Inter"))
    header = f"{'axis':<12}{'panes':<18}{'bars':>10}{'in view':>10}{'median ms':>11}{'cpu ms':>9}{'p99 ms':>9}{'max ms':>9}{'frames/s':>10}"
    builds: list[str] = []
    print(header)
    for compress_gaps, equity in ((True, False), (True, True), (False, True)):
        axis, panes = "by bar" if compress_gaps else "by time", "with equity" if equity else "price only"
        for bars in chosen.bars:
            chart = ChartWidget(None, DARK, Sizes())
            chart.resize(WIDTH, HEIGHT)
            series = synthetic(bars)
            took = fill_chart(chart, series, compress_gaps=compress_gaps, equity=equity)
            builds.append(f"{axis:<12}{panes:<18}{bars:>10,}  " + "  ".join(f"{what} {ms:.1f}" for what, ms in took.items()))
            for in_view in (500, 5_000, round(bars * 0.95)):
                clock, cpu = frames(chart, min(in_view, bars), chosen.frames)
                times = sorted(clock)
                median = statistics.median(times)
                p99 = times[min(len(times) - 1, round(len(times) * 0.99))]
                figures = f"{bars:>10,}{in_view:>10,}{median:>11.2f}{statistics.median(cpu):>9.2f}"
                figures += f"{p99:>9.2f}{times[-1]:>9.2f}{1000 / median:>10.0f}"
                print(f"{axis:<12}{panes:<18}{figures}", flush=True)
            chart.deleteLater()
    print("\nbuild, ms")
    print("\n".join(builds))


if __name__ == "__main__":
    main()
