"""The DomainRouter: carries what a strategy asks for to the venue of its run, and records both steps.

The strategy does not know where its actions go; the router does not know how they are carried out.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Final, NamedTuple, Protocol

import msgspec

from core.errors import NonsenseAction
from core.events.envelope import Cause, Payload
from core.events.live_payloads import LiveCancelOrder, LiveFetchWindow, LivePlaceOrder, LiveReplaceOrder
from core.events.payloads import (
    BacktestCancelOrder,
    BacktestFetchWindow,
    BacktestPlaceOrder,
    BacktestReplaceOrder,
    CancelRequest,
    ClockTick,
    OrderAccepted,
    OrderCreated,
    PlaceRequest,
    ReplaceRequest,
    StrategyNoted,
    WindowReady,
)
from core.events.payloads import FetchWindow as FetchWindowAsked
from core.model.market import asset_class_of
from core.model.money import plain
from core.model.order import LegRole, Order, OrderLeg, OrderRequest, OrderStatus, TimeInForce, exit_request
from core.model.ticket import Ticket
from core.runs.journal import RunJournal
from core.strategy.actions import (
    Action,
    CancelOrder,
    CashSize,
    EquityShare,
    FetchWindow,
    Note,
    PlaceOneCancelsOther,
    PlaceOrder,
    ReplaceOrder,
    StopRun,
)
from core.strategy.windows import Window

_PLAIN_EVENTS: Final = 4
_LEG_TIMES: Final = frozenset({TimeInForce.DAY, TimeInForce.GTC, TimeInForce.GTD})


class PlainOrder(msgspec.Struct, frozen=True, gc=False):
    """A plain market order that was wanted, routed, made and accepted at one instant; its events are made when they are written."""

    order_id: str
    run_id: str
    request: OrderRequest
    time_in_force: TimeInForce
    now_ns: int
    bar_start_ns: int | None
    close: float | None

    def payloads(self) -> tuple[Payload, ...]:
        """Return the four events."""
        order = Order(
            id=self.order_id,
            run_id=self.run_id,
            request=self.request,
            time_in_force=self.time_in_force,
            status=OrderStatus.CREATED,
            created_ns=self.now_ns,
            updated_ns=self.now_ns,
        )
        return (
            PlaceRequest(order_id=self.order_id, request=self.request, bar_start_ns=self.bar_start_ns, close=self.close),
            BacktestPlaceOrder(order_id=self.order_id),
            OrderCreated(order=order),
            OrderAccepted(order_id=self.order_id),
        )


class Venue(Protocol):
    """Where a run's orders go and its windows come from."""

    stopped: str | None

    def place_plain(self, order_id: str, ref: str, request: OrderRequest, time_in_force: TimeInForce) -> bool:
        """Take and accept a plain market order, and tell nobody; False, and nothing is done, when there is more to it."""
        ...

    def place(self, ticket: Ticket, legs: Sequence[tuple[LegRole, Ticket]] = ()) -> None:
        """Take an order, with its exit legs."""
        ...

    def place_pair(self, first: Ticket, second: Ticket) -> None:
        """Take two orders of which one cancels the other."""
        ...

    def replace(self, wanted: ReplaceOrder) -> bool:
        """Change a working order; False when it is already over, or cannot be what is wanted: then the order stays as it was."""
        ...

    def cancel(self, ref: str, reason: str) -> bool:
        """Take back a working order; False when it is already over."""
        ...

    def units(self, symbol: str, size: CashSize | EquityShare) -> Decimal:
        """Return how many units a size is now, on the lot; 0 where it is none."""
        ...

    def window(self, asked: FetchWindow) -> Window: ...
    def newest(self, symbol: str) -> tuple[int, float] | None:
        """Return start and close of the newest bar known, or None."""
        ...


class Commands(NamedTuple):
    """The commands by which a run's actions reach the place where they are carried out."""

    fetch: type[BacktestFetchWindow] | type[LiveFetchWindow]
    place: type[BacktestPlaceOrder] | type[LivePlaceOrder]
    cancel: type[BacktestCancelOrder] | type[LiveCancelOrder]
    replace: type[BacktestReplaceOrder] | type[LiveReplaceOrder]


BACKTEST: Final = Commands(BacktestFetchWindow, BacktestPlaceOrder, BacktestCancelOrder, BacktestReplaceOrder)
LIVE: Final = Commands(LiveFetchWindow, LivePlaceOrder, LiveCancelOrder, LiveReplaceOrder)


