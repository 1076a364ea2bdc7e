"""What runs at another desk shows here as it happens, under that desk's name, and cannot be touched."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from PySide6.QtWidgets import QDialog, QPushButton

from core.clock.realtime import SystemClock
from core.engine import Engine
from core.events.envelope import envelope
from core.events.payloads import RunProgressed, RunStarted, RunStopped
from core.model.broker import AccountName
from core.model.desk import Desk, LeaseKind
from core.model.instants import MINUTE_NS
from core.model.order import OrderStatus
from core.model.run import Manifest, Run, RunConfig, RunMode, RunStatus
from core.store.database import DatabaseStore
from tests.contract.samples import NOW_NS, created, fill, filled, order, ordered, run
from tests.gui.window.conftest import Desk as Window
from tests.gui.window.conftest import MakeDesk
from tests.strictness.log_guard import AllowLog
from ui.dialogs.connect_account import ConnectDialog
from ui.dialogs.offer_run import OfferRunDialog

PAPER = RunConfig(strategy_id="sma-cross", symbols=("DEMO/USD",), timeframe="1m", mode=RunMode.PAPER, broker="paper")
MANIFEST = Manifest(strategy_sha256="a", bars_sha256="b", engine="1")


@pytest_asyncio.fixture
async def ann(postgres_url: str, tmp_path: Path) -> AsyncIterator[DatabaseStore]:
    """Another desk on the database that the window looks at."""
    store = DatabaseStore(postgres_url, SystemClock(), locks=tmp_path / "ann", desk=Desk(id="id-ann", name="Ann"))
    await store.open()
    yield store
    await store.close()


async def begin(ann: DatabaseStore) -> None:
    """Begin a run at Ann's desk, with a filled order."""
    lease = await ann.leases.acquire(LeaseKind.RUN, "run-1", 3_600)
    going = run().moved_to(RunStatus.RUNNING, owner=ann.owner, desk="Ann")
    started = RunStarted(manifest=MANIFEST, bars_total=100, owner=ann.owner, desk="Ann")
    async with ann.runs.begin() as work:
        work.put_run(run())
        work.append([created()])
    async with ann.runs.begin() as work:
        work.fence(lease)
        work.put_run(going)
        work.append([envelope(started, id="started", ts=NOW_NS, producer="runs", run_id="run-1")])


async def trade(ann: DatabaseStore) -> None:
    """Fill an order of the run."""
    async with ann.runs.begin() as work:
        work.put_orders([order("order-1", status=OrderStatus.FILLED)])
        work.add_fills([fill("order-1-f")])
        work.append([ordered("order-1"), filled("order-1")])


async def until(desk: Window, holds: Callable[[], bool]) -> None:
    """Return when something holds in the window; it hears of other desks by itself."""
    changed = asyncio.Event()
    with desk.engine.subscribe("*", lambda event: changed.set(), owner="test"):
        while True:
            await desk.window.settled()
            if holds():
                return
            await changed.wait()
            changed.clear()


def status(desk: Window) -> RunStatus:
    """How the one run stands in a window."""
    return desk.window.views.runs.rows[0].run.status


def answer(desk: Window, act: str, name: str) -> None:
    """Do an act and say yes to its question."""
    desk.window.acts[act].trigger()
    (*_, dialog) = desk.window.findChildren(QDialog, name)
    assert isinstance(dialog, QDialog)
    dialog.accept()


