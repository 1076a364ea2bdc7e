"""Veda's desk at one account: the only way to its orders. Each is committed before it leaves, and leaves once."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from functools import partial
from typing import Any, Final

import msgspec

from core.errors import AdapterBroken, BrokerError, BugError, KeysRefused, KnownError, StoreError
from core.events.envelope import Envelope, Payload
from core.events.live_payloads import Armed, ComparisonFailed, OrdersLeftTogether, RiskApproved, RiskRefused, StreamChanged
from core.events.payloads import OrderCreated, OrderRejected, OrderSubmitted
from core.model.broker import Execution, OrderUpdate, StreamState, StreamStatus, UpdateKind
from core.model.hand import OrderTerms, RiskVerdict
from core.model.money import plain
from core.model.order import Order, OrderStatus
from core.model.risk import SwitchLevel
from core.ports import Broker, EventLog, RunStore
from core.trading.absent_orders import AbsentOrders
from core.trading.account_past import AccountPast
from core.trading.books import RunBook
from core.trading.brackets import fits_as_one
from core.trading.changing import Changing, Known
from core.trading.dead_man import LOOK_S, DeadMan
from core.trading.entries import Entry
from core.trading.gate import Gate, IsOpen
from core.trading.history import near_ns, remember
from core.trading.intent import Intent as Intent
from core.trading.kill_switch import PATIENCE_S, KillSwitch
from core.trading.order_fold import OrderLife, executed, heard
from core.trading.pairs import pairs_of
from core.trading.reconcile import SETTLE_NS, Difference
from core.trading.reconciler import Reconciler, cancel_stray
from core.trading.sender import LOOK_UPS_S, Sender
from core.trading.state import AccountState, Seat
from core.trading.stored_times import by_this_clock
from core.trading.switch_watch import SwitchWatch

RECONCILE_S: Final = 120.0
SOON_S: Final = 2.0
"""When to look again at what may be the broker's lag, and at a broker that did not answer."""
FIND_OUT_S: Final = 0.5
"""How often the store is asked what became of a commit that was not answered."""
FEE_S: Final = 1.1
"""The same while the fee of a bought coin is to come."""
MISSING_S: Final = 1.0
"""How long the stream may take to bring an execution of which an answer told already."""
_log = logging.getLogger(__name__)

OnBug = Callable[[BaseException, str], None]


