"""Runs whose process is gone: found at a start, and interrupted, or taken over from a desk that is gone too."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from core.errors import HeldElsewhere, KnownError
from core.model.desk import Lease, LeaseKind
from core.model.run import Run, RunStatus
from core.ports import BrokerSource, Store
from core.runs.endings import RunEndings
from core.runs.hand import HandDesk
from core.runs.handing_over import Reconcile, nothing_outside
from core.runs.leases import LeaseKeeper
from core.runs.session import OnBug
from core.runs.sessions import RunSessions
from core.runs.supervisor import Supervisor

_log = logging.getLogger(__name__)


class Recovery:
    """Of this process. `take_over`: see `RunManager.take_over`."""

    def __init__(
        self,
        store: Store,
        brokers: BrokerSource,
        sessions: RunSessions,
        by_hand: HandDesk,
        endings: RunEndings,
        leases: LeaseKeeper,
        supervisor: Supervisor,
        *,
        take_over: Callable[[str, Reconcile | None], Awaitable[Run]],
        on_bug: OnBug,
    ) -> None:
        self._store = store
        self._brokers = brokers
        self._sessions = sessions
        self._by_hand = by_hand
        self._endings = endings
        self._leases = leases
        self._supervisor = supervisor
        self._take_over = take_over
        self._on_bug = on_bug
        self._taking: list[asyncio.Task[None]] = []

    async def recover(self) -> list[Run]:
        """Take over what is left; see `RunManager.recover`."""
        found = []
        leased = {lease.name: lease for lease in await self._store.leases.held(LeaseKind.RUN)}
        for run in await self._store.runs.runs():
            if run.status is not RunStatus.RUNNING or run.id in self._sessions:
                continue
            if self._stays(run):
                await self._by_hand.forget_owner(run)
                continue
            if run.id not in leased and run.owner is not None and self._store.is_alive(run.owner):
                continue  # begun by a version of the program that knew no leases
            lease = leased.get(run.id)
            if lease is not None and not lease.expired and lease.desk.id != self._store.desk.id:
                continue  # it goes on there; one that is offered waits for a person
            if run.desk not in {None, self._store.desk.name} and self._endings.outlives_program(run):
                self._taking.append(await self._supervisor.start(self._take_over_if_it_can(run.id), f"take-over-{run.id}"))
                continue
            try:
                # At a start no broker is asked about a run of this desk: that comes before it goes on or is closed.
                found.append(await self._take_over(run.id, nothing_outside))
            except HeldElsewhere:
                continue
        if self._store.is_shared:
            await self._leases.renew()
            await self._leases.go_on()  # the others see that this desk is there, whether it runs anything or not
        return found

    def _stays(self, run: Run) -> bool:
        """Tell whether a run outlives the program: the book of a person's orders, where its account does, or while it is open here."""
        return run.config.is_by_hand and (self._brokers.outlives_program(run.config.broker) or self._by_hand.holds(run.id))

    async def as_found(self, runs: Sequence[Run]) -> list[Run]:
        """Return runs as `recover` would leave them, without changing anything: one that nobody runs any more is interrupted."""
        if not any(run.status is RunStatus.RUNNING and run.id not in self._sessions for run in runs):
            return list(runs)
        leases = {lease.name: lease for lease in await self._store.leases.held(LeaseKind.RUN)}
        return [self._left_behind(run) if self._is_left(run, leases.get(run.id)) else run for run in runs]

    def _is_left(self, run: Run, lease: Lease | None) -> bool:
        if run.status is not RunStatus.RUNNING or run.id in self._sessions:
            return False
        if lease is None:
            return run.owner is None or not self._store.is_alive(run.owner)
        return lease.expired or (lease.desk.id == self._store.desk.id and not self._store.is_alive(lease.owner))

    def _left_behind(self, run: Run) -> Run:
        return run.moved_to(RunStatus.INTERRUPTED, error="The program ended while this run went on.", error_code="interrupted")

    async def _take_over_if_it_can(self, run_id: str) -> None:
        try:
            await self._take_over(run_id, None)
        except KnownError as error:
            _log.info("Run %s of another desk is not taken over: %s", run_id, error.what)
        except Exception as error:
            self._on_bug(error, f"taking over run {run_id}")

    def close(self) -> None:
        """Wait for no other desk's lease any more."""
        for task in self._taking:
            task.cancel()
