"""The statistics of a run: against empyrical and scipy where they have the figure, else worked out by hand."""

import math
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import empyrical
import numpy as np
import pytest
from scipy import stats as scipy_stats  # type: ignore[import-untyped]

from core.backtest.stats import compute_statistics
from core.backtest.stats_trades import excursions, lowest_between
from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, parse_instant
from core.model.market import AssetClass, BarSeries, Floats, Instants, Timeframe
from core.model.order import Fill, OrderSide
from core.model.position import PositionSide, Trade
from core.model.statistics import STATISTICS

DOCS = Path(__file__).parents[3] / "docs"
CRYPTO, EQUITY, CURRENCY = AssetClass.CRYPTO, AssetClass.EQUITY, AssetClass.CURRENCY
START_NS = parse_instant("2024-01-01")


def figures(
    equity: Sequence[float] | Floats,
    equity_ns: Instants | None = None,
    *,
    asset_class: AssetClass = CRYPTO,
    trades: Sequence[Trade] = (),
    fills: Sequence[Fill] = (),
    **options: Any,
) -> dict[str, float | None]:
    """Return the statistics of an equity curve with a point a day."""
    values = np.asarray(equity, np.float64)
    when = START_NS + DAY_NS * np.arange(len(values)) if equity_ns is None else equity_ns
    return compute_statistics(equity_ns=when, equity=values, trades=trades, fills=fills, asset_class=asset_class, **options)


def curve(returns: Floats, start: float = 100_000.0) -> Floats:
    return start * np.concatenate(([1.0], np.cumprod(1.0 + returns)))


def bars(symbol: str, opening: Floats, close: Floats, *, step_ns: int = DAY_NS, start_ns: int = START_NS) -> BarSeries:
    return BarSeries(
        symbol=symbol,
        timeframe=Timeframe(step_ns),
        start_ns=start_ns + step_ns * np.arange(len(close)),
        open=opening,
        high=np.maximum(opening, close),
        low=np.minimum(opening, close),
        close=close,
        volume=np.ones(len(close)),
    )


def trade(
    pnl: float, *, side: str = "long", entry: float = 10, leave: float = 10, at: tuple[int, int] = (0, 60), symbol: str = "BTC/USD"
) -> Trade:
    return Trade(
        symbol=symbol,
        side=PositionSide(side),
        qty=Decimal(1),
        entry_ns=at[0] * SECOND_NS,
        exit_ns=at[1] * SECOND_NS,
        entry_price=Decimal(str(entry)),
        exit_price=Decimal(str(leave)),
        pnl=Decimal(str(pnl)),
        fees=Decimal(0),
        entry_order_id="a",
        exit_order_id="b",
    )


def fill(qty: str, price: str, fee: str, slippage: str) -> Fill:
    return Fill(
        id="f", run_id="r", order_id="o", symbol="S", side=OrderSide.BUY, qty=Decimal(qty), price=Decimal(price),
        fee=Decimal(fee), slippage=Decimal(slippage), time_ns=0,
    )  # fmt: skip


