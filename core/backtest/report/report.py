"""Makes the report of a run."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from decimal import Decimal, localcontext
from typing import Final

import numpy as np

from core.backtest.adjusted import NO_ACTIONS, Actions, as_held, splits_without_step
from core.backtest.report.account import account_periods, account_totals
from core.backtest.report.benchmark import compare
from core.backtest.report.drawdowns import drawdown_table
from core.backtest.report.evidence import Evidence
from core.backtest.report.exposure import exposure_curve
from core.backtest.report.findings import find_all
from core.backtest.report.groups import TradeColumns, by_hour, by_side, by_symbol, by_weekday, zone_words
from core.backtest.report.histograms import histogram
from core.backtest.report.periods import monthly_gains, yearly_returns
from core.backtest.report.rolling import rolling_figures
from core.backtest.stats_drawdown import drawdown
from core.backtest.stats_returns import Returns, period_returns
from core.backtest.stats_trades import with_excursions
from core.model.corporate_action import date_of
from core.model.instants import DAY_NS
from core.model.market import AssetClass, BarSeries, Floats, Instants, Timeframe, asset_class_of
from core.model.money import MONEY_CONTEXT, to_float
from core.model.order import Fill, Order
from core.model.position import Trade
from core.model.report import AccountEntry, BenchmarkComparison, DataCoverage, EntryKind, Report
from core.model.result import RunResult
from core.model.run import Run

MOST_DRAWDOWNS: Final = 10
_CHARGES: Final = frozenset({EntryKind.INTEREST_CHARGED, EntryKind.BORROW_CHARGED})
_INCOME: Final = frozenset({EntryKind.DIVIDEND_RECEIVED, EntryKind.DIVIDEND_CHARGED, EntryKind.INTEREST_EARNED})


def make_report(
    run: Run,
    result: RunResult,
    *,
    bars: Mapping[str, BarSeries],
    fills: Sequence[Fill],
    orders: Sequence[Order] = (),
    coverage: DataCoverage | None = None,
    benchmark: BarSeries | None = None,
    actions: Actions = NO_ACTIONS,
    account: Sequence[AccountEntry] = (),
) -> Report:
    """Return the report of a run: a pure function of what it is given, some hundred milliseconds for a million points.

    `bars`: the run's own by symbol, in the run's order; a symbol whose bars are gone may be missing, and what is made
    from its bars then is too. `benchmark`: what to compare with; None is the first symbol. `coverage`: of the bars
    against the calendar. `actions`: splits and dividends that happened, by symbol.
    `account`: what happened to the account beside its fills. Call it in a thread.
    """
    with np.errstate(all="ignore"), localcontext(MONEY_CONTEXT):
        return _report(run, result, bars, fills, orders, coverage, benchmark, actions, account)


def _report(
    run: Run,
    result: RunResult,
    bars: Mapping[str, BarSeries],
    fills: Sequence[Fill],
    orders: Sequence[Order],
    coverage: DataCoverage | None,
    benchmark: BarSeries | None,
    actions: Actions,
    account: Sequence[AccountEntry],
) -> Report:
    symbols = run.config.symbols
    asset_class = asset_class_of(symbols[0])
    equity_ns, equity = result.equity_ns, result.equity
    if len(equity_ns):
        # A run that was stopped has more bars than it went through.
        first_ns, last_ns = int(equity_ns[0]), int(equity_ns[-1])
        bars = {symbol: series.between(first_ns, last_ns) for symbol, series in bars.items()}
        benchmark = None if benchmark is None else benchmark.between(first_ns, last_ns)
    known = {symbol: series for symbol, series in bars.items() if len(series)}
    trades = result.trades
    if trades and all(trade.mae is None for trade in trades) and known:
        trades = tuple(with_excursions(trades, known, actions))
    columns = TradeColumns(trades)
    returns = _returns(equity_ns, equity, asset_class)
    open_profit = _open_profit(result, known)
    daily = Timeframe.parse(run.config.timeframe).is_daily
    months, gains = monthly_gains(equity_ns, equity, asset_class)
    against = benchmark if benchmark is not None else known.get(symbols[0])
    if against is not None:
        against = as_held(against, actions.get(against.symbol, ()))
    return Report(
        run_id=run.id,
        asset_class=asset_class,
        stats=result.stats,
        equity_ns=equity_ns,
        equity=equity,
        drawdown=(depth := drawdown(equity) if len(equity) and equity[0] > 0 else np.empty(0)),
        years=yearly_returns(equity_ns, equity, asset_class),
        drawdowns=drawdown_table(equity_ns, depth, MOST_DRAWDOWNS),
        rolling=None if returns is None else rolling_figures(returns, asset_class.days_per_year),
        returns=None if returns is None else histogram(returns.values),
        returns_are_daily=len(equity_ns) < 2 or int(equity_ns[-1]) - int(equity_ns[0]) > DAY_NS,
        trade_returns=histogram(columns.returns()),
        exposure=exposure_curve(fills, known, equity_ns, equity, actions),
        trades=trades,
        by_symbol=by_symbol(columns, symbols),
        by_side=by_side(columns),
        by_hour=() if daily else by_hour(columns),
        by_weekday=by_weekday(columns, daily=daily),
        zone=zone_words(symbols),
        benchmark=_compared(equity_ns, equity, returns, against),
        fills=tuple(fills),
        open_positions=result.open_positions,
        open_profit=open_profit,
        rejections=result.rejections,
        account=tuple(account),
        account_totals=account_totals(account, symbols),
        account_periods=account_periods(account),
        coverage=coverage,
        findings=find_all(
            _evidence(run, result, trades, columns, fills, orders, account, coverage, open_profit, months, gains, _stepless(known, actions))
        ),
    )


def _moved(account: Sequence[AccountEntry], kinds: Set[EntryKind]) -> float:
    return to_float(sum((entry.amount for entry in account if entry.amount is not None and entry.kind in kinds), Decimal(0)))


def _returns(equity_ns: Instants, equity: Floats, asset_class: AssetClass) -> Returns | None:
    """Return what the figures of returns are made of; None where equity reaches zero: a return from nothing means nothing."""
    if len(equity) < 2 or float(equity.min()) <= 0:
        return None
    return period_returns(equity_ns, equity, asset_class)


def _compared(equity_ns: Instants, equity: Floats, returns: Returns | None, bars: BarSeries | None) -> BenchmarkComparison | None:
    return None if returns is None or bars is None else compare(equity_ns, equity, returns, bars)


def _open_profit(result: RunResult, bars: Mapping[str, BarSeries]) -> float | None:
    profit = 0.0
    for position in result.open_positions:
        series = bars.get(position.symbol)
        if series is None:
            return None
        profit += to_float(position.qty) * (float(series.close[-1]) - to_float(position.avg_price))
    return profit


def _stepless(bars: Mapping[str, BarSeries], actions: Actions) -> tuple[str, ...]:
    return tuple(
        f"{symbol} {date_of(split)}" for symbol, series in bars.items() for split in splits_without_step(series, actions.get(symbol, ()))
    )


def _evidence(
    run: Run,
    result: RunResult,
    trades: Sequence[Trade],
    columns: TradeColumns,
    fills: Sequence[Fill],
    orders: Sequence[Order],
    account: Sequence[AccountEntry],
    coverage: DataCoverage | None,
    open_profit: float | None,
    months: Instants,
    gains: Floats,
    stepless: tuple[str, ...],
) -> Evidence:
    stats = result.stats
    at_end = {fill.order_id for fill in fills if fill.reason == "end_of_run"}
    ended = np.fromiter((trade.exit_order_id in at_end for trade in trades), np.bool_, len(trades))
    return Evidence(
        trades=len(trades),
        profit=float(columns.profit.sum()),
        best_trade=stats.get("best_trade"),
        open_profit=open_profit,
        closed_at_end_profit=float(columns.profit[ended].sum()),
        total_return=stats.get("total_return"),
        buy_hold_return=stats.get("buy_hold_return"),
        gain=float(result.equity[-1] - result.equity[0]) if len(result.equity) else None,
        exposure=stats.get("exposure"),
        fees=stats.get("fees") or 0.0,
        slippage=stats.get("slippage") or 0.0,
        charges=-_moved(account, _CHARGES),
        income=_moved(account, _INCOME | _CHARGES),
        fills=len(fills),
        path_dependent_fills=sum(fill.path_dependent for fill in fills),
        margin_call_fills=sum(fill.reason == "margin_call" for fill in fills),
        orders=len(orders),
        path_dependent_orders=sum(order.path_dependent for order in orders),
        rejections=dict(Counter(str(rejection.code) for rejection in result.rejections)),
        month_gains=tuple(gains.tolist()),
        months=tuple(np.datetime_as_string(months.astype("datetime64[M]")).tolist()),
        coverage=coverage,
        bars_done=run.bars,
        bars_total=run.bars_total,
        simulated=run.demo or run.config.source == "simulated",
        splits_without_step=stepless,
    )
