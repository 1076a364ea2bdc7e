"""The report's tables and curves: against empyrical where it has the figure, else worked out by hand."""

import re
from collections.abc import Sequence
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import empyrical
import numpy as np
import pandas as pd
import pytest

from core.backtest.report.benchmark import compare
from core.backtest.report.drawdowns import drawdown_table
from core.backtest.report.exposure import exposure_curve
from core.backtest.report.groups import TradeColumns, by_hour, by_side, by_symbol, by_weekday, zone_words
from core.backtest.report.histograms import histogram
from core.backtest.report.periods import monthly_gains, yearly_returns
from core.backtest.report.report import make_report
from core.backtest.report.rolling import rolling_figures, rolling_window
from core.backtest.stats import compute_statistics
from core.backtest.stats_drawdown import drawdown
from core.backtest.stats_returns import period_returns
from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, parse_instant
from core.model.market import AssetClass, BarSeries, Floats, Instants, Timeframe
from core.model.order import Fill, Order, OrderRequest, OrderSide, OrderStatus, RejectCode, Rejection, TimeInForce
from core.model.position import Position, PositionSide, Trade
from core.model.report import BenchmarkComparison, Report
from core.model.result import RunResult
from core.model.round_trips import round_trips
from core.model.run import Run, RunConfig, RunStatus

CRYPTO, EQUITY = AssetClass.CRYPTO, AssetClass.EQUITY
START_NS = parse_instant("2023-11-15")


def near(value: Any, **how: Any) -> Any:
    return pytest.approx(value, **how)


def walk(days: int, seed: int = 0, spread: float = 0.01) -> tuple[Instants, Floats]:
    """Return a random equity curve with a point at each midnight, the start included."""
    returns = np.random.default_rng(seed).normal(0.0005, spread, days)
    return START_NS + DAY_NS * np.arange(days + 1), 100_000.0 * np.concatenate(([1.0], np.cumprod(1 + returns)))


def series(symbol: str, close: Sequence[float] | Floats, *, step_ns: int = DAY_NS, start_ns: int = START_NS) -> BarSeries:
    closes = np.asarray(close, float)
    opens = np.concatenate((closes[:1], closes[:-1]))
    return BarSeries(
        symbol=symbol,
        timeframe=Timeframe(step_ns),
        start_ns=start_ns + step_ns * np.arange(len(closes)),
        open=opens,
        high=np.maximum(opens, closes) + 1,
        low=np.minimum(opens, closes) - 1,
        close=closes,
        volume=np.ones(len(closes)),
    )


def fill(side: str, qty: str, price: str, time_ns: int, *, symbol: str = "BTC/USD", order: str = "o", **more: Any) -> Fill:
    return Fill(
        id=f"{order}-{time_ns}", run_id="r", order_id=order, symbol=symbol, side=OrderSide(side), qty=Decimal(qty), price=Decimal(price),
        fee=Decimal(more.pop("fee", "0")), slippage=Decimal(0), time_ns=time_ns, **more,
    )  # fmt: skip


def trade(pnl: str, entry: str, *, symbol: str = "SPY", side: str = "long", price: str = "10", leave_ns: int | None = None) -> Trade:
    entry_ns = parse_instant(entry)
    return Trade(
        symbol=symbol, side=PositionSide(side), qty=Decimal(1), entry_ns=entry_ns, exit_ns=leave_ns or entry_ns + HOUR_NS,
        entry_price=Decimal(price), exit_price=Decimal(price), pnl=Decimal(pnl), fees=Decimal("0.5"), entry_order_id="a", exit_order_id="b",
    )  # fmt: skip


def run_of(symbols: tuple[str, ...] = ("BTC/USD",), timeframe: str = "1d", **more: Any) -> Run:
    config = RunConfig(strategy_id="s", symbols=symbols, timeframe=timeframe)
    return Run(id="r", config=config, status=RunStatus.COMPLETED, created_ns=START_NS, **more)


