"""Plain values in a plug-in's source, read without running it."""

import ast
from typing import Any, Final

LARGEST_BITS: Final = 1_000
"""Size of a whole number; a larger one has no float."""


class SourceError(Exception):
    """Why the source is not a plug-in: a sentence, and the line it is about (0: the file as a whole)."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line
        self.sentence = sentence


def literal(what: str, node: ast.expr) -> Any:
    """Return the value that `node` writes out. Raises SourceError, naming `what` it is, for anything that must be worked out."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise SourceError(node.lineno, f"{what} must be written as a plain value; it is read without running the file.") from error
    if isinstance(value, int) and value.bit_length() > LARGEST_BITS:
        raise SourceError(node.lineno, f"{what} is too large a number.")
    return value
