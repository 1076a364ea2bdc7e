"""The port of the event log, and of those who listen to it."""

from collections.abc import Callable, Sequence
from typing import Protocol, Self

from core.events.envelope import Envelope

Callback = Callable[[Envelope], None]
"""Called in the loop's thread, in seq order, after the event is committed. Must return at once."""


class Subscription(Protocol):
    """A live subscription: a context manager that ends it. Ending twice is harmless."""

    owner: str

    def close(self) -> None:
        """End it; no callback comes after this returns."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...


class EventLog(Protocol):
    """One log, several homes. A subscriber cannot tell them apart."""

    async def append(self, events: Sequence[Envelope]) -> Sequence[Envelope]:
        """Commit `events` in order and return them with their seq; subscribers are told afterwards.

        Raises BugError for an unregistered payload; then nothing is appended.
        """
        ...

    def announce(self, events: Sequence[Envelope]) -> None:
        """Tell subscribers of ephemeral events. Nothing is stored; seq stays 0."""
        ...

    async def read(self, *, after_seq: int = 0, run_id: str | None = None, pattern: str = "*", limit: int = 1_000) -> list[Envelope]:
        """Return up to `limit` stored events after `after_seq`, oldest first, whose type fits `pattern` (`orders.*`)."""
        ...

    async def read_back(
        self, *, before_seq: int | None = None, run_id: str | None = None, pattern: str = "*", limit: int = 1_000
    ) -> list[Envelope]:
        """Return the newest `limit` stored events before `before_seq` (None: of all), oldest first, whose type fits `pattern`."""
        ...

    async def offset(self, consumer: str) -> int:
        """Return the seq up to which a consumer has acted; 0 for one that never did."""
        ...

    async def find(self, seq: int) -> Envelope | None:
        """Return the stored event with this seq."""
        ...

    def subscribe(self, pattern: str, callback: Callback, *, owner: str, run_id: str | None = None) -> Subscription:
        """Call `callback` for every later event whose type fits `pattern` (`*`, `orders.*`, `run.Created`)."""
        ...

    def wanted(self, wire_type: str, run_id: str | None = None) -> bool:
        """Tell whether anybody listens to this type of this run (None: of any run). What nobody wants need not be made."""
        ...

    def subscriptions(self) -> tuple[Subscription, ...]:
        """Return the live subscriptions; tests count them back to zero."""
        ...
