"""A position that is held gets a target and a stop from the panel Positions, on the real window."""

from functools import partial

from core.model.order import OrderType
from tests.gui.dialogs.desk import until
from tests.gui.window.conftest import MakeDesk
from tests.gui.window.test_trading import connected, sent
from ui.dialogs.exits import ExitsDialog
from ui.dialogs.field_grid import FieldRow


def shows(row: FieldRow, words: str) -> bool:
    return row.error().startswith(words)


async def test_a_position_gets_a_target_and_a_stop_after_it_is_said_what_they_are(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    trading = await connected(desk)
    await sent(desk, "DEMO", "11")
    assert not desk.window.acts["protect-position"].isEnabled()
    trading.holdings.table.selectRow(0)
    desk.window.acts["protect-position"].trigger()
    dialog = desk.window.findChild(ExitsDialog)
    assert dialog is not None
    assert (dialog.windowTitle(), dialog.qty.text()) == ("Exits of 11 DEMO (By hand)", "11")
    assert (dialog.send_button.isEnabled(), dialog.send_button.property("stake")) == (False, "paper")

    dialog.stop.setText("1")
    await until(dialog.send_button.isEnabled)
    assert dialog.leave.text() == "It leaves at once."
    for line, typed, words in (
        (dialog.qty, "12", "The quantity cannot be 12: the position is 11."),
        (dialog.target, "0.5", "The target cannot be 0.5: it must be above the stop loss, which is 1."),
        (dialog.target, "much", "The target cannot be 'much'"),
    ):
        before = line.text()
        line.setText(typed)
        assert not dialog.send_button.isEnabled()
        row = dialog._rows["qty" if line is dialog.qty else "target"]
        await until(partial(shows, row, words))
        line.setText(before)
    dialog.qty.setText("8")
    dialog.target.setText("90000")
    await until(dialog.send_button.isEnabled)
    assert dialog.send_button.text() == "Send exits of 8 DEMO"
    assert dialog.leave.text().startswith("They leave at once, each by itself")
    hints = [dialog._rows[name].control.accessibleDescription() for name in ("target", "stop")]
    assert [hint[:7] for hint in hints] == ["Makes +", "Makes \N{MINUS SIGN}"]
    dialog.send_button.click()
    await until(lambda: sorted(row.order.request.type for row in trading.working.model.table.rows) == [OrderType.LIMIT, OrderType.STOP])
    await desk.window.settled()
    assert desk.window.findChild(ExitsDialog) is None

    await until(lambda: [row.open_qty for row in trading.holdings.model.table.rows] == [3])
    trading.holdings.table.selectRow(0)
    desk.window.acts["protect-position"].trigger()
    rest = desk.window.findChild(ExitsDialog)
    assert rest is not None
    assert rest.qty.text() == "3"
    rest.target.setText("80000")
    await until(rest.send_button.isEnabled)
    rest.send_button.click()
    await until(lambda: len(trading.working.model.table.rows) == 3)
    await until(lambda: [row.open_qty for row in trading.holdings.model.table.rows] == [0])
    trading.holdings.table.selectRow(0)
    assert not desk.window.acts["protect-position"].isEnabled()
    await desk.quiet()
