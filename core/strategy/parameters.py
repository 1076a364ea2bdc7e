"""Parameters as a plug-in's source declares them: `fast: int = param(10, minimum=1)`."""

import ast
from math import isfinite
from typing import Any, Final

from core.errors import InvalidValue
from core.model.plugin import ParamKind, ParamSpec
from core.strategy.api import BarStrategy
from core.strategy.literals import SourceError, literal

_TAKEN: Final = frozenset(dir(BarStrategy)) | {"account", "actions", "config", "indicators", "name", "plots"}
_KINDS: Final = {"bool": ParamKind.BOOL, "int": ParamKind.INT, "float": ParamKind.FLOAT, "str": ParamKind.TEXT}
_ARGUMENTS: Final = ("default", "minimum", "maximum", "choices", "help")


def read_param(name: str, annotation: ast.expr | None, call: ast.Call) -> ParamSpec:
    """Return what `name: annotation = call` declares. Raises SourceError when it contradicts itself."""
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
        given["default"] = literal(f"the default of parameter {name}", call.args[0])
    for keyword in call.keywords:
        if keyword.arg not in _ARGUMENTS:
            raise SourceError(call.lineno, f"parameter {name} cannot take {keyword.arg or '**'}; it takes {', '.join(_ARGUMENTS)}.")
        given[keyword.arg] = literal(f"{keyword.arg} of parameter {name}", keyword.value)
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
