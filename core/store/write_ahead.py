"""Room in SQLite's write-ahead file before it is needed.

A commit that makes the file longer waits for the file system to note its new length, and so for whatever else that has to
note; one that writes over what is there waits for its own bytes alone. SQLite writes over the file from its beginning once it
has been carried into the database, so only the first 16 MB of it are slow: thousands of single commits, all of a desk's day.
"""

import shutil
import sqlite3
from pathlib import Path
from typing import Any, Final

CHECKPOINT_PAGES: Final = 4_000
"""SQLite carries the file into the database, and begins it anew, when it is so long."""

ROOM_BYTES: Final = 4_000_000
_MOST_BYTES: Final = CHECKPOINT_PAGES * 4_120
_FREE_BYTES: Final = 20 * ROOM_BYTES
"""What little is left of a disk is for what is stored."""

_COMMITS_BETWEEN: Final = 16
_SMALL_COMMITS_BYTES: Final = _COMMITS_BETWEEN * 65_536


class WriteAheadRoom:
    """Makes room where small commits follow one another. Of one thread. `database`: the file beside which the write-ahead file is."""

    def __init__(self, database: Path) -> None:
        self._file = database.with_name(database.name + "-wal")
        self._commits = 0
        self._size = 0
        self._is_wanted = True

    def make(self, of_driver: Any) -> None:
        """Call it between two transactions. Now and then it looks whether the file grew; then it takes some milliseconds."""
        self._commits += 1
        if self._commits < _COMMITS_BETWEEN or not self._is_wanted:
            return
        self._commits = 0
        before, self._size = self._size, self._size_now()
        # A program that writes little needs none; of large commits the bytes themselves are what takes long.
        is_growing = 0 < self._size - before <= _SMALL_COMMITS_BYTES and self._size < _MOST_BYTES
        try:
            if is_growing and shutil.disk_usage(self._file.parent).free > _FREE_BYTES:
                self._extend(of_driver)
                self._size = self._size_now()
        except (sqlite3.Error, OSError):
            self._is_wanted = False  # commits go on as they are, and say what there is to say

    def _size_now(self) -> int:
        try:
            return self._file.stat().st_size
        except OSError:
            return 0

    def _extend(self, of_driver: Any) -> None:
        """Have SQLite write what it then takes back: more than its cache holds goes to the file, which keeps its length.

        To SQLite this is a large transaction that was rolled back, to another process a short wait.
        """
        (cache,) = of_driver.execute("PRAGMA cache_size").fetchone()
        try:
            of_driver.execute("PRAGMA cache_size = 10")
            of_driver.execute("BEGIN IMMEDIATE")
            of_driver.execute("CREATE TABLE room (bytes BLOB)")
            of_driver.execute("INSERT INTO room VALUES (zeroblob(?))", (ROOM_BYTES,))
            of_driver.execute("ROLLBACK")
            # The file system notes the length now, and not while somebody waits for a commit.
            of_driver.execute("UPDATE log_head SET seq = seq")
        finally:
            if of_driver.in_transaction:
                of_driver.execute("ROLLBACK")
            of_driver.execute(f"PRAGMA cache_size = {cache}")
