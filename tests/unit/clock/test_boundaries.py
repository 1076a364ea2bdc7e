"""The clock at the boundaries of bars: within 50 ms of each, over drift, steps and sleep; in a loop whose time is made, not waited for."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from core.clock import calendar
from core.clock.realtime import SystemClock
from core.model.instants import MINUTE_NS, SECOND_NS, parse_instant
from core.model.market import AssetClass
from core.runs.desks import is_regular

WITHIN_NS = 50_000_000
START = "2024-03-10T06:50:00Z"
"""Ten minutes before New York sets its clocks."""


class MadeTime(asyncio.SelectorEventLoop):
    """A loop in which nothing takes time but what is slept, and that does not wait for it either."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1_000.0

    def time(self) -> float:
        return self.now_s

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]  # asyncio's own
        if not ready and scheduled:
            self.now_s = max(self.now_s, scheduled[0].when())
        super()._run_once()  # type: ignore[misc]  # asyncio's own


class Watch(SystemClock):
    """The system's clock beside the loop's: it drifts by parts in a million, and is set by `steps`: at which second, by how many ns."""

    def __init__(self, loop: MadeTime, *, ppm: float = 0.0, steps: Sequence[tuple[float, int]] = ()) -> None:
        self._loop, self._ppm, self._steps = loop, ppm, steps
        self._start_s, self._start_ns = loop.now_s, parse_instant(START)

    def now_ns(self) -> int:
        passed_s = self._loop.now_s - self._start_s
        return self._start_ns + round(passed_s * SECOND_NS * (1 + self._ppm / 1e6)) + sum(by for at, by in self._steps if passed_s >= at)


def run(loop: MadeTime, work: Coroutine[Any, Any, list[int]]) -> list[int]:
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


async def lateness(clock: Watch, minutes: int) -> list[int]:
    """How late each boundary was met; one that was slept through is not made up for."""
    found = []
    due_ns = clock.now_ns() // MINUTE_NS * MINUTE_NS
    for _ in range(minutes):
        due_ns = max(due_ns + MINUTE_NS, clock.now_ns() // MINUTE_NS * MINUTE_NS)
        found.append(await clock.sleep_until(due_ns))
        assert clock.now_ns() >= due_ns
    return found


@pytest.mark.parametrize("ppm", [0, 20, -20, 500, -500, 5_000, -5_000])
def test_each_boundary_is_met_whatever_the_drift(ppm: float) -> None:
    loop = MadeTime()
    found = run(loop, lateness(Watch(loop, ppm=ppm), 90))
    assert min(found) >= 0
    assert max(found) <= WITHIN_NS


@pytest.mark.parametrize(
    ("at_s", "by_ns"),
    [(90.0, 3 * SECOND_NS), (90.0, -3 * SECOND_NS), (90.2, 200_000_000), (119.9, -40 * SECOND_NS), (61.0, 3_600 * SECOND_NS)],
    ids=lambda value: f"{value / 1e9:+g} s" if isinstance(value, int) else "",
)
def test_after_a_step_the_boundaries_are_those_of_the_new_time(at_s: float, by_ns: int) -> None:
    loop = MadeTime()
    found = run(loop, lateness(Watch(loop, steps=[(at_s, by_ns)]), 30))
    late = [each for each in found if each > WITHIN_NS]
    if by_ns < MINUTE_NS:
        assert late == []  # no boundary was passed over
    else:
        assert late[0] < by_ns  # the one that was slept through, and the minute in which it woke
        assert all(each < MINUTE_NS for each in late[1:])
        assert len(late) <= 2


def test_a_step_over_a_boundary_is_noticed_within_half_a_second() -> None:
    loop = MadeTime()
    found = run(loop, lateness(Watch(loop, steps=[(118.0, 2 * SECOND_NS + 1)]), 10))  # to just behind the boundary
    assert max(found) <= SECOND_NS // 2 + WITHIN_NS
    assert sum(each > WITHIN_NS for each in found) <= 1


def test_summer_time_moves_no_boundary_and_every_session() -> None:
    loop = MadeTime()
    found = run(loop, lateness(Watch(loop), 20))  # over the change itself
    assert max(found) <= WITHIN_NS
    asyncio.run(calendar.load(AssetClass.EQUITY))
    for day, first in (("2024-03-08", "14:30"), ("2024-03-11", "13:30"), ("2024-11-01", "13:30"), ("2024-11-04", "14:30")):
        opens_ns = parse_instant(f"{day}T{first}:00Z")
        assert is_regular("SPY", opens_ns)
        assert not is_regular("SPY", opens_ns - 1)
        assert is_regular("SPY", opens_ns + 390 * MINUTE_NS - 1)
        assert not is_regular("SPY", opens_ns + 390 * MINUTE_NS)
    assert is_regular("BTC/USD", parse_instant(START))
