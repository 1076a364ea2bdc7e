"""The event log on SQLite beside the raw driver: the same rows, the same table with its indexes, the same disk, turn by turn."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

from sqlalchemy import create_engine

from benchmarks.engine import desk
from benchmarks.measuring import Row, Table, rate
from core.events.codec import EventCodec
from core.events.envelope import Envelope, envelope
from core.events.payloads import OrderFilled
from core.store.tables import OUTBOX

BATCHES = {1: 1_000, 100: 20_000, 1_000: 50_000}
REPEATS = 5
TEXT = "x" * 359
COLUMNS = tuple(OUTBOX.columns.keys())


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


def batches_of(batch: int, total: int) -> list[list[Envelope]]:
    """All events, in batches."""
    return [[event(first + at) for at in range(batch)] for first in range(0, total, batch)]


def rows_of(events: Sequence[Envelope]) -> list[tuple[Any, ...]]:
    """Events as the rows that the log makes of them, ready for a driver; an event's number is its seq."""
    payloads = EventCodec().encode_all(events)
    rows = []
    for told, payload in zip(events, payloads, strict=True):
        ids = (told.run_id, told.corr_id, told.causation_id, told.trace_id)
        rows.append((told.ts + 1, told.id, "evt", told.type, told.version, *ids, told.ts, told.producer, payload.decode()))
    return rows


@contextmanager
def _file(*, bare: bool) -> Iterator[sqlite3.Connection]:
    """An SQLite file as the log's is set up; with the log's own table, or with a bare one."""
    with TemporaryDirectory(prefix="weaver-benchmark-") as folder:
        path = Path(folder) / "raw.db"
        if not bare:
            engine = create_engine(f"sqlite:///{path}")
            OUTBOX.create(engine)
            engine.dispose()
        connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = wal", "synchronous = full", "wal_autocheckpoint = 4000"):
            connection.execute(f"pragma {pragma}")
        if bare:
            connection.execute("create table log (seq integer primary key, type text, run_id text, payload text)")
        yield connection
        connection.close()


class Taken:
    """What appending took: seconds of the clock, and of this process on a processor."""

    def __init__(self) -> None:
        self._began = perf_counter(), process_time()

    def per_second(self, total: int) -> tuple[float, float]:
        """Rows a second by the clock, and by the processor's time."""
        return total / (perf_counter() - self._began[0]), total / (process_time() - self._began[1])


async def weaver(batch: int, total: int) -> tuple[float, float]:
    """Rows a second through our log, each append awaited."""
    async with desk() as (_engine, store):
        batches = batches_of(batch, total)
        taken = Taken()
        for events in batches:
            await store.log.append(events)
        return taken.per_second(total)


def raw(batch: int, total: int, *, bare: bool) -> tuple[float, float]:
    """Rows a second through sqlite3 itself, a transaction a batch, from rows that are ready."""
    if bare:
        batches: list[list[tuple[Any, ...]]] = [[("orders.Filled", "run-1", TEXT)] * batch] * (total // batch)
        statement = "insert into log (type, run_id, payload) values (?, ?, ?)"
    else:
        batches = [rows_of(events) for events in batches_of(batch, total)]
        statement = f"insert into outbox values ({', '.join('?' * len(COLUMNS))})"
    with _file(bare=bare) as connection:
        taken = Taken()
        for rows in batches:
            connection.execute("begin")
            connection.executemany(statement, rows)
            connection.execute("commit")
        return taken.per_second(total)


Measured = Callable[[int, int], Awaitable[tuple[float, float]]]
Speeds = Mapping[int, tuple[float, float]]
"""By batch size: rows a second by the clock and by this process's time on a processor."""


async def in_turns(ways: Mapping[str, Measured], sizes: Mapping[int, int]) -> dict[str, Speeds]:
    """Medians of each way at each batch size; the ways take turns, so that what disturbs the machine disturbs all of them."""
    found: dict[str, dict[int, tuple[float, float]]] = {name: {} for name in ways}
    for batch, total in sizes.items():
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(REPEATS):
            for name, way in ways.items():
                taken[name].append(await way(batch, total))
        for name, speeds in taken.items():
            found[name][batch] = median(by_clock for by_clock, _ in speeds), median(by_processor for _, by_processor in speeds)
    return dict(found)


def speeds_row(name: str, speeds: Speeds) -> Row:
    """The line of one way."""
    return Row(name=name, figures=tuple(rate(by_clock) for by_clock, _ in speeds.values()))


def share_row(name: str, ours: Speeds, *theirs: Speeds, has_goal: bool) -> Row:
    """What share of the fastest of the others is reached."""
    shares = [ours[batch][0] / max(one[batch][0] for one in theirs) for batch in ours]
    goal, met = ("≥ 50 %", all(share >= 0.5 for share in shares)) if has_goal else ("", None)
    return Row(name=name, figures=tuple(f"{share:.0%}" for share in shares), goal=goal, met=met)


def processor_row(name: str, speeds: Speeds) -> Row:
    """What an event costs this process on a processor."""
    return Row(name=name, figures=tuple(f"{1e6 / by_processor:.1f} µs" for _, by_processor in speeds.values()))


def measure(quick: bool) -> Table:
    """All at each batch size, and the share of the raw driver's speed."""
    sizes = {batch: total // 10 if quick else total for batch, total in BATCHES.items()}

    async def raw_alike(batch: int, total: int) -> tuple[float, float]:
        return raw(batch, total, bare=False)

    async def raw_bare(batch: int, total: int) -> tuple[float, float]:
        return raw(batch, total, bare=True)

    found = asyncio.run(in_turns({"alike": raw_alike, "ours": weaver, "bare": raw_bare}, sizes))
    rows = (
        speeds_row("sqlite3, the same rows and indexes", found["alike"]),
        speeds_row("**Weaver**, every append awaited", found["ours"]),
        share_row("share of the raw driver", found["ours"], found["alike"], has_goal=True),
        speeds_row("sqlite3, a table of four columns without an index", found["bare"]),
        share_row("share of that", found["ours"], found["bare"], has_goal=False),
        processor_row("processor time of an event, sqlite3 with the same rows", found["alike"]),
        processor_row("processor time of an event, Weaver", found["ours"]),
    )
    columns = tuple(f"{batch:,} a commit" for batch in sizes)
    notes = (f"Rows a second, WAL, `synchronous=FULL`; medians of {REPEATS}, taken in turns.",)
    return Table(title="Event log", columns=columns, rows=rows, notes=notes)
