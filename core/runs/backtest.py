"""What a backtest is made of: its bars, its strategy, the simulator, and the thread in which its slices go on."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import localcontext
from functools import partial
from hashlib import sha256
from typing import Any

from core import ENGINE_VERSION
from core.backtest.assembly import Rules, Simulation, larger_market, market_of, simulation
from core.backtest.behind import Behind
from core.backtest.feeds import Market
from core.backtest.simulator import Larger, Route
from core.clock import calendar
from core.clock.simulated import SimulatedClock
from core.clock.slices import SliceThread
from core.clock.trading_days import CalendarDays, EndlessDays
from core.errors import AdjustedBars, LookAhead, NoBars, NotRepeatable, StrategyBroken
from core.model.corporate_action import CorporateAction, actions_sha256
from core.model.instants import iso
from core.model.market import Adjustment, BarSeries, BarSetKey, Instrument, bars_sha256
from core.model.money import MONEY_CONTEXT, to_float
from core.model.plugin import StrategyInfo
from core.model.result import RunResult
from core.model.run import Manifest, Run
from core.ports import BarStore, Clock, CorporateActionStore, Rows, StrategySource, UnitOfWork
from core.runs.account_journal import AccountJournal
from core.runs.journal import RunJournal
from core.runs.lookahead import Sentinel
from core.runs.outlasting import outlasted
from core.runs.passing_runner import PassingRunner
from core.runs.recorded_bars import are_all_there, minutes_of
from core.runs.replay import Original
from core.runs.result import run_result
from core.runs.router import DomainRouter, Tracer
from core.runs.run_inputs import RunInputs
from core.strategy.actions import FetchWindow
from core.strategy.runner import StrategyRunner, make_strategy
from core.strategy.windows import StrategyConfig, Window
from core.trading.orders import OrderManager

PRODUCER = "backtest"
FLUSH_EVENTS = 4_000
"""Events gathered before the run pauses to commit them: bounds memory, and what a crash can lose of a backtest."""
IMPORT_LIMIT_S = 30.0
"""Seconds a plug-in's import may take, with the libraries that it imports itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Materials:
    """Where a backtest takes its things from."""

    bars: BarStore
    actions: CorporateActionStore
    runs: Rows
    strategies: StrategySource
    clock: Clock
    callback_limit_s: float


