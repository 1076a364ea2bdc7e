"""A price file on disk: is it there, how is it packed, and did it stay the same while it was read."""

import codecs
import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

import zstandard

from core.data.work import Job
from core.errors import UnreadableFile, nearest

_MAGIC_BYTES: Final = 4_096
_READ_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Source:
    """An open price file. `text` is None for Parquet: that is read by its path."""

    path: Path
    size_bytes: int
    kind: str
    raw: IO[bytes]
    text: io.TextIOWrapper | None
    identity: tuple[tuple[int, ...], tuple[int, ...]]

    def advance(self, job: Job, what: str) -> None:
        """Report how much of the file is read. Raises UnreadableFile when it has changed: one that grows would never end."""
        self.check_unchanged()
        job.progress(min(self.raw.tell(), self.size_bytes), max(1, self.size_bytes), what)

    def check_unchanged(self) -> None:
        """Raise UnreadableFile when the file is not the one that was opened, or was written to since."""
        try:
            now = _identities(self.path, self.raw)
        except OSError:
            now = ((), ())
        if now != self.identity:
            raise UnreadableFile(
                f"{self.path.name} changed while it was read; nothing was imported.", "Wait until it is written completely, and try again."
            )


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a price file for reading. Raises UnreadableFile in plain words, also for what is found while reading inside the block."""
    try:
        with _open_raw(path) as raw:
            status = os.fstat(raw.fileno())
            head = raw.read(_MAGIC_BYTES)
            raw.seek(0)
            if not head:
                raise UnreadableFile(f"{path.name} is empty.", "Choose a file with prices in it.")
            if head.startswith(b"PAR1"):
                yield Source(path, status.st_size, "parquet", raw, None, _identities(path, raw))
                return
            with _unpacked(path, raw, head) as data, _as_text(path, data) as text:
                yield Source(path, status.st_size, "csv", raw, text, _identities(path, raw))
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{path.name} is not UTF-8 text.", "Save it as CSV in UTF-8, and import that.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error, zipfile.BadZipFile, zstandard.ZstdError, NotImplementedError) as error:
        raise UnreadableFile(f"{path.name} is damaged or cut off: it cannot be unpacked.", "Fetch or pack it again.") from error
    except PermissionError as error:
        raise UnreadableFile(f"{path.name} may not be read by this user.", "Change its permissions, or copy it elsewhere.") from error
    except OSError as error:
        raise UnreadableFile(f"{path.name} cannot be read: {error.strerror or error}.", "Check the file and its disk.") from error


def _identities(path: Path, raw: IO[bytes]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return what tells a file from another and from itself at another time: by its path, and by the open file."""
    return _identity(path.stat()), _identity(os.fstat(raw.fileno()))


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _open_raw(path: Path) -> IO[bytes]:
    if path.is_dir():
        raise UnreadableFile(f"{path} is a folder.", "Name a file in it.")
    if path.exists() and not path.is_file():
        # Opening a pipe would wait for its writer, perhaps for ever.
        raise UnreadableFile(f"{path} is not a file but a device or a pipe.", "Save the prices in a file first.")
    try:
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        near = _near_name(path)
        todo = f"Did you mean {near}?" if near else "Check the name and the folder."
        raise UnreadableFile(f"There is no file {path}.", todo) from error


def _near_name(path: Path) -> str | None:
    """Return the file of the same folder that was most likely meant; endings do not count, they are all alike."""
    if not path.parent.is_dir():
        return None
    by_stem = {entry.name.split(".", 1)[0]: entry.name for entry in path.parent.iterdir() if entry.is_file()}
    near = nearest(path.name.split(".", 1)[0], (stem for stem in by_stem if stem))
    return by_stem[near] if near else None


@contextmanager
def _unpacked(path: Path, raw: IO[bytes], head: bytes) -> Iterator[IO[bytes]]:
    """Yield the bytes inside: the packing is told by the first bytes, not by the name."""
    if head.startswith(b"\x1f\x8b"):
        with gzip.GzipFile(fileobj=raw, mode="rb") as unzipped:
            yield io.BufferedReader(unzipped, _READ_BYTES)
    elif head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        with zipfile.ZipFile(raw) as archive, archive.open(_only_member(path, archive)) as member:
            yield io.BufferedReader(cast("io.RawIOBase", member), _READ_BYTES)
    elif head.startswith(b"\x28\xb5\x2f\xfd"):
        yield io.BufferedReader(_ZstdReader(raw), _READ_BYTES)
    else:
        yield raw


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [info for info in archive.infolist() if not info.is_dir() and not info.filename.startswith("__MACOSX/")]
    names = [info.filename for info in members]
    if any(name.startswith("xl/") for name in names):
        raise UnreadableFile(f"{path.name} is an Excel workbook.", "Save the sheet as CSV, and import that.")
    if not members:
        raise UnreadableFile(f"{path.name} has no file in it.", "Choose an archive with one price file.")
    if len(members) > 1:
        listed = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
        raise UnreadableFile(f"{path.name} has {len(members)} files in it: {listed}.", "Unpack it and import them one by one.")
    if members[0].flag_bits & 1:
        raise UnreadableFile(f"{path.name} is locked with a password.", "Unpack it first.")
    return members[0]


@contextmanager
def _as_text(path: Path, data: IO[bytes]) -> Iterator[io.TextIOWrapper]:
    reader = cast("io.BufferedReader", data)
    head = reader.peek(_MAGIC_BYTES)[:_MAGIC_BYTES]
    if not head:
        raise UnreadableFile(f"{path.name} is empty.", "Choose a file with prices in it.")
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if b"\0" in head and not wide:
        raise UnreadableFile(f"{path.name} is not text: it has binary content.", "Choose a CSV or Parquet file with prices.")
    text = io.TextIOWrapper(reader, encoding="utf-16" if wide else "utf-8-sig", newline=None)
    try:
        yield text
    finally:
        text.detach()  # the wrapper would close the file under the check for changes


class _ZstdReader(io.RawIOBase):
    """Unpacks zstd, several frames in a row too. The library's own stream reader takes a cut-off file for a whole one."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._waiting = b""
        self._fresh = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        while not self._waiting:
            packed = self._frame.unused_data if self._frame.eof else b""
            packed = packed or self._raw.read(_READ_BYTES)
            if not packed:
                if not self._fresh and not self._frame.eof:
                    raise EOFError("zstd frame is cut off")
                return 0
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._fresh = False
            self._waiting = self._frame.decompress(packed)
        count = min(len(buffer), len(self._waiting))
        buffer[:count] = self._waiting[:count]
        self._waiting = self._waiting[count:]
        return count
