"""The machine's clock."""

from datetime import UTC, datetime

from core.clock.realtime import SystemClock
from core.model.instants import MINUTE_NS, to_ns


def test_it_tells_the_present_in_utc() -> None:
    assert abs(SystemClock().now_ns() - to_ns(datetime.now(UTC))) < MINUTE_NS  # noqa: TID251  (another clock to compare with)


def test_differences_never_go_back() -> None:
    clock = SystemClock()
    readings = [clock.monotonic_ns() for _ in range(1_000)]
    assert readings == sorted(readings)
    assert readings[-1] > readings[0]
