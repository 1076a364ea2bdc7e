"""The leases of the runs that go on here: renewed while they do, and a run that lost its own is told so."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from core.errors import StoreError
from core.model.desk import Lease, LeaseKind
from core.ports import Leases, RunStore, UnitOfWork

TTL_S: Final = 30.0
"""How long a desk may be out of reach before another may take over what it runs."""
RENEW_S: Final = TTL_S / 3


class FencedRuns:
    """Units of work of one run, each committed only while this desk holds the run's lease. Raises LeaseLost."""

    def __init__(self, runs: RunStore, lease: Lease) -> None:
        self._runs = runs
        self._lease = lease

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a unit of work."""
        return self._fenced()

    @asynccontextmanager
    async def _fenced(self) -> AsyncGenerator[UnitOfWork]:
        async with self._runs.begin() as work:
            work.fence(self._lease)
            yield work


class LeaseKeeper:
    """Holds the leases of this process. `on_lost` is told the id of a run that another desk has taken over."""

    def __init__(self, leases: Leases, on_lost: Callable[[str], None]) -> None:
        self._leases = leases
        self._on_lost = on_lost
        self._held: dict[str, Lease] = {}
        self._closing = asyncio.Event()

    async def take(self, run_id: str) -> Lease:
        """Take the lease of a run. Raises HeldElsewhere."""
        lease = self._held[run_id] = await self._leases.acquire(LeaseKind.RUN, run_id, TTL_S)
        return lease

    async def give_back(self, run_id: str) -> None:
        """Give it back; harmless without one. When the store cannot be reached it expires by itself."""
        lease = self._held.pop(run_id, None)
        if lease is not None:
            try:
                await self._leases.release(lease)
            except StoreError:
                return

    async def keep(self) -> None:
        """Renew what is held, and say that this desk is there, until `close`."""
        while not self._closing.is_set():
            try:
                async with asyncio.timeout(RENEW_S):
                    await self._closing.wait()
            except TimeoutError:
                await self.renew()

    async def renew(self) -> None:
        """Renew now. While the store cannot be reached nothing is lost: only another's taking over ends a lease."""
        try:
            lost = await self._leases.renew(list(self._held.values()), TTL_S)
        except StoreError:
            return
        for lease in lost:
            if self._held.get(lease.name) == lease:
                del self._held[lease.name]
                self._on_lost(lease.name)

    def close(self) -> None:
        """Let `keep` end."""
        self._closing.set()
