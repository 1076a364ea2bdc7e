"""The kill switch where nobody trades: accounts with orders or positions of ours that no process has open.

A desk carries the switch out at its own account. An account without one, after a crash or once the window is closed, is opened
for that here; one that somebody has open is left to them, who hear of the switch by the log.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from core.errors import HeldElsewhere, KnownError
from core.events.envelope import Envelope, envelope
from core.events.live_payloads import CoinFee, SwitchCarriedOut, SwitchThrown, SwitchUnreached
from core.model.broker import AccountName
from core.model.desk import Lease, LeaseKind
from core.model.money import ZERO
from core.model.risk import RiskLimits, SwitchLevel
from core.model.run import Run, RunMode
from core.ports import BrokerSource, Clock, Store
from core.runs.desks import Desks
from core.runs.supervisor import Supervisor
from core.trading.books import RunBook, merged
from core.trading.history import read_changes

PATIENCE_S: Final = 120.0
"""How long an account is kept open for it. What is left then is done when the account is opened again."""


class _Place(msgspec.Struct, frozen=True):
    """An account where something of ours works or is held. `key`: `BROKER:NUMBER`."""

    key: str
    broker_id: str
    account: AccountName


class SwitchReach:
    """Opens what nobody has open, each account in a task of `supervisor`, until `close`."""

    def __init__(
        self,
        desks: Desks,
        brokers: BrokerSource,
        store: Store,
        supervisor: Supervisor,
        clock: Clock,
        on_bug: Callable[[BaseException, str], None],
    ) -> None:
        self._desks = desks
        self._brokers = brokers
        self._store = store
        self._supervisor = supervisor
        self._clock = clock
        self._on_bug = on_bug
        self._tasks: set[asyncio.Task[None]] = set()

    async def reach(self, thrown: Envelope) -> list[str]:
        """See to it that the switch is carried out everywhere; return the accounts that acknowledge it, `BROKER:NUMBER`.

        Each of them tells `risk.SwitchCarriedOut`, or `risk.SwitchUnreached`, caused by `thrown`.
        """
        payload = thrown.payload
        if not isinstance(payload, SwitchThrown) or payload.level not in {SwitchLevel.CANCEL_ALL, SwitchLevel.FLATTEN}:
            return []
        held = {lease.name for lease in await self._store.leases.held(LeaseKind.ACCOUNT) if self._is_held(lease)}
        if thrown.run_id is not None:
            held &= {order.account for order in await self._store.runs.orders(thrown.run_id)}
        places = await self._places(payload.level, thrown.run_id)
        for place in places:
            task = await self._supervisor.start(self._carry_out(place, thrown, payload.level), f"kill-switch-{place.key}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return sorted(held | {place.key for place in places})

    def _is_held(self, lease: Lease) -> bool:
        is_gone = lease.desk.id == self._store.desk.id and not self._store.is_alive(lease.owner)
        return not lease.expired and not is_gone

    async def close(self) -> None:
        """Let go of what is still open for it."""
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _places(self, level: SwitchLevel, run_id: str | None) -> list[_Place]:
        runs = await self._store.runs.runs() if run_id is None else [await self._store.runs.run(run_id)]
        trading = [
            run
            for run in runs
            if run is not None and run.config.mode is not RunMode.BACKTEST and self._brokers.outlives_program(run.config.broker)
        ]
        works_at: dict[str, set[str]] = {}
        for order in await self._store.runs.open_orders([run.id for run in trading]):
            if order.account is not None:
                works_at.setdefault(order.run_id, set()).add(order.account)
        found: dict[str, _Place] = {}
        for run in trading:
            keys = works_at.get(run.id, set())
            if level is SwitchLevel.FLATTEN:
                keys |= await self._held_at(run)
            for key in keys:
                name = AccountName.LIVE if run.config.mode is RunMode.LIVE else AccountName.PAPER
                if not self._desks.has(run.config.broker, name):
                    found[key] = _Place(key, run.config.broker, name)
        return list(found.values())

    async def _held_at(self, run: Run) -> set[str]:
        """Return the accounts where a run holds something."""
        if not await self._holds_something(run):
            return set()
        return {order.account for order in await self._store.runs.orders(run.id) if order.account is not None and order.filled_qty}

    async def _holds_something(self, run: Run) -> bool:
        """Tell whether the run's own book has a position: by its fills, and what splits and fees in coin made of them."""
        book = RunBook(ZERO, RiskLimits())
        log, fills = self._store.log, await self._store.runs.fills(run.id)
        for time_ns, change in merged(fills, await read_changes(log, run.id)):
            book.take(change, time_ns)
        after = 0
        while page := await log.read(after_seq=after, run_id=run.id, pattern=CoinFee.wire):
            after = page[-1].seq
            for event in page:
                if isinstance(event.payload, CoinFee):
                    book.charge(event.payload.symbol, event.payload.qty, event.payload.price)
        return bool(book.positions())

    async def _carry_out(self, place: _Place, thrown: Envelope, level: SwitchLevel) -> None:
        done = asyncio.Event()

        def hear(event: Envelope) -> None:
            told = event.payload
            if isinstance(told, SwitchCarriedOut) and event.causation_id == thrown.id and told.account == place.key and not told.left:
                done.set()

        reason = None
        try:
            with self._store.log.subscribe(SwitchCarriedOut.wire, hear, owner="kill switch"):
                async with self._desks.open(place.broker_id, place.account) as opened:
                    if opened.desk.state.key == place.key:
                        with suppress(TimeoutError):
                            async with asyncio.timeout(PATIENCE_S):
                                await done.wait()
                    else:
                        reason = f"The keys are those of {opened.desk.state.key}."
        except HeldElsewhere:
            return  # whoever has it hears of the switch, too
        except KnownError as error:
            reason = str(error)
        except Exception as error:
            self._on_bug(error, f"kill switch at {place.key}")
            return
        if reason is not None:
            told = SwitchUnreached(account=place.key, level=level, reason=reason)
            now_ns = self._clock.now_ns()
            with suppress(KnownError):  # a store that cannot be reached tells of itself
                await self._store.log.append(
                    [
                        envelope(
                            told, id=f"{thrown.id}:{place.key}", ts=now_ns, producer="engine", run_id=thrown.run_id, causation_id=thrown.id
                        )
                    ]
                )
