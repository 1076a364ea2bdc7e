"""Classes of events by how long they are worth keeping at hand, and ages as a person writes them."""

import re
from enum import StrEnum
from typing import Final

from core.errors import InvalidValue
from core.model.instants import DAY_NS


class EventClass(StrEnum):
    """Which events an archive takes. Those of runs are taken run by run, by the day the run ended.

    What an account is made of stays, whatever is taken: what it held when it was met, what others traded there, fees in coin, changes
    of orders, and how the kill switch was thrown (`remembered`, see `core.events.envelope`).
    """

    BACKTEST = "backtest-events"
    """Everything that backtests stored."""
    TRACE = "trace-events"
    """Ticks and windows of traced backtests; what they decided stays."""
    PAPER = "paper-events"
    """Records of dealings with a broker, as those of live runs: taken only when they are named, and of runs that cannot go on."""
    LIVE = "live-events"
    DESK = "desk-events"
    """What belongs to no run: imports and downloads, lines to brokers and what differed there, faults; and what is left of deleted runs."""


_UNITS: Final = {"d": 1, "w": 7, "y": 365}


def parse_age(text: str) -> int:
    """Return an age like `90d`, `12w` or `2y` in ns. Raises InvalidValue."""
    match = re.fullmatch(r"(\d{1,4})([dwy])", text.strip().lower())
    if match is None:
        raise InvalidValue("--older-than", repr(text), "write it like 90d, 12w or 2y.")
    return int(match[1]) * _UNITS[match[2]] * DAY_NS
