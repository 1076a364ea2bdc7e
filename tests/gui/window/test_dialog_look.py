"""Dialogs have the window's colours, also behind what scrolls."""

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QAction, QColor
from PySide6.QtWidgets import QDialog, QScrollArea

from tests.gui.window.conftest import MakeDesk


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize(("action", "name"), [("action-new-run", "dialog-new-run"), ("action-settings", "dialog-settings")])
async def test_what_scrolls_lies_on_the_dialogs_own_colour(make_desk: MakeDesk, theme: str, action: str, name: str) -> None:
    desk = await make_desk(stored={"window.theme": theme})
    window = desk.window
    opener = window.findChild(QAction, action)
    assert opener is not None
    opener.trigger()
    await window.settled()
    dialog = window.findChild(QDialog, name)
    assert dialog is not None
    area = dialog.findChild(QScrollArea)
    assert area is not None
    corner = area.viewport().mapTo(dialog, area.viewport().rect().bottomRight() - QPoint(2, 2))  # beside every field
    assert dialog.grab().toImage().pixelColor(corner).name() == QColor(window.theme.background).name()
    dialog.reject()
