"""Figures made from the equity curve's returns."""

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np

from core.model.instants import DAY_NS, HOUR_NS
from core.model.market import AssetClass, Floats, Instants

YEAR_NS: Final = 365 * DAY_NS
SESSION_NS: Final = {AssetClass.EQUITY: 13 * HOUR_NS // 2, AssetClass.CRYPTO: DAY_NS, AssetClass.CURRENCY: DAY_NS}
"""Length of a trading day, by which a run of a day or less is annualised."""

NO_SPREAD: Final = 1e-15
"""A standard deviation of returns up to this is the rounding of equal returns, not a spread."""

Figures = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Returns:
    """Returns of one period each, float64, with the number of such periods in a year."""

    values: Floats
    per_year: float
    ends_ns: Instants
    """Where each period ends, UTC."""


def trading_day(instants_ns: Instants, asset_class: AssetClass) -> Instants:
    """Return the number of the trading day (days since 1970) each instant closes in; an instant at a day's end is in that day.

    Equities: the New York date, which at all trading hours is the UTC date five hours earlier. Crypto: the UTC date.
    Currencies: the UTC date, with the hours of a weekend counted to the Monday after it.
    """
    offset_ns = 5 * HOUR_NS if asset_class is AssetClass.EQUITY else 0
    days = (instants_ns - 1 - offset_ns) // DAY_NS
    if asset_class is AssetClass.CURRENCY:
        weekday = (days + 3) % 7  # 1970-01-01 was a Thursday; 0 is Monday
        days = days + np.where(weekday >= 5, 7 - weekday, 0)
    return np.asarray(days, np.int64)


def daily_returns(equity_ns: Instants, equity: Floats, asset_class: AssetClass) -> Returns:
    """Return the change from each trading day's last point to the next day's; the first is measured from the first point."""
    days = trading_day(equity_ns[1:], asset_class)
    last_of_day = np.flatnonzero(np.append(days[1:] != days[:-1], True)) + 1 if len(days) else np.empty(0, np.int64)
    at = np.concatenate(([0], last_of_day))
    return Returns(equity[at[1:]] / equity[at[:-1]] - 1.0, float(asset_class.days_per_year), equity_ns[at[1:]])


def period_returns(equity_ns: Instants, equity: Floats, asset_class: AssetClass) -> Returns:
    """Return daily returns when the points span more than a day, else the returns from point to point."""
    if int(equity_ns[-1]) - int(equity_ns[0]) > DAY_NS:
        return daily_returns(equity_ns, equity, asset_class)
    steps = np.diff(equity_ns)
    step_ns = float(np.median(steps)) if len(steps) else 0.0
    per_day = SESSION_NS[asset_class] / step_ns if step_ns > 0 else 0.0
    return Returns(equity[1:] / equity[:-1] - 1.0, asset_class.days_per_year * per_day, equity_ns[1:])


def return_figures(returns: Returns) -> Figures:
    """Return the figures of a distribution of returns; None where one is undefined."""
    figures: Figures = dict.fromkeys(
        ("volatility_ann", "sharpe", "sortino", "omega", "value_at_risk_95", "cvar_95", "skew", "kurtosis"), None
    )
    values = returns.values
    if not len(values):
        return figures
    root = sqrt(returns.per_year)
    mean = float(values.mean())
    losses = np.minimum(values, 0.0)
    downside = sqrt(float((losses**2).mean()))
    if downside > NO_SPREAD:
        figures["sortino"] = mean / downside * root
    lost = -float(losses.sum())
    if lost > NO_SPREAD:
        figures["omega"] = float(np.maximum(values, 0.0).sum()) / lost
    figures["value_at_risk_95"] = float(np.percentile(values, 5.0))
    tail = int((len(values) - 1) * 0.05) + 1
    figures["cvar_95"] = float(np.partition(values, tail - 1)[:tail].mean())
    if len(values) < 2:
        return figures
    spread = float(values.std(ddof=1))
    figures["volatility_ann"] = spread * root if spread > NO_SPREAD else 0.0
    if spread > NO_SPREAD:
        deviations = values - mean
        variance = (deviations**2).mean()
        figures["sharpe"] = mean / spread * root
        figures["skew"] = float((deviations**3).mean() / variance**1.5)
        figures["kurtosis"] = float((deviations**4).mean() / variance**2) - 3.0
    return figures


def alpha_and_beta(returns: Returns, benchmark: Floats) -> tuple[float | None, float | None]:
    """Return annual alpha and beta of `returns` against the benchmark's returns over the same periods."""
    if len(returns.values) < 2 or float(benchmark.std(ddof=1)) <= NO_SPREAD:
        return None, None
    deviations = benchmark - benchmark.mean()
    beta = float((deviations * returns.values).mean() / (deviations**2).mean())
    growth = 1.0 + float((returns.values - beta * benchmark).mean())
    alpha = float(np.power(growth, returns.per_year)) - 1.0 if growth > 0 else None
    return alpha, beta
