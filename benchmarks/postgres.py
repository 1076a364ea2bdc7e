"""The event log on PostgreSQL beside the raw driver asyncpg on the same server; and from one desk to another.

`python -m benchmarks.postgres listen URL SECONDS` is the other desk, in a process of its own.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from time import monotonic_ns, perf_counter
from typing import Any

from sqlalchemy import create_engine, text

from benchmarks.events import (
    COLUMNS,
    REPEATS,
    TEXT,
    Measured,
    Taken,
    batches_of,
    event,
    in_turns,
    processor_row,
    rows_of,
    share_row,
    speeds_row,
)
from benchmarks.measuring import ROOT, Row, Table, rate
from core.clock.realtime import SystemClock
from core.events.envelope import Envelope, envelope
from core.events.payloads import StrategyNoted
from core.store.database import DatabaseStore
from core.store.tables import OUTBOX

BATCHES = {1: 2_000, 100: 20_000, 1_000: 50_000}
PER_SECOND = 500
SECONDS = 8
READ = 200_000
BARE_COLUMNS: tuple[str, ...] = ("type", "run_id", "payload")
MEDIAN_MS = 10
P99_MS = 50


@contextmanager
def served() -> Iterator[str]:
    """A server as it is installed, with every commit on the disk; its URL."""
    from tests.postgres import NEWEST, start_server

    with tempfile.TemporaryDirectory(prefix="weaver-pg-") as folder:
        server = start_server(Path(folder) / "data", NEWEST)
        try:
            yield f"postgresql://postgres@/postgres?host={server.get_postmaster_info().socket_dir}"
        finally:
            server.cleanup()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[DatabaseStore]:
    """A store on the server, as one desk has it."""
    with tempfile.TemporaryDirectory(prefix="weaver-locks-") as locks:
        store = DatabaseStore(url, SystemClock(), locks=Path(locks))
        await store.open()
        try:
            yield store
        finally:
            await store.close()


async def ours(store: DatabaseStore, batch: int, total: int) -> tuple[float, float]:
    """Rows a second through our log, each append awaited."""
    batches = batches_of(batch, total)
    taken = Taken()
    for events in batches:
        await store.log.append(events)
    return taken.per_second(total)


async def raw(url: str, batch: int, total: int, *, copy: bool, bare: bool) -> tuple[float, float]:
    """Rows a second through asyncpg itself, a transaction a batch, from rows that are ready."""
    import asyncpg  # type: ignore[import-untyped]  # it has no types

    if bare:
        table, columns = "bare_log", BARE_COLUMNS
        row = ("orders.Filled", "run-1", json.dumps({"text": TEXT[:340]}))
        batches: list[list[tuple[Any, ...]]] = [[row] * batch] * (total // batch)
    else:
        table, columns = "outbox", COLUMNS
        batches = [rows_of(events) for events in batches_of(batch, total)]
    insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(f'${at + 1}' for at in range(len(columns)))})"
    connection = await asyncpg.connect(url)
    await connection.execute(f"TRUNCATE {table}")
    taken = Taken()
    for rows in batches:
        async with connection.transaction():
            if copy:
                await connection.copy_records_to_table(table, records=rows, columns=columns)
            else:
                await connection.executemany(insert, rows)
    speed = taken.per_second(total)
    await connection.close()
    return speed


def make_raw_tables(url: str) -> str:
    """Make a database for the raw driver, with the log's own table and a bare one; return its URL."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE raw")
    raw_url = url.replace("/postgres?", "/raw?")
    engine = create_engine(raw_url.replace("postgresql://", "postgresql+psycopg://"))
    OUTBOX.create(engine)
    with engine.begin() as connection_to_raw:
        connection_to_raw.execute(text("CREATE TABLE bare_log (seq bigserial primary key, type text, run_id text, payload jsonb)"))
    engine.dispose()
    return raw_url


def _stamped() -> Envelope:
    # The monotonic clock of Linux is the machine's: another process reads the same.
    now = monotonic_ns()
    return envelope(StrategyNoted(text=str(now)), id=f"n{now}", ts=now, producer="benchmark")