class BacktestWork:
    """One backtest, from its bars to its result. `load`, then `drive`, then `result`; `close` on every path."""

    left = ""

    def __init__(
        self,
        run: Run,
        info: StrategyInfo,
        keys: tuple[BarSetKey, ...],
        materials: Materials,
        *,
        traced: bool,
        inputs: RunInputs | None = None,
    ) -> None:
        """`inputs`: what a paper or live run was told that is replayed."""
        self._run = run
        self._inputs = inputs
        self._is_always_open = inputs is not None and inputs.always_open
        self._days = EndlessDays() if self._is_always_open else CalendarDays()
        self._runner: StrategyRunner
        self._info = info
        self._keys = keys
        self._materials = materials
        self._traced = traced
        self._slices = SliceThread(f"run-{run.id}", materials.clock, materials.callback_limit_s)
        self._markets: tuple[Market, ...] = ()
        self._elapsed_ns = 0
        self.objection: LookAhead | NotRepeatable | None = None
        """Why the decisions do not stand, once the sentinel has found out."""
        self.journal = RunJournal(run.id, PRODUCER)
        self.orders = OrderManager(run.id, self.journal)
        self._account = AccountJournal(self.journal)
        self._actions: dict[str, tuple[CorporateAction, ...]] = {}
        self._state: dict[str, Any] | None = None
        self._lasting: list[Callable[[], None]] = [self.journal.let_go]

    async def load(self) -> Manifest:
        """Load the plug-in, read the bars it needs, and make the simulator.

        Raises NoBars, AdjustedBars, StrategyBroken and what the strategy raises.
        """
        config, clock = self._run.config, self._materials.clock
        strategy_class = await self._strategy_class()
        simulated = SimulatedClock(config.start_ns or 0)
        router = DomainRouter(self._run.id, journal=self.journal, orders=self.orders, now_ns=simulated.now_ns)
        fetch: Callable[[FetchWindow], Window] = router.fetch
        tracer = None
        if self._traced:
            tracer = Tracer(self._run.id, journal=self.journal, router=router, now_ns=simulated.now_ns)
            fetch = _traced(router.fetch, tracer)
        settled = StrategyConfig(
            symbols=config.symbols, timeframe=config.timeframe, params=config.params, cash=config.cash, seed=config.seed
        )

        def make() -> None:
            self._strategy = make_strategy(strategy_class)
            if self._inputs is None or self._is_watched:
                self._runner = StrategyRunner(self._strategy, settled, fetch)
            else:
                self._runner = PassingRunner(self._strategy, settled, fetch, inputs=self._inputs)

        await self._in_thread(make)
        self._markets = tuple([await self._market(key, self._runner.warmup) for key in self._keys])
        if self._inputs is not None:
            self._markets = await self._over_minutes(self._markets)
        bars_hash = await asyncio.to_thread(_hash_of, [market.bars for market in self._markets])
        actions = self._actions = await self._corporate_actions()
        simulated.instant_ns = self.first_bar_ns if config.start_ns is None else config.start_ns
        self._sentinel = self._watched(settled, strategy_class, actions, simulated.instant_ns, bars_hash)
        router.witness = self._sentinel.witness
        made = simulation(
            self._markets,
            self._rules(self._runner),
            clock=simulated,
            monotonic_ns=clock.monotonic_ns,
            days=self._days,
            orders=self.orders,
            account=self._account,
            actions=actions,
        )
        self._simulator, self._venue = made.simulator, made.venue
        self._lasting.append(self._venue.steps.let_go)
        router.connect(self._venue)
        self._strategy.account = self._venue
        route: Route = router.route
        if isinstance(self._runner, PassingRunner):
            route = self._runner.routing(route, Behind(self._simulator.feeds, lambda: self._runner.indicators))
        larger: Larger = larger_market
        if self._inputs is not None:  # a larger bar may have been over when its last small one never came
            larger = partial(larger_market, until_ns=max([self.last_bar_ns, *self._inputs.decided]))
        await self._in_thread(lambda: self._simulator.prepare(self._runner, route, larger))
        trace = None if tracer is None else _tick_trace(tracer, fetch, self._runner)
        self._steps: Iterator[None] = self._simulator.steps(self._runner, route, trace)
        return Manifest(
            strategy_sha256=self._materials.strategies.loaded_sha256(strategy_class),
            bars_sha256=bars_hash,
            engine=ENGINE_VERSION,
            seed=config.seed,
            actions_sha256=actions_sha256([item for own in actions.values() for item in own]) if any(actions.values()) else None,
        )

    @property
    def bars_total(self) -> int:
        """How many bars the run goes through, all symbols together."""
        return sum(len(market.bars) - market.first for market in self._markets)

    @property
    def matched_on(self) -> str:
        """Timeframe of the bars that its orders meet."""
        return str((self._markets[0].finer or self._markets[0]).bars.timeframe)

    @property
    def bars_done(self) -> int:
        """How many it has gone through."""
        return self._simulator.bars_done

    @property
    def first_bar_ns(self) -> int:
        """Start of the run's first bar."""
        return min(int(market.bars.start_ns[market.first]) for market in self._markets)

    @property
    def last_bar_ns(self) -> int:
        """End of the run's last bar."""
        return max(int(market.end_ns[-1]) for market in self._markets)

    @property
    def elapsed_s(self) -> float:
        """Seconds spent in the simulation alone."""
        return self._elapsed_ns / 1e9

    @property
    def _is_watched(self) -> bool:
        """Whether the sentinel looks: it would decide where a run that is replayed did not."""
        return self._inputs is None or not self._inputs.passed

    @property
    def stopped(self) -> str | None:
        """Why the strategy ended the run early, when it did."""
        return self._venue.stopped

    def equity(self) -> tuple[int, float]:
        """Return the simulated instant and the equity at it. Between slices only."""
        with localcontext(MONEY_CONTEXT):
            return self._venue.now_ns, to_float(self._venue.equity)

    async def drive(self, on_slice: Callable[[], None], on_commit: Callable[[UnitOfWork], None]) -> None:
        """Go through all bars, slice by slice; `on_slice` is called in the loop after each. Cancel to stop.

        Raises LookAhead or NotRepeatable when the decisions do not stand without the bars that came after them; the time
        that takes is not counted as the simulation's.

        `on_commit` may put more into each unit of work: how far the run is belongs to what it did.
        """
        over = False

        def advance(deadline_ns: int) -> None:
            nonlocal over
            began_ns = self._materials.clock.monotonic_ns()
            self._simulator.extend(deadline_ns)
            try:
                next(self._steps)
            except StopIteration:
                over = True
            finally:
                self._elapsed_ns += self._materials.clock.monotonic_ns() - began_ns

        while not over:
            await self._slices.run(advance)
            if len(self.journal) >= FLUSH_EVENTS:
                await self.commit(on_commit)
            on_slice()
            if self._is_watched and not self._sentinel.is_checked and self._venue.now_ns >= self._sentinel.until_ns:
                await self._watch()
        await self._in_thread(self._save_state)
        if self._is_watched and not self._sentinel.is_checked:
            await self._watch()
        if self.objection is not None:
            raise self.objection
        await self._sentinel.check_indicators(self._runner.indicators)

    async def _watch(self) -> None:
        """Let the sentinel look. What it finds is kept until the run is over: so the run ends at the same bar whenever it is repeated."""
        try:
            await self._sentinel.check(self._venue.now_ns)
        except (LookAhead, NotRepeatable) as error:
            self.objection = error

    def _save_state(self) -> None:
        self._state = self._runner.saved_state()

    def cancel_working(self, reason: str) -> None:
        """Take back every order that still works. Between slices only."""
        self._venue.cancel_all(reason)

    async def commit(self, on_commit: Callable[[UnitOfWork], None]) -> None:
        """Commit what happened since the last commit, and what `on_commit` adds. Between slices only."""
        # Rows and events are made, and let go of, beside the loop: thousands of them would hold it up.
        await outlasted(lambda: self.journal.make_batch(self.orders))
        async with self._materials.runs.begin() as work:
            self.journal.write(work)
            on_commit(work)
        await outlasted(lambda: self.journal.committed(self.orders))

    async def result(self) -> RunResult:
        """Return statistics, equity, trades and plots of what was run so far."""
        return await asyncio.to_thread(self._result)

    async def close(self) -> None:
        """End the run's thread, and let go of what only the result was made from.

        Parts of a run hold one another: left to the collector of garbage, all of it would be freed in one long turn of the loop.
        """
        await self._slices.close()
        for let_go in self._lasting:
            await asyncio.to_thread(let_go)

    def _result(self) -> RunResult:
        return run_result(
            self._run.id,
            Simulation(self._simulator, self._venue),
            self._runner,
            {market.bars.symbol: market.bars for market in self._markets},
            fills=self.journal.fills,
            changes=self._account.position_changes,
            actions=self._actions,
            rejections=self.orders.rejections,
            state=self._state,
        )

    async def _strategy_class(self) -> type:
        """Import the plug-in, in the run's thread: one that never comes back from its import is ended too."""
        loaded: list[type] = []
        await self._slices.run(lambda _deadline_ns: loaded.append(self._materials.strategies.load(self._info)), limit_s=IMPORT_LIMIT_S)
        return loaded[0]

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await self._slices.run(lambda _deadline_ns: work())

    async def _market(self, key: BarSetKey, warmup: int) -> Market:
        config = self._run.config
        bars = await self._materials.bars.read(key, await self._warm_from(key, warmup), config.end_ns)
        if not len(bars.between(config.start_ns, None)):
            stored = await self._materials.bars.read(key)
            span = f"{iso(int(stored.start_ns[0]))} to {iso(int(stored.start_ns[-1]))}" if len(stored) else "nothing"
            raise NoBars(f"There are no {key.timeframe} bars of {key.symbol} in that period.", f"Stored: {span}.")
        instrument = Instrument.of(key.symbol)
        await calendar.load(instrument.asset_class)
        return await asyncio.to_thread(
            market_of, bars, instrument, start_ns=config.start_ns, warmup=warmup, always_open=self._is_always_open
        )

    async def _over_minutes(self, markets: tuple[Market, ...]) -> tuple[Market, ...]:
        """Return the markets of a paper or live run with the minutes that its bars were made of, where all of them are stored.

        Its orders met those, within its bars.
        """
        found: list[Market] = []
        for key, market in zip(self._keys, markets, strict=True):
            minutes = await self._materials.bars.read(minutes_of(key))
            is_finer = minutes.timeframe != market.bars.timeframe
            if not is_finer or not are_all_there(minutes, market.bars.start_ns[market.first :], market.end_ns[market.first :]):
                return markets
            met = market_of(minutes, market.instrument, start_ns=self._run.config.start_ns, always_open=self._is_always_open)
            found.append(replace(market, finer=replace(met, ready=len(minutes))))  # no minute is told to the strategy
        return tuple(found)

    async def _warm_from(self, key: BarSetKey, warmup: int) -> int | None:
        """Return where to read bars from, so that `warmup` of them lie before the run's start where as many are stored.

        What a paper or live run saw is read as a whole: it may have begun within a bar, that was history then.
        """
        if self._inputs is not None:
            return None
        start_ns = self._run.config.start_ns
        if start_ns is None or not warmup:
            return start_ns
        before = await self._materials.bars.read(key, None, start_ns)
        return int(before.start_ns[max(0, len(before) - warmup)]) if len(before) else start_ns

    async def _corporate_actions(self) -> dict[str, tuple[CorporateAction, ...]]:
        """Return the stored splits and dividends of the run's symbols. Raises AdjustedBars where the prices hold them already."""
        if self._inputs is not None:
            return dict(self._inputs.actions)
        if not self._run.config.corporate_actions:
            return {}
        actions = {key.symbol: await self._materials.actions.read(key.symbol) for key in self._keys}
        for key in self._keys:
            if actions[key.symbol] and key.adjustment is not Adjustment.RAW:
                raise AdjustedBars(key.symbol, key.adjustment)
        return actions

    def _watched(
        self,
        settled: StrategyConfig,
        strategy_class: type,
        actions: Mapping[str, Sequence[CorporateAction]],
        start_ns: int,
        bars_hash: str,
    ) -> Sentinel:
        """Return what compares the run's decisions with those over data that are cut."""
        strategies = self._materials.strategies
        source = strategies.loaded_sha256(strategy_class)

        async def load_class() -> type:
            try:
                fresh = await self._strategy_class()
            except StrategyBroken:  # its file was changed or taken away since the run began
                return strategy_class
            return fresh if strategies.loaded_sha256(fresh) == source else strategy_class

        original = Original(
            run_id=self._run.id,
            config=settled,
            markets=self._markets,
            rules=self._rules,
            actions=actions,
            days=self._days,
            start_ns=start_ns,
            indicators=lambda: self._runner.indicators,
            monotonic_ns=self._materials.clock.monotonic_ns,
        )
        return Sentinel(original, load_class, self._slices.run, f"{bars_hash} {self._run.config.seed}")

    def _rules(self, runner: StrategyRunner) -> Rules:
        config = self._run.config
        return Rules(
            cash=config.cash,
            path=config.path,
            fees=config.fees,
            slippage=config.slippage,
            own_fees=runner.fee_model,
            own_slippage=runner.slippage_model,
            terms=config.account,
            volume_cap=config.volume_cap,
            trade_through=config.trade_through,
            close_at_end=config.close_at_end,
            refused=None if self._inputs is None else self._inputs.refused,
            refused_changes=frozenset() if self._inputs is None else self._inputs.refused_changes,
        )


def _hash_of(series: list[BarSeries]) -> str:
    if len(series) == 1:
        return bars_sha256(series[0])
    return sha256("".join(bars_sha256(bars) for bars in series).encode()).hexdigest()


def _traced(fetch: Callable[[FetchWindow], Window], tracer: Tracer) -> Callable[[FetchWindow], Window]:
    def fetch_and_record(asked: FetchWindow) -> Window:
        window = fetch(asked)
        tracer.window(asked, window)
        return window

    return fetch_and_record


def _tick_trace(tracer: Tracer, fetch: Callable[[FetchWindow], Window], runner: StrategyRunner) -> Callable[[int, tuple[str, ...]], None]:
    """Return what records a decision time; a strategy driven by bars is recorded as asking for the newest of each symbol."""

    def trace(now_ns: int, symbols: tuple[str, ...]) -> None:
        tracer.tick(now_ns, symbols)
        if runner.is_driven_by_bars:
            for symbol in symbols:
                fetch(FetchWindow(symbol, 1))

    return trace
