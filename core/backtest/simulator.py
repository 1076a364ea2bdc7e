"""Greta: drives a run over stored bars and fills its orders by the rules of docs/simulation.md.

The loop is a generator that hands back control when its slice is over. Nothing is computed per bar that nobody needs:
arrays are read block by block, matching is entered only while an order works, equity is drawn up at the end.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice, repeat
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from core.backtest.equity import EquitySteps
from core.backtest.timeline import distinct, merge
from core.clock.simulated import SimulatedClock
from core.errors import NonsenseAction
from core.matching.ledger import Ledger
from core.matching.matcher import Execution, Matching, Refused
from core.matching.orders import WorkingOrder
from core.model.instants import iso
from core.model.market import Bar, BarSeries, Instants, Instrument
from core.model.money import exact, is_multiple, plain
from core.model.order import Fill, OrderRequest, RejectCode, TimeInForce
from core.model.position import Position
from core.strategy.actions import Action, FetchWindow
from core.strategy.runner import StrategyRunner, compute_indicators
from core.strategy.windows import Cursor, Window

BLOCK: Final = 8_192
"""Bars turned into Python numbers at a time; memory does not grow with the run."""

_NEVER: Final = 2**63 - 1


class OrderReports(Protocol):
    """Who is told what became of an order."""

    def accept(self, order_id: str, *, now_ns: int) -> None: ...
    def fill(
        self,
        order_id: str,
        *,
        qty: Decimal,
        price: Decimal,
        fee: Decimal,
        slippage: Decimal,
        time_ns: int,
        path_dependent: bool = False,
        reason: str | None = None,
    ) -> Fill: ...
    def cancel(self, order_id: str, reason: str, *, now_ns: int) -> None: ...
    def expire(self, order_id: str, reason: str, *, now_ns: int) -> None: ...
    def reject(self, order_id: str, code: RejectCode, reason: str, *, now_ns: int) -> None: ...
    def flag_path_dependent(self, order_id: str) -> None: ...


Route = Callable[[Sequence[Action]], None]
"""Carries a strategy's actions to where they are done; called at the decision time."""

Trace = Callable[[int, tuple[str, ...]], None]
"""Told of each decision time, when somebody wants to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One symbol of a run: its instrument, its bars, when each is known, and which are of regular hours (None: all)."""

    instrument: Instrument
    bars: BarSeries
    end_ns: Instants
    regular: NDArray[np.bool_] | None = None


class _Feed:
    """A symbol while the run goes on."""

    __slots__ = ("at", "cursor", "has_grid", "market", "newest", "symbol", "working")

    def __init__(self, at: int, market: Market) -> None:
        self.at = at
        self.market = market
        self.symbol = market.bars.symbol
        self.cursor = Cursor(len(market.bars))
        self.working: list[WorkingOrder] = []
        self.newest: Bar | None = None
        """The newest bar known, while a decision is carried out."""
        self.has_grid = market.instrument.tick is not None or market.instrument.lot is not None