class RunOrders(Protocol):
    """Where the orders of a run are made known."""

    def create(
        self,
        order_id: str,
        request: OrderRequest,
        time_in_force: TimeInForce,
        *,
        now_ns: int,
        caused_by: Cause,
        trace_id: str | None,
        parent_id: str | None = None,
        sibling_id: str | None = None,
    ) -> None:
        """Make an order known. Its id must be new."""
        ...

    def take(
        self, order_id: str, request: OrderRequest, time_in_force: TimeInForce, now_ns: int, accepted_by: Cause, trace_id: str | None
    ) -> None:
        """Make an order known that `Venue.place_plain` took."""
        ...

    def commanded(self, order_id: str, caused_by: Cause) -> None:
        """Note that what happens to the order next was asked for by the event `caused_by`."""
        ...


class DomainRouter:
    """Routes one run's actions. A decision is known by its tick: `RUN@INSTANT`, whether or not the tick is stored."""

    def __init__(
        self, run_id: str, *, journal: RunJournal, orders: RunOrders, now_ns: Callable[[], int], commands: Commands = BACKTEST
    ) -> None:
        self._run_id = run_id
        self.commands: Final = commands
        self._journal = journal
        self._orders = orders
        self._now_ns = now_ns
        self._venue: Venue | None = None
        self._order_ids: dict[str, str] = {}
        self._count = 0
        self.witness: Callable[[int, Sequence[Action]], bool] | None = None
        """Told of each decision and when it was made, until it returns False."""
        self.decided_on: Cause = None
        """The event a traced decision rests on: its newest window. Otherwise the tick, which is known by its time."""

    def go_on_after(self, count: int, refs: Mapping[str, str]) -> None:
        """Number orders after `count`, and know those that the run has placed already, by the strategy's names for them."""
        self._count = count
        self._order_ids = dict(refs)

    def connect(self, venue: Venue) -> None:
        """Give it the venue of the run, once."""
        self._venue = venue

    def route(self, actions: Sequence[Action]) -> None:
        """Carry out a decision's actions, in order. Raises NonsenseAction for a ref that is not one."""
        now_ns = self._now_ns()
        tick_id = f"{self._run_id}@{now_ns}"
        caused_by = self.decided_on or tick_id
        if self.witness is not None and actions and not self.witness(now_ns, actions):
            self.witness = None
        for action in actions:
            if isinstance(action, PlaceOrder):
                request = action.request
                if request.is_plain and action.size is None and self._place_plain(action.ref, request, now_ns, tick_id, caused_by):
                    continue
                self._place(action, now_ns, tick_id, caused_by)
            elif isinstance(action, CancelOrder):
                self._cancel(action, now_ns, tick_id, caused_by)
            elif isinstance(action, ReplaceOrder):
                self._replace(action, now_ns, tick_id, caused_by)
            elif isinstance(action, PlaceOneCancelsOther):
                self._place_pair(action, now_ns, tick_id, caused_by)
            elif isinstance(action, Note):
                self._journal.record(StrategyNoted(text=action.text), now_ns, caused_by, tick_id)
            elif isinstance(action, StopRun):
                self._at_venue.stopped = action.reason or "The strategy ended the run."

    def fetch(self, asked: FetchWindow) -> Window:
        """Return a window for the strategy."""
        return self._at_venue.window(asked)

    @property
    def _at_venue(self) -> Venue:
        if self._venue is None:
            raise RuntimeError("the router has no venue yet")
        return self._venue

    def _place(self, action: PlaceOrder, now_ns: int, tick_id: str, caused_by: Cause) -> None:
        request = action.request
        if action.size is not None:
            units = self._at_venue.units(request.symbol, action.size)
            if not units:
                text = f"No order: {_size_words(action.size)} is less than one lot of {request.symbol}."
                self._journal.record(StrategyNoted(text=text), now_ns, caused_by, tick_id)
                if action.ref is not None:
                    self._note_nothing(action.ref, request)
                return
            request = msgspec.structs.replace(request, qty=units)
        time_in_force = request.time_in_force or default_time_in_force(request.symbol)
        ticket = self._ticket(action.ref, request, time_in_force)
        routed = self._wish(ticket, now_ns, tick_id, caused_by, action.size)
        order_id, orders = ticket.order_id, self._orders
        if request.target is None and request.stop_loss is None:
            orders.create(order_id, request, time_in_force, now_ns=now_ns, caused_by=routed, trace_id=tick_id)
            self._at_venue.place(ticket)
            return
        # At the same point the stop acts before the target.
        wanted = ((LegRole.STOP, request.stop_loss), (LegRole.TARGET, request.target))
        legs = [(role, self._leg(ticket, role, leg)) for role, leg in wanted if leg is not None]
        orders.create(order_id, request, time_in_force, now_ns=now_ns, caused_by=routed, trace_id=tick_id)
        for at, (_, leg) in enumerate(legs):
            sibling = legs[1 - at][1].order_id if len(legs) == 2 else None
            orders.create(
                leg.order_id,
                leg.request,
                leg.time_in_force,
                now_ns=now_ns,
                caused_by=routed,
                trace_id=tick_id,
                parent_id=order_id,
                sibling_id=sibling,
            )
        self._at_venue.place(ticket, legs)

    def _place_plain(self, wanted_ref: str | None, request: OrderRequest, now_ns: int, tick_id: str, caused_by: Cause) -> bool:
        """Place a market order with nothing else to it, by far the most frequent one; False when the venue wants to look closer."""
        count = self._count + 1
        ref = wanted_ref or f"#{count}"
        if ref in self._order_ids:
            self._check_free(ref)
        order_id = f"{self._run_id}-{count}"
        time_in_force = default_time_in_force(request.symbol)
        venue = self._at_venue
        if not venue.place_plain(order_id, ref, request, time_in_force):
            return False
        self._count = count
        self._order_ids[ref] = order_id
        bar_start_ns, close = venue.newest(request.symbol) or (None, None)
        told = PlainOrder(order_id, self._run_id, request, time_in_force, now_ns, bar_start_ns, close)
        accepted_by = self._journal.record_late(told, _PLAIN_EVENTS, now_ns, caused_by, tick_id)
        self._orders.take(order_id, request, time_in_force, now_ns, accepted_by, tick_id)
        return True

    def _leg(self, parent: Ticket, role: LegRole, leg: OrderLeg) -> Ticket:
        """Return an exit leg as an order of its own."""
        request, time_in_force = leg_request(parent.request, parent.time_in_force, leg)
        return self._ticket(f"{parent.ref}.{role}", request, time_in_force)

    def _place_pair(self, action: PlaceOneCancelsOther, now_ns: int, tick_id: str, caused_by: Cause) -> None:
        pair = [
            self._ticket(ref, request, request.time_in_force or default_time_in_force(request.symbol))
            for ref, request in ((action.first_ref, action.first), (action.second_ref, action.second))
        ]
        for ticket, sibling in (pair, pair[::-1]):
            routed = self._wish(ticket, now_ns, tick_id, caused_by, None)
            self._orders.create(
                ticket.order_id,
                ticket.request,
                ticket.time_in_force,
                now_ns=now_ns,
                caused_by=routed,
                trace_id=tick_id,
                sibling_id=sibling.order_id,
            )
        self._at_venue.place_pair(pair[0], pair[1])

    def _ticket(self, wanted_ref: str | None, request: OrderRequest, time_in_force: TimeInForce) -> Ticket:
        self._count += 1
        ref = wanted_ref or f"#{self._count}"
        self._check_free(ref)
        order_id = f"{self._run_id}-{self._count}"
        self._order_ids[ref] = order_id
        return Ticket(order_id, ref, request, time_in_force)

    def _note_nothing(self, ref: str, request: OrderRequest) -> None:
        """Know the refs of an order whose size came to nothing: to cancel or replace it is no mistake."""
        self._check_free(ref)
        roles = ((LegRole.STOP, request.stop_loss), (LegRole.TARGET, request.target))
        for name in (ref, *(f"{ref}.{role}" for role, leg in roles if leg is not None)):
            self._order_ids[name] = ""

    def _check_free(self, ref: str) -> None:
        if self._order_ids.get(ref):
            raise NonsenseAction(f"The strategy used the ref {ref!r} for two orders.", "Give each order a ref of its own.")

    def _wish(self, ticket: Ticket, now_ns: int, tick_id: str, caused_by: Cause, size: CashSize | EquityShare | None) -> Cause:
        """Record that an order was wanted and routed; return the id of the routing."""
        bar_start_ns, close = self._at_venue.newest(ticket.request.symbol) or (None, None)
        wish = PlaceRequest(
            order_id=ticket.order_id,
            request=ticket.request,
            bar_start_ns=bar_start_ns,
            close=close,
            size=None if size is None else _size_words(size),
            ref=None if ticket.ref.startswith("#") else ticket.ref,
        )
        wished = self._journal.record(wish, now_ns, caused_by, tick_id)
        return self._journal.record(self.commands.place(order_id=ticket.order_id), now_ns, wished, tick_id)

    def _replace(self, action: ReplaceOrder, now_ns: int, tick_id: str, caused_by: Cause) -> None:
        order_id = self._known(action.ref, "replaced")
        if not order_id:
            return
        wish = ReplaceRequest(
            order_id=order_id,
            qty=action.qty,
            limit_price=action.limit_price,
            stop_price=action.stop_price,
            trail_price=action.trail_price,
            trail_percent=action.trail_percent,
            note=action.note,
        )
        wished = self._journal.record(wish, now_ns, caused_by, tick_id)
        self._orders.commanded(order_id, self._journal.record(self.commands.replace(order_id=order_id), now_ns, wished, tick_id))
        self._at_venue.replace(action)

    def _cancel(self, action: CancelOrder, now_ns: int, tick_id: str, caused_by: Cause) -> None:
        order_id = self._known(action.ref, "cancelled")
        if not order_id:
            return
        wish = CancelRequest(order_id=order_id, note=action.note)
        wished = self._journal.record(wish, now_ns, caused_by, tick_id)
        self._orders.commanded(order_id, self._journal.record(self.commands.cancel(order_id=order_id), now_ns, wished, tick_id))
        self._at_venue.cancel(action.ref, action.note or "The strategy cancelled it.")

    def _known(self, ref: str, done: str) -> str:
        """Return the id of the order placed as `ref`; empty for one whose size came to nothing."""
        order_id = self._order_ids.get(ref)
        if order_id is None:
            raise NonsenseAction(f"The strategy {done} {ref!r}, which it never placed.", "Use the ref that placing gave.")
        return order_id


