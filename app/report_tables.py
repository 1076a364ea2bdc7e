"""Tables of the report's page."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from html import escape
from typing import Final

from app.console import figure, percent
from app.report_words import duration, instant, statistic, tone
from core.model.money import plain, to_float
from core.model.position import Trade
from core.model.report import AccountPeriod, AccountTotal, BenchmarkComparison, Drawdown, EntryKind, Report, TradeGroup, YearReturns
from core.model.statistics import STATISTICS, StatisticSpec, StatisticUnit
from core.views.decimals import DecimalRules

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TRADES_SHOWN: Final = 500
"""Trades in the page; the others are in trades.csv."""

_F, _R, _M = StatisticUnit.FRACTION, StatisticUnit.RATIO, StatisticUnit.MONEY
BENCHMARK: Final = (
    StatisticSpec("total_return", "Total return", _F, "Its last ÷ first equity − 1."),
    StatisticSpec("cagr", "Annual growth (CAGR)", _F, "(1 + total return) ^ (365 days ÷ elapsed days) − 1."),
    StatisticSpec("volatility_ann", "Volatility, annual", _F, "Sample standard deviation of its returns × √periods per year."),
    StatisticSpec("sharpe", "Sharpe ratio", _R, "Mean return ÷ sample standard deviation of returns × √periods per year."),
    StatisticSpec("max_drawdown", "Max drawdown", _F, "Lowest equity ÷ highest equity before it − 1."),
)
AGAINST: Final = (
    StatisticSpec("alpha", "Alpha, annual", _F, "(1 + mean of return − beta × benchmark's return) ^ periods per year − 1."),
    StatisticSpec("beta", "Beta", _R, "Covariance of returns with the benchmark's ÷ variance of the benchmark's."),
    StatisticSpec("correlation", "Correlation", _R, "Covariance ÷ (standard deviation of the run's × of the benchmark's returns)."),
    StatisticSpec("tracking_error", "Tracking error", _F, "Sample standard deviation of active returns × √periods per year."),
    StatisticSpec(
        "information_ratio", "Information ratio", _R, "Mean active return ÷ their sample standard deviation × √periods per year."
    ),
    StatisticSpec("up_capture", "Up capture", _F, "Annual growth over the periods in which the benchmark rose ÷ the benchmark's."),
    StatisticSpec("down_capture", "Down capture", _F, "Annual growth over the periods in which the benchmark fell ÷ the benchmark's."),
)


def table(head: Sequence[str], rows: Sequence[str], *, style: str = "", left: Collection[int] = ()) -> str:
    """Return a table of finished rows under a head of plain words. `left`: columns of words, beside the first."""
    heads = "".join(f'<th class="left">{escape(name)}</th>' if at in left else f"<th>{escape(name)}</th>" for at, name in enumerate(head))
    opened = f'<table class="{style}">' if style else "<table>"
    return f'<div class="scroll">{opened}<thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def row(*cells: str, tip: str = "", tones: dict[int, str] | None = None) -> str:
    """Return a row of plain words. `tones`: class of the cell at a place."""
    marked = tones or {}
    opened = f'<tr title="{escape(tip)}">' if tip else "<tr>"
    told = (
        f'<td class="{marked[at]}">{escape(cell)}</td>' if marked.get(at) else f"<td>{escape(cell)}</td>" for at, cell in enumerate(cells)
    )
    return f"{opened}{''.join(told)}</tr>"


def heat_table(years: Sequence[YearReturns]) -> str:
    """Return months × years, the stronger the colour the larger the return."""
    strongest = max((abs(month) for year in years for month in year.months if month is not None), default=0.0) or 1.0
    rows = []
    for year in years:
        months = "".join(_heat_cell(value, strongest, f"{name} {year.year}") for name, value in zip(MONTHS, year.months, strict=True))
        total = "–" if year.total is None else percent(year.total, 1)
        rows.append(f"<tr><td>{year.year}</td>{months}<td class='{tone(year.total)}'><b>{escape(total)}</b></td></tr>")
    return table(("", *MONTHS, "Year"), rows, style="heat")


def _heat_cell(value: float | None, strongest: float, where: str) -> str:
    if value is None:
        return "<td></td>"
    strength = 0.10 + 0.60 * min(1.0, abs(value) / strongest) if value else 0.05
    colour = "up" if value >= 0 else "down"
    text = figure(100.0 * value, 1 if abs(value) < 0.9995 else 0)
    return f'<td style="background:rgb(var(--{colour}-rgb)/{strength:.2f})" title="{where}: {escape(percent(value))}">{text}</td>'


def drawdown_rows(drawdowns: Sequence[Drawdown], *, daily: bool) -> str:
    """Return the table of drawdowns."""
    rows = [
        row(
            instant(item.start_ns, daily=daily),
            instant(item.trough_ns, daily=daily),
            "not yet" if item.recovery_ns is None else instant(item.recovery_ns, daily=daily),
            percent(item.depth),
            duration(item.fall_s, daily=daily),
            duration(item.recovery_s, daily=daily),
            duration(item.duration_s, daily=daily),
            tones={3: "down"},
        )
        for item in drawdowns
    ]
    return table(("peak", "lowest", "recovered", "depth", "fall", "recovery", "in all"), rows)


def group_table(name: str, groups: Sequence[TradeGroup]) -> str:
    """Return a table of groups of trades."""
    rows = [
        row(
            group.name,
            f"{group.trades:,}",
            percent(group.win_rate, 1),
            figure(group.profit),
            figure(group.mean_profit),
            figure(group.profit_factor),
            figure(group.best),
            figure(group.worst),
            figure(group.fees),
            tones={3: tone(group.profit)},
        )
        for group in groups
    ]
    return table((name, "trades", "won", "profit", "mean", "profit factor", "best", "worst", "fees"), rows)


def benchmark_tables(compared: BenchmarkComparison, stats: dict[str, float | None]) -> str:
    """Return the run beside the benchmark, and what one is against the other."""
    beside = [
        row(spec.title, statistic(spec, stats.get(spec.key)), statistic(spec, getattr(compared, spec.key)), tip=spec.formula)
        for spec in BENCHMARK
    ]
    against = [row(spec.title, statistic(spec, getattr(compared, spec.key)), tip=spec.formula) for spec in AGAINST]
    return _two(table(("", "run", f"{compared.symbol} held"), beside), table(("", "run against it"), against))


def account_tables(totals: Sequence[AccountTotal], periods: Sequence[AccountPeriod]) -> str:
    """Return what happened to the account beside its fills: by symbol and kind, and over time."""
    rows = [
        row(
            item.symbol or "account",
            item.kind.words,
            f"{item.count:,}",
            _amount(item.amount),
            tones={1: "left", 3: _amount_tone(item.amount)},
        )
        for item in totals
    ]
    cash = sum((item.amount for item in totals if item.amount is not None), Decimal(0))
    rows.append(row("all", "", f"{sum(item.count for item in totals):,}", figure(to_float(cash)), tones={3: _amount_tone(cash)}))
    kinds = [kind for kind in EntryKind if any(item.kind is kind and item.amount is not None for item in totals)]
    over_time = [
        row(item.name, f"{item.count:,}", *(_amount(item.amounts.get(kind)) for kind in kinds), figure(to_float(item.amount)))
        for item in periods
    ]
    heads = ("UTC", "count", *(kind.words.lower() for kind in kinds), "in all")
    return table(("symbol", "what", "count", "sum"), rows, left=(1,)) + "<h3>Over time</h3>" + table(heads, over_time)


def _amount(amount: Decimal | None) -> str:
    return "–" if amount is None else figure(to_float(amount))


def _amount_tone(amount: Decimal | None) -> str:
    return "" if amount is None else tone(to_float(amount))


def statistics_tables(stats: dict[str, float | None]) -> str:
    """Return every statistic; the formula on hover."""
    rows = [row(spec.title, statistic(spec, stats.get(spec.key)), tip=f"{spec.key}: {spec.formula}") for spec in STATISTICS]
    half = -(-len(rows) // 2)
    return _two(table(("figure", ""), rows[:half]), table(("figure", ""), rows[half:]))


def _two(left: str, right: str) -> str:
    return f'<div class="two"><div>{left}</div><div>{right}</div></div>'


def trade_table(report: Report, *, daily: bool, several: bool) -> str:
    """Return the first and the last trades, up to `TRADES_SHOWN` of them."""
    trades, rules = report.trades, DecimalRules()
    for trade in trades:
        rules.saw_price(trade.symbol, trade.entry_price)
        rules.saw_qty(trade.symbol, trade.qty)
    if len(trades) <= TRADES_SHOWN:
        rows = [_trade(at, trade, rules, daily=daily, several=several) for at, trade in enumerate(trades, 1)]
    else:
        half = TRADES_SHOWN // 2
        rows = [_trade(at, trade, rules, daily=daily, several=several) for at, trade in enumerate(trades[:half], 1)]
        rows.append(f'<tr><td colspan="13" class="left muted">… {len(trades) - 2 * half:,} more …</td></tr>')
        rows += [_trade(at, trade, rules, daily=daily, several=several) for at, trade in enumerate(trades[-half:], len(trades) - half + 1)]
    symbol = ("symbol",) if several else ()
    return table(("#", *symbol, "side", "entry", "exit", "qty", "in", "out", "profit", "return", "fees", "worst", "best", "held"), rows)


def _trade(at: int, trade: Trade, rules: DecimalRules, *, daily: bool, several: bool) -> str:
    value = to_float(trade.entry_price * trade.qty)
    gained = to_float(trade.pnl)
    symbol = (trade.symbol,) if several else ()
    decimals = rules.price(trade.symbol)
    return row(
        f"{at:,}",
        *symbol,
        str(trade.side),
        instant(trade.entry_ns, daily=daily),
        instant(trade.exit_ns, daily=daily),
        figure(to_float(trade.qty), rules.qty(trade.symbol)),
        figure(to_float(trade.entry_price), decimals),
        figure(to_float(trade.exit_price), decimals),
        figure(gained),
        percent(gained / value) if value > 0 else "–",
        figure(to_float(trade.fees)),
        percent(trade.mae),
        percent(trade.mfe),
        duration((trade.exit_ns - trade.entry_ns) / 1e9, daily=daily),
        tip=f"{plain(trade.qty)}: in at {plain(trade.entry_price)}, out at {plain(trade.exit_price)}",
        tones={7 + several: tone(gained), 8 + several: tone(gained)},
    )
