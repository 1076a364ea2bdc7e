"""Figures and facts of a run, written for a person."""

from collections import Counter

from core.model.instants import day_of
from core.model.money import plain
from core.model.result import RunResult
from core.model.run import Run, RunStatus
from core.model.statistics import STATISTICS, StatisticSpec, StatisticUnit
from ui.format import MISSING, THIN, Zone, duration, number, percent, short, status_word

CARDS = ("total_return", "max_drawdown", "sharpe", "trades", "win_rate", "profit_factor", "exposure", "fees")
_SIGNED = frozenset(
    {"total_return", "cagr", "buy_hold_return", "alpha", "expectancy", "best_day", "worst_day", "best_trade", "worst_trade"}
)
_COLOURED = _SIGNED | {"max_drawdown", "avg_drawdown"}

SPECS = {spec.key: spec for spec in STATISTICS}


def figure(spec: StatisticSpec, value: float | None) -> str:
    """Return a statistic as it stands on the screen; `–` when it is undefined."""
    signed = spec.key in _SIGNED
    if spec.unit is StatisticUnit.FRACTION:
        return percent(value, 2, signed=signed)
    if spec.unit is StatisticUnit.SECONDS:
        return duration(value)
    return number(value, 0 if spec.unit is StatisticUnit.COUNT else 2, signed=signed)


def figure_role(spec: StatisticSpec, value: float | None) -> str:
    """Return the role of a figure's label: gain and loss have colours, other figures none."""
    if spec.key not in _COLOURED or not value:
        return "figure"
    return "gain" if value > 0 else "loss"


def heading(run: Run) -> str:
    """Return the run in a few words."""
    return f"{run.config.strategy_id} · {', '.join(run.config.symbols)} · {run.config.timeframe}"


def period(run: Run) -> str:
    """Return what was processed: the days, the bars and how long it took."""
    simulated = " · simulated market" if run.demo or run.config.source == "simulated" else ""
    if run.status is RunStatus.RUNNING:
        if not run.bars_total:
            return f"in real time{simulated}"
        return f"{number(run.bars_total)} bars to go through{simulated}"  # how far it is, the list of runs shows
    days = ""
    if run.first_bar_ns is not None and run.last_bar_ns is not None:
        days = f"{day_of(run.first_bar_ns)} to {day_of(run.last_bar_ns)} · "
    # Neither a number nor its unit is torn apart at the end of a line.
    took = " in " + duration(run.elapsed_s).replace(" ", "\u00a0") if run.elapsed_s else ""
    bars = f"{number(run.bars)} bars".replace(THIN, "\u202f").replace(" ", "\u00a0")
    return f"{days}{bars}{took}{simulated}"


def facts(run: Run, result: RunResult | None, zone: Zone) -> tuple[tuple[str, str, str], ...]:
    """Return what was asked for and what reproduces it: title, text, and the whole text for the tooltip."""
    config = run.config
    source = MISSING if config.source is None else config.source
    adjustment = "" if config.adjustment is None else f", {config.adjustment.value}"
    rows = [
        ("Status", status_word(run.status), run.error or ""),
        ("Strategy", config.strategy_id, ""),
        ("Symbols", ", ".join(config.symbols), ""),
        ("Timeframe", config.timeframe, ""),
        ("Source", source + adjustment, "" if config.source else "The only source that was stored."),
        ("Parameters", ", ".join(f"{name} {value}" for name, value in config.params.items()) or MISSING, ""),
        ("Start cash", number(config.cash), ""),
        ("Fees", config.fees, ""),
        ("Slippage", config.slippage, ""),
        ("Path in a bar", config.path.value, ""),
        ("Seed", str(config.seed), ""),
    ]
    if result is not None:
        refused = Counter(rejection.code.replace("_", " ") for rejection in result.rejections)
        rows.append(("Refused orders", ", ".join(f"{count} {code}" for code, count in refused.most_common()) or "0", ""))
        still_open = ", ".join(f"{position.symbol} {plain(position.qty)}" for position in result.open_positions)
        rows.append(("Open at the end", still_open or "0", ""))
    if run.manifest is not None:
        rows += [
            ("Strategy's code", short(run.manifest.strategy_sha256), run.manifest.strategy_sha256),
            ("Bars", short(run.manifest.bars_sha256), run.manifest.bars_sha256),
            ("Engine", run.manifest.engine, ""),
        ]
    rows += [
        ("Created", f"{zone.time(run.created_ns, to_the_second=True)} {zone.name(run.created_ns)}", ""),
        ("Run", short(run.id), run.id),
    ]
    return tuple((title, text, tip or text) for title, text, tip in rows)
