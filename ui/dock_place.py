"""Where a panel lies in its dock: what changes inside it is no matter of the other docks."""

from PySide6.QtCore import QEvent, QSize
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QWidget


class DockPlace(QWidget):
    """Holds one panel, all over. It has no layout, and that is its purpose.

    Qt has every layout from a widget up to its window arranged anew when the widget is shown, hidden or says that its size
    changed, whether or not it comes to anything. Of a window with thirteen docks that is two milliseconds each time; an account
    that is connected had it done some twenty times. Here it ends: the window hears of a panel only when its least size is another.
    """

    def __init__(self, panel: QWidget, parent: QWidget) -> None:
        super().__init__(parent)
        self.panel = panel
        self.first_focus = panel
        panel.setParent(self)
        self._take_least()

    def sizeHint(self) -> QSize:
        return self.panel.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.panel.setGeometry(self.rect())

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._take_least()  # of what is not shown nothing is heard

    def event(self, event: QEvent) -> bool:
        # Comes here instead of to a layout, from a panel whose own layout was arranged.
        if event.type() is QEvent.Type.LayoutRequest:
            self._take_least()
        return super().event(event)

    def _take_least(self) -> None:
        self.setMinimumSize(self.panel.minimumSizeHint().expandedTo(self.panel.minimumSize()))
