"""The Qt loop of the window while it looks at backtests, at what they left and at an account: the gaps of a 5 ms timer.

`python -m benchmarks.loop BARS` measures in a process of its own, without a screen.
"""

import asyncio
import gc
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import pairwise
from time import perf_counter, thread_time
from typing import TYPE_CHECKING, TypedDict

from benchmarks.bars import random_walk, renamed
from benchmarks.measuring import Row, Table, in_process

if TYPE_CHECKING:
    from core.engine import Engine
    from core.ports import Store
    from ui.window import MainWindow

TIMER_MS = 5
LONGEST_MS = 50
P99_MS = 20
KINDS = {
    "on_bar": "two averages over {count:,} bars",
    "window": "a window at each of {count:,} bars",
    "ten": "ten symbols, {count:,} bars in all",
    "bracket": "a bracket at each of {count:,} bars",
}
"""The backtests of `benchmarks.strategies` that are looked at."""
HELD = ("DEMO", "DEMO-B")
WORKING = 20
"""What an account has that is connected: positions, and orders that work."""
AFTER_S = 1.0
"""How long the loop is watched once everything is shown: what was put off is part of the price."""


class Gaps(TypedDict):
    """What the timer saw while something went on. `busiest_ms`: the most processor time that the loop's thread took in one turn."""

    name: str
    turns: int
    longest_ms: float
    p99_ms: float
    busiest_ms: float
    seconds: float


def measure(quick: bool) -> Table:
    """The longest gap and the 99th percentile of each, beside the same loop at rest."""
    count = 100_000 if quick else 1_000_000
    found: list[Gaps] = in_process("benchmarks.loop", str(count), environment={"QT_QPA_PLATFORM": "offscreen"})
    rows = tuple(
        Row(
            name=gaps["name"],
            figures=(
                *(f"{gaps[figure]:.1f} ms" for figure in ("longest_ms", "p99_ms", "busiest_ms")),
                f"{gaps['turns']:,}",
                f"{gaps['seconds']:.1f} s",
            ),
            goal=f"< {LONGEST_MS} ms, p99 < {P99_MS} ms",
            met=gaps["longest_ms"] < LONGEST_MS and gaps["p99_ms"] < P99_MS,
        )
        for gaps in found
    )
    notes = (
        f"A {TIMER_MS} ms timer in the window at 1600 × 1000, offscreen. Each line counts {AFTER_S:.0f} s after its end too.",
        "Busiest turn: the most processor time that the loop's own thread took in one; what it waited for beside that is other work's.",
    )
    return Table(title="Loop", columns=("longest gap", "p99", "busiest turn", "turns", "took"), rows=rows, notes=notes)