async def from_desk_to_desk(url: str, store: DatabaseStore, seconds: int) -> tuple[float, float, int]:
    """Milliseconds from the call of `append` here to the callback in another process, median and p99; how many were heard."""
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.postgres", "listen", url, str(seconds + 2), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert other.stdout is not None
    await other.stdout.readline()  # it listens
    began, sent = perf_counter(), 0
    async with asyncio.TaskGroup() as group:
        while (passed := perf_counter() - began) < seconds:
            while sent < passed * PER_SECOND:
                group.create_task(store.log.append([_stamped()]))
                sent += 1
            await asyncio.sleep(0.001)
    heard = sorted(json.loads((await other.stdout.read()).decode()))
    await other.wait()
    return median(heard), heard[int(len(heard) * 0.99)], len(heard)


async def listen(url: str, seconds: float) -> None:
    """Be the other desk for a while; print what was heard, milliseconds each."""
    took: list[float] = []

    def hear(told: Envelope) -> None:
        if isinstance(told.payload, StrategyNoted):
            took.append((monotonic_ns() - int(told.payload.text)) / 1e6)

    async with opened(url) as store:
        with store.log.subscribe("strategy.Noted", hear, owner="benchmark"):
            print("listening", flush=True)
            await asyncio.sleep(seconds)
    print(json.dumps(took))


async def reading(store: DatabaseStore, total: int) -> float:
    """Events a second, read by seq from the first to the last."""
    first = (await store.log.read_back(limit=1))[0].seq
    for start in range(0, total, 1_000):
        await store.log.append([event(start + at) for at in range(1_000)])
    began, after, count = perf_counter(), first, 0
    while page := await store.log.read(after_seq=after, limit=10_000):
        after, count = page[-1].seq, count + len(page)
    return count / (perf_counter() - began)


async def measured(url: str, quick: bool) -> dict[str, Any]:
    """Everything, on one server."""
    sizes = {batch: total // 10 if quick else total for batch, total in BATCHES.items()}
    raw_url = make_raw_tables(url)
    async with opened(url) as store:
        ways: dict[str, Measured] = {
            "many": partial(raw, raw_url, copy=False, bare=False),
            "copy": partial(raw, raw_url, copy=True, bare=False),
            "ours": partial(ours, store),
            "bare": partial(raw, raw_url, copy=False, bare=True),
            "bare copy": partial(raw, raw_url, copy=True, bare=True),
        }
        found: dict[str, Any] = dict(await in_turns(ways, sizes))
        found["desk"] = await from_desk_to_desk(url, store, 2 if quick else SECONDS)
        found["read"] = await reading(store, READ // 10 if quick else READ)
    return found


def measure(quick: bool) -> Table:
    """Ours and the raw driver at each batch size, the share of its faster way, and what another desk sees."""
    with served() as url:
        found = asyncio.run(measured(url, quick))
    middle, p99, heard = found["desk"]
    rows = (
        speeds_row("asyncpg, executemany, the same rows and indexes", found["many"]),
        speeds_row("asyncpg, COPY, the same", found["copy"]),
        speeds_row("**Weaver**, every append awaited", found["ours"]),
        share_row("share of the faster of the two", found["ours"], found["many"], found["copy"], has_goal=True),
        speeds_row("asyncpg, executemany, a table of four columns without an index", found["bare"]),
        speeds_row("asyncpg, COPY, the same", found["bare copy"]),
        share_row("share of the faster of these two", found["ours"], found["bare"], found["bare copy"], has_goal=False),
        processor_row("processor time of an event here, asyncpg by COPY", found["copy"]),
        processor_row("processor time of an event here, Weaver", found["ours"]),
        Row(
            name=f"from one desk to another, at {PER_SECOND} events a second",
            figures=(f"median {middle:.1f} ms", f"p99 {p99:.1f} ms", f"{heard:,} events"),
            goal=f"< {MEDIAN_MS} ms, p99 < {P99_MS} ms",
            met=middle < MEDIAN_MS and p99 < P99_MS,
        ),
        Row(name="reading by sequence", figures=("", "", f"{rate(found['read'])}/s"), goal="≥ 200 k/s", met=found["read"] >= 200_000),
    )
    columns = tuple(f"{batch:,} a commit" for batch in BATCHES)
    notes = (f"PostgreSQL 18 on this machine, by its socket; rows a second, medians of {REPEATS}, taken in turns.",)
    return Table(title="Event log on PostgreSQL", columns=columns, rows=rows, notes=notes)


if __name__ == "__main__":
    asyncio.run(listen(sys.argv[2], float(sys.argv[3])))
