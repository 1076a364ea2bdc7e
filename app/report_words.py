"""Figures of the report's page, written for a person, and the call that repeats a run."""

import shlex
from html import escape
from typing import Final

from app.console import figure, percent
from core.model.instants import from_ns, iso
from core.model.market import Timeframe
from core.model.money import plain
from core.model.run import AccountTerms, Run
from core.model.statistics import StatisticSpec, StatisticUnit

COLOURED: Final = frozenset(
    {"total_return", "cagr", "buy_hold_return", "alpha", "expectancy", "best_day", "worst_day", "best_trade", "worst_trade", "max_drawdown"}
)
"""Statistics whose sign has a colour."""


def statistic(spec: StatisticSpec, value: float | None) -> str:
    """Return a statistic as it stands on the page; `–` when it is undefined."""
    if spec.unit is StatisticUnit.FRACTION:
        return percent(value)
    if spec.unit is StatisticUnit.SECONDS:
        return duration(value)
    return figure(value, 0 if spec.unit is StatisticUnit.COUNT else 2)


def tone(value: float | None) -> str:
    """Return the class of a figure with a colour: up, down, or none at 0."""
    return "" if not value else "up" if value > 0 else "down"


def duration(seconds: float | None, *, daily: bool = False) -> str:
    """Return `3 d 4 h`, `2 h 5 min`, `40 s`: the two largest units; days alone where the bars are days."""
    if seconds is None:
        return "–"
    if daily:
        return f"{round(seconds / 86_400):,} d"  # summer time makes some days an hour longer
    for unit_s, name, below_s, below in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= unit_s:
            whole, rest = divmod(int(seconds), unit_s)
            part = rest // below_s
            return f"{whole:,} {name} {part} {below}" if part and whole < 100 else f"{whole:,} {name}"
    return f"{seconds:.0f} s"


def instant(instant_ns: int | None, *, daily: bool) -> str:
    """Return a moment in UTC: the date alone for runs on days."""
    return "–" if instant_ns is None else f"{from_ns(instant_ns):{'%Y-%m-%d' if daily else '%Y-%m-%d %H:%M'}}"


def axis_money(value: float) -> str:
    """Return an amount for an axis: no more decimals than it needs."""
    return figure(value, 0 if abs(value) >= 100 or value == round(value) else 2)


def axis_percent(value: float) -> str:
    """Return a fraction for an axis or a bin."""
    share = 100.0 * value
    decimals = next((each for each in (0, 1, 2) if abs(share - round(share, each)) < 10.0 ** -(each + 3)), 3)
    return percent(value if share else 0.0, decimals)


def command_of(run: Run) -> str:
    """Return the call that runs the same again."""
    config = run.config
    words = ["weaver", "backtest", config.strategy_id]
    for symbol in config.symbols:
        words += ["--symbol", symbol]
    words += ["--timeframe", config.timeframe]
    for option, moment in (("--start", config.start_ns), ("--end", config.end_ns)):
        if moment is not None:
            words += [option, iso(moment)]
    for name, value in config.params.items():
        words += ["--param", f"{name}={value}"]
    words += ["--cash", plain(config.cash), "--fees", config.fees, "--slippage", config.slippage, "--path", str(config.path)]
    account, usual = config.account, AccountTerms()
    if account.kind is not usual.kind:
        words += ["--account", str(account.kind)]
    for option, rate, default in (
        ("--borrow-rate", account.borrow_rate, usual.borrow_rate),
        ("--debit-rate", account.debit_rate, usual.debit_rate),
        ("--credit-rate", account.credit_rate, usual.credit_rate),
    ):
        if rate != default:
            words += [option, plain(rate)]
    for symbol in account.hard_to_borrow:
        words += ["--hard-to-borrow", symbol]
    if config.volume_cap is not None:
        words += ["--volume-cap", plain(config.volume_cap)]
    for option, said in (
        ("--trade-through", config.trade_through),
        ("--close-at-end", config.close_at_end),
        ("--no-actions", not config.corporate_actions),
    ):
        if said:
            words.append(option)
    if config.seed:
        words += ["--seed", str(config.seed)]
    if config.source is not None:
        words += ["--source", config.source]
    if config.adjustment is not None:
        words += ["--adjustment", str(config.adjustment)]
    return shlex.join(words)


def is_daily(run: Run) -> bool:
    """Whether the run's bars are of a day or more: then a date says all of a moment."""
    return Timeframe.parse(run.config.timeframe).is_daily


def cells(row: tuple[str, ...], *, tag: str = "td") -> str:
    """Return a row's cells, escaped."""
    return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
