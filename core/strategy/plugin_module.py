"""Imports a plug-in's source as a module of its own."""

import hashlib
import importlib.util
import sys
import traceback
from importlib.abc import SourceLoader
from pathlib import Path

from core.errors import StrategyBroken
from core.model.plugin import StrategyInfo
from core.strategy.api import Strategy


class _SourceInHand(SourceLoader):
    """Imports bytes that were already read: what was hashed is what runs, and no stale bytecode is found or left."""

    def __init__(self, path: Path, source: bytes) -> None:
        self._path = path
        self._source = source

    def get_filename(self, fullname: str) -> str:
        return str(self._path)

    def get_data(self, path: str | bytes) -> bytes:
        # Only the source itself; a cached compilation is never there.
        if str(path) != str(self._path):
            raise FileNotFoundError(path)
        return self._source


def import_class(path: Path, source: bytes, info: StrategyInfo) -> type[Strategy]:
    """Run `source`, the content of the file at `path`, and return the class that `info` tells of. Raises StrategyBroken."""
    place = hashlib.sha256(info.path.encode()).hexdigest()[:8]
    name = f"weaver_plugin_{place}_{info.sha256}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_SourceInHand(path, source))
    if spec is None or spec.loader is None:
        raise StrategyBroken(f"{path.name} cannot be imported.", "Give the file a name that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and type hints look their module up by name while the file runs. A later load takes the name over.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        sys.modules.pop(name, None)
        raise
    except BaseException as error:
        # A file may even call sys.exit(); that ends the file's import, not the program.
        sys.modules.pop(name, None)
        raise StrategyBroken(_import_failure(path, error), "Correct the file and try again.") from error
    return _checked_class(getattr(module, info.class_name, None), path, info)


def _import_failure(path: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line = error.lineno or 0
    else:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = (lines[-1] or 0) if lines else 0
    where = f"{path.name}, line {line}" if line else path.name
    said = " ".join(str(error).split())
    return f"{where}: it cannot be imported: {type(error).__name__}{': ' if said else ''}{said}."


def _checked_class(loaded: object, path: Path, info: StrategyInfo) -> type[Strategy]:
    todo = "Correct the file and try again."
    if not isinstance(loaded, type) or not issubclass(loaded, Strategy):
        raise StrategyBroken(f"{path.name}: after its import {info.class_name} is not a strategy class.", todo)
    for attribute, declared in (("id", info.id), ("symbols", info.symbols)):
        if getattr(loaded, attribute) != declared:
            now = getattr(loaded, attribute)
            raise StrategyBroken(
                f"{path.name}: {attribute} of {info.class_name} is {declared!r} in its source but {now!r} once imported.", todo
            )
    for param in info.params:
        if getattr(loaded, param.name, None) != param.default:
            raise StrategyBroken(f"{path.name}: parameter {param.name} of {info.class_name} was changed while the file was imported.", todo)
    return loaded


def source_sha256(strategy: type) -> str:
    """Return the hash of the source that a class of a plug-in was imported from."""
    return strategy.__module__.rpartition("_")[2]
