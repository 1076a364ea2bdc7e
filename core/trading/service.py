"""Veda's desk at one account: the only way to its orders. Each is committed before it leaves, and leaves once."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Final

import msgspec

from core.errors import BrokerError, BugError, KnownError
from core.events.envelope import Envelope
from core.events.live_payloads import Armed
from core.model.hand import OrderTerms, RiskVerdict
from core.model.money import plain
from core.model.order import Order, OrderStatus, RejectCode
from core.model.risk import SwitchLevel
from core.ports import Broker, EventLog, RunStore
from core.trading.absent_orders import AbsentOrders
from core.trading.account_past import AccountPast
from core.trading.books import RunBook
from core.trading.changing import Changing, Known
from core.trading.comparisons import RECONCILE_S, SOON_S, Comparisons
from core.trading.dead_man import LOOK_S, DeadMan
from core.trading.desk_tasks import DeskTasks, OnBug
from core.trading.gate import Gate, IsOpen
from core.trading.history import near_ns, remember
from core.trading.intent import Intent as Intent
from core.trading.kill_switch import PATIENCE_S, KillSwitch
from core.trading.missing import MISSING_S, Missing
from core.trading.order_fold import OrderLife
from core.trading.order_updates import OrderUpdates
from core.trading.placing import Placing
from core.trading.reconcile import SETTLE_NS, Difference
from core.trading.reconciler import Reconciler, cancel_stray
from core.trading.seat import Seat
from core.trading.sender import LOOK_UPS_S, Sender
from core.trading.situations import Situations
from core.trading.state import AccountState
from core.trading.stored_times import by_this_clock
from core.trading.switch_watch import SwitchWatch

FIND_OUT_S: Final = 0.5
"""How often the store is asked what became of a commit that was not answered."""
_log = logging.getLogger(__name__)


class AccountDesk:
    """`open` it first. What it is asked for is done by tasks of its own, which outlive whoever asked.

    `look_ups_s`: see `core.trading.sender`; `reconcile_s`, `soon_s`: `core.trading.comparisons`; `missing_s`: `core.trading.missing`;
    `settle_ns`: `core.trading.reconcile`; `look_s`: `core.trading.dead_man`. `is_armed`: whether orders may go where real money is.
    """

    def __init__(
        self,
        state: AccountState,
        broker: Broker,
        *,
        runs: RunStore,
        log: EventLog,
        is_open: IsOpen,
        is_armed: bool,
        on_bug: OnBug,
        look_ups_s: Sequence[float] = LOOK_UPS_S,
        reconcile_s: float = RECONCILE_S,
        missing_s: float = MISSING_S,
        soon_s: float = SOON_S,
        settle_ns: int = SETTLE_NS,
        look_s: float = LOOK_S,
    ) -> None:
        self.state: Final = state
        self._broker = broker
        self._past = AccountPast(state.key, runs, state.clock, coin_fees=state.features.coin_fees)
        self.absent: Final = AbsentOrders(state, self._past, runs)
        self._event_log = log
        self._gate = Gate(state, Situations(state), is_open, is_armed=is_armed)
        self._on_bug = on_bug
        self._settle_ns = settle_ns
        self.comparisons: Final = Comparisons(
            state,
            on_reached=self._ask_again,
            on_compared=self._take_off_excess,
            on_bug=on_bug,
            reconcile_s=reconcile_s,
            soon_s=soon_s,
        )
        wake = self.comparisons.wake
        self._tasks = DeskTasks(state.key, wake, self._fail, on_bug)
        missing = Missing(state, self._tasks.spawn, wake, missing_s)
        self._sender = Sender(state, broker, wake, missing.expect, look_ups_s)
        self._changing = Changing(state, self._gate, self._sender, self._tasks.spawn)
        self._placing = Placing(state, self._gate, self._sender, self._tasks.spawn)
        self._updates = OrderUpdates(state, broker.streams, missing, self.comparisons.take_entries, wake, on_bug)
        self._kill = KillSwitch(
            state,
            spawn_cancel=self._spawn_cancel,
            spawn_send=self._placing.send,
            wake=wake,
            is_reached=lambda: self.comparisons.is_reached,
            on_bug=on_bug,
        )
        self._switch = SwitchWatch(state, self._kill, log)
        self._dead_man = DeadMan(state, is_open, on_bug, look_s)

    # --- life ---

    @asynccontextmanager
    async def open(self) -> "AsyncGenerator[AccountDesk]":
        """Connect, remember and reconcile; the block's end ends every task of the desk. Orders stay at the broker.

        Raises KeysRefused and what else no second attempt would change, in the middle of the block too; BrokerError where the broker
        of a new account does not answer. One that was met before opens while its broker is away.
        """
        known_ns = by_this_clock(self.state, await remember(self.state, self._past, self._event_log, self.absent))
        await self._switch.recall()
        reconciler = Reconciler(
            self.state,
            self._broker,
            known_ns=known_ns,
            absent=self.absent,
            spawn_cancel=lambda broker_id: self._tasks.spawn(cancel_stray(self._broker, broker_id), f"cancel-{broker_id}"),
            settle_ns=self._settle_ns,
        )
        self.comparisons.begin(reconciler)
        own = (
            ("order-updates", self._updates.listen()),
            ("stream-status", self._updates.tell_statuses()),
            ("fold-updates", self._updates.fold_always()),
            ("reconcile", self.comparisons.go_on()),
            ("watch-switch", self._switch.follow()),
            ("kill-switch", self._carry_out()),
            ("dead-man", self._dead_man.watch()),
            ("find-out", self._find_out_always()),
            ("fold-past", self._past.keep(lambda: near_ns(reconciler.marked_ns))),
        )
        async with self._tasks.open(own):
            await self.comparisons.ready.wait()
            yield self

    def _fail(self, error: BaseException) -> None:
        """The desk cannot go on: whoever trades here is stopped and told why."""
        self.state.end()
        for seat in tuple(self.state.seats.values()):
            seat.stop(error if isinstance(error, KnownError) else BrokerError(f"The desk at {self.state.key} ended: {error}."))

    def _ask_again(self) -> None:
        """The broker answers again."""
        self._sender.again()
        self._kill.again()

    def _take_off_excess(self) -> None:
        """What is over at the broker is known: what is over more than was asked for is made smaller."""
        self._changing.take_off_excess()

    # --- what a run calls ---

    def sit(self, run_id: str, book: RunBook, seat: Seat) -> None:
        """Let a run trade here. Its orders and fills are told to `seat`; `rise` when it is over."""
        if run_id in self.state.seats:
            raise BugError(f"Run {run_id} trades at {self.state.key} already.")
        self.state.books[run_id] = book
        self.state.seats[run_id] = seat

    def rise(self, run_id: str) -> None:
        """The run trades no more."""
        self.state.seats.pop(run_id, None)

    async def place(self, intents: Sequence[Intent], events: Sequence[Envelope] = (), *, decided_ns: int | None = None) -> None:
        """Judge, commit and send orders, with the `events` that led to them. Returns once they are committed. Raises StoreError, LeaseLost.

        `decided_ns`: when they were decided, by `Clock.elapsed_ns`, if not now. After a StoreError they may be committed all the same, and
        leave: whoever has the state's turn next sees it in `lives`.
        Being cancelled meanwhile does not take anything back: what is committed is sent.
        """
        await self._tasks.outlast(self._placing.place(intents, events, decided_ns))

    async def refuse(self, intents: Sequence[Intent], code: RejectCode, reason: str) -> None:
        """Commit orders that were wanted as ones that never leave, but for those that have left. Raises StoreError, LeaseLost."""
        await self._tasks.outlast(self._placing.refuse(intents, code, reason))

    async def change(
        self,
        order_id: str,
        terms: OrderTerms,
        caused_by: str | None = None,
        *,
        decided_ns: int | None = None,
        known: Known | None = None,
    ) -> None:
        """Ask the broker for other terms of one of our orders. Returns once that is committed; what comes of it is an event.

        `decided_ns` and what a StoreError leaves open: see `place`; `known` is told when it is committed after all.
        Raises InvalidValue for terms that are none, StoreError. What the gate refuses is an event too.
        """
        await self.absent.order(order_id)
        request = self._changing.wanted(order_id, terms)
        if caused_by is not None:
            self.state.causes.of_order[order_id] = caused_by
        await self._tasks.outlast(self._changing.change(order_id, request, terms, decided_ns, known))

    async def cancel(self, order_id: str, caused_by: str | None = None) -> None:
        """Ask the broker to cancel one of our orders; one that is over is left alone."""
        if caused_by is not None:
            self.state.causes.of_order[order_id] = caused_by
        self.state.taken_back.add(order_id)
        self._spawn_cancel(order_id)

    def _spawn_cancel(self, order_id: str) -> None:
        self._tasks.spawn(self._sender.cancel(order_id), f"cancel-{order_id}")

    async def cancel_working(self, run_id: str, patience_s: float = PATIENCE_S) -> int:
        """Cancel all of a run's orders and wait until they are over; return how many the broker has not answered for.

        Those are asked for on, while the desk is open. Orders that the kill switch closes positions with are left to it.
        """
        if not self._tasks.are_open:  # the desk ended before its run: nobody would hear the answers
            return len(self.state.working(run_id))
        return await self._kill.cancel_working(run_id, patience_s)

    async def arm(self, by: str, run_id: str | None = None) -> None:
        """Let orders leave to where real money is. Whoever calls has made sure that a person wants it. Raises StoreError."""
        async with self.state.turn:
            entry = self.state.entry()
            entry.tell(Armed(account=self.state.key, desk=by), run_id=run_id)
            await self.state.apply(entry)
        self._gate.is_armed = True

    async def wind_up(self, run_id: str, *, flatten: bool) -> str:
        """Cancel all of a run's orders, with `flatten` close its positions, and return in words what is left of it, if anything."""
        left = await self.cancel_working(run_id)
        if flatten:
            left += await self._kill.flatten(run_id, "closed with its run")
        held = {symbol: qty for (own, symbol), qty in self.state.to_close().items() if own == run_id}
        words = f" {left} orders that the broker has not answered for." if left else ""
        return words + (f" Still held: {', '.join(f'{plain(qty)} {symbol}' for symbol, qty in held.items())}." if held else "")

    async def reconcile(self, *, accepts: str | None = None) -> tuple[Difference, ...]:
        """Compare with the broker and heal, now. Raises BrokerError. `accepts`: see `core.trading.reconciler`."""
        return await self.comparisons.compare(accepts=accepts)

    def verdicts(self, order: Order, instead: Mapping[str, Decimal] | None = None, before: Sequence[Order] = ()) -> tuple[RiskVerdict, ...]:
        """Return all that would keep an order of a run that trades here from leaving, now. Nothing is committed or counted.

        `instead`: over how many units orders that work now will be before this one leaves; zero: gone. `before`: what leaves with it.
        """
        leaving = [OrderLife(order=msgspec.structs.replace(one, status=OrderStatus.SUBMITTING)) for one in before]
        return self._gate.verdicts(order, instead or {}, leaving)

    def level(self, run_id: str) -> SwitchLevel:
        """Return how far the switch is thrown for a run."""
        return self.state.level(run_id)

    # --- what it does by itself ---

    async def _carry_out(self) -> None:
        await self.comparisons.ready.wait()  # what happened while nobody looked is booked, or the broker does not answer
        for order_id in self.state.left_over:
            self._spawn_cancel(order_id)  # its run ended, and the broker did not take the cancel then
        await self._kill.keep()

    async def _find_out_always(self) -> None:
        """Find out what became of a commit that was not answered, though nobody else wants the turn: orders may wait to leave."""
        while True:
            await self.state.until(lambda: self.state.turn.is_unsure)
            try:
                async with self.state.turn:
                    pass
            except KnownError as error:
                _log.debug("What became of the last commit of %s is not known yet: %s", self.state.key, error)
                await asyncio.sleep(FIND_OUT_S)
            except Exception as error:
                self._on_bug(error, "a commit that was not answered")
                self.comparisons.wake()
            else:
                self.comparisons.wake()  # what was not made is found again by comparing
