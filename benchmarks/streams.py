"""Streams of the fake broker under the window's Qt loop: order updates that are folded and shown, and quotes of many symbols.

`python -m benchmarks.streams SECONDS` measures in a process of its own, without a screen; the broker is in another one.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from time import process_time
from typing import TYPE_CHECKING, Any, TypedDict

from benchmarks.broker import RemoteBroker, remote_broker
from benchmarks.loop import LONGEST_MS, Gaps, Watch, opened
from benchmarks.measuring import Row, Table, in_process

if TYPE_CHECKING:
    from core.engine import Engine
    from core.ports import Store
    from tests.broker.desk import WireScene
    from ui.window import MainWindow

UPDATES_PER_SECOND = 200
ORDERS = 50
SYMBOLS, QUOTES_PER_SECOND = 500, 20
BURST, BURST_FRAMES = 50_000, 10


class Streamed(TypedDict):
    """What the loop's timer saw, how many items came, and the share of a processor that this process took."""

    gaps: Gaps
    came: int
    wanted: int
    busy: float


def measure(quick: bool) -> Table:
    """The longest gap and the 99th percentile of the loop while the streams bring what the goals ask for."""
    found: list[Streamed] = in_process("benchmarks.streams", "3" if quick else "15", environment={"QT_QPA_PLATFORM": "offscreen"})
    rows = tuple(
        Row(
            name=one["gaps"]["name"],
            figures=(
                f"{one['gaps']['longest_ms']:.1f} ms",
                f"{one['gaps']['p99_ms']:.1f} ms",
                f"{one['came']:,} of {one['wanted']:,}",
                f"{one['busy']:.0%}",
            ),
            goal=f"< {LONGEST_MS} ms, all of them",
            met=one["gaps"]["longest_ms"] < LONGEST_MS and one["came"] == one["wanted"],
        )
        for one in found
    )
    note = "The window at 1600 × 1000, offscreen, looks at the run. Busy: processor time of the program's process over the time it took."
    return Table(title="Streams", columns=("longest gap", "p99", "came", "busy"), rows=rows, notes=(note,))


@asynccontextmanager
async def scene(store: "Store", broker: RemoteBroker) -> AsyncIterator["WireScene"]:
    """A desk at the broker, on the window's own store."""
    from tests.broker.desk import At, wired_to

    async with wired_to(store, At(broker.url)) as made:
        await made.run()
        yield made


async def updates(window: "MainWindow", engine: "Engine", store: "Store", watched: Watch, seconds: float) -> Streamed:
    """Fill working orders piece by piece while the window shows their run."""
    with remote_broker() as broker:
        async with scene(store, broker) as made:
            window.show_run("run")
            for _ in range(ORDERS):
                await made.working(qty=1_000, limit="1")
            await window.settled()
            wanted = int(UPDATES_PER_SECOND * seconds)
            lives = made.desk.state.lives

            async def folded() -> None:
                broker.tell(do="begin_fills", per_second=UPDATES_PER_SECOND, seconds=seconds, qty="1", price="1")
                async with asyncio.timeout(seconds + 30):
                    await made.desk.state.until(lambda: sum(life.order.filled_qty for life in lives.values()) >= wanted)

            busy = process_time()
            await watched.during(f"{UPDATES_PER_SECOND} order updates a second, folded, committed and shown", folded)
            busy = process_time() - busy
            rows = await engine.fills("run")
    return _streamed(watched, len(rows), wanted, busy)


async def quotes(store: "Store", watched: Watch, seconds: float) -> list[Streamed]:
    """Take quotes of many symbols as a run's desk does, the newest price of each: evenly, then in a burst."""
    from core.model.broker import Quote, StreamState, StreamStatus, Tick
    from core.model.broker import Watch as Symbols

    came = wanted = 0
    listening, over = asyncio.Event(), asyncio.Event()
    found = []
    with remote_broker() as broker:
        async with scene(store, broker) as made, asyncio.TaskGroup() as group:
            state = made.desk.state

            def on_tick(tick: Tick) -> None:
                nonlocal came
                if isinstance(tick, Quote):
                    came += 1
                    state.note_price(tick.symbol, (tick.bid + tick.ask) / Decimal(2), tick.time_ns)
                    if came >= wanted:
                        over.set()

            def on_status(status: StreamStatus) -> None:
                if status.state is StreamState.LISTENING:
                    listening.set()

            symbols = Symbols(quotes=tuple(f"S{number:03}" for number in range(SYMBOLS)))
            task = group.create_task(made.link.streams.market(symbols, on_tick, on_status))
            await listening.wait()
            evenly: dict[str, Any] = {"do": "begin_quotes", "per_second": QUOTES_PER_SECOND, "seconds": seconds}
            at_once: dict[str, Any] = {"do": "burst", "quotes": BURST, "frames": BURST_FRAMES}
            for name, command, count in (
                (f"quotes of {SYMBOLS} symbols, {QUOTES_PER_SECOND} a second each", evenly, int(SYMBOLS * QUOTES_PER_SECOND * seconds)),
                (f"{BURST:,} quotes at once, in {BURST_FRAMES} frames", at_once, BURST),
            ):
                came, wanted = 0, count
                over.clear()

                async def all_came(command: dict[str, Any] = command) -> None:
                    broker.tell(symbols=SYMBOLS, **command)
                    async with asyncio.timeout(seconds + 30):
                        await over.wait()

                busy = process_time()
                await watched.during(name, all_came)
                found.append(_streamed(watched, came, wanted, process_time() - busy))
            task.cancel()
    return found


def _streamed(watched: Watch, came: int, wanted: int, busy_s: float) -> Streamed:
    gaps = watched.found[-1]
    return Streamed(gaps=gaps, came=came, wanted=wanted, busy=busy_s / gaps["seconds"])


async def watch(seconds: float) -> list[Streamed]:
    """Rest, then both."""
    async with opened() as (window, engine, store):
        watched = Watch(window)
        await watched.during("at rest", lambda: asyncio.sleep(1.0))
        found = [Streamed(gaps=watched.found[-1], came=0, wanted=0, busy=0.0)]
        found.append(await updates(window, engine, store, watched, seconds))
        return found + await quotes(store, watched, seconds)


def main(seconds: float) -> None:
    """Measure inside a Qt loop as the window has it."""
    from PySide6.QtWidgets import QApplication
    from qasync import QEventLoop

    application = QApplication([])
    application.setStyle("Fusion")
    application.setQuitOnLastWindowClosed(False)  # the loop ends when the measurement does
    loop: Any
    with QEventLoop(application) as loop:
        print(json.dumps(loop.run_until_complete(watch(seconds))))


if __name__ == "__main__":
    main(float(sys.argv[1]))
