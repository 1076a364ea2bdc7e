"""Bars in the database, as compressed chunks of columns."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, delete, func, insert, select, update

from core.errors import Cancelled
from core.model.market import Adjustment, BarSeries, BarSet, BarSetKey, MergeReport, Timeframe
from core.store.arrays import pack, unpack_bars
from core.store.dialect import database_of
from core.store.memory import by_symbol_and_length
from core.store.merging import add_reports, check_mergeable, merge_bars
from core.store.sql import BulkInsert
from core.store.tables import BAR_CHUNKS, BAR_SETS
from core.store.threads import Threads

CHUNK_SPAN: Final = 65_536
"""How many bars without a gap fit in a chunk. Large chunks need fewer steps to read; a merge rewrites the chunks it touches."""

_PUT_CHUNKS: Final = BulkInsert(
    BAR_CHUNKS,
    ("set_id", "period", "first_ns", "last_ns", "bars", "data"),
    key="set_id, period",
    update=("first_ns", "last_ns", "bars", "data"),
)


class DatabaseBarStore:
    """A `BarStore` in the tables `bar_sets` and `bar_chunks`."""

    def __init__(self, threads: Threads, now_ns: Callable[[], int]) -> None:
        self._threads = threads
        self._now_ns = now_ns

    async def sets(self) -> list[BarSet]:
        """See `core.ports.BarStore`."""
        return await self._threads.read(_read_sets)

    async def read(self, key: BarSetKey, start_ns: int | None = None, end_ns: int | None = None) -> BarSeries:
        """See `core.ports.BarStore`."""
        return await self._threads.read(lambda connection: _read_bars(connection, key, start_ns, end_ns))

    async def merge(self, key: BarSetKey, bars: BarSeries, *, simulated: bool = False) -> MergeReport:
        """See `core.ports.BarStore`. Cancelled before the commit, it changes nothing."""
        check_mergeable(key, bars)
        if not len(bars):
            return MergeReport()
        stopped = threading.Event()
        try:
            # Compressing takes longer than writing, so it happens before the write lock is taken.
            plan = await self._threads.read(lambda connection: _plan(connection, key, bars, stopped))
            return await self._threads.write_and_wait(
                lambda connection: _carry_out(connection, plan, key, bars, simulated, self._now_ns(), stopped)
            )
        except asyncio.CancelledError:
            stopped.set()
            raise

    async def delete(self, key: BarSetKey) -> bool:
        """See `core.ports.BarStore`."""
        return await self._threads.write_and_wait(lambda connection: bool(connection.execute(delete(BAR_SETS).where(*_is(key))).rowcount))


def _is(key: BarSetKey) -> tuple[Any, ...]:
    columns = BAR_SETS.c
    return (
        columns.symbol == key.symbol,
        columns.timeframe == key.timeframe,
        columns.source == key.source,
        columns.adjustment == key.adjustment.value,
    )


def _read_sets(connection: Connection) -> list[BarSet]:
    found = [
        BarSet(
            key=BarSetKey(symbol=row.symbol, timeframe=row.timeframe, source=row.source, adjustment=Adjustment(row.adjustment)),
            bars=row.bars,
            first_ns=row.first_ns,
            last_ns=row.last_ns,
            updated_ns=row.updated_ns,
            simulated=row.simulated,
        )
        for row in connection.execute(select(BAR_SETS))
    ]
    return sorted(found, key=by_symbol_and_length)


def _read_bars(connection: Connection, key: BarSetKey, start_ns: int | None, end_ns: int | None) -> BarSeries:
    timeframe = Timeframe.parse(key.timeframe)
    set_id = connection.execute(select(BAR_SETS.c.id).where(*_is(key))).scalar()
    if set_id is None:
        return BarSeries.empty(key.symbol, timeframe)
    chunks = BAR_CHUNKS.c
    wanted = [chunks.set_id == set_id]
    if start_ns is not None:
        wanted.append(chunks.last_ns >= start_ns)
    if end_ns is not None:
        wanted.append(chunks.first_ns < end_ns)
    total = int(connection.execute(select(func.coalesce(func.sum(chunks.bars), 0)).where(*wanted)).scalar_one())  # numeric on PostgreSQL
    # Filled chunk by chunk: joining a list of parts would need the memory twice.
    starts, prices = np.empty(total, np.int64), np.empty((5, total))
    first = 0
    for data in connection.execute(select(chunks.data).where(*wanted).order_by(chunks.period)).scalars():
        of_chunk, prices_of_chunk = unpack_bars(data)
        last = first + len(of_chunk)
        starts[first:last] = of_chunk
        prices[:, first:last] = prices_of_chunk
        first = last
    return BarSeries.from_columns(key.symbol, timeframe, starts, *prices).between(start_ns, end_ns)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a merge will do to a set as it was read: its id and revision then, the cells of the chunks that change, and the report."""

    set_id: int | None
    revision: int
    chunk_values: list[Any]
    report: MergeReport


