"""The runs that go on in this process: each has its lease, its account where it needs one, and a session under the supervisor."""

import asyncio
import logging

from core.errors import HeldElsewhere, RunNotStartable
from core.events.payloads import RunTakenOver
from core.model.desk import LeaseKind
from core.model.market import BarSetKey
from core.model.plugin import StrategyInfo
from core.model.run import Run, RunStatus
from core.ports import Clock, Store, Subscription
from core.runs.leases import FencedRuns, LeaseKeeper
from core.runs.past import read_past
from core.runs.run_accounts import RunAccounts
from core.runs.session import OnBug, RunSession
from core.runs.stop_requests import StopRequests
from core.runs.supervisor import Supervisor
from core.runs.unstored import UnstoredEnds
from core.runs.works import Works

_log = logging.getLogger(__name__)


class RunSessions:
    """Starts them, and lets go of all that is theirs when they are over. An end that the store refused is kept in `unstored`."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        works: Works,
        accounts: RunAccounts,
        leases: LeaseKeeper,
        supervisor: Supervisor,
        stops: StopRequests,
        unstored: UnstoredEnds,
        on_bug: OnBug,
    ) -> None:
        self._store = store
        self._clock = clock
        self._works = works
        self._accounts = accounts
        self._leases = leases
        self._supervisor = supervisor
        self._stops = stops
        self._unstored = unstored
        self._on_bug = on_bug
        self._going: dict[str, RunSession] = {}
        self._storing: asyncio.Task[None] | None = None

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._going

    def get(self, run_id: str) -> RunSession | None:
        """Return the session of a run that goes on here."""
        return self._going.get(run_id)

    def newest(self, run: Run) -> Run:
        """Return a stored run as it is now. One that is stored as over is over: its session learns of that a moment later."""
        session = self._going.get(run.id)
        if session is None:
            return self._unstored.get(run.id) or run
        return run if run.status.is_final else session.run

    async def start(self, run: Run, info: StrategyInfo, keys: tuple[BarSetKey, ...], confirm: str) -> Run:
        """Start a pending run, or let an interrupted one go on; return it as it goes on. For the terms see `RunManager.start`.

        Raises RunNotStartable, NotArmed, HeldElsewhere, BrokerError.
        """
        try:
            rows = await self.take_lease(run.id)
        except HeldElsewhere as error:
            raise RunNotStartable(f"Run {run.id} is started at the desk {error.desk}.", "Look at it there, or run it again.") from error
        try:
            if self._accounts.is_needed(run.config):
                await self._accounts.arm(run, confirm)
            return await self._begin(run, info, keys, rows)
        except BaseException:
            await self._accounts.disarm(run.id)
            await self._leases.give_back(LeaseKind.RUN, run.id)
            raise

    async def take_lease(self, run_id: str) -> FencedRuns:
        """Take a run's lease, and return where it is stored while that is held. Raises HeldElsewhere."""
        return FencedRuns(self._store.runs, await self._leases.take(LeaseKind.RUN, run_id, lambda: self._lost(run_id)))

    async def _begin(self, run: Run, info: StrategyInfo, keys: tuple[BarSetKey, ...], rows: FencedRuns) -> Run:
        newest = await self._store.runs.run(run.id)
        if newest is None or newest.status is not run.status:
            raise RunNotStartable(f"Run {run.id} was started or removed elsewhere in the meantime.", "Run it again to get a new one.")
        is_resumed = run.status is RunStatus.INTERRUPTED
        began_ns = run.started_ns if is_resumed else self._clock.now_ns()
        here = {"owner": self._store.owner, "desk": self._store.desk.name}
        started = run.moved_to(RunStatus.RUNNING, started_ns=began_ns, ended_ns=None, error=None, error_code=None, **here)
        past = await read_past(run.id, self._store) if is_resumed else None
        work = self._works.make(started, info, keys, rows, past)
        session = RunSession(started, work, log=self._store.log, clock=self._clock, on_bug=self._on_bug, is_resumed=is_resumed)
        self._going[run.id] = session
        requests = self._stops.heard(run.id, session.stop)
        try:
            async with rows.begin() as unit:
                unit.put_run(started)
            await self._leases.go_on()
            await self._supervisor.start(self._execute(session, rows, requests), f"run-{run.id}")
        except BaseException:
            requests.close()
            del self._going[run.id]
            session.never_began()
            raise
        return started

    async def _execute(self, session: RunSession, rows: FencedRuns, requests: Subscription) -> None:
        run_id = session.run.id
        try:
            # It is told at once; where it is not heard, the next renewal of the lease finds it.
            with self._store.log.subscribe(RunTakenOver.wire, lambda _: self._leases.look(), owner=f"run {run_id}", run_id=run_id):
                await session.execute()
        except asyncio.CancelledError:
            pass  # the session has ended itself; the task's owner asked for it
        except Exception as error:
            self._on_bug(error, f"run {run_id}")
        finally:
            if not session.is_stored:
                self._unstored.add(session.run, rows)
            self._going.pop(run_id, None)
            requests.close()
            await self._accounts.disarm(run_id)
            if session.is_stored:
                await self._leases.give_back(LeaseKind.RUN, run_id)
            elif self._storing is None or self._storing.done():
                self._storing = await self._supervisor.start(self._unstored.keep(), "unstored-ends")

    def _lost(self, run_id: str) -> None:
        """Another desk has taken the run over: it ends here, and nothing of it is stored any more."""
        _log.warning("Another desk has taken over run %s; it ends here.", run_id)
        session = self._going.get(run_id)
        if session is not None:
            session.is_taken = True
            session.stop()

    async def stop(self, session: RunSession) -> None:
        """Stop a run and wait for it."""
        session.stop()
        await session.over.wait()

    async def stop_all(self) -> int:
        """Stop all of them and wait for them; return how many there were."""
        sessions = list(self._going.values())
        async with asyncio.TaskGroup() as group:
            for session in sessions:
                group.create_task(self.stop(session), name=f"stop-{session.run.id}")
        return len(sessions)