async def test_a_run_at_another_desk_shows_live_and_cannot_be_touched(ann: DatabaseStore, make_desk: MakeDesk, postgres_url: str) -> None:
    desk = await make_desk(database=postgres_url)
    window = desk.window
    await begin(ann)
    await until(desk, lambda: "run-1" in window.views.runs and window.views.runs.rows[0].run.status is RunStatus.RUNNING)
    row = window.views.runs.rows[0]
    assert (row.desk, row.run.desk) == ("Ann", "Ann")
    assert row.title == "sma-cross · BTC/USD · 1m · Ann"
    window.show_run("run-1")
    await window.settled()
    for name in ("start-run", "stop-run", "delete-run"):
        assert not window.acts[name].isEnabled()
        assert window.acts[name].toolTip().startswith("This run goes on at the desk Ann; stop it there.")

    await trade(ann)
    await until(desk, lambda: len(window.views.fills.rows) == 1)
    assert [item.status for item in window.views.orders.rows] == [OrderStatus.FILLED]
    assert [item.symbol for item in window.views.positions.rows] == ["BTC/USD"]
    assert "Ann" in window.views.activity.rows[-1].source

    progressed = RunProgressed(bars=50, bars_total=100, time_ns=NOW_NS, equity=1_010.0, elapsed_s=0.5)
    ann.log.announce([envelope(progressed, id="p", ts=NOW_NS, producer="runs", run_id="run-1")])
    await until(desk, lambda: window.views.runs.rows[0].equity == 1_010.0)
    assert window.views.runs.rows[0].progress == 0.5

    window.acts["kill-switch"].trigger()
    await window.settled()
    assert (
        window.views.activity.rows[-1].text == "HALT: no run was going on. 1 run elsewhere goes on: stop what runs at another desk there."
    )

    async with ann.runs.begin() as work:
        work.put_run(run().moved_to(RunStatus.RUNNING, owner=ann.owner, desk="Ann").moved_to(RunStatus.STOPPED))
        work.append([envelope(RunStopped(bars=50, reason="It was stopped."), id="end", ts=NOW_NS, producer="runs", run_id="run-1")])
    await until(desk, lambda: window.views.runs.rows[0].run.status is RunStatus.STOPPED)
    assert window.acts["delete-run"].isEnabled()
    assert window.acts["stop-run"].toolTip().startswith("Stop the selected run")


async def test_a_run_that_went_on_elsewhere_before_the_window_opened(ann: DatabaseStore, make_desk: MakeDesk, postgres_url: str) -> None:
    await begin(ann)
    await trade(ann)
    desk = await make_desk(database=postgres_url)
    desk.window.show_run("run-1")
    await desk.window.settled()
    assert desk.window.views.runs.rows[0].desk == "Ann"
    assert len(desk.window.views.fills.rows) == 1
    assert not desk.window.acts["stop-run"].isEnabled()


async def test_a_run_of_another_desk_is_taken_over_where_that_desk_lets_it(
    ann: DatabaseStore, make_desk: MakeDesk, postgres_url: str
) -> None:
    await begin(ann)
    desk = await make_desk(database=postgres_url)
    window = desk.window
    window.show_run("run-1")
    await window.settled()
    take, offer = window.acts["take-over-run"], window.acts["offer-run"]
    assert (take.isEnabled(), offer.isEnabled()) == (True, False)
    assert offer.toolTip() == "Select a paper or live run that goes on at this desk."
    answer(desk, "take-over-run", "dialog-confirm")
    await window.settled()
    assert "is in the hands of the desk Ann" in window.banner.text.text()
    assert window.views.runs.rows[0].run.status is RunStatus.RUNNING
    desk.errors.clear()
    (lease,) = await ann.leases.held(LeaseKind.RUN)
    await ann.leases.offer(lease, desk.engine.desk.id)
    answer(desk, "take-over-run", "dialog-confirm")
    await until(desk, lambda: window.views.runs.rows[0].run.status is RunStatus.INTERRUPTED)
    await window.settled()
    assert not take.isEnabled()
    assert take.toolTip() == "Select a run that goes on at another desk."


