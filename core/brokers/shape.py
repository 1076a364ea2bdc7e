"""Whether what an adapter gives is what a port asks for."""

from datetime import datetime
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

_HINTS = {Decimal: "made from text, not from a float", int: "of times, UTC nanoseconds"}


def wrong_in(value: object, wanted: Any, name: str = "it") -> str | None:
    """Return what is wrong with a value, in words; None: nothing. `wanted`: a type as a port writes it."""
    origin, inside = get_origin(wanted), get_args(wanted)
    if origin in {Union, UnionType}:
        found = [wrong_in(value, one, name) for one in inside]
        if None in found:
            return None
        # Of several types the one that it has the form of says the most.
        return next((said for one, said in zip(inside, found, strict=True) if type(value) is one), _is_not(value, wanted, name))
    if origin in {list, tuple, dict}:
        if not isinstance(value, origin):
            return _is_not(value, origin, name)
        items = value.items() if isinstance(value, dict) else enumerate(value)
        of = inside[1] if origin is dict else inside[0]
        return next((said for key, item in items if (said := wrong_in(item, of, f"{name}[{key!r}]")) is not None), None)
    if wanted is None or wanted is NoneType:
        return None if value is None else _is_not(value, None, name)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        return _is_not(value, wanted, name)
    if isinstance(value, Decimal) and not value.is_finite():
        return f"{name} is {value}, and no amount"
    if isinstance(value, msgspec.Struct):
        fields = ((field, wrong_in(getattr(value, field), of, field)) for field, of in _fields(type(value)))
        return next((f"{type(value).__name__}: {said}" for _, said in fields if said is not None), None)
    return None


@cache
def _fields(struct: type[msgspec.Struct]) -> tuple[tuple[str, Any], ...]:
    hints = get_type_hints(struct)
    return tuple((field, hints[field]) for field in struct.__struct_fields__)


def _is_not(value: object, wanted: Any, name: str) -> str:
    told = getattr(wanted, "__name__", None) or str(wanted).replace("core.model.", "")
    given = "None" if value is None else type(value).__name__
    hint = _HINTS.get(wanted, "")
    if isinstance(value, datetime) and wanted is int:
        hint = "UTC nanoseconds: core.model.instants.to_ns makes them of a time with a zone"
    return f"{name} is {given} where {told} is wanted" + (f" ({hint})" if hint else "")