# --- months and years ---


@pytest.mark.parametrize("seed", range(3))
def test_monthly_and_yearly_returns_are_those_of_empyrical(seed: int) -> None:
    when, equity = walk(900, seed)
    daily = pd.Series(equity[1:] / equity[:-1] - 1, index=pd.to_datetime(when[1:] - 1, utc=True))
    months, years = empyrical.aggregate_returns(daily, "monthly"), empyrical.aggregate_returns(daily, "yearly")
    found = yearly_returns(when, equity, CRYPTO)
    assert [row.year for row in found] == list(years.index)
    for row in found:
        assert row.total == near(years[row.year], rel=1e-10)
        told = {month: value for month, value in enumerate(row.months, 1) if value is not None}
        assert told == {month: near(value, rel=1e-9) for month, value in months[row.year].items()}


def test_a_point_at_midnight_of_the_first_ends_the_month_before() -> None:
    when = np.array([parse_instant(text) for text in ("2024-01-30", "2024-02-01", "2024-02-02", "2024-03-01")])
    (year,) = yearly_returns(when, np.array([100.0, 110.0, 55.0, 121.0]), CRYPTO)
    assert year.months[:4] == (near(0.1), near(0.1), None, None)
    assert year.total == near(0.21)
    months, gains = monthly_gains(when, np.array([100.0, 110.0, 55.0, 121.0]), CRYPTO)
    assert [str(month) for month in months.astype("datetime64[M]")] == ["2024-01", "2024-02"]
    assert gains.tolist() == [10.0, 11.0]


def test_an_equity_month_ends_with_its_last_session_in_new_york() -> None:
    # 20:00 in New York of 31 January is 01:00 of 1 February in UTC.
    when = np.array([parse_instant(text) for text in ("2024-01-31T14:30Z", "2024-02-01T01:00Z", "2024-02-01T21:00Z")])
    (year,) = yearly_returns(when, np.array([100.0, 110.0, 121.0]), EQUITY)
    assert year.months[:2] == (near(0.1), near(0.1))


def test_a_month_that_begins_with_nothing_has_no_return() -> None:
    when = np.array([parse_instant(text) for text in ("2024-01-30", "2024-01-31", "2024-02-10", "2024-03-10")])
    (year,) = yearly_returns(when, np.array([100.0, 50.0, 0.0, 10.0]), CRYPTO)
    assert year.months[:3] == (-0.5, -1.0, None)
    assert yearly_returns(when[:1], np.array([100.0]), CRYPTO) == ()


# --- drawdowns ---


def test_the_table_of_drawdowns_by_hand() -> None:
    equity = np.array([100.0, 90.0, 95.0, 100.0, 120.0, 60.0, 90.0, 119.0])
    when = START_NS + DAY_NS * np.arange(len(equity))
    first, second = drawdown_table(when, drawdown(equity), 10)
    day = 86_400.0
    assert (first.depth, first.start_ns, first.trough_ns) == (-0.5, int(when[4]), int(when[5]))
    assert (first.recovery_ns, first.recovery_s, first.fall_s, first.duration_s) == (None, None, day, 3 * day)
    assert (second.start_ns, second.trough_ns, second.recovery_ns) == (int(when[0]), int(when[1]), int(when[3]))
    assert (second.depth, second.fall_s, second.recovery_s, second.duration_s) == (near(-0.1), day, 2 * day, 3 * day)
    assert drawdown_table(when, drawdown(equity), 1) == (first,)
    assert drawdown_table(when[:1], drawdown(equity[:1]), 3) == ()


