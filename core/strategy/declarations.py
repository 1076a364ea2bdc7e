"""What a plug-in's source declares, read from its syntax tree without running it."""

import ast
import inspect
import re
import warnings
from collections.abc import Iterator
from typing import Final

from core.model.plugin import ParamSpec
from core.strategy import api
from core.strategy.literals import SourceError, literal
from core.strategy.parameters import read_param

API: Final = api.__name__
OURS: Final = frozenset({"app", "core", "ui", "migrations", "resources"})
"""Top-level packages of the program; a plug-in imports nothing of them but the API."""

_BASES: Final = frozenset({f"{API}.Strategy", f"{API}.BarStrategy"})
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


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
            declared.params[target] = read_param(target, annotation, value)
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


def _text(what: str, node: ast.expr) -> str:
    value = literal(what, node)
    if not isinstance(value, str) or not value.strip():
        raise SourceError(node.lineno, f"{what} must be text in quotes and not empty, not {value!r}.")
    return value


def _count(what: str, node: ast.expr) -> int:
    value = literal(what, node)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise SourceError(node.lineno, f"{what} must be a whole number, 0 for any number of symbols, not {value!r}.")
    return value