# --- against other programs ---


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("asset_class", AssetClass)
def test_figures_of_daily_returns_are_those_of_empyrical(seed: int, asset_class: AssetClass) -> None:
    generator = np.random.default_rng(seed)
    market = generator.normal(0.0004, 0.012, 300)
    returns = 0.6 * market + generator.normal(0.0003, 0.008, 300)
    prices = curve(market, 50.0)
    # 2024 began on a Monday; only crypto trades at weekends.
    days = np.arange(600)
    if asset_class is not CRYPTO:
        days = days[days % 7 < 5]
    when = START_NS + DAY_NS * days[:300] + 21 * HOUR_NS
    found = figures(
        curve(returns),
        np.concatenate(([START_NS], when)),
        asset_class=asset_class,
        bars={"M": _at(bars("M", prices[:-1], prices[1:]), when - 6 * HOUR_NS)},
    )
    year = asset_class.days_per_year
    expected = {
        "total_return": empyrical.cum_returns_final(returns),
        "volatility_ann": empyrical.annual_volatility(returns, annualization=year),
        "sharpe": empyrical.sharpe_ratio(returns, annualization=year),
        "sortino": empyrical.sortino_ratio(returns, annualization=year),
        "omega": empyrical.omega_ratio(returns),
        "max_drawdown": empyrical.max_drawdown(returns),
        "alpha": empyrical.alpha(returns, market, annualization=year),
        "beta": empyrical.beta(returns, market),
        "value_at_risk_95": empyrical.value_at_risk(returns),
        "cvar_95": empyrical.conditional_value_at_risk(returns),
        "skew": scipy_stats.skew(returns),
        "kurtosis": scipy_stats.kurtosis(returns),
        "best_day": returns.max(),
        "worst_day": returns.min(),
        "buy_hold_return": empyrical.cum_returns_final(market),
    }
    assert {key: found[key] for key in expected} == {key: pytest.approx(value, rel=1e-10) for key, value in expected.items()}


def _at(series: BarSeries, start_ns: Instants) -> BarSeries:
    return BarSeries(
        symbol=series.symbol, timeframe=series.timeframe, start_ns=start_ns, open=series.open, high=series.high, low=series.low,
        close=series.close, volume=series.volume,
    )  # fmt: skip


def test_growth_and_calmar_over_whole_days_of_crypto_are_those_of_empyrical() -> None:
    returns = np.random.default_rng(7).normal(0.001, 0.02, 500)
    found = figures(curve(returns))
    assert found["cagr"] == pytest.approx(empyrical.annual_return(returns, annualization=365), rel=1e-10)
    assert found["calmar"] == pytest.approx(empyrical.calmar_ratio(returns, annualization=365), rel=1e-10)


def test_points_within_a_day_are_folded_to_daily_returns() -> None:
    generator = np.random.default_rng(1)
    minutes = curve(generator.normal(0, 0.0005, 1_440 * 40))
    found = figures(minutes, START_NS + MINUTE_NS * np.arange(len(minutes)))
    daily = minutes[1_440::1_440] / minutes[:-1_440:1_440] - 1
    assert len(daily) == 40
    assert found["sharpe"] == pytest.approx(empyrical.sharpe_ratio(daily, annualization=365), rel=1e-10)
    assert found["worst_day"] == pytest.approx(daily.min(), rel=1e-10)
    # Drawdown sees every point, not the days' last ones only.
    assert found["max_drawdown"] == pytest.approx((minutes / np.maximum.accumulate(minutes)).min() - 1, rel=1e-12)


# --- trading days ---


def test_a_session_of_an_equity_is_its_new_york_date() -> None:
    # Two sessions with bars to 20:00 New York: midnight in UTC is passed within a session.
    ends = [parse_instant(text) for text in ("2024-01-03T00:30Z", "2024-01-03T01:00Z", "2024-01-03T15:00Z", "2024-01-04T01:00Z")]
    found = figures([100, 101, 110, 120, 121], np.array([parse_instant("2024-01-02"), *ends]), asset_class=EQUITY)
    assert (found["worst_day"], found["best_day"]) == pytest.approx((0.1, 0.1))


def test_sunday_evening_of_a_currency_belongs_to_monday() -> None:
    ends = [parse_instant(text) for text in ("2024-01-05T22:00Z", "2024-01-07T23:00Z", "2024-01-08T22:00Z")]
    found = figures([100, 110, 90, 121], np.array([parse_instant("2024-01-05"), *ends]), asset_class=CURRENCY)
    assert (found["worst_day"], found["best_day"]) == pytest.approx((0.1, 0.1))


