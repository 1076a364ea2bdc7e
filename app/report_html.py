"""The report of a run as one page of HTML: style and plots inside, no script, nothing from a network."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

import numpy as np

from app.console import figure, percent
from app.report_files import BESIDE
from app.report_svg import HALF, WIDTH, Line, bar_plot, histogram_plot, legend, scatter_plot, time_plot
from app.report_tables import (
    TRADES_SHOWN,
    account_tables,
    benchmark_tables,
    drawdown_rows,
    group_table,
    heat_table,
    row,
    statistics_tables,
    table,
    trade_table,
)
from app.report_words import COLOURED, axis_money, axis_percent, command_of, instant, is_daily, statistic, tone
from app.run_terms import settings_text
from core.model.instants import iso
from core.model.money import plain, to_float
from core.model.position import Trade
from core.model.report import Histogram, Report, TradeGroup
from core.model.run import Run
from core.model.statistics import STATISTICS

GENERATOR: Final = '<meta name="generator" content="Weaver">'
"""Stands near the top of every page: by it a report of ours is known again."""

CARDS: Final = (
    "total_return", "cagr", "max_drawdown", "sharpe", "sortino", "volatility_ann", "trades", "win_rate", "profit_factor", "expectancy",
    "exposure", "end_equity", "buy_hold_return", "fees",
)  # fmt: skip
_STYLE: Final = Path(__file__).parents[1] / "resources" / "report.css"
_SPECS: Final = {spec.key: spec for spec in STATISTICS}


def report_page(run: Run, report: Report, *, beside: bool) -> str:
    """Return the page. `beside`: trades.csv and the other files lie next to it. Some hundred milliseconds: call it in a thread."""
    config = run.config
    title = f"{config.strategy_id} on {', '.join(config.symbols)}, {config.timeframe}"
    parts = [
        _head(run, report, title),
        _findings(report),
        _cards(report),
        _equity(report),
        _months(report),
        _drawdowns(run, report),
        _rolling(report),
        _distributions(report),
        _exposure(report),
        _groups(report),
        _benchmark(report),
        _account(report),
        _section("All statistics", statistics_tables(report.stats) + '<p class="muted">The formula of each is on hover.</p>'),
        _trades(run, report, beside=beside),
        _left(report),
        _settings(run, report, beside=beside),
    ]
    style = _STYLE.read_text(encoding="utf-8")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">{GENERATOR}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>\n{style}</style></head>\n<body><main>\n{chr(10).join(part for part in parts if part)}\n"
        "</main></body></html>\n"
    )


def _section(title: str, body: str, *, style: str = "") -> str:
    return (
        f'<section class="{style}"><h2>{escape(title)}</h2>{body}</section>'
        if style
        else f"<section><h2>{escape(title)}</h2>{body}</section>"
    )


def _span(report: Report) -> tuple[int, int]:
    return int(report.equity_ns[0]), int(report.equity_ns[-1])


def _head(run: Run, report: Report, title: str) -> str:
    weight = {"completed": "", "stopped": " warning", "error": " alarm", "interrupted": " alarm"}.get(str(run.status), "")
    badges = f'<span class="badge{weight}">{run.status}</span>'
    if run.demo or run.config.source == "simulated":
        badges += '<span class="badge warning">simulated market</span>'
    daily = is_daily(run)
    first, last = run.first_bar_ns, run.last_bar_ns
    if len(report.equity_ns):
        first, last = _span(report)
    took = f" in {run.elapsed_s:.2f} s" if run.elapsed_s else ""
    said = f"{instant(first, daily=daily)} to {instant(last, daily=daily)} UTC · {run.bars:,} bars{took} · {run.config.mode}"
    error = f'<p class="down">{escape(run.error)}</p>' if run.error else ""
    return f'<header><h1>{escape(title)}{badges}</h1><p class="muted">{escape(said)}</p>{error}</header>'


def _findings(report: Report) -> str:
    if not report.findings:
        return _section("Findings", '<p class="muted">Nothing noteworthy was found. That does not prove the rule.</p>', style="findings")
    items = "".join(
        f'<li class="{finding.severity}"><em>{finding.severity.capitalize()}</em>'
        f"<span>{escape(finding.sentence).replace(' %', '&nbsp;%')}</span></li>"
        for finding in report.findings
    )
    return _section("Before you believe it", f"<ul>{items}</ul>", style="findings")


def _cards(report: Report) -> str:
    cards = []
    for key in CARDS:
        spec, value = _SPECS[key], report.stats.get(key)
        colour = tone(value) if key in COLOURED else ""
        cards.append(
            f'<div class="card" title="{escape(spec.formula)}"><span>{escape(spec.title)}</span>'
            f'<b class="{colour}">{escape(statistic(spec, value))}</b></div>'
        )
    return f'<div class="cards">{"".join(cards)}</div>'


def _equity(report: Report) -> str:
    if len(report.equity) < 2:
        return ""
    lines = [Line("Equity", "equity", report.equity_ns, report.equity)]
    if report.benchmark is not None:
        lines.append(Line(f"{report.benchmark.symbol} held", "benchmark", report.equity_ns, report.benchmark.equity))
    span = _span(report)
    # The run itself is drawn last, over the benchmark.
    body = legend(lines) + time_plot("Equity over time", lines[::-1], axis_money, span=span, height=300)
    if len(report.drawdown):
        under = Line("Drawdown", "down", report.equity_ns, report.drawdown, area=True)
        body += "<h3>Drawdown</h3>" + time_plot("Drawdown over time", [under], axis_percent, span=span, height=130)
    return _section("Equity", body)


def _months(report: Report) -> str:
    return _section("Monthly returns, percent", heat_table(report.years)) if report.years else ""


def _drawdowns(run: Run, report: Report) -> str:
    if not report.drawdowns:
        return ""
    return _section("Deepest drawdowns", drawdown_rows(report.drawdowns, daily=is_daily(run)))


def _rolling(report: Report) -> str:
    rolling = report.rolling
    if rolling is None:
        return ""
    span = _span(report)
    of = "days" if report.returns_are_daily else "returns"
    plots = [
        f"<h3>{name}</h3>" + time_plot(f"Rolling {name}", [Line(name, style, rolling.ends_ns, values)], form, span=span, height=150)
        for name, style, values, form in (
            ("Sharpe ratio", "equity", rolling.sharpe, figure),
            ("Volatility, annual", "second", rolling.volatility, axis_percent),
        )
    ]
    return _section(f"Over the last {rolling.window} {of}", "".join(plots))


def _distributions(report: Report) -> str:
    plots = []
    found = (
        ("Daily returns" if report.returns_are_daily else "Returns from point to point", report.returns),
        ("Return of trades", report.trade_returns),
    )
    for name, bins in found:
        if bins is not None:
            plots.append(_section(name, histogram_plot(name, bins.edges, bins.counts, axis_percent) + _beside_bins(bins)))
    known = [trade for trade in report.trades if trade.mae is not None and trade.mfe is not None]
    if known:
        gained = np.array([_return_of(trade) for trade in known])
        for name, words, moves in (
            ("Adverse excursion", "worst price while open, against the entry", np.array([trade.mae for trade in known], np.float64)),
            ("Favourable excursion", "best price while open, against the entry", np.array([trade.mfe for trade in known], np.float64)),
        ):
            plots.append(_section(name, scatter_plot(name, moves, gained, axis_percent, names=(words, "return of the trade"))))
    return "".join(f'<div class="two">{"".join(plots[at : at + 2])}</div>' for at in range(0, len(plots), 2))


def _beside_bins(bins: Histogram) -> str:
    notes = []
    if bins.unchanged:
        notes.append(f"{bins.unchanged:,} of exactly 0 are left out.")
    if bins.below + bins.above:
        notes.append(f"The outer bins hold {bins.below + bins.above:,} that lie beyond them.")
    return f'<p class="muted">{" ".join(notes)}</p>' if notes else ""


def _return_of(trade: Trade) -> float:
    value = to_float(trade.entry_price * trade.qty)
    return to_float(trade.pnl) / value if value > 0 else 0.0


def _exposure(report: Report) -> str:
    held = report.exposure
    if held is None or len(report.equity) < 2 or not len(report.fills):
        return ""
    lines = [Line("Net", "equity", report.equity_ns, held.net, area=True, mean=True)]
    if bool((held.gross[np.isfinite(held.gross)] != np.abs(held.net[np.isfinite(held.net)])).any()):
        lines.append(Line("Gross", "second", report.equity_ns, held.gross, mean=True))
    body = (legend(lines) if len(lines) > 1 else "") + time_plot("Exposure over time", lines, axis_percent, span=_span(report), height=150)
    return _section("Exposure, share of equity", body)


def _groups(report: Report) -> str:
    if not report.trades:
        return ""
    tables = group_table("symbol", report.by_symbol) + "<h3>By side</h3>" + group_table("side", report.by_side)
    grouped = [("hour", report.by_hour, 2), ("weekday", report.by_weekday, 3)]
    shown = [(name, groups, cut) for name, groups, cut in grouped if groups]
    width = HALF if len(shown) > 1 else WIDTH
    plots = [_section(f"Profit by {name} of entry, {report.zone}", _profit_bars(name, groups, cut, width)) for name, groups, cut in shown]
    return _section("By symbol", tables) + (f'<div class="two">{"".join(plots)}</div>' if len(plots) > 1 else "".join(plots))


def _profit_bars(name: str, groups: Sequence[TradeGroup], cut: int, width: int) -> str:
    tips = [f"{group.name}: {figure(group.profit)} in {group.trades:,} trades, {percent(group.win_rate, 0)} won" for group in groups]
    names, profits = [group.name[:cut] for group in groups], [group.profit for group in groups]
    return bar_plot(f"Profit by {name}", names, profits, tips, axis_money, width=width)


def _benchmark(report: Report) -> str:
    compared = report.benchmark
    return "" if compared is None else _section(f"Against buying and holding {compared.symbol}", benchmark_tables(compared, report.stats))


def _account(report: Report) -> str:
    if not report.account_totals:
        return ""
    return _section("Dividends, interest and charges", account_tables(report.account_totals, report.account_periods))


def _trades(run: Run, report: Report, *, beside: bool) -> str:
    if not report.trades:
        return ""
    note = ""
    if len(report.trades) > TRADES_SHOWN:
        all_of_them = '<a href="trades.csv">trades.csv</a>' if beside else f"<code>weaver runs show {escape(run.id)} --report FOLDER</code>"
        where = f"all are in {all_of_them}" if beside else f"{all_of_them} writes all of them"
        note = f'<p class="muted">The first and the last {TRADES_SHOWN // 2} of {len(report.trades):,} trades; {where}.</p>'
    body = trade_table(report, daily=is_daily(run), several=len(run.config.symbols) > 1)
    return _section("Trades", note + body, style="long")


def _left(report: Report) -> str:
    parts = []
    if report.open_positions:
        rows = [row(item.symbol, plain(item.qty), figure(to_float(item.avg_price), 4)) for item in report.open_positions]
        profit = "" if report.open_profit is None else f'<p class="muted">Their profit at the last close: {figure(report.open_profit)}.</p>'
        parts.append(_section("Open at the end", table(("symbol", "qty", "average price"), rows) + profit))
    if report.rejections:
        shown = report.rejections[:20]
        rows = [row(iso(item.time_ns), str(item.code), item.reason, tones={1: "left", 2: "left wrap"}) for item in shown]
        more = f'<p class="muted">… and {len(report.rejections) - len(shown):,} more.</p>' if len(report.rejections) > len(shown) else ""
        parts.append(_section("Refused orders", table(("time", "code", "reason"), rows, left=(1, 2)) + more))
    return "".join(parts)


def _settings(run: Run, report: Report, *, beside: bool) -> str:
    config, manifest = run.config, run.manifest
    asked_from = "the first bar" if config.start_ns is None else iso(config.start_ns)
    asked_to = "the last bar" if config.end_ns is None else iso(config.end_ns)
    facts = [
        ("Run", run.id),
        ("Strategy", config.strategy_id),
        ("Parameters", ", ".join(f"{name} {value}" for name, value in config.params.items()) or "none"),
        ("Symbols", ", ".join(config.symbols)),
        ("Timeframe", config.timeframe),
        ("Asked for", f"{asked_from} to {asked_to}"),
        ("Bars", f"{run.bars:,} of {run.bars_total:,}" + _missing(report)),
        ("Source of the bars", (config.source or "the only one stored") + (f", {config.adjustment}" if config.adjustment else "")),
        ("Start cash", plain(config.cash)),
        ("Fees", config.fees),
        ("Slippage", config.slippage),
        ("Path inside a bar", str(config.path)),
        ("Other settings", settings_text(config) or "as usual"),
        ("Created", iso(run.created_ns)),
    ]
    if manifest is not None:
        facts += [
            ("Hash of the strategy's code", manifest.strategy_sha256),
            ("Hash of the bars", manifest.bars_sha256),
            ("Engine", manifest.engine),
            ("Seed", str(manifest.seed)),
        ]
    rows = [f'<tr><td>{escape(name)}</td><td class="left wrap">{escape(text)}</td></tr>' for name, text in facts]
    links = ", ".join(f'<a href="{name}">{name}</a>' for name in BESIDE)
    files = f"<p>Beside this page: {links}.</p>" if beside else ""
    again = f"<h3>The same again</h3><pre><code>{escape(command_of(run))}</code></pre>"
    body = f'<div class="scroll"><table><tbody>{"".join(rows)}</tbody></table></div>{files}{again}'
    return _section("What was run", body, style="long")


def _missing(report: Report) -> str:
    coverage = report.coverage
    if coverage is None:
        return ""
    if not coverage.missing:
        return "; none missing against the calendar"
    return f"; {coverage.missing:,} missing against the calendar, in {coverage.holes:,} holes"
