"""The toolbar: HALT is always in sight, the accounts are one click away, and a database that does not answer is seen."""

from PySide6.QtWidgets import QToolButton

from core.errors import StoreError
from core.views.pulse import feed_pulse
from tests.gui.dialogs.desk import until
from tests.gui.window.conftest import MakeDesk
from ui.theme import DARK


def texts_shown(button: QToolButton) -> bool:
    return button.toolButtonStyle().name == "ToolButtonTextBesideIcon"


async def test_in_a_narrow_window_acts_shrink_to_their_icons_and_halt_stays(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    window = desk.window
    toolbar = window.toolbar
    shrinking = toolbar.widgetForAction(window.acts["import-data"])
    assert isinstance(shrinking, QToolButton)
    window.resize(1600, 1000)
    await until(lambda: texts_shown(shrinking))
    window.resize(toolbar.sizeHint().width() - 40, 800)
    await until(lambda: not texts_shown(shrinking))
    assert toolbar.sizeHint().width() <= toolbar.width()
    window.resize(1600, 1000)
    await until(lambda: texts_shown(shrinking))


async def test_the_menu_of_accounts_connects_and_lets_go(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    window = desk.window
    menu = window.toolbar.account_menu
    menu.aboutToShow.emit()
    entry = next(action for action in menu.actions() if action.text() == "Connect Simulated market")
    assert not window.acts["disconnect-account"].isEnabled()
    entry.trigger()
    await until(lambda: window.trading.feed.view is not None and not window.trading.feed.is_busy)
    menu.aboutToShow.emit()
    assert not next(action for action in menu.actions() if action.text() == "Connect Simulated market").isEnabled()
    assert window.acts["disconnect-account"] in menu.actions()
    await desk.quiet()


async def test_a_database_that_does_not_answer_is_seen(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    window = desk.window
    answers = desk.engine.events_back

    async def refuse(**_options: object) -> list[object]:
        raise StoreError("The server has gone away.", "It is tried again.")

    desk.engine.events_back = refuse  # type: ignore[assignment, method-assign]  # the store of a test does not go away
    window.heartbeat.beat()
    await window.settled()
    assert DARK.danger in window.toolbar.database.text()
    assert "The server has gone away." in window.toolbar.database.toolTip()
    desk.engine.events_back = answers  # type: ignore[method-assign]
    window.heartbeat.beat()
    await window.settled()
    assert DARK.up in window.toolbar.database.text()


async def test_a_silent_feed_is_told_with_what_follows(make_desk: MakeDesk) -> None:
    toolbar = (await make_desk()).window.toolbar
    toolbar.show_feed(feed_pulse(75.0, "Alpaca paper"))
    assert DARK.danger in toolbar.feed.text()
    assert toolbar.feed.toolTip() == "Alpaca paper was heard of 75 s ago. Orders are refused until it answers."
