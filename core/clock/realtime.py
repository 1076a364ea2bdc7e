"""The clock of this machine: the only file that asks the operating system for the time."""

import time


class SystemClock:
    """Real time, UTC. `now_ns` may step when the system's clock is set; `monotonic_ns` never goes back."""

    def now_ns(self) -> int:
        """Return the present instant, UTC ns."""
        return time.time_ns()  # noqa: TID251  (the one place)

    def monotonic_ns(self) -> int:
        """Return a reading that never goes back; only differences mean anything."""
        return time.perf_counter_ns()
