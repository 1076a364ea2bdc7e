"""The chart while a hand drags it: frames a second, without a screen; the cases are those of `benchmarks.chart`.

`python -m benchmarks.panning BARS FRAMES` measures one size in a process of its own.
"""

import json
import sys
from statistics import median

from benchmarks.measuring import Row, Table, in_process

SIZES = (10_000, 100_000, 1_000_000)
VIEWS = (500, 5_000)


def measure(quick: bool) -> Table:
    """Each size at three widths of view, with volume, two indicators, trades, crosshair and equity."""
    sizes = SIZES[:2] if quick else SIZES
    found = {size: in_process("benchmarks.panning", str(size), "60" if quick else "300") for size in sizes}
    rows = []
    for size in sizes:
        cases = found[size]["cases"]
        frames_per_s = [1000 / case["median_ms"] for case in cases]
        figures = tuple(f"{1000 / case['median_ms']:.0f} (worst {case['worst_ms']:.1f} ms)" for case in cases)
        row = Row(
            name=f"{size:,} candles",
            figures=(*figures, f"{found[size]['build_ms']:.0f} ms"),
            goal="≥ 30 frames/s",
            met=min(frames_per_s) >= 30,
        )
        rows.append(row)
    columns = (*(f"{view:,} in view" for view in VIEWS), "nearly all in view", "build")
    note = "Median frames a second, 1280 × 720; each frame moves the view and the crosshair and paints the whole widget."
    return Table(title="Chart", columns=columns, rows=tuple(rows), notes=(note,))


def main(bars: int, count: int) -> None:
    """Pan through a chart of `bars` candles."""
    # Its import chooses the offscreen platform before Qt starts.
    from benchmarks.chart import HEIGHT, WIDTH, fill_chart, frames, synthetic

    from PySide6.QtWidgets import QApplication  # isort: skip

    from ui.charts.widget import ChartWidget
    from ui.theme import DARK, Sizes

    application = QApplication([])
    chart = ChartWidget(None, DARK, Sizes())
    chart.resize(WIDTH, HEIGHT)
    build = fill_chart(chart, synthetic(bars), compress_gaps=True, equity=True)
    cases = []
    for in_view in (*VIEWS, round(bars * 0.95)):
        took, _ = frames(chart, min(in_view, bars), count)
        cases.append({"median_ms": median(took), "worst_ms": max(took)})
    print(json.dumps({"cases": cases, "build_ms": sum(build.values())}))
    chart.deleteLater()
    application.processEvents()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
