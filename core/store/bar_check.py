"""Checks stored bars: every chunk against its own row, and every set against its chunks."""

from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, select

from core.model.findings import Findings
from core.model.market import BarSeries, Timeframe, bars_sha256
from core.store.arrays import DamagedArrays, unpack_bars
from core.store.bar_hash import CHUNK_SPAN, set_sha256
from core.store.long_work import LongWork
from core.store.tables import BAR_CHUNKS, BAR_SETS

_TWO: Final = 2


def check_bars(connection: Connection, found: Findings, job: LongWork) -> None:
    """Look at every set and all of its bars."""
    sets = connection.execute(select(BAR_SETS).order_by(BAR_SETS.c.id)).all()
    for done, held in enumerate(sets):
        job.step(done, len(sets), "Reading bars")
        _check_set(connection, held, found, job)
    of_no_set = select(BAR_CHUNKS.c.set_id).where(BAR_CHUNKS.c.set_id.not_in(select(BAR_SETS.c.id))).distinct()
    for set_id in connection.execute(of_no_set).scalars():
        found.add("bars", f"There are bars of set {set_id}, which is not there.")


def _check_set(connection: Connection, held: Any, found: Findings, job: LongWork) -> None:
    name = f"{held.symbol} {held.timeframe} from {held.source}, {held.adjustment}"
    chunks = BAR_CHUNKS.c
    periods = connection.execute(select(chunks.period).where(chunks.set_id == held.id).order_by(chunks.period)).scalars().all()
    bars, firsts, lasts, hashes = 0, list[int](), list[int](), list[tuple[int, str]]()
    for period in periods:
        job.step(0, 0, "Reading bars")
        row = connection.execute(select(BAR_CHUNKS).where(chunks.set_id == held.id, chunks.period == period)).one()
        bars += row.bars
        firsts.append(row.first_ns)
        lasts.append(row.last_ns)
        sha256 = _check_chunk(row, held, f"{name}, part {period}", found)
        if sha256 is not None:
            hashes.append((period, sha256))
    found.count("bar_sets")
    found.count("bars", bars)
    if bars != held.bars:
        found.add("bars", f"{name}: {held.bars:,} bars are said to be stored, and {bars:,} are.")
    if firsts and (min(firsts), max(lasts)) != (held.first_ns, held.last_ns):
        found.add("bars", f"{name}: its first and last bar are not those it says.")
    if held.sha256 is not None and len(hashes) == len(periods) and set_sha256(held.symbol, held.timeframe, hashes) != held.sha256:
        found.add("bars", f"{name}: its bars do not have the hash it says, {held.sha256[:8]}.")


def _check_chunk(row: Any, held: Any, name: str, found: Findings) -> str | None:
    """Return the hash of the chunk's bars as they are; None when they cannot be read."""
    try:
        start_ns, prices = unpack_bars(row.data)
        timeframe = Timeframe.parse(held.timeframe)
        series = BarSeries.from_columns(held.symbol, timeframe, start_ns, *prices)
    except (DamagedArrays, ValueError, TypeError, IndexError) as error:
        found.add("bars", f"{name}: its bars cannot be read: {error}.")
        return None
    if len(series) != row.bars or not len(series):
        found.add("bars", f"{name}: {row.bars:,} bars are said to be stored, and {len(series):,} are.")
        return bars_sha256(series)
    if (int(start_ns[0]), int(start_ns[-1])) != (row.first_ns, row.last_ns):
        found.add("bars", f"{name}: its first and last bar are not those it says.")
    if len(series) >= _TWO and not bool((np.diff(start_ns) > 0).all()):
        found.add("bars", f"{name}: its bars are not in order.")
    if bool((start_ns // (CHUNK_SPAN * timeframe.ns) != row.period).any()):
        found.add("bars", f"{name}: some of its bars belong elsewhere.")
    sha256 = bars_sha256(series)
    if row.sha256 is not None and row.sha256 != sha256:
        found.add("bars", f"{name}: its bars do not have the hash it says, {row.sha256[:8]}.")
    return sha256
