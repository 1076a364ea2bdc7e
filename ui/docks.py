"""The docks: which there are, where they stand at first, and how their layout is kept."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from PySide6.QtCore import QByteArray, QObject, QSize, Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QDockWidget,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QSizePolicy,
    QSpacerItem,
    QTabBar,
    QTabWidget,
    QToolButton,
    QWidget,
)

from ui.dock_place import DockPlace
from ui.style import icon
from ui.theme import Sizes, Theme

TITLES: Final = {
    "runs": "Runs",
    "data": "Data",
    "chart": "Chart",
    "report": "Report",
    "orders": "Orders",
    "fills": "Fills",
    "positions": "Positions",
    "trades": "Trades",
    "activity": "Activity",
    "log": "Log",
    "watchlist": "Watchlist",
    "ticket": "Ticket",
    "account": "Account",
}
"""The docks by name, in the order in which F6 goes through them."""

_BOTTOM: Final = ("orders", "fills", "positions", "trades", "activity", "log")
_RIGHT: Final = ("report", "ticket", "account")
_LEFT_BELOW: Final = ("data", "watchlist")
_FRONT: Final = "trades"
_LAYOUT_VERSION: Final = 2
_FORMER_VERSION: Final = 1
"""Of layouts from before ticket, account and watchlist were there."""
_BESIDE: Final = (("report", "ticket"), ("report", "account"), ("data", "watchlist"))
"""Where those go in such a layout."""


class DockTitle(QWidget):
    """A thin title with float and close; docks that lie in tabs have none, the tab says it.

    Its size is that of its layout: while docks are laid out Qt asks for it thousands of times, and need not ask Python.
    """

    def __init__(self, dock: QDockWidget, sizes: Sizes) -> None:
        super().__init__(dock)
        self._dock = dock
        name = dock.objectName().removeprefix("dock-")
        self.label = QLabel(dock.windowTitle(), self)
        self.label.setProperty("role", "heading")
        self.label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self._height = QSpacerItem(0, sizes.row, QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._full_px = sizes.row
        layout = QHBoxLayout(self)
        layout.setContentsMargins(sizes.step * 2, 0, sizes.step, 0)
        layout.setSpacing(0)
        layout.addSpacerItem(self._height)
        layout.addWidget(self.label, 1)
        self.buttons: dict[str, QToolButton] = {}
        for act, tip in (("float", "Float or dock"), ("close", "Close; the menu View shows it again")):
            button = self.buttons[act] = QToolButton(self)
            button.setObjectName(f"button-{act}-{name}")
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Ignored)  # the spacer alone says how high
            button.setIconSize(QSize(sizes.table_font, sizes.table_font))
            button.setAccessibleName(f"{act.capitalize()} {dock.windowTitle()}")
            button.setToolTip(tip)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.clicked.connect(self._float if act == "float" else dock.close)
            layout.addWidget(button)
        self.collapsed = False

    def set_collapsed(self, collapsed: bool) -> None:
        """Take no room: the dock's tab says its title."""
        self.collapsed = collapsed
        self._height.changeSize(0, 0 if collapsed else self._full_px, QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        layout = self.layout()
        if layout is not None:
            layout.invalidate()
        self.setVisible(not collapsed)
        self.updateGeometry()

    def set_theme(self, theme: Theme) -> None:
        """Draw the buttons in the theme's colours."""
        for act, button in self.buttons.items():
            button.setIcon(icon(act, theme, "faint"))

    def _float(self) -> None:
        self._dock.setFloating(not self._dock.isFloating())


class Docks(QObject):
    """Makes the docks in a window and knows their layouts."""

    sight_changed = Signal(str, bool)
    """The name of a dock, and whether it is seen now: neither closed nor behind a tab."""

    def __init__(self, window: QMainWindow, panels: Mapping[str, QWidget], sizes: Sizes) -> None:
        super().__init__(window)
        self._window = window
        self._sizes = sizes
        self._by_name: dict[str, QDockWidget] = {}
        self._frozen = False
        window.setDockNestingEnabled(True)
        window.setDockOptions(
            QMainWindow.DockOption.AllowNestedDocks | QMainWindow.DockOption.AllowTabbedDocks | QMainWindow.DockOption.GroupedDragging
        )
        window.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        for place, (name, title) in enumerate(TITLES.items()):
            dock = QDockWidget(title, window)
            dock.setObjectName(f"dock-{name}")
            dock.setAccessibleName(f"{title} panel")
            dock.setWidget(DockPlace(panels[name], dock))
            dock.toggleViewAction().setObjectName(f"action-show-{name}")
            dock.toggleViewAction().setText(f"Show {title}")
            if place < 9:
                dock.toggleViewAction().setShortcut(QKeySequence(f"Alt+{place + 1}"))
            dock.dockLocationChanged.connect(self._title_docks)
            dock.topLevelChanged.connect(self._title_docks)
            dock.visibilityChanged.connect(self._title_docks)
            dock.visibilityChanged.connect(lambda is_seen, name=name: self.sight_changed.emit(name, is_seen))
            self._by_name[name] = dock
            dock.setTitleBarWidget(DockTitle(dock, sizes))
        self.arrange()

    def __getitem__(self, name: str) -> QDockWidget:
        return self._by_name[name]

    def __iter__(self) -> Iterator[QDockWidget]:
        return iter(self._by_name.values())

    def arrange(self) -> None:
        """Put every dock where it stands at the first start."""
        window, dock = self._window, self._by_name
        for each in dock.values():
            window.removeDockWidget(each)
            each.setFloating(False)
        left = Qt.DockWidgetArea.LeftDockWidgetArea
        window.addDockWidget(left, dock["runs"])
        window.splitDockWidget(dock["runs"], dock["chart"], Qt.Orientation.Horizontal)
        window.splitDockWidget(dock["chart"], dock["orders"], Qt.Orientation.Vertical)
        window.splitDockWidget(dock["chart"], dock["report"], Qt.Orientation.Horizontal)
        window.splitDockWidget(dock["runs"], dock["data"], Qt.Orientation.Vertical)
        for names in (_BOTTOM, _RIGHT, _LEFT_BELOW):
            for before, name in pairwise(names):
                window.tabifyDockWidget(dock[before], dock[name])
        for each in dock.values():
            each.show()
        self.resize()
        for name in (_FRONT, _RIGHT[0], _LEFT_BELOW[0]):
            dock[name].raise_()

    def resize(self) -> None:
        """Give the docks their first sizes, as shares of the window."""
        window, dock = self._window, self._by_name
        width, height = max(window.width(), 640), max(window.height(), 480)
        scale = self._sizes.font / 13
        side = round(min(max(width * 0.278, 390 * scale), 444 * scale, width * 0.325))
        report = round(min(max(width * 0.19, 290 * scale), 340 * scale, width * 0.3))
        window.resizeDocks([dock["runs"], dock["chart"], dock["report"]], [side, width - side - report, report], Qt.Orientation.Horizontal)
        bottom = round(height * 0.25)
        window.resizeDocks([dock["chart"], dock["orders"]], [height - bottom, bottom], Qt.Orientation.Vertical)
        window.resizeDocks([dock["runs"], dock["data"]], [round(height * 0.62), round(height * 0.38)], Qt.Orientation.Vertical)

    # --- titles ---

    def _title_docks(self) -> None:
        """Docks that lie in tabs have no title of their own, their tab says it."""
        if self._frozen:
            return
        for dock in self._by_name.values():
            title = dock.titleBarWidget()
            tabbed = not dock.isFloating() and bool(self._window.tabifiedDockWidgets(dock))
            if isinstance(title, DockTitle) and title.collapsed != tabbed:
                title.set_collapsed(tabbed)
        for bar in self._window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly):
            bar.setObjectName("tabs-docks")
            bar.setAccessibleName("Panels")
            bar.setExpanding(False)
            bar.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def set_theme(self, theme: Theme) -> None:
        """Draw the titles in the theme's colours."""
        for dock in self._by_name.values():
            title = dock.titleBarWidget()
            if isinstance(title, DockTitle):
                title.set_theme(theme)

    def freeze(self) -> None:
        """Follow the docks no longer: the window closes."""
        self._frozen = True

    # --- focus ---

    def focus_next(self, step: int) -> None:
        """Move the focus to the next dock that is open; `step` −1 goes back. A dock behind a tab comes to the front."""
        shown = [dock for dock in self._by_name.values() if not dock.isHidden()]
        if not shown:
            return
        focus: QWidget | None = self._window.focusWidget()
        here = next(
            (place for place, dock in enumerate(shown) if focus is dock or (focus and dock.isAncestorOf(focus))), -1 if step > 0 else 0
        )
        self.show(shown[(here + step) % len(shown)])

    def show(self, dock: QDockWidget) -> None:
        """Bring a dock to the front and put the focus into it."""
        dock.show()
        dock.raise_()
        _focusable(dock).setFocus(Qt.FocusReason.ShortcutFocusReason)

    # --- memory ---

    def state(self) -> bytes:
        """Return where every dock stands."""
        return bytes(self._window.saveState(_LAYOUT_VERSION).data())

    def restore(self, state: bytes) -> bool:
        """Take over what `state` returned; False, and the first layout, when it does not fit any more."""
        if self._window.restoreState(QByteArray(state), _LAYOUT_VERSION):
            self._title_docks()
            return True
        if self._window.restoreState(QByteArray(state), _FORMER_VERSION):
            for known, new in _BESIDE:
                self._window.tabifyDockWidget(self._by_name[known], self._by_name[new])
                self._by_name[new].setVisible(not self._by_name[known].isHidden())
                self._by_name[known].raise_()
            self._title_docks()
            return True
        self.arrange()
        return False


def _focusable(dock: QDockWidget) -> QWidget:
    """Return what takes the focus in a dock: what its panel names, else the first that can; an empty panel's dock itself.

    A panel names it as its `first_focus`, not as its focus proxy: Tab would come to the panel and be thrown back to that widget.
    """
    panel = named = dock.widget()
    while (inner := getattr(named, "first_focus", None)) is not None:
        named = inner
    for widget in (named, *panel.findChildren(QWidget)):
        if widget.isVisible() and widget.isEnabled() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            return widget
    dock.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
    return dock
