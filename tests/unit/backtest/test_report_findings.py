"""Each finding fires where its figures say so, and stays silent just beside the threshold."""

import re
from pathlib import Path
from typing import Any

import pytest

from core.backtest.report import findings
from core.backtest.report.evidence import Evidence
from core.model.report import DataCoverage, Severity

DOCS = Path(__file__).parents[3] / "docs" / "statistics.md"
NOTE, WARNING, ALARM = Severity


def coverage(present: int, missing: int, holes: int = 1, longest: int = 1) -> DataCoverage:
    return DataCoverage(present=present, missing=missing, holes=holes, longest=longest)


SILENT = Evidence(trades=100, profit=1_000.0, best_trade=50.0, exposure=0.6, fills=200, orders=200, gain=1_000.0, bars_done=9, bars_total=9)
"""A run about which there is nothing to say."""

FIRING: list[tuple[str, Severity, dict[str, Any], str]] = [
    ("too_few_trades", ALARM, {"trades": 0}, "No round trip was closed: nothing here tells whether the rule works."),
    (
        "too_few_trades",
        ALARM,
        {"trades": 1, "best_trade": None},
        "1 round trip only: with fewer than 30 every figure of trades may be luck.",
    ),
    ("too_few_trades", ALARM, {"trades": 9}, "9 round trips only: with fewer than 30 every figure of trades may be luck."),
    ("too_few_trades", WARNING, {"trades": 10}, "10 round trips only: with fewer than 30 every figure of trades may be luck."),
    ("too_few_trades", WARNING, {"trades": 29}, "29 round trips only: with fewer than 30 every figure of trades may be luck."),
    ("one_trade_makes_the_profit", WARNING, {"best_trade": 500.0}, "One trade makes 50 % of the profit: 500.00 of 1,000.00."),
    (
        "one_trade_makes_the_profit",
        ALARM,
        {"best_trade": 1_500.0},
        "One trade makes the whole profit: it gained 1,500.00; all the others together lost 500.00.",
    ),
    (
        "flat_most_of_the_time",
        NOTE,
        {"exposure": 0.2499},
        "Flat for 75 % of the time: a position was open at 25 % of the bars' ends.",
    ),
    (
        "flat_most_of_the_time",
        WARNING,
        {"exposure": 0.0004},
        "Flat for 99.96 % of the time: a position was open at 0.04 % of the bars' ends.",
    ),
    (
        "fills_depend_on_the_path",
        NOTE,
        {"path_dependent_fills": 1},
        "The path assumed inside the bars decides: on another path 1 fill of 200 (0.5 %) would differ. Shorter bars would tell.",
    ),
    (
        "fills_depend_on_the_path",
        WARNING,
        {"path_dependent_orders": 2},
        "The path assumed inside the bars decides: on another path 2 orders of 200 (1.0 %) left unfilled would fill. "
        "Shorter bars would tell.",
    ),
    (
        "fills_depend_on_the_path",
        ALARM,
        {"path_dependent_fills": 20, "path_dependent_orders": 1},
        "The path assumed inside the bars decides: on another path 20 fills of 200 (10 %) would differ and 1 order of 200 (0.5 %) "
        "left unfilled would fill. Shorter bars would tell.",
    ),
    (
        "data_has_holes",
        NOTE,
        {"coverage": coverage(999, 1)},
        "The data has holes: 0.1 % of the bars that the calendar expects are missing (1 bar in 1 hole).",
    ),
    (
        "data_has_holes",
        WARNING,
        {"coverage": coverage(9_000, 1_000, 30, 700)},
        "The data has holes: 10 % of the bars that the calendar expects are missing (1,000 bars in 30 holes, the longest of 700 bars).",
    ),
    (
        "costs_eat_the_edge",
        WARNING,
        {"fees": 1_000.0},
        "Costs eat the edge: before them the run gained 2,000.00; fees took 1,000.00 of it (50 %).",
    ),
    (
        "costs_eat_the_edge",
        ALARM,
        {"fees": 1_000.0, "slippage": 500.0, "gain": -500.0},
        "Costs eat the edge: before them the run gained 1,000.00; fees and slippage took 1,500.00.",
    ),
    (
        "costs_eat_the_edge",
        WARNING,
        {"fees": 500.0, "slippage": 100.0, "charges": 900.0},
        "Costs eat the edge: before them the run gained 2,500.00; fees, slippage, interest and borrowing took 1,500.00 of it (60 %).",
    ),
    (
        "costs_eat_the_edge",
        WARNING,
        {"charges": 1_000.0},
        "Costs eat the edge: before them the run gained 2,000.00; interest and borrowing took 1,000.00 of it (50 %).",
    ),
    (
        "income_makes_the_profit",
        WARNING,
        {"income": 500.0},
        "Dividends and interest make 50 % of the gain: 500.00 of 1,000.00.",
    ),
    (
        "income_makes_the_profit",
        ALARM,
        {"income": 1_200.0},
        "Dividends and interest make the whole gain: 1,200.00; buying and selling lost 200.00.",
    ),
    (
        "profit_in_one_month",
        WARNING,
        {"month_gains": (50.0, -50.0, 90.0, 10.0), "months": ("2024-01", "2024-02", "2024-03", "2024-04")},
        "The profit is of one month: 2024-03 gained 90.00; the other 3 months together gained 10.00.",
    ),
    (
        "open_position_holds_the_profit",
        WARNING,
        {"open_profit": 1_000.0},
        "50 % of the profit lies in what is open at the end: 1,000.00 of 2,000.00. The rule did not take it.",
    ),
    (
        "open_position_holds_the_profit",
        WARNING,
        {"closed_at_end_profit": 1_000.0},
        "All of the profit lies in what was closed only by the end of the run: 1,000.00 of 1,000.00. The rule did not take it.",
    ),
    (
        "open_position_holds_the_profit",
        WARNING,
        {"profit": -300.0, "open_profit": 1_000.0},
        "All of the profit lies in what is open at the end: it gained 1,000.00; all else lost 300.00. The rule did not take it.",
    ),
    (
        "cash_bound",
        NOTE,
        {"rejections": {"insufficient_cash": 1}},
        "Cash binds: 1 order of 200 (0.5 %) was refused for lack of money. "
        "The result is what the account allowed, not what the rule decided.",
    ),
    (
        "cash_bound",
        WARNING,
        {"rejections": {"insufficient_cash": 6, "insufficient_margin": 4}},
        "Cash binds: 10 orders of 200 (5.0 %) were refused for lack of money. "
        "The result is what the account allowed, not what the rule decided.",
    ),
    ("orders_refused", NOTE, {"rejections": {"invalid_order": 1}}, "1 order of 200 (0.5 %) was refused: invalid order 1."),
    (
        "orders_refused",
        WARNING,
        {"rejections": {"invalid_order": 3, "insufficient_position": 9, "insufficient_cash": 1}},
        "12 orders of 200 (6.0 %) were refused: insufficient position 9, invalid order 3.",
    ),
    (
        "margin_called",
        ALARM,
        {"margin_call_fills": 2},
        "The account was liquidated by margin calls: 2 fills of 200. The rule takes more risk than the account bears.",
    ),
    (
        "holding_made_more",
        NOTE,
        {"total_return": -0.021, "buy_hold_return": 0.5},
        "Buying and holding made more: 50 % against −2.1 %. Compare at the same risk before you judge.",
    ),
    ("ended_early", WARNING, {"bars_done": 1, "bars_total": 4}, "The run ended early: after 1 of 4 bars (25 %)."),
    (
        "split_counted_twice",
        ALARM,
        {"splits_without_step": ("AAPL 2005-02-28", "AAPL 2014-06-09")},
        "2 splits counted twice: AAPL 2005-02-28, AAPL 2014-06-09. The price did not move there, so the bars hold it already; "
        "they are no raw prices.",
    ),
    (
        "prices_are_simulated",
        NOTE,
        {"simulated": True},
        "The prices are made up: they show how the program works, not whether the rule does.",
    ),
]

