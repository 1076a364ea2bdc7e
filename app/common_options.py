"""The options that may stand anywhere on the line, and what is left of it without them."""

from collections.abc import Sequence
from typing import Final

from core.errors import InputError

COMMON_OPTIONS: Final = {"--db": True, "--profile": True, "--verbose": False, "--debug": False}
"""Options that may stand anywhere on the line, and whether they take a value."""


def common_options_first(arguments: Sequence[str]) -> list[str]:
    """Move the common options before the verb, so that they may stand anywhere; what follows `--` is left alone. Raises InputError."""
    first, rest = parted(arguments)
    return first + rest


def parted(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the common options, and the verb with what is its own. Raises InputError."""
    first: list[str] = []
    rest: list[str] = []
    given = list(arguments)
    while given:
        word = given.pop(0)
        name = word.partition("=")[0]
        if word == "--":
            rest += [word, *given]
            break
        if name not in COMMON_OPTIONS or (name != word and not COMMON_OPTIONS[name]):
            rest.append(word)
            continue
        first.append(word)
        if name == word and COMMON_OPTIONS[name]:
            if not given:
                raise InputError(f"{name} is followed by nothing.", "`weaver --help` shows what it takes.")
            first.append(given.pop(0))
    return first, rest
