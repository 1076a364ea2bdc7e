"""Lines for a terminal, written beside the loop.

A terminal that is held (Ctrl+S), or a program that does not read on, takes nothing any more. Who wrote to it himself would stand
there, and with him the orders, the lease and the kill switch.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Final, TextIO

MOST: Final = 100_000
"""Lines that wait; what comes while so many do is left out, and how many were is said."""
_LAST_S: Final = 2.0
"""How long the end waits for the lines that are left."""


@contextmanager
def written_beside(stream: TextIO) -> Iterator[Callable[[str], None]]:
    """Yield what takes a line and never waits. The lines are written in their order; at the end of the block those that are left."""
    lines: SimpleQueue[str | None] = SimpleQueue()
    left_out = 0

    def write() -> None:
        while (line := lines.get()) is not None:
            try:
                stream.write(line)
                stream.flush()
            except (OSError, ValueError):
                return  # it was closed: nobody looks any more

    def take(line: str) -> None:
        nonlocal left_out
        if lines.qsize() >= MOST:
            left_out += 1
            return
        if left_out:
            lines.put(f"{left_out} lines were left out: nobody took them.\n")
            left_out = 0
        lines.put(line)

    thread = threading.Thread(target=write, name="terminal", daemon=True)
    thread.start()
    try:
        yield take
    finally:
        lines.put(None)
        thread.join(_LAST_S)