class Simulator:
    """The simulated venue of one run, and the account it books on. Its methods run in the run's own thread."""

    def __init__(
        self,
        *,
        markets: Sequence[Market],
        matching: Matching,
        cash: Decimal,
        clock: SimulatedClock,
        monotonic_ns: Callable[[], int],
        session_end: Callable[[int, Instrument], int],
        reports: OrderReports,
    ) -> None:
        self._feeds = [_Feed(at, market) for at, market in enumerate(markets)]
        self._by_symbol = {feed.symbol: feed for feed in self._feeds}
        self._by_ref: dict[str, WorkingOrder] = {}
        self._matching = matching
        self._start_cash = cash
        self._clock = clock
        self._monotonic_ns = monotonic_ns
        self._session_end = session_end
        self._reports = reports
        self._ledger = Ledger(cash)
        self._steps = EquitySteps()
        self._next_expiry_ns = _NEVER
        self._deadline_ns = 0
        self._point = 0
        self.start_ns = clock.instant_ns
        self.bars_done = 0
        self.stopped: str | None = None
        """Why the strategy ended the run early, when it did."""

    # --- the account, as a strategy may see it ---

    @property
    def now_ns(self) -> int:
        return self._clock.instant_ns

    @property
    def cash(self) -> Decimal:
        return self._ledger.cash

    @property
    def equity(self) -> Decimal:
        total = self._ledger.cash
        for feed in self._feeds:
            held = self._ledger.held(feed.symbol)
            if held and feed.cursor.now >= 0:
                total += held * exact(feed.market.bars.close[feed.cursor.now])
        return total

    def position(self, symbol: str) -> Position:
        return self._ledger.position(symbol)

    def held(self, symbol: str) -> Decimal:
        return self._ledger.held(symbol)

    def working(self) -> tuple[str, ...]:
        return tuple(self._by_ref)

    # --- the venue ---

    def place(self, order_id: str, ref: str, request: OrderRequest, time_in_force: TimeInForce) -> None:
        """Take an order decided now; it meets the first bar of its symbol that starts at or after now."""
        feed = self._by_symbol[request.symbol]
        now_ns = self._clock.instant_ns
        wrong = _off_grid(request, feed.market.instrument) if feed.has_grid else None
        if wrong is not None:
            self._reports.reject(order_id, RejectCode.INVALID_ORDER, wrong, now_ns=now_ns)
            return
        dead_from_ns = self._session_end(now_ns, feed.market.instrument) if time_in_force is TimeInForce.DAY else None
        if dead_from_ns is not None and dead_from_ns < self._next_expiry_ns:
            self._next_expiry_ns = dead_from_ns
        order = WorkingOrder(order_id, ref, request, now_ns, dead_from_ns)
        self._reports.accept(order_id, now_ns=now_ns)
        feed.working.append(order)
        self._by_ref[ref] = order

    def cancel(self, ref: str, reason: str) -> bool:
        """Take back a working order; False when it is already over."""
        order = self._by_ref.get(ref)
        if order is None:
            return False
        self._drop(order)
        self._reports.cancel(order.id, reason, now_ns=self._clock.instant_ns)
        return True

    def cancel_all(self, reason: str) -> None:
        """Take back every working order."""
        for ref in self.working():
            self.cancel(ref, reason)

    def newest(self, symbol: str) -> tuple[int, float] | None:
        """Return start and close of the symbol's newest bar known now, or None before its first."""
        bar = self._by_symbol[symbol].newest
        return None if bar is None else (bar.start_ns, bar.close)

    def window(self, asked: FetchWindow) -> Window:
        """Return the last bars of a symbol known now. Raises NonsenseAction for more than the run can ever have."""
        feed = self._by_symbol[asked.symbol]
        bars = feed.market.bars
        if asked.bars > len(bars):
            raise NonsenseAction(
                f"The strategy asked for a window of {asked.bars:,} bars of {asked.symbol}, but the run has only {len(bars):,}.",
                "Ask for a shorter window, or run it over more bars.",
            )
        last = feed.cursor.now + 1
        return Window(bars, feed.market.end_ns, max(0, last - asked.bars), last, asked.bars)

    # --- the loop ---

    def prepare(self, runner: StrategyRunner, route: Route) -> None:
        """Let the strategy initialize, decided at the run's start, and compute its indicators."""
        route(runner.initialize())
        series = {feed.symbol: feed.market.bars for feed in self._feeds}
        compute_indicators(runner.indicators, series, {feed.symbol: feed.cursor for feed in self._feeds})

    def steps(self, runner: StrategyRunner, route: Route, trace: Trace | None) -> Iterator[None]:
        """Go through all bars; yields when the slice given by `extend` is over. After the last step the run is over."""
        feed = self._feeds[0]
        if len(self._feeds) == 1 and bool((np.diff(feed.market.end_ns) > 0).all()):
            yield from self._one_symbol(feed, runner, route, trace)
        else:
            yield from self._many_symbols(runner, route, trace)
        self.cancel_all("The run ended.")

    def extend(self, deadline_ns: int) -> None:
        """Let the loop go on until the monotonic clock passes `deadline_ns`."""
        self._deadline_ns = deadline_ns

    def _one_symbol(self, feed: _Feed, runner: StrategyRunner, route: Route, trace: Trace | None) -> Iterator[None]:
        """The loop for one symbol: each bar is a decision time of its own."""
        clock, cursor, working, on_bar, pending = self._clock, feed.cursor, feed.working, runner.on_bar, runner.pending()
        symbol, symbols, monotonic_ns = feed.symbol, (feed.symbol,), self._monotonic_ns
        indicators, regular = runner.indicators, feed.market.regular
        stride, checked_ns = 16, monotonic_ns()
        actions: Sequence[Action] | None
        for first in range(0, len(feed.market.bars), BLOCK):
            last = min(first + BLOCK, len(feed.market.bars))
            for indicator in indicators:
                indicator.load_block(first, last)
            cursor.block = first
            within = -1
            bars = _bars(symbol, feed.market, first, last)
            while first + within + 1 < last:
                for bar in islice(bars, stride):
                    within += 1
                    cursor.in_block = within
                    if working:
                        if regular is None or regular[first + within]:
                            self._point = first + within
                            self._meet(feed, bar)
                        if bar.end_ns >= self._next_expiry_ns:
                            self._expire(bar.end_ns)
                    if trace is not None:
                        clock.instant_ns = bar.end_ns
                        trace(bar.end_ns, symbols)
                    if on_bar is not None:
                        try:
                            on_bar(bar)
                        except (Exception, SystemExit) as error:
                            raise runner.failed_at(bar.end_ns, "on_bar", error) from error
                        if not pending:
                            continue
                        actions = runner.take(bar.end_ns)
                    else:
                        actions = runner.decide(bar.end_ns, {symbol: bar})
                    if actions:
                        clock.instant_ns = bar.end_ns
                        feed.newest = bar
                        route(actions)
                        if self.stopped is not None:
                            self.bars_done = first + within + 1
                            return
                turn_ns = monotonic_ns()
                stride = _stride(stride, turn_ns - checked_ns)
                checked_ns = turn_ns
                if turn_ns >= self._deadline_ns:
                    self.bars_done = first + within + 1
                    clock.instant_ns = bar.end_ns
                    yield
                    checked_ns = monotonic_ns()
            self.bars_done = last

    def _many_symbols(self, runner: StrategyRunner, route: Route, trace: Trace | None) -> Iterator[None]:
        """The loop for several symbols: all bars that ended at the same time are one decision."""
        clock, monotonic_ns, feeds = self._clock, self._monotonic_ns, self._feeds
        timeline = merge([feed.market.end_ns for feed in feeds])
        bars: dict[str, Bar] = {}
        since_check, stride, checked_ns = 0, 16, monotonic_ns()
        total, self._point = len(timeline.end_ns), 0
        for first in range(0, total, BLOCK):
            last = min(first + BLOCK, total)
            rows = [_rows(feed, timeline.symbol[first:last], timeline.bar[first:last], runner) for feed in feeds]
            ends = timeline.end_ns[first : last + 1].tolist()
            if last == total:
                ends.append(_NEVER)
            for within, at in enumerate(timeline.symbol[first:last].tolist()):
                feed = feeds[at]
                bar, matches = next(rows[at])
                feed.cursor.in_block += 1
                if feed.working and matches:
                    self._meet(feed, bar)
                bars[feed.symbol] = feed.newest = bar
                now_ns = bar.end_ns
                if ends[within + 1] == now_ns:
                    continue
                clock.instant_ns = now_ns
                if now_ns >= self._next_expiry_ns:
                    self._expire(now_ns)
                if trace is not None:
                    trace(now_ns, tuple(bars))
                actions = runner.decide(now_ns, bars)
                since_check += len(bars)
                bars = {}
                self._point += 1
                if actions:
                    route(actions)
                    if self.stopped is not None:
                        self.bars_done = first + within + 1
                        return
                if since_check >= stride:
                    turn_ns = monotonic_ns()
                    stride = _stride(stride, turn_ns - checked_ns)
                    since_check, checked_ns = 0, turn_ns
                    if turn_ns >= self._deadline_ns:
                        self.bars_done = first + within + 1
                        yield
                        checked_ns = monotonic_ns()
            self.bars_done = last

    # --- orders ---

    def _meet(self, feed: _Feed, bar: Bar) -> None:
        """Let the symbol's working orders meet a bar, and tell what became of them."""
        start_ns, high, low = bar.start_ns, bar.high, bar.low
        live = [order for order in feed.working if order.can_meet(start_ns) and order.can_act(high, low)]
        if not live:
            return
        reports = self._reports
        for outcome in self._matching.meet(live, bar, self._ledger):
            order = outcome.order
            if isinstance(outcome, Execution):
                self._drop(order)
                reports.fill(
                    order.id,
                    qty=order.qty,
                    price=outcome.price,
                    fee=outcome.fee,
                    slippage=outcome.slippage,
                    time_ns=start_ns,
                    path_dependent=outcome.path_dependent,
                )
                self._steps.add(self._point, float(self._ledger.cash), feed.at, float(self._ledger.held(feed.symbol)))
            elif isinstance(outcome, Refused):
                self._drop(order)
                reports.reject(order.id, outcome.code, outcome.reason, now_ns=start_ns)
            else:
                order.triggered = True
        for order in live:
            if order.path_dependent:
                order.path_dependent = False
                reports.flag_path_dependent(order.id)

    def _expire(self, now_ns: int) -> None:
        """End the orders whose session is over, and note when the next one's is."""
        next_ns = _NEVER
        for feed in self._feeds:
            for order in tuple(feed.working):
                dead_ns = order.dead_from_ns
                if dead_ns is None:
                    continue
                if dead_ns <= now_ns:
                    self._drop(order)
                    self._reports.expire(order.id, f"Its session ended at {iso(dead_ns)}.", now_ns=dead_ns)
                else:
                    next_ns = min(next_ns, dead_ns)
        self._next_expiry_ns = next_ns

    def _drop(self, order: WorkingOrder) -> None:
        self._by_symbol[order.symbol].working.remove(order)
        del self._by_ref[order.ref]

    # --- what is left at the end ---

    def open_positions(self) -> tuple[Position, ...]:
        """Return what is held now."""
        return self._ledger.open_positions()

    def equity_curve(self) -> tuple[Instants, NDArray[np.float64], NDArray[np.bool_]]:
        """Return times, equity and whether anything was held, at the start and at each decision time so far."""
        ends = [feed.market.end_ns[: feed.cursor.now + 1] for feed in self._feeds]
        times_ns = distinct(np.sort(np.concatenate(ends), kind="stable"))
        series = [feed.market.bars for feed in self._feeds]
        equity, held = self._steps.curve(float(self._start_cash), times_ns, series, ends)
        return (
            np.concatenate(([self.start_ns], times_ns)),
            np.concatenate(([float(self._start_cash)], equity)),
            np.concatenate(([False], held)),
        )


