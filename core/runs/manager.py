"""RunManager: creates, starts, stops, recovers and removes runs. Each one that goes on is a RunSession under the supervisor."""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Final

import msgspec

from core.errors import (
    AdapterBroken,
    HeldElsewhere,
    InvalidValue,
    KnownError,
    NoBars,
    NotArmed,
    RunError,
    RunNotStartable,
    RunNotStoppable,
    StrategyBroken,
    UnknownName,
)
from core.events.payloads import RunCreated, RunDeleted, RunTakenOver
from core.matching.costs import NoFee, NoSlippage, fee_model, slippage_model
from core.model.broker import AccountName
from core.model.desk import DeskSeen, Lease, LeaseKind
from core.model.market import BarSetKey, Timeframe, parse_symbol
from core.model.plugin import StrategyInfo
from core.model.reconciliation import Reconciliation
from core.model.risk import RiskLimits, account_limits
from core.model.run import Run, RunConfig, RunMode, RunStatus
from core.ports import BrokerSource, Clock, Rows, Store, StrategySource, Subscription
from core.runs.backtest import BacktestWork, Materials
from core.runs.bar_choice import choose_set
from core.runs.desks import Desks
from core.runs.endings import RunEndings
from core.runs.hand import HandDesk
from core.runs.hand_account import HandAccount
from core.runs.handing_over import HandingOver, Reconcile, nothing_outside
from core.runs.leases import FencedRuns, LeaseKeeper
from core.runs.live import LiveWork
from core.runs.live_config import account_of, check_at
from core.runs.live_materials import LiveMaterials
from core.runs.past import Past, read_past
from core.runs.reconciling import reconcile_account, settled
from core.runs.recorded_bars import recorded
from core.runs.removal import left_to_account
from core.runs.run_event import run_event
from core.runs.run_inputs import inputs_of
from core.runs.session import OnBug, RunSession, RunWork
from core.runs.stop_requests import StopRequests, gone
from core.runs.supervisor import Supervisor
from core.runs.switch_reach import SwitchReach
from core.runs.tradable import check_tradable
from core.runs.unstored import UnstoredEnds

_log = logging.getLogger(__name__)


AccountLimits = Callable[[AccountName], RiskLimits]


def plain_limits(account: AccountName) -> RiskLimits:
    """Return the limits of an account that nobody set."""
    return account_limits("", "account.limits")


