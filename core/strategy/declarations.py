"""What a plug-in's source declares, read from its syntax tree without running it."""

import ast
import inspect
import re
import warnings
from collections.abc import Iterator
from math import isfinite
from typing import Any, Final

from core.errors import InvalidValue
from core.model.plugin import ParamKind, ParamSpec
from core.strategy import api
from core.strategy.api import BarStrategy

API: Final = api.__name__
OURS: Final = frozenset({"app", "core", "ui", "migrations", "resources"})
"""Top-level packages of the program; a plug-in imports nothing of them but the API."""

LARGEST_BITS: Final = 1_000
"""Size of a whole number; a larger one has no float."""

_BASES: Final = frozenset({f"{API}.Strategy", f"{API}.BarStrategy"})
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TAKEN: Final = frozenset(dir(BarStrategy)) | {"account", "actions", "config", "indicators", "name"}
_KINDS: Final = {"bool": ParamKind.BOOL, "int": ParamKind.INT, "float": ParamKind.FLOAT, "str": ParamKind.TEXT}
_ARGUMENTS: Final = ("default", "minimum", "maximum", "choices", "help")


class SourceError(Exception):
    """Why the source is not a plug-in: a sentence, and the line it is about (0: the file as a whole)."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line
        self.sentence = sentence


class Declaration:
    """One strategy class as its source declares it."""

    def __init__(self, tree: ast.ClassDef) -> None:
        self.class_name = tree.name
        self.line = tree.lineno
        self.id = ""
        self.name = ""
        self.version = "1"
        self.symbols = 1
        self.description = _unwrapped(inspect.cleandoc(ast.get_docstring(tree) or ""))
        self.params: dict[str, ParamSpec] = {}

    def inherit(self, base: "Declaration") -> None:
        """Take over what a base class in the same file declares."""
        self.version, self.symbols = base.version, base.symbols
        self.params.update(base.params)


def read_declarations(source: bytes) -> list[Declaration]:
    """Return the strategy classes of a plug-in's source that have an id; at least one. Raises SourceError."""
    module = _parse(source)
    names = _imported_names(module)
    found: dict[str, Declaration] = {}
    for statement in module.body:
        if isinstance(statement, ast.ClassDef):
            bases = [_full_name(base, names) for base in statement.bases]
            if _BASES.intersection(bases) or any(base in found for base in bases):
                found[statement.name] = _read_class(statement, [found[base] for base in bases if base in found], names)
    if not found:
        raise SourceError(0, f"it has no class that derives from BarStrategy or Strategy of {API}.")
    named = [declared for declared in found.values() if declared.id]
    if not named:
        last = list(found.values())[-1]
        raise SourceError(last.line, f'class {last.class_name} has no id; write, for example, id = "my-strategy" in it.')
    lines: dict[str, int] = {}
    for declared in named:
        if declared.id in lines:
            raise SourceError(
                declared.line, f"class {declared.class_name} has the id {declared.id!r} of the class in line {lines[declared.id]}."
            )
        lines[declared.id] = declared.line
    return named


def _parse(source: bytes) -> ast.Module:
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(source.count(b"\n", 0, error.start) + 1, "it is not UTF-8 text.") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        raise SourceError(error.lineno or 0, f"it is not valid Python: {error.msg}.") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise SourceError(0, f"it is not valid Python: {str(error) or type(error).__name__}.") from error


def _imported_names(module: ast.Module) -> dict[str, str]:
    """Return what each imported name stands for. Raises SourceError for an import a plug-in may not make."""
    names: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                _check_import(alias.name, node.lineno)
                if alias.asname:
                    names[alias.asname] = alias.name
                else:
                    top = alias.name.partition(".")[0]
                    names[top] = top
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise SourceError(node.lineno, "a plug-in is one file and cannot import from a file beside it.")
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                _check_import(node.module if node.module == API else full, node.lineno)
                if alias.name == "*":
                    names.update({public: f"{node.module}.{public}" for public in api.__all__ if node.module == API})
                else:
                    names[alias.asname or alias.name] = full
    return names


def _check_import(module: str | None, line: int) -> None:
    if module is not None and module != API and module.partition(".")[0] in OURS:
        raise SourceError(line, f"it imports {module}; of the program a plug-in may import {API} only.")