def _bars(symbol: str, market: Market, first: int, last: int) -> Iterator[Bar]:
    """Return the bars of a block one by one, made when they are reached."""
    columns = [column[first:last].tolist() for column in market.bars.columns()]
    return map(Bar, repeat(symbol), market.bars.start_ns[first:last].tolist(), market.end_ns[first:last].tolist(), *columns)


def _rows(feed: _Feed, symbols: NDArray[np.int32], bars: NDArray[np.int64], runner: StrategyRunner) -> Iterator[tuple[Bar, bool]]:
    """Return a symbol's bars within a block of the timeline, and load its indicators' values for them."""
    own = bars[symbols == feed.at]
    if not len(own):
        return iter(())
    first, last = int(own[0]), int(own[-1]) + 1
    # A symbol's newest bar may lie before this block: one value more keeps it readable.
    before = max(0, first - 1)
    for indicator in runner.indicators:
        if indicator.symbol == feed.symbol:
            indicator.load_block(before, last)
    feed.cursor.block = before
    feed.cursor.in_block = first - 1 - before
    matched = repeat(True) if feed.market.regular is None else feed.market.regular[first:last].tolist()
    return zip(_bars(feed.symbol, feed.market, first, last), matched, strict=False)


def _stride(stride: int, took_ns: int) -> int:
    """Return after how many bars to look at the clock again: often for slow strategies, seldom for fast ones."""
    if took_ns > 1_000_000:
        return max(1, stride // 2)
    return min(1_024, stride * 2) if took_ns < 250_000 else stride


def _off_grid(request: OrderRequest, instrument: Instrument) -> str | None:
    """Return the sentence that says which figure is off the instrument's tick or lot, or None."""
    if not is_multiple(request.qty, instrument.lot):
        return f"The quantity {plain(request.qty)} is not a multiple of the lot, {instrument.lot}."
    for name, price in (("limit", request.limit_price), ("stop", request.stop_price)):
        if price is not None and not is_multiple(price, instrument.tick):
            return f"The {name} price {plain(price)} is not a multiple of the tick, {instrument.tick}."
    return None
