"""The end of a minute is waited for by a clock that may be set."""

import asyncio

import pytest

from core.model.instants import HOUR_NS, MINUTE_NS, SECOND_NS
from core.runs.minutes import until_minute

NOON_NS = 20_000 * 24 * HOUR_NS + 12 * HOUR_NS


class SteppedClock:
    """Time that goes on by itself when somebody sleeps, and is set by `steps` at the sleeps that are numbered so."""

    speed = 1.0

    def __init__(self, steps: dict[int, int]) -> None:
        self.now = NOON_NS
        self.sleeps = 0
        self._steps = steps

    def now_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.sleeps

    def elapsed_ns(self) -> int:
        return self.sleeps

    async def sleep_until(self, instant_ns: int) -> int:
        await asyncio.sleep(0)
        self.sleeps += 1
        if (step_ns := self._steps.get(self.sleeps)) is not None:
            self.now += step_ns
        self.now = max(self.now, instant_ns) if step_ns is None else self.now
        return max(0, self.now - instant_ns)


@pytest.mark.parametrize(
    ("steps", "due", "late"),
    [
        ({}, MINUTE_NS, 0),
        ({1: -HOUR_NS}, -HOUR_NS + MINUTE_NS, 0),  # it does not wait for an hour
        ({2: -HOUR_NS}, -HOUR_NS + MINUTE_NS, 0),
        ({1: -10 * SECOND_NS}, MINUTE_NS, 0),  # the minute is the same
        ({1: HOUR_NS}, MINUTE_NS, HOUR_NS - MINUTE_NS),  # slept through: whoever waits is told how late it is
        ({1: -HOUR_NS, 2: HOUR_NS}, -HOUR_NS + MINUTE_NS, HOUR_NS - MINUTE_NS),
    ],
)
async def test_it_ends_at_the_end_of_a_minute_of_the_clock(steps: dict[int, int], due: int, late: int) -> None:
    clock = SteppedClock(steps)
    due_ns, late_ns = await until_minute(clock, NOON_NS + MINUTE_NS)
    assert (due_ns - NOON_NS, late_ns) == (due, late)
    assert clock.sleeps < 8
