"""Findings: what a person should know before believing a run, each from a few figures. Thresholds: docs/statistics.md."""

from collections.abc import Callable, Sequence
from typing import Final

from core.backtest.report.evidence import Evidence
from core.model.report import Finding, Severity

FEW_TRADES: Final = 30
VERY_FEW_TRADES: Final = 10
ONE_TRADE_SHARE: Final = 0.5
IDLE_EXPOSURE: Final = 0.25
VERY_IDLE_EXPOSURE: Final = 0.05
PATH_SHARE: Final = 0.01
HIGH_PATH_SHARE: Final = 0.10
GAP_SHARE: Final = 0.001
WIDE_GAP_SHARE: Final = 0.01
COST_SHARE: Final = 0.5
INCOME_SHARE: Final = 0.5
ONE_MONTH_SHARE: Final = 0.8
FEWEST_MONTHS: Final = 3
OPEN_SHARE: Final = 0.5
REJECTED_SHARE: Final = 0.05

THRESHOLDS: Final = {name: value for name, value in globals().items() if name.isupper() and isinstance(value, int | float)}
"""Every threshold by name; the documentation lists them."""

MONEY_CODES: Final = frozenset({"insufficient_cash", "insufficient_margin"})
"""Rejections for lack of money."""


def too_few_trades(given: Evidence) -> Finding | None:
    """Few round trips prove little."""
    if given.trades >= FEW_TRADES:
        return None
    figures = {"trades": float(given.trades)}
    if given.trades == 0:
        return Finding(
            code="too_few_trades",
            severity=Severity.ALARM,
            sentence="No round trip was closed: nothing here tells whether the rule works.",
            figures=figures,
        )
    severity = Severity.ALARM if given.trades < VERY_FEW_TRADES else Severity.WARNING
    sentence = f"{_counted(given.trades, 'round trip')} only: with fewer than {FEW_TRADES} every figure of trades may be luck."
    return Finding(code="too_few_trades", severity=severity, sentence=sentence, figures=figures)


def one_trade_makes_the_profit(given: Evidence) -> Finding | None:
    """Without its best trade the run would be another one."""
    best = given.best_trade
    if given.trades < 2 or best is None or given.profit <= 0 or best < ONE_TRADE_SHARE * given.profit:
        return None
    share = best / given.profit
    if share >= 1.0:
        sentence = f"One trade makes the whole profit: it gained {_money(best)}; all the others together {_gained(given.profit - best)}."
    else:
        sentence = f"One trade makes {_percent(share)} of the profit: {_money(best)} of {_money(given.profit)}."
    severity = Severity.ALARM if share >= 1.0 else Severity.WARNING
    return Finding(
        code="one_trade_makes_the_profit",
        severity=severity,
        sentence=sentence,
        figures={"best_trade": best, "profit": given.profit, "share": share},
    )


def flat_most_of_the_time(given: Evidence) -> Finding | None:
    """A run that seldom holds anything has few chances to be wrong, and its ratios say little."""
    held = given.exposure
    if held is None or held >= IDLE_EXPOSURE:
        return None
    if held == 0.0:
        return None  # nothing was held at all: that is told by the trades
    severity = Severity.WARNING if held < VERY_IDLE_EXPOSURE else Severity.NOTE
    sentence = f"Flat for {_percent(1.0 - held)} of the time: a position was open at {_percent(held)} of the bars' ends."
    return Finding(code="flat_most_of_the_time", severity=severity, sentence=sentence, figures={"exposure": held})


def fills_depend_on_the_path(given: Evidence) -> Finding | None:
    """What happened inside a bar is assumed; where the assumption decides, so it does over the result."""
    touched = given.path_dependent_fills + given.path_dependent_orders
    if touched == 0:
        return None
    share = given.path_dependent_fills / given.fills if given.fills else 0.0
    left = given.path_dependent_orders / given.orders if given.orders else 0.0
    worst = max(share, left)
    severity = Severity.ALARM if worst >= HIGH_PATH_SHARE else Severity.WARNING if worst >= PATH_SHARE else Severity.NOTE
    parts = []
    if given.path_dependent_fills:
        parts.append(f"{_counted(given.path_dependent_fills, 'fill')} of {given.fills:,} ({_percent(share)}) would differ")
    if given.path_dependent_orders:
        unfilled = _counted(given.path_dependent_orders, "order")
        parts.append(f"{unfilled} of {given.orders:,} ({_percent(left)}) left unfilled would fill")
    sentence = f"The path assumed inside the bars decides: on another path {' and '.join(parts)}. Shorter bars would tell."
    figures = {
        "path_dependent_fills": float(given.path_dependent_fills),
        "fills": float(given.fills),
        "path_dependent_orders": float(given.path_dependent_orders),
        "share": worst,
    }
    return Finding(code="fills_depend_on_the_path", severity=severity, sentence=sentence, figures=figures)


