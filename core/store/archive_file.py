"""A file of archived events: compressed JSON lines. The first line says what it is, the last how many events it has and their hash.

An event is the list of its cells, in the order of the head's columns. A file without its last line is not whole.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import zstandard

from core import ENGINE_VERSION
from core.errors import BugError, DatabaseNewer, UnreadableFile
from core.events.codec import EventCodec
from core.events.dispatch import fits
from core.events.envelope import Envelope
from core.model.retention import EventClass
from core.store.memory_rows import event_of
from core.store.portable import lines_of, sync
from core.store.tables import OUTBOX

FORM: Final = 1
COLUMNS: Final = tuple(str(name) for name in OUTBOX.columns.keys())  # noqa: SIM118 - a collection of columns, not a dict
_encode = msgspec.json.Encoder().encode


class ArchiveHead(msgspec.Struct, frozen=True, kw_only=True):
    """What the file is."""

    form: int
    program: str
    kind: str
    created_ns: int
    columns: tuple[str, ...]


class ArchiveEnd(msgspec.Struct, frozen=True, kw_only=True):
    """What it holds."""

    events: int
    sha256: str


class ArchiveWriter:
    """Writes an archive beside its place. It has its name only after it was written, put on the disk, read again and found the same."""

    def __init__(self, part: Path, kind: EventClass, created_ns: int) -> None:
        self._part = part
        self._file = part.open("wb")
        self._stream = zstandard.ZstdCompressor(level=6).stream_writer(self._file, closefd=False)
        self._digest = hashlib.sha256()
        self.events = 0
        self._stream.write(
            _encode(ArchiveHead(form=FORM, program=ENGINE_VERSION, kind=kind.value, created_ns=created_ns, columns=COLUMNS)) + b"\n"
        )

    def write(self, cells: Sequence[Any]) -> None:
        """Add an event."""
        line = _encode(list(cells)) + b"\n"
        self._stream.write(line)
        self._digest.update(line)
        self.events += 1

    def finish(self) -> ArchiveEnd:
        """Put it on the disk, read it again, and return what it holds. Raises BugError when it reads otherwise than it was written."""
        end = ArchiveEnd(events=self.events, sha256=self._digest.hexdigest())
        self._stream.write(_encode(end) + b"\n")
        self.close()
        sync(self._part)
        found = checked_end(self._part)
        if found != end:
            raise BugError(f"{self._part} reads otherwise than it was written.")
        return end

    def close(self) -> None:
        """Let go of the file, whole or not."""
        if not self._file.closed:
            self._stream.flush(zstandard.FLUSH_FRAME)
            self._file.close()


def checked_end(path: Path) -> ArchiveEnd:
    """Read all of an archive and return what it holds. Raises UnreadableFile when it is not whole."""
    reader = ArchiveReader(path)
    for _ in reader.rows():
        pass
    if reader.end is None:
        raise _not_whole(path)
    return reader.end


class ArchiveReader:
    """Reads an archive from its beginning, as often as it is asked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.end: ArchiveEnd | None = None

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the events as rows by column. Raises UnreadableFile, DatabaseNewer; at the end, too, when it is not what was written."""
        digest, count, last = hashlib.sha256(), 0, b""
        with self._opened() as file:
            lines = lines_of(zstandard.ZstdDecompressor().stream_reader(file))
            columns = self._head(lines).columns
            try:
                for line in lines:
                    if last:
                        digest.update(last)
                        count += 1
                        yield dict(zip(columns, msgspec.json.decode(last), strict=True))
                    last = line
                end = msgspec.json.decode(last, type=ArchiveEnd) if last else None
            except (zstandard.ZstdError, msgspec.MsgspecError, ValueError, EOFError) as error:
                raise _not_whole(self._path) from error
        if end != ArchiveEnd(events=count, sha256=digest.hexdigest()):
            raise _not_whole(self._path)
        self.end = end

    def _opened(self) -> IO[bytes]:
        try:
            return self._path.open("rb")
        except FileNotFoundError as error:
            raise UnreadableFile(f"There is no file {self._path}.", "`weaver db archives` lists the archives.") from error
        except IsADirectoryError as error:
            raise UnreadableFile(f"{self._path} is a folder.", "Name a file in it.") from error
        except PermissionError as error:
            raise UnreadableFile(f"{self._path} may not be read by this user.", "Change its permissions.") from error
        except OSError as error:
            raise UnreadableFile(f"{self._path} cannot be read: {error.strerror or error}.", "Check the disk and try again.") from error

    def _head(self, lines: Iterator[bytes]) -> ArchiveHead:
        try:
            head = msgspec.json.decode(next(lines, b""), type=ArchiveHead)
        except (zstandard.ZstdError, msgspec.MsgspecError, EOFError) as error:
            raise UnreadableFile(f"{self._path} is not an archive of events.", "Name a file that `weaver db archive` wrote.") from error
        if head.form > FORM:
            raise DatabaseNewer(f"{self._path} was written by a newer version of the program ({head.program}).", "Install that version.")
        return head


class ArchivedEvents:
    """The events of an archive file, read like those of a log."""

    def __init__(self, path: Path, codec: EventCodec) -> None:
        self._reader = ArchiveReader(path)
        self._codec = codec

    def read(self, wanted: Callable[[dict[str, Any]], bool]) -> Iterator[Envelope]:
        """Yield the events whose row is wanted, in the order of the file: run by run."""
        return (event_of(row, self._codec) for row in self._reader.rows() if wanted(row))

    def last(self, limit: int, *, run_id: str | None, pattern: str) -> list[Envelope]:
        """Return the newest `limit` events that fit, oldest first. `run_id` may be the beginning of an id."""

        def wanted(row: dict[str, Any]) -> bool:
            return fits(row["type"], pattern) and (run_id is None or (row["run_id"] or "").startswith(run_id))

        found: list[Envelope] = []
        for event in self.read(wanted):
            found.append(event)
            if len(found) >= 2 * limit:
                found = sorted(found, key=lambda item: item.seq)[-limit:]
        return sorted(found, key=lambda item: item.seq)[-limit:]

    def of_run_of(self, seq: int) -> list[Envelope]:
        """Return the events of the run that the event `seq` belongs to, up to it, oldest first; nothing when it is not there."""
        run = next((row for row in self._reader.rows() if row["seq"] == seq), None)
        if run is None:
            return []
        found = self.read(lambda row: row["run_id"] == run["run_id"] and row["seq"] <= seq)
        return sorted(found, key=lambda event: event.seq)


def _not_whole(path: Path) -> UnreadableFile:
    return UnreadableFile(f"{path} is not a whole archive: it was cut off or changed.", "Take another copy of it.")
