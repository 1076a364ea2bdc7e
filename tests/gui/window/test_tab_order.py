"""Tab goes through what is seen, in the order in which it is seen; what lies behind a tab is not seen."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDockWidget, QWidget

from tests.gui.window.conftest import Desk, MakeDesk
from tests.gui.window.test_trading import connected
from ui.window import MainWindow


def dock_of(widget: QWidget | None) -> str:
    """The panel that a widget lies in, or nothing."""
    while widget is not None and not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return "" if widget is None else widget.objectName().removeprefix("dock-")


def passed(window: MainWindow, key: Qt.Key, count: int) -> list[QWidget]:
    """Press a key so often; return what had the focus each time."""
    found = []
    for _ in range(count):
        widget = window.focusWidget()
        assert widget is not None
        found.append(widget)
        QTest.keyClick(widget, key)
    return found


def parts(widgets: list[QWidget]) -> list[str]:
    """The panels that were gone through, each as often as it was entered."""
    named = [dock_of(widget) or widget.objectName().partition("-")[0] for widget in widgets]
    return [name for place, name in enumerate(named) if place == 0 or named[place - 1] != name]


async def opened(make_desk: MakeDesk) -> Desk:
    desk = await make_desk()
    await desk.finished_run()
    await connected(desk)
    desk.window.activateWindow()
    desk.window.docks.show(desk.window.docks["runs"])
    return desk


async def test_tab_goes_through_what_is_seen_and_around(make_desk: MakeDesk) -> None:
    desk = await opened(make_desk)
    window = desk.window
    first = window.focusWidget()
    round_ = passed(window, Qt.Key.Key_Tab, 1)
    while window.focusWidget() is not first:
        round_ += passed(window, Qt.Key.Key_Tab, 1)
    behind = {name for name in map(dock_of, round_) if name and window.docks[name].visibleRegion().isEmpty()}
    assert behind == set()
    assert len({id(widget) for widget in round_}) == len(round_)
    # From left to right, from top to bottom; the toolbar comes first in the window, and last in a round that began elsewhere.
    assert parts(round_) == ["runs", "tabs", "data", "chart", "tabs", "trades", "tabs", "report", "button"]
    back = passed(window, Qt.Key.Key_Backtab, len(round_))
    assert [id(widget) for widget in back[1:]] == [id(widget) for widget in reversed(round_[1:])]
    await desk.quiet()


@pytest.mark.parametrize(("front", "hidden"), [("ticket", "report"), ("account", "ticket")])
async def test_what_comes_to_the_front_is_gone_through_in_its_place(make_desk: MakeDesk, front: str, hidden: str) -> None:
    desk = await opened(make_desk)
    desk.window.docks.show(desk.window.docks[front])
    docks = {dock_of(widget) for widget in passed(desk.window, Qt.Key.Key_Tab, 60)}
    assert front in docks
    assert hidden not in docks
    await desk.quiet()


async def test_an_empty_panel_that_has_the_focus_is_left_for_the_next(make_desk: MakeDesk) -> None:
    desk = await make_desk(with_bars=False)
    window = desk.window
    window.activateWindow()
    window.docks.show(window.docks["runs"])
    assert window.focusWidget() is window.docks["runs"]
    QTest.keyClick(window.docks["runs"], Qt.Key.Key_Tab)
    assert parts(passed(window, Qt.Key.Key_Tab, 1)) == ["tabs"]
    window.docks.show(window.docks["runs"])
    QTest.keyClick(window.docks["runs"], Qt.Key.Key_Backtab)
    assert parts(passed(window, Qt.Key.Key_Tab, 1)) == ["button"]
