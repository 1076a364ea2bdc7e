"""How long to wait for a broker, how often to ask again, and how many questions a minute it takes."""

import secrets
import threading
from collections import deque
from dataclasses import dataclass

from core.errors import BrokerUnreachable
from core.model.instants import MINUTE_NS, SECOND_NS
from core.ports import Clock

_CHANCE = secrets.SystemRandom()


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Limits of one connection, in seconds. `answer_s`: a whole answer; `read_s`: silence inside it.

    `questions`: how often a question that may be asked again is asked in all. `per_minute`: requests of all kinds.
    """

    connect_s: float = 5.0
    read_s: float = 10.0
    answer_s: float = 30.0
    questions: int = 4
    first_pause_s: float = 0.5
    longest_pause_s: float = 8.0
    longest_advice_s: float = 60.0
    """The longest `Retry-After` that is waited for."""
    per_minute: int = 190
    """Below the broker's 200: the limit is the account's, and other programs may use it too."""


def pause_s(failures: int, first_s: float, longest_s: float) -> float:
    """Return how long to wait after so many failures in a row: doubling, with chance, so that many desks do not come back at once."""
    longest = min(longest_s, first_s * 2 ** min(failures - 1, 20))
    return _CHANCE.uniform(longest / 2, longest)


def closed() -> BrokerUnreachable:
    """Return the error of a request on a connection that was closed meanwhile; it was not sent."""
    return BrokerUnreachable("The connection to the broker was closed.", "Open it again.")


class Pace:
    """Lets so many questions through in any minute. For threads: `take` waits, unless it is stopped.

    An order counts and does not wait: whether it is one too many is for the broker to say.
    """

    def __init__(self, per_minute: int, clock: Clock, stopped: threading.Event) -> None:
        self._clock = clock
        self._stopped = stopped
        self._taken: deque[int] = deque(maxlen=per_minute)
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait for a place and take it. Raises BrokerUnreachable when the connection is closed meanwhile."""
        while (wait_ns := self._try()) > 0:
            if self._stopped.wait(wait_ns / SECOND_NS):
                raise closed()

    def count(self) -> None:
        """Count a request that does not wait for a place."""
        with self._lock:
            self._taken.append(self._clock.monotonic_ns())

    def _try(self) -> int:
        with self._lock:
            now_ns = self._clock.monotonic_ns()
            if len(self._taken) == self._taken.maxlen and now_ns - self._taken[0] < MINUTE_NS:
                return MINUTE_NS - (now_ns - self._taken[0])
            self._taken.append(now_ns)
            return 0
