"""What an indicator remembers from one bar to the next, so that one formula serves whole histories and single bars.

A formula looks back only through operations that say what they keep: windows, smoothing, earlier values, sums. Called on
its own, a formula makes each of them anew and hands it the whole history. Inside `Memory.resumed` it gets the ones of the
call before, in the order in which it uses them, and hands them the bars that came since. So there is no second formula
that could differ from the first.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, ParamSpec, TypeVar

import numpy as np

from core.errors import BugError

Settings = ParamSpec("Settings")
Kind = TypeVar("Kind")

quietly: Final = np.errstate(all="ignore")
"""Decorates a formula: that nan, inf and 0 ÷ 0 are among its values is no reason to warn."""

_resumed: ContextVar["Memory | None"] = ContextVar("resumed", default=None)


class Memory:
    """The operations of one indicator, kept from call to call."""

    def __init__(self) -> None:
        self._kept: list[tuple[object, tuple[object, ...], Any]] = []
        self._used = 0

    @contextmanager
    def resumed(self) -> Iterator[None]:
        """Let the formula called inside go on where its last call ended; the arrays given to it hold new bars only."""
        self._used = 0
        token = _resumed.set(self)
        try:
            yield
        finally:
            _resumed.reset(token)

    def next(self, kind: Callable[..., Kind], settings: tuple[object, ...]) -> Kind:
        """Return the operation used at this place of the formula. Raises BugError when another one was used before."""
        if self._used == len(self._kept):
            self._kept.append((kind, settings, kind(*settings)))
        known, known_settings, operation = self._kept[self._used]
        if (known, known_settings) != (kind, settings):
            raise BugError(f"An indicator used {known}{known_settings} and now {kind}{settings}: it must not branch on its values.")
        self._used += 1
        remembered: Kind = operation
        return remembered


def remembered(kind: Callable[Settings, Kind], *settings: Settings.args, **nothing: Settings.kwargs) -> Kind:
    """Return the operation `kind(*settings)`: a new one, or the one that the formula used here on the bars before."""
    memory = _resumed.get()
    return kind(*settings, **nothing) if memory is None else memory.next(kind, settings)
