"""Finds adapters without importing them, and imports one when an account is opened with it."""

import ast
import importlib.util
import inspect
import re
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, get_origin, get_type_hints

import msgspec

from core.brokers.api import Adapter
from core.brokers.faulty_place import PACKAGE, own_files, place_in
from core.errors import AdapterBroken, UnknownName
from core.model.broker import AccountName, AdapterInfo, Features, OrderClass
from core.model.market import AssetClass
from core.model.order import OrderType, TimeInForce

BUILTIN_FOLDER: Final = Path(__file__).parent / "adapters"
LARGEST_SOURCE_BYTES: Final = 1_000_000
OWN_IDS: Final = frozenset({"sim", "paper"})
"""Brokers inside the program, which are no files."""
_ID: Final = re.compile(r"[\w.-]{1,40}")
_TEXTS: Final = ("id", "name", "version")
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "accounts": tuple(AccountName),
    "assets": tuple(AssetClass),
    "order_types": tuple(OrderType),
    "order_classes": tuple(OrderClass),
    **dict.fromkeys(("times_in_force", "crypto_times_in_force", "fraction_times_in_force"), tuple(TimeInForce)),
}
_TODO: Final = "Correct the file and try again; `weaver accounts adapters` lists all of them."


class AdapterLoader:
    """Adapters of the program's own folder, then of the person's. An adapter is trusted code: it is given an account's keys."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(dict.fromkeys((BUILTIN_FOLDER, *(folder.absolute() for folder in folders))))

    def find_all(self) -> Mapping[str, AdapterInfo]:
        """Return every adapter on disk by id: sound ones first, then broken ones under their file's name."""
        sound: dict[str, AdapterInfo] = {}
        broken: list[AdapterInfo] = []
        for folder in self._folders:
            for path in _files(folder):
                info = _read(path, builtin=folder == BUILTIN_FOLDER)
                if info.error is None and info.id in sound:
                    error = f"{_name(path)}: its id {info.id!r} is that of {sound[info.id].path}, which stays in use."
                    info = msgspec.structs.replace(info, error=error)
                if info.error is None:
                    sound[info.id] = info
                else:
                    broken.append(info)
        for info in broken:
            number, free = 1, _stem(Path(info.path))
            while free in sound:
                number += 1
                free = f"{_stem(Path(info.path))}-{number}"
            sound[free] = msgspec.structs.replace(info, id=free)
        return sound

    def load(self, id: str) -> tuple[AdapterInfo, Adapter]:
        """Import an adapter's file as it is now, and return what it declares with an instance. Raises UnknownName or AdapterBroken."""
        found = self.find_all()
        if id not in found:
            raise UnknownName("adapter", id, found)
        info = found[id]
        if info.error is not None:
            raise AdapterBroken(info.error, _TODO)
        path = Path(info.path)
        name = _name(path)
        inside = [str(path.parent)] if path.name == PACKAGE else None
        spec = importlib.util.spec_from_file_location(f"weaver_adapter_{_stem(path)}", path, submodule_search_locations=inside)
        if spec is None or spec.loader is None:
            raise AdapterBroken(f"{name} cannot be imported.", _TODO)
        module = importlib.util.module_from_spec(spec)
        # Its other files are read anew with it; somebody may have changed them.
        importlib.invalidate_caches()
        for other in [other for other in sys.modules if other.startswith(f"{spec.name}.")]:
            del sys.modules[other]
        # Dataclasses and type hints look their module up by name while the file runs.
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
            adapter = getattr(module, info.class_name)()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a file may even call sys.exit()
            said = " ".join(str(error).split())
            place = place_in(error, own_files(info.path))
            raise AdapterBroken(f"{name} cannot be imported: {type(error).__name__}: {said}{place}.", _TODO) from error
        if not isinstance(adapter, Adapter):
            raise AdapterBroken(f"{name}: {info.class_name} is no adapter once it is imported.", _TODO)
        return info, adapter


def _files(folder: Path) -> list[Path]:
    """Return what may hold an adapter: files, and of a folder that is a package the file that it begins with."""
    try:
        named = sorted(path for path in folder.iterdir() if not path.name.startswith(("_", ".")))
        return [path if path.suffix == ".py" else path / PACKAGE for path in named if path.suffix == ".py" or (path / PACKAGE).is_file()]
    except OSError:
        return []  # a folder that is not there is empty


