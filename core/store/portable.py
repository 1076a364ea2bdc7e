"""One portable file of everything: a zip archive with a member of compressed JSON lines for each table.

`head.json` comes first: the form of the file, and which program wrote it at which revision of the tables. A table's member begins with the
names of its columns; each line after it is a row, binary cells in base64. `contents.json` comes last: how many rows each
table has, and the hash of its lines. A zip archive ends with its directory: a file that was cut off has none and is refused.
"""

import errno
import hashlib
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import zstandard

from core.errors import DatabaseNewer, DiskFull, KnownError, StoreError, StoreReadOnly, UnreadableFile

FORM: Final = 1
_HEAD: Final = "head.json"
_CONTENTS: Final = "contents.json"
_ENDING: Final = ".jsonl.zst"
_READ_BYTES: Final = 1 << 20
_encode = msgspec.json.Encoder().encode


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What the file is. `revision`: of the tables it was written from."""

    form: int
    program: str
    revision: str
    created_ns: int


class TableContents(msgspec.Struct, frozen=True, kw_only=True):
    """What the member of a table holds."""

    rows: int
    sha256: str


class PortableWriter:
    """Writes the file beside its place; it gets its name once it is whole and on the disk."""

    def __init__(self, path: Path, head: Head) -> None:
        self._archive = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True)
        self._archive.writestr(_HEAD, _encode(head))
        self._contents: dict[str, TableContents] = {}

    def write(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], step: Callable[[int], None]) -> None:
        """Write a table; `step` is told how many of its rows are written."""
        digest, count = hashlib.sha256(), 0
        compressor = zstandard.ZstdCompressor(level=3)
        with (
            self._archive.open(table + _ENDING, "w", force_zip64=True) as member,
            compressor.stream_writer(member, closefd=False) as stream,
        ):
            stream.write(line := _encode([str(name) for name in columns]) + b"\n")
            digest.update(line)
            for row in rows:
                stream.write(line := _encode(list(row)) + b"\n")
                digest.update(line)
                count += 1
                if not count % 256:
                    step(count)
        self._contents[table] = TableContents(rows=count, sha256=digest.hexdigest())

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows of each table so far."""
        return {name: contents.rows for name, contents in self._contents.items()}

    def finish(self) -> None:
        """Write what it holds."""
        self._archive.writestr(_CONTENTS, _encode(self._contents))
        self._archive.close()

    def close(self) -> None:
        """Let go of the file, whole or not."""
        self._archive.close()


@contextmanager
def portable_writer(path: Path, head: Head) -> Iterator[PortableWriter]:
    """Write to `path`, all of it or nothing: what was there stays until the new file is whole. Raises StoreError, DiskFull."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = PortableWriter(part, head)
        try:
            yield writer
            writer.finish()
            sync(part)
            part.replace(path)
        finally:
            writer.close()
            part.unlink(missing_ok=True)
        sync(path.parent)
    except OSError as error:
        raise unwritable(error, path) from error


def unwritable(error: OSError, path: Path) -> KnownError:
    """Return the known error for a file or folder that cannot be written."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(f"No space is left for {path}.", "Free some space and try again.")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return StoreReadOnly(f"{path} cannot be written.", "Allow writing there, or choose another place.")
    return StoreError(f"{path} cannot be written: {error.strerror or error}.", "Choose another place.")


def sync(path: Path) -> None:
    """Return when a file, or a directory's names, are on the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows writes names through by itself, and opens no directories
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class PortableReader:
    """Reads such a file. Raises UnreadableFile for what is not one, or is not whole, and DatabaseNewer for one of a newer version."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, revision: str) -> None:
        self._path = path
        self._archive = archive
        try:
            self.head = msgspec.json.decode(archive.read(_HEAD), type=Head)
        except (KeyError, msgspec.MsgspecError) as error:
            raise UnreadableFile(f"{path} is not an export of this program.", "Name a file that `weaver db export` wrote.") from error
        if self.head.form > FORM or self.head.revision > revision:
            raise DatabaseNewer(
                f"{path} was written by a newer version of the program ({self.head.program}).", "Install that version to import it."
            )
        try:
            contents = msgspec.json.decode(archive.read(_CONTENTS), type=dict[str, TableContents])
        except (KeyError, zipfile.BadZipFile, msgspec.MsgspecError) as error:
            raise _damaged(path, "what it holds cannot be read") from error
        self.contents: Final[dict[str, TableContents]] = contents

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows of each table."""
        return {name: contents.rows for name, contents in self.contents.items()}

    def read(self, table: str) -> Iterator[list[Any]]:
        """Yield the columns of a table, then its rows as JSON has them. The last row comes only when all were as they were written."""
        expected = self.contents.get(table)
        if expected is None:
            return
        digest, count = hashlib.sha256(), -1
        try:
            with self._archive.open(table + _ENDING) as member:
                for line in lines_of(zstandard.ZstdDecompressor().stream_reader(member)):
                    digest.update(line)
                    count += 1
                    yield msgspec.json.decode(line)
        except (zipfile.BadZipFile, zstandard.ZstdError, msgspec.MsgspecError, KeyError, EOFError) as error:
            raise _damaged(self._path, f"{table} cannot be read") from error
        if (count, digest.hexdigest()) != (expected.rows, expected.sha256):
            raise _damaged(self._path, f"{table} is not what was written")


@contextmanager
def portable_reader(path: Path, revision: str) -> Iterator[PortableReader]:
    """Open such a file; `revision` is the newest of the tables that this program knows."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield PortableReader(path, archive, revision)
    except zipfile.BadZipFile as error:
        raise UnreadableFile(f"{path} is not a whole export: it is another file, or it was cut off.", "Export it again.") from error
    except FileNotFoundError as error:
        raise UnreadableFile(f"There is no file {path}.", "Check its name.") from error
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror or error}.", "Check the disk and try again.") from error


def lines_of(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a stream, each with its end."""
    rest = b""
    while block := stream.read(_READ_BYTES):
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest


def _damaged(path: Path, what: str) -> UnreadableFile:
    return UnreadableFile(f"{path} is damaged: {what}.", "Nothing was imported; take another copy, or export again.")