def _full_name(node: ast.expr, names: dict[str, str]) -> str:
    """Return the dotted name of an expression with its first part resolved by the imports; empty when it is none."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        owner = _full_name(node.value, names)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def _read_class(tree: ast.ClassDef, bases: list[Declaration], names: dict[str, str]) -> Declaration:
    declared = Declaration(tree)
    for base in reversed(bases):
        declared.inherit(base)
    for target, annotation, value in _assignments(tree):
        if isinstance(value, ast.Call) and _full_name(value.func, names) == f"{API}.param":
            declared.params[target] = _read_param(target, annotation, value)
        elif target in declared.params:
            del declared.params[target]
        elif target in {"id", "name", "version"}:
            setattr(declared, target, _text(target, value))
        elif target == "symbols":
            declared.symbols = _count(target, value)
    if declared.id and not _ID.fullmatch(declared.id):
        raise SourceError(declared.line, f"the id {declared.id!r} may have letters, digits, -, _ and . only, at most 64 of them.")
    declared.name = declared.name or declared.description.partition("\n")[0].rstrip(".") or declared.id
    return declared


def _unwrapped(text: str) -> str:
    """Return a docstring with a line for each paragraph: whoever shows it wraps it. Lists and indented lines stay."""
    paragraphs = re.split(r"\n\s*\n", text)
    return "\n\n".join(part if re.search(r"^(\s|[-*•] |\d+\. )", part, re.MULTILINE) else part.replace("\n", " ") for part in paragraphs)


def _assignments(tree: ast.ClassDef) -> Iterator[tuple[str, ast.expr | None, ast.expr]]:
    for statement in tree.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value is not None:
            yield statement.target.id, statement.annotation, statement.value
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    yield target.id, None, statement.value


def _literal(what: str, node: ast.expr) -> Any:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise SourceError(node.lineno, f"{what} must be written as a plain value; it is read without running the file.") from error
    if isinstance(value, int) and value.bit_length() > LARGEST_BITS:
        raise SourceError(node.lineno, f"{what} is too large a number.")
    return value


def _text(what: str, node: ast.expr) -> str:
    value = _literal(what, node)
    if not isinstance(value, str) or not value.strip():
        raise SourceError(node.lineno, f"{what} must be text in quotes and not empty, not {value!r}.")
    return value


def _count(what: str, node: ast.expr) -> int:
    value = _literal(what, node)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise SourceError(node.lineno, f"{what} must be a whole number, 0 for any number of symbols, not {value!r}.")
    return value


def _read_param(name: str, annotation: ast.expr | None, call: ast.Call) -> ParamSpec:
    line = call.lineno
    if name in _TAKEN or name.startswith("_"):
        raise SourceError(line, f"a parameter cannot be named {name}; strategies have something else by that name.")
    given = _arguments(name, call)
    written = annotation.id if isinstance(annotation, ast.Name) else annotation.value if isinstance(annotation, ast.Constant) else None
    kind = _KINDS.get(written) if isinstance(written, str) else None
    if kind is None:
        raise SourceError(line, f"parameter {name} needs its type, one of bool, int, float and str: {name}: int = param(10).")
    numeric = kind in {ParamKind.INT, ParamKind.FLOAT}
    choices = given.get("choices", ())
    if not isinstance(choices, (tuple, list)) or not all(isinstance(choice, str) for choice in choices):
        raise SourceError(line, f"choices of parameter {name} must be texts: choices=('a', 'b').")
    if choices and kind is not ParamKind.TEXT:
        raise SourceError(line, f"parameter {name} is {kind.value}; only a str has choices.")
    if not isinstance(given.get("help", ""), str):
        raise SourceError(line, f"help of parameter {name} must be text.")
    bounds = {bound: _bound(name, bound, given[bound], line, numeric=numeric) for bound in ("minimum", "maximum") if bound in given}
    low, high = bounds.get("minimum"), bounds.get("maximum")
    if low is not None and high is not None and low > high:
        raise SourceError(line, f"parameter {name} has a minimum of {low:g} above its maximum of {high:g}.")
    default = given["default"]
    fits: dict[ParamKind, tuple[type, ...]] = {
        ParamKind.BOOL: (bool,),
        ParamKind.INT: (int,),
        ParamKind.FLOAT: (int, float),
        ParamKind.TEXT: (str,),
    }
    if type(default) not in fits[kind]:
        raise SourceError(line, f"parameter {name} is {kind.value}, but its default is {default!r}.")
    spec = ParamSpec(
        name=name,
        kind=kind,
        default=float(default) if kind is ParamKind.FLOAT else default,
        minimum=low,
        maximum=high,
        choices=tuple(choices),
        help=str(given.get("help", "")),
    )
    try:
        spec.parse(default)
    except InvalidValue as error:
        raise SourceError(line, f"the default of parameter {name} does not fit: {error.what}") from error
    return spec


def _arguments(name: str, call: ast.Call) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if len(call.args) > 1:
        raise SourceError(
            call.lineno, f"parameter {name}: only the default goes without a name; write minimum=, maximum=, choices=, help=."
        )
    if call.args:
        given["default"] = _literal(f"the default of parameter {name}", call.args[0])
    for keyword in call.keywords:
        if keyword.arg not in _ARGUMENTS:
            raise SourceError(call.lineno, f"parameter {name} cannot take {keyword.arg or '**'}; it takes {', '.join(_ARGUMENTS)}.")
        given[keyword.arg] = _literal(f"{keyword.arg} of parameter {name}", keyword.value)
    if "default" not in given:
        raise SourceError(call.lineno, f"parameter {name} has no default: {name}: int = param(10).")
    return given


def _bound(name: str, bound: str, value: object, line: int, *, numeric: bool) -> float | None:
    if value is None:
        return None
    if not numeric:
        raise SourceError(line, f"parameter {name} is not a number and has no {bound}.")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise SourceError(line, f"{bound} of parameter {name} must be a finite number, not {value!r}.")
    return value