@pytest.mark.parametrize("seed", range(4))
def test_the_deepest_drawdown_and_the_longest_are_the_statistics(seed: int) -> None:
    when, equity = walk(400, seed)
    table = drawdown_table(when, drawdown(equity), 1_000)
    found = compute_statistics(equity_ns=when, equity=equity, trades=(), fills=(), asset_class=CRYPTO)
    assert table[0].depth == found["max_drawdown"] == near(empyrical.max_drawdown(equity[1:] / equity[:-1] - 1), rel=1e-9)
    assert max(row.duration_s for row in table) == found["max_drawdown_duration_s"]
    assert np.mean([row.depth for row in table]) == near(found["avg_drawdown"])
    assert [row.depth for row in table] == sorted(row.depth for row in table)


# --- rolling figures, distributions ---


def test_rolling_figures_are_those_of_empyrical_in_each_window() -> None:
    when, equity = walk(5_000, 3)
    returns = period_returns(when, equity, CRYPTO)
    found = rolling_figures(returns, 365)
    assert found is not None
    assert found.window == 182
    assert len(found.sharpe) == len(found.volatility) == len(found.ends_ns) == 5_000 - 181
    # The windows lie in blocks of a few thousand: look on both sides of the edge.
    for at in (0, 1, 4_095, 4_096, len(found.sharpe) - 1):
        window = returns.values[at : at + 182]
        assert found.sharpe[at] == near(empyrical.sharpe_ratio(window, annualization=365), rel=1e-9)
        assert found.volatility[at] == near(empyrical.annual_volatility(window, annualization=365), rel=1e-9)
        assert found.ends_ns[at] == when[at + 182]


def test_a_window_that_stands_still_has_no_sharpe() -> None:
    when, _ = walk(100)
    equity = np.concatenate((np.full(61, 100.0), 100.0 + np.arange(40) ** 2))
    found = rolling_figures(period_returns(when, equity, CRYPTO), 365)
    assert found is not None
    assert np.isnan(found.sharpe[0])
    assert found.volatility[0] == 0.0
    assert np.isfinite(found.sharpe[-1])


@pytest.mark.parametrize(("count", "window"), [(39, None), (40, 20), (120, 30), (504, 126), (5_000, 126)])
def test_the_window_is_half_a_year_or_a_quarter_of_the_returns(count: int, window: int | None) -> None:
    assert rolling_window(count, 252) == window


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [1, 2, 7, 500, 40_000])
def test_a_histogram_counts_every_value_once_and_has_an_edge_at_zero(seed: int, count: int) -> None:
    values = np.random.default_rng(seed).standard_t(2, count) * 0.01
    found = histogram(values)
    assert found is not None
    assert found.counts.sum() == count
    assert 0.0 in found.edges
    assert len(found.edges) == len(found.counts) + 1 <= 51
    assert found.below == (values < found.edges[0]).sum()
    assert found.above == (values > found.edges[-1]).sum()
    inner = (values >= found.edges[0]) & (values < found.edges[-1])
    np.testing.assert_array_equal(np.histogram(values[inner], found.edges)[0][1:-1], found.counts[1:-1])
    # What is a loss and what is a gain stays so in the bins, apart from a value of exactly 0.
    at_zero = int(np.flatnonzero(found.edges == 0.0)[0])
    assert found.counts[:at_zero].sum() == (values < 0).sum()


def test_odd_distributions() -> None:
    assert histogram(np.array([])) is None
    assert histogram(np.array([np.nan])) is None
    for values in (
        np.zeros(5),
        np.full(4, 0.02),
        np.full(4, -0.02),
        np.array([0.0, 0.0, 0.01]),
        np.array([1e-300, 2e-300]),
        np.array([-1e9, 1e9, 0.0]),
    ):
        found = histogram(values)
        assert found is not None
        assert found.counts.sum() + found.unchanged == len(values)
        assert found.unchanged == (values == 0).sum()
        assert (np.diff(found.edges) > 0).all()


# --- groups of trades ---


