"""What runs do, made by their mode: a backtest, a paper or live run, and either of them once more."""

from dataclasses import replace

import msgspec

from core.errors import AdapterBroken, UnknownName
from core.model.desk import LeaseKind
from core.model.market import BarSetKey
from core.model.plugin import StrategyInfo
from core.model.run import Run, RunMode
from core.ports import BrokerSource, Clock, Rows, Store, StrategySource
from core.runs.backtest import BacktestWork, Materials
from core.runs.desks import Desks
from core.runs.leases import FencedRuns, LeaseKeeper
from core.runs.live import LiveWork
from core.runs.live_materials import LiveMaterials
from core.runs.past import Past
from core.runs.recorded_bars import recorded
from core.runs.run_checks import RunChecks
from core.runs.run_inputs import inputs_of
from core.runs.session import RunWork


class Works:
    """Makes them. `checks`: what finds a run's strategy and its bars."""

    def __init__(
        self,
        *,
        store: Store,
        strategies: StrategySource,
        brokers: BrokerSource,
        clock: Clock,
        callback_limit_s: float,
        desks: Desks,
        leases: LeaseKeeper,
        checks: RunChecks,
    ) -> None:
        self._store = store
        self._strategies = strategies
        self._brokers = brokers
        self._callback_limit_s = callback_limit_s
        self._desks = desks
        self._leases = leases
        self._checks = checks
        self._materials = Materials(
            bars=store.bars, actions=store.actions, runs=store.runs, strategies=strategies, clock=clock, callback_limit_s=callback_limit_s
        )

    def make(self, run: Run, info: StrategyInfo, keys: tuple[BarSetKey, ...], rows: FencedRuns, past: Past | None) -> RunWork:
        """Return what a run does. `keys`: the bars of a backtest; `past`: what is stored of a run that goes on after an interruption."""
        # Once, here: from now on nobody asks in which mode a run is.
        is_backtest = run.config.mode is RunMode.BACKTEST
        return self._backtest(run, info, keys, rows) if is_backtest else self._live(run, info, rows, past)

    async def again(self, run: Run, rows: Rows) -> BacktestWork:
        """Return a run's work once more, for the caller to drive and close; what it did goes to `rows`."""
        keys = await self._checks.bar_sets(run.config)
        return BacktestWork(run, self._checks.strategy(run.config.strategy_id), keys, replace(self._materials, runs=rows), traced=False)

    async def replay(self, run: Run, rows: Rows) -> BacktestWork:
        """Return a paper or live run as a backtest over the bars it saw, for the caller to drive and close. Raises NoBars, InputError."""
        config = msgspec.structs.replace(
            run.config,
            mode=RunMode.BACKTEST,
            source=recorded(run.id, run.config.symbols[0], run.config.timeframe).source,
            adjustment=None,
            start_ns=run.first_bar_ns,
            end_ns=None,
            corporate_actions=False,
            trace=False,
        )
        run = msgspec.structs.replace(run, config=config)
        materials = replace(self._materials, runs=rows)
        inputs = await inputs_of(run, self._store, always_open=self._is_always_open(run.config.broker))
        info, keys = self._checks.strategy(run.config.strategy_id), await self._checks.bar_sets(config)
        return BacktestWork(run, info, keys, materials, traced=False, inputs=inputs)

    def _backtest(self, run: Run, info: StrategyInfo, keys: tuple[BarSetKey, ...], rows: Rows) -> RunWork:
        return BacktestWork(run, info, keys, replace(self._materials, runs=rows), traced=run.config.trace)

    def _live(self, run: Run, info: StrategyInfo, rows: FencedRuns, past: Past | None) -> RunWork:
        materials = LiveMaterials(
            store=self._store,
            rows=rows,
            strategies=self._strategies,
            desks=self._desks,
            clock=self._brokers.clock(run.config.broker),
            callback_limit_s=self._callback_limit_s,
            lease=rows.lease,
            is_ours=lambda: self._leases.holds(LeaseKind.RUN, run.id),
        )
        return LiveWork(run, info, materials, past)

    def _is_always_open(self, broker_id: str) -> bool:
        try:
            return self._brokers.info(broker_id).features.always_open
        except (UnknownName, AdapterBroken):
            return False  # its adapter is gone; what the run did there can be compared all the same
