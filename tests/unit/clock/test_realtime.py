"""The machine's clock."""

import sys
from datetime import UTC, datetime
from typing import ClassVar

from core.clock.realtime import _COUNTS_SLEEP, ScaledClock, SystemClock, _elapsed_ns
from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, to_ns


def test_it_tells_the_present_in_utc() -> None:
    assert abs(SystemClock().now_ns() - to_ns(datetime.now(UTC))) < MINUTE_NS  # noqa: TID251  (another clock to compare with)


def test_differences_never_go_back() -> None:
    clock = SystemClock()
    readings = [clock.monotonic_ns() for _ in range(1_000)]
    assert readings == sorted(readings)
    assert readings[-1] > readings[0]


def test_the_clock_of_leases_counts_what_the_machine_sleeps_through() -> None:
    """In suspend CLOCK_MONOTONIC stands still. Nothing here can sleep: which clock is asked is looked at, and that it is read."""
    assert {"linux": "CLOCK_BOOTTIME", "darwin": "CLOCK_MONOTONIC"}.get(sys.platform) == _COUNTS_SLEEP
    for clock in (SystemClock(), ScaledClock(20_000 * DAY_NS, 3_600.0)):
        readings = [_elapsed_ns(), clock.elapsed_ns(), _elapsed_ns()]
        assert readings == sorted(readings)


async def test_it_wakes_at_the_instant_and_never_before() -> None:
    clock = SystemClock()
    at_ns = clock.now_ns() + 20_000_000
    late_ns = await clock.sleep_until(at_ns)
    assert clock.now_ns() >= at_ns
    assert late_ns >= 0
    assert await clock.sleep_until(at_ns) > 0  # what has passed is not waited for


async def test_a_clock_that_is_set_while_it_sleeps_is_noticed() -> None:
    class Stepped(SystemClock):
        """Tells a later time from its third reading on: the machine slept, or its clock was set."""

        readings = 0

        def now_ns(self) -> int:
            self.readings += 1
            return DAY_NS if self.readings < 3 else 3 * DAY_NS

    clock = Stepped()
    assert await clock.sleep_until(2 * DAY_NS) == DAY_NS
    assert clock.readings == 3


async def test_a_clock_that_is_set_back_sleeps_on() -> None:
    class Back(SystemClock):
        times: ClassVar = [DAY_NS, DAY_NS - HOUR_NS, DAY_NS - 1, DAY_NS + 1_000]
        read = 0

        def now_ns(self) -> int:
            self.read += 1
            return self.times[min(self.read, len(self.times)) - 1] - 500_000_000 * (self.read < 3)

    assert await Back().sleep_until(DAY_NS) == 1_000


async def test_scaled_time_begins_where_it_is_told_and_runs_faster() -> None:
    clock = ScaledClock(20_000 * DAY_NS, 3_600.0)
    assert clock.now_ns() == 20_000 * DAY_NS  # it stands until it is begun
    clock.begin()
    began_ns = clock.monotonic_ns()
    at_ns = 20_000 * DAY_NS + MINUTE_NS
    late_ns = await clock.sleep_until(at_ns)
    took_ns = clock.monotonic_ns() - began_ns
    assert late_ns >= 0
    assert clock.now_ns() >= at_ns
    assert took_ns * 3_600 >= MINUTE_NS  # a minute of this time took at least its part of real time