def test_groups_by_symbol_and_side() -> None:
    columns = TradeColumns([trade("5", "2024-01-02"), trade("-2", "2024-01-03", side="short"), trade("0", "2024-01-03", symbol="QQQ")])
    spy, qqq, none = by_symbol(columns, ("SPY", "QQQ", "IWM"))
    assert (spy.name, spy.trades, spy.wins, spy.win_rate, spy.profit, spy.mean_profit) == ("SPY", 2, 1, 0.5, 3.0, 1.5)
    assert (spy.profit_factor, spy.fees, spy.best, spy.worst) == (2.5, 1.0, 5.0, -2.0)
    assert (qqq.trades, qqq.win_rate, qqq.profit_factor) == (1, 0.0, None)
    assert (none.name, none.trades, none.win_rate, none.mean_profit, none.best) == ("IWM", 0, None, None, None)
    assert [(group.name, group.profit) for group in by_side(columns)] == [("long", 5.0), ("short", -2.0)]


def test_hours_are_the_exchanges_own_in_summer_and_winter() -> None:
    # 09:30 in New York, in winter and in summer; and 15:59 UTC of crypto.
    columns = TradeColumns(
        [trade("1", "2024-01-03T14:30Z"), trade("2", "2024-07-03T13:30Z"), trade("4", "2024-07-03T15:59Z", symbol="BTC/USD")]
    )
    assert [(group.name, group.profit) for group in by_hour(columns)] == [("09:00", 3.0), ("15:00", 4.0)]
    assert [(group.name, group.trades) for group in by_weekday(columns, daily=False)] == [("Wednesday", 3)]


def test_the_weekday_of_a_daily_bar_is_the_date_it_is_stamped_with() -> None:
    # Midnight in UTC of a Monday is Sunday evening in New York; midnight in New York is Monday there.
    columns = TradeColumns([trade("1", "2024-01-08T00:00Z"), trade("1", "2024-01-08T05:00Z"), trade("1", "2024-01-06", symbol="BTC/USD")])
    assert [(group.name, group.trades) for group in by_weekday(columns, daily=True)] == [("Monday", 2), ("Saturday", 1)]


def test_the_zone_is_named() -> None:
    assert zone_words(("SPY", "QQQ")) == "New York"
    assert zone_words(("BTC/USD", "EUR/USD")) == "UTC"
    assert zone_words(("SPY", "BTC/USD")) == "New York for equities, UTC for the others"


# --- exposure ---


def test_exposure_over_time_of_long_and_short() -> None:
    up, down = series("BTC/USD", [10.0, 20.0, 20.0, 20.0]), series("ETH/USD", [5.0, 5.0, 10.0, 10.0])
    when = START_NS + DAY_NS * np.arange(5)
    fills = [
        fill("buy", "2", "10", int(when[0])),
        fill("sell", "3", "5", int(when[1]), symbol="ETH/USD"),
        fill("sell", "2", "20", int(when[3])),
    ]
    found = exposure_curve(fills, {"BTC/USD": up, "ETH/USD": down}, when, np.array([100.0, 100.0, 200.0, 100.0, 0.0]))
    assert found is not None
    np.testing.assert_allclose(found.gross, [0, 0.2, (40 + 15) / 200, (40 + 30) / 100, np.nan])
    np.testing.assert_allclose(found.net, [0, 0.2, (40 - 15) / 200, (40 - 30) / 100, np.nan])
    assert exposure_curve(fills, {"BTC/USD": up}, when, np.ones(5)) is None
    flat = exposure_curve((), {}, when, np.ones(5))
    assert flat is not None
    assert not flat.gross.any()


# --- against a benchmark ---


