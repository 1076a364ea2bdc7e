"""How soon a thread that waits for the interpreter gets its turn."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SWITCH_S: Final = 0.0002
"""How long a thread may compute before another that waits gets its turn. Python's own 5 ms add up: a turn of the loop, or an order
on its way from the loop to the store and to the wire, asks for the interpreter several times and waits for each thread that works;
Qt gives it up and takes it back at nearly each call. At 1 ms the longest gap after a run of 39,000 fills was 60 to 100 ms, now 30."""


@contextmanager
def served_soon() -> Iterator[None]:
    """Within, the loop's thread waits less for those that simulate, read and compute beside it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
