"""The lines to a broker: which of them do not work, and since when."""

from core.model.instants import SECOND_NS
from core.ports import Clock


class BrokerLines:
    """Of one account: its stream of orders, and what is asked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._silent_since: dict[str, int] = {}

    def note(self, what: str, *, is_heard: bool, since_ns: int | None = None) -> None:
        """Take that a line to the broker works, or does not. `since_ns`: since when it was asked in vain, by the monotonic clock."""
        if is_heard:
            self._silent_since.pop(what, None)
        else:
            self._silent_since.setdefault(what, self._clock.monotonic_ns() if since_ns is None else since_ns)

    def silent(self) -> dict[str, int]:
        """Return the lines to the broker that do not work, and since when, by the monotonic clock."""
        return dict(self._silent_since)

    @property
    def silent_s(self) -> float:
        """Real seconds since one of the lines to the broker last worked; 0 while all do."""
        since = min(self._silent_since.values(), default=None)
        return 0.0 if since is None else (self._clock.monotonic_ns() - since) / SECOND_NS
