"""RunManager: creates, starts, stops, recovers and removes runs. Each one that goes on is a RunSession under the supervisor."""

import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from core.errors import HeldElsewhere, InvalidValue, NotArmed, RunError, RunNotStartable, RunNotStoppable, UnknownName
from core.events.payloads import RunCreated, RunDeleted
from core.model.broker import AccountName
from core.model.desk import DeskSeen, LeaseKind
from core.model.market import BarSetKey
from core.model.plugin import StrategyInfo
from core.model.reconciliation import Reconciliation
from core.model.risk import RiskLimits, account_limits
from core.model.run import Run, RunConfig, RunMode, RunStatus
from core.ports import BrokerSource, Clock, Store, StrategySource
from core.runs.desks import Desks
from core.runs.endings import RunEndings
from core.runs.hand import HandDesk
from core.runs.hand_account import HandAccount
from core.runs.handing_over import HandingOver, Reconcile
from core.runs.leases import LeaseKeeper
from core.runs.live_config import account_of
from core.runs.reconciling import reconcile_account, settled
from core.runs.recorded_bars import minutes_of, recorded
from core.runs.recovery import Recovery
from core.runs.removal import left_to_account
from core.runs.run_accounts import RunAccounts
from core.runs.run_checks import RunChecks
from core.runs.run_event import run_event
from core.runs.session import OnBug
from core.runs.sessions import RunSessions
from core.runs.stop_requests import StopRequests, gone
from core.runs.supervisor import Supervisor
from core.runs.switch_reach import SwitchReach
from core.runs.unstored import UnstoredEnds
from core.runs.works import Works

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
        self._clock = clock
        self._supervisor = Supervisor()
        self._leases = LeaseKeeper(store.leases, self._supervisor, clock, on_bug)
        self._brokers = brokers
        self._desks = Desks(brokers, store, self._supervisor, self._leases, account_limits, on_bug)
        self._checks = RunChecks(store, strategies, brokers, self._desks)
        self.works: Final = Works(
            store=store,
            strategies=strategies,
            brokers=brokers,
            clock=clock,
            callback_limit_s=callback_limit_s,
            desks=self._desks,
            leases=self._leases,
            checks=self._checks,
        )
        self._stops = StopRequests(store, clock)
        self.by_hand: Final = HandDesk(self._desks, brokers, store, strategies, self._supervisor, self._leases, on_bug)
        self.switch_reach: Final = SwitchReach(self._desks, brokers, store, self._supervisor, clock, on_bug)
        self._accounts = RunAccounts(self._desks, brokers)
        self._endings = RunEndings(store, brokers, clock)
        self._unstored = UnstoredEnds(self._endings.store_again, lambda run_id: self._leases.give_back(LeaseKind.RUN, run_id))
        self._sessions = RunSessions(
            store=store,
            clock=clock,
            works=self.works,
            accounts=self._accounts,
            leases=self._leases,
            supervisor=self._supervisor,
            stops=self._stops,
            unstored=self._unstored,
            on_bug=on_bug,
        )
        self._handing = HandingOver(store, self._desks, self._leases, self._endings, clock)
        self._recovery = Recovery(
            store,
            brokers,
            self._sessions,
            self.by_hand,
            self._endings,
            self._leases,
            self._supervisor,
            take_over=self.take_over,
            on_bug=on_bug,
        )

    # --- life ---

    async def recover(self) -> list[Run]:
        """Mark runs whose process is gone as interrupted, and cancel what their orders left working.

        A run that another desk has is left alone until its lease has expired, and where its account is at a broker, until that is
        compared: that goes on by itself after this returns.
        """
        await self._unstored.store()
        return await self._recovery.recover()

    async def take_over(self, run_id: str, reconcile: Reconcile | None = None, confirm: str | None = None) -> Run:
        """Take a running run from a desk that is gone or has offered it, and end it as interrupted; see `HandingOver`.

        Raises HeldElsewhere, RunError, NotArmed, BrokerError, UnknownName.
        """
        run = await self.get(run_id)
        if run.id in self._sessions:
            raise RunError(f"Run {run.id} goes on in this program; there is nothing to take over.")
        return await self._handing.take_over(run, reconcile, confirm)

    async def offer(self, run_id: str, desk: str | None) -> DeskSeen | None:
        """Let another desk take a run of this one at once; None takes the offer back. Raises InputError, UnknownName, RunError."""
        return await self._handing.offer(await self.get(run_id), desk)

    async def close(self) -> None:
        """Stop every run, let every account go, and wait for them."""
        await self._sessions.stop_all()
        self._recovery.close()
        await self.by_hand.close()
        await self.switch_reach.close()
        self._unstored.close()
        self._leases.close()
        await self._supervisor.close()
        await self._unstored.store()

    # --- commands ---

    async def create(self, config: RunConfig, *, demo: bool = False) -> Run:
        """Check what can be checked without running, and store a pending run. Raises InputError, NoBars, StrategyBroken."""
        config, _info = await self._checks.settled(config)
        if config.mode is RunMode.BACKTEST:
            await self._checks.bar_sets(config)
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
        info = self._checks.strategy(run.config.strategy_id)
        keys = await self._checks.bar_sets(run.config) if run.config.mode is RunMode.BACKTEST else ()
        return await self._sessions.start(run, info, keys, confirm)

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
        info = self._checks.strategy(run.config.strategy_id)
        if run.manifest is not None and run.manifest.strategy_sha256 != info.sha256:
            raise RunNotStartable(
                f"The strategy {info.id} is no longer the code that run {run.id} ran.", "Bring the file back, or close the run."
            )
        return await self._sessions.start(run, info, (), confirm)

    async def close_interrupted(self, run_id: str, *, flatten: bool) -> Run:
        """End an interrupted run: its orders are reconciled and cancelled, with `flatten` its positions closed. Raises RunNotStoppable."""
        run = await self.get(run_id)
        if not self._may_go_on(run):
            raise RunNotStoppable(f"Run {run.id} is {run.status} and cannot be closed.", "A paper or live run that was interrupted can.")
        try:
            rows = await self._sessions.take_lease(run.id)
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

    @asynccontextmanager
    async def holding_account(self, config: RunConfig) -> AsyncGenerator[None]:
        """Have the account that a run would trade on, for the length of the block: who cannot have it is told before there is a run.

        Raises what `create` does of the config, what `check_symbols` does, HeldElsewhere and BrokerError.
        """
        config, _ = await self._checks.settled(config)
        async with self._accounts.held(config):
            await self.check_symbols(config)
            yield

    async def check_symbols(self, config: RunConfig) -> None:
        """Raise UnknownName or InvalidValue for a symbol of a paper or live run that its broker says it does not trade."""
        await self._checks.check_symbols(config)

    async def connect_by_hand(self, broker_id: str, account: AccountName, confirm: str) -> HandAccount:
        """Open an account for a person; see `HandDesk.connect`."""
        opened = await self.by_hand.connect(broker_id, account, confirm)
        await self._leases.go_on()
        return opened

    async def stop(self, run_id: str) -> Run:
        """Stop a running run, of whichever process of this desk, and return it once it is over. Raises RunNotStoppable, StillRunning."""
        run = await self.get(run_id)
        session = self._sessions.get(run.id)
        if session is not None:
            await self._sessions.stop(session)
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
        return await self._sessions.stop_all()

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
            for key in (recorded(run.id, symbol, run.config.timeframe) for symbol in run.config.symbols):
                await self._store.bars.delete(key)
                await self._store.bars.delete(minutes_of(key))

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
        return [self._sessions.newest(run) for run in await self._store.runs.runs() if by_hand or not run.config.is_by_hand]

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
        return self._sessions.newest(run)

    async def as_found(self, runs: Sequence[Run]) -> list[Run]:
        """Return runs as `recover` would leave them, without changing anything: one that nobody runs any more is interrupted."""
        return await self._recovery.as_found(runs)

    def is_here(self, run: Run) -> bool:
        """Tell whether a run goes on, or has just ended, in this process; a run that names no other is."""
        return run.id in self._sessions or run.owner in {None, self._store.owner}

    async def bar_sets(self, run_id: str) -> list[BarSetKey]:
        """Return the stored sets a run reads, in the order of its symbols."""
        run = await self.get(run_id)
        if run.config.mode is RunMode.BACKTEST:
            return list(await self._checks.bar_sets(run.config))
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
        return self._checks.strategy(run.config.strategy_id)


def _at(run: Run) -> str:
    return f" (at the desk {run.desk})" if run.desk else ""
