"""The port by which desks that share a store keep out of each other's way."""

from collections.abc import Sequence
from typing import Protocol

from core.model.desk import DeskSeen, Lease, LeaseKind


class Leases(Protocol):
    """Who may act, one process of one desk at a time. Time is the store's own: a desk's clock may be wrong by minutes."""

    async def acquire(self, kind: LeaseKind, name: str, ttl_s: float) -> Lease:
        """Take a lease that is free, expired, offered to this desk, or of a process of it that is gone. Raises HeldElsewhere."""
        ...

    async def renew(self, leases: Sequence[Lease], ttl_s: float) -> Sequence[Lease]:
        """Renew what is still held, say that this desk is there, and return what is lost."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give it back; harmless when it is lost."""
        ...

    async def offer(self, lease: Lease, desk_id: str | None) -> None:
        """Let another desk take it at once; None takes the offer back. Raises LeaseLost."""
        ...

    async def held(self, kind: LeaseKind) -> Sequence[Lease]:
        """Return who holds what, and whose lease has expired and was not taken yet."""
        ...

    async def desks(self) -> Sequence[DeskSeen]:
        """Return the desks that were ever here, by name."""
        ...
