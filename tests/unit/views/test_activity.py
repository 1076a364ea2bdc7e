from decimal import Decimal

import pytest

from core.events.live_payloads import ComparisonFailed, LossesUnjudged
from core.events.payloads import BarsImported, RunCompleted, RunError, StoreAwaited, StoreBack, StrategyNoted
from core.events.registry import event_types
from core.views.activity import KEEP, ActivityTable
from core.views.desk import DeskViews
from core.views.words import _SAY, Level
from tests.unit.views.events import Events

UNSAID = {
    "run.Progressed",
    "account.Changed",
    "clock.Tick",
    "data.WindowReady",
    "strategy.FetchWindow",
    "backtest.FetchWindow",
    "backtest.PlaceOrder",
    "backtest.CancelOrder",
    "backtest.ReplaceOrder",
    "live.FetchWindow",
    "live.PlaceOrder",
    "live.CancelOrder",
    "live.ReplaceOrder",
}


def test_events_are_told_in_words() -> None:
    views, events = DeskViews(), Events()
    views.select("run1")
    for event in (
        events.run_created(),
        events.order("order-0001"),
        events.accepted("order-0001"),
        events.filled("order-0001", "2", "745.10", "2"),
        events.wrap(StrategyNoted(text="The averages crossed.")),
        events.wrap(RunCompleted(bars=1_000, elapsed_s=0.5, end_equity=Decimal("99937.96"))),
        events.wrap(BarsImported(symbol="SPY", timeframe="1d", source="file", adjustment="raw", added=10, identical=0, changed=2)),
        events.wrap(RunError(code="strategy_failed", error="It divided by zero.")),
    ):
        views.fold(event)
    assert [row.text for row in views.activity.rows] == [
        "Created sma-cross on BTC/USD 1m.",
        "Bought 2 BTC/USD at 745.1, fee 0.1.",
        "The averages crossed.",
        "Completed 1,000 bars in 0.50 s; equity 99,937.96.",
        "Stored SPY 1d from file: 10 new, 2 changed bars.",
        "Failed: It divided by zero.",
    ]
    assert views.activity.rows[-1].level is Level.ERROR
    assert views.activity.rows[1].source == "sma-cross · BTC/USD · 1m"


def test_what_is_over_again_asks_for_no_attention() -> None:
    views, events = DeskViews(), Events()
    views.fold(events.run_created())
    for told in (
        LossesUnjudged(symbols=("MSFT",)),
        LossesUnjudged(symbols=()),
        ComparisonFailed(account="alpaca:PA1", reason="KeyError: 'x'"),
        ComparisonFailed(account="alpaca:PA1", reason=""),
        StoreAwaited(reason="The server does not answer."),
        StoreBack(),
    ):
        views.fold(events.wrap(told))
    rows = views.activity.rows[1:]
    assert [row.level for row in rows] == [Level.WARNING, Level.INFO, Level.ERROR, Level.INFO, Level.WARNING, Level.INFO]
    assert [row.text.partition(":")[0] for row in rows][:2] == [
        "The limits on losses are not watched",
        "Every position has a price",
    ]


def test_an_event_is_told_once() -> None:
    views, events = DeskViews(), Events()
    created = events.run_created()
    views.fold(created)
    views.fold(created)
    assert len(views.activity.rows) == 1


def test_the_oldest_lines_go_first() -> None:
    table = ActivityTable(lambda _: None)
    for number in range(KEEP * 2):
        table.say(str(number), time_ns=number)
    changes = table.take_changes()
    assert changes.removed == ((0, KEEP - 1),)
    table.drop(*changes.removed[0])
    assert len(table.rows) == KEEP
    assert table.rows[0].text == str(KEEP)


@pytest.mark.parametrize("wire", sorted(set(event_types()) - UNSAID))
def test_every_event_that_a_person_sees_has_a_sentence(wire: str) -> None:
    assert event_types()[wire] in _SAY
