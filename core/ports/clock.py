"""The ports of time."""

from typing import Protocol


class Clock(Protocol):
    """The only source of time."""

    def now_ns(self) -> int:
        """Return the present instant, UTC ns."""
        ...

    def monotonic_ns(self) -> int:
        """Return a reading that never goes back; only differences mean anything."""
        ...

    def elapsed_ns(self) -> int:
        """Return a reading that never goes back and goes on while the machine sleeps; only differences mean anything."""
        ...


class LiveClock(Clock, Protocol):
    """A clock that goes on by itself, and that one can wait for."""

    @property
    def speed(self) -> float:
        """How many times as fast as real time it goes."""
        ...

    async def sleep_until(self, instant_ns: int) -> int:
        """Return at `instant_ns` and never before it, over sleep and steps of the clock; with how many ns later it is."""
        ...
