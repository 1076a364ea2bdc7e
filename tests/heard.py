"""Waits for a line in the program's log."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager


class Heard(logging.Handler):
    """Of one logger, in the loop's thread."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part
        self._is_there = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self._part in record.getMessage():
            self._is_there.set()

    async def wait(self) -> None:
        """Return once the line was written."""
        async with asyncio.timeout(60):
            await self._is_there.wait()


@contextmanager
def heard(logger: str, part: str) -> Iterator[Heard]:
    """Listen for a line with `part` in it for the length of the block."""
    handler = Heard(part)
    logging.getLogger(logger).addHandler(handler)
    try:
        yield handler
    finally:
        logging.getLogger(logger).removeHandler(handler)