class AccountDesk:
    """`open` it first. What it is asked for is done by tasks of its own, which outlive whoever asked.

    `look_ups_s`, `settle_ns`: see `core.trading.sender` and `core.trading.reconcile`; the other times are the constants here.
    `is_armed`: whether orders may go where real money is.
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
        self._gate = Gate(state, is_open, is_armed=is_armed)
        self._on_bug = on_bug
        self._reconcile_s = reconcile_s
        self._missing_s = missing_s
        self._soon_s = soon_s
        self._settle_ns = settle_ns
        self._asking: set[str] = set()
        self._is_unreached = False
        self._is_unhealed = False
        self._cut_off_by = ""
        """The bug by which the last comparison was, in words."""
        self._updates: asyncio.Queue[OrderUpdate] = asyncio.Queue()
        self._statuses: asyncio.Queue[StreamStatus] = asyncio.Queue()
        self._wake = asyncio.Event()
        self._sender = Sender(state, broker, self._wake.set, self._missing, look_ups_s)
        self._changing = Changing(state, self._gate, self._sender, self._spawn)
        self._kill = KillSwitch(
            state,
            spawn_cancel=self._spawn_cancel,
            spawn_send=self._send,
            wake=self._wake.set,
            is_reached=lambda: self.reconciled > 0 and not self._is_unreached,
            on_bug=on_bug,
        )
        self._switch = SwitchWatch(state, self._kill, log)
        self._dead_man = DeadMan(state, is_open, on_bug, look_s)
        self._reconciler: Reconciler | None = None
        self._group: asyncio.TaskGroup | None = None
        self._ready = asyncio.Event()
        self._failed: BaseException | None = None
        self._spawned: set[asyncio.Task[Any]] = set()
        self.reconciled = 0
        """How many times it was reconciled."""
        self.reconciled_ns: int | None = None
        """When it was last."""

    # --- life ---

    @asynccontextmanager
    async def open(self) -> "AsyncGenerator[AccountDesk]":
        """Connect, remember and reconcile; the block's end ends every task of the desk. Orders stay at the broker.

        Raises KeysRefused and what else no second attempt would change, in the middle of the block too; BrokerError where the broker
        of a new account does not answer. One that was met before opens while its broker is away.
        """
        known_ns = by_this_clock(self.state, await remember(self.state, self._past, self._event_log, self.absent))
        await self._switch.recall()
        self._reconciler = reconciler = Reconciler(
            self.state,
            self._broker,
            known_ns=known_ns,
            absent=self.absent,
            spawn_cancel=lambda broker_id: self._spawn(cancel_stray(self._broker, broker_id), f"cancel-{broker_id}"),
            settle_ns=self._settle_ns,
        )
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                own = [
                    group.create_task(self._listen(), name="order-updates"),
                    group.create_task(self._tell_statuses(), name="stream-status"),
                    group.create_task(self._fold_updates(), name="fold-updates"),
                    group.create_task(self._reconcile_always(reconciler), name="reconcile"),
                    group.create_task(self._switch.follow(), name="watch-switch"),
                    group.create_task(self._carry_out(), name="kill-switch"),
                    group.create_task(self._dead_man.watch(), name="dead-man"),
                    group.create_task(self._find_out_always(), name="find-out"),
                    group.create_task(self._past.keep(lambda: near_ns(reconciler.marked_ns)), name="fold-past"),
                ]
                try:
                    await self._ready.wait()
                    yield self
                finally:
                    self._group = None
                    for task in [*own, *self._spawned]:
                        task.cancel()
        except BaseExceptionGroup as errors:
            self._fail(errors.exceptions[0])
            raise errors.exceptions[0] from None

    def _spawn(self, work: Coroutine[Any, Any, None], name: str, afterwards: Callable[[], None] | None = None) -> None:
        """Start a task of the desk's own, which outlives whoever asked for it."""
        if self._group is None:
            work.close()
            return  # the desk closes: what is committed and not sent is found at the next start
        task = self._group.create_task(self._guarded(work, name), name=name)
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)
        task.add_done_callback(lambda _: work.close())  # one that is cancelled before it begins never gets to its work
        if afterwards is not None:
            task.add_done_callback(lambda _: afterwards())

    async def _guarded(self, work: Coroutine[Any, Any, None], name: str) -> None:
        try:
            await work
        except KnownError as error:
            _log.warning("%s: %s", name, error)
            self._wake.set()
        except Exception as error:
            self._on_bug(error, name)
            self._wake.set()

    def _fail(self, error: BaseException) -> None:
        """The desk cannot go on: whoever trades here is stopped and told why."""
        self._failed = error
        self.state.end()
        for seat in tuple(self.state.seats.values()):
            seat.stop(error if isinstance(error, KnownError) else BrokerError(f"The desk at {self.state.key} ended: {error}."))

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
        await self._outlasted(self._place(intents, events, decided_ns))

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
        await self._outlasted(self._changing.change(order_id, request, terms, decided_ns, known))

    async def cancel(self, order_id: str, caused_by: str | None = None) -> None:
        """Ask the broker to cancel one of our orders; one that is over is left alone."""
        if caused_by is not None:
            self.state.causes.of_order[order_id] = caused_by
        self.state.taken_back.add(order_id)
        self._spawn_cancel(order_id)

    def _spawn_cancel(self, order_id: str) -> None:
        self._spawn(self._sender.cancel(order_id), f"cancel-{order_id}")

    async def cancel_working(self, run_id: str, patience_s: float = PATIENCE_S) -> int:
        """Cancel all of a run's orders and wait until they are over; return how many the broker has not answered for.

        Those are asked for on, while the desk is open. Orders that the kill switch closes positions with are left to it.
        """
        if self._group is None:  # the desk ended before its run: nobody would hear the answers
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
        if self._reconciler is None:
            raise BugError("The desk is not open.")
        try:
            found = await self._reconciler.reconcile(accepts=accepts)
        except KnownError:
            raise
        except Exception as error:
            await self._not_compared(error)
            raise
        await self._not_compared(None)
        self.reconciled += 1
        self.reconciled_ns = self.state.clock.now_ns()
        return found

    async def _outlasted(self, work: Coroutine[Any, Any, None]) -> None:
        if self._group is None:
            work.close()
            raise self._failed or BugError("The desk is closed.")
        task = self._group.create_task(_kept(work), name="place")
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)
        task.add_done_callback(lambda _: work.close())
        await asyncio.wait({task})  # a cancel of whoever waits takes nothing back
        if task.cancelled():
            raise self._failed or BrokerError(f"The desk at {self.state.key} was closed before the order left.", "Nothing was sent.")
        if (error := task.result()) is not None:
            raise error

    async def _place(self, intents: Sequence[Intent], events: Sequence[Envelope], decided_ns: int | None) -> None:
        state = self.state
        async with state.turn:
            entry = state.entry_of(intent.order.run_id for intent in intents)
            entry.events.extend(events)
            entry.decided_ns = entry.decided_ns if decided_ns is None else decided_ns
            placed: list[OrderLife] = []
            for intent in intents:
                placed.append(self._judged(intent, placed, entry))
                self._add_exits(intent, placed, entry)
            for pair in pairs_of([life.order for life in placed], state.features):
                self._together(pair, entry)
            await state.apply(entry)

    def _add_exits(self, intent: Intent, placed: list[OrderLife], entry: Entry) -> None:
        """Let the exits of an order that was let through leave with it, where the broker takes that and the gate lets them through, too."""
        order, exits = placed[-1].order, [one.order for one in intent.exits]
        if order.status.is_final or not fits_as_one(order, exits, self.state.held_before(order), self.state.features):
            return
        if any(self._gate.refusals(one, placed, filled=order) for one in exits):
            return  # they are judged again when it has filled
        leaving = []
        for one in intent.exits:
            leg = msgspec.structs.replace(one.order, account=self.state.key)
            if one.trace_id is not None:
                self.state.causes.traces[leg.id] = one.trace_id
            entry.tell_of(leg, OrderCreated(order=leg), one.caused_by)
            leaving.append(self._approved(leg, entry).order)
        self._together((order, *leaving), entry)

    def _together(self, orders: Sequence[Order], entry: Entry) -> None:
        """Let orders leave as one request."""
        entry.afterwards.insert(0, lambda: self.state.left_together(orders))  # before any of them leaves
        entry.tell_of(orders[0], OrdersLeftTogether(order_id=orders[0].id, others=tuple(order.id for order in orders[1:])))

    def _judged(self, intent: Intent, before: list[OrderLife], entry: Entry) -> OrderLife:
        """Add an order to the entry, as one that leaves or as one that is refused."""
        state, now_ns = self.state, self.state.clock.now_ns()
        order = msgspec.structs.replace(intent.order, account=state.key)
        if intent.trace_id is not None:
            state.causes.traces[order.id] = intent.trace_id
        entry.tell_of(order, OrderCreated(order=order), intent.caused_by)
        order = self._gate.without_dust(order, before, entry)
        refusals = self._gate.refusals(order, before)
        for scope, refusal in refusals:
            entry.tell_of(
                order,
                RiskRefused(
                    order_id=order.id, code=refusal.code, scope=scope, rule=refusal.rule, limit=refusal.limit, figure=refusal.figure
                ),
            )
        wrong = None if refusals else self._gate.wrong(order, before)
        if refusals or wrong is not None:
            code, reason = wrong or (refusals[0][1].code, " ".join(refusal.sentence for _, refusal in refusals))
            order = msgspec.structs.replace(order, status=OrderStatus.REJECTED, updated_ns=now_ns, reject_code=code, reason=reason)
            entry.tell_of(order, OrderRejected(order_id=order.id, code=code, reason=reason))
            life = entry.lives[order.id] = OrderLife(order=order, said=OrderStatus.REJECTED)
            return life
        return self._approved(order, entry)

    def _approved(self, order: Order, entry: Entry) -> OrderLife:
        """Add an order to the entry as one that leaves."""
        entry.tell_of(order, RiskApproved(order_id=order.id))
        order = msgspec.structs.replace(order, status=OrderStatus.SUBMITTING, updated_ns=self.state.clock.now_ns())
        entry.tell_of(order, OrderSubmitted(order_id=order.id, account=self.state.key))
        life = entry.lives[order.id] = OrderLife(order=order)
        entry.leaving.append(partial(self._leave, life))
        return life

    def _leave(self, life: OrderLife, is_late: bool) -> None:
        self.state.left(life, self.state.clock.now_ns())
        if life.order.id in self.state.leads:
            return  # it leaves with another, as one order
        self._send(life.order.id, is_late)

    def _send(self, order_id: str, is_late: bool) -> None:
        self._sender.begin(order_id)
        self._spawn(self._sender.send(order_id, is_late=is_late), f"send-{order_id}")

    def verdicts(self, order: Order, instead: Mapping[str, Decimal] | None = None, before: Sequence[Order] = ()) -> tuple[RiskVerdict, ...]:
        """Return all that would keep an order of a run that trades here from leaving, now. Nothing is committed or counted.

        `instead`: over how many units orders that work now will be before this one leaves; zero: gone. `before`: what leaves with it.
        """
        leaving = [OrderLife(order=msgspec.structs.replace(one, status=OrderStatus.SUBMITTING)) for one in before]
        return self._gate.verdicts(order, instead or {}, leaving)

    # --- what the broker says ---

    async def _listen(self) -> None:
        """Hear of every order of the account; after each connect and reconnect ask for what was missed."""

        def on_status(status: StreamStatus) -> None:
            self._statuses.put_nowait(status)
            self.state.note_heard("orders", is_heard=status.state is StreamState.LISTENING)
            if status.state is StreamState.LISTENING:
                self._wake.set()

        await self._broker.streams.order_updates(self._updates.put_nowait, on_status)

    async def _tell_statuses(self) -> None:
        lost = False
        while True:
            status = await self._statuses.get()
            if status.state in {StreamState.LOST, StreamState.STALE} or (status.state is StreamState.LISTENING and lost):
                lost = status.state is not StreamState.LISTENING
                await self._tell_line("orders", status.state.value, status.said)

    async def _fold_updates(self) -> None:
        while True:
            batch = [await self._updates.get()]
            while not self._updates.empty():
                batch.append(self._updates.get_nowait())
            if self._reconciler is not None and any(update.kind is UpdateKind.RESTATED for update in batch):
                try:
                    await self._reconciler.take_entries()  # a split, perhaps: what comes after it is in other units
                except KnownError as error:
                    _log.warning("What %s booked is asked for again: %s", self.state.key, error)
                    self._wake.set()
                except Exception as error:
                    await self._not_compared(error)
                    self._wake.set()
            try:
                async with self.state.turn:
                    entry = self.state.entry()
                    for update in batch:
                        try:
                            self._fold(update, entry)
                        except Exception as error:  # of one order; the others have nothing to do with it
                            self._on_bug(error, f"an update of order {update.order.id}")
                    await self.state.apply(entry)
            except KnownError as error:
                # What is not stored is not known either: it is asked for again when the store takes it.
                _log.warning("Updates of %s were not stored: %s", self.state.key, error)
                self._wake.set()
            except Exception as error:
                self._on_bug(error, f"updates of {self.state.key}")
                self._wake.set()

    def _fold(self, update: OrderUpdate, entry: Entry) -> None:
        state, now_ns = self.state, self.state.clock.now_ns()
        known = state.find(update.order.client_order_id, update.order.id)
        if known is None:
            self._wake.set()  # somebody else's order: reconciliation adopts it
            return
        life = entry.life(known.order.id, known)
        if update.kind is UpdateKind.CHANGE_REFUSED:
            self._wake.set()  # which of the two orders that is about differs: both are asked for
        entry.take(heard(life, update.order, now_ns))
        execution: Execution | None = update.execution
        if execution is not None:
            life = entry.life(known.order.id, known)
            entry.take(executed(life, execution, state.fill_id(execution.id), now_ns))
        life = entry.life(known.order.id, known)
        if life.missing_qty or life.is_unclear:
            self._missing(known.order.id)
        for other in state.ended_with(entry.life(known.order.id, known).order):
            self._missing(other)  # not every broker tells of it
        if execution is not None and state.features.coin_fees:
            self._wake.set()  # what the broker kept of a bought coin, only what it holds tells

    def _missing(self, order_id: str) -> None:
        """The broker did more than we were told: filled it, or took a cancel. Ask, if the stream does not bring it in a moment."""
        was = self.state.lives[order_id].order.status

        async def ask() -> None:
            await asyncio.sleep(self._missing_s)
            life = self.state.lives[order_id]
            if life.missing_qty or not (was.is_final or life.order.status.is_final):
                self._wake.set()

        if order_id not in self._asking:
            self._asking.add(order_id)
            self._spawn(ask(), f"missing-{order_id}", lambda: self._asking.discard(order_id))

    async def _reconcile_always(self, reconciler: Reconciler) -> None:
        while True:
            self._wake.clear()  # before: what is asked for meanwhile is asked for again
            asked_ns = self.state.clock.monotonic_ns()
            try:
                await self.reconcile()
                await self._reached(None, asked_ns)
            except BrokerError as error:
                is_useless = isinstance(error, AdapterBroken) and not reconciler.has_met
                if isinstance(error, KeysRefused) or is_useless or reconciler.gives_up:
                    raise
                await self._reached(error, asked_ns)
            except StoreError as error:
                # What differs is healed when the store takes it; until then the books are as they were.
                _log.warning("%s was not reconciled: %s", self.state.key, error)
                self._is_unhealed = True
            except KnownError:
                raise  # the account is another desk's
            except Exception as error:
                if not reconciler.has_met:
                    raise  # nothing is open there yet, and nothing may be
                await self._not_compared(error)
            else:
                self._is_unhealed = False
                self._changing.take_off_excess()
            if reconciler.has_met:
                self._ready.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._next_in_s()):
                    await self._wake.wait()

    async def _not_compared(self, error: Exception | None) -> None:
        """Report a bug that cut a comparison off, once, and let nothing open until one has come to its end; None: this one has."""
        reason = "" if error is None else f"{type(error).__name__}: {error}"
        if reason == self._cut_off_by:
            return
        self._cut_off_by, self.state.is_compared = reason, error is None
        if error is not None:
            self._on_bug(error, f"reconciling {self.state.key}")
        try:
            await self._tell(ComparisonFailed(account=self.state.key, reason=reason))
        except KnownError:
            raise
        except Exception as bug:
            self._on_bug(bug, f"telling of {self.state.key}")

    async def _reached(self, error: BrokerError | None, asked_ns: int) -> None:
        """Tell once that questions are not answered, and once that they are again."""
        self.state.note_heard("requests", is_heard=error is None, since_ns=asked_ns)
        if (error is None) is not self._is_unreached:
            return
        self._is_unreached = error is not None
        if error is None:
            self._sender.again()
            self._kill.again()
        await self._tell_line("requests", *(("listening", "") if error is None else ("lost", str(error))))

    async def _tell_line(self, stream: str, state: str, said: str) -> None:
        await self._tell(StreamChanged(account=self.state.key, stream=stream, state=state, said=said))

    async def _tell(self, payload: Payload) -> None:
        """Tell of the account. Where the store does not take it nothing is lost but the line in the log."""
        try:
            async with self.state.turn:
                entry = self.state.entry()
                entry.tell(payload)
                await self.state.apply(entry)
        except StoreError as error:
            _log.warning("%s was not stored: %s", payload, error)

    def _next_in_s(self) -> float:
        if self.state.awaits_fee():
            return FEE_S
        if self._is_unreached or self._is_unhealed or (self._reconciler is not None and self._reconciler.is_waiting):
            return min(self._reconcile_s, self._soon_s)
        limits = [self.state.limits, *(self.state.books[run_id].limits for run_id in self.state.seats)]
        # A broker that is gone must be found out well before the dead man's limit.
        return min([self._reconcile_s, *(one.halt_silence_s / 3 for one in limits if one.halt_silence_s is not None)])

    async def _carry_out(self) -> None:
        await self._ready.wait()  # what happened while nobody looked is booked, or the broker does not answer
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
                self._wake.set()
            else:
                self._wake.set()  # what was not made is found again by comparing

    def level(self, run_id: str) -> SwitchLevel:
        """Return how far the switch is thrown for a run."""
        return self.state.level(run_id)


async def _kept(work: Coroutine[Any, Any, None]) -> Exception | None:
    """Do it; return what it raised, which is its caller's to know and ends nothing else."""
    try:
        await work
    except Exception as error:
        return error
    return None
