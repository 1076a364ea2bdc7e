"""A paper or live run: the same strategy, router and runner as in a backtest; time, bars and fills are the account's own."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final

import msgspec

from core import ENGINE_VERSION
from core.clock import calendar
from core.clock.slices import SliceThread
from core.errors import KnownError, LeaseLost, LookAhead, NotRepeatable, RunError
from core.events.envelope import Envelope
from core.events.live_payloads import BarsPassed, FaultsDeclared, MarketClosed
from core.events.payloads import ClockLate, StrategyStateSaved
from core.model.instants import MINUTE_NS, SECOND_NS
from core.model.market import Bar, BarSeries, BarSetKey, Timeframe, asset_class_of
from core.model.money import to_float
from core.model.plugin import StrategyInfo
from core.model.result import RunResult
from core.model.run import Manifest, Run
from core.ports import UnitOfWork
from core.runs.desks import OpenAccount
from core.runs.equity_again import equity_until
from core.runs.equity_marks import EquityMarks
from core.runs.journal import RunJournal
from core.runs.live_bars import LiveBars, series_of
from core.runs.live_config import account_of
from core.runs.live_materials import LiveMaterials
from core.runs.live_result import live_result, splits_of
from core.runs.live_venue import LiveOrders, LiveVenue
from core.runs.loss_watch import LossWatch
from core.runs.market_hours import MarketHours
from core.runs.minute_feed import MinuteFeed, history_from
from core.runs.minutes import until_minute
from core.runs.order_handling import OrderHandling
from core.runs.past import Past
from core.runs.reconciling import settled
from core.runs.recorded_bars import minutes_of, recorded
from core.runs.router import LIVE, DomainRouter
from core.runs.store_away import StoreAway
from core.strategy.actions import Action
from core.strategy.runner import StrategyRunner, make_strategy
from core.strategy.windows import StrategyConfig
from core.trading.books import RunBook, merged
from core.trading.coin_fees import net_of_fees
from core.trading.feed import Feed
from core.trading.history import read_changes
from core.trading.orders import OrderManager
from core.trading.seat import Seat

PRODUCER: Final = "live"
ASLEEP_S: Final = 5.0
"""Real seconds late at which a decision is no longer made up for."""
LATE_MS: Final = 50.0
"""How late a decision may wake, in real time, before that is told."""
IMPORT_LIMIT_S: Final = 30.0


class LiveWork:
    """See `core.runs.session.RunWork`."""

    objection: LookAhead | NotRepeatable | None = None
    bars_total = 0

    def __init__(self, run: Run, info: StrategyInfo, materials: LiveMaterials, past: Past | None = None) -> None:
        """`past`: what is stored of a run that goes on after it was interrupted."""
        config = run.config
        self._past = past
        self._run = run
        self._info = info
        self._materials = materials
        self._clock = materials.clock
        self._slices = SliceThread(f"run-{run.id}", materials.clock, materials.callback_limit_s)
        self._timeframe = Timeframe.parse(config.timeframe)
        self._bars = LiveBars(config.symbols, self._timeframe)
        self._book = RunBook(config.cash, config.limits, config.account)
        self._orders = LiveOrders(run.id)
        self._journal = RunJournal(run.id, PRODUCER)
        self._losses = LossWatch(self._book, self._journal)
        self._venue = LiveVenue(self._bars, self._book, self._orders, self._journal)
        self._router = DomainRouter(run.id, journal=self._journal, orders=self._orders, now_ns=lambda: self._now_ns, commands=LIVE)
        self._router.connect(self._venue)
        self._places = AsyncExitStack()
        self._failure: KnownError | None = None
        self._loop: asyncio.Task[None] | None = None
        self._now_ns = self._start_ns = self._origin_ns = 0
        self._began_ns = 0
        self._equity: list[tuple[int, float, bool]] = []
        self._state: dict[str, Any] | None = None
        self._left = 0
        self._away = StoreAway(run.id, materials.store.log, materials.clock.now_ns)
        self.bars_done = run.bars
        self.last_bar_ns: int | None = run.last_bar_ns

    # --- life ---

    async def load(self) -> Manifest:
        """Load the plug-in, connect to the account, and read the history that the strategy is warmed up with.

        Raises StrategyBroken, BrokerError and what the strategy raises.
        """
        config, strategies = self._run.config, self._materials.strategies
        for symbol in config.symbols:
            await calendar.load(asset_class_of(symbol))
        await EquityMarks(self._materials.store.log, self._materials.store.runs).recall(self._run.id, self._book.losses)
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
        opened = self._materials.desks.open(config.broker, account_of(config.mode))
        self._account: OpenAccount = await self._places.enter_async_context(opened)
        self._venue.families.know(self._account.desk.state.lives, self._account.desk.state.taken_back)
        if self._past is not None:
            await self._take_up(self._past)
        if self._account.features.faults:  # nobody is to take it for the market
            told = FaultsDeclared(account=self._account.desk.state.key, words=self._account.features.faults)
            self._journal.record(told, self._clock.now_ns(), None, None)
        self._handling = OrderHandling(
            self._run.id,
            self._account,
            self._router,
            self._venue,
            self._orders,
            away=self._away,
            clock=self._clock,
            take_events=self._take_events,
            keep=partial(self._keep, lambda _: None),
        )
        feed = Feed(config.symbols, self._clock.monotonic_ns())
        seat = Seat(self._handling.note_change, self._stop, feed, self._venue.families, self._materials.lease)
        self._account.desk.sit(self._run.id, self._book, seat)
        self._places.callback(self._account.desk.rise, self._run.id)
        self._hours = MarketHours(config.symbols, always_open=self._account.features.always_open, extended=config.extended_hours)
        actions: list[Action] = []
        await self._slices.run(lambda _: actions.extend(self._initialized()))
        self._start_ns = self._hours.opens(self._begins(is_new=self._past is None or bool(actions)))
        self._bars.prepare(self._runner)
        seen = {symbol: await self._materials.store.bars.read(self._recorded(symbol)) for symbol in config.symbols}
        self._bars.restore(seen)
        for bars in seen.values():
            self._losses.know(self._account.desk.state, bars)
        from_ns = history_from(self._origin_ns, self._runner.warmup, self._timeframe)
        self._minutes = MinuteFeed(config, self._account, self._clock, self._bars, self._hours, feed, self._losses, from_ns)
        # Not the minute that goes on: a broker tells what it has of it, and its bar would count as the whole.
        until_ns = min(self._start_ns, self._clock.now_ns() // MINUTE_NS * MINUTE_NS)
        for symbol in config.symbols:
            await self._minutes.complete(symbol, until_ns)
        await self._losses.ask(self._account.desk.state, self._account.broker.market, config.feed, self._clock.now_ns())
        self._began_ns = self._clock.monotonic_ns()
        self._first_actions = actions
        return Manifest(
            strategy_sha256=strategies.loaded_sha256(loaded[0]),
            bars_sha256="",  # they are still to come
            engine=ENGINE_VERSION,
            seed=config.seed,
        )

    def _begins(self, *, is_new: bool) -> int:
        """Return when it begins to decide: on a boundary of its timeframe; one that goes on at once, on the bar that it was in."""
        now_ns, first_ns = self._clock.now_ns(), self._run.first_bar_ns
        if not is_new and first_ns is not None:
            self._origin_ns = first_ns
            return max(first_ns, now_ns // MINUTE_NS * MINUTE_NS)
        step_ns = MINUTE_NS if self._timeframe.is_daily else self._timeframe.ns
        self._origin_ns = self._hours.opens(-(-now_ns // step_ns) * step_ns)
        return self._origin_ns

    async def _take_up(self, past: Past) -> None:
        """Go on where the run was interrupted: its orders are what the broker says of them before anything is decided."""
        state = self._account.desk.state
        await settled(self._account.desk)
        await self._account.desk.absent.bring_back(self._run.id)
        if any(order.account not in {None, state.key} for order in past.orders):
            raise RunError(f"The orders of run {self._run.id} are at another account than {state.key}.", "Close the run.")
        earlier = state.books.get(self._run.id)
        if earlier is not None:
            self._book.go_on_with(earlier)
        self._journal.go_on_after(past.event_count)
        self._router.go_on_after(past.order_count, past.refs)
        self._venue.go_on_with(past.refs)
        # As they are now: what happened while nobody was here has been reconciled.
        orders = await self._materials.store.runs.orders(self._run.id)
        self._venue.families.restore(orders, past.fates, self._clock.now_ns(), state.groups.leads)

    def _initialized(self) -> list[Action]:
        """Let the strategy begin, or go on: what it asked for at its beginning, if it came so far, it does not ask for again."""
        actions, past = self._runner.initialize(), self._past
        if past is None:
            return actions
        self._runner.go_on_after(past.refs)
        if past.state is not None:
            self._runner.load_state(past.state)
            self._state = past.state
        return actions if not past.order_count and self._run.last_bar_ns is None else []

    async def drive(self, on_slice: Callable[[], None], on_commit: Callable[[UnitOfWork], None]) -> None:
        """Decide at each bar's end until the run is over. Cancel to stop. Whatever ends it here: its working orders are cancelled.

        Raises BooksDiffer, BrokerError, StoreError, LeaseLost and what the strategy raises.
        """
        is_lost = False
        try:
            if self._failure is not None:
                raise self._failure  # the desk ended it while it was made ready
            async with asyncio.TaskGroup() as group:
                streams = [group.create_task(self._minutes.listen(watch), name="market") for watch in self._minutes.watches()]
                self._loop = group.create_task(self._decide_always(on_slice, on_commit), name="decisions")
                families = group.create_task(self._handling.mind_families(), name="exits")
                closings = group.create_task(self._handling.closings.carry_out(), name="closings")
                filling = group.create_task(self._minutes.gaps.keep_filling(), name="gaps")
                await asyncio.wait({self._loop})
                for task in (*streams, families, closings, filling):
                    task.cancel()
        except BaseExceptionGroup as errors:
            is_lost = isinstance(errors.exceptions[0], LeaseLost)
            raise errors.exceptions[0] from None
        finally:
            self._loop = None
            self.bars_total = self.bars_done  # nobody knew before
            if self._materials.is_ours() and not is_lost:  # else its orders go with it, to the desk that has it now
                await self._handling.closings.give_up()
                await self._account.owed.run_is_over(self._run.id)
                self._left = await self._account.desk.cancel_working(self._run.id)
        if self._failure is not None:
            raise self._failure

    @property
    def first_bar_ns(self) -> int:
        """When the run began: its first bar starts then or later."""
        return self._origin_ns

    @property
    def stopped(self) -> str | None:
        """Why the strategy ended the run."""
        return self._venue.stopped

    @property
    def left(self) -> str:
        """What of it goes on though it is over: orders whose cancel the broker has not answered for."""
        return f" Orders of it that work on at the broker, which did not take their cancel yet: {self._left}." if self._left else ""

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return self._run.elapsed_s + ((self._clock.monotonic_ns() - self._began_ns) / 1e9 if self._began_ns else 0.0)

    def equity(self) -> tuple[int, float]:
        """Return the newest decision time and the equity at it."""
        return self._now_ns, to_float(self._venue.equity)

    def cancel_working(self, reason: str) -> None:
        """`drive` did so when it ended."""

    async def _keep(self, on_commit: Callable[[UnitOfWork], None]) -> None:
        """Commit as `commit` does, however long the store is away."""
        await self._away.commit(self._materials.rows, self._take_events(), on_commit)

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

    # --- decisions ---

    async def _decide_always(self, on_slice: Callable[[], None], on_commit: Callable[[UnitOfWork], None]) -> None:
        end_ns = self._run.config.end_ns
        self._now_ns = await self._opened(self._start_ns, end_ns, on_commit)
        await self._minutes.until(self._now_ns)
        # Exactly as much history as a backtest from the run's start has.
        new, _ = self._bars.ended(min(self._origin_ns, self._now_ns), keep=self._runner.warmup)
        self._bars.told(self._origin_ns, self._origin_ns)  # no order met those of the history
        await self._record(new)
        if self._past is not None:
            await self._catch_up()
        self._note_equity()
        await self._handling.carry_out(self._first_actions, self._now_ns)
        next_ns = self._now_ns
        while self._venue.stopped is None and (end_ns is None or next_ns < end_ns):
            next_ns = self._present(next_ns + MINUTE_NS, end_ns)
            if self._hours.opens(next_ns - MINUTE_NS) >= next_ns:
                next_ns = await self._opened(self._hours.opens(next_ns - MINUTE_NS), end_ns, on_commit)
                continue
            next_ns, late_ns = await until_minute(self._clock, next_ns)
            late_ms = late_ns / self._clock.speed / 1e6
            if late_ms > LATE_MS:
                self._journal.record(ClockLate(due_ns=next_ns, late_ms=round(late_ms, 1)), self._clock.now_ns(), None, None)
            next_ns = self._present(next_ns, end_ns)  # the machine may have slept through it
            await self._minutes.until(next_ns)
            await self._handling.answers()
            new, larger = self._bars.ended(next_ns, gaps=self._minutes.lacking)
            await self._decide(next_ns, new, larger)
            self._minutes.tell(self._journal)
            await self._keep(on_commit)
            on_slice()

    async def _opened(self, opens_ns: int, end_ns: int | None, on_commit: Callable[[UnitOfWork], None]) -> int:
        """Wait until the market opens, or the run ends before, and return when that is. Of a closed market it says so."""
        until_ns = opens_ns if end_ns is None else min(opens_ns, end_ns)
        now_ns = self._clock.now_ns()
        if self._hours.opens(now_ns) > now_ns:
            self._journal.record(MarketClosed(opens_ns=self._hours.opens(now_ns)), now_ns, None, None)
            await self._keep(on_commit)
        await self._clock.sleep_until(until_ns)
        return until_ns

    async def _catch_up(self) -> None:
        """Take the bars that followed on those that the run saw from the history."""
        new, _ = self._bars.ended(self._now_ns, gaps=self._minutes.lacking)
        await self._record(new)
        seen_ns = self._run.last_bar_ns or 0
        self._tell_passed(seen_ns)  # of a symbol that had a gap when the run was interrupted
        self._journal.record(BarsPassed(since_ns=seen_ns, until_ns=self._now_ns, is_restart=True), self._now_ns, None, None)
        fills = net_of_fees(await self._materials.store.runs.fills(self._run.id), self._account.desk.state.coins.fees)
        own = self._bars.own
        self._equity = equity_until(
            self._run.config.cash,
            merged(fills, await read_changes(self._materials.store.log, self._run.id)),
            {symbol: bars.ends for symbol, bars in own.items()},
            {symbol: bars.series.close.tolist() for symbol, bars in own.items()},
            self._origin_ns,
            self._now_ns,
        )

    def _tell_passed(self, old_ns: int) -> None:
        for (since_ns, until_ns), symbols in self._bars.passed(old_ns).items():
            passed = BarsPassed(since_ns=since_ns, until_ns=until_ns, symbols=symbols)
            self._journal.record(passed, self._now_ns, None, None)

    def _recorded(self, symbol: str) -> BarSetKey:
        return recorded(self._run.id, symbol, str(self._timeframe))

    async def _record(self, new: dict[str, BarSeries]) -> None:
        """Keep what the run sees, so that it can be replayed, and goes on with it after an interruption; and what that was made of."""
        if not new:
            return
        # The minutes first: those of a bar that is kept are not asked for again after an interruption.
        kept = [(minutes_of(self._recorded(symbol)), told) for symbol, told in self._bars.told(self._origin_ns, self._now_ns).items()]
        kept += [(self._recorded(symbol), bars) for symbol, bars in new.items()]
        for key, bars in kept:
            await self._away.outlast(partial(self._materials.store.bars.merge, key, bars, simulated=True))

    def _present(self, next_ns: int, end_ns: int | None) -> int:
        """Return the next decision time: as it was meant, or after the machine slept or its clock was set the present minute.

        What lies behind is history then: no order is decided on an old price.
        """
        now_ns = self._clock.now_ns()
        if now_ns - next_ns > ASLEEP_S * SECOND_NS * self._clock.speed:
            next_ns = max(next_ns, now_ns // MINUTE_NS * MINUTE_NS)
        return next_ns if end_ns is None else min(next_ns, end_ns)

    async def _decide(self, now_ns: int, new: dict[str, BarSeries], larger: Sequence[tuple[str, Bar]]) -> None:
        self._now_ns = now_ns
        self.bars_done += sum(len(series) for series in new.values())
        await self._record(new)
        if new:
            self.last_bar_ns = max(self.last_bar_ns or 0, *(self._bars.own[symbol].bar(-1).end_ns for symbol in new))
        self._tell_passed(now_ns - MINUTE_NS)
        fresh = self._bars.fresh(new, now_ns, self._origin_ns)
        self._handling.look(self._now_ns)
        bars, larger = self._bars.warm(fresh, larger)
        if bars or larger:
            actions: list[Action] = []
            await self._slices.run(lambda _: actions.extend(self._decided(now_ns, bars, larger)))
            await self._handling.carry_out(actions, self._now_ns)
        if fresh:
            self._note_equity()

    def _decided(self, now_ns: int, bars: dict[str, Bar], larger: Sequence[tuple[str, Bar]]) -> list[Action]:
        """Let the strategy decide, and keep its state where it changed."""
        actions = self._runner.decide(now_ns, bars, larger)
        state = self._runner.saved_state()
        if state is not None and state != self._state:
            self._state = state
            self._journal.record(StrategyStateSaved(state=msgspec.json.encode(state).decode()), now_ns, None, None)
        return actions

    def _take_events(self) -> list[Envelope]:
        events = self._journal.events
        self._journal.committed(OrderManager(self._run.id, self._journal))
        return events

    def _note_equity(self) -> None:
        self._handling.look(self._now_ns)
        held = any(self._venue.held(symbol) for symbol in self._run.config.symbols)
        equity = self._venue.equity
        self._equity.append((self._now_ns, to_float(equity), held))
        self._losses.note(self._account.desk.state, equity, self._venue.closes(), self._now_ns)

    def _stop(self, why: KnownError) -> None:
        """End the run: its account cannot be used, or not be trusted any more."""
        self._failure = why
        if self._loop is not None:
            self._loop.cancel()

    # --- what it leaves ---

    async def result(self) -> RunResult:
        """Return statistics, equity and trades of the run so far."""
        store, run_id = self._materials.store, self._run.id
        fills = net_of_fees(await store.runs.fills(run_id), self._account.desk.state.coins.fees)
        terms: dict[str, Any] = {"fills": fills, "orders": await store.runs.orders(run_id), "splits": await splits_of(store.log, run_id)}
        terms |= {"bars": series_of(self._bars.own), "points": tuple(self._equity), "book": self._book, "runner": self._runner}
        return await asyncio.to_thread(live_result, self._run, **terms)
