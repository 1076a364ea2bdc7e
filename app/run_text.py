"""A run's report for the terminal: the main figures, the first and last trades, what is open and what was refused."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from app.console import figure, percent, short, table
from app.run_document import RunReport, run_head
from app.run_terms import settings_text
from core.model.instants import from_ns
from core.model.market import Timeframe
from core.model.money import plain
from core.model.position import Trade
from core.model.run import Run, RunConfig

if TYPE_CHECKING:
    from rich.console import RenderableType

TRADES_SHOWN = 5
REFUSED_SHOWN = 5

_CARDS = (
    (("End equity", "end_equity", "money"), ("Total return", "total_return", "percent"), ("Buy and hold", "buy_hold_return", "percent")),
    (("Max drawdown", "max_drawdown", "percent"), ("CAGR", "cagr", "percent"), ("Volatility, a year", "volatility_ann", "percent")),
    (("Sharpe", "sharpe", "ratio"), ("Sortino", "sortino", "ratio"), ("Exposure", "exposure", "percent")),
    (("Trades", "trades", "count"), ("Win rate", "win_rate", "percent"), ("Profit factor", "profit_factor", "ratio")),
    (("Fees", "fees", "money"), ("Slippage", "slippage", "money"), ("Expectancy", "expectancy", "money")),
)


def report_text(report: RunReport) -> list["RenderableType"]:
    """Return the report, one part below the other, at most 80 columns wide."""
    run, result = report.run, report.result
    head = run_head(run, result)
    title = f"{run.config.strategy_id} on {', '.join(run.config.symbols)}, {run.config.timeframe}: {run.status}"
    span = f"{head['start'] or '–'} to {head['end'] or '–'}"
    speed = f", {run.bars / run.elapsed_s:,.0f} a second" if run.elapsed_s > 0 else ""
    params = ", ".join(f"{name} {value}" for name, value in run.config.params.items()) or "none"
    parts: list[RenderableType] = [
        Text(title, style="bold"),
        Text(f"{span}; {run.bars:,} bars{speed}"),
        Text(f"Parameters: {params}. Cash {plain(run.config.cash)}, fees {run.config.fees}, slippage {run.config.slippage}."),
    ]
    settings = settings_text(run.config)
    if settings:
        parts.append(Text(settings))
    if run.error:
        parts.append(Text(run.error))
    if result is not None:
        parts += ["", _cards(result.stats)]
        parts += _trades(result.trades, run.config)
        if result.open_positions:
            held = ", ".join(f"{short(item.qty)} {item.symbol} at {short(item.avg_price)}" for item in result.open_positions)
            parts += ["", Text(f"Open at the end: {held}.")]
        if result.rejections:
            parts += ["", Text(f"{len(result.rejections):,} orders were refused:")]
            parts += [Text(f"  {_minute(item.time_ns)}  {item.code}: {item.reason}") for item in result.rejections[:REFUSED_SHOWN]]
            if len(result.rejections) > REFUSED_SHOWN:
                parts.append(Text(f"  … and {len(result.rejections) - REFUSED_SHOWN:,} more"))
    if report.files:
        parts += ["", Text(f"Report: {report.files[0]}")]
    parts += ["", Text(f"Run {run.id}; `weaver runs show {run.id[:12]}` prints this again.")]
    return parts


def _cards(stats: dict[str, float | None]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(3):
        grid.add_column(style="dim")
        grid.add_column(justify="right", style="bold")
    for cards in _CARDS:
        grid.add_row(*(cell for name, key, kind in cards for cell in (name, _shown(stats.get(key), kind))))
    return grid


def _shown(value: float | None, kind: str) -> Text:
    text = {
        "percent": percent,
        "money": figure,
        "ratio": figure,
        "count": lambda count: figure(count, 0),
    }[kind](value)
    signed = kind == "percent" and value is not None
    return Text(text, style="red" if signed and text.startswith("−") else "")


def _trades(trades: Sequence[Trade], config: RunConfig) -> list["RenderableType"]:
    if not trades:
        return ["", Text("No round trip was closed.")]
    if len(trades) <= 2 * TRADES_SHOWN:
        return ["", _trade_table(trades, config)]
    between = Text(f"  … {len(trades) - 2 * TRADES_SHOWN:,} more …", style="dim")
    return ["", _trade_table(trades[:TRADES_SHOWN], config), between, _trade_table(trades[-TRADES_SHOWN:], config)]


def _trade_table(trades: Sequence[Trade], config: RunConfig) -> "RenderableType":
    several = len(config.symbols) > 1
    form = "%Y-%m-%d" if Timeframe.parse(config.timeframe).is_daily else "%y-%m-%d %H:%M" if several else "%Y-%m-%d %H:%M"
    sides = len({trade.side for trade in trades}) > 1  # a cash account has one side: that column says nothing
    rows = [
        (
            f"{from_ns(trade.entry_ns):{form}}",
            f"{from_ns(trade.exit_ns):{form}}",
            *((trade.symbol,) if several else ()),
            *((str(trade.side),) if sides else ()),
            short(trade.qty),
            short(trade.entry_price),
            short(trade.exit_price),
            figure(float(trade.pnl)),
        )
        for trade in trades
    ]
    columns = ("entry UTC", "exit UTC", *(("symbol",) if several else ()), *(("side",) if sides else ()), "qty", "in", "out", "profit")
    return table(columns, rows, right=("qty", "in", "out", "profit"))


def _minute(instant_ns: int) -> str:
    return f"{from_ns(instant_ns):%Y-%m-%d %H:%M}"


def run_rows(runs: Sequence[Run]) -> "RenderableType":
    """Return the table of runs, newest first."""
    rows = [
        (
            run.id[:12],
            run.config.strategy_id,
            ",".join(run.config.symbols),
            run.config.timeframe,
            str(run.status) + (" (demo)" if run.demo else ""),
            f"{run.bars:,}",
            _minute(run.created_ns),
        )
        for run in runs
    ]
    return table(
        ("run", "strategy", "symbols", "tf", "status", "bars", "created UTC"), rows, right=("bars",), fold=("strategy", "symbols", "status")
    )
