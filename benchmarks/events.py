"""The event log on SQLite beside the raw driver at the same batch size, on the same disk."""

import asyncio
import sqlite3
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.engine import desk
from benchmarks.measuring import Row, Table, rate
from core.events.envelope import Envelope, envelope
from core.events.payloads import OrderFilled

BATCHES = {1: 1_000, 100: 20_000, 1_000: 50_000}
TEXT = "x" * 359


def event(number: int) -> Envelope:
    """One event of the size that runs produce."""
    payload = OrderFilled(
        order_id=f"run-1:o{number}",
        fill_id=f"run-1:f{number}",
        qty=Decimal(1),
        price=Decimal("745.10"),
        fee=Decimal("0.7451"),
        filled_qty=Decimal(1),
        time_ns=number,
    )
    return envelope(payload, id=f"e{number}", ts=number, producer="benchmark", run_id="run-1", corr_id="run-1", trace_id=f"t{number}")


async def weaver(batch: int, total: int) -> float:
    """Rows a second through our log, each append awaited."""
    async with desk() as (_engine, store):
        batches = [[event(first + at) for at in range(batch)] for first in range(0, total, batch)]
        began = perf_counter()
        for events in batches:
            await store.log.append(events)
        return total / (perf_counter() - began)


def raw(batch: int, total: int) -> float:
    """Rows a second through sqlite3 itself: one table, WAL, `synchronous=FULL`."""
    with TemporaryDirectory(prefix="weaver-benchmark-") as folder:
        connection = sqlite3.connect(Path(folder) / "raw.db", isolation_level=None)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute("create table log (seq integer primary key, type text, run_id text, payload text)")
        rows = [("orders.Filled", "run-1", TEXT)] * batch
        began = perf_counter()
        for _ in range(0, total, batch):
            connection.execute("begin")
            connection.executemany("insert into log (type, run_id, payload) values (?, ?, ?)", rows)
            connection.execute("commit")
        seconds = perf_counter() - began
        connection.close()
    return total / seconds


def measure(quick: bool) -> Table:
    """Both at each batch size, and the share of the raw driver's speed."""
    sizes = {batch: total // 10 if quick else total for batch, total in BATCHES.items()}
    ours = {batch: asyncio.run(weaver(batch, total)) for batch, total in sizes.items()}
    theirs = {batch: raw(batch, total) for batch, total in sizes.items()}
    shares = {batch: ours[batch] / theirs[batch] for batch in sizes}
    rows = (
        Row(name="sqlite3, WAL, `synchronous=FULL`", figures=tuple(rate(theirs[batch]) for batch in sizes)),
        Row(name="**Weaver**, every append awaited", figures=tuple(rate(ours[batch]) for batch in sizes)),
        Row(
            name="share of the raw driver",
            figures=tuple(f"{shares[batch]:.0%}" for batch in sizes),
            goal="≥ 50 %",
            met=all(share >= 0.5 for share in shares.values()),
        ),
    )
    columns = tuple(f"{batch:,} a commit" for batch in sizes)
    return Table(title="Event log", columns=columns, rows=rows, notes=("Rows a second.",))
