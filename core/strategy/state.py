"""A strategy's saved state: nothing but what JSON can say, so that any later version of Python reads it."""

from math import isfinite
from typing import Any

from core.errors import NonsenseAction

_DEEPEST = 64


def plain_state(state: object) -> dict[str, Any]:
    """Return a copy of what `save_state` returned. Raises NonsenseAction, naming the place, for what JSON cannot say."""
    if not isinstance(state, dict):
        raise NonsenseAction(f"save_state returned {type(state).__name__}.", "Return a dict with texts as keys, or None.")
    copied: dict[str, Any] = _copied(state, "state", 0)
    return copied


def _copied(value: object, place: str, depth: int) -> Any:
    if depth > _DEEPEST:
        raise NonsenseAction(f"save_state returned something nested deeper than {_DEEPEST} levels.", "Return plain lists and dicts.")
    kind = type(value)
    if value is None or kind in {str, bool, int}:
        return value
    if isinstance(value, float):
        if not isfinite(value):
            raise NonsenseAction(f"save_state returned {value} as {place}, which JSON cannot say.", "Return None in its place.")
        return float(value)
    if isinstance(value, (list, tuple)):
        return [_copied(item, f"{place}[{at}]", depth + 1) for at, item in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise NonsenseAction(f"save_state returned the key {key!r} in {place}.", "Use texts as keys.")
        return {str(key): _copied(item, f"{place}[{key!r}]", depth + 1) for key, item in value.items()}
    raise NonsenseAction(
        f"save_state returned a {kind.__name__} as {place}.", "Return texts, numbers, lists and dicts; a Decimal as str(amount)."
    )
