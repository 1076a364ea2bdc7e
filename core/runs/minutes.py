"""Waiting for the end of the next minute, by a clock that may be set meanwhile."""

from typing import Final

from core.model.instants import MINUTE_NS
from core.ports import LiveClock

AHEAD_NS: Final = 5 * MINUTE_NS
"""How far the broker's clock may be ahead of ours: what is over later than that is not taken for news."""
_STEP_NS: Final = MINUTE_NS // 2
"""How long to wait before looking whether the clock was set back."""


async def until_minute(clock: LiveClock, due_ns: int) -> tuple[int, int]:
    """Return at `due_ns`, which lies a minute ahead at most, with it and with how many ns later it is.

    Where the clock was set back meanwhile, the end of the minute that goes on takes its place: else nothing would be decided until
    the clock is where it was.
    """
    while True:
        now_ns = clock.now_ns()
        if due_ns - now_ns > MINUTE_NS + _STEP_NS:
            due_ns = (now_ns // MINUTE_NS + 1) * MINUTE_NS
        await clock.sleep_until(min(due_ns, now_ns + _STEP_NS))
        if (now_ns := clock.now_ns()) >= due_ns:
            return due_ns, now_ns - due_ns
