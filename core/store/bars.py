"""Bars in the database, as compressed chunks of columns."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, delete, func, insert, select, update

from core.errors import Cancelled, SealedBars
from core.model.market import Adjustment, BarSeries, BarSet, BarSetKey, MergeReport, Timeframe, bars_sha256
from core.store.arrays import pack, unpack_bars
from core.store.bar_hash import chunks_of, set_sha256
from core.store.dialect import database_of
from core.store.memory import by_symbol_and_length
from core.store.merging import add_reports, check_mergeable, merge_bars
from core.store.sql import BulkInsert
from core.store.tables import BAR_CHUNKS, BAR_SETS
from core.store.threads import Threads

_CHUNK_COLUMNS: Final = ("period", "first_ns", "last_ns", "bars", "data", "sha256")
_PUT_CHUNKS: Final = BulkInsert(BAR_CHUNKS, ("set_id", *_CHUNK_COLUMNS), key="set_id, period", update=_CHUNK_COLUMNS[1:])


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
        return await self._threads.write_and_wait(lambda connection: _delete(connection, key))

    async def seal(self, key: BarSetKey, *, sealed: bool) -> BarSet | None:
        """See `core.ports.BarStore`."""
        return await self._threads.write_and_wait(lambda connection: _seal(connection, key, sealed))


def _is(key: BarSetKey) -> tuple[Any, ...]:
    columns = BAR_SETS.c
    return (
        columns.symbol == key.symbol,
        columns.timeframe == key.timeframe,
        columns.source == key.source,
        columns.adjustment == key.adjustment.value,
    )


def _read_sets(connection: Connection) -> list[BarSet]:
    return sorted((_set_of(row) for row in connection.execute(select(BAR_SETS))), key=by_symbol_and_length)


def _set_of(row: Any) -> BarSet:
    return BarSet(
        key=BarSetKey(symbol=row.symbol, timeframe=row.timeframe, source=row.source, adjustment=Adjustment(row.adjustment)),
        bars=row.bars,
        first_ns=row.first_ns,
        last_ns=row.last_ns,
        updated_ns=row.updated_ns,
        simulated=row.simulated,
        sha256=row.sha256,
        sealed=row.sealed,
    )


def _delete(connection: Connection, key: BarSetKey) -> bool:
    held = connection.execute(select(BAR_SETS.c.id, BAR_SETS.c.sealed).where(*_is(key))).first()
    if held is None:
        return False
    if held.sealed:
        raise SealedBars(key.symbol, key.timeframe, key.source)
    connection.execute(delete(BAR_SETS).where(BAR_SETS.c.id == held.id))
    return True


def _seal(connection: Connection, key: BarSetKey, sealed: bool) -> BarSet | None:
    held = connection.execute(select(BAR_SETS).where(*_is(key))).first()
    if held is None:
        return None
    hashes = chunk_hashes(connection, held.id, key)
    unknown = select(BAR_CHUNKS.c.period).where(BAR_CHUNKS.c.set_id == held.id, BAR_CHUNKS.c.sha256.is_(None))
    for period in connection.execute(unknown).scalars().all():
        chunk = (BAR_CHUNKS.c.set_id == held.id, BAR_CHUNKS.c.period == period)
        connection.execute(update(BAR_CHUNKS).where(*chunk).values(sha256=hashes[period]))
    whole = set_sha256(key.symbol, key.timeframe, sorted(hashes.items()))
    connection.execute(update(BAR_SETS).where(BAR_SETS.c.id == held.id).values(sealed=sealed, sha256=whole, revision=held.revision + 1))
    return _set_of(connection.execute(select(BAR_SETS).where(BAR_SETS.c.id == held.id)).one())


def chunk_hashes(connection: Connection, set_id: int, key: BarSetKey) -> dict[int, str]:
    """Return the hash of each chunk of a set by its period; those of before hashes were kept are computed."""
    chunks = BAR_CHUNKS.c
    found: dict[int, str] = {}
    for period, sha256 in connection.execute(select(chunks.period, chunks.sha256).where(chunks.set_id == set_id)).all():
        found[period] = sha256 or bars_sha256(_chunk(connection, set_id, period, key.symbol, Timeframe.parse(key.timeframe)))
    return found


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
    """What a merge will do to a set as it was read: its id and revision then, the cells of the chunks that change, and what comes of it."""

    set_id: int | None
    revision: int
    chunk_values: list[Any]
    sha256: str
    report: MergeReport


def _plan(connection: Connection, key: BarSetKey, bars: BarSeries, stopped: threading.Event) -> _Plan:
    held = connection.execute(select(BAR_SETS.c.id, BAR_SETS.c.revision, BAR_SETS.c.sealed).where(*_is(key))).first()
    set_id, revision = (held.id, held.revision) if held is not None else (None, 0)
    if held is not None and held.sealed:
        raise SealedBars(key.symbol, key.timeframe, key.source)
    hashes = {} if set_id is None else chunk_hashes(connection, set_id, key)
    values: list[Any] = []
    report = MergeReport()
    for period, chunk in chunks_of(bars):
        if stopped.is_set():
            raise Cancelled("The merge was stopped; nothing was changed.")
        old = _chunk(connection, set_id, period, bars.symbol, bars.timeframe)
        merged, of_chunk = merge_bars(old, chunk)
        report = add_reports(report, of_chunk)
        if merged is not old:
            data = pack([merged.start_ns, *merged.columns()])
            hashes[period] = bars_sha256(merged)
            values += (period, int(merged.start_ns[0]), int(merged.start_ns[-1]), len(merged), data, hashes[period])
    return _Plan(set_id, revision, values, set_sha256(key.symbol, key.timeframe, sorted(hashes.items())), report)


def _chunk(connection: Connection, set_id: int | None, period: int, symbol: str, timeframe: Timeframe) -> BarSeries:
    data = None
    if set_id is not None:
        data = connection.execute(select(BAR_CHUNKS.c.data).where(BAR_CHUNKS.c.set_id == set_id, BAR_CHUNKS.c.period == period)).scalar()
    if data is None:
        return BarSeries.empty(symbol, timeframe)
    start_ns, prices = unpack_bars(data)
    return BarSeries.from_columns(symbol, timeframe, start_ns, *prices)


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
            sha256=plan.sha256,
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
                sha256=plan.sha256,
            )
            connection.execute(changed.where(BAR_SETS.c.id == set_id))
    values: list[Any] = []
    for first in range(0, len(plan.chunk_values), len(_CHUNK_COLUMNS)):
        values += (set_id, *plan.chunk_values[first : first + len(_CHUNK_COLUMNS)])
    _PUT_CHUNKS.run(connection, values)
    return plan.report
