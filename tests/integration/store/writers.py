"""What runs in other processes while a test watches: it writes until it is killed, or holds a lock."""

import asyncio
import multiprocessing
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from core.errors import WeaverError
from core.model.run import RunStatus
from core.store.database import DatabaseStore
from tests.contract.samples import KEY, NOW_NS, StillClock, bars, note, order, result, run

ORDERS_PER_UNIT = 7
EVENTS_PER_UNIT = 20
BAR_MINUTES = [*range(0, 3_000, 3), *range(70_000, 71_000), 140_000]
"""Over three chunks."""

Work = Callable[[Any, Connection], None]


@dataclass(frozen=True)
class Place:
    """A database, for the stores of several processes."""

    url: str | Path
    locks: Path

    def store(self, **options: Any) -> DatabaseStore:
        """Another store on it, not yet open."""
        return DatabaseStore(self.url, StillClock(), locks=self.locks, **options)


def append_for_ever(place: Place, told: Connection) -> None:
    """Commit units of work, and tell each one's number once it is committed."""
    asyncio.run(_append_for_ever(place, told))


async def _append_for_ever(place: Place, told: Connection) -> None:
    store = place.store()
    await store.open()
    number = len(await store.runs.runs())
    told.send(store.owner)
    while True:
        run_id = f"run-{number}"
        async with store.runs.begin() as work:
            work.put_run(run(run_id, created_ns=NOW_NS + number, status=RunStatus.RUNNING))
            work.put_orders([order(f"{run_id}-{index}", run_id) for index in range(ORDERS_PER_UNIT)])
            work.append([note(f"{run_id}-{index}", run_id=run_id) for index in range(EVENTS_PER_UNIT)])
            work.put_result(result(run_id, points=500))
        told.send(number)
        number += 1


def merge_for_ever(place: Place, told: Connection) -> None:
    """Merge the same bars with ever higher prices, and tell each price once it is committed."""
    asyncio.run(_merge_for_ever(place, told))


async def _merge_for_ever(place: Place, told: Connection) -> None:
    store = place.store()
    await store.open()
    held = await store.bars.read(KEY)
    price = int(held.close[0]) + 1 if len(held) else 0
    told.send(store.owner)
    while True:
        await store.bars.merge(KEY, bars(BAR_MINUTES, float(price)))
        told.send(price)
        price += 1


def append_many(given: tuple[Place, str, int], told: Connection) -> None:
    """Append batches of three events, named, and tell when all are committed."""
    asyncio.run(_append_many(*given))
    told.send("done")


async def _append_many(place: Place, name: str, batches: int) -> None:
    store = place.store(busy_timeout_s=30.0)
    await store.open()
    for number in range(batches):
        await store.log.append([note(f"{name}-{number}-{index}") for index in range(3)])
    await store.close()


def hold_the_lock(path: Path, told: Connection) -> None:
    """Hold the write lock of a database until told to let go."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    told.send("locked")
    told.recv()
    connection.execute("ROLLBACK")
    connection.close()
    told.send("free")


def open_as_nobody(path: Path, told: Connection) -> None:
    """Open a database as somebody who may not write everywhere, and tell what came of it."""
    if sys.platform != "win32" and os.geteuid() == 0:
        os.setuid(65_534)  # root may write anywhere
    told.send(asyncio.run(_opened(path)))


async def _opened(path: Path) -> str:
    store = DatabaseStore(path, StillClock())
    try:
        await store.open()
    except WeaverError as error:
        return f"{type(error).__name__} {error}"
    await store.close()
    return "open"


class Other:
    """Another process at work."""

    def __init__(self, process: multiprocessing.process.BaseProcess, pipe: Connection) -> None:
        self.process = process
        self.pipe = pipe

    def kill(self) -> list[int]:
        """Kill it, as `kill -9` does, and return what it told and was not read yet."""
        self.process.kill()
        self.process.join()
        left: list[int] = []
        try:
            while True:
                left.append(self.pipe.recv())
        except EOFError:
            return left


@contextmanager
def other_process(work: Work, place: Any) -> Iterator[Other]:
    """Run `work` in a process of its own; it is gone when the block is left."""
    kind = "spawn" if sys.platform == "win32" else "forkserver"
    context = multiprocessing.get_context(kind)
    if kind == "forkserver":
        context.set_forkserver_preload(
            ["tests.integration.store.writers", "sqlalchemy.dialects.sqlite.pysqlite", "psycopg", "alembic.command"]
        )
    here, there = context.Pipe()
    process = context.Process(target=work, args=(place, there), daemon=True)  # type: ignore[attr-defined]
    process.start()
    there.close()
    try:
        yield Other(process, here)
    finally:
        process.kill()
        process.join()
        process.close()
        here.close()
