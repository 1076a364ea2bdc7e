"""The leases of what goes on here, runs and accounts: renewed while it does, and who lost one is told so."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final

from core.errors import StoreError
from core.model.desk import Lease, LeaseKind
from core.model.instants import SECOND_NS
from core.ports import Clock, Leases, RunStore, UnitOfWork
from core.runs.supervisor import Supervisor

TTL_S: Final = 30.0
"""How long a desk may be out of reach before another may take over what it runs."""
RENEW_S: Final = TTL_S / 3
_LOOK_S: Final = 0.5
"""How soon after the machine has slept what is held is renewed."""

OnLost = Callable[[], None]
"""Told that another desk has taken over."""
OnBug = Callable[[BaseException, str], None]


class FencedRuns:
    """Units of work, each committed only while this desk holds the lease of its run or account. Raises LeaseLost."""

    def __init__(self, runs: RunStore, lease: Lease) -> None:
        self._runs = runs
        self.lease: Final = lease

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a unit of work."""
        return self._fenced()

    @asynccontextmanager
    async def _fenced(self) -> AsyncGenerator[UnitOfWork]:
        async with self._runs.begin() as work:
            work.fence(self.lease)
            yield work


class LeaseKeeper:
    """Holds the leases of this process, and renews them in a task of `supervisor`.

    How old they are is told by a clock that goes on while the machine sleeps: the database's does.
    """

    def __init__(self, leases: Leases, supervisor: Supervisor, clock: Clock, on_bug: OnBug) -> None:
        self._leases = leases
        self._clock = clock
        self._supervisor = supervisor
        self._on_bug = on_bug
        self._held: dict[tuple[LeaseKind, str], tuple[Lease, OnLost]] = {}
        self._renewed_ns = self._asked_ns = 0
        self._closing = asyncio.Event()
        self._is_due = False
        self._called = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    async def take(self, kind: LeaseKind, name: str, on_lost: OnLost) -> Lease:
        """Take the lease of a run or an account; `go_on` lets it be renewed. Raises HeldElsewhere."""
        asked_ns = self._clock.elapsed_ns()
        lease = await self._leases.acquire(kind, name, TTL_S)
        if not self._held:
            self._renewed_ns = asked_ns
            self._called.set()
        self._held[kind, name] = (lease, on_lost)
        return lease

    def holds(self, kind: LeaseKind, name: str) -> bool:
        """Tell whether it is held here, as far as this process knows."""
        return (kind, name) in self._held

    def is_fresh(self) -> bool:
        """Tell whether what is held was renewed so lately that nobody else can have it: neither process nor machine stood still since.

        May be asked in any thread.
        """
        return self._since_s(self._renewed_ns) < TTL_S

    async def still_holds(self, kind: LeaseKind, name: str) -> bool:
        """Renew what is held, and tell whether that lease was: then nobody else has it, or can have it soon."""
        await self.renew()
        return self.is_fresh() and self.holds(kind, name)

    async def give_back(self, kind: LeaseKind, name: str) -> None:
        """Give it back; harmless without one. When the store cannot be reached it expires by itself."""
        held = self._held.pop((kind, name), None)
        if held is not None:
            try:
                await self._leases.release(held[0])
            except StoreError:
                return

    async def go_on(self) -> None:
        """Renew what is held, and say that this desk is there, from here on until `close`."""
        if self._keeping is None or self._keeping.done():
            self._asked_ns = self._clock.elapsed_ns()
            self._keeping = await self._supervisor.start(self._keep(), "leases")

    async def _keep(self) -> None:
        try:
            while not self._closing.is_set():
                while self._since_s(self._asked_ns) < RENEW_S and not self._is_due:
                    # In pieces: the loop's own clock sleeps with the machine, and what is old by then is renewed at once.
                    self._called.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_LOOK_S if self._held else RENEW_S):
                            await self._called.wait()
                self._is_due = False
                if not self._closing.is_set():
                    await self.renew()
        except Exception as error:
            self._on_bug(error, "the leases of runs and accounts")

    def look(self) -> None:
        """Renew soon: somebody may have taken over."""
        self._is_due = True
        self._called.set()

    async def renew(self) -> None:
        """Renew now. While the store cannot be reached nothing is lost: only another's taking over ends a lease."""
        asked_ns = self._asked_ns = self._clock.elapsed_ns()
        try:
            lost = await self._leases.renew([lease for lease, _ in self._held.values()], TTL_S)
        except StoreError:
            return
        self._renewed_ns = asked_ns
        for lease in lost:
            held, on_lost = self._held.get((lease.kind, lease.name), (None, None))
            if held == lease and on_lost is not None:
                del self._held[lease.kind, lease.name]
                on_lost()

    def close(self) -> None:
        """Let the renewing end."""
        self._closing.set()
        self.look()
        self._keeping = None

    def _since_s(self, instant_ns: int) -> float:
        return (self._clock.elapsed_ns() - instant_ns) / SECOND_NS
