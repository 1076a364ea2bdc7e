"""Bars of a database that is far away, kept on this machine by the hash of their content.

A file is named for the hash of what it holds, so it is never out of date: a set that changed has another hash. What a file
holds is compared with its name whenever it is read.
"""

import asyncio
import logging
from pathlib import Path
from typing import Final

import msgspec

from core.model.market import BarSeries, BarSet, BarSetKey, MergeReport, Timeframe
from core.ports import BarStore
from core.store.arrays import DamagedArrays, pack, unpack_bars
from core.store.bar_hash import content_sha256

MOST_BYTES: Final = 2_000_000_000
_ENDING: Final = ".bars"

_log = logging.getLogger(__name__)


class _Head(msgspec.Struct, frozen=True):
    symbol: str
    timeframe: str


class BarCache:
    """Files in a folder, at most `most_bytes` of them; those that were not read longest go first. Only a convenience: it never raises."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def get(self, sha256: str) -> BarSeries | None:
        """Return the bars with that hash, or None. A file that does not hold what its name says is removed."""
        path = self._folder / (sha256 + _ENDING)
        try:
            line, _, packed = path.read_bytes().partition(b"\n")
            head = msgspec.json.decode(line, type=_Head)
            start_ns, prices = unpack_bars(packed)
            bars = BarSeries.from_columns(head.symbol, Timeframe.parse(head.timeframe), start_ns, *prices)
            if content_sha256(bars) == sha256:
                path.touch()
                return bars
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, DamagedArrays, ValueError, TypeError) as error:
            _log.info("%s cannot be read and is fetched again: %s", path, error)
        self._remove(path)
        return None

    def put(self, sha256: str, bars: BarSeries) -> None:
        """Keep bars under their hash, and let older ones go where there are too many."""
        path = self._folder / (sha256 + _ENDING)
        part = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            head = msgspec.json.encode(_Head(bars.symbol, str(bars.timeframe)))
            part.write_bytes(head + b"\n" + pack([bars.start_ns, *bars.columns()]))
            part.replace(path)
            self._shrink(path)
        except OSError as error:
            _log.info("%s cannot be kept: %s", path, error)
            self._remove(part)

    def _shrink(self, newest: Path) -> None:
        found = [(path, path.stat()) for path in self._folder.glob("*" + _ENDING) if path != newest]
        left = self._most_bytes - newest.stat().st_size
        for path, stat in sorted(found, key=lambda item: -item[1].st_mtime_ns):
            left -= stat.st_size
            if left < 0:
                self._remove(path)

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _log.info("%s cannot be removed: %s", path, error)


class CachedBarStore:
    """A `BarStore` in front of another: whole sets are read from the cache where their hash is known and their bars are there."""

    def __init__(self, store: BarStore, cache: BarCache) -> None:
        self._store = store
        self._cache = cache

    async def sets(self) -> list[BarSet]:
        """See `core.ports.BarStore`."""
        return await self._store.sets()

    async def read(self, key: BarSetKey, start_ns: int | None = None, end_ns: int | None = None) -> BarSeries:
        """See `core.ports.BarStore`. A set that is not in the cache is fetched whole: its hash is of all its bars."""
        sha256 = next((item.sha256 for item in await self._store.sets() if item.key == key), None)
        if sha256 is None:
            return await self._store.read(key, start_ns, end_ns)
        bars = await asyncio.to_thread(self._cache.get, sha256)
        if bars is None:
            bars = await self._store.read(key)
            # Another desk may have changed the set since its hash was read.
            if await asyncio.to_thread(content_sha256, bars) == sha256:
                await asyncio.to_thread(self._cache.put, sha256, bars)
        return bars.between(start_ns, end_ns)

    async def merge(self, key: BarSetKey, bars: BarSeries, *, simulated: bool = False) -> MergeReport:
        """See `core.ports.BarStore`."""
        return await self._store.merge(key, bars, simulated=simulated)

    async def delete(self, key: BarSetKey) -> bool:
        """See `core.ports.BarStore`."""
        return await self._store.delete(key)

    async def seal(self, key: BarSetKey, *, sealed: bool) -> BarSet | None:
        """See `core.ports.BarStore`."""
        return await self._store.seal(key, sealed=sealed)