async def test_a_paper_run_goes_from_one_window_to_another(postgres_url: str, make_desk: MakeDesk, allow_log: AllowLog) -> None:
    allow_log("Another desk has taken over run")
    ann = await make_desk(database=postgres_url, name="Ann", speed=600.0)
    ben = await make_desk(database=postgres_url, name="Ben", speed=600.0)
    run = await ann.engine.create_run(PAPER)
    await ann.engine.start_run(run.id)
    for desk in (ann, ben):
        await until(desk, lambda desk=desk: run.id in desk.window.views.runs and status(desk) is RunStatus.RUNNING)  # type: ignore[misc]
        await until(desk, lambda: ann.window.views.runs.rows[0].run.bars > 3)
        desk.window.show_run(run.id)
        await desk.window.settled()
        # Its equity is there from its first bar on, though the window was not looking.
        first_ns = (await desk.engine.run(run.id)).first_bar_ns
        await until(desk, lambda desk=desk: len(desk.window.views.equity) > 3)  # type: ignore[misc]
        assert first_ns is not None
        assert desk.window.views.equity.points()[0][0] <= first_ns + MINUTE_NS
    assert [desk.window.acts["offer-run"].isEnabled() for desk in (ann, ben)] == [True, False]
    assert [desk.window.acts["take-over-run"].isEnabled() for desk in (ann, ben)] == [False, True]
    ann.window.acts["offer-run"].trigger()
    dialog = None
    while dialog is None:
        await ann.window.settled()
        dialog = ann.window.findChild(OfferRunDialog)
    assert dialog.desk.itemText(0) == "Ben"
    button = dialog.findChild(QPushButton, "button-offer")
    assert button is not None
    button.click()
    await until(ben, lambda: any("lets the desk Ben take it over" in row.text for row in ben.window.views.activity.rows))
    answer(ben, "take-over-run", "dialog-confirm")
    for desk in (ann, ben):
        await until(desk, lambda desk=desk: status(desk) is RunStatus.INTERRUPTED)  # type: ignore[misc]
    await until(ben, lambda: any("took it over from the desk Ann" in row.text for row in ben.window.views.activity.rows))
    ben.window.acts["resume-run"].trigger()
    for desk in (ann, ben):
        await until(desk, lambda desk=desk: status(desk) is RunStatus.RUNNING)  # type: ignore[misc]
        await desk.window.settled()
    assert ann.window.views.runs.rows[0].desk == "Ben"
    assert [desk.window.acts["stop-run"].isEnabled() for desk in (ann, ben)] == [False, True]
    await ben.quiet()
    await ann.quiet()


async def test_a_run_that_waits_can_be_started_here(ann: DatabaseStore, make_desk: MakeDesk, postgres_url: str) -> None:
    desk = await make_desk(database=postgres_url)
    async with ann.runs.begin() as work:
        work.put_run(run())
        work.append([created()])
    await until(desk, lambda: "run-1" in desk.window.views.runs)
    desk.window.show_run("run-1")
    await desk.window.settled()
    assert desk.window.acts["start-run"].isEnabled()


async def test_a_live_run_is_taken_over_only_when_the_name_of_its_account_is_typed(
    ann: DatabaseStore, make_desk: MakeDesk, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    async def name(engine: Engine, broker_id: str, account: AccountName) -> str:
        return "LV12345"

    async def take_over(engine: Engine, run_id: str, confirm: str = "") -> Run:
        asked.append((run_id, confirm))
        return await engine.run(run_id)

    monkeypatch.setattr(Engine, "account_name", name)
    monkeypatch.setattr(Engine, "take_over_run", take_over)
    await begin(ann)
    desk = await make_desk(database=postgres_url)
    window = desk.window
    (row,) = window.views.runs.rows
    window.views.runs.put_run(msgspec.structs.replace(row.run, config=msgspec.structs.replace(PAPER, mode=RunMode.LIVE)))
    window.show_run("run-1")
    await window.settled()
    window.acts["take-over-run"].trigger()
    await window.settled()
    assert window.findChild(QDialog, "dialog-confirm") is None
    dialog = window.findChild(ConnectDialog)
    assert dialog is not None
    assert dialog.windowTitle().endswith("from the desk Ann at paper LV12345?")
    assert not dialog.connect_button.isEnabled()
    dialog.connect_button.click()
    await window.settled()
    assert asked == []
    dialog.confirm.setText("LV12345")
    dialog.connect_button.click()
    await window.settled()
    assert asked == [("run-1", "LV12345")]