@pytest.mark.parametrize("seed", range(4))
def test_the_comparison_has_the_figures_of_empyrical(seed: int) -> None:
    generator = np.random.default_rng(seed)
    market = generator.normal(0.0005, 0.02, 400)
    own = 0.5 * market + generator.normal(0.0003, 0.01, 400)
    when = START_NS + DAY_NS * np.arange(401)
    equity = 1_000.0 * np.concatenate(([1.0], np.cumprod(1 + own)))
    prices = 30.0 * np.concatenate(([1.0], np.cumprod(1 + market)))
    bars = series("BTC/USD", prices[1:])
    bars.open[0] = 30.0
    found = compare(when, equity, period_returns(when, equity, CRYPTO), bars)
    assert found is not None
    expected = {
        "total_return": empyrical.cum_returns_final(market),
        "cagr": empyrical.annual_return(market, annualization=365),
        "volatility_ann": empyrical.annual_volatility(market, annualization=365),
        "sharpe": empyrical.sharpe_ratio(market, annualization=365),
        "max_drawdown": empyrical.max_drawdown(market),
        "alpha": empyrical.alpha(own, market, annualization=365),
        "beta": empyrical.beta(own, market),
        "tracking_error": empyrical.annual_volatility(own - market, annualization=365),
        "information_ratio": empyrical.excess_sharpe(own, market) * np.sqrt(365),
        "up_capture": _capture(own, market, market > 0),
        "down_capture": _capture(own, market, market < 0),
        "correlation": np.corrcoef(own, market)[0, 1],
    }
    assert {key: getattr(found, key) for key in expected} == {key: near(value, rel=1e-8) for key, value in expected.items()}
    np.testing.assert_allclose(found.equity, 1_000.0 * prices / 30.0)


def _capture(own: Floats, market: Floats, chosen: Any) -> float:
    # What empyrical's captures do, which know no year of 365 days.
    grown = [empyrical.annual_return(values[chosen], annualization=365) for values in (own, market)]
    return float(grown[0] / grown[1])


@pytest.mark.parametrize("seed", range(4))
def test_captures_are_those_of_empyrical(seed: int) -> None:
    generator = np.random.default_rng(seed)
    market = generator.normal(0.0005, 0.01, 300)
    own = 0.7 * market + generator.normal(0.0002, 0.005, 300)
    when = START_NS + DAY_NS * np.arange(301)
    equity = 1_000.0 * np.concatenate(([1.0], np.cumprod(1 + own)))
    bars = series("SPY", (30.0 * np.cumprod(1 + market)).tolist())
    bars.open[0] = 30.0
    # Of an equity: 252 periods a year, as empyrical counts daily returns.
    found = compare(when, equity, replace(period_returns(when, equity, CRYPTO), per_year=252.0), bars)
    assert found is not None
    assert found.up_capture == near(empyrical.up_capture(own, market), rel=1e-9)
    assert found.down_capture == near(empyrical.down_capture(own, market), rel=1e-9)


def test_captures_that_overflow_are_undefined() -> None:
    when = START_NS + MINUTE_NS * np.arange(61)
    equity = 1_000.0 * np.cumprod(np.tile([1.02], 61))
    with np.errstate(all="ignore"):
        found = compare(when, equity, period_returns(when, equity, CRYPTO), series("BTC/USD", equity[1:], step_ns=MINUTE_NS))
    assert found is not None
    assert (found.up_capture, found.down_capture, found.alpha) == (None, None, None)


def test_holding_the_benchmark_itself_captures_all_of_it() -> None:
    when, _ = walk(60)
    bars = series("BTC/USD", 40.0 + np.random.default_rng(2).normal(0, 1, 60).cumsum())
    equity = 7.0 * np.concatenate((bars.open[:1], bars.close))
    found = compare(when, equity, period_returns(when, equity, CRYPTO), bars)
    assert found is not None
    assert (found.up_capture, found.down_capture, found.tracking_error, found.information_ratio) == (
        near(1), near(1), near(0, abs=1e-12), None,
    )  # fmt: skip
    np.testing.assert_allclose(found.equity, equity)


def test_there_is_nothing_to_compare_with_where_prices_or_equity_reach_zero() -> None:
    when, equity = walk(10)
    returns = period_returns(when, equity, CRYPTO)
    assert compare(when, equity, returns, series("X", [5.0, 0.0, 5.0])) is None
    assert compare(when, np.where(equity == equity[4], 0.0, equity), returns, series("X", [5.0] * 10)) is None
    assert compare(when, equity, returns, BarSeries.empty("X", Timeframe(DAY_NS))) is None