def data_has_holes(given: Evidence) -> Finding | None:
    """Bars that the calendar expects are missing; stops and targets may have been reached in them."""
    coverage = given.coverage
    if coverage is None or coverage.share_missing < GAP_SHARE:
        return None
    share = coverage.share_missing
    severity = Severity.WARNING if share >= WIDE_GAP_SHARE else Severity.NOTE
    longest = f", the longest of {_counted(coverage.longest, 'bar')}" if coverage.holes > 1 else ""
    sentence = (
        f"The data has holes: {_percent(share)} of the bars that the calendar expects are missing "
        f"({_counted(coverage.missing, 'bar')} in {_counted(coverage.holes, 'hole')}{longest})."
    )
    return Finding(
        code="data_has_holes", severity=severity, sentence=sentence, figures={"missing": float(coverage.missing), "share": share}
    )


def costs_eat_the_edge(given: Evidence) -> Finding | None:
    """What the rule gained before costs went to the broker and the market."""
    costs = given.fees + given.slippage + given.charges
    if given.gain is None:
        return None
    before = given.gain + costs
    if costs <= 0 or before <= 0 or costs < COST_SHARE * before:
        return None
    share = costs / before
    names = ["fees"] if given.fees else []
    names += ["slippage"] if given.slippage else []
    what = _listed([*names, "interest", "borrowing"] if given.charges else names)
    sentence = f"Costs eat the edge: before them the run gained {_money(before)}; {what} took {_money(costs)} of it ({_percent(share)})."
    if given.gain <= 0:
        sentence = f"Costs eat the edge: before them the run gained {_money(before)}; {what} took {_money(costs)}."
    severity = Severity.ALARM if given.gain <= 0 else Severity.WARNING
    return Finding(
        code="costs_eat_the_edge", severity=severity, sentence=sentence, figures={"costs": costs, "before_costs": before, "share": share}
    )


def income_makes_the_profit(given: Evidence) -> Finding | None:
    """What the account was paid for holding made the gain, not what the rule bought and sold."""
    gain, income = given.gain, given.income
    if gain is None or gain <= 0 or income <= 0 or income < INCOME_SHARE * gain:
        return None
    share = income / gain
    if share >= 1.0:
        sentence = f"Dividends and interest make the whole gain: {_money(income)}; buying and selling {_gained(gain - income)}."
    else:
        sentence = f"Dividends and interest make {_percent(share)} of the gain: {_money(income)} of {_money(gain)}."
    severity = Severity.ALARM if share >= 1.0 else Severity.WARNING
    figures = {"income": income, "gain": gain, "share": share}
    return Finding(code="income_makes_the_profit", severity=severity, sentence=sentence, figures=figures)


def profit_in_one_month(given: Evidence) -> Finding | None:
    """One month carried the run."""
    gains = given.month_gains
    total = sum(gains)
    if len(gains) < FEWEST_MONTHS or total <= 0:
        return None
    best = max(gains)
    if best < ONE_MONTH_SHARE * total:
        return None
    month = given.months[gains.index(best)]
    share = best / total
    rest = f"the other {len(gains) - 1} months together {_gained(total - best)}"
    sentence = f"The profit is of one month: {month} gained {_money(best)}; {rest}."
    return Finding(
        code="profit_in_one_month",
        severity=Severity.WARNING,
        sentence=sentence,
        figures={"best_month": best, "gain": total, "share": share},
    )


def open_position_holds_the_profit(given: Evidence) -> Finding | None:
    """What is open at the end was never sold; what the end closed was not the rule's decision."""
    gained = given.closed_at_end_profit + (given.open_profit or 0.0)
    total = given.profit + (given.open_profit or 0.0) + given.income
    if gained <= 0 or total <= 0 or gained < OPEN_SHARE * total:
        return None
    share = gained / total
    how = "is open at the end" if not given.closed_at_end_profit else "was closed only by the end of the run"
    whole = "All" if share >= 0.9995 else _percent(share)
    figure = f"it gained {_money(gained)}; all else {_gained(total - gained)}" if share > 1.0 else f"{_money(gained)} of {_money(total)}"
    sentence = f"{whole} of the profit lies in what {how}: {figure}. The rule did not take it."
    figures = {"open_profit": gained, "profit": total, "share": share}
    return Finding(code="open_position_holds_the_profit", severity=Severity.WARNING, sentence=sentence, figures=figures)


def cash_bound(given: Evidence) -> Finding | None:
    """Orders failed for lack of money: the account decided, not the rule."""
    count = sum(number for code, number in given.rejections.items() if code in MONEY_CODES)
    if not count:
        return None
    share = count / given.orders if given.orders else 1.0
    severity = Severity.WARNING if share >= REJECTED_SHARE else Severity.NOTE
    sentence = (
        f"Cash binds: {_counted(count, 'order')} of {given.orders:,} ({_percent(share)}) {_was(count)} refused for lack of money. "
        "The result is what the account allowed, not what the rule decided."
    )
    return Finding(
        code="cash_bound",
        severity=severity,
        sentence=sentence,
        figures={"refused": float(count), "orders": float(given.orders), "share": share},
    )


