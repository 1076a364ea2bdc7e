"""The run against buying one symbol and holding it."""

from math import sqrt

import numpy as np

from core.backtest.stats import benchmark_returns
from core.backtest.stats_drawdown import drawdown
from core.backtest.stats_returns import NO_SPREAD, YEAR_NS, Returns, alpha_and_beta, return_figures
from core.model.instants import DAY_NS
from core.model.market import BarSeries, Floats, Instants
from core.model.report import BenchmarkComparison


def compare(equity_ns: Instants, equity: Floats, returns: Returns, bars: BarSeries) -> BenchmarkComparison | None:
    """Return how the run did against all its start equity in the symbol of `bars`, bought at the first open.

    None where prices or equity do not stay above zero, or the symbol has no bars within the run.
    """
    if len(equity) < 2 or not len(bars) or float(equity.min()) <= 0 or float(bars.close.min()) <= 0 or bars.open[0] <= 0:
        return None
    prices = np.concatenate((bars.open[:1], bars.close))
    known = np.searchsorted(bars.start_ns, equity_ns, side="left")
    known[0] = 0  # the start: nothing is bought yet
    held = float(equity[0]) * prices[known] / float(prices[0])
    against = benchmark_returns(bars, returns)
    own = return_figures(Returns(against, returns.per_year, returns.ends_ns))
    alpha, beta = alpha_and_beta(returns, against)
    total = float(held[-1] / held[0]) - 1.0
    elapsed_ns = int(equity_ns[-1]) - int(equity_ns[0])
    tracking, information = _active(returns, against)
    return BenchmarkComparison(
        symbol=bars.symbol,
        equity=held,
        total_return=total,
        cagr=float(np.power(1.0 + total, YEAR_NS / elapsed_ns)) - 1.0 if elapsed_ns > DAY_NS else None,
        volatility_ann=own["volatility_ann"],
        sharpe=own["sharpe"],
        max_drawdown=float(drawdown(held).min()),
        alpha=alpha if alpha is not None and np.isfinite(alpha) else None,
        beta=beta,
        correlation=_correlation(returns.values, against),
        tracking_error=tracking,
        information_ratio=information,
        up_capture=_capture(returns, against, against > 0),
        down_capture=_capture(returns, against, against < 0),
    )


def _active(returns: Returns, against: Floats) -> tuple[float | None, float | None]:
    """Return tracking error and information ratio, annualised."""
    active = returns.values - against
    if len(active) < 2:
        return None, None
    spread, root = float(active.std(ddof=1)), sqrt(returns.per_year)
    if spread <= NO_SPREAD:
        return 0.0, None
    return spread * root, float(active.mean()) / spread * root


def _correlation(values: Floats, against: Floats) -> float | None:
    if len(values) < 2 or float(values.std()) <= NO_SPREAD or float(against.std()) <= NO_SPREAD:
        return None
    return float(np.corrcoef(values, against)[0, 1])


def _capture(returns: Returns, against: Floats, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float | None:
    """Return annual growth over the chosen periods ÷ the benchmark's over the same; None where there are none.

    Growth as if a year held such periods only: far above what any year brings, for the benchmark as well.
    """
    if not chosen.any():
        return None
    with np.errstate(all="ignore"):
        own, held = (float(np.expm1(np.log1p(values[chosen]).mean() * returns.per_year)) for values in (returns.values, against))
    return own / held if np.isfinite(own) and np.isfinite(held) and held else None
