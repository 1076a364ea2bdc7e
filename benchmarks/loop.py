"""The Qt loop while a backtest goes on: the gaps between the turns of a 5 ms timer.

`python -m benchmarks.loop BARS` measures in a process of its own, without a screen.
"""

import asyncio
import json
import sys
from itertools import pairwise
from time import perf_counter

from benchmarks.bars import random_walk
from benchmarks.measuring import Row, Table, in_process

TIMER_MS = 5


def measure(quick: bool) -> Table:
    """The longest gap and the 99th percentile, beside the same loop at rest."""
    count = 100_000 if quick else 1_000_000
    found = in_process("benchmarks.loop", str(count), environment={"QT_QPA_PLATFORM": "offscreen"})
    longest, p99 = found["longest_ms"], found["p99_ms"]
    rows = (
        Row(name="at rest", figures=(f"{found['rest_longest_ms']:.1f} ms", f"{found['rest_p99_ms']:.1f} ms")),
        Row(name=f"while {count:,} bars run", figures=(f"{longest:.1f} ms", f"{p99:.1f} ms"), goal="< 50 ms", met=longest < 50),
    )
    return Table(
        title="Loop", columns=("longest gap", "p99"), rows=rows, notes=(f"A {TIMER_MS} ms timer; {found['turns']:,} turns during the run.",)
    )


def gaps_ms(moments: list[float]) -> list[float]:
    """The time between neighbouring turns, ascending."""
    return sorted(1000 * (later - earlier) for earlier, later in pairwise(moments)) or [0.0]


async def watch(count: int) -> dict[str, float]:
    """Turn the timer at rest for a second, then during a run."""
    from PySide6.QtCore import Qt, QTimer

    from benchmarks.engine import desk, run_once, stored

    moments: list[float] = []
    timer = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=TIMER_MS)
    timer.timeout.connect(lambda: moments.append(perf_counter()))
    async with desk() as (engine, store):
        await stored(store, random_walk(count))
        timer.start()
        await asyncio.sleep(1.0)
        rest = gaps_ms(moments)
        moments.clear()
        await run_once(engine)
        busy = gaps_ms(moments)
        timer.stop()
    return {
        "rest_longest_ms": rest[-1],
        "rest_p99_ms": rest[int(len(rest) * 0.99)],
        "longest_ms": busy[-1],
        "p99_ms": busy[int(len(busy) * 0.99)],
        "turns": len(busy),
    }


def main(count: int) -> None:
    """Measure inside a Qt loop as the window has it."""
    from PySide6.QtWidgets import QApplication
    from qasync import QEventLoop

    application = QApplication([])
    with QEventLoop(application) as loop:
        print(json.dumps(loop.run_until_complete(watch(count))))


if __name__ == "__main__":
    main(int(sys.argv[1]))
