"""The statistics of real runs beside those of empyrical, from daily returns that pandas makes of the same equity curve.

Where a figure is defined otherwise there, the test says how: what is compared is empyrical's with our definition put in, and that the plain
one differs. docs/statistics.md, "Beside empyrical", tells the same in words.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import empyrical
import numpy as np
import pandas as pd
import pytest

from core.backtest.report.benchmark import compare
from core.backtest.stats_returns import period_returns
from core.model.instants import DAY_NS
from core.model.market import AssetClass, asset_class_of
from core.model.report import BenchmarkComparison
from tests.golden.runs import RUNS, Outcome, outcome_of

REAL: Final = (
    "spy sma-cross, fees and slippage",
    "spy long and short on margin, dividends, interest",
    "btc bollinger-bids, maker and taker, share of the volume",
)


class Curve:
    """A run's equity as pandas and empyrical take it: returns from one trading day's last point to the next one's."""

    def __init__(self, outcome: Outcome) -> None:
        run, bars = outcome.run, outcome.bars
        self.stats = outcome.stats
        self.pays_dividends = bool(outcome.actions)
        self.asset_class = asset_class_of(bars.symbol)
        self.year = self.asset_class.days_per_year
        self.points = pd.Series(run.equity, index=pd.DatetimeIndex(pd.to_datetime(run.times_ns, utc=True)))
        self.days = self._daily(self.points)
        self.elapsed_days = (int(run.times_ns[-1]) - int(run.times_ns[0])) / DAY_NS
        # What holding was worth at each point: the first open, then the close of the bar that ends there.
        closes = pd.Series(bars.close, index=pd.to_datetime(bars.start_ns + 1, utc=True))
        held = closes.reindex(self.points.index, method="ffill")
        held.iloc[0] = bars.open[0]
        self.market = self._daily(held)
        equity_ns, equity = run.times_ns, run.equity
        compared = compare(equity_ns, equity, period_returns(equity_ns, equity, self.asset_class), bars)
        assert compared is not None
        self.compared: BenchmarkComparison = compared

    def _daily(self, points: pd.Series) -> pd.Series:
        # A point at the end of a day belongs to that day.
        ends = pd.DatetimeIndex(points.index) - pd.Timedelta(1, "ns")
        zone = "America/New_York" if self.asset_class is AssetClass.EQUITY else "UTC"
        days = ends[1:].tz_convert(zone).normalize().tz_localize(None)
        last = points.iloc[1:].groupby(days).last()
        return pd.Series(np.diff(np.concatenate(([points.iloc[0]], last))) / np.concatenate(([points.iloc[0]], last.iloc[:-1])), last.index)


@cache
def curve_of(name: str, folder: Path) -> Curve:
    return Curve(outcome_of(RUNS[name], folder))


@pytest.fixture(params=REAL)
def curve(request: pytest.FixtureRequest, shared_data: Callable[[str], Path]) -> Curve:
    return curve_of(request.param, shared_data(RUNS[request.param].file).parent)


def near(value: Any) -> Any:
    return pytest.approx(float(value), rel=1e-9, abs=1e-14)


def test_figures_that_are_defined_alike(curve: Curve) -> None:
    days, year = curve.days, curve.year
    expected = {
        "total_return": empyrical.cum_returns_final(days),
        "volatility_ann": empyrical.annual_volatility(days, annualization=year),
        "sharpe": empyrical.sharpe_ratio(days, annualization=year),
        "sortino": empyrical.sortino_ratio(days, annualization=year),
        "omega": empyrical.omega_ratio(days),
        "value_at_risk_95": empyrical.value_at_risk(days, 0.05),
        "cvar_95": empyrical.conditional_value_at_risk(days, 0.05),
        "skew": days.skew() * (len(days) - 2) / np.sqrt(len(days) * (len(days) - 1)),
        "best_day": days.max(),
        "worst_day": days.min(),
    }
    assert {key: curve.stats[key] for key in expected} == {key: near(value) for key, value in expected.items()}


def test_growth_is_by_the_calendar_and_not_by_the_count_of_returns(curve: Curve) -> None:
    days = curve.days
    by_calendar = 365 * len(days) / curve.elapsed_days
    assert curve.stats["cagr"] == near(empyrical.cagr(days, annualization=by_calendar))
    assert curve.stats["calmar"] == near(empyrical.cagr(days, annualization=by_calendar) / -_deepest(curve))
    if curve.asset_class is AssetClass.EQUITY:
        # 252 sessions are a little more or less than a year: a slight difference, which Calmar inherits.
        plain = empyrical.annual_return(days, annualization=curve.year)
        assert plain == pytest.approx(curve.stats["cagr"], rel=0.01)
        assert plain != near(curve.stats["cagr"])
        assert empyrical.calmar_ratio(days, annualization=curve.year) == pytest.approx(curve.stats["calmar"], rel=0.01)


def test_drawdown_is_over_all_points_and_not_over_the_ends_of_days(curve: Curve) -> None:
    assert curve.stats["max_drawdown"] == near(_deepest(curve))
    by_day = empyrical.max_drawdown(curve.days)
    assert by_day >= _deepest(curve) - 1e-12
    # With one point a day both are the same; within the days of minutes the fall went deeper.
    assert (by_day == near(_deepest(curve))) is (curve.asset_class is AssetClass.EQUITY)


def _deepest(curve: Curve) -> float:
    return float(empyrical.max_drawdown(curve.points.pct_change().fillna(0.0)))


def test_the_run_against_its_benchmark(curve: Curve) -> None:
    days, market, year = curve.days, curve.market, curve.year
    compared = curve.compared
    alpha, beta = empyrical.alpha_beta(days, market, annualization=year)
    active = days - market
    expected = {
        "total_return": empyrical.cum_returns_final(market),
        "volatility_ann": empyrical.annual_volatility(market, annualization=year),
        "sharpe": empyrical.sharpe_ratio(market, annualization=year),
        "alpha": alpha,
        "beta": beta,
        "correlation": days.corr(market),
        "tracking_error": empyrical.annual_volatility(active, annualization=year),
        # Ours is for a year, as Grinold and Kahn have it; empyrical's excess Sharpe for one period.
        "information_ratio": empyrical.excess_sharpe(days, market) * np.sqrt(year),
        # Ours knows the year of 365 days that a market without sessions has; empyrical's captures always take 252.
        "up_capture": _captured(empyrical.stats.up, days, market, year),
        "down_capture": _captured(empyrical.stats.down, days, market, year),
    }
    assert {key: getattr(compared, key) for key in expected} == {key: near(value) for key, value in expected.items()}
    if not curve.pays_dividends:  # holding with dividends put back in is another benchmark
        assert (curve.stats["alpha"], curve.stats["beta"]) == (near(alpha), near(beta))
    if year == 252:
        assert compared.up_capture == near(empyrical.up_capture(days, market))
        assert compared.down_capture == near(empyrical.down_capture(days, market))


def _captured(side: Callable[..., float], days: pd.Series, market: pd.Series, year: int) -> float:
    def growth(own: pd.Series, _market: pd.Series) -> float:
        return float(empyrical.annual_return(own, annualization=year))

    return side(days, market, function=growth) / side(market, market, function=growth)
