"""A run goes from one desk to another: offered by the one, taken by the other once it was compared with the broker.

Source: docs/adr/0031.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

from core.errors import HeldElsewhere, InputError, InvalidValue, RunError, UnknownName
from core.events.envelope import Payload
from core.events.payloads import RunOffered, RunTakenOver
from core.model.broker import AccountName
from core.model.desk import DeskSeen, Lease, LeaseKind
from core.model.order import OrderStatus
from core.model.run import Run, RunMode, RunStatus
from core.ports import Clock, Store
from core.runs.desks import Desks, OpenAccount, check_typed
from core.runs.endings import RunEndings
from core.runs.leases import TTL_S, FencedRuns, LeaseKeeper
from core.runs.live_config import account_of
from core.runs.run_event import run_event

Reconcile = Callable[[Run], Awaitable[None]]
"""Compares a run with the truth outside, its broker's account, before a desk that took it over does anything with it."""

LETS_GO_S: Final = TTL_S + 5.0
"""How long a desk that lost its run is given to let the account go: one that is gone does so when its lease is over."""
SETTLES_S: Final = 30.0
"""How long it may take until an order that never left is known not to be at the broker."""
_AGAIN_S: Final = 0.5


async def nothing_outside(run: Run) -> None:
    """Reconcile a run whose account is in the store, or is looked at when it is opened."""


