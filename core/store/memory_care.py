"""Looking after what is only held in memory: it can be carried elsewhere; there are no rows that could be damaged."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InputError
from core.events.codec import EventCodec
from core.model.care import Archive, ChainReport, CheckReport, Transfer, Vacuum
from core.model.retention import EventClass
from core.ports import Clock, OnProgress

if TYPE_CHECKING:
    from core.store.memory import MemoryStore


class MemoryCare:
    """A `StoreCare` of the memory store."""

    def __init__(self, store: "MemoryStore", clock: Clock, codec: EventCodec) -> None:
        self._store = store
        self._clock = clock
        self._codec = codec

    async def check(self, on_progress: OnProgress) -> CheckReport:
        """See `core.ports.StoreCare`."""
        return CheckReport()

    async def verify_chain(self, run_id: str, on_progress: OnProgress) -> ChainReport:
        """See `core.ports.StoreCare`."""
        events = len(await self._store.log.read(run_id=run_id, limit=sys.maxsize))
        return ChainReport(run_id=run_id, events=events, hashed=0, sentence=f"Run {run_id} has no chain: none is kept in memory.")

    async def export_to(self, path: Path, on_progress: OnProgress) -> Transfer:
        """See `core.ports.StoreCare`."""
        from core.store.memory_transfer import export_contents

        contents, now_ns = self._store.contents(), self._clock.now_ns()
        return await asyncio.to_thread(export_contents, contents, path, now_ns, self._codec)

    async def import_from(self, path: Path, on_progress: OnProgress) -> Transfer:
        """See `core.ports.StoreCare`."""
        from core.store.memory_transfer import import_contents

        held = self._store.contents()
        contents, transfer = await asyncio.to_thread(import_contents, held, path, self._codec)
        self._store.restore(contents)
        return transfer

    async def archive(self, kind: EventClass, before_ns: int, folder: Path, on_progress: OnProgress) -> Archive | None:
        """Refuse: what is in memory is gone with the program anyway. Raises InputError."""
        raise InputError("What is kept in memory cannot be archived.", "Name a database with --db.")

    async def restore_archive(self, path: Path, on_progress: OnProgress) -> Archive:
        """Refuse: nothing was archived from here. Raises InputError."""
        raise InputError("What is kept in memory has no archives.", "Name a database with --db.")

    async def archives(self) -> list[Archive]:
        """See `core.ports.StoreCare`."""
        return []

    async def vacuum(self) -> Vacuum:
        """See `core.ports.StoreCare`."""
        return Vacuum(before=None, after=None)