# --- the whole ---


def _order(order_id: str, *, path_dependent: bool = False) -> Order:
    return Order(
        id=order_id, run_id="r", request=OrderRequest(symbol="BTC/USD", side=OrderSide.BUY, qty=Decimal(1)), time_in_force=TimeInForce.GTC,
        status=OrderStatus.FILLED, created_ns=0, updated_ns=0, path_dependent=path_dependent,
    )  # fmt: skip


def report(equity_ns: Instants, equity: Floats, *, fills: Sequence[Fill] = (), bars: dict[str, BarSeries], **more: Any) -> Report:
    run = more.pop("run", run_of(tuple(bars) or ("BTC/USD",), bars=10, bars_total=10))
    trades = tuple(round_trips(fills))
    stats = compute_statistics(
        equity_ns=equity_ns, equity=equity, trades=trades, fills=fills, asset_class=CRYPTO, bars=bars, exposure=np.ones(len(equity))
    )
    result = RunResult(run_id="r", stats=stats, equity_ns=equity_ns, equity=equity, trades=trades, **more.pop("result", {}))
    return make_report(run, result, bars=bars, fills=fills, **more)


def test_a_reversal_to_short_gives_trades_of_both_sides_with_their_excursions() -> None:
    bars = series("BTC/USD", [100.0, 110.0, 90.0, 95.0])
    when = START_NS + DAY_NS * np.arange(5)
    fills = [
        fill("buy", "1", "100", int(when[0]), order="1"),
        fill("sell", "3", "110", int(when[2]), order="2"),  # closes one, opens two short
        fill("buy", "2", "90", int(when[3]), order="3", reason="end_of_run"),
    ]
    made = report(when, np.array([1_000.0, 1_000.0, 1_010.0, 1_050.0, 1_050.0]), fills=fills, bars={"BTC/USD": bars})
    long, short = made.trades
    assert (long.side, long.pnl, short.side, short.qty, short.pnl) == (
        PositionSide.LONG, Decimal(10), PositionSide.SHORT, Decimal(2), Decimal(40),
    )  # fmt: skip
    # Long from 100: bars of day 0 (99 to 101) and day 1 (99 to 111), then the exit at 110.
    assert (long.mae, long.mfe) == (near(-0.01), near(0.11))
    # Short from 110: the bar of day 2 (89 to 111), then the exit at 90.
    assert (short.mae, short.mfe) == (near(-1 / 110), near(21 / 110))
    assert [(group.name, group.trades, group.profit) for group in made.by_side] == [("long", 1, 10.0), ("short", 1, 40.0)]
    assert made.stats["long_trades"] == made.stats["short_trades"] == 1
    assert made.exposure is not None
    assert made.exposure.net[3] < 0 < made.exposure.gross[3]
    assert "open_position_holds_the_profit" in {finding.code for finding in made.findings}


def test_what_is_open_at_the_end_is_valued_at_its_last_close() -> None:
    bars = series("BTC/USD", [100.0, 110.0])
    when = START_NS + DAY_NS * np.arange(3)
    held = Position(symbol="BTC/USD", qty=Decimal(-2), avg_price=Decimal(120))
    made = report(when, np.array([100.0, 101.0, 120.0]), bars={"BTC/USD": bars}, result={"open_positions": (held,)})
    assert made.open_profit == 20.0
    # A run that was stopped after the first bar never saw the second.
    stopped = report(when[:2], np.array([100.0, 101.0]), bars={"BTC/USD": bars}, result={"open_positions": (held,)})
    assert stopped.open_profit == 40.0
    assert report(when, np.array([100.0, 1, 2]), bars={}, result={"open_positions": (held,)}).open_profit is None


