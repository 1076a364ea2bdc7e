"""The Qt loop of the real window while it looks at a backtest that goes on: the gaps between the turns of a 5 ms timer.

`python -m benchmarks.loop BARS` measures in a process of its own, without a screen.
"""

import asyncio
import gc
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
        Row(name="while its result is shown", figures=(f"{found['shown_longest_ms']:.1f} ms", f"{found['shown_p99_ms']:.1f} ms")),
    )
    return Table(
        title="Loop", columns=("longest gap", "p99"), rows=rows, notes=(f"A {TIMER_MS} ms timer; {found['turns']:,} turns during the run.",)
    )


def gaps_ms(moments: list[float]) -> list[float]:
    """The time between neighbouring turns, ascending."""
    return sorted(1000 * (later - earlier) for earlier, later in pairwise(moments)) or [0.0]


async def watch(count: int) -> dict[str, float]:
    """Open the window, turn the timer at rest for a second, during a run that is looked at, and until its result is shown."""
    from PySide6.QtCore import Qt, QTimer

    from app.compose import compose_window
    from app.garbage import collected_in_this_thread
    from benchmarks.engine import CONFIG, desk, stored
    from core.settings import Settings
    from ui.services import MemoryLayout, Services

    def fail(error: BaseException, doing: str) -> None:
        raise RuntimeError(f"a bug while {doing}") from error

    moments: list[float] = []
    timer = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=TIMER_MS)
    timer.timeout.connect(lambda: moments.append(perf_counter()))

    def taken() -> list[float]:
        found = gaps_ms(moments)
        moments.clear()
        return found

    async with desk() as (engine, store):
        await stored(store, random_walk(count))
        settings = Settings({}, {})
        services = Services(
            layout=MemoryLayout(),
            change_setting=lambda _key, _value: settings,
            request_quit=lambda: None,
            report_bug=fail,
            make_demo=lambda _progress: engine.run(""),
            version="benchmark",
        )
        window = compose_window(engine, settings, services)
        window.resize(1600, 1000)
        window.show()
        await window.open()
        run = await engine.create_run(CONFIG)
        window.show_run(run.id)
        await window.settled()
        gc.freeze()  # as the program does once its window is open
        with collected_in_this_thread(window):
            timer.start()
            await asyncio.sleep(1.0)
            rest = taken()
            await engine.start_run(run.id)
            await engine.wait_for_run(run.id)
            busy = taken()
            await window.settled()
            shown = taken()
            timer.stop()
        await window.shut_down()
        window.close_now()
    return {
        "rest_longest_ms": rest[-1],
        "rest_p99_ms": percentile_99(rest),
        "longest_ms": busy[-1],
        "p99_ms": percentile_99(busy),
        "shown_longest_ms": shown[-1],
        "shown_p99_ms": percentile_99(shown),
        "turns": len(busy),
    }


def percentile_99(ascending: list[float]) -> float:
    """The value that 99 of 100 do not exceed."""
    return ascending[int(len(ascending) * 0.99)]


def main(count: int) -> None:
    """Measure inside a Qt loop as the window has it."""
    from PySide6.QtWidgets import QApplication
    from qasync import QEventLoop

    application = QApplication([])
    application.setQuitOnLastWindowClosed(False)  # the loop ends when the measurement does
    with QEventLoop(application) as loop:
        print(json.dumps(loop.run_until_complete(watch(count))))


if __name__ == "__main__":
    main(int(sys.argv[1]))
