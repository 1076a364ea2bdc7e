"""The port by which a store is checked, moved and archived."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from core.model.care import Archive, ChainReport, CheckReport, Transfer, Vacuum
from core.model.result import Progress
from core.model.retention import EventClass

OnProgress = Callable[[Progress], None]
"""Called in the loop's thread, a few times a second at most."""


class StoreCare(Protocol):
    """Looking after a store. `on_progress` is called in the loop's thread; a cancelled call changes nothing."""

    async def check(self, on_progress: OnProgress) -> CheckReport:
        """Look at every row: sequences, references, what can be read, hashes of bars and events. Changes nothing."""
        ...

    async def export_to(self, path: Path, on_progress: OnProgress) -> Transfer:
        """Write everything to one portable file, all of it or nothing. Raises StoreError, DiskFull."""
        ...

    async def import_from(self, path: Path, on_progress: OnProgress) -> Transfer:
        """Read everything from such a file into a store that holds nothing. Raises UnreadableFile, DatabaseNewer, StoreError."""
        ...

    async def archive(self, kind: EventClass, before_ns: int, folder: Path, on_progress: OnProgress) -> Archive | None:
        """Move events of a class that are older than `before_ns` to a file, and return it; None when there are none.

        They are deleted once the file is complete, on the disk, and was read again. Raises StoreError, DiskFull.
        """
        ...

    async def restore_archive(self, path: Path, on_progress: OnProgress) -> Archive:
        """Put the events of an archive back at their numbers, all of it or nothing; return it with the count of those that came back.

        Raises UnreadableFile, InputError for a file that is none of this store's archives, StoreError.
        """
        ...

    async def archives(self) -> list[Archive]:
        """Return the files that events were moved to, oldest first."""
        ...

    async def vacuum(self) -> Vacuum:
        """Give unused space back. Raises DatabaseBusy."""
        ...

    async def verify_chain(self, run_id: str, on_progress: OnProgress) -> ChainReport:
        """Compare the events of a run with the chain of their hashes, up to the first that was changed."""
        ...
