"""What happened to the account beside its fills, as the report tells it."""

from decimal import Decimal

import pytest

from core.backtest.report.account import MOST_DAYS, MOST_MONTHS, account_entries, account_periods, account_totals
from core.events.envelope import Envelope, Payload, envelope
from core.events.payloads import DividendPaid, InterestCharged, MarginCall, SplitApplied, StrategyNoted
from core.events.registry import event_types
from core.model.instants import DAY_NS, parse_instant
from core.model.report import EntryKind

D = Decimal
START_NS = parse_instant("2024-01-30")


def event(payload: Payload, day: int = 0) -> Envelope:
    return envelope(payload, id=f"e{day}", ts=START_NS + day * DAY_NS, producer="backtest", run_id="r")


EVENTS = (
    event(InterestCharged(amount=D("-1.5"))),
    event(InterestCharged(amount=D("4"))),
    event(InterestCharged(amount=D("2"), symbol="SPY")),
    event(DividendPaid(symbol="SPY", per_share=D("0.5"), qty=D(100), cash=D(50)), 1),
    event(DividendPaid(symbol="SPY", per_share=D("0.5"), qty=D(-40), cash=D(-20)), 2),
    event(SplitApplied(symbol="AAPL", ratio=D(7), qty_before=D(10), qty=D(70), cash=D("0.25")), 3),
    event(MarginCall(equity=D(100), required=D(250), exposure=D(1_000)), 3),
    event(InterestCharged(amount=D("3"), symbol="SPY"), 3),
)


@pytest.mark.parametrize(
    ("place", "kind", "symbol", "amount", "figures"),
    [
        (0, "interest_earned", None, "1.5", {}),
        (1, "interest_charged", None, "-4", {}),
        (2, "borrow_charged", "SPY", "-2", {}),
        (3, "dividend_received", "SPY", "50", {"qty": "100", "per_share": "0.5"}),
        (4, "dividend_charged", "SPY", "-20", {"qty": "-40", "per_share": "0.5"}),
        (5, "split", "AAPL", "0.25", {"qty": "70", "ratio": "7", "qty_before": "10"}),
        (6, "margin_call", None, None, {"equity": "100", "required": "250", "exposure": "1000"}),
    ],
)
def test_an_event_becomes_an_entry(place: int, kind: str, symbol: str | None, amount: str | None, figures: dict[str, str]) -> None:
    entry = account_entries(EVENTS)[place]
    assert (entry.kind, entry.symbol, entry.time_ns) == (kind, symbol, EVENTS[place].ts)
    assert entry.amount == (None if amount is None else D(amount))
    assert entry.figures == {name: D(value) for name, value in figures.items()}


def test_every_event_of_an_account_is_an_entry_and_no_other() -> None:
    of_account = {wire for wire, payload in event_types().items() if wire.startswith("account.") and payload.durable}
    assert {each.type for each in EVENTS} == of_account
    assert len(account_entries(EVENTS)) == len(EVENTS)
    assert account_entries([event(StrategyNoted(text="x"))]) == ()


def test_totals_are_by_symbol_in_the_order_of_the_run_and_by_kind() -> None:
    totals = account_totals(account_entries(EVENTS), ("SPY", "AAPL"))
    assert [(item.symbol, item.kind.value, item.count, item.amount) for item in totals] == [
        ("SPY", "dividend_received", 1, D(50)),
        ("SPY", "dividend_charged", 1, D(-20)),
        ("SPY", "borrow_charged", 2, D(-5)),
        ("AAPL", "split", 1, D("0.25")),
        (None, "interest_earned", 1, D("1.5")),
        (None, "interest_charged", 1, D(-4)),
        (None, "margin_call", 1, None),
    ]
    assert account_totals((), ("SPY",)) == ()


def test_a_few_days_are_told_by_the_day() -> None:
    periods = account_periods(account_entries(EVENTS))
    assert [(item.name, item.count, item.amount) for item in periods] == [
        ("2024-01-30", 3, D("-4.5")),
        ("2024-01-31", 1, D(50)),
        ("2024-02-01", 1, D(-20)),
        ("2024-02-02", 3, D("-2.75")),
    ]
    assert periods[3].amounts == {EntryKind.SPLIT: D("0.25"), EntryKind.BORROW_CHARGED: D(-3)}
    assert account_periods(()) == ()


@pytest.mark.parametrize(
    ("nights", "names"),
    [
        (MOST_DAYS, ["2024-01-30", "2024-01-31", "2024-02-01"]),
        (MOST_DAYS + 1, ["2024-01", "2024-02"]),
        (29 * MOST_MONTHS, ["2024-01", "2024-02", "2024-03"]),
        (31 * MOST_MONTHS, ["2024", "2025", "2026"]),
    ],
)
def test_many_days_are_told_by_month_or_year(nights: int, names: list[str]) -> None:
    periods = account_periods(account_entries([event(InterestCharged(amount=D(1)), day) for day in range(nights)]))
    assert [item.name for item in periods][: len(names)] == names
    assert len(periods) <= MOST_MONTHS
    assert sum(item.count for item in periods) == nights
    assert sum((item.amount for item in periods), D(0)) == -nights
