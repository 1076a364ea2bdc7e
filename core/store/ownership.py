"""Which processes have a database open. The kernel lets go of a lock when its process dies, however it dies."""

import errno
import os
import secrets
import sys
from pathlib import Path
from typing import Final

from core.errors import AlreadyOpen

_HELD_BY_ANOTHER: Final = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}

if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: int) -> bool:
        os.lseek(file, 0, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in _HELD_BY_ANOTHER:
                return False
            raise
        return True

else:
    import fcntl

    def _try_lock(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _HELD_BY_ANOTHER:
                return False
            raise
        return True


class Owners:
    """The processes of this machine that have one database open, as locked files in a directory. `where`: the database, in words."""

    def __init__(self, directory: Path, where: str) -> None:
        self._directory = directory
        self._where = where
        self.name: Final = f"{os.getpid()}-{secrets.token_hex(6)}"
        self._held: dict[Path, int] = {}

    def enter(self) -> None:
        """Take this process's own lock, and sweep up what dead ones left. Raises OSError."""
        self._directory.mkdir(parents=True, exist_ok=True)
        while not self._take(self._file_of(self.name)):
            pass  # only a sweep of another process can hold it, and only for an instant: nobody else has this name
        for file in self._directory.glob("*-*.lock"):
            self.is_alive(file.stem)

    def claim_window(self) -> None:
        """Take the lock that only one window of a database has. Raises AlreadyOpen, OSError."""
        if not self._take(self._file_of("window")):
            raise AlreadyOpen(
                f"Another window has {self._where} open.", "Go to that window, or open this one with another database: --db FILE."
            )

    def is_alive(self, owner: str) -> bool:
        """Tell whether the process of that name still holds its lock; a dead one's file is removed."""
        file = self._file_of(owner)
        if file in self._held:
            return True
        try:
            opened = os.open(file, os.O_RDWR)
        except FileNotFoundError:
            return False
        except PermissionError:
            return True  # another person's process; its death cannot be told, so its runs are left alone
        try:
            if not _try_lock(opened):
                return True
            self._remove(file)
        finally:
            os.close(opened)
        return False

    def leave(self) -> None:
        """Let go of all locks."""
        for file, opened in self._held.items():
            self._remove(file)
            os.close(opened)
        self._held.clear()

    def _file_of(self, name: str) -> Path:
        return self._directory / f"{name}.lock"

    def _take(self, file: Path) -> bool:
        if file in self._held:
            return True
        while True:
            opened = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
            if not _try_lock(opened):
                os.close(opened)
                return False
            if self._is_still(file, opened):
                self._held[file] = opened
                return True
            os.close(opened)  # swept up by another process between the two calls above

    def _is_still(self, file: Path, opened: int) -> bool:
        try:
            return os.path.samestat(file.stat(), os.fstat(opened))
        except FileNotFoundError:
            return False

    def _remove(self, file: Path) -> None:
        try:
            file.unlink(missing_ok=True)
        except PermissionError:
            return  # an open file cannot be removed on Windows; the next start sweeps it up
