"""A backtest without a store or a loop: bars in, orders and fills out. The simulator, router and order manager are the real ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

import numpy as np

from core.backtest.simulator import Market, Simulator
from core.clock import calendar
from core.clock.simulated import SimulatedClock
from core.events.envelope import Envelope
from core.matching.costs import fee_model, slippage_model
from core.matching.matcher import Matching
from core.model.instants import MINUTE_NS
from core.model.market import BarSeries, Floats, Instants, Instrument, Timeframe
from core.model.money import MONEY_CONTEXT
from core.model.order import Fill, Order, Rejection
from core.model.run import ParamValue, PathModel
from core.runs.journal import RunJournal
from core.runs.router import DomainRouter
from core.strategy.api import Strategy
from core.strategy.runner import StrategyRunner
from core.strategy.windows import StrategyConfig
from core.trading.orders import OrderManager

RUN_ID = "run"


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """What came of a run."""

    simulator: Simulator
    strategy: Strategy
    fills: list[Fill]
    orders: dict[str, Order]
    rejections: list[Rejection]
    events: list[Envelope]
    times_ns: Instants
    equity: Floats


def minutes(rows: Sequence[Sequence[float]], *, symbol: str = "X/Y", timeframe: str = "1m", at: Sequence[int] | None = None) -> BarSeries:
    """Return bars of (open, high, low, close), one a minute from 1970 on, or at the given minutes."""
    table = np.asarray(rows, float).reshape(-1, 4)
    starts = np.asarray(range(len(table)) if at is None else at, np.int64) * MINUTE_NS
    open_, high, low, close = (table[:, column].copy() for column in range(4))
    return BarSeries.from_columns(symbol, Timeframe.parse(timeframe), starts, open_, high, low, close, np.ones(len(table)))


def backtest(
    strategy: Strategy,
    series: BarSeries | Sequence[BarSeries],
    *,
    cash: str = "100000",
    fees: str = "none",
    slippage: str = "none",
    path: PathModel = PathModel.ADAPTIVE,
    params: Mapping[str, ParamValue] | None = None,
    start_ns: int | None = None,
    instruments: Mapping[str, Instrument] | None = None,
    slices: bool = False,
) -> Backtest:
    """Run `strategy` over the bars. With `slices` the loop is handed back after every bar."""
    all_series = [series] if isinstance(series, BarSeries) else list(series)
    with localcontext(MONEY_CONTEXT):
        markets = []
        for bars in all_series:
            instrument = (instruments or {}).get(bars.symbol) or Instrument.of(bars.symbol)
            ends = calendar.bar_ends(bars.start_ns, bars.timeframe.ns, instrument.asset_class)
            regular = calendar.regular_bars(bars.start_ns, bars.timeframe.ns, instrument.asset_class)
            markets.append(Market(instrument=instrument, bars=bars, end_ns=ends, regular=None if regular.all() else regular))
        first_ns = min((int(bars.start_ns[0]) for bars in all_series if len(bars)), default=0)
        clock = SimulatedClock(first_ns if start_ns is None else start_ns)
        journal = RunJournal(RUN_ID, "backtest")
        orders = OrderManager(RUN_ID, journal)
        ticks = {market.instrument.symbol: market.instrument.tick for market in markets}
        simulator = Simulator(
            markets=markets,
            matching=Matching(path=path, slippage=slippage_model(slippage), fees=fee_model(fees), ticks=ticks),
            cash=Decimal(cash),
            clock=clock,
            monotonic_ns=(lambda: 2) if slices else (lambda: 0),
            session_end=lambda now_ns, instrument: calendar.session_end(now_ns, instrument.asset_class),
            reports=orders,
        )
        router = DomainRouter(RUN_ID, journal=journal, orders=orders, now_ns=clock.now_ns)
        router.connect(simulator)
        strategy.account = simulator
        timeframe = str(all_series[0].timeframe)
        symbols = tuple(bars.symbol for bars in all_series)
        config = StrategyConfig(symbols=symbols, timeframe=timeframe, params=dict(params or {}), cash=Decimal(cash))
        runner = StrategyRunner(strategy, config, router.fetch)
        simulator.extend(1)
        simulator.prepare(runner, router.route)
        for _ in simulator.steps(runner, router.route, None):
            simulator.extend(1)
        times_ns, equity, _held = simulator.equity_curve()
        known = {event.payload.order.id: orders.order(event.payload.order.id) for event in journal.events if event.type == "orders.Created"}  # type: ignore[attr-defined]
        return Backtest(
            simulator=simulator,
            strategy=strategy,
            fills=journal.fills,
            orders=known,
            rejections=orders.rejections,
            events=list(journal.events),
            times_ns=times_ns,
            equity=equity,
        )
