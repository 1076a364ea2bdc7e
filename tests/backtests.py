"""A backtest without a store or a loop: bars in, orders and fills out. The simulator, router and order manager are the real ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

import numpy as np
from numpy.typing import NDArray

from core.backtest.assembly import Rules, larger_market, market_of, simulation
from core.backtest.simulator import Simulator
from core.backtest.venue import SimulatedVenue
from core.clock.simulated import SimulatedClock
from core.clock.trading_days import CalendarDays
from core.events.envelope import Envelope
from core.model.corporate_action import CorporateAction, PositionChange
from core.model.instants import MINUTE_NS
from core.model.market import BarSeries, Floats, Instants, Instrument, Timeframe
from core.model.money import MONEY_CONTEXT
from core.model.order import Fill, Order, Rejection
from core.model.run import AccountTerms, ParamValue, PathModel
from core.runs.account_journal import AccountJournal
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
    venue: SimulatedVenue
    strategy: Strategy
    fills: list[Fill]
    orders: dict[str, Order]
    rejections: list[Rejection]
    events: list[Envelope]
    times_ns: Instants
    equity: Floats
    held: NDArray[np.bool_]
    """Whether anything was held, at each of the times."""
    position_changes: list[PositionChange]


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
    account: AccountTerms | None = None,
    volume_cap: str | None = None,
    trade_through: bool = False,
    close_at_end: bool = False,
    actions: Mapping[str, Sequence[CorporateAction]] | None = None,
    finer: Sequence[BarSeries] = (),
) -> Backtest:
    """Run `strategy` over the bars. With `slices` the loop is handed back after every bar. `finer`: what orders meet in their place."""
    all_series = [series] if isinstance(series, BarSeries) else list(series)
    with localcontext(MONEY_CONTEXT):
        journal = RunJournal(RUN_ID, "backtest")
        orders = OrderManager(RUN_ID, journal)
        clock = SimulatedClock(0)
        router = DomainRouter(RUN_ID, journal=journal, orders=orders, now_ns=clock.now_ns)
        timeframe = str(all_series[0].timeframe)
        symbols = tuple(bars.symbol for bars in all_series)
        config = StrategyConfig(symbols=symbols, timeframe=timeframe, params=dict(params or {}), cash=Decimal(cash))
        runner = StrategyRunner(strategy, config, router.fetch)
        markets = [
            market_of(
                bars,
                (instruments or {}).get(bars.symbol) or Instrument.of(bars.symbol),
                start_ns=start_ns if runner.warmup else None,
                warmup=runner.warmup,
            )
            for bars in all_series
        ]
        for at, bars in enumerate(finer):
            met = market_of(bars, markets[at].instrument, start_ns=start_ns)
            markets[at] = replace(markets[at], finer=replace(met, ready=len(bars)))
        first_ns = min((int(market.bars.start_ns[market.first]) for market in markets if len(market.bars)), default=0)
        clock.instant_ns = first_ns if start_ns is None else start_ns
        rules = Rules(
            cash=Decimal(cash),
            path=path,
            fees=fees,
            slippage=slippage,
            own_fees=runner.fee_model,
            own_slippage=runner.slippage_model,
            terms=account or AccountTerms(),
            volume_cap=None if volume_cap is None else Decimal(volume_cap),
            trade_through=trade_through,
            close_at_end=close_at_end,
        )
        account_journal = AccountJournal(journal)
        made = simulation(
            markets,
            rules,
            clock=clock,
            monotonic_ns=(lambda: 2) if slices else (lambda: 0),
            days=CalendarDays(),
            orders=orders,
            account=account_journal,
            actions=actions or {},
        )
        simulator = made.simulator
        router.connect(made.venue)
        strategy.account = made.venue
        simulator.extend(1)
        simulator.prepare(runner, router.route, larger_market)
        for _ in simulator.steps(runner, router.route, None):
            simulator.extend(1)
        times_ns, equity, held = simulator.equity_curve()
        known = {event.payload.order.id: orders.order(event.payload.order.id) for event in journal.events if event.type == "orders.Created"}  # type: ignore[attr-defined]
        return Backtest(
            simulator=simulator,
            venue=made.venue,
            strategy=strategy,
            fills=journal.fills,
            orders=known,
            rejections=orders.rejections,
            events=list(journal.events),
            times_ns=times_ns,
            equity=equity,
            held=held,
            position_changes=account_journal.position_changes,
        )
