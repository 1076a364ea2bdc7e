"""A person's own fills are a side of the panel Fills, while an account is connected."""

from tests.gui.dialogs.desk import until
from tests.gui.window.conftest import MakeDesk
from tests.gui.window.test_trading import connected, sent

SPEED = 600.0


async def test_without_a_run_the_fills_are_the_persons_own(make_desk: MakeDesk) -> None:
    desk = await make_desk(speed=SPEED)
    trading = await connected(desk)
    fills = trading.fills
    assert fills.account_button.isChecked()
    assert fills.account_button.text() == "By hand"
    await sent(desk, "DEMO/USD", "2")
    model = trading.by_hand.model
    await until(lambda: model.rowCount() == 1)
    assert [row.symbol for row in desk.window.views.by_hand_fills.rows] == ["DEMO/USD"]
    trading.ticket.set_symbol("")
    trading.by_hand.row_chosen.emit(desk.window.views.by_hand_fills.rows[0])
    assert trading.ticket.fields.symbol.text() == "DEMO/USD"

    # Of an account that is let go nothing is left.
    desk.window.acts["disconnect-account"].trigger()
    await until(lambda: fills.run_button.isChecked())
    assert model.rowCount() == 0
    await desk.quiet()


async def test_the_fills_of_the_run_that_is_looked_at_stay_in_front(make_desk: MakeDesk) -> None:
    desk = await make_desk(speed=SPEED)
    await desk.finished_run()
    trading = await connected(desk)
    fills = trading.fills
    assert fills.is_connected
    assert fills.run_button.isChecked()
    await sent(desk, "DEMO/USD", "2")
    fills.account_button.click()
    assert fills.account_button.isChecked()
    await until(lambda: trading.by_hand.model.rowCount() == 1)
    assert desk.window.tables["fills"].model.rowCount() > 1
    await desk.quiet()