class HandingOver:
    """Offers runs of this desk, and takes those of others."""

    def __init__(self, store: Store, desks: Desks, leases: LeaseKeeper, endings: RunEndings, clock: Clock) -> None:
        self._store = store
        self._desks = desks
        self._leases = leases
        self._endings = endings
        self._clock = clock

    # --- at the desk that has it ---

    async def offer(self, run: Run, desk: str | None) -> DeskSeen | None:
        """Let the desk of that name or id take a run at once; None takes the offer back. Returns the desk.

        Raises InputError, UnknownName; RunError where the run's account would stay behind, since something else trades there too.
        """
        if not _is_trading(run):
            raise InputError("Only a paper or live run goes from desk to desk.", "Run a backtest again there; connect the account there.")
        lease = await self._lease_of(run)
        if run.status is not RunStatus.RUNNING or lease is None:
            raise RunError(f"Run {run.id} is {run.status}; only one that goes on is offered.", "An interrupted run can be resumed there.")
        if lease.desk.id != self._store.desk.id:
            raise HeldElsewhere(f"Run {run.id}", lease.desk.name, "Offer it there.")
        to = None if desk is None else await self._desk(desk)
        if to is not None:
            if not self._endings.outlives_program(run):
                what = f"The account of run {run.id} at {run.config.broker} ends with this program: no other desk can go on with it."
                raise RunError(what, "Stop the run, and run it again there.")
            await self._check_alone(run, lease)
        await self._store.leases.offer(lease, None if to is None else to.desk.id)
        await self._tell(run, RunOffered(desk=self._store.desk.name, to=None if to is None else to.desk.name))
        return to

    async def _desk(self, name: str) -> DeskSeen:
        others = [seen for seen in await self._store.leases.desks() if not seen.is_here]
        found = [seen for seen in others if seen.desk.id == name] or [
            seen for seen in others if seen.desk.name.casefold() == name.casefold()
        ]
        if len(found) > 1:
            raise InvalidValue(
                "--to", name, f"{len(found)} desks have that name; give its id: {', '.join(seen.desk.id for seen in found)}."
            )
        if not found:
            todo = "" if others else "No other desk has used this database yet: start the program there."
            raise UnknownName("desk", name, [seen.desk.name for seen in others], todo)
        return found[0]

    # --- at the desk that takes it ---

    async def take_over(self, run: Run, reconcile: Reconcile | None = None, confirm: str | None = None) -> Run:
        """Take a running run from a desk that is gone or has offered it, and end it as interrupted.

        From the first moment nothing more of that desk is stored. `reconcile` comes before anything is done here; None: where the run
        trades at a broker, its account is opened and compared. `confirm`: what a person typed who takes it, of a live run the number of its
        account; None: nobody is asked. Raises HeldElsewhere, RunError, NotArmed, BrokerError; then it can be tried again.
        """
        if run.status is not RunStatus.RUNNING:
            raise RunError(f"Run {run.id} is {run.status}; there is nothing to take over.")
        before = await self._lease_of(run)
        here = self._store.desk
        if before is not None and not before.expired and here.id not in {before.offered_to, before.desk.id}:
            raise self._refused(run, before.desk.name)
        account = account_of(run.config.mode) if reconcile is None and self._endings.outlives_program(run) else None
        if account is not None:
            await self._check_can(run, before, account, confirm)
        try:
            lease = await self._leases.take(LeaseKind.RUN, run.id, lambda: None)
        except HeldElsewhere as error:
            raise self._refused(run, error.desk) from error
        rows = FencedRuns(self._store.runs, lease)
        try:
            newest = await self._store.runs.run(run.id)
            if newest is None or newest.status is not RunStatus.RUNNING:
                what = "was removed" if newest is None else f"is {newest.status}"
                raise RunError(f"Run {run.id} {what}; there is nothing to take over.")
            if account is None:
                await (reconcile or nothing_outside)(newest)
                return await self._endings.interrupt(newest, rows)
            was_at = "" if before is None else before.desk.name
            await self._tell(newest, RunTakenOver(desk=self._store.desk.name, was_at=was_at or newest.desk), rows)
            await self._leases.go_on()
            async with self._let_go(newest, account, was_at) as opened:
                await opened.desk.reconcile()
                await self._settled(opened, run.id)
                working = len(opened.desk.state.working(run.id))
                return await self._endings.hand_over(newest, rows, self._store.desk.name, was_at, working)
        finally:
            await self._leases.give_back(LeaseKind.RUN, run.id)

    def _refused(self, run: Run, desk: str) -> HeldElsewhere:
        todo = f"It can be offered there: weaver runs offer {run.id} --to {self._store.desk.name!r}."
        return HeldElsewhere(f"Run {run.id}", desk, todo if _is_trading(run) else "Wait until that desk has let go.")

    async def _check_can(self, run: Run, lease: Lease | None, account: AccountName, confirm: str | None) -> None:
        """Raise what would keep the account from coming with the run, before anything is taken from anybody."""
        if lease is not None and not lease.expired and lease.offered_to == self._store.desk.id:
            await self._check_alone(run, lease)
        key = await self._desks.key_of(run.config.broker, account)
        others = {order.account for order in await self._store.runs.orders(run.id)} - {None, key}
        if others:
            what = f"The orders of run {run.id} are at the account {', '.join(sorted(map(str, others)))}, and this desk's is {key}."
            raise RunError(what, "Store the keys of that account here (weaver accounts set), or close the run at its own desk.")
        if account is AccountName.LIVE and confirm is not None:
            check_typed(confirm, key.partition(":")[2])

    async def _check_alone(self, run: Run, lease: Lease) -> None:
        """Raise RunError where something else of the run's desk trades on its account: an account has one desk."""
        held = {one.name for one in await self._store.leases.held(LeaseKind.RUN) if not one.expired and one.desk.id == lease.desk.id}
        others = [
            one
            for one in await self._store.runs.runs()
            if one.id in held - {run.id}
            and one.status is RunStatus.RUNNING
            and (one.config.broker, one.config.mode) == (run.config.broker, run.config.mode)
        ]
        if others:
            account = f"The {account_of(run.config.mode)} account of {run.config.broker}"
            what = f"{account} stays at the desk {lease.desk.name}: {_users(others)} too. An account has one desk at a time."
            raise RunError(what, "Stop that there, or let the account go; then offer the run.")

    @asynccontextmanager
    async def _let_go(self, run: Run, account: AccountName, was_at: str) -> AsyncGenerator[OpenAccount]:
        """Open the run's account as soon as the desk that lost the run has let it go: what that desk was sending is over then."""
        async with AsyncExitStack() as places:
            try:
                async with asyncio.timeout(LETS_GO_S):
                    while True:
                        try:
                            opened = await places.enter_async_context(self._desks.open(run.config.broker, account))
                            break
                        except HeldElsewhere as error:
                            held = error
                            if error.desk != was_at:
                                raise
                        await asyncio.sleep(_AGAIN_S)
            except TimeoutError:
                raise held from None
            yield opened

    async def _settled(self, opened: OpenAccount, run_id: str) -> None:
        """Wait until it is known of every order whether it reached the broker: the old desk may have ended between commit and sending."""
        state = opened.desk.state

        def is_known() -> bool:
            return all(life.order.status is not OrderStatus.SUBMITTING for life in state.working(run_id))

        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLES_S):
                await state.until(is_known)

    # --- both ---

    async def _lease_of(self, run: Run) -> Lease | None:
        return next((lease for lease in await self._store.leases.held(LeaseKind.RUN) if lease.name == run.id), None)

    async def _tell(self, run: Run, payload: Payload, rows: FencedRuns | None = None) -> None:
        event = run_event(run.id, payload, self._clock.now_ns())
        async with (rows or self._store.runs).begin() as work:
            work.append([event])


def _is_trading(run: Run) -> bool:
    """Tell whether it is a strategy's paper or live run."""
    return run.config.mode is not RunMode.BACKTEST and not run.config.is_by_hand


def _users(others: Sequence[Run]) -> str:
    runs = [f"run {one.id} ({one.config.strategy_id})" for one in others if not one.config.is_by_hand]
    by_hand = ["it is open by hand there"] if len(runs) < len(others) else []
    return " and ".join([*([f"{', '.join(runs)} trade{'s' if len(runs) == 1 else ''} on it"] if runs else []), *by_hand])
