"""“Why?” in the tables of the window, and verifying the run that is looked at."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from tests.gui.window.conftest import Desk, MakeDesk
from ui.dialogs.chain import ChainDialog
from ui.dialogs.notices import ErrorDialog


def steps(dialog: ChainDialog) -> list[str]:
    table = dialog.table.table
    return [str(table.index(row, 0).data()) for row in range(table.rowCount())]


async def asked(desk: Desk, name: str) -> ChainDialog:
    """Ask why of the newest row of a table."""
    table = desk.window.tables[name].table
    desk.window.tables[name].model.flush()
    table.selectRow(0)
    action = desk.window.tables[name].findChild(QAction, f"action-why-{name}")
    assert action is not None
    action.trigger()
    await desk.window.settled()
    dialog = desk.window.findChild(ChainDialog)
    assert isinstance(dialog, ChainDialog)
    return dialog


FILL = ["Tick", "Decision", "Routed", "Order", "Accepted", "Filled"]


@pytest.mark.parametrize(("name", "told"), [("fills", FILL), ("orders", FILL), ("trades", [*FILL, *FILL])])
async def test_why_is_answered_from_each_table(make_desk: MakeDesk, name: str, told: list[str]) -> None:
    desk = await make_desk()
    await desk.finished_run()
    dialog = await asked(desk, name)
    assert steps(dialog) == told
    subject = dialog.findChild(QLabel, "chain-subject")
    assert isinstance(subject, QLabel)
    assert "BTC/USD" in subject.text()
    assert dialog.table.accessibleName()
    dialog.reject()
    await desk.window.settled()


async def test_why_is_answered_by_key(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.finished_run()
    desk.window.docks["fills"].raise_()
    table = desk.window.tables["fills"].table
    desk.window.tables["fills"].model.flush()
    table.selectRow(0)
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    await desk.window.settled()
    dialog = desk.window.findChild(ChainDialog)
    assert isinstance(dialog, ChainDialog)
    assert steps(dialog) == FILL
    dialog.reject()
    await desk.window.settled()


async def test_a_run_that_was_removed_meanwhile_is_told(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    run = await desk.finished_run()
    fill = (await desk.engine.fills(run.id))[0]
    await desk.engine.delete_run(run.id)
    desk.window.commands.why(fill)
    await desk.window.settled()
    dialog = desk.window.findChild(ChainDialog)
    assert isinstance(dialog, ChainDialog)
    message = dialog.findChild(QLabel, "chain-message")
    assert isinstance(message, QLabel)
    assert message.text().startswith("There is no fill")
    dialog.reject()
    await desk.window.settled()


async def test_the_chosen_run_is_verified(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    run = await desk.finished_run()
    act = desk.window.acts["verify-run"]
    assert act.isEnabled()
    act.trigger()
    await desk.window.settled()
    said = [row.text for row in desk.window.views.activity.rows]
    assert any(text.startswith(f"Run {run.id} was repeated:") and text.endswith("bit for bit.") for text in said)
    assert desk.window.findChild(ErrorDialog) is None
    assert len(await desk.engine.runs()) == 1


async def test_a_run_whose_bars_have_changed_is_told_to_be_another(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.finished_run()
    (found, *_) = [item for item in await desk.engine.bar_sets() if item.key.symbol == "BTC/USD"]
    await desk.engine.delete_bars(found.key)
    desk.window.acts["verify-run"].trigger()
    await desk.window.settled()
    dialog = desk.window.findChild(ErrorDialog)
    assert isinstance(dialog, ErrorDialog)
    assert any("cannot be repeated" in label.text() for label in dialog.findChildren(QLabel))
    dialog.reject()
    await desk.window.settled()
