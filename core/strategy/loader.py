"""Finds strategy plug-ins without importing them, and imports one, anew, for a run."""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import Final

import msgspec
from msgspec.structs import replace

from core.errors import StrategyBroken
from core.model.plugin import StrategyInfo
from core.strategy.api import Strategy
from core.strategy.declarations import Declaration, read_declarations
from core.strategy.literals import SourceError
from core.strategy.plugin_module import import_class, source_sha256

BUILTIN_FOLDER: Final = Path(__file__).parent / "plugins"
LARGEST_SOURCE_BYTES: Final = 1_000_000

_Key = tuple[int, int]


class StrategyLoader:
    """The `StrategySource` of files: the program's own folder, then the user's `folders` in their order.

    A folder that does not exist is empty; one that cannot be read is named in `unreadable`. A plug-in is trusted
    code: the rules on imports keep files working, they are no sandbox.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(dict.fromkeys(folder.absolute() for folder in (BUILTIN_FOLDER, *folders)))
        self._read: dict[Path, tuple[_Key, tuple[StrategyInfo, ...]]] = {}
        self.unreadable: dict[Path, str] = {}
        self._looking = threading.Lock()

    def find_all(self) -> Mapping[str, StrategyInfo]:
        """Return every plug-in on disk by id: built-in ones first, broken ones last. A file is read again only when it changed.

        May be called in any thread.
        """
        with self._looking:
            return self._find_all()

    def _find_all(self) -> dict[str, StrategyInfo]:
        sound: dict[str, StrategyInfo] = {}
        broken: list[StrategyInfo] = []
        seen: set[Path] = set()
        self.unreadable = {}
        for folder in self._folders:
            for path in self._files(folder):
                seen.add(path)
                for info in self._infos(path):
                    if info.error is not None:
                        broken.append(info)
                    elif info.id in sound:
                        broken.append(_doubled(info, sound[info.id]))
                    else:
                        sound[info.id] = info
        for forgotten in self._read.keys() - seen:
            del self._read[forgotten]
        for info in broken:
            free = _free_id(Path(info.path), sound)
            sound[free] = replace(info, id=free)
        return sound

    def load(self, info: StrategyInfo) -> type[Strategy]:
        """Import the plug-in's file and return its class, with globals of its own at each call. Raises StrategyBroken.

        The file is loaded as it is now; when it is no longer the version `info` tells of, it must still declare that
        id. `source_sha256(class)` tells what was loaded.
        """
        path = Path(info.path)
        if info.error is not None:
            raise StrategyBroken(info.error, "Correct the file and try again.")
        try:
            source = path.read_bytes()
        except OSError as error:
            raise StrategyBroken(
                f"{path.name} cannot be read: {error.strerror}.", "Put the file back, or choose another strategy."
            ) from error
        current = info
        if hashlib.sha256(source).hexdigest() != info.sha256:
            current = self._same_id_now(path, source, info)
        return import_class(path, source, current)

    def _same_id_now(self, path: Path, source: bytes, info: StrategyInfo) -> StrategyInfo:
        for now in _read_source(path, source, builtin=info.builtin):
            if now.error is not None:
                raise StrategyBroken(now.error, "Correct the file and try again.")
            if now.id == info.id:
                return now
        raise StrategyBroken(f"{path.name} was changed and no longer has the strategy {info.id}.", "Choose the strategy again.")

    def loaded_sha256(self, strategy_class: type) -> str:
        """Return the hash of the source that a class returned by `load` was made from."""
        return source_sha256(strategy_class)

    def _files(self, folder: Path) -> list[Path]:
        try:
            return sorted(path for path in folder.iterdir() if path.suffix == ".py" and not path.name.startswith(("_", ".")))
        except FileNotFoundError:
            return []
        except OSError as error:
            self.unreadable[folder] = f"{folder} cannot be read: {error.strerror}."
            return []

    def _infos(self, path: Path) -> tuple[StrategyInfo, ...]:
        builtin = path.parent == BUILTIN_FOLDER
        if _printable(path) != str(path):
            return (_broken(Path(_printable(path)), "", 0, "its name is not UTF-8; rename the file.", builtin=builtin),)
        try:
            status = path.stat()
            key = (status.st_mtime_ns, status.st_size)
            if path in self._read and self._read[path][0] == key:
                return self._read[path][1]
            # Opening a pipe named like a plug-in would wait for its other end.
            if not S_ISREG(status.st_mode):
                return (_broken(path, "", 0, "it is not a regular file.", builtin=builtin),)
            if status.st_size > LARGEST_SOURCE_BYTES:
                sentence = f"it has {status.st_size:,} bytes; a plug-in has at most {LARGEST_SOURCE_BYTES:,}."
                return (_broken(path, "", 0, sentence, builtin=builtin),)
            source = path.read_bytes()
        except FileNotFoundError:
            # Taken away since the folder was listed, or a link to nothing.
            return ()
        except OSError as error:
            return (_broken(path, "", 0, f"it cannot be read: {error.strerror}.", builtin=builtin),)
        infos = _read_source(path, source, builtin=builtin)
        self._read[path] = (key, infos)
        return infos


def _read_source(path: Path, source: bytes, *, builtin: bool) -> tuple[StrategyInfo, ...]:
    sha256 = hashlib.sha256(source).hexdigest()
    try:
        infos = tuple(_info(declared, path, sha256, builtin=builtin) for declared in read_declarations(source))
        msgspec.json.encode(infos)
    except SourceError as error:
        return (_broken(path, sha256, error.line, error.sentence, builtin=builtin),)
    except RecursionError:
        return (_broken(path, sha256, 0, "an expression in it is nested too deeply.", builtin=builtin),)
    except UnicodeEncodeError:
        return (_broken(path, sha256, 0, "one of its texts holds half a character, such as \\ud800.", builtin=builtin),)
    return infos


def _info(declared: Declaration, path: Path, sha256: str, *, builtin: bool) -> StrategyInfo:
    return StrategyInfo(
        id=declared.id,
        name=declared.name,
        version=declared.version,
        description=declared.description,
        path=str(path),
        sha256=sha256,
        class_name=declared.class_name,
        params=tuple(declared.params.values()),
        symbols=declared.symbols,
        builtin=builtin,
    )


def _broken(path: Path, sha256: str, line: int, sentence: str, *, builtin: bool) -> StrategyInfo:
    where = f"{path.name}, line {line}" if line else path.name
    return StrategyInfo(
        id=path.stem,
        name=path.name,
        version="",
        description="",
        path=str(path),
        sha256=sha256,
        builtin=builtin,
        error=f"{where}: {sentence}",
    )


def _doubled(info: StrategyInfo, first: StrategyInfo) -> StrategyInfo:
    owner = "a built-in strategy" if first.builtin else f"the strategy in {first.path}"
    sentence = f"{Path(info.path).name}: its id {info.id!r} is that of {owner}, which stays in use. Give this one an id of its own."
    return replace(info, error=sentence)


def _printable(path: Path) -> str:
    return str(path).encode("utf-8", "replace").decode()


def _free_id(path: Path, taken: Mapping[str, object]) -> str:
    wanted = path.stem.replace("_", "-")
    number, free = 1, wanted
    while free in taken:
        number += 1
        free = f"{wanted}-{number}"
    return free