class Watch:
    """A timer in the loop, and what it saw so far."""

    def __init__(self, window: "MainWindow") -> None:
        from PySide6.QtCore import Qt, QTimer

        self._window = window
        self._moments: list[float] = []
        self._worked: list[float] = []
        self._timer = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=TIMER_MS)
        self._timer.timeout.connect(self._on_turn)
        self.found: list[Gaps] = []

    def _on_turn(self) -> None:
        self._moments.append(perf_counter())
        self._worked.append(thread_time())

    async def during(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Watch the loop while the work goes on, until what it led to is shown, and a moment longer."""
        self._moments.clear()
        self._worked.clear()
        self._timer.start()
        began = perf_counter()
        await work()
        await self._window.settled()
        seconds = perf_counter() - began
        await asyncio.sleep(AFTER_S)
        self._timer.stop()
        gaps = sorted(1000 * (later - earlier) for earlier, later in pairwise(self._moments)) or [0.0]
        p99 = gaps[int(len(gaps) * 0.99)]
        busiest_ms = max((1000 * (later - earlier) for earlier, later in pairwise(self._worked)), default=0.0)
        self.found.append(Gaps(name=name, turns=len(gaps), longest_ms=gaps[-1], p99_ms=p99, busiest_ms=busiest_ms, seconds=seconds))


@asynccontextmanager
async def opened() -> AsyncIterator[tuple["MainWindow", "Engine", "Store"]]:
    """The window as the program opens it, on a desk without bars."""
    from app.compose import compose_window
    from app.garbage import collected_in_this_thread
    from app.turns import served_soon
    from app.window_report import export_report
    from benchmarks.engine import desk
    from benchmarks.strategies import PLUGINS
    from core.model.download import Downloaded
    from core.settings import Settings
    from ui.services import MemoryLayout, Services

    def fail(error: BaseException, doing: str) -> None:
        raise RuntimeError(f"a bug while {doing}") from error

    async def no_bars(*_arguments: object) -> list[Downloaded]:
        return []

    settings = Settings({}, {})
    async with desk(plugins=PLUGINS) as (engine, store):
        services = Services(
            layout=MemoryLayout(),
            change_setting=lambda _key, _value: settings,
            request_quit=lambda: None,
            report_bug=fail,
            make_demo=lambda _progress: engine.run(""),
            export_report=lambda run_id, path: export_report(engine, run_id, path),
            fetch_bars=no_bars,
            version="benchmark",
        )
        window = compose_window(engine, settings, services)
        window.resize(1600, 1000)
        window.show()
        await window.open()
        gc.freeze()  # as the program does once its window is open
        with collected_in_this_thread(window), served_soon():
            yield window, engine, store
        await window.shut_down()
        window.close_now()


async def watch(count: int) -> list[Gaps]:
    """Rest, then look at a run of each kind while it goes on, then open what they left, then what a person opens besides."""
    from benchmarks.strategies import config

    async with opened() as (window, engine, store):
        for symbol in {symbol for kind in KINDS for symbol in config(kind).symbols}:
            bars = count // len(config("ten").symbols) if symbol in config("ten").symbols else count
            await _store(store, symbol, bars)
        watched = Watch(window)
        await watched.during("at rest", lambda: asyncio.sleep(1.0))
        runs = {}
        for kind, title in KINDS.items():
            run = await engine.create_run(config(kind))
            runs[kind] = run.id
            window.show_run(run.id)
            await window.settled()

            async def going(run_id: str = run.id) -> None:
                await engine.start_run(run_id)
                await engine.wait_for_run(run_id)

            await watched.during(f"running: {title.format(count=count)}", going)
        for kind in ("on_bar", "bracket", "ten"):
            fills = len(await engine.fills(runs[kind]))

            async def shown(run_id: str = runs[kind]) -> None:
                window.show_run(run_id)

            await watched.during(f"opening that run's result: {KINDS[kind].format(count=count)}, {fills:,} fills", shown)

        async def dialog() -> None:
            window.acts["new-run"].trigger()

        await watched.during("opening the dialog of a new run", dialog)
        await connecting(window, engine, watched)
        return watched.found


async def connecting(window: "MainWindow", engine: "Engine", watched: Watch) -> None:
    """Connect an account for the first time, then with orders that work and positions; and let it go."""
    from core.model.broker import AccountName
    from core.model.hand import HandOrder
    from core.model.order import OrderSide, OrderType

    trading, sim = window.trading, ("sim", AccountName.PAPER)

    async def connected() -> None:
        window.acts["connect-account"].trigger()
        await _until(lambda: trading.feed.view is not None and not trading.feed.is_busy and not trading.is_showing)

    async def let_go() -> None:
        window.acts["disconnect-account"].trigger()
        await _until(lambda: trading.feed.view is None and not trading.feed.is_busy and not trading.is_showing)

    await watched.during("connecting an account for the first time", connected)
    for symbol, trade in (await engine.last_trades(*sim, list(HELD))).items():
        await engine.place_order(*sim, HandOrder(symbol=symbol, side=OrderSide.BUY, qty=Decimal(10)))
        price = (trade.price / 2).quantize(Decimal("0.01"))
        for _ in range(WORKING // len(HELD)):
            order = HandOrder(symbol=symbol, side=OrderSide.BUY, type=OrderType.LIMIT, qty=Decimal(1), limit_price=price)
            await engine.place_order(*sim, order)
    await _until(lambda: trading.feed.view is not None and len(trading.feed.view.working) == WORKING)
    await let_go()
    what = f"with {WORKING} working orders and {len(HELD)} positions"
    await watched.during(f"connecting it {what}", connected)
    await watched.during("letting it go", let_go)
    window.docks.show(window.docks["account"])
    await watched.during(f"connecting it {what}, its panel in sight", connected)


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - a condition of widgets has no event
            await asyncio.sleep(0.005)


async def _store(store: "Store", symbol: str, bars: int) -> None:
    from benchmarks.engine import stored

    await stored(store, renamed(random_walk(bars), symbol))


def main(count: int) -> None:
    """Measure inside a Qt loop as the window has it."""
    from PySide6.QtWidgets import QApplication
    from qasync import QEventLoop

    application = QApplication([])
    application.setStyle("Fusion")
    application.setQuitOnLastWindowClosed(False)  # the loop ends when the measurement does
    with QEventLoop(application) as loop:
        print(json.dumps(loop.run_until_complete(watch(count))))


if __name__ == "__main__":
    main(int(sys.argv[1]))