NOT_FIRING: list[tuple[str, dict[str, Any]]] = [
    ("split_counted_twice", {"splits_without_step": ()}),
    ("too_few_trades", {"trades": 30}),
    ("one_trade_makes_the_profit", {"best_trade": 499.99}),
    ("one_trade_makes_the_profit", {"best_trade": 499.99, "profit": -5.0}),
    ("one_trade_makes_the_profit", {"trades": 1, "best_trade": 1_000.0}),
    ("flat_most_of_the_time", {"exposure": 0.25}),
    ("flat_most_of_the_time", {"exposure": 0.0}),
    ("flat_most_of_the_time", {"exposure": None}),
    ("fills_depend_on_the_path", {"fills": 0, "orders": 0}),
    ("data_has_holes", {"coverage": coverage(1_000, 1)}),
    ("data_has_holes", {"coverage": coverage(0, 0, 0, 0)}),
    ("costs_eat_the_edge", {"fees": 999.0}),
    ("costs_eat_the_edge", {"gain": None, "fees": 10.0}),
    ("costs_eat_the_edge", {"fees": 10.0, "gain": -500.0}),
    ("costs_eat_the_edge", {"gain": 0.0}),
    ("profit_in_one_month", {"month_gains": (79.0, 10.0, 11.0), "months": ("a", "b", "c")}),
    ("profit_in_one_month", {"month_gains": (90.0, 10.0), "months": ("a", "b")}),
    ("profit_in_one_month", {"month_gains": (90.0, -80.0, -30.0), "months": ("a", "b", "c")}),
    ("open_position_holds_the_profit", {"open_profit": 999.0}),
    ("open_position_holds_the_profit", {"open_profit": -999.0}),
    ("open_position_holds_the_profit", {"open_profit": 50.0, "profit": -100.0}),
    ("open_position_holds_the_profit", {"open_profit": 1_000.0, "income": 1.0}),
    ("income_makes_the_profit", {"income": 499.0}),
    ("income_makes_the_profit", {"income": 499.0, "gain": -1.0}),
    ("income_makes_the_profit", {"income": -5.0, "gain": -10.0}),
    ("income_makes_the_profit", {"income": 499.0, "gain": None}),
    ("costs_eat_the_edge", {"charges": 999.0}),
    ("cash_bound", {"rejections": {"invalid_order": 5}}),
    ("orders_refused", {"rejections": {"insufficient_margin": 5}}),
    ("holding_made_more", {"total_return": 0.1, "buy_hold_return": 0.1}),
    ("holding_made_more", {"total_return": -0.2, "buy_hold_return": -0.1}),
    ("holding_made_more", {"total_return": 0.1, "buy_hold_return": None}),
    ("ended_early", {"bars_done": 0, "bars_total": 0}),
]


