"""The statistics of a run. Formulas, annualisation and sources: docs/statistics.md."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.backtest.adjusted import NO_ACTIONS, Actions, as_held
from core.backtest.stats_drawdown import drawdown_figures
from core.backtest.stats_returns import YEAR_NS, Figures, Returns, alpha_and_beta, daily_returns, period_returns, return_figures
from core.backtest.stats_trades import excursions, fill_figures, trade_figures
from core.model.instants import DAY_NS
from core.model.market import AssetClass, BarSeries, Floats, Instants
from core.model.order import Fill
from core.model.position import Trade
from core.model.statistics import STATISTICS


def compute_statistics(
    *,
    equity_ns: Instants,
    equity: Floats,
    trades: Sequence[Trade],
    fills: Sequence[Fill],
    asset_class: AssetClass,
    exposure: NDArray[Any] | None = None,
    bars: Mapping[str, BarSeries] | None = None,
    actions: Actions = NO_ACTIONS,
) -> Figures:
    """Return every key of `STATISTICS`; None where a figure is undefined, never nan or infinite.

    `equity_ns`, `equity`: shape (n,), oldest first; the first point is the start equity at the requested start.
    `exposure`: one value per point, true or not zero where a position is open; the first point, the start, is not
    counted, and may be left out.
    `bars`: the run's bars by symbol, the first symbol first: it is the benchmark, from the first point to the last.
    `asset_class`: of the first symbol. `actions`: splits and dividends that happened, by symbol.
    """
    # What overflows or has no value is found at the end, by not being finite.
    with np.errstate(all="ignore"):
        found = _figures(equity_ns, equity, trades, fills, asset_class, exposure, bars, actions)
    return {spec.key: _defined(found.get(spec.key)) for spec in STATISTICS}


def _figures(
    equity_ns: Instants,
    equity: Floats,
    trades: Sequence[Trade],
    fills: Sequence[Fill],
    asset_class: AssetClass,
    exposure: NDArray[Any] | None,
    bars: Mapping[str, BarSeries] | None,
    actions: Actions,
) -> Figures:
    found: Figures = {}
    if len(equity):
        found |= _equity_figures(equity_ns, equity, asset_class, _benchmark(bars, equity_ns, actions))
    mean_equity = float(equity.mean()) if len(equity) else None
    found |= trade_figures(trades) | fill_figures(fills, mean_equity)
    if exposure is not None:
        counted = exposure[1:] if len(exposure) == len(equity) else exposure
        found["exposure"] = float(np.count_nonzero(counted)) / len(counted) if len(counted) else None
    if bars and trades:
        adverse, favourable = excursions(trades, bars, actions)
        known = ~np.isnan(adverse)
        if known.any():
            found["mae"], found["mfe"] = float(adverse[known].mean()), float(favourable[known].mean())
    return found


def _defined(figure: float | None) -> float | None:
    return figure if figure is not None and np.isfinite(figure) else None


def _benchmark(bars: Mapping[str, BarSeries] | None, equity_ns: Instants, actions: Actions) -> BarSeries | None:
    series = next(iter(bars.values()), None) if bars else None
    if series is None:
        return None
    # Bars of the warm-up lie before the run, and a run that was stopped has more than it went through.
    series = series.between(int(equity_ns[0]), int(equity_ns[-1]))
    return as_held(series, actions.get(series.symbol, ())) if len(series) else None


def _equity_figures(equity_ns: Instants, equity: Floats, asset_class: AssetClass, benchmark: BarSeries | None) -> Figures:
    start, end = float(equity[0]), float(equity[-1])
    figures: Figures = {"start_equity": start, "end_equity": end, "peak_equity": float(equity.max())}
    if benchmark is not None and benchmark.open[0] > 0:
        figures["buy_hold_return"] = float(benchmark.close[-1] / benchmark.open[0]) - 1.0
    if start <= 0:
        return figures
    figures["total_return"] = end / start - 1.0
    figures |= drawdown_figures(equity_ns, equity)
    elapsed_ns = int(equity_ns[-1]) - int(equity_ns[0])
    if elapsed_ns > DAY_NS and end > 0:
        growth = float(np.power(end / start, YEAR_NS / elapsed_ns)) - 1.0
        figures["cagr"] = growth
        deepest = figures["max_drawdown"]
        if deepest:
            figures["calmar"] = growth / -deepest
    if len(equity) < 2 or float(equity.min()) <= 0:
        # A return from nothing, or from debt, means nothing.
        return figures
    daily = daily_returns(equity_ns, equity, asset_class)
    figures["best_day"], figures["worst_day"] = float(daily.values.max()), float(daily.values.min())
    returns = period_returns(equity_ns, equity, asset_class)
    figures |= return_figures(returns)
    if benchmark is not None and float(benchmark.close.min()) > 0 and benchmark.open[0] > 0:
        against = benchmark_returns(benchmark, returns)
        figures["alpha"], figures["beta"] = alpha_and_beta(returns, against)
    return figures


def benchmark_returns(benchmark: BarSeries, returns: Returns) -> Floats:
    """Return the benchmark's return over each of the periods, by the last of its bars that started before the period's end.

    That bar has ended too: a period ends where a bar ends. The first period is measured from the first open.
    """
    prices = np.concatenate((benchmark.open[:1], benchmark.close))
    known = np.searchsorted(benchmark.start_ns, returns.ends_ns, side="left")
    return prices[known] / prices[np.concatenate(([0], known[:-1]))] - 1.0
