"""A paper or live run: the same strategy, router and runner as in a backtest; time, bars and fills are the account's own."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from decimal import localcontext
from functools import partial
from typing import Any, Final

import msgspec

from core import ENGINE_VERSION
from core.clock import calendar
from core.clock.slices import SliceThread
from core.data.download import sound
from core.errors import InvalidValue, KnownError, LeaseLost, LookAhead, NotRepeatable, RunError
from core.events.live_payloads import BarsPassed, FaultsDeclared, MarketClosed, MinuteLate, StreamChanged
from core.events.payloads import ClockLate, StrategyStateSaved
from core.model.broker import AccountName, BarKind, LiveBar, StreamState, StreamStatus, Tick, Watch
from core.model.instants import DAY_NS, MINUTE_NS, SECOND_NS
from core.model.market import Adjustment, Bar, BarSeries, BarSetKey, Timeframe, asset_class_of
from core.model.money import MONEY_CONTEXT, exact, to_float
from core.model.order import OrderStatus
from core.model.plugin import StrategyInfo
from core.model.result import RunResult
from core.model.run import Manifest, Run, RunMode
from core.ports import UnitOfWork
from core.runs.closing_side import ClosingSide
from core.runs.desks import OpenAccount
from core.runs.equity_again import equity_until
from core.runs.equity_marks import EquityMarks
from core.runs.gaps import Gaps
from core.runs.journal import RunJournal
from core.runs.live_bars import MINUTE, LiveBars, one_bar, series_of
from core.runs.live_materials import LiveMaterials
from core.runs.live_result import live_result, splits_of
from core.runs.live_venue import LiveOrders, LiveVenue
from core.runs.loss_watch import LossWatch
from core.runs.market_hours import MarketHours
from core.runs.minutes import AHEAD_NS, until_minute
from core.runs.past import Past
from core.runs.reconciling import settled
from core.runs.router import LIVE, DomainRouter
from core.runs.store_away import StoreAway
from core.runs.watches import watches
from core.strategy.actions import Action
from core.strategy.runner import StrategyRunner, make_strategy
from core.strategy.windows import StrategyConfig
from core.trading.books import RunBook, merged
from core.trading.coin_fees import net_of_fees
from core.trading.feed import Feed
from core.trading.history import read_changes
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


def account_of(mode: RunMode) -> AccountName:
    """Return which of a person's accounts a paper or live run trades on."""
    return AccountName.LIVE if mode is RunMode.LIVE else AccountName.PAPER


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
        self._arrived = asyncio.Event()
        self._changed = asyncio.Event()
        self._gaps = Gaps(config.symbols, fill=self._fill_gap, follow=self._follow, failed=self._tell_lost)
        self._statuses: list[StreamStatus] = []
        self._late: list[MinuteLate] = []
        self._deaf: dict[str, int] = {}
        """Symbols whose stream does not bring anything now, and since when by the monotonic clock."""
        self._failure: KnownError | None = None
        self._loop: asyncio.Task[None] | None = None
        self._sent: list[str] = []
        self._now_ns = self._start_ns = self._from_ns = self._origin_ns = 0
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
        self._feed = Feed(config.symbols, self._clock.monotonic_ns())
        seat = Seat(self._changed.set, self._stop, self._feed, self._venue.families, self._materials.lease)
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
        self._from_ns = self._history_from()
        # Not the minute that goes on: a broker tells what it has of it, and its bar would count as the whole.
        until_ns = min(self._start_ns, self._clock.now_ns() // MINUTE_NS * MINUTE_NS)
        for symbol in config.symbols:
            await self._complete(symbol, until_ns)
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
        self._venue.families.restore(orders, past.fates, self._clock.now_ns(), state.leads)

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
                watched = watches(self._run.config.symbols, self._run.config.feed)
                streams = [group.create_task(self._listen(watch), name="market") for watch in watched]
                self._loop = group.create_task(self._decide_always(on_slice, on_commit), name="decisions")
                families = group.create_task(self._mind_families(), name="exits")
                filling = group.create_task(self._gaps.keep_filling(), name="gaps")
                await asyncio.wait({self._loop})
                for task in (*streams, families, filling):
                    task.cancel()
        except BaseExceptionGroup as errors:
            is_lost = isinstance(errors.exceptions[0], LeaseLost)
            raise errors.exceptions[0] from None
        finally:
            self._loop = None
            self.bars_total = self.bars_done  # nobody knew before
            if self._materials.is_ours() and not is_lost:  # else its orders go with it, to the desk that has it now
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

    # --- bars ---

    def _history_from(self) -> int:
        """Return from when on bars are wanted, so that enough of them end before the start."""
        warmup = self._runner.warmup
        per_day = max(1, min(_SESSION_NS, DAY_NS) // self._timeframe.ns)
        days = -(-warmup // per_day) * 3 // 2 + 5 if warmup else 0
        return (self._origin_ns // DAY_NS - days) * DAY_NS

    async def _complete(self, symbol: str, until_ns: int) -> None:
        """Take what the broker's history has of a symbol; minutes that are there already stay as they are."""
        first_ns = max(self._from_ns, self._bars.newest_minute(symbol))
        feed = self._run.config.feed if asset_class_of(symbol).has_sessions else None
        pages = self._account.broker.history.pages(symbol, MINUTE, first_ns, until_ns, adjustment=Adjustment.RAW, feed=feed)
        async for page in pages:
            minutes = self._hours.inside(sound(page))
            self._note_late(symbol, self._bars.add(minutes))
            self._losses.know(self._account.desk.state, minutes)

    async def _listen(self, watch: Watch) -> None:
        def on_tick(tick: Tick) -> None:
            self._feed.heard(self._clock.monotonic_ns())
            if isinstance(tick, LiveBar) and tick.kind is BarKind.FINAL:
                self._take(tick.bar)

        what = asset_class_of(watch.bars[0]).value

        def on_status(status: StreamStatus) -> None:
            self._statuses.append(status)
            self._feed.listens(what, self._clock.monotonic_ns(), is_so=status.state is StreamState.LISTENING)
            if status.state is not StreamState.LISTENING:
                self._deaf = dict.fromkeys(watch.bars, self._clock.monotonic_ns()) | self._deaf
            else:
                self._deaf = {symbol: since_ns for symbol, since_ns in self._deaf.items() if symbol not in watch.bars}
                self._gaps.begin(watch.bars)  # what was told while nobody listened is asked for

        await self._account.market.listen(watch, on_tick, on_status)

    def _take(self, bar: Bar) -> None:
        minute = sound(one_bar(bar))  # what a download would not keep, no run sees; and nothing follows on a minute of tomorrow
        if not len(minute) or not self._hours.counts(bar.symbol, bar.start_ns):
            return
        if bar.end_ns > self._clock.now_ns() + AHEAD_NS:
            self._gaps.begin((bar.symbol,))  # where our clock is wrong, and is set, the history has what was not taken
            return
        if not self._gaps.holds(bar):
            self._note_late(bar.symbol, self._bars.add(minute, is_live=True))
        self._account.desk.state.note_price(bar.symbol, exact(bar.close), bar.end_ns)
        self._arrived.set()

    def _note_late(self, symbol: str, starts: Sequence[int]) -> None:
        """Note minutes that came after what they belong to was seen without them; they are told with the next decision."""
        self._late += [MinuteLate(symbol=symbol, start_ns=start_ns) for start_ns in starts]

    async def _bars_until(self, now_ns: int) -> None:
        """Return once every symbol's minutes up to now are there, or will not come."""
        gaps, lacked = self._gaps, self._gaps.unfilled
        if lacked:
            await gaps.fill(GRACE_S)
            # It may reach further than the decision that waits: to where the stream goes on.
            gaps.release(max(now_ns, self._clock.now_ns() // MINUTE_NS * MINUTE_NS))
        gaps.release(now_ns)
        expected = self._expected(now_ns)
        try:
            async with asyncio.timeout(GRACE_S):
                while any(self._bars.newest_minute(symbol) < now_ns for symbol in expected):
                    self._arrived.clear()
                    await self._arrived.wait()
                    gaps.release(now_ns)
        except TimeoutError:
            # The newest minute may have been told before anybody listened, and stored after it was asked for.
            gaps.begin(symbol for symbol in expected if symbol in lacked and self._bars.newest_minute(symbol) < now_ns)
            if gaps.unfilled:
                await gaps.fill(GRACE_S)
        finally:
            gaps.release(None)

    def _expected(self, now_ns: int) -> list[str]:
        """Return whose minute is waited for: not of a symbol that holds up others, with a gap that stays or a stream that is long lost."""
        deaf_ns = self._clock.monotonic_ns() - round(GRACE_S * SECOND_NS)
        absent = {symbol for symbol, since_ns in self._deaf.items() if since_ns < deaf_ns}
        if not self._gaps.is_everywhere:
            absent |= self._gaps.unfilled
        return [one for one in self._run.config.symbols if one not in absent and self._hours.counts(one, now_ns - MINUTE_NS)]

    async def _fill_gap(self, symbol: str) -> None:
        await self._complete(symbol, self._clock.now_ns() // MINUTE_NS * MINUTE_NS)

    def _follow(self, bar: Bar) -> None:
        self._note_late(bar.symbol, self._bars.add(one_bar(bar)))

    def _tell_lost(self, said: str) -> None:
        self._statuses.append(StreamStatus(state=StreamState.LOST, said=said))

    async def _answers(self) -> None:
        """Return once the broker has answered for what the run sent, or takes its time: a decision knows what became of the last."""
        state = self._account.desk.state

        def are_there() -> bool:
            mine = (state.lives[order_id] for order_id in self._sent if order_id in state.lives)
            is_told = all(life.order.status is not OrderStatus.SUBMITTING and not life.missing_qty for life in mine)
            return is_told and not state.awaits_fee(self._sent)

        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await state.until(are_there)
        self._sent.clear()

    def _recorded(self, symbol: str) -> BarSetKey:
        return recorded(self._run.id, symbol, str(self._timeframe))

    async def _record(self, new: dict[str, BarSeries]) -> None:
        """Keep what the run sees, so that it can be replayed, and goes on with it after an interruption."""
        for symbol, bars in new.items():
            key = self._recorded(symbol)
            await self._away.outlast(partial(self._materials.store.bars.merge, key, bars, simulated=True))

    # --- decisions ---

    async def _decide_always(self, on_slice: Callable[[], None], on_commit: Callable[[UnitOfWork], None]) -> None:
        end_ns = self._run.config.end_ns
        self._now_ns = await self._opened(self._start_ns, end_ns, on_commit)
        await self._bars_until(self._now_ns)
        # Exactly as much history as a backtest from the run's start has.
        new, _ = self._bars.ended(min(self._origin_ns, self._now_ns), keep=self._runner.warmup)
        await self._record(new)
        if self._past is not None:
            await self._catch_up()
        self._note_equity()
        await self._carry_out(self._first_actions)
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
            await self._bars_until(next_ns)
            await self._answers()
            new, larger = self._bars.ended(next_ns, gaps=self._gaps.symbols | self._deaf.keys())
            await self._decide(next_ns, new, larger)
            await self._tell_streams()
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
        new, _ = self._bars.ended(self._now_ns, gaps=self._gaps.symbols)
        await self._record(new)
        seen_ns = self._run.last_bar_ns or 0
        self._tell_passed(seen_ns)  # of a symbol that had a gap when the run was interrupted
        self._journal.record(BarsPassed(since_ns=seen_ns, until_ns=self._now_ns, is_restart=True), self._now_ns, None, None)
        fills = net_of_fees(await self._materials.store.runs.fills(self._run.id), self._account.desk.state.coin_fees)
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
        self._look()
        bars, larger = self._bars.warm(fresh, larger)
        if bars or larger:
            actions: list[Action] = []
            await self._slices.run(lambda _: actions.extend(self._decided(now_ns, bars, larger)))
            await self._carry_out(actions)
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

    async def _mind_families(self) -> None:
        """Send the exits of what has filled, and take back what the other of a pair has made needless."""
        desk = self._account.desk
        side = ClosingSide(desk.state)
        while True:
            self._changed.clear()
            leaving, cancels = self._venue.families.due(
                desk.state.lives, desk.state.causes.of_order.get, self._clock.now_ns(), partial(side.left_of, {}), desk.state.pairs
            )
            if leaving:
                await self._away.place(desk, leaving)
            for order_id in (*cancels, *side.idle(self._run.id)):
                await desk.cancel(order_id)
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE_S if desk.state.awaits_fee() or self._venue.families.owes else None):
                    await self._changed.wait()

    def _look(self) -> None:
        self._venue.look(self._now_ns, [life.order.id for life in self._account.desk.state.working(self._run.id)])

    async def _carry_out(self, actions: Sequence[Action]) -> None:
        """Route a decision's actions and hand them to the desk, which commits and sends them."""
        venue = self._venue
        self._look()
        with localcontext(MONEY_CONTEXT):
            self._router.route(actions)
        intents, venue.intents = [venue.families.with_exits(intent) for intent in venue.intents], []
        cancels, venue.cancels = venue.cancels, []
        if intents:
            await self._away.place(self._account.desk, intents, self._take_events())
            self._sent += [intent.order.id for intent in intents]
        for order_id in cancels:
            await self._account.desk.cancel(order_id, self._orders.commands.get(order_id))
        changes, venue.changes = venue.changes, []
        for order_id, terms in changes:
            try:
                await self._away.change(self._account.desk, order_id, terms, self._orders.commands.get(order_id))
            except InvalidValue as error:
                venue.refuse_change(order_id, error)

    def _take_events(self) -> list[Any]:
        events = self._journal.events
        self._journal.committed(OrderManager(self._run.id, self._journal))
        return events

    async def _tell_streams(self) -> None:
        late, self._late = self._late, []
        for minute in late:
            self._journal.record(minute, self._clock.now_ns(), None, None)
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
        fills = net_of_fees(await store.runs.fills(run_id), self._account.desk.state.coin_fees)
        terms: dict[str, Any] = {"fills": fills, "orders": await store.runs.orders(run_id), "splits": await splits_of(store.log, run_id)}
        terms |= {"bars": series_of(self._bars.own), "points": tuple(self._equity), "book": self._book, "runner": self._runner}
        return await asyncio.to_thread(live_result, self._run, **terms)