def test_bars_after_the_last_point_of_a_stopped_run_do_not_count() -> None:
    bars = series("BTC/USD", [100.0, 110.0, 500.0, 900.0])
    when = START_NS + DAY_NS * np.arange(3)
    made = report(when, np.array([100.0, 101.0, 102.0]), bars={"BTC/USD": bars}, run=run_of(bars=2, bars_total=4))
    assert made.stats["buy_hold_return"] == near(0.1)
    assert made.benchmark is not None
    assert made.benchmark.total_return == near(0.1)
    assert "ended_early" in {finding.code for finding in made.findings}


def test_the_benchmark_may_be_another_symbol() -> None:
    when, equity = walk(20)
    made = report(when, equity, bars={"BTC/USD": series("BTC/USD", np.arange(1.0, 21))}, benchmark=series("GOLD", np.full(20, 5.0)))
    assert made.benchmark is not None
    assert (made.benchmark.symbol, made.benchmark.total_return, made.benchmark.alpha) == ("GOLD", 0.0, None)


@pytest.mark.parametrize("equity", [[], [100.0], [100.0, 100.0], [0.0, 0.0, 5.0], [100.0, -5.0, 20.0], [100.0, 0.0, 0.0]])
def test_odd_curves_make_a_report(equity: list[float]) -> None:
    values = np.asarray(equity, float)
    made = report(START_NS + DAY_NS * np.arange(len(values)), values, bars={"BTC/USD": series("BTC/USD", np.ones(3) * 5)})
    assert made.findings
    assert made.trades == ()
    bare = report(START_NS + DAY_NS * np.arange(len(values)), values, bars={})
    assert bare.benchmark is None


def test_the_evidence_counts_flags_and_refusals() -> None:
    when, equity = walk(4)
    fills = [fill("buy", "1", "5", int(when[0]), path_dependent=True), fill("sell", "1", "5", int(when[1]), reason="margin_call")]
    refused = [Rejection(time_ns=0, order_id=str(at), code=RejectCode.INSUFFICIENT_CASH, reason="") for at in range(3)]
    made = report(
        when,
        equity,
        fills=fills,
        bars={"BTC/USD": series("BTC/USD", np.ones(4) * 5)},
        orders=[_order("1"), _order("2", path_dependent=True)],
        result={"rejections": tuple(refused)},
    )
    by_code = {finding.code: finding for finding in made.findings}
    assert by_code["fills_depend_on_the_path"].figures == {
        "path_dependent_fills": 1.0, "fills": 2.0, "path_dependent_orders": 1.0, "share": 0.5,
    }  # fmt: skip
    assert by_code["margin_called"].figures == {"fills": 1.0}
    assert by_code["cash_bound"].figures["refused"] == 3.0
    assert next(iter(by_code)) == "margin_called"


def test_a_run_within_a_day_has_returns_from_point_to_point() -> None:
    steps = np.random.default_rng(1).normal(0, 0.001, 300)
    equity = 100.0 * np.concatenate(([1.0], np.cumprod(1 + steps)))
    bars = series("BTC/USD", np.full(300, 5.0), step_ns=MINUTE_NS)
    made = report(START_NS + MINUTE_NS * np.arange(301), equity, bars={"BTC/USD": bars}, run=run_of(timeframe="1m"))
    assert not made.returns_are_daily
    assert made.returns is not None
    assert made.returns.counts.sum() == 300
    assert made.rolling is not None


# --- the words ---


@pytest.mark.parametrize(
    ("heading", "made", "identity"),
    [("## The report", Report, {"run_id", "asset_class", "stats"}), ("### Against a benchmark", BenchmarkComparison, set())],
)
def test_the_documentation_tells_every_table_and_figure_of_a_report(heading: str, made: type, identity: set[str]) -> None:
    text = (Path(__file__).parents[3] / "docs" / "statistics.md").read_text(encoding="utf-8").partition(heading)[2]
    section = text.partition("\n##")[0]
    told = [name for line in section.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted(told) == sorted({field.name for field in fields(made)} - identity)
