"""Orders at the fake broker over HTTP: from the intent to the bytes on the wire; and a reconnect after which much is missing.

`python -m benchmarks.orders COUNT` measures in a process of its own; the broker is in another one.
"""

import asyncio
import gc
import json
import logging
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, TypedDict

import httpx

from benchmarks.broker import RemoteBroker, remote_broker
from benchmarks.events import TEXT
from benchmarks.measuring import Row, Table, in_process

MEDIAN_MS, P99_MS = 5.0, 20.0
RECONNECT_S = 3.0
BETWEEN_S = 0.005
"""An order is decided so long after the one before was acknowledged."""
MISSED_ORDERS, MISSED_PIECES = 100, 10


class Found(TypedDict):
    """All figures; times in ms unless they say seconds."""

    ours: list[float]
    raw: list[float]
    open_orders: int
    reconnect_s: float
    missed: int
    gap_ms: float


def measure(quick: bool) -> Table:
    """Ours beside a commit of sqlite3 and a request of httpx, one after the other, at the same server."""
    found: Found = in_process("benchmarks.orders", str(100 if quick else 1_000))
    ours, raw = _at(found["ours"]), _at(found["raw"])
    rows = (
        Row(
            name="**Weaver**: intent to bytes on the wire, row committed",
            figures=_words(ours),
            goal=f"≤ {MEDIAN_MS:.0f} ms, p99 ≤ {P99_MS:.0f} ms",
            met=ours[0] <= MEDIAN_MS and ours[1] <= P99_MS,
        ),
        Row(name="sqlite3, WAL, `synchronous=FULL`: a commit; then an order by httpx, answered", figures=_words(raw)),
        Row(
            name=f"a reconnect with {found['missed']:,} missed executions: drop to all booked",
            figures=(f"{found['reconnect_s']:.2f} s", "–", f"{found['gap_ms']:.0f} ms"),
            goal=f"< {RECONNECT_S:.0f} s",
            met=found["reconnect_s"] < RECONNECT_S,
        ),
    )
    notes = (
        f"Each order is decided {BETWEEN_S * 1_000:.0f} ms after the last was acknowledged; up to {found['open_orders']:,} work at once. "
        "The broker is a process of its own, over HTTP and websockets on loopback. "
        "Of the reconnect the last column is the longest gap of the loop.",
    )
    return Table(title="Orders", columns=("median", "p99", "longest"), rows=rows, notes=notes)


def _at(times_ms: list[float]) -> tuple[float, float, float]:
    ordered = sorted(times_ms)
    return median(ordered), ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], ordered[-1]


def _words(times: tuple[float, float, float]) -> tuple[str, ...]:
    return tuple(f"{time:.2f} ms" for time in times)


class _WireHandler(logging.Handler):
    """Hears of each step of a request from the library that makes it."""

    def __init__(self, moments: list[float]) -> None:
        super().__init__(logging.DEBUG)
        self._moments = moments
        self._sending: set[int | None] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Note when the body of an order is at the socket; its thread sends nothing else meanwhile."""
        step = record.getMessage()
        if step.startswith("send_request_body.started") and "POST" in step:
            self._sending.add(record.thread)
        elif step.startswith("send_request_body.complete") and record.thread in self._sending:
            self._sending.discard(record.thread)
            self._moments.append(perf_counter())


@contextmanager
def bytes_seen() -> Iterator[list[float]]:
    """Note when the last byte of each order went to the socket."""
    moments: list[float] = []
    log, handler = logging.getLogger("httpcore.http11"), _WireHandler(moments)
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield moments
    finally:
        log.setLevel(logging.NOTSET)
        log.removeHandler(handler)


async def intents(folder: Path, broker: RemoteBroker, count: int) -> list[float]:
    """Milliseconds from the intent to the bytes on the wire, order by order."""
    from tests.broker.desk import At, wired

    found = []
    with bytes_seen() as moments:
        async with wired(folder, At(broker.url)) as scene:
            await scene.run()
            for _ in range(20):  # connections and statements are made
                await scene.until_status(await scene.place(qty=1, limit="100"), _accepted())
            for _ in range(count):
                await asyncio.sleep(BETWEEN_S)
                moments.clear()
                began = perf_counter()
                order_id = await scene.place(qty=1, limit="100")
                await scene.until_status(order_id, _accepted())
                await scene.until_landed()
                found.append(1_000 * (moments[0] - began))
    return found


def _accepted() -> Any:
    from core.model.order import OrderStatus

    return OrderStatus.ACCEPTED


def raw(folder: Path, broker: RemoteBroker, count: int) -> list[float]:
    """Milliseconds of a commit and a request by the libraries alone, to the same server."""
    from tests.broker.server import KEY, SECRET

    connection = sqlite3.connect(folder / "raw.db", isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("create table log (seq integer primary key, payload text)")
    found = []
    with httpx.Client(base_url=broker.url, headers={"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}, trust_env=False) as client:
        for number in range(count):
            body = {"client_order_id": f"raw-{number}", "symbol": "SPY", "side": "buy", "type": "limit", "qty": "1", "limit_price": "100"}
            began = perf_counter()
            connection.execute("begin")
            connection.executemany("insert into log (payload) values (?)", [(TEXT,)] * 4)
            connection.execute("commit")
            client.post("/v2/orders", json={**body, "time_in_force": "gtc"}).raise_for_status()
            found.append(1_000 * (perf_counter() - began))
    connection.close()
    return found


async def reconnect(folder: Path, broker: RemoteBroker) -> tuple[float, int, float]:
    """Seconds from the loss of the stream until everything missed is booked, how much that was, and the loop's longest gap in ms."""
    from tests.broker.desk import At, wired

    async with wired(folder, At(broker.url)) as scene:
        await scene.run()
        for _ in range(MISSED_ORDERS):
            await scene.working(qty=MISSED_PIECES, limit="100")
        broker.tell(do="mute", silent=True)
        missed = int(broker.tell(do="fill", pieces=MISSED_PIECES, qty="1", price="100"))
        moments: list[float] = []

        async def tick() -> None:
            while True:
                moments.append(perf_counter())
                await asyncio.sleep(0.001)

        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(tick())
            began = perf_counter()
            broker.tell(do="drop")
            await scene.until(lambda: not scene.desk.state.working())
            seconds = perf_counter() - began
            ticking.cancel()
        broker.tell(do="mute", silent=False)
        booked = sum(len(life.fills) for life in scene.desk.state.lives.values())
        if booked != missed:
            raise RuntimeError(f"{booked} executions are booked of {missed}")
    return seconds, missed, 1_000 * max(later - earlier for earlier, later in pairwise(moments))


def main(count: int) -> None:
    """Measure, and print the figures as JSON."""
    from app import collector
    from app.turns import SWITCH_S

    collector.settle()  # as the program does
    sys.setswitchinterval(SWITCH_S)  # as the program does where orders leave
    with TemporaryDirectory(prefix="weaver-benchmark-") as folder:
        paths = {name: Path(folder) / name for name in ("ours", "raw", "reconnect")}
        for path in paths.values():
            path.mkdir()
        with remote_broker() as broker:
            ours = asyncio.run(intents(paths["ours"], broker, count))
        with remote_broker() as broker:
            theirs = raw(paths["raw"], broker, count)
        gc.collect()
        with remote_broker() as broker:
            seconds, missed, gap_ms = asyncio.run(reconnect(paths["reconnect"], broker))
    print(json.dumps(Found(ours=ours, raw=theirs, open_orders=count + 20, reconnect_s=seconds, missed=missed, gap_ms=gap_ms)))


if __name__ == "__main__":
    main(int(sys.argv[1]))
