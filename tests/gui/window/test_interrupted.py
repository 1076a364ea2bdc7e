"""Paper runs that a crash cut off, in the window: they go on, or are closed."""

from pathlib import Path

import msgspec
import pytest
from PySide6.QtWidgets import QDialog, QLabel, QLineEdit, QPushButton

from core.brokers.sim import SimSource
from core.engine import Engine
from core.errors import NotArmed
from core.model.broker import AccountName
from core.model.run import Run, RunConfig, RunMode, RunStatus
from tests.gui.dialogs.desk import until
from tests.gui.window.conftest import Desk, MakeDesk

CONFIG = RunConfig(strategy_id="sma-cross", symbols=("DEMO/USD",), timeframe="1m", mode=RunMode.PAPER, broker="sim")
ACTS = ("resume-run", "close-run", "close-run-flatten")


async def left_behind(make_desk: MakeDesk, mode: RunMode = RunMode.PAPER) -> Desk:
    """Open a window on a paper or live run that was interrupted, and look at it."""
    desk = await make_desk()
    config = msgspec.structs.replace(CONFIG, mode=mode)
    run = Run(id="abc", config=config, status=RunStatus.INTERRUPTED, created_ns=desk.engine.now_ns(), error="The program ended.")
    async with desk.store.runs.begin() as work:
        work.put_run(run)
    desk.window.views.runs.put_run(run)
    desk.window.bridge.flush()
    desk.window.show_run(run.id)
    await desk.window.settled()
    return desk


async def test_only_an_interrupted_paper_or_live_run_can_be_resumed_or_closed(make_desk: MakeDesk, tmp_path: Path) -> None:
    desk = await left_behind(make_desk)
    acts = desk.window.acts
    assert [acts[name].isEnabled() for name in ACTS] == [True, True, True]
    status = desk.window.tables["runs"].model.index(0, 0)
    assert status.data() == "Interrupted"
    await desk.finished_run()
    assert [acts[name].isEnabled() for name in ACTS] == [False, False, False]
    assert acts["resume-run"].toolTip() == "Select an interrupted paper or live run."


async def test_on_the_simulated_market_it_says_why_it_cannot_go_on(make_desk: MakeDesk) -> None:
    desk = await left_behind(make_desk)
    desk.window.acts["resume-run"].trigger()
    await desk.window.settled()
    assert "ended with the program" in desk.window.banner.text.text()
    assert desk.window.views.runs.rows[0].run.status is RunStatus.INTERRUPTED
    desk.errors.clear()


async def test_it_goes_on(make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimSource, "outlives_program", lambda _self, _broker_id: True)  # as an account at a broker does
    desk = await left_behind(make_desk)
    desk.window.acts["resume-run"].trigger()
    await until(lambda: desk.window.views.runs.rows[0].run.status is RunStatus.RUNNING)
    await desk.window.settled()
    assert desk.window.frame.isVisible()
    assert not desk.window.acts["resume-run"].isEnabled()
    assert desk.window.acts["stop-run"].isEnabled()
    assert any("goes on with its own positions" in row.text for row in desk.window.views.activity.rows)
    await desk.quiet()


async def test_it_is_closed_after_a_question_that_says_what_becomes_of_its_positions(make_desk: MakeDesk) -> None:
    desk = await left_behind(make_desk)
    desk.window.acts["close-run-flatten"].trigger()
    dialog = desk.window.findChild(QDialog, "dialog-confirm")
    assert dialog is not None
    sentence = dialog.findChild(QLabel, "confirm-sentence")
    assert sentence is not None
    assert "its positions are closed at market" in sentence.text()
    dialog.reject()
    await desk.window.settled()
    assert (await desk.engine.run("abc")).status is RunStatus.INTERRUPTED
    desk.window.acts["close-run"].trigger()
    (*_, again) = desk.window.findChildren(QDialog, "dialog-confirm")
    assert isinstance(again, QDialog)
    again.accept()
    await until(lambda: desk.window.views.runs.rows[0].run.status is RunStatus.STOPPED)
    await desk.window.settled()
    assert not desk.window.acts["resume-run"].isEnabled()
    await desk.quiet()


async def test_real_money_goes_on_only_when_the_name_of_its_account_is_typed(make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def name(engine: Engine, broker_id: str, account: AccountName) -> str:
        return f"LV-{broker_id}-{account}"

    async def resume(engine: Engine, run_id: str, confirm: str = "") -> Run:
        asked.append(confirm)
        raise NotArmed("This would trade real money.", "Type the account's name to confirm it.")

    monkeypatch.setattr(Engine, "account_name", name)
    monkeypatch.setattr(Engine, "resume_run", resume)
    desk = await left_behind(make_desk, RunMode.LIVE)
    desk.window.acts["resume-run"].trigger()
    await desk.window.settled()
    assert asked == []
    dialog = desk.window.findChild(QDialog, "dialog-connect-account")
    assert dialog is not None
    heading, line, button = dialog.findChild(QLabel), dialog.findChild(QLineEdit), dialog.findChild(QPushButton, "button-connect")
    assert heading is not None
    assert line is not None
    assert button is not None
    assert heading.text() == "Resume sma-cross · DEMO/USD · 1m at sim LV-sim-live?"
    assert (button.text(), button.isEnabled(), button.property("stake")) == ("Resume live", False, "live")
    line.setText("lv-sim-live")
    button.click()
    await desk.window.settled()
    assert asked == ["lv-sim-live"]
    assert "This would trade real money" in desk.window.banner.text.text()
    desk.errors.clear()
