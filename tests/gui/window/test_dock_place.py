"""What changes inside a panel ends at its place in the dock, unless the panel needs more room."""

from PySide6.QtCore import QEvent, QObject, QSize
from PySide6.QtWidgets import QApplication, QDockWidget, QVBoxLayout, QWidget

from tests.gui.window.conftest import MakeDesk
from ui.dock_place import DockPlace


class Requests(QObject):
    """Counts how often a widget is asked to lay itself out."""

    def __init__(self, watched: QWidget) -> None:
        super().__init__(watched)
        self.count = 0
        watched.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's own name
        self.count += event.type() is QEvent.Type.LayoutRequest
        return super().eventFilter(watched, event)


def laid_out() -> None:
    """Let layouts be arranged, and those that hear of it."""
    for _ in range(3):
        QApplication.sendPostedEvents()


def placed() -> tuple[QDockWidget, QWidget, QWidget]:
    """A dock with a panel in it, and what lies in the panel."""
    dock = QDockWidget()
    panel = QWidget()
    layout = QVBoxLayout(panel)
    layout.setContentsMargins(0, 0, 0, 0)
    inside = QWidget(panel)
    inside.setMinimumSize(120, 40)
    layout.addWidget(inside)
    dock.setWidget(DockPlace(panel, dock))
    dock.show()
    laid_out()
    return dock, panel, inside


def test_a_panel_fills_its_place_and_the_dock_is_never_smaller_than_it_needs() -> None:
    dock, panel, inside = placed()
    place = dock.widget()
    place.resize(400, 300)
    assert panel.geometry() == place.rect()
    assert place.minimumSize() == QSize(120, 40)
    inside.setMinimumSize(200, 90)
    laid_out()
    assert place.minimumSize() == QSize(200, 90)
    inside.setMinimumSize(100, 30)
    laid_out()
    assert place.minimumSize() == QSize(100, 30)
    dock.deleteLater()


def test_what_changes_while_a_dock_is_closed_is_known_when_it_is_shown() -> None:
    dock, _, inside = placed()
    dock.hide()
    inside.setMinimumSize(200, 90)
    laid_out()
    dock.show()
    assert dock.widget().minimumSize() == QSize(200, 90)
    dock.deleteLater()


async def test_the_docks_are_not_laid_out_for_what_is_shown_and_hidden_inside_a_panel(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    window, panel = desk.window, desk.window.trading.watchlist.panel
    window.docks.show(window.docks["watchlist"])
    await window.settled()
    laid_out()
    of_window, of_panel = Requests(window), Requests(panel)
    panel.filter.setVisible(panel.filter.isHidden())
    panel.filter.setVisible(panel.filter.isHidden())
    laid_out()
    assert of_panel.count
    assert of_window.count == 0
