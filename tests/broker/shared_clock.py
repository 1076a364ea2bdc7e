"""A clock that two processes share and a test can move. The program under test imports it, and so it brings no server with it."""

import asyncio
import mmap
import struct
from pathlib import Path

from core.clock.realtime import SystemClock
from core.model.instants import SECOND_NS

LOOK_S = 0.05
"""How long to sleep before looking at the clock again: it may have been moved."""


class SharedClock:
    """Time that runs `speed` times as fast as real time from an instant on. Who opens the same file has the same time."""

    def __init__(self, path: Path) -> None:
        self._real = SystemClock()
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 24)

    @classmethod
    def begin(cls, path: Path, start_ns: int, speed: int) -> "SharedClock":
        """A clock that begins now, at `start_ns`."""
        path.write_bytes(struct.pack("<qqq", start_ns, SystemClock().now_ns(), speed))
        return cls(path)

    @property
    def _told(self) -> tuple[int, int, int]:
        start_ns, began_ns, speed = struct.unpack("<qqq", self._shared[:24])
        return start_ns, began_ns, speed

    @property
    def speed(self) -> float:
        return float(self._told[2])

    def now_ns(self) -> int:
        start_ns, began_ns, speed = self._told
        return start_ns + (self._real.now_ns() - began_ns) * speed

    def jump(self, instant_ns: int) -> None:
        """Let it be `instant_ns` now."""
        self._shared[:24] = struct.pack("<qqq", instant_ns, self._real.now_ns(), self._told[2])

    def monotonic_ns(self) -> int:
        return self._real.monotonic_ns()

    def elapsed_ns(self) -> int:
        return self._real.elapsed_ns()

    async def sleep_until(self, instant_ns: int) -> int:
        while (left_ns := instant_ns - self.now_ns()) > 0:  # noqa: ASYNC110 - what is waited for is the time itself
            await asyncio.sleep(min(LOOK_S, left_ns / SECOND_NS / self.speed))
        return -left_ns
