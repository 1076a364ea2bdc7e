"""The clocks of real time: the only file that asks the operating system for the time."""

import asyncio
import sys
import time
from typing import Final

from core.model.instants import SECOND_NS

_LOOK_S: Final = 0.5
"""How long to sleep before looking at the clock again: a clock that was set, or a machine that slept, is noticed by then."""


_COUNTS_SLEEP: Final = {"linux": "CLOCK_BOOTTIME", "darwin": "CLOCK_MONOTONIC"}.get(sys.platform)
"""The system's clock that goes on while the machine sleeps; None: `time.monotonic` does.

Linux stops CLOCK_MONOTONIC in suspend, and with it Python's `monotonic` and `perf_counter`; macOS stops Python's `monotonic`, and
not CLOCK_MONOTONIC; Windows counts on in all of them. A lease in a database does not wait for who sleeps.
Sources: clock_gettime(2) of Linux and of macOS; Microsoft, "GetTickCount64" and "Acquiring high-resolution time stamps".
"""


def _elapsed_ns() -> int:
    return time.monotonic_ns() if _COUNTS_SLEEP is None else time.clock_gettime_ns(getattr(time, _COUNTS_SLEEP))


class SystemClock:
    """Real time, UTC. `now_ns` may step when the system's clock is set; `monotonic_ns` never goes back."""

    speed: Final = 1.0

    def now_ns(self) -> int:
        """Return the present instant, UTC ns."""
        return time.time_ns()  # noqa: TID251  (the one place)

    def monotonic_ns(self) -> int:
        """Return a reading that never goes back; only differences mean anything."""
        return time.perf_counter_ns()

    def elapsed_ns(self) -> int:
        """See `core.ports.Clock`."""
        return _elapsed_ns()

    async def sleep_until(self, instant_ns: int) -> int:
        """Return at `instant_ns`, never before it, with how many ns later it is; at once when it has passed."""
        while (left_ns := instant_ns - self.now_ns()) > 0:  # noqa: ASYNC110 - what is waited for is the time itself
            await asyncio.sleep(min(_LOOK_S, left_ns / SECOND_NS))
        return -left_ns


class ScaledClock:
    """Time that stands at `start_ns` until `begin`, and then runs `speed` times as fast as real time. It never goes back."""

    def __init__(self, start_ns: int, speed: float) -> None:
        self.speed: Final = speed
        self._start_ns = start_ns
        self._began_ns: int | None = None

    def begin(self) -> None:
        """Let it run, if it does not."""
        if self._began_ns is None:
            self._began_ns = time.perf_counter_ns()

    def now_ns(self) -> int:
        """Return the present instant of this time, UTC ns."""
        if self._began_ns is None:
            return self._start_ns
        return self._start_ns + int((time.perf_counter_ns() - self._began_ns) * self.speed)

    def monotonic_ns(self) -> int:
        """Return a reading of real time; only differences mean anything."""
        return time.perf_counter_ns()

    def elapsed_ns(self) -> int:
        """See `core.ports.Clock`. Real time, too."""
        return _elapsed_ns()

    async def sleep_until(self, instant_ns: int) -> int:
        """Return at `instant_ns` of this time, never before it, with how many ns later it is."""
        while (left_ns := instant_ns - self.now_ns()) > 0:  # noqa: ASYNC110 - what is waited for is the time itself
            await asyncio.sleep(min(_LOOK_S, left_ns / SECOND_NS / self.speed))
        return -left_ns
