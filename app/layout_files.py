"""The window's layout memory on disk: one small file per name in the data directory."""

import logging
import re
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,80}")


class LayoutFiles:
    """A `LayoutMemory` in a folder. A layout that cannot be read or written never stops the program: the next start has the default."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, name: str) -> bytes | None:
        """Return what was saved under `name`, or None."""
        try:
            return self._file(name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("The layout %s cannot be read: %s", name, error.strerror)
            return None

    def save(self, name: str, blob: bytes) -> None:
        """Keep `blob` under `name`, in one step."""
        file = self._file(name)
        fresh = file.with_suffix(".new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(blob)
            fresh.replace(file)
        except OSError as error:
            _log.warning("The layout %s cannot be kept: %s", name, error.strerror)

    def forget(self, name: str) -> None:
        """Drop what was saved under `name`, if anything."""
        try:
            self._file(name).unlink(missing_ok=True)
        except OSError as error:
            _log.warning("The layout %s cannot be dropped: %s", name, error.strerror)

    def _file(self, name: str) -> Path:
        if not _NAME.fullmatch(name) or name.startswith("."):
            raise ValueError(f"{name!r} cannot name a layout")
        return self._folder / f"{name}.layout"
