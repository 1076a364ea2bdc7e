"""A paper or live run: the same strategy, router and runner as in a backtest; time, bars and fills are the account's own."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from decimal import localcontext
from typing import Any, Final

import numpy as np

from core import ENGINE_VERSION
from core.backtest.stats import compute_statistics
from core.backtest.stats_trades import with_excursions
from core.clock import calendar
from core.clock.slices import SliceThread
from core.errors import KnownError, LookAhead, NotRepeatable
from core.events.live_payloads import StreamChanged
from core.events.payloads import ClockLate
from core.model.broker import AccountName, BarKind, LiveBar, StreamState, StreamStatus, Tick, Watch
from core.model.instants import DAY_NS, MINUTE_NS, SECOND_NS
from core.model.market import Adjustment, Bar, BarSeries, BarSetKey, Timeframe, asset_class_of
from core.model.money import MONEY_CONTEXT, exact, to_float
from core.model.order import OrderStatus, Rejection
from core.model.plugin import StrategyInfo
from core.model.result import PlotLine, RunResult
from core.model.round_trips import round_trips
from core.model.run import Manifest, Run, RunMode
from core.ports import LiveClock, Store, StrategySource, UnitOfWork
from core.runs.desks import Desks, OpenAccount
from core.runs.equity_marks import EquityMarks, MarkTeller
from core.runs.journal import RunJournal
from core.runs.live_bars import MINUTE, LiveBars, one_bar, series_of
from core.runs.live_venue import LiveOrders, LiveVenue
from core.runs.router import LIVE, DomainRouter
from core.runs.run_rows import Rows
from core.strategy.actions import Action
from core.strategy.runner import StrategyRunner, make_strategy
from core.strategy.windows import StrategyConfig
from core.trading.books import RunBook
from core.trading.orders import OrderManager
from core.trading.state import Seat

PRODUCER: Final = "live"
_RECORDED: Final = "run-"
GRACE_S: Final = 2.0
"""Real seconds that a decision waits for the bars of its minute (one without a trade never comes), and for answers."""
ASLEEP_S: Final = 5.0
"""Real seconds late at which a decision is no longer made up for."""
LATE_MS: Final = 50.0
"""How late a decision may wake, in real time, before that is told."""
IMPORT_LIMIT_S: Final = 30.0
_SESSION_NS: Final = 6 * 3_600 * SECOND_NS


def recorded(run_id: str, symbol: str, timeframe: str) -> BarSetKey:
    """Return under what a run's bars are kept: what it saw, to be replayed."""
    return BarSetKey(symbol=symbol, timeframe=timeframe, source=f"{_RECORDED}{run_id}")