def _size_words(size: CashSize | EquityShare) -> str:
    return f"{plain(size.amount)} of cash" if isinstance(size, CashSize) else f"{plain(size.share * 100)} % of the equity"


@cache
def default_time_in_force(symbol: str) -> TimeInForce:
    """Return what an order lives for when nothing is said: `day`, or `gtc` where there are no sessions. The one place."""
    return TimeInForce.DAY if asset_class_of(symbol).has_sessions else TimeInForce.GTC


def leg_request(parent: OrderRequest, parent_time: TimeInForce, leg: OrderLeg) -> tuple[OrderRequest, TimeInForce]:
    """Return an exit leg as an order of its own; its life is its own, else its parent's where that is no auction."""
    inherited = parent_time if parent_time in _LEG_TIMES else default_time_in_force(parent.symbol)
    time_in_force = leg.time_in_force or inherited
    expires_ns = leg.expires_ns
    if time_in_force is TimeInForce.GTD and expires_ns is None:
        expires_ns = parent.expires_ns
    return exit_request(parent, leg, time_in_force, expires_ns), time_in_force


class Tracer:
    """Records the ephemeral side of a traced run: ticks, the windows asked for, and the windows given."""

    def __init__(self, run_id: str, *, journal: RunJournal, router: DomainRouter, now_ns: Callable[[], int]) -> None:
        self._run_id = run_id
        self._router = router
        self._journal = journal
        self._now_ns = now_ns

    def tick(self, now_ns: int, symbols: tuple[str, ...]) -> None:
        """Record a decision time, under the id that all its consequences name."""
        self._router.decided_on = None
        self._journal.record(
            ClockTick(time_ns=now_ns, symbols=symbols), ts=now_ns, caused_by=None, trace_id=self._tick_id(), event_id=self._tick_id()
        )

    def window(self, asked: FetchWindow, window: Window) -> None:
        """Record that a window was asked for, routed and given."""
        wished = self._record(FetchWindowAsked(symbol=asked.symbol, bars=asked.bars), self._tick_id())
        routed = self._record(self._router.commands.fetch(symbol=asked.symbol, bars=asked.bars), wished)
        times, closes = window.start_ns, window.close
        ready = WindowReady(
            symbol=asked.symbol,
            timeframe=window.timeframe,
            bars=len(window),
            first_ns=int(times[0]) if len(window) else None,
            last_ns=int(times[-1]) if len(window) else None,
            last_close=float(closes[-1]) if len(window) else None,
        )
        self._router.decided_on = self._record(ready, routed)

    def _tick_id(self) -> str:
        return f"{self._run_id}@{self._now_ns()}"

    def _record(self, payload: Payload, caused_by: Cause) -> Cause:
        return self._journal.record(payload, self._now_ns(), caused_by, self._tick_id())