class RunManager:
    """All runs of this process, and the stored ones."""

    def __init__(
        self,
        *,
        store: Store,
        strategies: StrategySource,
        brokers: BrokerSource,
        clock: Clock,
        callback_limit_s: float,
        on_bug: OnBug,
        account_limits: AccountLimits = plain_limits,
    ) -> None:
        self._store = store
        self._strategies = strategies
        self._clock = clock
        self._on_bug = on_bug
        self._materials = Materials(
            bars=store.bars, actions=store.actions, runs=store.runs, strategies=strategies, clock=clock, callback_limit_s=callback_limit_s
        )
        self._supervisor = Supervisor()
        self._leases = LeaseKeeper(store.leases, self._supervisor, clock, on_bug)
        self._brokers = brokers
        self._callback_limit_s = callback_limit_s
        self._desks = Desks(brokers, store, self._supervisor, self._leases, account_limits, on_bug)
        self._sessions: dict[str, RunSession] = {}
        self._stops = StopRequests(store, clock)
        self.by_hand: Final = HandDesk(self._desks, brokers, store, strategies, self._supervisor, self._leases, on_bug)
        self.switch_reach: Final = SwitchReach(self._desks, brokers, store, self._supervisor, clock, on_bug)
        self._armed: dict[str, AsyncExitStack] = {}
        """The accounts that runs trade on and that outlive the program, held open for them from before they start."""
        self._endings = RunEndings(store, brokers, clock)
        self._handing = HandingOver(store, self._desks, self._leases, self._endings, clock)
        self._taking: list[asyncio.Task[None]] = []
        self._unstored = UnstoredEnds(self._endings.store_again, lambda run_id: self._leases.give_back(LeaseKind.RUN, run_id))
        self._storing: asyncio.Task[None] | None = None

    # --- life ---

    async def recover(self) -> list[Run]:
        """Mark runs whose process is gone as interrupted, and cancel what their orders left working.

        A run that another desk has is left alone until its lease has expired, and where its account is at a broker, until that is
        compared: that goes on by itself after this returns.
        """
        await self._unstored.store()
        found = []
        leased = {lease.name: lease for lease in await self._store.leases.held(LeaseKind.RUN)}
        for run in await self._store.runs.runs():
            if run.status is not RunStatus.RUNNING or run.id in self._sessions:
                continue
            if self._stays(run):
                await self.by_hand.forget_owner(run)
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
                found.append(await self.take_over(run.id, nothing_outside))
            except HeldElsewhere:
                continue
        if self._store.is_shared:
            await self._leases.renew()
            await self._leases.go_on()  # the others see that this desk is there, whether it runs anything or not
        return found

    def _stays(self, run: Run) -> bool:
        """Tell whether a run outlives the program: the book of a person's orders, where its account does, or while it is open here."""
        return run.config.is_by_hand and (self._brokers.outlives_program(run.config.broker) or self.by_hand.holds(run.id))

    async def take_over(self, run_id: str, reconcile: Reconcile | None = None) -> Run:
        """Take a running run from a desk that is gone or has offered it, and end it as interrupted; see `HandingOver`.

        Raises HeldElsewhere, RunError, BrokerError, UnknownName.
        """
        run = await self.get(run_id)
        if run.id in self._sessions:
            raise RunError(f"Run {run.id} goes on in this program; there is nothing to take over.")
        return await self._handing.take_over(run, reconcile)

    async def offer(self, run_id: str, desk: str | None) -> DeskSeen | None:
        """Let another desk take a run of this one at once; None takes the offer back. Raises InputError, UnknownName, RunError."""
        return await self._handing.offer(await self.get(run_id), desk)

    async def _take_over_if_it_can(self, run_id: str) -> None:
        try:
            await self.take_over(run_id)
        except KnownError as error:
            _log.info("Run %s of another desk is not taken over: %s", run_id, error.what)
        except Exception as error:
            self._on_bug(error, f"taking over run {run_id}")

    async def close(self) -> None:
        """Stop every run, let every account go, and wait for them."""
        await self.stop_all()
        for task in self._taking:
            task.cancel()
        await self.by_hand.close()
        await self.switch_reach.close()
        self._unstored.close()
        self._leases.close()
        await self._supervisor.close()
        await self._unstored.store()

    # --- commands ---

    async def create(self, config: RunConfig, *, demo: bool = False) -> Run:
        """Check what can be checked without running, and store a pending run. Raises InputError, NoBars, StrategyBroken."""
        config, _info = await self._settled(config)
        if config.mode is RunMode.BACKTEST:
            await self._bar_sets(config)
        now_ns = self._clock.now_ns()
        run = Run(id=secrets.token_hex(6), config=config, status=RunStatus.PENDING, created_ns=now_ns, demo=demo)
        async with self._store.runs.begin() as work:
            work.put_run(run)
            work.append([run_event(run.id, RunCreated(config=config, demo=demo), now_ns)])
        return run

    async def start(self, run_id: str, confirm: str = "") -> Run:
        """Start a pending run; it goes on by itself and ends by itself.

        `confirm`: the name of the account, typed by a person, where real money is. Raises RunNotStartable; of a run on an account that
        outlives the program NotArmed, HeldElsewhere and BrokerError, and the run stays pending.
        """
        run = await self.get(run_id)
        if run.status is not RunStatus.PENDING or run.id in self._sessions:
            todo = "Run it again to get a new one." if run.status.is_final else ""
            raise RunNotStartable(f"Run {run.id} is {run.status} and cannot be started.", todo)
        info = self._strategy(run.config.strategy_id)
        keys = await self._bar_sets(run.config) if run.config.mode is RunMode.BACKTEST else ()
        return await self._leased(run, info, keys, confirm)

    async def resume(self, run_id: str, confirm: str = "") -> Run:
        """Let an interrupted paper or live run go on with its own positions and cash; `confirm` as for `start`.

        Raises RunNotStartable, StrategyBroken, NotArmed, HeldElsewhere and BrokerError, and the run stays interrupted.
        """
        run = await self.get(run_id)
        if not self._may_go_on(run):
            words = "is a backtest" if run.config.mode is RunMode.BACKTEST else f"is {run.status}"
            raise RunNotStartable(f"Run {run.id} {words} and cannot go on.", "A paper or live run that was interrupted can.")
        if not self._brokers.outlives_program(run.config.broker):
            raise RunNotStartable(f"The account of run {run.id} at {run.config.broker} ended with the program.", "Run it again.")
        info = self._strategy(run.config.strategy_id)
        if run.manifest is not None and run.manifest.strategy_sha256 != info.sha256:
            raise RunNotStartable(
                f"The strategy {info.id} is no longer the code that run {run.id} ran.", "Bring the file back, or close the run."
            )
        return await self._leased(run, info, (), confirm)

    async def close_interrupted(self, run_id: str, *, flatten: bool) -> Run:
        """End an interrupted run: its orders are reconciled and cancelled, with `flatten` its positions closed. Raises RunNotStoppable."""
        run = await self.get(run_id)
        if not self._may_go_on(run):
            raise RunNotStoppable(f"Run {run.id} is {run.status} and cannot be closed.", "A paper or live run that was interrupted can.")
        try:
            rows = FencedRuns(self._store.runs, await self._take_lease(run.id))
        except HeldElsewhere as error:
            raise RunNotStoppable(f"Run {run.id} is in the hands of the desk {error.desk}.", "Close it there.") from error
        try:
            newest = await self._store.runs.run(run.id)
            if newest is None or newest.status is not RunStatus.INTERRUPTED:
                raise RunNotStoppable(f"Run {run.id} was closed or went on elsewhere in the meantime.")
            left = await self._wind_up(newest, flatten=flatten) if self._endings.outlives_program(newest) else ""
            return await self._endings.close(newest, rows, f"It was closed.{left}")
        finally:
            await self._leases.give_back(LeaseKind.RUN, run.id)

    def _may_go_on(self, run: Run) -> bool:
        is_strategy_s = run.config.mode is not RunMode.BACKTEST and not run.config.is_by_hand
        return is_strategy_s and run.status is RunStatus.INTERRUPTED and run.id not in self._sessions

    async def _wind_up(self, run: Run, *, flatten: bool) -> str:
        """Reconcile an interrupted run's orders, cancel what works of it, and with `flatten` close its positions; return what is left."""
        async with self._desks.open(run.config.broker, account_of(run.config.mode)) as opened:
            await settled(opened.desk)  # what the broker kept of a bought coin cannot be sold
            await opened.owed.forget(run.id, "Its run is closed, and takes its orders back.")
            return await opened.desk.wind_up(run.id, flatten=flatten)

    async def _leased(self, run: Run, info: StrategyInfo, keys: tuple[BarSetKey, ...], confirm: str) -> Run:
        try:
            rows = FencedRuns(self._store.runs, await self._take_lease(run.id))
        except HeldElsewhere as error:
            raise RunNotStartable(f"Run {run.id} is started at the desk {error.desk}.", "Look at it there, or run it again.") from error
        try:
            if self._has_account(run.config):
                await self._arm(run, confirm)
            return await self._start(run, info, keys, rows)
        except BaseException:
            await self._disarm(run.id)
            await self._leases.give_back(LeaseKind.RUN, run.id)
            raise

    async def _arm(self, run: Run, confirm: str) -> None:
        """Open the account of a run and let orders leave there. Raises NotArmed, HeldElsewhere, BrokerError."""
        opened = AsyncExitStack()
        account = await opened.enter_async_context(self._desks.open(run.config.broker, account_of(run.config.mode)))
        self._armed[run.id] = opened
        await account.arm(confirm, run.id)

    def _has_account(self, config: RunConfig) -> bool:
        """Tell whether a run trades on an account that others may have, too: not one that is made for this program."""
        return config.mode is RunMode.LIVE or (config.mode is RunMode.PAPER and self._brokers.outlives_program(config.broker))

    @asynccontextmanager
    async def holding_account(self, config: RunConfig) -> AsyncGenerator[None]:
        """Have the account that a run would trade on, for the length of the block: who cannot have it is told before there is a run.

        Raises what `create` does of the config, what `check_symbols` does, HeldElsewhere and BrokerError.
        """
        config, _ = await self._settled(config)
        async with AsyncExitStack() as stack:
            if self._has_account(config):
                await stack.enter_async_context(self._desks.open(config.broker, account_of(config.mode)))
            await self.check_symbols(config)
            yield

    async def check_symbols(self, config: RunConfig) -> None:
        """Raise UnknownName or InvalidValue for a symbol of a paper or live run that its broker says it does not trade."""
        if config.mode is not RunMode.BACKTEST:
            symbols = [parse_symbol(symbol) for symbol in config.symbols]
            await check_tradable(config.broker, account_of(config.mode), symbols, self._brokers, self._desks)

    async def _disarm(self, run_id: str) -> None:
        opened = self._armed.pop(run_id, None)
        if opened is not None:
            await opened.aclose()

    async def _take_lease(self, run_id: str) -> Lease:
        return await self._leases.take(LeaseKind.RUN, run_id, lambda: self._lost(run_id))

    async def _start(self, run: Run, info: StrategyInfo, keys: tuple[BarSetKey, ...], rows: FencedRuns) -> Run:
        newest = await self._store.runs.run(run.id)
        if newest is None or newest.status is not run.status:
            raise RunNotStartable(f"Run {run.id} was started or removed elsewhere in the meantime.", "Run it again to get a new one.")
        is_resumed = run.status is RunStatus.INTERRUPTED
        began_ns = run.started_ns if is_resumed else self._clock.now_ns()
        here = {"owner": self._store.owner, "desk": self._store.desk.name}
        started = run.moved_to(RunStatus.RUNNING, started_ns=began_ns, ended_ns=None, error=None, error_code=None, **here)
        # Once, here: from now on nobody asks in which mode a run is.
        is_backtest = run.config.mode is RunMode.BACKTEST
        past = await read_past(run.id, self._store) if is_resumed else None
        work = self._backtest(started, info, keys, rows) if is_backtest else self._live(started, info, rows, past)
        session = RunSession(started, work, log=self._store.log, clock=self._clock, on_bug=self._on_bug, is_resumed=is_resumed)
        self._sessions[run.id] = session
        requests = self._stops.heard(run.id, session.stop)
        try:
            async with rows.begin() as unit:
                unit.put_run(started)
            await self._leases.go_on()
            await self._supervisor.start(self._execute(session, rows, requests), f"run-{run.id}")
        except BaseException:
            requests.close()
            del self._sessions[run.id]
            session.never_began()
            raise
        return started

    async def connect_by_hand(self, broker_id: str, account: AccountName, confirm: str) -> HandAccount:
        """Open an account for a person; see `HandDesk.connect`."""
        opened = await self.by_hand.connect(broker_id, account, confirm)
        await self._leases.go_on()
        return opened

    def _lost(self, run_id: str) -> None:
        """Another desk has taken the run over: it ends here, and nothing of it is stored any more."""
        _log.warning("Another desk has taken over run %s; it ends here.", run_id)
        session = self._sessions.get(run_id)
        if session is not None:
            session.is_taken = True
            session.stop()

    async def stop(self, run_id: str) -> Run:
        """Stop a running run, of whichever process of this desk, and return it once it is over. Raises RunNotStoppable, StillRunning."""
        run = await self.get(run_id)
        session = self._sessions.get(run.id)
        if session is not None:
            await self._stop(session)
            return session.run
        if run.status is RunStatus.RUNNING and run.owner == self._store.owner:
            run = await self.get(run.id)  # it ended here while it was read
        if run.status is RunStatus.INTERRUPTED:
            raise gone(run)
        if run.status is not RunStatus.RUNNING:
            raise RunNotStoppable(f"Run {run.id} is {run.status} and cannot be stopped.")
        return await self._stops.ask(run)

    async def stop_all(self) -> int:
        """Stop every run of this process and wait for them; return how many there were."""
        sessions = list(self._sessions.values())
        async with asyncio.TaskGroup() as group:
            for session in sessions:
                group.create_task(self._stop(session), name=f"stop-{session.run.id}")
        return len(sessions)

    async def again(self, run_id: str, confirm: str = "") -> Run:
        """Create and start a run with the same config; `confirm` as for `start`. Where it cannot be started none is left."""
        run = await self.get(run_id)
        async with self.holding_account(run.config):
            fresh = await self.create(run.config, demo=run.demo)
            try:
                return await self.start(fresh.id, confirm)
            except NotArmed:
                await self.delete(fresh.id)
                raise

    async def delete(self, run_id: str) -> None:
        """Remove a run that does not go on, with all that belongs to it; what it traded stays in its account. Raises RunError."""
        run = await self.get(run_id)
        if run.status is RunStatus.RUNNING:
            raise RunError(f"Run {run.id} is running and cannot be removed.", f"Stop it first{_at(run)}.")
        now_ns = self._clock.now_ns()
        left = await left_to_account(run, self._store, now_ns) if self._endings.outlives_program(run) else []
        async with self._store.runs.begin() as work:
            work.delete_run(run.id)
            work.append([*left, run_event(run.id, RunDeleted(), now_ns)])
        if run.config.mode is not RunMode.BACKTEST:
            for symbol in run.config.symbols:
                await self._store.bars.delete(recorded(run.id, symbol, run.config.timeframe))

    async def wait(self, run_id: str) -> Run:
        """Return the run once it is over."""
        session = self._sessions.get(run_id)
        if session is not None:
            await session.over.wait()
            return await self.get(run_id) if session.is_taken else session.run
        return await self.get(run_id)

    async def reconcile_account(self, broker_id: str, account: AccountName, accepts: str | None = None) -> Reconciliation:
        """Compare an account with its broker and heal what differs. Raises BrokerError, HeldElsewhere, UnknownName."""
        return await reconcile_account(self._desks, self._store.log, broker_id, account, accepts)

    # --- questions ---

    async def all(self, *, by_hand: bool = False) -> list[Run]:
        """Return all runs, newest first; those that go on here as they are now. The books of a person's own orders only when asked for."""
        return [self._newest(run) for run in await self._store.runs.runs() if by_hand or not run.config.is_by_hand]

    async def get(self, run_id: str) -> Run:
        """Return a run by its id or an unambiguous beginning of it. Raises UnknownName or InvalidValue."""
        run = await self._store.runs.run(run_id)
        if run is None:
            runs = await self._store.runs.runs()
            found = [item for item in runs if run_id and item.id.startswith(run_id)]
            if not found:
                raise UnknownName("run", run_id, [item.id for item in runs])
            if len(found) > 1:
                raise InvalidValue("run", run_id, f"{len(found)} runs begin so; write more of the id.")
            run = found[0]
        return self._newest(run)

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

    def is_here(self, run: Run) -> bool:
        """Tell whether a run goes on, or has just ended, in this process; a run that names no other is."""
        return run.id in self._sessions or run.owner in {None, self._store.owner}

    async def bar_sets(self, run_id: str) -> list[BarSetKey]:
        """Return the stored sets a run reads, in the order of its symbols."""
        run = await self.get(run_id)
        if run.config.mode is RunMode.BACKTEST:
            return list(await self._bar_sets(run.config))
        return [recorded(run.id, symbol, run.config.timeframe) for symbol in run.config.symbols]

    async def account_name(self, broker_id: str, account: AccountName) -> str:
        """Return an account's number at its broker, whoever has it open. Raises BrokerError, UnknownName."""
        return (await self._desks.key_of(broker_id, account)).partition(":")[2]

    def market_now_ns(self, broker_id: str) -> int:
        """Return the present instant at a broker's market. Raises UnknownName."""
        self._brokers.info(broker_id)
        return self._brokers.clock(broker_id).now_ns()

    def market_speed(self, broker_id: str) -> float:
        """Return how many times as fast as real time a broker's market goes. Raises UnknownName."""
        self._brokers.info(broker_id)
        return self._brokers.clock(broker_id).speed

    def strategy_of(self, run: Run) -> StrategyInfo:
        """Return the plug-in of a run as it is on disk now. Raises UnknownName or StrategyBroken."""
        return self._strategy(run.config.strategy_id)

    async def work_again(self, run: Run, rows: Rows) -> BacktestWork:
        """Return a run's work once more, for the caller to drive and close; what it did goes to `rows`."""
        keys = await self._bar_sets(run.config)
        return BacktestWork(run, self.strategy_of(run), keys, replace(self._materials, runs=rows), traced=False)

    async def replay_of(self, run: Run, rows: Rows) -> BacktestWork:
        """Return a paper or live run as a backtest over the bars it saw, for the caller to drive and close. Raises NoBars, InputError."""
        config = msgspec.structs.replace(
            run.config,
            mode=RunMode.BACKTEST,
            source=recorded(run.id, run.config.symbols[0], run.config.timeframe).source,
            adjustment=None,
            start_ns=run.first_bar_ns,
            end_ns=None,
            corporate_actions=False,
            trace=False,
        )
        run = msgspec.structs.replace(run, config=config)
        materials = replace(self._materials, runs=rows)
        inputs = await inputs_of(run, self._store, always_open=self._is_always_open(run.config.broker))
        return BacktestWork(run, self.strategy_of(run), await self._bar_sets(config), materials, traced=False, inputs=inputs)

    # --- inside ---

    def _is_always_open(self, broker_id: str) -> bool:
        try:
            return self._brokers.info(broker_id).features.always_open
        except (UnknownName, AdapterBroken):
            return False  # its adapter is gone; what the run did there can be compared all the same

    def _backtest(self, run: Run, info: StrategyInfo, keys: tuple[BarSetKey, ...], rows: Rows) -> RunWork:
        return BacktestWork(run, info, keys, replace(self._materials, runs=rows), traced=run.config.trace)

    def _live(self, run: Run, info: StrategyInfo, rows: FencedRuns, past: Past | None) -> RunWork:
        materials = LiveMaterials(
            store=self._store,
            rows=rows,
            strategies=self._strategies,
            desks=self._desks,
            clock=self._brokers.clock(run.config.broker),
            callback_limit_s=self._callback_limit_s,
            lease=rows.lease,
            is_ours=lambda: self._leases.holds(LeaseKind.RUN, run.id),
        )
        return LiveWork(run, info, materials, past)

    async def _stop(self, session: RunSession) -> None:
        session.stop()
        await session.over.wait()

    def _newest(self, run: Run) -> Run:
        """Return a stored run as it is now. One that is stored as over is over: its session learns of that a moment later."""
        session = self._sessions.get(run.id)
        if session is None:
            return self._unstored.get(run.id) or run
        return run if run.status.is_final else session.run

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
            self._sessions.pop(run_id, None)
            requests.close()
            await self._disarm(run_id)
            if session.is_stored:
                await self._leases.give_back(LeaseKind.RUN, run_id)
            elif self._storing is None or self._storing.done():
                self._storing = await self._supervisor.start(self._unstored.keep(), "unstored-ends")

    def _strategy(self, strategy_id: str) -> StrategyInfo:
        known = self._strategies.find_all()
        info = known.get(strategy_id)
        if info is None:
            raise UnknownName("strategy", strategy_id, [name for name, found in known.items() if found.error is None])
        if info.error is not None:
            raise StrategyBroken(f"The strategy {strategy_id} cannot be loaded: {info.error}", "Mend its file and try again.")
        return info

    async def _settled(self, config: RunConfig) -> tuple[RunConfig, StrategyInfo]:
        """Return the config with every parameter and name in its settled form."""
        if config.is_by_hand:
            raise InvalidValue("strategy", config.strategy_id, "that is the name of a person's own orders; give the strategy another id.")
        if config.mode is not RunMode.BACKTEST:
            # A person's own adapters are read from their files.
            check_at(config, (await asyncio.to_thread(self._brokers.info, config.broker)).features)
        # The first time, every file is read and parsed: that takes too long for the loop of a window.
        info = await asyncio.to_thread(self._strategy, config.strategy_id)
        symbols = tuple(parse_symbol(symbol) for symbol in config.symbols)
        if info.symbols and len(symbols) != info.symbols:
            raise InvalidValue("symbols", ", ".join(symbols), f"{info.id} trades {info.symbols} of them.")
        # A strategy may bring models of its own; whether this one does is known when it is loaded.
        fee_model(config.fees, NoFee())
        slippage_model(config.slippage, NoSlippage())
        timeframe = str(Timeframe.parse(config.timeframe))
        params = info.parse_params(dict(config.params))
        return msgspec.structs.replace(config, symbols=symbols, timeframe=timeframe, params=params), info

    async def _bar_sets(self, config: RunConfig) -> tuple[BarSetKey, ...]:
        """Return the set each symbol's bars come from. Raises UnknownName, InvalidValue or NoBars."""
        stored = await self._store.bars.sets()
        if not stored:
            raise NoBars("No bars are stored yet.", "Import a price file first: weaver data import FILE --symbol S --timeframe 1m.")
        return tuple(choose_set(config, symbol, stored) for symbol in config.symbols)


def _at(run: Run) -> str:
    return f" (at the desk {run.desk})" if run.desk else ""