def orders_refused(given: Evidence) -> Finding | None:
    """Orders were refused for another reason than money."""
    others = {code: number for code, number in given.rejections.items() if code not in MONEY_CODES}
    count = sum(others.values())
    if not count:
        return None
    share = count / given.orders if given.orders else 1.0
    severity = Severity.WARNING if share >= REJECTED_SHARE else Severity.NOTE
    reasons = ", ".join(
        f"{code.replace('_', ' ')} {number:,}" for code, number in sorted(others.items(), key=lambda item: (-item[1], item[0]))
    )
    sentence = f"{_counted(count, 'order')} of {given.orders:,} ({_percent(share)}) {_was(count)} refused: {reasons}."
    return Finding(
        code="orders_refused",
        severity=severity,
        sentence=sentence,
        figures={"refused": float(count), "orders": float(given.orders), "share": share},
    )


def margin_called(given: Evidence) -> Finding | None:
    """The broker would have sold the account out."""
    count = given.margin_call_fills
    if not count:
        return None
    sentence = (
        f"The account was liquidated by margin calls: {_counted(count, 'fill')} of {given.fills:,}. "
        "The rule takes more risk than the account bears."
    )
    return Finding(code="margin_called", severity=Severity.ALARM, sentence=sentence, figures={"fills": float(count)})


def holding_made_more(given: Evidence) -> Finding | None:
    """Doing nothing would have been better."""
    own, held = given.total_return, given.buy_hold_return
    if own is None or held is None or held <= 0 or own >= held:
        return None
    sentence = f"Buying and holding made more: {_percent(held)} against {_percent(own)}. Compare at the same risk before you judge."
    return Finding(
        code="holding_made_more", severity=Severity.NOTE, sentence=sentence, figures={"total_return": own, "buy_hold_return": held}
    )


def split_counted_twice(given: Evidence) -> Finding | None:
    """What was held was multiplied, and its price was not divided."""
    splits = given.splits_without_step
    if not splits:
        return None
    sentence = (
        f"{_counted(len(splits), 'split')} counted twice: {', '.join(splits)}. The price did not move there, so the bars hold "
        "it already; they are no raw prices."
    )
    return Finding(code="split_counted_twice", severity=Severity.ALARM, sentence=sentence, figures={"splits": float(len(splits))})


def ended_early(given: Evidence) -> Finding | None:
    """The run did not go through all its bars."""
    if given.bars_done >= given.bars_total:
        return None
    share = given.bars_done / given.bars_total
    sentence = f"The run ended early: after {given.bars_done:,} of {given.bars_total:,} bars ({_percent(share)})."
    return Finding(
        code="ended_early", severity=Severity.WARNING, sentence=sentence, figures={"bars": float(given.bars_done), "share": share}
    )


def prices_are_simulated(given: Evidence) -> Finding | None:
    """Made prices prove nothing about a market."""
    if not given.simulated:
        return None
    return Finding(
        code="prices_are_simulated",
        severity=Severity.NOTE,
        sentence="The prices are made up: they show how the program works, not whether the rule does.",
        figures={},
    )


RULES: Final[tuple[Callable[[Evidence], Finding | None], ...]] = (
    split_counted_twice,
    margin_called,
    too_few_trades,
    one_trade_makes_the_profit,
    income_makes_the_profit,
    costs_eat_the_edge,
    fills_depend_on_the_path,
    open_position_holds_the_profit,
    profit_in_one_month,
    data_has_holes,
    cash_bound,
    orders_refused,
    flat_most_of_the_time,
    ended_early,
    holding_made_more,
    prices_are_simulated,
)
_WEIGHT: Final = (Severity.ALARM, Severity.WARNING, Severity.NOTE)


def find_all(given: Evidence) -> tuple[Finding, ...]:
    """Return every finding, the weightiest first, else in the order of `RULES`."""
    found = [finding for rule in RULES if (finding := rule(given)) is not None]
    return tuple(sorted(found, key=lambda finding: _WEIGHT.index(finding.severity)))


def _percent(share: float) -> str:
    """Return a share for a sentence, with as many decimals as it takes not to call a little nothing and nearly all everything."""
    percent = 100.0 * share
    for decimals in (0, 1, 2, 3):
        shown = round(percent, decimals)
        enough = abs(percent) >= 10 or decimals
        if enough and (shown == percent or shown not in {0.0, 100.0, -100.0}):
            break
    return f"{percent:,.{decimals}f} %".replace("-", "−")


def _money(amount: float) -> str:
    return f"{amount:,.2f}".replace("-", "−")


def _gained(amount: float) -> str:
    return f"lost {_money(-amount)}" if amount < 0 else f"gained {_money(amount)}"


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
