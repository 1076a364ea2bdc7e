"""The statistics of a run: what each figure is called, its unit and its formula in one sentence."""

from enum import StrEnum
from typing import Final

import msgspec


class StatisticUnit(StrEnum):
    """How a figure is written: a fraction of 0.012 is 1.2 percent; money is in the account's currency."""

    MONEY = "money"
    RATIO = "ratio"
    FRACTION = "fraction"
    SECONDS = "seconds"
    COUNT = "count"


class StatisticSpec(msgspec.Struct, frozen=True):
    """One figure of a run. `formula` is what a person reads on hover; docs/statistics.md has the rest."""

    key: str
    title: str
    unit: StatisticUnit
    formula: str


_MONEY, _RATIO, _FRACTION, _SECONDS, _COUNT = StatisticUnit

STATISTICS: Final = (
    StatisticSpec("start_equity", "Start equity", _MONEY, "Equity at the run's start."),
    StatisticSpec("end_equity", "End equity", _MONEY, "Cash plus open positions at their last closes, at the run's end."),
    StatisticSpec("peak_equity", "Peak equity", _MONEY, "Highest equity at any bar's end."),
    StatisticSpec("total_return", "Total return", _FRACTION, "End equity ÷ start equity − 1."),
    StatisticSpec("cagr", "Annual growth (CAGR)", _FRACTION, "(End equity ÷ start equity) ^ (365 days ÷ elapsed days) − 1."),
    StatisticSpec("volatility_ann", "Volatility, annual", _FRACTION, "Sample standard deviation of returns × √periods per year."),
    StatisticSpec(
        "sharpe", "Sharpe ratio", _RATIO, "Mean return ÷ sample standard deviation of returns × √periods per year, risk-free rate 0."
    ),
    StatisticSpec("sortino", "Sortino ratio", _RATIO, "Mean return ÷ root mean square of min(return, 0) × √periods per year."),
    StatisticSpec("calmar", "Calmar ratio", _RATIO, "CAGR ÷ |max drawdown|."),
    StatisticSpec("omega", "Omega ratio", _RATIO, "Sum of the gains ÷ |sum of the losses| among returns, threshold 0."),
    StatisticSpec("max_drawdown", "Max drawdown", _FRACTION, "Lowest equity ÷ highest equity before it − 1, over all points."),
    StatisticSpec(
        "max_drawdown_duration_s", "Longest drawdown", _SECONDS, "Longest time from a peak until equity is back at it, or until the end."
    ),
    StatisticSpec(
        "avg_drawdown", "Average drawdown", _FRACTION, "Mean of the deepest points of all drawdowns, each from a peak to its recovery."
    ),
    StatisticSpec("ulcer_index", "Ulcer index", _FRACTION, "Root mean square of drawdown over all points."),
    StatisticSpec("exposure", "Exposure", _FRACTION, "Share of bars' ends at which a position is open."),
    StatisticSpec("buy_hold_return", "Buy and hold", _FRACTION, "Last close ÷ first open − 1 of the first symbol, over the run's bars."),
    StatisticSpec("alpha", "Alpha, annual", _FRACTION, "(1 + mean of return − beta × benchmark's return) ^ periods per year − 1."),
    StatisticSpec("beta", "Beta", _RATIO, "Covariance of returns with the benchmark's ÷ variance of the benchmark's."),
    StatisticSpec("value_at_risk_95", "Value at risk, 95 %", _FRACTION, "5th percentile of returns, linearly interpolated."),
    StatisticSpec("cvar_95", "Expected shortfall, 95 %", _FRACTION, "Mean of the lowest 5 percent of returns, at least one."),
    StatisticSpec("skew", "Skew", _RATIO, "Third central moment of returns ÷ (second central moment) ^ 1.5."),
    StatisticSpec("kurtosis", "Excess kurtosis", _RATIO, "Fourth central moment of returns ÷ (second central moment)² − 3."),
    StatisticSpec("trades", "Trades", _COUNT, "Round trips: entry part × exit part, first in, first out."),
    StatisticSpec("win_rate", "Win rate", _FRACTION, "Trades with a profit ÷ trades; profit is net of fees."),
    StatisticSpec("profit_factor", "Profit factor", _RATIO, "Sum of the profits ÷ |sum of the losses| of trades."),
    StatisticSpec("expectancy", "Expectancy", _MONEY, "Mean profit of a trade, net of fees."),
    StatisticSpec("avg_win", "Average win", _MONEY, "Mean profit of the trades that won."),
    StatisticSpec("avg_loss", "Average loss", _MONEY, "Mean profit of the trades that lost, below zero."),
    StatisticSpec("best_trade", "Best trade", _MONEY, "Highest profit of a trade."),
    StatisticSpec("worst_trade", "Worst trade", _MONEY, "Lowest profit of a trade."),
    StatisticSpec("avg_trade_duration_s", "Average time in a trade", _SECONDS, "Mean of exit time − entry time."),
    StatisticSpec("sqn", "System quality number", _RATIO, "√trades × mean profit ÷ sample standard deviation of profit."),
    StatisticSpec("kelly", "Kelly fraction", _FRACTION, "Win rate − (1 − win rate) ÷ (average win ÷ |average loss|)."),
    StatisticSpec("fees", "Fees", _MONEY, "Sum of the fees of all fills."),
    StatisticSpec("slippage", "Slippage", _MONEY, "Sum of what slippage cost on all fills."),
    StatisticSpec("turnover", "Turnover", _RATIO, "Sum of quantity × price over all fills, both sides, ÷ mean equity."),
    StatisticSpec("long_trades", "Long trades", _COUNT, "Trades that bought first."),
    StatisticSpec("short_trades", "Short trades", _COUNT, "Trades that sold first."),
    StatisticSpec("mae", "Adverse excursion", _FRACTION, "Mean over trades of the worst price while open against the entry price, ≤ 0."),
    StatisticSpec("mfe", "Favourable excursion", _FRACTION, "Mean over trades of the best price while open against the entry price, ≥ 0."),
    StatisticSpec("best_day", "Best day", _FRACTION, "Highest daily return."),
    StatisticSpec("worst_day", "Worst day", _FRACTION, "Lowest daily return."),
    StatisticSpec("max_consecutive_losses", "Longest losing streak", _COUNT, "Most losing trades in a row, by exit."),
)
