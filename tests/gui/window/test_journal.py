"""What the journal begins with, and what of a stored run's account is there when it is opened later."""

from decimal import Decimal
from pathlib import Path

import pytest
from PySide6.QtWidgets import QTableView

from core.events.envelope import Envelope, envelope
from core.events.live_payloads import EntryTaken
from core.events.payloads import InterestCharged, StrategyNoted
from core.model.run import AccountKind, AccountTerms, Run, RunConfig
from core.views.activity import KEEP
from core.views.desk import DeskViews
from core.views.words import Level
from tests.gui.window.conftest import START_NS, Desk, MakeDesk
from ui.bridge import EventBridge
from ui.run_loader import RunLoader


def noted(first: int, count: int) -> list[Envelope]:
    return [
        envelope(StrategyNoted(text=f"note {number}"), id=f"n{number}", ts=START_NS + number, producer="strategy", run_id=None)
        for number in range(first, first + count)
    ]


def charged(count: int) -> list[Envelope]:
    return [
        envelope(InterestCharged(amount=Decimal(number)), id=f"i{number}", ts=START_NS + number, producer="backtest", run_id=None)
        for number in range(count)
    ]


async def journal_of(desk: Desk) -> DeskViews:
    """Return the views of a window that opens now."""
    again = RunLoader(desk.engine, views := DeskViews(), EventBridge(desk.engine, views))
    await again.load_desk()
    return views


async def margin_run(desk: Desk) -> Run:
    terms = AccountTerms(kind=AccountKind.MARGIN, credit_rate=Decimal("0.05"))
    run = await desk.engine.create_run(RunConfig(strategy_id="sma-cross", symbols=("BTC/USD",), timeframe="1m", account=terms))
    await desk.engine.start_run(run.id)
    return await desk.engine.wait_for_run(run.id)


async def test_the_journal_begins_with_the_newest_of_many(make_desk: MakeDesk) -> None:
    desk = await make_desk(with_bars=False)
    await desk.store.log.append(noted(0, KEEP // 2 + 2_345))
    texts = [row.text for row in (await journal_of(desk)).activity.rows]
    assert (texts[0], texts[-1], len(texts)) == ("note 2345", f"note {KEEP // 2 + 2_344}", KEEP // 2)


async def test_nights_of_interest_do_not_push_out_what_runs_did(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    run = await desk.finished_run()
    await desk.store.log.append(charged(KEEP + 10))
    rows = (await journal_of(desk)).activity.rows
    assert [row.type for row in rows][:3] == ["run.Created", "run.Started", "run.Completed"]
    assert {row.run_id for row in rows[:3]} == {run.id}
    assert [row.type for row in rows[3:]] == ["account.InterestCharged"] * (KEEP // 2)
    assert rows[-1].text == f"Interest on cash: paid {KEEP + 9}."


@pytest.mark.parametrize("pages", [1, 3])
async def test_events_of_every_kind_stand_in_the_order_in_which_they_came(make_desk: MakeDesk, pages: int) -> None:
    desk = await make_desk(with_bars=False)
    for page in range(pages):
        await desk.store.log.append(noted(page * 700, 700))
        await desk.store.log.append(charged(700))
    rows = (await journal_of(desk)).activity.rows
    assert [row.seq for row in rows] == list(range(1, pages * 1_400 + 1))


async def test_what_a_broker_booked_is_in_the_journal_at_once_and_later(make_desk: MakeDesk) -> None:
    desk = await make_desk(with_bars=False)
    booked = EntryTaken(
        account="alpaca:PA1", entry_id="1", what="dividend", symbol="SPY", qty=Decimal(0), cash=Decimal("7.5"), said="Dividend (DIV)"
    )
    told = EntryTaken(account="alpaca:PA1", entry_id="2", what="corporate_action", symbol="SPY", qty=Decimal(-15), cash=Decimal(0),
                      said="Change of name (NC)", is_booked=False)  # fmt: skip
    events = [envelope(one, id=one.entry_id, ts=START_NS, producer="trading", run_id=None) for one in (booked, told)]
    await desk.store.log.append(events)
    await desk.window.settled()
    for views in (desk.window.views, await journal_of(desk)):
        rows = [(row.text, row.level) for row in views.activity.rows if row.type == EntryTaken.wire]
        assert rows == [
            ("alpaca:PA1: dividend of SPY, +7.5 in cash. Dividend (DIV).", Level.INFO),
            (
                "alpaca:PA1: corporate action of SPY, -15 units. Change of name (NC). It is booked to no run here: what is held is compared"
                " with the broker.",
                Level.WARNING,
            ),
        ]


async def test_a_stored_run_that_is_opened_later_shows_its_interest(make_desk: MakeDesk, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'weaver.db'}"
    first = await make_desk(database=database)
    run = await margin_run(first)
    await first.window.settled()
    later = await make_desk(database=database, with_bars=False)
    nights = await later.engine.events(run_id=run.id, pattern="account.InterestCharged")
    assert len(nights) > 1
    lines = [row for row in later.window.views.activity.rows if row.type == "account.InterestCharged"]
    assert [row.seq for row in lines] == [event.seq for event in nights]
    assert lines[0].source == "sma-cross · BTC/USD · 1m"
    table = later.window.report.findChild(QTableView, "table-account-events")
    assert table is not None
    assert not table.isHidden()
    model = table.model()
    assert [model.index(0, column).data() for column in range(2)] == ["Interest earned", str(len(nights))]