def is_recorded(key: BarSetKey) -> bool:
    """Tell whether bars are those that a run saw: they are taken only where they are asked for by name."""
    return key.source.startswith(_RECORDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveMaterials:
    """Where a paper or live run takes its things from."""

    store: Store
    rows: Rows
    strategies: StrategySource
    desks: Desks
    clock: LiveClock
    callback_limit_s: float


class LiveWork:
    """See `core.runs.session.RunWork`."""

    objection: LookAhead | NotRepeatable | None = None
    bars_total = 0

    def __init__(self, run: Run, info: StrategyInfo, materials: LiveMaterials) -> None:
        config = run.config
        self._run = run
        self._info = info
        self._materials = materials
        self._clock = materials.clock
        self._slices = SliceThread(f"run-{run.id}", materials.clock, materials.callback_limit_s)
        self._timeframe = Timeframe.parse(config.timeframe)
        self._bars = LiveBars(config.symbols, self._timeframe)
        self._book = RunBook(config.cash, config.limits)
        self._orders = LiveOrders(run.id)
        self._journal = RunJournal(run.id, PRODUCER)
        self._mark = MarkTeller(self._book, self._journal)
        self._venue = LiveVenue(self._bars, self._book, self._orders, self._journal)
        self._router = DomainRouter(run.id, journal=self._journal, orders=self._orders, now_ns=lambda: self._now_ns, commands=LIVE)
        self._router.connect(self._venue)
        self._places = AsyncExitStack()
        self._arrived = asyncio.Event()
        self._changed = asyncio.Event()
        self._is_gap = True
        self._statuses: list[StreamStatus] = []
        self._failure: KnownError | None = None
        self._loop: asyncio.Task[None] | None = None
        self._sent: list[str] = []
        self._now_ns = self._start_ns = self._from_ns = 0
        self._began_ns = 0
        self._equity: list[tuple[int, float, bool]] = []
        self.bars_done = 0
        self.last_bar_ns: int | None = None

    # --- life ---

    async def load(self) -> Manifest:
        """Load the plug-in, connect to the account, and read the history that the strategy is warmed up with.

        Raises StrategyBroken, BrokerError and what the strategy raises.
        """
        config, strategies = self._run.config, self._materials.strategies
        for symbol in config.symbols:
            await calendar.load(asset_class_of(symbol))
        await EquityMarks(self._materials.store.log, self._materials.store.runs).recall(self._run.id, self._book)
        loaded: list[type] = []
        await self._slices.run(lambda _: loaded.append(strategies.load(self._info)), limit_s=IMPORT_LIMIT_S)
        settled = StrategyConfig(
            symbols=config.symbols, timeframe=config.timeframe, params=config.params, cash=config.cash, seed=config.seed
        )

        def make() -> None:
            strategy = make_strategy(loaded[0])
            self._runner = StrategyRunner(strategy, settled, self._router.fetch)
            strategy.account = self._venue

        await self._slices.run(lambda _: make())
        account = AccountName.PAPER if config.mode is RunMode.PAPER else AccountName.LIVE
        self._account: OpenAccount = await self._places.enter_async_context(self._materials.desks.open(config.broker, account))
        self._account.desk.sit(self._run.id, self._book, Seat(self._changed.set, self._stop))
        self._places.callback(self._account.desk.rise, self._run.id)
        step_ns = MINUTE_NS if self._timeframe.is_daily else self._timeframe.ns
        self._start_ns = -(-self._clock.now_ns() // step_ns) * step_ns
        actions: list[Action] = []
        await self._slices.run(lambda _: actions.extend(self._runner.initialize()))
        self._bars.prepare(self._runner)
        self._from_ns = self._history_from()
        await self._complete(self._from_ns, self._start_ns)
        self._began_ns = self._clock.monotonic_ns()
        self._first_actions = actions
        return Manifest(
            strategy_sha256=strategies.loaded_sha256(loaded[0]),
            bars_sha256="",  # they are still to come
            engine=ENGINE_VERSION,
            seed=config.seed,
        )

    async def drive(self, on_slice: Callable[[], None], on_commit: Callable[[UnitOfWork], None]) -> None:
        """Decide at each bar's end until the run is over. Cancel to stop. Whatever ends it: its working orders are cancelled.

        Raises BooksDiffer, BrokerError, StoreError and what the strategy raises.
        """
        try:
            async with asyncio.TaskGroup() as group:
                streams = [group.create_task(self._listen(watch), name="market") for watch in self._watches()]
                self._loop = group.create_task(self._decide_always(on_slice, on_commit), name="decisions")
                families = group.create_task(self._mind_families(), name="exits")
                await asyncio.wait({self._loop})
                for task in (*streams, families):
                    task.cancel()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            self._loop = None
            self.bars_total = self.bars_done  # nobody knew before
            await self._account.desk.cancel_working(self._run.id)
        if self._failure is not None:
            raise self._failure

    @property
    def first_bar_ns(self) -> int:
        """When the run began: its first bar starts then or later."""
        return self._start_ns

    @property
    def stopped(self) -> str | None:
        """Why the strategy ended the run."""
        return self._venue.stopped

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return (self._clock.monotonic_ns() - self._began_ns) / 1e9 if self._began_ns else 0.0

    def equity(self) -> tuple[int, float]:
        """Return the newest decision time and the equity at it."""
        return self._now_ns, to_float(self._venue.equity)

    def cancel_working(self, reason: str) -> None:
        """`drive` did so when it ended."""

    async def commit(self, on_commit: Callable[[UnitOfWork], None]) -> None:
        """Commit what was decided and not handed to the desk, and what `on_commit` adds."""
        events = self._take_events()
        async with self._materials.rows.begin() as work:
            work.append(events)
            on_commit(work)

    async def close(self) -> None:
        """Let go of the account and end the run's thread."""
        await self._places.aclose()
        await self._slices.close()

    # --- bars ---

    def _history_from(self) -> int:
        """Return from when on bars are wanted, so that enough of them end before the start."""
        warmup = self._runner.warmup
        per_day = max(1, min(_SESSION_NS, DAY_NS) // self._timeframe.ns)
        days = -(-warmup // per_day) * 3 // 2 + 5 if warmup else 0
        return (self._start_ns // DAY_NS - days) * DAY_NS

    async def _complete(self, since_ns: int, until_ns: int) -> None:
        """Take what the broker's history has of a period; minutes that are there already stay as they are."""
        history = self._account.broker.history
        for symbol in self._run.config.symbols:
            first_ns = max(since_ns, self._bars.newest_minute(symbol))
            async for page in history.pages(symbol, MINUTE, first_ns, until_ns, adjustment=Adjustment.RAW, feed=None):
                self._bars.add(page)

    def _watches(self) -> list[Watch]:
        """Return what to listen to: a stream brings one class of assets."""
        symbols = self._run.config.symbols
        classes = dict.fromkeys(asset_class_of(symbol) for symbol in symbols)
        return [Watch(bars=tuple(symbol for symbol in symbols if asset_class_of(symbol) is one)) for one in classes]

    async def _listen(self, watch: Watch) -> None:
        def on_tick(tick: Tick) -> None:
            if isinstance(tick, LiveBar) and tick.kind is BarKind.FINAL and not self._is_gap:
                self._take(tick.bar)

        def on_status(status: StreamStatus) -> None:
            self._statuses.append(status)
            if status.state is StreamState.LISTENING:
                self._is_gap = True  # what was told while nobody listened is asked for

        await self._account.broker.streams.market(watch, on_tick, on_status)

    def _take(self, bar: Bar) -> None:
        self._bars.add(one_bar(bar))
        self._account.desk.state.note_price(bar.symbol, exact(bar.close), bar.end_ns)
        self._arrived.set()

    async def _bars_until(self, now_ns: int) -> None:
        """Return once every symbol's minutes up to now are there, or will not come."""
        if self._is_gap:
            self._is_gap = False
            await self._complete(self._from_ns, now_ns)
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                while any(self._bars.newest_minute(symbol) < now_ns for symbol in self._run.config.symbols):
                    self._arrived.clear()
                    await self._arrived.wait()

    async def _answers(self) -> None:
        """Return once the broker has answered for what the run sent, or takes its time: a decision knows what became of the last."""
        state = self._account.desk.state

        def are_there() -> bool:
            mine = (state.lives[order_id] for order_id in self._sent if order_id in state.lives)
            return all(life.order.status is not OrderStatus.SUBMITTING and not life.missing_qty for life in mine)

        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await state.until(are_there)
        self._sent.clear()

    async def _record(self, new: dict[str, BarSeries]) -> None:
        """Keep what the run sees, so that it can be replayed."""
        for symbol, bars in new.items():
            await self._materials.store.bars.merge(recorded(self._run.id, symbol, str(self._timeframe)), bars, simulated=True)

    # --- decisions ---

    async def _decide_always(self, on_slice: Callable[[], None], on_commit: Callable[[UnitOfWork], None]) -> None:
        self._now_ns = self._start_ns
        await self._clock.sleep_until(self._start_ns)
        await self._bars_until(self._start_ns)
        # Exactly as much history as a backtest from this start has.
        new, _ = self._bars.ended(self._start_ns, keep=self._runner.warmup)
        await self._record(new)
        self._note_equity()
        await self._carry_out(self._first_actions)
        end_ns = self._run.config.end_ns
        next_ns = self._start_ns
        while self._venue.stopped is None and (end_ns is None or next_ns < end_ns):
            next_ns = self._next_minute(next_ns, end_ns)
            late_ms = await self._clock.sleep_until(next_ns) / self._clock.speed / 1e6
            if late_ms > LATE_MS:
                self._journal.record(ClockLate(due_ns=next_ns, late_ms=round(late_ms, 1)), self._clock.now_ns(), None, None)
            await self._bars_until(next_ns)
            await self._answers()
            new, larger = self._bars.ended(next_ns)
            await self._decide(next_ns, new, larger)
            await self._tell_streams()
            await self.commit(on_commit)
            on_slice()

    def _next_minute(self, done_ns: int, end_ns: int | None) -> int:
        """Return the next decision time: the minute after, or after the machine slept the present one.

        What lies behind is history then: no order is decided on an old price.
        """
        next_ns, now_ns = done_ns + MINUTE_NS, self._clock.now_ns()
        if now_ns - next_ns > ASLEEP_S * SECOND_NS * self._clock.speed:
            next_ns = max(next_ns, now_ns // MINUTE_NS * MINUTE_NS)
        return next_ns if end_ns is None else min(next_ns, end_ns)

    async def _decide(self, now_ns: int, new: dict[str, BarSeries], larger: Sequence[tuple[str, Bar]]) -> None:
        self._now_ns = now_ns
        self.bars_done += sum(len(series) for series in new.values())
        await self._record(new)
        ended = {symbol: self._bars.own[symbol].bar(-1) for symbol in new}
        if ended:
            self.last_bar_ns = max(bar.end_ns for bar in ended.values())
        # A bar that began before the run is history, and so is one that a gap has made old.
        bars = {symbol: bar for symbol, bar in ended.items() if bar.end_ns > now_ns - MINUTE_NS and bar.start_ns >= self._start_ns}
        self._look()
        is_warm = all(len(own) >= self._runner.warmup for own in self._bars.own.values())
        if (bars or larger) and is_warm:
            actions: list[Action] = []
            await self._slices.run(lambda _: actions.extend(self._runner.decide(now_ns, bars, larger)))
            await self._carry_out(actions)
        if bars:
            self._note_equity()

    async def _mind_families(self) -> None:
        """Send the exits of what has filled, and take back what the other of a pair has made needless."""
        desk = self._account.desk
        while True:
            self._changed.clear()
            leaving, cancels = self._venue.families.due(desk.state.lives, desk.state.causes.of_order.get, self._clock.now_ns())
            if leaving:
                await desk.place(leaving)
            for order_id in cancels:
                await desk.cancel(order_id)
            await self._changed.wait()

    def _look(self) -> None:
        self._venue.look(self._now_ns, [life.order.id for life in self._account.desk.state.working(self._run.id)])

    async def _carry_out(self, actions: Sequence[Action]) -> None:
        """Route a decision's actions and hand them to the desk, which commits and sends them."""
        venue = self._venue
        self._look()
        with localcontext(MONEY_CONTEXT):
            self._router.route(actions)
        intents, venue.intents = venue.intents, []
        cancels, venue.cancels = venue.cancels, []
        if intents:
            await self._account.desk.place(intents, self._take_events())
            self._sent += [intent.order.id for intent in intents]
        for order_id in cancels:
            await self._account.desk.cancel(order_id, self._orders.commands.get(order_id))

    def _take_events(self) -> list[Any]:
        events = self._journal.events
        self._journal.committed(OrderManager(self._run.id, self._journal))
        return events

    async def _tell_streams(self) -> None:
        told, self._statuses = self._statuses, []
        for status in told:
            if status.state in {StreamState.LOST, StreamState.STALE}:
                payload = StreamChanged(account=self._account.desk.state.key, stream="bars", state=status.state.value, said=status.said)
                self._journal.record(payload, self._clock.now_ns(), None, None)

    def _note_equity(self) -> None:
        self._look()
        held = any(self._venue.held(symbol) for symbol in self._run.config.symbols)
        equity = self._venue.equity
        self._equity.append((self._now_ns, to_float(equity), held))
        self._book.watch(equity, self._now_ns // DAY_NS)
        self._mark.tell(self._now_ns)

    def _stop(self, why: KnownError) -> None:
        """End the run: its account cannot be used, or not be trusted any more."""
        self._failure = why
        if self._loop is not None:
            self._loop.cancel()

    # --- what it leaves ---

    async def result(self) -> RunResult:
        """Return statistics, equity and trades of the run so far."""
        runs = self._materials.store.runs
        fills, orders = await runs.fills(self._run.id), await runs.orders(self._run.id)
        bars = series_of(self._bars.own)
        times_ns = np.array([point[0] for point in self._equity], np.int64)
        equity = np.array([point[1] for point in self._equity])
        rejections = [
            Rejection(time_ns=order.updated_ns, order_id=order.id, code=order.reject_code, reason=order.reason or "")
            for order in orders
            if order.reject_code is not None
        ]

        def made() -> RunResult:
            with localcontext(MONEY_CONTEXT):
                trades = with_excursions(round_trips(fills, ()), bars)
                stats = compute_statistics(
                    equity_ns=times_ns,
                    equity=equity,
                    trades=trades,
                    fills=fills,
                    asset_class=asset_class_of(self._run.config.symbols[0]),
                    exposure=np.array([point[2] for point in self._equity], np.bool_),
                    bars=bars,
                )
            positions = tuple(self._book.position(symbol) for symbol in sorted(self._book.positions()))
            return RunResult(
                run_id=self._run.id,
                stats=stats,
                equity_ns=times_ns,
                equity=equity,
                trades=tuple(trades),
                open_positions=positions,
                rejections=tuple(rejections),
                plots=tuple(self._lines()),
                state=None,
            )

        return await asyncio.to_thread(made)

    def _lines(self) -> list[PlotLine]:
        own = series_of(self._bars.own)
        lines = [
            PlotLine(name=one.name, symbol=one.symbol, pane=one.pane, start_ns=own[one.symbol].start_ns, values=one.values)
            for one in self._runner.indicators
            if one.pane and len(one.values) == len(own[one.symbol])
        ]
        return lines + [
            PlotLine(name=one.name, symbol=one.symbol, pane=one.pane, start_ns=own[one.symbol].start_ns, values=one.values.copy())
            for one in self._runner.plots
        ]