def test_a_point_at_midnight_belongs_to_the_day_that_ends() -> None:
    when = START_NS + np.array([0, DAY_NS // 2, DAY_NS, DAY_NS + HOUR_NS, 2 * DAY_NS])
    found = figures([100, 50, 110, 10, 121], when)
    assert (found["worst_day"], found["best_day"]) == pytest.approx((0.1, 0.1))


@pytest.mark.parametrize(("asset_class", "per_year"), [(CRYPTO, 365 * 1_440), (EQUITY, 252 * 390), (CURRENCY, 252 * 1_440)])
def test_a_run_within_a_day_is_annualised_from_point_to_point(asset_class: AssetClass, per_year: float) -> None:
    returns = np.array([0.01, -0.02, 0.03, 0.0])
    when = START_NS + 15 * HOUR_NS + MINUTE_NS * np.arange(5)
    found = figures(curve(returns), when, asset_class=asset_class)
    assert found["volatility_ann"] == pytest.approx(returns.std(ddof=1) * math.sqrt(per_year))
    assert found["sharpe"] == pytest.approx(returns.mean() / returns.std(ddof=1) * math.sqrt(per_year))
    assert found["cagr"] is None
    assert found["best_day"] == pytest.approx(1.01 * 0.98 * 1.03 - 1)


# --- worked by hand ---


def test_drawdowns_worked_out_by_hand() -> None:
    found = figures([100, 90, 95, 100, 120, 60, 90, 119])
    assert found["max_drawdown"] == -0.5
    # From the peak on day 4 to the end, three days; the first one lasted from day 0 to day 3.
    assert found["max_drawdown_duration_s"] == 3 * 86_400
    assert found["avg_drawdown"] == pytest.approx((-0.1 - 0.5) / 2)
    assert found["ulcer_index"] == pytest.approx(math.sqrt((0.1**2 + 0.05**2 + 0.5**2 + 0.25**2 + (1 / 120) ** 2) / 8))
    assert found["peak_equity"] == 120


def test_a_drawdown_lasts_until_the_point_that_is_back_at_the_peak() -> None:
    assert figures([100, 90, 95, 100, 101])["max_drawdown_duration_s"] == 3 * 86_400


def test_a_curve_that_only_rises_has_no_drawdown() -> None:
    found = figures([100, 101, 102])
    assert (found["max_drawdown"], found["max_drawdown_duration_s"], found["ulcer_index"]) == (0.0, 0.0, 0.0)
    assert (found["avg_drawdown"], found["calmar"], found["sortino"], found["omega"]) == (None, None, None, None)


def test_equal_returns_have_no_ratio() -> None:
    found = figures(curve(np.full(50, 0.001)))
    assert found["volatility_ann"] == 0.0
    assert [found[key] for key in ("sharpe", "skew", "kurtosis")] == [None, None, None]


def test_growth_over_half_a_year() -> None:
    when = np.array([START_NS, START_NS + 365 * DAY_NS // 2])
    assert figures([100, 110], when)["cagr"] == pytest.approx(0.21)


def test_trades_worked_out_by_hand() -> None:
    found = figures(
        [100, 101, 102],
        trades=[
            trade(10, at=(0, 60)),
            trade(-4, at=(0, 120), side="short"),
            trade(-2, at=(60, 120)),
            trade(0, at=(0, 60)),
            trade(-1, at=(0, 60)),
            trade(6, at=(0, 240), side="short"),
        ],
    )
    profit = np.array([10, -4, -2, 0, -1, 6])
    expected = {
        "trades": 6,
        "long_trades": 4,
        "short_trades": 2,
        "win_rate": 2 / 6,
        "profit_factor": 16 / 7,
        "expectancy": 1.5,
        "avg_win": 8,
        "avg_loss": -7 / 3,
        "best_trade": 10,
        "worst_trade": -4,
        "avg_trade_duration_s": 100,
        "sqn": math.sqrt(6) * 1.5 / profit.std(ddof=1),
        "kelly": 2 / 6 - 4 / 6 / (8 / (7 / 3)),
        "max_consecutive_losses": 2,
    }
    assert {key: found[key] for key in expected} == {key: pytest.approx(value) for key, value in expected.items()}


def test_without_trades_their_figures_are_undefined_but_their_number_is_known() -> None:
    found = figures([100, 101, 102])
    of_trades = "win_rate profit_factor expectancy avg_win avg_loss best_trade worst_trade avg_trade_duration_s sqn kelly mae mfe"
    assert {found[key] for key in (*of_trades.split(), "max_consecutive_losses")} == {None}
    assert (found["trades"], found["long_trades"], found["short_trades"], found["fees"], found["turnover"]) == (0, 0, 0, 0, 0)


def test_only_wins_and_only_losses() -> None:
    won, lost = figures([100, 101], trades=[trade(1), trade(2)]), figures([100, 99], trades=[trade(-1), trade(-1)])
    assert (won["profit_factor"], won["avg_loss"], won["kelly"], won["max_consecutive_losses"]) == (None, None, None, 0)
    assert (lost["profit_factor"], lost["avg_win"], lost["kelly"], lost["max_consecutive_losses"]) == (0, None, None, 2)
    assert lost["sqn"] is None


def test_costs_are_summed_exactly() -> None:
    fills = [fill("3", "0.1", "0.1", "0.01")] * 3 + [fill("1", "50", "0.2", "0")]
    found = figures([100, 110, 90], fills=fills)
    assert (found["fees"], found["slippage"], found["turnover"]) == pytest.approx((0.5, 0.03, 50.9 / 100), rel=1e-15)


def test_exposure_is_the_share_of_points_with_a_position() -> None:
    assert figures([100] * 5, exposure=np.array([False, True, False, True, True]))["exposure"] == 0.75
    assert figures([100] * 5, exposure=np.array([True, False, True, True]))["exposure"] == 0.75
    assert figures([100] * 3, exposure=np.array([0.0, 0.0, 5_000.0]))["exposure"] == 0.5
    assert figures([100], exposure=np.array([False]))["exposure"] is None
    assert figures([100, 101])["exposure"] is None


@pytest.mark.parametrize("step_ns", [MINUTE_NS, DAY_NS])
def test_holding_the_benchmark_has_a_beta_of_one_and_no_alpha(step_ns: int) -> None:
    # Around the clock the next bar starts at the very instant at which a point is drawn: it is not known then.
    prices = curve(np.random.default_rng(5).normal(0, 0.01, 90), 40.0)
    series = bars("BTC/USD", prices[:-1], prices[1:], step_ns=step_ns)
    found = figures(prices * 7.0, START_NS + step_ns * np.arange(91), bars={"BTC/USD": series})
    assert found["beta"] == pytest.approx(1.0)
    assert found["alpha"] == pytest.approx(0.0, abs=1e-9)
    assert found["buy_hold_return"] == pytest.approx(found["total_return"])


def test_the_benchmark_is_the_first_symbol() -> None:
    first = bars("A", np.array([50.0, 60.0]), np.array([60.0, 75.0]))
    second = bars("B", np.array([1.0, 1.0]), np.array([1.0, 9.0]))
    assert figures([100, 101, 102], bars={"A": first, "B": second})["buy_hold_return"] == 0.5
    assert figures([100, 101, 102], bars={"A": first.slice(0, 0)})["buy_hold_return"] is None


def test_bars_of_the_warm_up_and_those_not_reached_are_not_held() -> None:
    prices = np.array([1.0, 50.0, 60.0, 75.0, 900.0])
    series = bars("BTC/USD", prices, prices)
    found = figures([100, 101, 102, 103], START_NS + DAY_NS * np.arange(1, 5), bars={"BTC/USD": series})
    assert found["buy_hold_return"] == 0.5


# --- excursions ---


def test_excursions_of_a_long_and_a_short_trade() -> None:
    series = BarSeries(
        symbol="BTC/USD",
        timeframe=Timeframe(60 * SECOND_NS),
        start_ns=np.arange(4) * 60 * SECOND_NS,
        open=np.array([10.0, 11.0, 9.0, 12.0]),
        high=np.array([11.0, 13.0, 12.0, 50.0]),
        low=np.array([9.5, 8.0, 9.0, 1.0]),
        close=np.array([11.0, 9.0, 12.0, 12.0]),
        volume=np.ones(4),
    )
    trades = [
        trade(2, entry=10, leave=12, at=(0, 180)),
        trade(-2, side="short", entry=10, leave=12, at=(0, 180)),
        trade(5, entry=10, leave=15, at=(60, 60)),
        trade(1, symbol="ELSE"),
    ]
    adverse, favourable = excursions(trades, {"BTC/USD": series})
    np.testing.assert_allclose(adverse, [-0.2, -0.3, 0.0, np.nan])
    np.testing.assert_allclose(favourable, [0.3, 0.2, 0.5, np.nan])
    found = figures([100, 101], trades=trades, bars={"BTC/USD": series})
    assert (found["mae"], found["mfe"]) == pytest.approx((-0.5 / 3, 1.0 / 3))


def test_the_lowest_of_long_stretches_is_found_by_blocks() -> None:
    generator = np.random.default_rng(3)
    values = generator.normal(size=5_000)
    first = generator.integers(0, 5_001, 2_000)
    last = generator.integers(0, 5_001, 2_000)
    direct = [values[a:b].min() if a < b else np.inf for a, b in zip(first, last, strict=True)]
    np.testing.assert_array_equal(lowest_between(values, first, last), direct)


# --- nothing undefined ever shows as a number ---


@pytest.mark.parametrize(
    "equity",
    [[], [100], [100, 100], [100, 0], [100, 0, 50], [100, -10, 20, 30], [0, 0, 0], [1e-300, 1e300, 1e-300], [100, 200, 400, 1e9] * 3],
)
@pytest.mark.parametrize("step_ns", [SECOND_NS, DAY_NS])
def test_odd_curves_give_numbers_or_none(equity: list[float], step_ns: int) -> None:
    count = len(equity)
    market = bars("M", np.full(max(count - 1, 0), 5.0), np.full(max(count - 1, 0), 5.0), step_ns=step_ns)
    found = figures(equity, START_NS + step_ns * np.arange(count), bars={"M": market}, exposure=np.zeros(count, bool))
    assert list(found) == [spec.key for spec in STATISTICS]
    assert all(value is None or math.isfinite(value) for value in found.values())


def test_points_at_the_same_instant_are_taken() -> None:
    found = figures([100, 101, 102], np.full(3, START_NS))
    assert found["total_return"] == pytest.approx(0.02)


# --- the words ---


def test_the_documentation_tells_every_figure_with_its_unit_and_formula() -> None:
    of_figures = (DOCS / "statistics.md").read_text(encoding="utf-8").partition("## The report")[0]
    rows = [line for line in of_figures.splitlines() if line.startswith("| `")]
    told = {row.split("`")[1]: [cell.strip().replace("\\|", "|") for cell in row.replace("\\|", "¦").split("|")] for row in rows}
    assert set(told) == {spec.key for spec in STATISTICS}
    assert len(rows) == len(STATISTICS)
    for spec in STATISTICS:
        assert [cell.replace("¦", "|") for cell in told[spec.key][2:5]] == [spec.title, spec.unit.value, spec.formula]


def test_the_keys_are_those_that_others_rely_on() -> None:
    promised = """start_equity end_equity peak_equity total_return cagr volatility_ann sharpe sortino calmar omega max_drawdown
        max_drawdown_duration_s avg_drawdown ulcer_index exposure buy_hold_return alpha beta value_at_risk_95 cvar_95 skew kurtosis
        trades win_rate profit_factor expectancy avg_win avg_loss best_trade worst_trade avg_trade_duration_s sqn kelly fees slippage
        turnover long_trades short_trades mae mfe best_day worst_day max_consecutive_losses"""
    assert sorted(promised.split()) == sorted(spec.key for spec in STATISTICS)