def _plan(connection: Connection, key: BarSetKey, bars: BarSeries, stopped: threading.Event) -> _Plan:
    held = connection.execute(select(BAR_SETS.c.id, BAR_SETS.c.revision).where(*_is(key))).first()
    set_id, revision = (held.id, held.revision) if held is not None else (None, 0)
    periods = bars.start_ns // (CHUNK_SPAN * bars.timeframe.ns)
    cuts = [0, *(np.flatnonzero(np.diff(periods)) + 1).tolist(), len(bars)]
    values: list[Any] = []
    report = MergeReport()
    for first, last in pairwise(cuts):
        if stopped.is_set():
            raise Cancelled("The merge was stopped; nothing was changed.")
        period = int(periods[first])
        old = _chunk(connection, set_id, period, bars)
        merged, of_chunk = merge_bars(old, bars.slice(first, last))
        report = add_reports(report, of_chunk)
        if merged is not old:
            data = pack([merged.start_ns, *merged.columns()])
            values += (period, int(merged.start_ns[0]), int(merged.start_ns[-1]), len(merged), data)
    return _Plan(set_id, revision, values, report)


def _chunk(connection: Connection, set_id: int | None, period: int, bars: BarSeries) -> BarSeries:
    data = None
    if set_id is not None:
        data = connection.execute(select(BAR_CHUNKS.c.data).where(BAR_CHUNKS.c.set_id == set_id, BAR_CHUNKS.c.period == period)).scalar()
    if data is None:
        return BarSeries.empty(bars.symbol, bars.timeframe)
    start_ns, prices = unpack_bars(data)
    return BarSeries.from_columns(bars.symbol, bars.timeframe, start_ns, *prices)


def _carry_out(
    connection: Connection, plan: _Plan, key: BarSetKey, bars: BarSeries, simulated: bool, now_ns: int, stopped: threading.Event
) -> MergeReport:
    database_of(connection).sql.lock(connection, f"bars {key.symbol} {key.timeframe} {key.source} {key.adjustment.value}")
    held = connection.execute(select(BAR_SETS).where(*_is(key))).first()
    found = (held.id, held.revision) if held is not None else (None, 0)
    if found != (plan.set_id, plan.revision):  # somebody changed the set between the reading and the write lock
        plan = _plan(connection, key, bars, stopped)
    if stopped.is_set():
        raise Cancelled("The merge was stopped; nothing was changed.")
    if held is None:
        fresh = insert(BAR_SETS).values(
            symbol=key.symbol,
            timeframe=key.timeframe,
            source=key.source,
            adjustment=key.adjustment.value,
            bars=len(bars),
            first_ns=int(bars.start_ns[0]),
            last_ns=int(bars.start_ns[-1]),
            updated_ns=now_ns,
            revision=1,
            simulated=simulated,
        )
        set_id = connection.execute(fresh.returning(BAR_SETS.c.id)).scalar_one()
    else:
        set_id = held.id
        if plan.chunk_values or held.simulated != (held.simulated or simulated):
            changed = update(BAR_SETS).values(
                bars=held.bars + plan.report.added,
                first_ns=min(held.first_ns, int(bars.start_ns[0])),
                last_ns=max(held.last_ns, int(bars.start_ns[-1])),
                updated_ns=now_ns,
                revision=held.revision + 1,
                simulated=held.simulated or simulated,
            )
            connection.execute(changed.where(BAR_SETS.c.id == set_id))
    values: list[Any] = []
    for first in range(0, len(plan.chunk_values), 5):
        values += (set_id, *plan.chunk_values[first : first + 5])
    _PUT_CHUNKS.run(connection, values)
    return plan.report
