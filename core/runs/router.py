"""The DomainRouter: carries what a strategy asks for to the venue of its run, and records both steps.

The strategy does not know where its actions go; the router does not know how they are carried out.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol

from core.errors import NonsenseAction
from core.events.envelope import Payload
from core.events.payloads import (
    BacktestCancelOrder,
    BacktestFetchWindow,
    BacktestPlaceOrder,
    CancelRequest,
    ClockTick,
    PlaceRequest,
    StrategyNoted,
    WindowReady,
)
from core.events.payloads import FetchWindow as FetchWindowAsked
from core.model.market import asset_class_of
from core.model.order import OrderRequest, TimeInForce
from core.runs.journal import RunJournal
from core.strategy.actions import Action, CancelOrder, FetchWindow, Note, PlaceOrder, StopRun
from core.strategy.windows import Window
from core.trading.orders import OrderManager


class Venue(Protocol):
    """Where a run's orders go and its windows come from."""

    stopped: str | None

    def place(self, order_id: str, ref: str, request: OrderRequest, time_in_force: TimeInForce) -> None: ...
    def cancel(self, ref: str, reason: str) -> bool: ...
    def working(self) -> tuple[str, ...]: ...
    def window(self, asked: FetchWindow) -> Window: ...
    def newest(self, symbol: str) -> tuple[int, float] | None:
        """Return start and close of the newest bar known, or None."""
        ...


class DomainRouter:
    """Routes one run's actions. A decision is known by its tick: `RUN@INSTANT`, whether or not the tick is stored."""

    def __init__(self, run_id: str, *, journal: RunJournal, orders: OrderManager, now_ns: Callable[[], int]) -> None:
        self._run_id = run_id
        self._journal = journal
        self._orders = orders
        self._now_ns = now_ns
        self._venue: Venue | None = None
        self._order_ids: dict[str, str] = {}
        self._count = 0
        self.decided_on: str | None = None
        """The event a traced decision rests on: its newest window. Otherwise the tick, which is known by its time."""

    def connect(self, venue: Venue) -> None:
        """Give it the venue of the run, once."""
        self._venue = venue

    def route(self, actions: Sequence[Action]) -> None:
        """Carry out a decision's actions, in order. Raises NonsenseAction for a ref that is not one."""
        now_ns = self._now_ns()
        tick_id = f"{self._run_id}@{now_ns}"
        caused_by = self.decided_on or tick_id
        for action in actions:
            if isinstance(action, PlaceOrder):
                self._place(action, now_ns, tick_id, caused_by)
            elif isinstance(action, CancelOrder):
                self._cancel(action, now_ns, tick_id, caused_by)
            elif isinstance(action, Note):
                self._journal.record(StrategyNoted(text=action.text), ts=now_ns, caused_by=caused_by, trace_id=tick_id)
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

    def _place(self, action: PlaceOrder, now_ns: int, tick_id: str, caused_by: str) -> None:
        self._count += 1
        ref = action.ref or f"#{self._count}"
        if ref in self._order_ids:
            raise NonsenseAction(f"The strategy used the ref {ref!r} for two orders.", "Give each order a ref of its own.")
        order_id = f"{self._run_id}-{self._count}"
        self._order_ids[ref] = order_id
        request, journal, venue = action.request, self._journal, self._at_venue
        bar_start_ns, close = venue.newest(request.symbol) or (None, None)
        wish = PlaceRequest(order_id=order_id, request=request, bar_start_ns=bar_start_ns, close=close)
        wished = journal.record(wish, ts=now_ns, caused_by=caused_by, trace_id=tick_id)
        routed = journal.record(BacktestPlaceOrder(order_id=order_id), ts=now_ns, caused_by=wished, trace_id=tick_id)
        time_in_force = request.time_in_force or default_time_in_force(request.symbol)
        self._orders.create(order_id, request, time_in_force, now_ns=now_ns, caused_by=routed, trace_id=tick_id)
        venue.place(order_id, ref, request, time_in_force)

    def _cancel(self, action: CancelOrder, now_ns: int, tick_id: str, caused_by: str) -> None:
        order_id = self._order_ids.get(action.ref)
        if order_id is None:
            raise NonsenseAction(f"The strategy cancelled {action.ref!r}, which it never placed.", "Cancel with the ref that placing gave.")
        wish = CancelRequest(order_id=order_id, note=action.note)
        wished = self._journal.record(wish, ts=now_ns, caused_by=caused_by, trace_id=tick_id)
        self._journal.record(BacktestCancelOrder(order_id=order_id), ts=now_ns, caused_by=wished, trace_id=tick_id)
        self._at_venue.cancel(action.ref, action.note or "The strategy cancelled it.")


@cache
def default_time_in_force(symbol: str) -> TimeInForce:
    """Return what an order lives for when nothing is said: `day`, or `gtc` where there are no sessions. The one place."""
    return TimeInForce.DAY if asset_class_of(symbol).has_sessions else TimeInForce.GTC


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
        routed = self._record(BacktestFetchWindow(symbol=asked.symbol, bars=asked.bars), wished)
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

    def _record(self, payload: Payload, caused_by: str | None) -> str:
        return self._journal.record(payload, ts=self._now_ns(), caused_by=caused_by, trace_id=self._tick_id())