def _name(path: Path) -> str:
    """Return what a person calls the file, or the folder, of an adapter."""
    return path.parent.name if path.name == PACKAGE else path.name


def _stem(path: Path) -> str:
    return _name(path).removesuffix(".py")


def _read(path: Path, *, builtin: bool) -> AdapterInfo:
    """Return what a file declares, or what is wrong with it."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_SOURCE_BYTES:
            raise ValueError("it is not a regular file of a sensible size")
        declared = _declared(ast.parse(path.read_bytes()))
        return AdapterInfo(
            id=str(declared["id"]),
            name=str(declared.get("name") or declared["id"]),
            version=str(declared.get("version", "1")),
            description=str(declared["description"]),
            path=str(path),
            class_name=str(declared["class_name"]),
            features=_features(declared),
            builtin=builtin,
        )
    except SyntaxError as error:
        why = f"line {error.lineno}: it is not valid Python: {error.msg}"
    except OSError as error:
        why = f"it cannot be read: {error.strerror}"
    except (ValueError, RecursionError, MemoryError, msgspec.ValidationError) as error:
        why = str(error) or "it is nested too deeply"
    return AdapterInfo(
        id=_stem(path),
        name=_name(path),
        version="",
        description="",
        path=str(path),
        builtin=builtin,
        error=f"{_name(path)}: {why.rstrip('.')}{'' if why.endswith('?') else '.'}",
    )


def _declared(module: ast.Module) -> dict[str, Any]:
    """Return the plain values in the one adapter class of a module. Raises ValueError."""
    for node in module.body:
        if isinstance(node, ast.ClassDef) and any(_last_name(base) == "Adapter" for base in node.bases):
            values: dict[str, Any] = {"class_name": node.name, "description": inspect.cleandoc(ast.get_docstring(node) or "")}
            for statement in node.body:
                if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                    _check_name(statement.targets[0].id, statement.lineno)
                    values[statement.targets[0].id] = _literal(statement.targets[0].id, statement.value)
                elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value is not None:
                    _check_name(statement.target.id, statement.lineno)
                    values[statement.target.id] = _literal(statement.target.id, statement.value)
            for name in _TEXTS:
                if name in values and not (isinstance(values[name], str) and values[name].strip()):
                    raise ValueError(f"{name} must be text")
            if "id" not in values:
                raise ValueError(f'class {node.name} has no id; write, for example, id = "my-broker" in it')
            if not _ID.fullmatch(values["id"]):
                raise ValueError(f"id must be letters, digits, dots, dashes or underscores, at most 40, and not {values['id']!r}")
            if values["id"] in OWN_IDS:
                raise ValueError(f"id {values['id']!r} is that of a market inside the program")
            return values
    raise ValueError("it has no class that derives from Adapter of core.brokers.api")


def _features(declared: Mapping[str, Any]) -> Features:
    """Return what an adapter declares that its broker can do. Raises ValueError."""
    values = {name: declared[name] for name in Features.__struct_fields__ if name in declared}
    for name, value in values.items():
        try:
            msgspec.convert({name: value}, Features, strict=True)
        except msgspec.ValidationError as error:
            said = f"{name}: {str(error).partition(' - at')[0]}"
            if isinstance(value, str) and get_origin(get_type_hints(Features)[name]) is tuple:
                said += f"; write it with a comma, like ({value!r},)"
            elif words := _WORDS.get(name):
                said += f"; the words are {', '.join(words)}"
            raise ValueError(said) from error
    return msgspec.convert(values, Features, strict=True)


def _check_name(name: str, line: int) -> None:
    """Raise ValueError for an attribute that is almost one of an adapter's: nobody would read it."""
    known = (*_TEXTS, *Features.__struct_fields__)
    if name not in known and (near := get_close_matches(name, known, n=1, cutoff=0.9)):
        raise ValueError(f"line {line}: an adapter has no {name}; did you mean {near[0]}?")


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _literal(name: str, node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        if name not in (*_TEXTS, *Features.__struct_fields__):
            return None  # something of its own that nobody reads
        raise ValueError(f"line {node.lineno}: {name} must be written as a plain value; it is read without running the file") from error