def evidence(**changes: Any) -> Evidence:
    kept = {name: getattr(SILENT, name) for name in Evidence.__slots__}
    return Evidence(**(kept | changes))


def test_a_run_without_faults_has_no_findings() -> None:
    assert findings.find_all(SILENT) == ()


@pytest.mark.parametrize(("code", "severity", "changes", "sentence"), FIRING)
def test_a_finding_fires_with_its_figures(code: str, severity: Severity, changes: dict[str, Any], sentence: str) -> None:
    found = {finding.code: finding for finding in findings.find_all(evidence(**changes))}
    assert (found[code].severity, found[code].sentence) == (severity, sentence)


@pytest.mark.parametrize(("code", "changes"), NOT_FIRING)
def test_a_finding_stays_silent_beside_its_threshold(code: str, changes: dict[str, Any]) -> None:
    assert code not in {finding.code for finding in findings.find_all(evidence(**changes))}


def test_every_rule_has_a_case_that_fires_it() -> None:
    assert {rule.__name__ for rule in findings.RULES} == {code for code, *_ in FIRING}
    # One cannot stay silent beside a threshold where there is none.
    assert {rule.__name__ for rule in findings.RULES} - {code for code, _ in NOT_FIRING} == {"margin_called", "prices_are_simulated"}


def test_the_weightiest_come_first() -> None:
    changes: dict[str, Any] = {"trades": 3, "simulated": True, "exposure": 0.01, "margin_call_fills": 1}
    found = findings.find_all(evidence(**changes))
    assert [finding.code for finding in found] == ["margin_called", "too_few_trades", "flat_most_of_the_time", "prices_are_simulated"]


def test_the_documentation_tells_every_finding_and_threshold() -> None:
    text = DOCS.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_]+)` \| ([^|]*?) \| ([^|]*?) \|$", text.partition("## Findings")[2], flags=re.MULTILINE)
    assert [code for code, _, _ in rows] == [rule.__name__ for rule in findings.RULES]
    told = dict(re.findall(r"`([A-Z_]+)` = ([\d.]+)", text))
    assert {name: float(value) for name, value in told.items()} == findings.THRESHOLDS
