"""What can go wrong between a program and a broker, as switches of the fake one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Way(Enum):
    """How a request goes wrong."""

    STATUS = "status"
    """Answered with a status; nothing was done."""
    DONE_THEN_STATUS = "done then status"
    """Done, and answered with a status all the same."""
    SILENT = "silent"
    """Never answered; nothing was done."""
    DONE_THEN_SILENT = "done then silent"
    """Done, and never answered."""
    RESET_BEFORE = "reset before"
    """The connection is cut before anything was done."""
    RESET_DURING = "reset during"
    """Done; the connection is cut in the middle of the answer."""
    RESET_AFTER = "reset after"
    """Done; the connection is cut instead of an answer."""
    NONSENSE = "nonsense"
    """Done, and answered with a success whose body is not JSON."""
    SLOW = "slow"
    """Done; the answer comes drop by drop and does not end."""
    LATE = "late"
    """Done; the whole answer comes after `delay_s`, whatever happened meanwhile."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, with the request whose method and path begin like `at`."""

    at: str
    way: Way
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = '{"message": "internal server error occurred"}'
    content_type: str = "application/json"
    delay_s: float = 0.0


class StreamMood(Enum):
    """How the streams behave."""

    WELL = "well"
    REFUSES = "refuses"
    """Takes no keys."""
    SAYS_NOTHING = "says nothing"
    """Connected and let in; from then on no message, no answer to a question. Pings are answered."""


class Mischief(Enum):
    """What happens to updates of orders on their way."""

    NONE = "none"
    DOUBLED = "doubled"
    MISSING = "missing"
    REVERSED = "reversed"
    """Each update comes after the one that follows it."""
