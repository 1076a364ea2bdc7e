"""Leases in memory: there is one process, and nobody to take anything from it."""

from collections.abc import Callable, Sequence

import msgspec

from core import ENGINE_VERSION
from core.errors import HeldElsewhere, LeaseLost
from core.model.desk import Desk, DeskSeen, Lease, LeaseKind

_MS_NS = 1_000_000


class MemoryLeases:
    """`Leases` in a dict. `now_ns`: the store's clock."""

    def __init__(self, desk: Desk, owner: str, now_ns: Callable[[], int]) -> None:
        self._desk = desk
        self._owner = owner
        self._now_ns = now_ns
        self._held: dict[tuple[LeaseKind, str], Lease] = {}
        self._seen_ms: int | None = None

    async def acquire(self, kind: LeaseKind, name: str, ttl_s: float) -> Lease:
        """See `core.ports.Leases`."""
        before = self._held.get((kind, name))
        now_ms = self._now_ms()
        if before is not None and before.expires_ms > now_ms and before.offered_to != self._desk.id:
            raise HeldElsewhere(f"{kind.capitalize()} {name}", before.desk.name)
        epoch = 1 if before is None else before.epoch + 1
        lease = Lease(kind=kind, name=name, epoch=epoch, desk=self._desk, owner=self._owner, expires_ms=now_ms + round(ttl_s * 1_000))
        self._held[kind, name] = lease
        return lease

    async def renew(self, leases: Sequence[Lease], ttl_s: float) -> Sequence[Lease]:
        """See `core.ports.Leases`."""
        self._seen_ms = self._now_ms()
        expires_ms = self._seen_ms + round(ttl_s * 1_000)
        return [lease for lease in leases if not self._change(lease, expires_ms=expires_ms)]

    async def release(self, lease: Lease) -> None:
        """See `core.ports.Leases`."""
        self._change(lease, expires_ms=0, offered_to=None)

    async def offer(self, lease: Lease, desk_id: str | None) -> None:
        """See `core.ports.Leases`."""
        if not self._change(lease, offered_to=desk_id):
            raise LeaseLost(f"{lease.kind} {lease.name}")

    async def held(self, kind: LeaseKind) -> Sequence[Lease]:
        """See `core.ports.Leases`."""
        now_ms = self._now_ms()
        found = [lease for lease in self._held.values() if lease.kind is kind and lease.expires_ms > 0]
        return sorted((msgspec.structs.replace(lease, expired=lease.expires_ms <= now_ms) for lease in found), key=lambda lease: lease.name)

    async def desks(self) -> Sequence[DeskSeen]:
        """See `core.ports.Leases`."""
        if self._seen_ms is None:
            return []
        return [DeskSeen(desk=self._desk, version=ENGINE_VERSION, seen_s=(self._now_ms() - self._seen_ms) / 1_000, is_here=True)]

    def check_held(self, lease: Lease) -> None:
        """Raise LeaseLost unless `lease` is held."""
        if not self._change(lease):
            raise LeaseLost(f"{lease.kind} {lease.name}")

    def forget(self, kind: LeaseKind, name: str) -> None:
        """Remove it."""
        self._held.pop((kind, name), None)

    def _change(self, lease: Lease, **changes: object) -> bool:
        held = self._held.get((lease.kind, lease.name))
        if held is None or held.epoch != lease.epoch or held.owner != lease.owner or not held.expires_ms:
            return False
        self._held[lease.kind, lease.name] = msgspec.structs.replace(held, **changes)
        return True

    def _now_ms(self) -> int:
        return self._now_ns() // _MS_NS
